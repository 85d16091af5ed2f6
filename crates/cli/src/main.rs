//! `bailiwick`: the command line of a Bailiwick server.
//!
//! # Invariants
//! - Data goes to standard output, everything else to standard error, so that `bailiwick … | jq`
//!   never meets a sentence.
//! - A token is read from standard input, the environment or the profile file, never from an
//!   argument, and is sent to no server but the one it was given for.
//! - Whatever a server says is neutralised before a terminal sees it ([`output::printable`]).
//! - A change carries one `Idempotency-Key`, made once for each run, through all its retries.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing))]

mod access;
mod args;
mod client;
mod commands;
mod failure;
mod lifetime;
mod once;
mod out_file;
mod output;
mod pins;
mod private_folder;
mod problem;
mod profile;
mod proof_file;
mod refusal;
mod secret_file;
mod server_url;
mod session;
mod statement;
mod surroundings;
mod table;
mod token;
mod trusted_keys;
mod witnesses;

use std::process::ExitCode;

use clap::Parser;

use crate::args::Cli;
use crate::failure::Failure;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let format = cli.global.output;
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.report(format);
            failure.exit().into()
        }
    }
}

/// One thread is enough for one request after another.
fn run(cli: Cli) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|err| Failure::local("the asynchronous runtime did not start", &err))?;
    runtime.block_on(commands::run(cli))
}
