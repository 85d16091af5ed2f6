//! The operator's own store: every log in it, each object once, and enough to verify a log by.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bailiwick_proof::checkpoint::SignedCheckpoint;
use bailiwick_proof::environment::Environment;
use bailiwick_proof::log::Log;
use bailiwick_server::anchor::AnchorStore;
use bailiwick_server::audit::Publisher;
use bailiwick_server::clock::Clock;
use bailiwick_server::config::AnchorPlace;
use bailiwick_server::entropy::Entropy;
use bailiwick_server::vault::Alerts;

use super::Acme;
use crate::cli::Home;
use crate::harness::bucket::{Behaviour, ObjectStore};

impl Acme {
    /// A node that publishes there, with a clock so far ahead; it remembers nothing.
    async fn publisher(&self, place: &AnchorPlace, ahead: time::Duration, alerts: Alerts) -> Publisher {
        let (ledger, system) = (self.ledger(ahead).await, Clock::system());
        let store = AnchorStore::at(place, &Entropy::system()).unwrap();
        Publisher::new(self.app.db.clone(), ledger, Clock::from_fn(move || system.now() + ahead), alerts, Some(store))
    }

    async fn record_some(&self, count: usize) {
        self.record_all((0..count).map(|n| format!("door-{n}"))).await;
        assert_eq!(self.checkpoint().await.status, 200);
    }

    async fn checkpoint(&self) -> crate::harness::app::Answer {
        let path = format!("/v1/workspaces/{}/audit/checkpoint", self.workspace);
        self.app.get(&path).bearer(&self.person.access_token).send().await
    }

    async fn origin(&self, log: Log) -> String {
        self.ledger(time::Duration::ZERO).await.origin(log, 1).unwrap().to_string()
    }
}

/// Checks the copy of a log, by a program that has no network address to ask; answers how many entries it has.
async fn checked(folder: &Path) -> u64 {
    let run = Home::new().run(&["audit", "check", "--dir", folder.to_str().unwrap(), "-o", "json"], "").await;
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    size(folder)
}

fn size(folder: &Path) -> u64 {
    let note = std::fs::read_to_string(folder.join("checkpoint")).unwrap();
    note.parse::<SignedCheckpoint>().unwrap().unverified().size
}

/// Every object below a folder, by its path.
fn objects(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(objects(&path));
        } else if !["lock", "tmp"].iter().any(|own| path.ends_with(own)) {
            all.insert(path.clone(), std::fs::read(&path).unwrap());
        }
    }
    all
}

#[tokio::test]
async fn every_log_is_in_the_folder_and_verifies_from_there_alone() {
    let acme = Acme::found().await;
    let folder = tempfile::tempdir().unwrap();
    let (place, root) = (AnchorPlace::Folder(folder.path().to_owned()), folder.path());
    let publisher = acme.publisher(&place, time::Duration::ZERO, Alerts::default()).await;
    acme.record_some(300).await;
    assert!(publisher.publish().await.unwrap() >= 2, "the workspace's log and the cell's");
    let live = root.join(acme.origin(acme.live()).await);
    let before = checked(&live).await;
    assert!(before >= 301, "{before}");
    let test = Log::Workspace { workspace: acme.workspace.parse().unwrap(), environment: Environment::Test };
    let (test, cell) = (root.join(acme.origin(test).await), root.join(acme.origin(Log::Cell).await));
    assert!(!test.exists(), "nothing happened in test");
    assert!(checked(&cell).await > 0, "the cell's own log");
    for bytes in objects(root).values() {
        assert!(!String::from_utf8_lossy(bytes).contains("door-7"), "nothing opens that is in the store");
    }

    // Whoever remembers nothing looks, and writes nothing twice.
    let all = objects(root);
    publisher.publish().await.unwrap();
    acme.publisher(&place, time::Duration::ZERO, Alerts::default()).await.publish().await.unwrap();
    assert_eq!(objects(root), all);

    // A few entries wait for their hour, a tile of them does not.
    acme.record_some(3).await;
    publisher.publish().await.unwrap();
    assert_eq!(size(&live), before);
    acme.record_some(253).await;
    publisher.publish().await.unwrap();
    assert_eq!(checked(&live).await, before + 256);
    acme.record_some(3).await;
    publisher.publish().await.unwrap();
    assert_eq!(size(&live), before + 256);
    let later = acme.publisher(&place, time::Duration::hours(1), Alerts::default()).await;
    later.publish().await.unwrap();
    assert_eq!(checked(&live).await, before + 259);
    for (path, bytes) in all.iter().filter(|(path, _)| !path.ends_with("checkpoint")) {
        assert_eq!(std::fs::read(path).unwrap(), *bytes, "{}: never written over", path.display());
    }
}

