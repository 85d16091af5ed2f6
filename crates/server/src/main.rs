//! `bailiwickd`, the server. `bailiwickd --help` lists its commands.
//!
//! Exit codes: 0 done, 1 failed, 2 called wrongly. What a command is asked for goes to stdout, everything else to
//! stderr.

mod command;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let arguments = command::Arguments::parse();
    let done = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(command::run(arguments)));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bailiwickd: {error:#}");
            ExitCode::FAILURE
        }
    }
}
