//! `cargo xtask test`: all that must hold before a change is submitted, in the order in which it fails fastest.
//!
//! The order of the steps is also the order of cost: format and layout take a second, build and tests minutes. The
//! leak scan comes last because it reads what the tests left in their folder: logs, databases, and the secrets that
//! must not be in them.

use std::ffi::OsStr;
use std::fs;
use std::num::NonZero;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::lint::Linter;
use crate::setup::{self, TestTools};
use crate::{generate, leaks, process, repo, tidy};

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
enum Extent {
    /// Everything.
    Full,
    /// Format, layout and all tests; no lints, no generated documents, no leak scan.
    Quick,
    /// The crash loop of the job queue alone, with so many rounds.
    Crashes(u32),
    /// The verifications at three nodes, one of them cut off, alone: so many.
    Verifications(u64),
    /// The test that nonces do not repeat, alone: in so many seals.
    Seals(u32),
    /// The tests whose name contains this, and nothing else.
    Only(String),
}

/// # Errors
/// When the machine cannot be set up, or at the first step that fails.
pub(crate) fn main(args: &[String]) -> anyhow::Result<()> {
    let extent = parse(args)?;
    let mut run = Run { tools: setup::for_test()?, dir: repo::test_run_dir(), linter: None, done: Vec::new() };
    empty(&run.dir)?;
    let outcome = run.all(&extent);
    run.summarize(outcome.is_ok());
    outcome
}

fn parse(args: &[String]) -> anyhow::Result<Extent> {
    match args {
        [] => Ok(Extent::Full),
        [flag] if flag == "--quick" => Ok(Extent::Quick),
        [flag, rounds] if flag == "--crash-rounds" => match rounds.parse() {
            Ok(rounds) => Ok(Extent::Crashes(rounds)),
            Err(_) => bail!("--crash-rounds wants a number"),
        },
        [flag, count] if flag == "--verifications" => match count.parse() {
            Ok(count) => Ok(Extent::Verifications(count)),
            Err(_) => bail!("--verifications wants a number"),
        },
        [flag, count] if flag == "--seals" => match count.parse() {
            Ok(count) => Ok(Extent::Seals(count)),
            Err(_) => bail!("--seals wants a number"),
        },
        [filter] if !filter.starts_with('-') => Ok(Extent::Only(filter.clone())),
        _ => bail!("usage: cargo xtask test [filter | --quick | --crash-rounds N | --verifications N | --seals N]"),
    }
}

struct Run {
    tools: TestTools,
    /// The harness finds it in `BAILIWICK_TEST_RUN_DIR` and leaves `secrets.txt`, `logs/` and `clusters/` there.
    dir: PathBuf,
    /// Compiles the workspace's own crates instead of rustc, once it is set.
    linter: Option<Linter>,
    done: Vec<(&'static str, Duration)>,
}

impl Run {
    fn all(&mut self, extent: &Extent) -> anyhow::Result<()> {
        if let Extent::Only(filter) = extent {
            return self.cargo("tests", &["test", "--workspace", "--", filter]);
        }
        if let Extent::Crashes(rounds) = extent {
            let filter = "killing_the_worker_again_and_again";
            return self.counted("crash rounds", filter, ("BAILIWICK_CRASH_ROUNDS", rounds.to_string()));
        }
        if let Extent::Verifications(count) = extent {
            let filter = "no_verification_takes_a_key";
            return self.counted("verifications", filter, ("BAILIWICK_VERIFICATIONS", count.to_string()));
        }
        if let Extent::Seals(count) = extent {
            return self.counted("seals", "nonces_never_repeat", ("BAILIWICK_SEALS", count.to_string()));
        }
        let full = *extent == Extent::Full;
        self.cargo("format", &["fmt", "--all", "--check"])?;
        self.step("layout", |_| tidy::check())?;
        if full {
            self.linter = Some(Linter::find()?);
        }
        let name = if full { "build and lints" } else { "build" };
        self.cargo(name, &["build", "--workspace", "--all-targets"])?;
        self.cargo("tests", &["test", "--workspace"])?;
        if full {
            self.step("generated documents", |_| generate::check())?;
            self.step("leak scan", |run| leaks::check(&run.dir))?;
        }
        Ok(())
    }

