//! What this process holds in memory, nobody gets from it by way of the system: before a single key is read, it gives up what would write its memory elsewhere.
//!
//! - It leaves no core file: the limit is 0, and it is not *dumpable*, which also holds where cores are piped to a collector.
//! - Not being dumpable, it cannot be traced, nor its memory be read in `/proc`, by other processes of the same user.
//! - Its memory is not swapped out, where the system allows it to lock all that it will ever have: by an unlimited
//!   `RLIMIT_MEMLOCK`, or by `CAP_IPC_LOCK`. Where only some may be locked it locks nothing, since an allocation beyond the
//!   limit would fail, and says so.

use anyhow::Context;
use nix::libc::MCL_ONFAULT;
use nix::sys::mman::{MlockAllFlags, mlockall};
use nix::sys::prctl::set_dumpable;
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, setrlimit};

/// What came of locking the memory; the rest is there, or the process is not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hardened {
    memory: Memory,
}

#[derive(Clone, Copy, Debug)]
enum Memory {
    Locked,
    /// The system locks no more than this.
    Limited {
        limit_bytes: u64,
    },
    Refused(nix::Error),
}

impl Hardened {
    /// One event, once somebody listens.
    pub(super) fn report(self) {
        match self.memory {
            Memory::Locked => tracing::info!(event = "process.hardened", memory_locked = true),
            Memory::Limited { limit_bytes } => {
                tracing::info!(event = "process.hardened", memory_locked = false, limit_bytes);
            }
            Memory::Refused(error) => {
                tracing::info!(event = "process.hardened", memory_locked = false, error = %error);
            }
        }
    }
}

/// Closes the process. Before it has threads, so that none runs without.
///
/// # Errors
/// When the system does not let it do without cores, which no system should.
pub(crate) fn harden() -> anyhow::Result<Hardened> {
    setrlimit(Resource::RLIMIT_CORE, 0, 0).context("cannot do without core files")?;
    set_dumpable(false).context("cannot forbid others to read this process")?;
    Ok(Hardened { memory: lock_memory() })
}

/// Whether no limit holds for this process: it has the capability `CAP_IPC_LOCK` (capabilities(7), proc_pid_status(5)).
fn has_ipc_lock() -> bool {
    const CAP_IPC_LOCK: u32 = 14;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    effective.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).is_some_and(|set| set >> CAP_IPC_LOCK & 1 == 1)
}

fn lock_memory() -> Memory {
    let locked = getrlimit(Resource::RLIMIT_MEMLOCK).and_then(|(soft, hard)| {
        if hard != RLIM_INFINITY && !has_ipc_lock() {
            return Ok(Memory::Limited { limit_bytes: hard });
        }
        if soft != hard {
            setrlimit(Resource::RLIMIT_MEMLOCK, hard, hard)?;
        }
        // On fault: each page when it is first used, or the stacks of all threads would be used up to their ends.
        let on_fault = MlockAllFlags::from_bits_retain(MCL_ONFAULT);
        mlockall(MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE | on_fault).map(|()| Memory::Locked)
    });
    locked.unwrap_or_else(Memory::Refused)
}
