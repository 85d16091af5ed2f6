//! The vault of a test's cell, beside that of its servers: with the same keys.

use std::path::Path;
use std::time::Duration;

use bailiwick_server::anchor::AnchorStore;
use bailiwick_server::clock::Clock;
use bailiwick_server::config::{self, AnchorPlace, KekKeeper, Pooler};
use bailiwick_server::db::{Db, embedded};
use bailiwick_server::entropy::Entropy;
use bailiwick_server::ledger::{self, Ledger};
use bailiwick_server::vault::{Keks, LocalFile, Parts, Vault};

use super::cluster::TestDatabase;
use super::ledger::anchor_of;
use super::process::DevHome;

/// A new file with a KEK.
pub fn make_kek(path: &Path) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    LocalFile::make(path, &Entropy::system(), false).unwrap();
}

/// How a server keeps its keys by this file.
pub fn settings(kek_file: &Path) -> config::Vault {
    config::Vault {
        keeper: KekKeeper::Local,
        kek_file: Some(kek_file.to_path_buf()),
        transit: None,
        key_lifetime: Duration::from_secs(300),
    }
}

/// What a vault of this cell is put together from.
pub async fn parts(database: &TestDatabase, db: &Db) -> Parts {
    let (clock, entropy) = (Clock::system(), Entropy::system());
    let settings = settings(&database.kek_file);
    Parts {
        db: db.clone(),
        keks: Keks::configured(&settings, settings.keeper, &entropy).unwrap(),
        anchor: AnchorStore::open(&database.anchor(), &Entropy::system()).await.unwrap(),
        cell: ledger::establish(db, &clock, &entropy, None, "test").await.unwrap().id,
        lifetime: settings.key_lifetime,
        clock,
        entropy,
    }
}

/// A vault of this cell.
pub async fn vault(database: &TestDatabase, db: &Db) -> Vault {
    Vault::open(parts(database, db).await).await.unwrap()
}

/// A ledger of this cell.
pub async fn ledger(database: &TestDatabase, db: &Db) -> Result<Ledger, ledger::LedgerError> {
    let (clock, entropy) = (Clock::system(), Entropy::system());
    let facts = ledger::establish(db, &clock, &entropy, None, "test").await.unwrap();
    let anchor = AnchorStore::open(&database.anchor(), &Entropy::system()).await.unwrap();
    let vault = vault(database, db).await;
    Ledger::open(ledger::Parts { db: db.clone(), vault, clock, entropy, anchor, facts }).await
}

/// A vault beside that of a running `bailiwickd dev`.
pub async fn vault_of(home: &DevHome) -> Vault {
    let urls = embedded::urls_of_running(&home.dir).unwrap();
    let db = Db::connect(&urls.runtime, &urls.system, 2, Pooler::None).unwrap();
    let (clock, entropy) = (Clock::system(), Entropy::system());
    let settings = settings(&home.dir.join("secrets/kek.json"));
    let parts = Parts {
        keks: Keks::configured(&settings, settings.keeper, &entropy).unwrap(),
        anchor: AnchorStore::open(&AnchorPlace::Folder(anchor_of(home)), &Entropy::system()).await.unwrap(),
        cell: ledger::establish(&db, &clock, &entropy, None, "test").await.unwrap().id,
        lifetime: settings.key_lifetime,
        db,
        clock,
        entropy,
    };
    Vault::open(parts).await.unwrap()
}
