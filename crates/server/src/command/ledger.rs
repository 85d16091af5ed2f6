//! `bailiwickd ledger`: checks every log against everything that vouches for it.
//!
//! It works on the database of a running server as well as on that of one that has stopped.

use anyhow::Context;
use bailiwick_server::config::Environment;
use bailiwick_server::ledger::{self, LogReport, Report};
use clap::{Args, Subcommand};

use super::cell::{Cell, Places};
use super::{NotVerified, print};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Check every log against its rows, links, roots, signatures and the journal; exit 6 when one is bad
    Verify(Verify),
}

#[derive(Debug, Args)]
pub(super) struct Verify {
    /// Every log of the cell
    #[arg(long, required = true)]
    all: bool,
    #[command(flatten)]
    places: Places,
}

/// Runs the command.
pub(super) async fn run(command: Command, environment: &Environment) -> anyhow::Result<()> {
    match command {
        Command::Verify(Verify { places, .. }) => {
            let cell = places.open(environment).await?;
            let report = inspect(&cell).await;
            cell.close().await?;
            tell(&report?)
        }
    }
}

/// With the keys, if there are any; without them what entries say is not compared with what they commit to.
async fn inspect(cell: &Cell) -> anyhow::Result<Report> {
    let vault = if cell.has_keys() { Some(cell.vault(None).await?) } else { None };
    if vault.is_none() {
        eprintln!("vault.kek is not set: what is sealed is not compared with what the entries commit to.");
    }
    ledger::inspect(cell.db(), &cell.anchor_to_read()?, vault.as_ref()).await.context("cannot read the ledger")
}

/// One line for each log on stdout; fails when one is bad.
fn tell(report: &Report) -> anyhow::Result<()> {
    let width = report.logs.iter().map(|log| log.origin.len()).max().unwrap_or_default();
    for log in &report.logs {
        let origin = &log.origin;
        match log.damages.as_slice() {
            [] => print(&format!("ok   {origin:width$}  {}", sound(log)))?,
            damages => {
                for damage in damages {
                    let seq = damage.seq.map_or_else(|| "unknown".to_owned(), |seq| seq.to_string());
                    print(&format!("BAD  {origin:width$}  first bad seq {seq}: {}", damage.what))?;
                }
            }
        }
    }
    if let Some(fault) = &report.journal_fault {
        print(&format!("BAD  the journal cannot be read: {fault}"))?;
    }
    if report.journal_is_missing {
        print("BAD  the anchor store has no journal of this cell, though checkpoints were signed")?;
    }
    if report.staged > 0 {
        eprintln!("{} staged entries are not numbered yet: nothing protects them so far.", report.staged);
    }
    if report.is_good() {
        eprintln!("{} logs are what was recorded.", report.logs.len());
        return Ok(());
    }
    Err(NotVerified("a log is not what was recorded; see docs/runbooks/ledger-mismatch.md").into())
}

fn sound(log: &LogReport) -> String {
    let (times, furthest_ms) = log.clock_went_back;
    let clock = if times == 0 {
        String::new()
    } else {
        format!("; the clock stood behind the entry before {times} times, by {furthest_ms} ms at most")
    };
    format!("{} entries, {} checkpoints{clock}", log.good, log.checkpoints)
}
