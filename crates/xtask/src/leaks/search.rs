//! Reading the files: in chunks that overlap by the longest pattern, by as many threads as the machine is fast with.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, anyhow};

use super::patterns::Patterns;

const CHUNK_BYTES: usize = 1 << 20;
const THREADS: usize = 2;

/// What was found, and in how much.
#[derive(Default)]
pub(super) struct Report {
    /// `<file>: <kind>`, each once.
    pub(super) leaks: BTreeSet<String>,
    pub(super) bytes: u64,
}

/// # Errors
/// When a file cannot be read.
pub(super) fn search(patterns: &Patterns, files: &[PathBuf]) -> anyhow::Result<Report> {
    let next = AtomicUsize::new(0);
    let work = || -> anyhow::Result<Report> {
        let mut report = Report::default();
        while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            search_file(patterns, file, &mut report).with_context(|| format!("cannot search {}", file.display()))?;
        }
        Ok(report)
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        let mut whole = Report::default();
        for thread in threads {
            let part = thread.join().map_err(|_| anyhow!("a thread of the leak scan died"))??;
            whole.leaks.extend(part.leaks);
            whole.bytes += part.bytes;
        }
        Ok(whole)
    })
}

fn search_file(patterns: &Patterns, path: &Path, report: &mut Report) -> std::io::Result<()> {
    let mut file = File::open(path)?;
    let overlap = patterns.longest();
    let mut window = Vec::with_capacity(CHUNK_BYTES + overlap);
    loop {
        let read = file.by_ref().take(CHUNK_BYTES as u64).read_to_end(&mut window)?;
        if read == 0 {
            return Ok(());
        }
        report.bytes += read as u64;
        patterns.find(&window, |kind| {
            report.leaks.insert(format!("{}: {kind}", path.display()));
        });
        // What is kept is seen twice, which costs little and finds nothing new: a report is a set.
        window.drain(..window.len().saturating_sub(overlap));
    }
}
