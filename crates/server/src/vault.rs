//! What is kept but must not be readable in the database.
//!
//! So far one thing: AES-256-GCM under a local key, for answers that wait to be replayed and for what a
//! browser carries for us. The key hierarchy, rotation and erasure come with the vault proper.

mod local_seal;

pub use local_seal::{LocalSeal, SealError};
