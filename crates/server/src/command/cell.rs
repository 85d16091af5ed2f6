//! What a command of the operator's needs of a cell besides its database: the anchor store, and the keys.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use bailiwick_server::anchor::AnchorStore;
use bailiwick_server::authz::Notary;
use bailiwick_server::clock::Clock;
use bailiwick_server::config::{self, AnchorPlace, Environment, KekKeeper};
use bailiwick_server::db::Db;
use bailiwick_server::entropy::Entropy;
use bailiwick_server::ledger::{self, CellFacts, Ledger};
use bailiwick_server::vault::{self, Keks, Vault};
use clap::Args;

use super::dev::{anchor_beside, kek_of};
use super::place::{FoundIn, Opened, Place};

/// A command ends long before.
const KEY_LIFETIME: Duration = Duration::from_secs(3600);

/// Where database and anchor store are.
#[derive(Debug, Args)]
pub(super) struct Places {
    #[command(flatten)]
    database: Place,
    /// The anchor store [default: the setting anchor_dir, or the folder beside the data directory]
    #[arg(long, value_name = "DIR")]
    anchor_dir: Option<PathBuf>,
}

/// What a command works on.
pub(super) struct Cell {
    pub(super) opened: Opened,
    anchor: AnchorPlace,
    /// Nothing when not enough is set to open what is sealed.
    keys: Option<config::Vault>,
}

impl Places {
    pub(super) async fn open(self, environment: &Environment) -> anyhow::Result<Cell> {
        let opened = self.database.open(environment).await?;
        let (default, keys) = match &opened.found_in {
            FoundIn::DataDir(data_dir) => {
                (Some(AnchorPlace::Folder(anchor_beside(data_dir))), Some(keys_of(data_dir, environment)))
            }
            FoundIn::Settings(draft) => (draft.anchor().cloned(), draft.vault()),
        };
        let anchor = self.anchor_dir.map(AnchorPlace::Folder).or(default);
        let anchor = anchor.context("neither anchor_dir nor anchor.s3_url is set")?;
        Ok(Cell { opened, anchor, keys })
    }
}

/// A development server's keys are in its directory; what else is set of the vault counts here as for the server.
fn keys_of(data_dir: &Path, environment: &Environment) -> config::Vault {
    let mut settings = config::Vault::of_environment(environment);
    settings.kek_file = Some(kek_of(data_dir));
    settings
}

impl Cell {
    pub(super) fn db(&self) -> &Db {
        &self.opened.db
    }

    /// How keys are kept.
    pub(super) fn keys(&self) -> anyhow::Result<&config::Vault> {
        self.keys.as_ref().context("vault.kek is not set, or not all that its keeper needs: it opens what is sealed")
    }

    /// Whether what is sealed can be opened here.
    pub(super) const fn has_keys(&self) -> bool {
        self.keys.is_some()
    }

    pub(super) async fn facts(&self) -> anyhow::Result<CellFacts> {
        Ok(ledger::establish(self.db(), &Clock::system(), &Entropy::system(), None, "").await?)
    }

    pub(super) async fn anchor(&self) -> anyhow::Result<AnchorStore> {
        Ok(AnchorStore::open(&self.anchor, &Entropy::system()).await?)
    }

    /// The anchor store as it is, made by nobody and written by nobody.
    pub(super) fn anchor_to_read(&self) -> anyhow::Result<AnchorStore> {
        Ok(AnchorStore::at(&self.anchor, &Entropy::system())?)
    }

    /// The vault, with the keeper that is set as the one that wraps, or another.
    pub(super) async fn vault(&self, keeper: Option<KekKeeper>) -> anyhow::Result<Vault> {
        let (settings, clock, entropy) = (self.keys()?, Clock::system(), Entropy::system());
        let parts = vault::Parts {
            db: self.db().clone(),
            keks: Keks::configured(settings, keeper.unwrap_or(settings.keeper), &entropy)?,
            anchor: self.anchor().await?,
            cell: self.facts().await?.id,
            lifetime: KEY_LIFETIME,
            clock,
            entropy,
        };
        Ok(Vault::open(parts).await?)
    }

    /// Whoever vouches for rows that grant something.
    pub(super) async fn notary(&self) -> anyhow::Result<Notary> {
        Ok(Notary::open(&self.vault(None).await?).await?)
    }

    /// The ledger, with the vault.
    pub(super) async fn ledger(&self, vault: Vault) -> anyhow::Result<Ledger> {
        Ok(Ledger::open(self.parts(vault).await?).await?)
    }

    /// The ledger beside a database that may be behind it.
    pub(super) async fn ledger_after_restore(&self, vault: Vault) -> anyhow::Result<Ledger> {
        Ok(Ledger::open_after_restore(self.parts(vault).await?).await?)
    }

    async fn parts(&self, vault: Vault) -> anyhow::Result<ledger::Parts> {
        Ok(ledger::Parts {
            db: self.db().clone(),
            vault,
            clock: Clock::system(),
            entropy: Entropy::system(),
            anchor: self.anchor().await?,
            facts: self.facts().await?,
        })
    }

    pub(super) async fn close(self) -> anyhow::Result<()> {
        self.opened.close().await
    }
}
