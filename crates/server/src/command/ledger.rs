//! `bailiwickd ledger`: checks every log against everything that vouches for it.
//!
//! It works on the database of a running server as well as on that of one that has stopped.

use anyhow::Context;
use bailiwick_proof::id::WorkspaceId;
use bailiwick_server::anchor::Freeze;
use bailiwick_server::config::Environment;
use bailiwick_server::ledger::{self, LogReport, Report, Sanction, Unfrozen};
use clap::{Args, Subcommand};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::cell::{Cell, Places};
use super::place::Place;
use super::{NotVerified, print};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Check every log against its rows, links, roots, signatures and the journal; exit 6 when one is bad
    Verify(Verify),
    /// List the workspaces whose logs are not signed since a check found one altered: workspace, since when, log, what
    Frozen(Frozen),
    /// After a restore that was meant: close what it left of each log, and begin the next generation
    NewGeneration(NewGeneration),
    /// Have the logs of a workspace signed again, if a check finds none altered; exit 6 when it does
    Unfreeze(Unfreeze),
    /// List the witnesses of the cell's log: key, size and time of what they cosigned last, how far that is behind, the last fault
    Witnesses(Witnesses),
}

#[derive(Debug, Args)]
pub(super) struct Witnesses {
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Args)]
pub(super) struct NewGeneration {
    /// Do it; without, it is only said what would be done
    #[arg(long, requires = "reason")]
    confirm: bool,
    /// Why the database is older than what was signed, in a sentence; it stands in each of the logs
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    reason: Option<String>,
    /// Also where what is left has another history than the one that was signed; it stands in the log
    #[arg(long, requires = "confirm")]
    forked: bool,
    #[command(flatten)]
    places: Places,
}

#[derive(Debug, Args)]
pub(super) struct Frozen {
    #[command(flatten)]
    places: Places,
}

#[derive(Debug, Args)]
pub(super) struct Unfreeze {
    /// The workspace's id
    #[arg(value_name = "WORKSPACE", required_unless_present = "cell")]
    workspace: Option<WorkspaceId>,
    /// The installation's own log
    #[arg(long, conflicts_with = "workspace")]
    cell: bool,
    #[command(flatten)]
    places: Places,
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
        Command::Witnesses(Witnesses { place }) => super::witness::list(place, environment).await,
        Command::Verify(Verify { places, .. }) => {
            let cell = places.open(environment).await?;
            let report = inspect(&cell).await;
            cell.close().await?;
            tell(&report?)
        }
        Command::Frozen(Frozen { places }) => {
            let cell = places.open(environment).await?;
            let frozen = ledger::frozen(&cell.ledger(cell.vault(None).await?).await?).await;
            cell.close().await?;
            let frozen = frozen.context("cannot read the anchor store")?;
            if frozen.is_empty() {
                eprintln!("no log is frozen");
            }
            frozen.values().try_for_each(|freeze| print(&line(freeze)?))
        }
        Command::NewGeneration(NewGeneration { confirm, reason, forked: is_forked, places }) => {
            let cell = places.open(environment).await?;
            let reason = reason.as_deref().filter(|_| confirm);
            let done = new_generation(&cell, reason.map(|reason| Sanction { reason, is_forked })).await;
            cell.close().await?;
            done
        }
        Command::Unfreeze(Unfreeze { workspace, places, .. }) => {
            let cell = places.open(environment).await?;
            let of = workspace.map(|id| id.uuid()).unwrap_or_default();
            let done = ledger::unfreeze(&cell.ledger(cell.vault(None).await?).await?, of).await;
            cell.close().await?;
            match done.context("cannot check the logs")? {
                Unfrozen::Done => eprintln!("the logs are what was recorded, and are signed again"),
                Unfrozen::WasNot => anyhow::bail!("its logs are not frozen"),
                Unfrozen::StillAltered(logs) => return tell(&Report { logs, ..Report::default() }),
            }
            Ok(())
        }
    }
}

/// Begins the next generation of each log that lost entries; without a sanction it only says which those are.
async fn new_generation(cell: &Cell, sanction: Option<Sanction<'_>>) -> anyhow::Result<()> {
    let ledger = cell.ledger_after_restore(cell.vault(None).await?).await?;
    let all = ledger::lost(&ledger).await?;
    if all.is_empty() {
        eprintln!("no log is behind what was signed of it: nothing is to be done");
        return Ok(());
    }
    for lost in &all {
        let (generation, size) = lost.database;
        let left = if lost.is_begun {
            "its next generation is begun, and not signed yet".to_owned()
        } else {
            format!("the database has {size} of generation {generation}")
        };
        print(&format!("{}\tsigned at {}\t{left}", lost.origin, lost.journal.size))?;
    }
    let Some(sanction) = sanction else {
        eprintln!(
            "Nothing was changed. Entries between the two sizes are lost for good once these logs go on: look for a newer \
             copy of the database first. Then stop every node, and say --confirm --reason TEXT."
        );
        return Ok(());
    };
    for lost in &all {
        let opened = ledger::open_generation(&ledger, lost, sanction).await.with_context(|| lost.origin.to_string())?;
        eprintln!("{opened} is begun");
    }
    Ok(())
}

fn reason(text: &str) -> Result<String, String> {
    if (1..=500).contains(&text.len()) && !text.chars().any(char::is_control) {
        Ok(text.to_owned())
    } else {
        Err("a sentence of 500 bytes at most, without control characters".to_owned())
    }
}

/// Fields are parted by tabs, so that scripts can cut them.
fn line(freeze: &Freeze) -> anyhow::Result<String> {
    let Freeze { workspace, at, origin, what } = freeze;
    let of = if workspace.is_nil() { "-".to_owned() } else { WorkspaceId::from_uuid(*workspace).to_string() };
    let since = OffsetDateTime::from_unix_timestamp_nanos(i128::from(*at) * 1_000_000)?.format(&Rfc3339)?;
    Ok(format!("{of}\t{since}\t{origin}\t{what}"))
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
    let pruned = match log.pruned {
        0 => String::new(),
        pruned => format!(", of which those below {pruned} were pruned by retention"),
    };
    format!("{} entries{pruned}, {} checkpoints{clock}", log.good, log.checkpoints)
}
