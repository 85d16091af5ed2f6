//! Work that survives: handed over in the transaction of a change, done once that is committed, whatever dies.
//!
//! A *kind* is a type ([`Job`]); all kinds of a process stand in one [`Registry`]. A change *enqueues* ([`Queue`]) in its
//! own transaction. *Workers* ([`Workers`]) claim in batches and run what they claimed; a lane, which is a workspace's jobs
//! of one kind, gets its turn after every other lane has had one. What fails is tried again later, in a lane of its own,
//! and is *dead* after its last try: an operator looks at it, retries or discards it ([`operate`]). What comes again and
//! again is a *schedule*.
//!
//! # Invariants
//! - A job is there if and only if the transaction that enqueued it was committed.
//! - A claim raises the row's fence. Ending, putting off and burying compare it, and so does each commit of the job's
//!   own transaction ([`Claimed`]): nothing is done under a lease that somebody else has taken over.
//! - A job whose change is committed by [`Claimed::commit`] has its effect exactly once; any other at least once.
//! - No transaction is open while a job runs, unless the job opens one.
//! - Payloads are sealed, stand apart from what is scanned, and go in the statement that ends the job. An error is a word
//!   of ours ([`Failure`]) and can hold nothing of a payload.
//! - A kind that this process does not know stays in the queue, for the version that does.

mod active;
mod board;
mod claimed;
mod expire;
mod gauge;
mod kind;
pub mod operate;
mod queue;
mod registry;
mod schedule;
mod sql;
mod wake;
mod workers;

pub use claimed::{Claimed, Done};
pub use expire::ExpireDead;
pub use kind::{DeadPayload, Failure, InCell, InWorkspace, Job, Place, Policy};
pub use queue::{EnqueueError, Queue};
pub use registry::Registry;
pub use schedule::{Every, Schedule};
pub use workers::{Parts, Workers};
