//! Who keeps the KEK of a test's cell, and vaults of that cell.

use std::time::Duration;

use bailiwick_proof::id::WorkspaceId;
use bailiwick_server::clock::Clock;
use bailiwick_server::config::{self, KekKeeper, Pooler};
use bailiwick_server::db::Db;
use bailiwick_server::entropy::Entropy;
use bailiwick_server::vault::{Alert, Keks, Owner, Parts, Vault, VaultError};
use secrecy::ExposeSecret as _;
use serde_json::Value;
use uuid::Uuid;

use crate::harness::bao::Bao;
use crate::harness::cluster::TestDatabase;
use crate::harness::vault::{parts, settings};

/// Longer than any test.
pub const LONG: Duration = Duration::from_secs(3600);
const KEY: &str = "bailiwick";

/// A keeper.
pub enum Keeper {
    Local,
    Transit(Box<Bao>, config::Transit),
}

/// Both.
pub async fn both() -> [Keeper; 2] {
    [Keeper::Local, Keeper::transit().await]
}

impl Keeper {
    pub async fn transit() -> Self {
        let bao = Bao::start().await;
        let key = bao.key(KEY).await;
        Self::Transit(Box::new(bao), key)
    }

    /// For what a failed assertion says.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Transit(..) => "transit",
        }
    }

    /// How a server on this database has its keys kept.
    pub fn settings(&self, database: &TestDatabase) -> config::Vault {
        let local = settings(&database.kek_file);
        match self {
            Self::Local => local,
            Self::Transit(_, key) => {
                config::Vault { keeper: KekKeeper::Transit, kek_file: None, transit: Some(key.clone()), ..local }
            }
        }
    }

    /// From here on nothing unwraps that an older version wrapped.
    pub async fn forget_versions_before(&self, database: &TestDatabase, version: u32) {
        match self {
            Self::Transit(bao, key) => bao.forget_versions_before(&key.key, version).await,
            Self::Local => {
                let mut file: Value = serde_json::from_slice(&std::fs::read(&database.kek_file).unwrap()).unwrap();
                file["keys"].as_array_mut().unwrap().retain(|key| key["version"].as_u64().unwrap() >= version.into());
                std::fs::write(&database.kek_file, file.to_string()).unwrap();
            }
        }
    }

    pub async fn go_away(&self, database: &TestDatabase) {
        match self {
            Self::Transit(bao, _) => bao.go_away().await,
            Self::Local => std::fs::rename(&database.kek_file, database.kek_file.with_extension("away")).unwrap(),
        }
    }

    pub async fn come_back(&self, database: &TestDatabase) {
        match self {
            Self::Transit(bao, _) => bao.come_back().await,
            Self::Local => std::fs::rename(database.kek_file.with_extension("away"), &database.kek_file).unwrap(),
        }
    }

    /// Its credential is taken back, if it has one.
    pub async fn revoke(&self) {
        if let Self::Transit(bao, key) = self {
            bao.revoke(key.token.expose_secret()).await;
        }
    }
}

/// A cell without a server.
pub struct Cell {
    pub database: TestDatabase,
    pub db: Db,
    pub settings: config::Vault,
}

impl Cell {
    pub async fn by(keeper: &Keeper) -> Self {
        Self::on(TestDatabase::create().await, keeper)
    }

    pub fn on(database: TestDatabase, keeper: &Keeper) -> Self {
        let db = Db::connect(&database.urls.runtime, &database.urls.system, 10, Pooler::None).unwrap();
        let settings = keeper.settings(&database);
        Self { database, db, settings }
    }

    pub async fn parts(&self, lifetime: Duration) -> Parts {
        let keks = Keks::configured(&self.settings, self.settings.keeper, &Entropy::system()).unwrap();
        Parts { keks, lifetime, ..parts(&self.database, &self.db).await }
    }

    /// A process that remembers keys for so long.
    pub async fn try_vault(&self, lifetime: Duration) -> Result<Vault, VaultError> {
        Vault::open(self.parts(lifetime).await).await
    }

    pub async fn vault(&self, lifetime: Duration) -> Vault {
        self.try_vault(lifetime).await.unwrap()
    }

    /// A process whose clock is that much ahead.
    pub async fn vault_ahead(&self, by: time::Duration) -> Vault {
        let clock = Clock::from_fn(move || Clock::system().now() + by);
        Vault::open(Parts { clock, ..self.parts(LONG).await }).await.unwrap()
    }
}

/// Some workspace.
pub fn workspace(number: u128) -> Owner {
    Owner::Workspace(WorkspaceId::from_uuid(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + number)))
}

/// What was raised and nobody has taken yet.
pub async fn alerts(vault: &Vault) -> Vec<Alert> {
    tokio::time::timeout(Duration::from_millis(20), vault.alerts().take()).await.unwrap_or_default()
}
