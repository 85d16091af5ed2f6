//! `cargo xtask`: everything that one does in the repository besides editing it.
//!
//! Each command stands in a module of its own. They share four small ones: [`repo`] (where things are), [`process`]
//! (running other programs), [`postgres`] (finding the server's binaries, and a throw-away cluster) and [`apt`].
//! Dependencies are std and `anyhow`, so that the first `cargo xtask run` on a new machine starts within seconds.
#![allow(
    clippy::disallowed_methods,
    reason = "a build tool reads its environment and the wall clock; the rules are the server's"
)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that fails says where"))]

mod apt;
mod bench;
mod browser;
mod generate;
mod leaks;
mod lint;
mod nginx;
mod npm;
mod postgres;
mod process;
mod repo;
mod run;
mod setup;
mod sqlx;
mod test;
mod tidy;
mod verifiers;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask <command>

  run [args...]                  install what is missing, build, and start `bailiwickd dev args...`
  test [filter | --quick]        install what is missing, then all checks and tests; or the tests that
                                 match; or without lints, generated documents and leak scan
  bench [filter] [--rounds n]    what the house's work costs, measured as ratios
  tidy                           layers, names, lengths, words, links and dependencies
  generate [--check]             write (or compare) the documents that the server prints
  sqlx [--check | --serve]       write (or compare) crates/server/.sqlx; or keep its database up
  leaks                          search what the last test run left for the secrets that it saw
  setup [--for run | test]       only install what is missing
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let Some((command, rest)) = args.split_first() else {
        return usage();
    };
    let outcome = match command.as_str() {
        "bench" => bench::main(rest),
        "generate" => generate::main(rest),
        "leaks" => leaks::main(rest),
        "run" => run::main(rest),
        "setup" => setup::main(rest),
        "sqlx" => sqlx::main(rest),
        "test" => test::main(rest),
        "tidy" => tidy::main(rest),
        _ => return usage(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprint!("{USAGE}");
    ExitCode::from(2)
}
