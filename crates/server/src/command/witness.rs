//! `bailiwickd witness`: a witness of other people's logs, which needs nothing of a server's; and `bailiwickd ledger witnesses`, how it
//! stands with those of our own.

use std::net::SocketAddr;
use std::path::PathBuf;

use bailiwick_proof::note::VerifierKey;
use bailiwick_server::clock::Clock;
use bailiwick_server::config::{Draft, Environment, Mode, Settings};
use bailiwick_server::entropy::Entropy;
use bailiwick_server::ledger::{self, WitnessState};
use bailiwick_server::{telemetry, witness};
use clap::{Args, Subcommand};
use time::format_description::well_known::Rfc3339;

use super::hardening::Hardened;
use super::listener::bind;
use super::place::{FoundIn, Place};
use super::print;
use super::shutdown::Shutdown;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a witness's key, never over another, and print its vkey
    Init(Init),
    /// Begin with a log, once: without its record the witness does not serve it any more
    Add(Add),
    /// Cosign checkpoints that extend what was cosigned before
    Serve(Serve),
}

#[derive(Debug, Args)]
pub(super) struct Init {
    /// The witness's folder: its key, and what it cosigned last of each log
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// What it calls itself in its signatures: a URL without its scheme, such as witness.example/one
    #[arg(long)]
    name: String,
}

#[derive(Debug, Args)]
pub(super) struct Add {
    /// The witness's folder
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// A vkey of the log, of which the name is the origin
    #[arg(long, value_name = "VKEY")]
    log: VerifierKey,
}

#[derive(Debug, Args)]
pub(super) struct Serve {
    /// The witness's folder
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// Address and port
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8090")]
    listen: SocketAddr,
    /// A log's vkey, of which the name is the origin; again for each log, and for each key of a log that changes keys
    #[arg(long = "log", value_name = "VKEY", required = true)]
    logs: Vec<VerifierKey>,
}

/// Runs the command.
pub(super) async fn run(command: Command, environment: &Environment, hardened: Hardened) -> anyhow::Result<()> {
    match command {
        Command::Init(Init { dir, name }) => print(&witness::make(&dir, &name, &Entropy::system())?.to_string()),
        Command::Add(Add { dir, log }) => Ok(witness::add(&dir, log.name())?),
        Command::Serve(Serve { dir, listen, logs }) => {
            let settings = Settings::defaults().environment(environment);
            telemetry::install(Draft::parse(&settings, Mode::Serve, &mut Vec::new()).log())?;
            hardened.report();
            let shutdown = Shutdown::listen()?;
            let listener = bind(listen, "--listen")?;
            let ready = |key: &_| tracing::info!(event = "witness.started", %listen, vkey = %key);
            Ok(witness::serve(&dir, &logs, listener, Clock::system(), ready, shutdown.requested()).await?)
        }
    }
}

/// Every witness that was asked, and every one of the configuration that was not, a line each on stdout. Fields are parted by tabs, so
/// that scripts can cut them.
pub(super) async fn list(place: Place, environment: &Environment) -> anyhow::Result<()> {
    let opened = place.open(environment).await?;
    let configured: Option<Vec<String>> = match &opened.found_in {
        FoundIn::Settings(draft) => {
            draft.witness_policy().map(|policy| policy.witnesses().map(|witness| witness.key.short()).collect())
        }
        FoundIn::DataDir(_) => None,
    };
    let states = ledger::witness_states(&opened.db).await;
    opened.close().await?;
    let (states, newest) = states?;
    let known: Vec<&str> = states.iter().map(|state| state.witness.as_str()).collect();
    let mut lines =
        states.iter().map(|state| line(state, newest, configured.as_deref())).collect::<Result<Vec<_>, _>>()?;
    let unasked = configured.iter().flatten().filter(|name| !known.contains(&name.as_str()));
    lines.extend(unasked.map(|name| format!("{name}\tnever\t\t\tnot asked yet")));
    if lines.is_empty() {
        eprintln!("no witness is configured (witness.policy_file), and none was ever asked");
    }
    lines.iter().try_for_each(|line| print(line))
}

fn line(state: &WitnessState, newest: Option<u64>, configured: Option<&[String]>) -> anyhow::Result<String> {
    let (size, at, behind) = match state.cosigned {
        Some((_, size, at)) => {
            let behind = newest.map_or(0, |newest| newest.saturating_sub(size));
            (size.to_string(), at.format(&Rfc3339)?, format!("{behind} behind"))
        }
        None => ("never".to_owned(), String::new(), String::new()),
    };
    let fault = match &state.fault {
        Some((fault, at)) => format!("{fault} ({} times, last {})", state.failures, at.format(&Rfc3339)?),
        None if configured.is_some_and(|names| !names.contains(&state.witness)) => {
            format!("not in witness.policy_file; asked last {}", state.asked_at.format(&Rfc3339)?)
        }
        None => "ok".to_owned(),
    };
    Ok(format!("{}\t{size}\t{at}\t{behind}\t{fault}", state.witness))
}
