//! What every node knows, and when: revocations that bite everywhere, whatever happens to the way there.

mod faults;
mod ground;
mod memory;
mod nodes;
mod partition;
mod poison;
mod restarts;
mod restored;
mod stale;
