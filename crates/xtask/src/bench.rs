//! `cargo xtask bench`: what the house's work costs, as ratios of two sides that were measured in one run.
//!
//! The program below `crates/server/benches` measures and writes every sample to stdout; this reads the samples, prints
//! one line for each comparison, and leaves all of it in `target/bench.json`. A ratio that misses its target is marked
//! and is no failure: a slow disk or a busy neighbour would turn a commit red. What could not be measured is one.

mod json;
mod machine;
mod report;
mod samples;
mod statistics;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use crate::{process, repo, setup};
use machine::Machine;
use samples::Samples;

const REPORT: &str = "bench.json";
/// Comparisons with a program that has a workspace of its own.
const AGAINST_GRAPHILE: [&str; 4] = [
    "jobs_against_graphile",
    "jobs_against_graphile_waiting",
    "jobs_against_graphile_held",
    "jobs_against_graphile_plain",
];

/// # Errors
/// When an argument is unknown, the benchmarks do not build, or one of them could not be measured; those that could
/// are reported first.
pub(crate) fn main(args: &[String]) -> anyhow::Result<()> {
    if !is_understood(args) {
        bail!("usage: cargo xtask bench [filter] [--rounds n]");
    }
    let pg_bin = setup::for_run()?;
    process::run(&mut cargo_programs())?;
    process::run(cargo_bench(&pg_bin).arg("--no-run"))?;
    if needs_graphile(args) {
        eprintln!("xtask: building benches/graphile, which the job queue is compared with");
        process::run(&mut cargo_graphile())?;
    }
    // After the build, which would be the load that it warns of.
    let machine = Machine::look()?;
    if let Some(warning) = machine.is_busy() {
        eprintln!("xtask: {warning}");
    }
    let mut measure = cargo_bench(&pg_bin);
    let mut measuring =
        measure.arg("--quiet").arg("--").args(args).stdout(Stdio::piped()).spawn().context("cannot start cargo")?;
    let samples = Samples::read(BufReader::new(measuring.stdout.take().context("cargo has no stdout")?).lines());
    let status = measuring.wait().context("cannot wait for cargo")?;
    let samples = samples?;
    for line in samples.comparisons.iter().filter_map(report::line) {
        println!("{line}");
    }
    let path = repo::target_dir().join(REPORT);
    fs::write(&path, report::document(&machine, &samples))
        .with_context(|| format!("cannot write {}", path.display()))?;
    eprintln!("xtask: every sample is in {}", path.display());
    if !status.success() {
        bail!("not everything could be measured");
    }
    Ok(())
}

/// Whether `args` are `[filter] [--rounds n]`.
fn is_understood(args: &[String]) -> bool {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let is_filter = |word: &str| !word.starts_with('-');
    let is_count = |word: &str| word.parse::<u32>().is_ok_and(|n| n > 0);
    match args.as_slice() {
        [] => true,
        [filter] => is_filter(filter),
        ["--rounds", n] => is_count(n),
        [filter, "--rounds", n] => is_filter(filter) && is_count(n),
        _ => false,
    }
}

/// Whether the filter leaves a comparison with `graphile_worker`.
fn needs_graphile(args: &[String]) -> bool {
    let filter = args.first().filter(|word| !word.starts_with('-')).map_or("", String::as_str);
    AGAINST_GRAPHILE.iter().any(|name| name.contains(filter))
}

/// Where the benchmarks look for it, in `benches/jobs_against_graphile/process.rs` of the server.
fn cargo_graphile() -> Command {
    let mut cargo = process::cargo();
    cargo.current_dir(repo::root().join("benches").join("graphile"));
    cargo.args(["build", "--release", "--locked", "--target-dir"]).arg(repo::target_dir().join("graphile"));
    cargo
}

/// The programs, of which some comparisons run the command line beside the server.
fn cargo_programs() -> Command {
    let mut cargo = process::cargo();
    cargo.args(["build", "--workspace", "--bins", "--profile", "bench"]).env("SQLX_OFFLINE", "true");
    cargo
}

/// The whole workspace, as everywhere: another selection of packages would build dependencies with other features.
fn cargo_bench(pg_bin: &Path) -> Command {
    let mut cargo = process::cargo();
    cargo.args(["bench", "--workspace", "--bench", "ratios"]).env("SQLX_OFFLINE", "true").env("PG_BIN", pg_bin);
    cargo
}

#[cfg(test)]
mod tests {
    use super::{is_understood, needs_graphile};

    #[test]
    fn reads_the_command_line() {
        for (line, understood) in [
            ("", true),
            ("entry", true),
            ("--rounds 3", true),
            ("entry --rounds 3", true),
            ("--rounds 0", false),
            ("--rounds", false),
            ("--fast", false),
            ("entry ledger", false),
        ] {
            let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            assert_eq!(is_understood(&args), understood, "{line}");
        }
    }

    #[test]
    fn what_it_is_compared_with_is_built_when_it_is() {
        for (line, built) in
            [("", true), ("jobs", true), ("held --rounds 3", true), ("--rounds 3", true), ("entry", false)]
        {
            let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            assert_eq!(needs_graphile(&args), built, "{line}");
        }
    }
}
