//! `bailiwickd erase`: what cannot be read again by anybody, whatever backup is put back.

use anyhow::bail;
use bailiwick_proof::id::WorkspaceId;
use bailiwick_server::authz::Notary;
use bailiwick_server::clock::Clock;
use bailiwick_server::config::Environment;
use bailiwick_server::entropy::Entropy;
use bailiwick_server::erasure::{Erased, Eraser};
use clap::{Args, Subcommand};

use super::cell::{Cell, Places};
use super::print;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make what a workspace's audit logs say of a subject unreadable for good
    Subject(Subject),
    /// Make everything that is sealed for a workspace unreadable for good: its logs' contents, its secrets
    Workspace(Workspace),
}

#[derive(Debug, Args)]
pub(super) struct Subject {
    /// The actor or target, as its entries name it
    subject: String,
    /// Whose logs: a workspace's id
    #[arg(long, value_name = "ID")]
    workspace: WorkspaceId,
    /// The subject once more: there is no way back
    #[arg(long, value_name = "SUBJECT")]
    confirm: String,
    #[command(flatten)]
    places: Places,
}

#[derive(Debug, Args)]
pub(super) struct Workspace {
    /// The workspace's id
    workspace: WorkspaceId,
    /// The id once more: there is no way back
    #[arg(long, value_name = "ID")]
    confirm: WorkspaceId,
    #[command(flatten)]
    places: Places,
}

/// Runs the command.
pub(super) async fn run(command: Command, environment: &Environment) -> anyhow::Result<()> {
    match command {
        Command::Subject(Subject { subject, workspace, confirm, places }) => {
            if subject != confirm {
                bail!("--confirm is not the subject: nothing was erased");
            }
            let cell = places.open(environment).await?;
            let erased =
                async { Ok::<_, anyhow::Error>(eraser(&cell).await?.subject(workspace, &subject).await?) }.await;
            cell.close().await?;
            let Erased { fields, repeated } = erased?;
            if repeated > 0 {
                print(&format!(
                    "{repeated} subjects that were erased before were readable again, and are not any more"
                ))?;
            }
            print(&format!("{fields} fields were erased"))
        }
        Command::Workspace(Workspace { workspace, confirm, places }) => {
            if workspace != confirm {
                bail!("--confirm is not the workspace's id: nothing was erased");
            }
            let cell = places.open(environment).await?;
            let erased = async { Ok::<_, anyhow::Error>(eraser(&cell).await?.workspace(workspace).await?) }.await;
            let seconds = cell.keys().map_or(0, |keys| keys.key_lifetime.as_secs());
            cell.close().await?;
            erased?;
            print(&format!("{workspace} was shredded; running nodes forget its keys within {seconds} seconds"))
        }
    }
}

async fn eraser(cell: &Cell) -> anyhow::Result<Eraser> {
    let (vault, clock, entropy) = (cell.vault(None).await?, Clock::system(), Entropy::system());
    let ledger = cell.ledger(vault.clone()).await?;
    let notary = Notary::open(&vault).await?;
    Ok(Eraser { db: cell.db().clone(), notary, vault, ledger, clock, entropy })
}
