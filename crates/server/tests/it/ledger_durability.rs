//! What was acknowledged stays, once, in its order: through older copies, many nodes, `kill -9` and lost answers.

mod clock_and_keys;
mod crashed_database;
mod generations;
mod ingest;
mod killed;
mod many_nodes;
mod older_copy;
mod once;
