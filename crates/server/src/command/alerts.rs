//! `bailiwickd alerts`: what was found that should not be.

use bailiwick_server::alerts::{self, AlertView};
use bailiwick_server::clock::Clock;
use bailiwick_server::config::Environment;
use bailiwick_server::entropy::Entropy;
use clap::{Args, Subcommand};
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use super::place::Place;
use super::print;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List findings, the newest first: id, what, of what, workspace, row, how often, first and last seen, resolved
    List(List),
    /// Say that somebody has seen to a finding; it is open again when it is found again
    Resolve(Resolve),
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// Those that are resolved too
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Args)]
pub(super) struct Resolve {
    /// The finding's id
    #[arg(value_name = "ID", required_unless_present = "all")]
    id: Option<Uuid>,
    /// All that are open
    #[arg(long, conflicts_with = "id")]
    all: bool,
    #[command(flatten)]
    place: Place,
}

/// Runs the command.
pub(super) async fn run(command: Command, environment: &Environment) -> anyhow::Result<()> {
    match command {
        Command::List(List { all, place }) => {
            let opened = place.open(environment).await?;
            let found = alerts::list(&opened.db, all).await;
            opened.close().await?;
            let found = found?;
            if found.is_empty() {
                eprintln!("nothing was found that should not be");
            }
            found.iter().try_for_each(|alert| print(&line(alert)?))
        }
        Command::Resolve(Resolve { id, all: _, place }) => {
            let opened = place.open(environment).await?;
            let resolved = alerts::resolve(&opened.db, &Clock::system(), &Entropy::system(), id).await;
            opened.close().await?;
            match resolved? {
                0 => anyhow::bail!("no such finding is open"),
                count => eprintln!("{count} resolved"),
            }
            Ok(())
        }
    }
}

/// Fields are parted by tabs, so that scripts can cut them.
fn line(alert: &AlertView) -> anyhow::Result<String> {
    let AlertView { id, what, of, workspace, row, first_seen_at, last_seen_at, seen, resolved_at } = alert;
    let workspace = workspace.map_or_else(|| "-".to_owned(), |workspace| workspace.to_string());
    let (first, last) = (first_seen_at.format(&Rfc3339)?, last_seen_at.format(&Rfc3339)?);
    let resolved = resolved_at.map(|at| at.format(&Rfc3339)).transpose()?.unwrap_or_else(|| "-".to_owned());
    Ok(format!("{id}\t{what}\t{of}\t{workspace}\t{row}\t{seen}\t{first}\t{last}\t{resolved}"))
}
