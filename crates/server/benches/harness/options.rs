//! What `cargo xtask bench` asks for.

use anyhow::{Context, bail};

const ROUNDS: u32 = 10;

/// The command line.
pub(crate) struct Options {
    filter: String,
    /// How often each side is measured.
    pub(crate) rounds: u32,
}

impl Options {
    /// Reads `[filter] [--rounds n] --bench`; `None` without `--bench`, which cargo adds for benchmarks alone.
    ///
    /// # Errors
    /// When an argument is not understood.
    pub(crate) fn read() -> anyhow::Result<Option<Self>> {
        let mut options = Self { filter: String::new(), rounds: ROUNDS };
        let mut benchmark = false;
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--bench" => benchmark = true,
                "--rounds" => {
                    let rounds = arguments.next().context("--rounds wants a number")?;
                    options.rounds = rounds.parse().ok().filter(|n| *n > 0).context("--rounds wants a number")?;
                }
                word if !word.starts_with('-') && options.filter.is_empty() => word.clone_into(&mut options.filter),
                other => bail!("not understood: {other}"),
            }
        }
        Ok(benchmark.then_some(options))
    }

    /// Whether a comparison of this name is asked for.
    pub(crate) fn wants(&self, name: &str) -> bool {
        name.contains(&self.filter)
    }
}
