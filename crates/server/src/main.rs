//! `bailiwickd`, the server. `bailiwickd --help` lists its commands.
//!
//! Exit codes: 0 done, 1 failed, 2 called wrongly, 6 a log is not what was recorded. What a command is asked for goes
//! to stdout, everything else to stderr.

mod command;

use std::process::ExitCode;

use clap::Parser;

const NOT_VERIFIED: u8 = 6;

fn main() -> ExitCode {
    let arguments = command::Arguments::parse();
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bailiwickd: {error:#}");
            if error.is::<command::NotVerified>() { ExitCode::from(NOT_VERIFIED) } else { ExitCode::FAILURE }
        }
    }
}

fn run(arguments: command::Arguments) -> anyhow::Result<()> {
    let hardened = command::harden()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(command::run(arguments, hardened))
}
