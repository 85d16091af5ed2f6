//! `bailiwickd kek`: the key that wraps all others, and what it wraps.
//!
//! Everything here works beside running servers, can be interrupted, and is begun again by the same command.

use std::path::PathBuf;

use anyhow::bail;
use bailiwick_proof::id::WorkspaceId;
use bailiwick_server::authz::Notary;
use bailiwick_server::authz::vouched::standing;
use bailiwick_server::clock::Clock;
use bailiwick_server::config::{Environment, KekKeeper};
use bailiwick_server::db::Db;
use bailiwick_server::entropy::Entropy;
use bailiwick_server::vault::{LocalFile, Owner, Resealed, Rewrapped, Status, Vault};
use clap::{Args, Subcommand, ValueEnum};
use time::format_description::well_known::Rfc3339;

use super::cell::Places;
use super::print;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a file with a new KEK; never over another
    Make(Make),
    /// Show which KEK wraps how many data keys, and how old the oldest is
    Status(Of),
    /// Have the KEK's keeper make another version, and wrap everything under it
    Rotate(Of),
    /// Wrap everything under the KEK of another keeper; both have to be configured
    Migrate(Migrate),
    /// Give a workspace, or everybody, new data keys, and seal anew what the older ones sealed
    Reseal(Reseal),
}

#[derive(Debug, Args)]
pub(super) struct Make {
    /// Where to; readable by its owner alone
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct Of {
    #[command(flatten)]
    places: Places,
}

#[derive(Debug, Args)]
pub(super) struct Migrate {
    /// Who keeps the KEK from now on; set vault.kek to the same on every node first
    #[arg(long, value_name = "KEEPER")]
    to: Keeper,
    #[command(flatten)]
    places: Places,
}

#[derive(Debug, Args)]
pub(super) struct Reseal {
    /// Whose: a workspace's id
    #[arg(long, value_name = "ID", required_unless_present = "all")]
    workspace: Option<WorkspaceId>,
    /// Everybody's, the cell's own included
    #[arg(long, conflicts_with = "workspace")]
    all: bool,
    #[command(flatten)]
    places: Places,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Keeper {
    Local,
    Transit,
}

/// Runs the command.
pub(super) async fn run(command: Command, environment: &Environment) -> anyhow::Result<()> {
    let (places, keeper, what) = match command {
        Command::Make(Make { file }) => {
            LocalFile::make(&file, &Entropy::system(), false)?;
            eprintln!(
                "Made {}. Keep a copy where the database's backups are not: without it nothing opens.",
                file.display()
            );
            return Ok(());
        }
        Command::Status(Of { places }) => (places, None, What::Status),
        Command::Rotate(Of { places }) => (places, None, What::Rotate),
        Command::Migrate(Migrate { to, places }) => (places, Some(to.into()), What::Rewrap),
        Command::Reseal(Reseal { workspace, places, .. }) => {
            (places, None, What::Reseal(workspace.map(Owner::Workspace)))
        }
    };
    let cell = places.open(environment).await?;
    let done = async { what.carry_out(cell.db(), &cell.vault(keeper).await?).await }.await;
    cell.close().await?;
    done
}

impl From<Keeper> for KekKeeper {
    fn from(keeper: Keeper) -> Self {
        match keeper {
            Keeper::Local => Self::Local,
            Keeper::Transit => Self::Transit,
        }
    }
}

/// What is done with the vault.
enum What {
    Status,
    Rotate,
    Rewrap,
    Reseal(Option<Owner>),
}

impl What {
    async fn carry_out(self, db: &Db, vault: &Vault) -> anyhow::Result<()> {
        match self {
            Self::Status => tell(&vault.status().await?),
            Self::Rotate => {
                let version = vault.rotate_kek().await?;
                eprintln!("Version {version} wraps from now on.");
                rewrap(vault).await
            }
            Self::Rewrap => rewrap(vault).await,
            Self::Reseal(Some(owner)) if !vault.knows(owner).await? => bail!("there is no such workspace"),
            Self::Reseal(Some(owner)) => reseal(vault, &[owner]).await,
            Self::Reseal(None) => {
                reseal(vault, &vault.everybody().await?).await?;
                let rows = standing::vouch_anew(db, &Notary::open(vault).await?, Clock::system().now()).await?;
                eprintln!("{rows} rows that grant something were vouched for anew.");
                Ok(())
            }
        }
    }
}

async fn rewrap(vault: &Vault) -> anyhow::Result<()> {
    let Rewrapped { done, refused } = vault.rewrap(|done| eprintln!("{done} data keys wrapped anew")).await?;
    eprintln!("{done} data keys were wrapped anew.");
    for (owner, version, why) in &refused {
        eprintln!("The data key of {owner}, version {version}, was not: {why}");
    }
    tell(&vault.status().await?)?;
    if refused.is_empty() {
        Ok(())
    } else {
        bail!("{} data keys do not unwrap; see docs/runbooks/kek-lost.md", refused.len())
    }
}

async fn reseal(vault: &Vault, owners: &[Owner]) -> anyhow::Result<()> {
    let mut all = Resealed::default();
    for owner in owners {
        vault.renew(*owner).await?;
        let of = owner.uuid();
        let Resealed { done, refused, erased } =
            vault.reseal(*owner, |done| eprintln!("{of}: {done} values sealed anew")).await?;
        all = Resealed { done: all.done + done, refused: all.refused + refused, erased: all.erased + erased };
    }
    print(&format!("{} values were sealed anew; {} of erased people were left", all.done, all.erased))?;
    if all.refused == 0 {
        Ok(())
    } else {
        bail!("{} values do not open; see docs/runbooks/forged-row-found.md", all.refused)
    }
}

/// What wraps what, on stdout.
fn tell(status: &Status) -> anyhow::Result<()> {
    for (kek, version, count) in &status.wraps {
        let now = *kek == status.chosen && *version == status.version;
        print(&format!("{kek} version {version}: {count} data keys{}", if now { ", wraps now" } else { "" }))?;
    }
    let oldest = status.oldest.and_then(|at| at.format(&Rfc3339).ok()).unwrap_or_else(|| "none".to_owned());
    print(&format!("oldest data key that seals: {oldest}; most uses of one: {}", status.uses))?;
    print(&match status.left_behind() {
        0 => "nothing is under another key or an older version".to_owned(),
        left => format!(
            "{left} data keys are under another key or an older version: bailiwickd kek rotate or migrate wraps them anew"
        ),
    })
}
