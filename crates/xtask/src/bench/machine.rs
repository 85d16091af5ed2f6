//! What was measured on, and what was measured.

use std::fs;
use std::process::Command;

use super::json;
use crate::{process, repo};

/// From this load on, per processor, somebody else is at work.
const BUSY: f64 = 0.4;

/// The machine and the sources at the begin of a run.
pub(super) struct Machine {
    processor: String,
    processors: usize,
    memory_kib: f64,
    /// Of the last minute.
    load: f64,
    system: String,
    compiler: String,
    date: String,
    commit: String,
    /// Whether the sources differ from the commit's.
    changed: bool,
}

impl Machine {
    /// What Linux does not tell is left empty or 0.
    ///
    /// # Errors
    /// When git, rustc, uname or date cannot be run.
    pub(super) fn look() -> anyhow::Result<Self> {
        let said = |program: &str, args: &[&str]| {
            process::output(Command::new(program).args(args).current_dir(repo::root()))
                .map(|said| said.trim().to_owned())
        };
        let number = |text: Option<&str>| text.and_then(|text| text.parse().ok()).unwrap_or_default();
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        Ok(Self {
            processor: proc_field("/proc/cpuinfo", "model name"),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            memory_kib: number(proc_field("/proc/meminfo", "MemTotal").split(' ').next()),
            load: number(load.split(' ').next()),
            system: said("uname", &["-srm"])?,
            compiler: said("rustc", &["--version"])?,
            date: said("date", &["-u", "+%Y-%m-%dT%H:%M:%SZ"])?,
            commit: said("git", &["rev-parse", "HEAD"])?,
            changed: !said("git", &["status", "--porcelain"])?.is_empty(),
        })
    }

    /// A warning, when the machine is not ours alone.
    pub(super) fn is_busy(&self) -> Option<String> {
        let Self { load, processors, .. } = self;
        is_busy(*load, *processors)
            .then(|| format!("a load of {load} on {processors} processors: the ratios will spread"))
    }

    /// Members of the report.
    pub(super) fn members(&self) -> [(&'static str, String); 4] {
        let machine = json::object([
            ("processor", json::text(&self.processor)),
            ("processors", self.processors.to_string()),
            ("memory_kib", json::number(self.memory_kib)),
            ("load", json::number(self.load)),
            ("system", json::text(&self.system)),
            ("compiler", json::text(&self.compiler)),
        ]);
        [
            ("date", json::text(&self.date)),
            ("commit", json::text(&self.commit)),
            ("changed", self.changed.to_string()),
            ("machine", machine),
        ]
    }
}

fn is_busy(load: f64, processors: usize) -> bool {
    load / u32::try_from(processors).map_or(1.0, f64::from) > BUSY
}

/// The value of the first `name : value` in a file.
fn proc_field(file: &str, name: &str) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    let mut fields = text.lines().filter_map(|line| line.split_once(':'));
    fields.find(|(field, _)| field.trim() == name).map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::is_busy;

    #[test]
    fn the_load_counts_by_the_processor() {
        for (load, processors, busy) in [(0.0, 2, false), (0.5, 2, false), (1.5, 2, true), (1.5, 8, false)] {
            assert_eq!(is_busy(load, processors), busy, "{load} on {processors}");
        }
    }
}
