//! `bailiwickd schema`: whether policies, triggers and the rest of the schema are what they were.

use bailiwick_server::clock::Clock;
use bailiwick_server::config::Environment;
use bailiwick_server::entropy::Entropy;
use bailiwick_server::schema_watch::{SchemaWatch, Standing};
use bailiwick_server::vault::Alerts;
use clap::{Args, Subcommand};

use super::cell::{Cell, Places};
use super::{NotVerified, print};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Compare the schema with what was recorded in the anchor store; exit 6 when it differs
    Status(Of),
    /// Take the schema as it is from now on: after a change of your own, with an entry in the cell's log
    Accept(Of),
}

#[derive(Debug, Args)]
pub(super) struct Of {
    #[command(flatten)]
    places: Places,
}

/// Runs the command.
pub(super) async fn run(command: Command, environment: &Environment) -> anyhow::Result<()> {
    match command {
        Command::Status(Of { places }) => {
            let cell = places.open(environment).await?;
            let compared = status(&cell).await;
            cell.close().await?;
            compared
        }
        Command::Accept(Of { places }) => {
            let cell = places.open(environment).await?;
            let accepted = accept(&cell).await;
            cell.close().await?;
            accepted
        }
    }
}

async fn watch(cell: &Cell) -> anyhow::Result<SchemaWatch> {
    // What a command finds it prints; the servers write down what they find themselves.
    Ok(SchemaWatch::new(cell.db().clone(), cell.anchor().await?, cell.facts().await?.id, Alerts::default()))
}

async fn status(cell: &Cell) -> anyhow::Result<()> {
    match watch(cell).await?.look().await? {
        Standing::Same => eprintln!("the schema is as it was recorded"),
        Standing::First => eprintln!("the schema is recorded from now on"),
        Standing::Differs(parts) => {
            parts.iter().try_for_each(|part| print(part))?;
            return Err(NotVerified("the schema is not what was recorded; see docs/runbooks/schema-altered.md").into());
        }
        Standing::Behind => return Err(NotVerified("the database was migrated by a newer bailiwickd").into()),
    }
    Ok(())
}

async fn accept(cell: &Cell) -> anyhow::Result<()> {
    let parts = watch(cell).await?.accept(&Clock::system(), &Entropy::system()).await?;
    if parts.is_empty() {
        eprintln!("the schema is as it was recorded: there is nothing to accept");
    }
    parts.iter().try_for_each(|part| print(part))
}
