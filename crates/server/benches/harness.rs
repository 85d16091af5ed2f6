//! What comparisons stand on: alternating rounds, clients that work for a while, a server of one's own, and a check
//! that statements which are copied from the server are still the server's.

mod caller;
mod comparison;
mod cpu;
mod load;
mod mirror;
mod options;
mod server;

#[path = "../tests/it/harness/reaper.rs"]
#[expect(clippy::unwrap_used, unreachable_pub, reason = "the tests' own, where a failure is a panic")]
mod reaper;

pub(crate) use caller::Caller;
pub(crate) use comparison::{Comparison, Sample, Side};
pub(crate) use cpu::cpu_us;
pub(crate) use load::for_a_while;
pub(crate) use mirror::Mirror;
pub(crate) use options::Options;
pub(crate) use server::{Person, Server};

use std::future::Future;

/// Runs a comparison on a runtime of its own, made as the server makes its own.
///
/// # Errors
/// When the runtime cannot be made, and whatever the comparison says.
pub(crate) fn block_on(comparison: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(comparison)
}