    fn cargo(&mut self, name: &'static str, args: &[&str]) -> anyhow::Result<()> {
        self.step(name, |run| process::run(run.environment(process::cargo().args(args))))
    }

    /// The tests whose name contains `filter`, which read how often from a variable.
    fn counted(&mut self, name: &'static str, filter: &str, often: (&str, String)) -> anyhow::Result<()> {
        self.step(name, |run| {
            let mut cargo = process::cargo();
            cargo.args(["test", "--workspace", "--", filter]).env(often.0, often.1);
            process::run(run.environment(&mut cargo))
        })
    }

    fn step(&mut self, name: &'static str, act: impl FnOnce(&Self) -> anyhow::Result<()>) -> anyhow::Result<()> {
        eprintln!("\nxtask: {name}");
        let start = Instant::now();
        let outcome = act(self).with_context(|| format!("{name} failed"));
        self.done.push((name, start.elapsed()));
        outcome
    }

    /// The environment that every step is started with; the tests read all but the first.
    fn environment<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        if std::env::var_os("CI").is_some() {
            command.env("CARGO_INCREMENTAL", "0");
        }
        if let Some(linter) = &self.linter {
            linter.compile(command);
        }
        // A test waits for a server half of its time.
        let threads = std::thread::available_parallelism().map_or(1, NonZero::get) + 1;
        command.env("RUST_TEST_THREADS", threads.to_string());
        let variables: [(&str, &OsStr); 12] = [
            ("SQLX_OFFLINE", "true".as_ref()),
            // Unoptimised, a test's future and those of the server that it starts stand on one stack of two mebibytes.
            ("RUST_MIN_STACK", "8388608".as_ref()),
            ("PG_BIN", self.tools.pg_bin.as_ref()),
            ("PGBOUNCER", self.tools.pgbouncer.as_ref()),
            ("CHROMIUM", self.tools.chromium.as_ref()),
            ("AXE_CORE_JS", self.tools.axe_core.as_ref()),
            ("CHECK_PYTHON", self.tools.python.as_ref()),
            ("BAO", self.tools.bao.as_ref()),
            ("NODE", self.tools.node.as_ref()),
            ("NGINX", self.tools.nginx.as_ref()),
            ("JOSE_JS", self.tools.jose.as_ref()),
            ("BAILIWICK_TEST_RUN_DIR", self.dir.as_ref()),
        ];
        command.envs(variables)
    }

    fn summarize(&self, passed: bool) {
        eprintln!();
        for (position, (name, duration)) in self.done.iter().enumerate() {
            let failed = !passed && position + 1 == self.done.len();
            let mark = if failed { "FAILED" } else { "ok" };
            eprintln!("{mark:>6}  {:>7.1} s  {name}", duration.as_secs_f64());
        }
        let total: Duration = self.done.iter().map(|(_, duration)| *duration).sum();
        eprintln!("{:>6}  {:>7.1} s  in all", "", total.as_secs_f64());
    }
}

fn empty(dir: &PathBuf) -> anyhow::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot empty {}", dir.display()));
        }
        _ => {}
    }
    fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))
}

#[cfg(test)]
mod tests {
    use super::{Extent, parse};

    #[test]
    fn reads_the_command_line() {
        let parse = |args: &[&str]| parse(&args.iter().map(ToString::to_string).collect::<Vec<_>>()).ok();
        for (args, extent) in [
            (&[][..], Some(Extent::Full)),
            (&["--quick"], Some(Extent::Quick)),
            (&["--crash-rounds", "1000"], Some(Extent::Crashes(1000))),
            (&["--crash-rounds", "many"], None),
            (&["--crash-rounds"], None),
            (&["--verifications", "1000000"], Some(Extent::Verifications(1_000_000))),
            (&["--verifications"], None),
            (&["--seals", "10000000"], Some(Extent::Seals(10_000_000))),
            (&["--seals", "-1"], None),
            (&["isolation"], Some(Extent::Only("isolation".to_owned()))),
            (&["--fast"], None),
            (&["isolation", "--quick"], None),
        ] {
            assert_eq!(parse(args), extent, "{args:?}");
        }
    }
}
