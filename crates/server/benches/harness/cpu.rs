//! Processor time of this process and of all that it has started: a figure that a busy neighbour spoils far less than
//! a rate, since waiting for the processor is not in it.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

/// A server starts a database, which starts processes of its own.
const GENERATIONS: usize = 8;

/// Microseconds so far, of the processes that live; `None` where the system does not tell.
pub(crate) fn cpu_us() -> Option<f64> {
    let parents: HashMap<u32, u32> = fs::read_dir("/proc")
        .ok()?
        .filter_map(|entry| {
            let pid = entry.ok()?.file_name().to_str()?.parse().ok()?;
            Some((pid, parent(pid)?))
        })
        .collect();
    let is_ours = |pid: u32| {
        let family = std::iter::successors(Some(pid), |pid| parents.get(pid).copied());
        family.take(GENERATIONS).any(|pid| pid == std::process::id())
    };
    let ours: Vec<f64> = parents.keys().copied().filter(|pid| is_ours(*pid)).filter_map(ran_us).collect();
    (!ours.is_empty()).then(|| ours.iter().sum())
}

/// The second field after the program's name, which may hold anything (proc(5)).
fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}

/// The first field of `schedstat` is nanoseconds on a processor, of one thread.
fn ran_us(pid: u32) -> Option<f64> {
    let threads = fs::read_dir(Path::new("/proc").join(pid.to_string()).join("task")).ok()?;
    let ran_ns = threads.filter_map(|thread| {
        let text = fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<f64>().ok()
    });
    Some(ran_ns.sum::<f64>() / 1e3)
}
