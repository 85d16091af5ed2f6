//! The database's owner changes the log, and everybody who looks finds out where.

mod bound;
mod kept;
mod owner;
mod rewritten;
mod rows;
mod self_check;
mod stored;
