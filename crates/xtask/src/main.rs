//! `cargo xtask`: everything that one does in the repository besides editing it.
//!
//! The commands stand each in a module of their own and share three small ones: [`repo`] (where things are),
//! [`process`] (running other programs) and [`postgres`] (finding the server's binaries, and a throw-away cluster).
//! Dependencies are std and `anyhow`, so that the first `cargo xtask run` on a new machine starts within seconds.
#![allow(
    clippy::disallowed_methods,
    reason = "a build tool reads its environment and the wall clock; the rules are the server's"
)]

mod postgres;
mod process;
mod repo;
mod sqlx;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask <command>

  sqlx [--check|--serve]  make crates/server/.sqlx anew; compare it; or keep its database up
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&args) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(args: &[String]) -> anyhow::Result<ExitCode> {
    let Some((command, rest)) = args.split_first() else {
        return Ok(usage());
    };
    match command.as_str() {
        "sqlx" => sqlx::main(rest)?,
        _ => return Ok(usage()),
    }
    Ok(ExitCode::SUCCESS)
}

fn usage() -> ExitCode {
    eprint!("{USAGE}");
    ExitCode::from(2)
}