/// Cut off anywhere, by two at once, and by a store that loses its answers: each object is written once.
#[tokio::test]
async fn whoever_is_cut_off_is_made_up_for() {
    let acme = Acme::found().await;
    let store = ObjectStore::start().await;
    let place = store.place("published/logs");
    acme.record_some(600).await;
    store.behave(Behaviour::Slow);
    for round in 1..8 {
        let publisher = acme.publisher(&place, time::Duration::ZERO, Alerts::default()).await;
        let _cut = tokio::time::timeout(Duration::from_millis(round * 45), publisher.publish()).await;
    }
    let [one, other] = [
        acme.publisher(&place, time::Duration::ZERO, Alerts::default()).await,
        acme.publisher(&place, time::Duration::ZERO, Alerts::default()).await,
    ];
    let (first, second) = tokio::join!(one.publish(), other.publish());
    assert!(first.is_ok() && second.is_ok());
    store.behave(Behaviour::LosingAnAnswer);
    acme.record_some(300).await;
    one.publish().await.unwrap();
    one.publish().await.unwrap();
    let live = store.folder().join("published/logs").join(acme.origin(acme.live()).await);
    assert!(checked(&live).await >= 900);
    let mut tiles = store.written();
    tiles.retain(|name| name.contains("/tile/"));
    let count = tiles.len();
    tiles.sort_unstable();
    tiles.dedup();
    assert!(count > 8 && tiles.len() == count, "{tiles:?}");
}

#[tokio::test]
async fn a_store_that_is_away_delays_nothing_and_is_shown() {
    let acme = Acme::found().await;
    let store = ObjectStore::start().await;
    let place = store.place("");
    let alerts = Alerts::default();
    let publisher = acme.publisher(&place, time::Duration::ZERO, alerts.clone()).await;
    store.behave(Behaviour::Away);
    for _ in 0..5 {
        assert_eq!(publisher.publish().await.unwrap(), 0);
    }
    acme.record_some(10).await;
    let told = tokio::time::timeout(Duration::from_secs(1), alerts.take()).await.unwrap();
    assert_eq!(told.iter().map(|alert| alert.what).collect::<Vec<_>>(), ["publication_away"]);

    store.behave(Behaviour::Serving);
    publisher.publish().await.unwrap();
    let (live, cell) = (acme.origin(acme.live()).await, acme.origin(Log::Cell).await);
    checked(&store.folder().join(&live)).await;

    // Something else stands under a name of one log: it stays as it is, is told, and the other logs go on.
    acme.record_some(600).await;
    let (before, tile) = (size(&store.folder().join(&cell)), store.folder().join(&live).join("tile/0/001"));
    std::fs::write(&tile, b"something else").unwrap();
    let later = acme.publisher(&place, time::Duration::hours(1), alerts.clone()).await;
    for n in 0..3 {
        acme.app.founder(&format!("n{n}@example.com"), &format!("n{n}")).await;
    }
    acme.app.numbered().await;
    later.publish().await.unwrap();
    assert_eq!(std::fs::read(&tile).unwrap(), b"something else");
    assert!(checked(&store.folder().join(&cell)).await > before);
    let told = tokio::time::timeout(Duration::from_secs(1), alerts.take()).await.unwrap();
    let [conflict] = told.as_slice() else { panic!("{told:?}") };
    assert!(conflict.what == "publication_conflict" && conflict.row.ends_with("tile/0/001"), "{conflict:?}");
}
