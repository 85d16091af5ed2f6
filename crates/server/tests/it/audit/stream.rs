//! The stream to a bucket of the customer's own: exactly once, and enough to rebuild and verify the log by.

mod faults;
mod killed;
mod pages;

use std::path::{Path, PathBuf};

use bailiwick_proof::tile;
use reqwest::Method;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use tlog_tiles::tlog;
use tlog_tiles::{Tile, TileHashReader, TileReader};

use crate::cli::{Home, Run};
use crate::harness::app::{Answer, Person, TestApp};
use crate::harness::bucket::ObjectStore;
use crate::harness::process::until;
use crate::harness::recorder::Recorder;

/// A workspace with its founder and a bucket.
struct World {
    app: TestApp,
    ada: Person,
    recorder: Recorder,
    store: ObjectStore,
}

/// What sets a stream to this bucket up.
fn wanted(store: &ObjectStore, prefix: &str) -> Value {
    let bucket = store.bucket(prefix);
    json!({
        "endpoint": bucket.endpoint, "region": bucket.region, "bucket": bucket.name, "prefix": bucket.prefix,
        "access_key_id": bucket.access_key_id, "secret_access_key": bucket.secret_access_key.expose_secret(),
    })
}

impl World {
    async fn found() -> Self {
        let app = TestApp::start().await;
        let recorder = Recorder::of(&app).await;
        let ada = app.sign_in("acme@example.com").await;
        Self { app, ada, recorder, store: ObjectStore::start().await }
    }

    fn path(&self) -> String {
        format!("/v1/workspaces/{}/audit/stream", self.recorder.workspace)
    }

    async fn put(&self, body: &Value) -> Answer {
        self.app.call(Method::PUT, &self.path()).json(body).bearer(&self.ada.access_token).send().await
    }

    async fn set(&self) {
        let set = self.put(&wanted(&self.store, "logs")).await;
        assert_eq!(set.status, 200, "{}", set.text);
    }

    async fn stream(&self) -> Value {
        let shown = self.app.get(&self.path()).bearer(&self.ada.access_token).send().await;
        assert_eq!(shown.status, 200, "{}", shown.text);
        shown.json()
    }

    /// Waits until the bucket has all that was recorded.
    async fn caught_up(&self, at_least: u64) -> Value {
        until(async || {
            let stream = self.stream().await;
            stream["fault"].is_null() && stream["written_size"].as_u64().unwrap() >= at_least
        })
        .await;
        self.stream().await
    }

    async fn fault(&self, code: &str) -> Value {
        until(async || self.stream().await["fault"]["code"] == code).await;
        self.stream().await
    }

    /// The folder of the log among the objects.
    async fn folder(&self) -> PathBuf {
        self.store.folder().join(self.stream().await["path"].as_str().unwrap())
    }

    async fn key(&self) -> String {
        let keys = self.recorder.keys().await;
        let key = keys.iter().find(|key| key.name().contains("/live/")).unwrap();
        key.to_string()
    }
}

/// Checks a copy of the bucket, by a program that has no network address to ask.
async fn check(folder: &Path, more: &[&str]) -> Run {
    let folder = folder.to_str().unwrap();
    Home::new().run(&[&["audit", "check", "--dir", folder, "-o", "json"], more].concat(), "").await
}

/// Reads a folder as the crate `tlog_tiles` asks for tiles.
struct Folder(PathBuf);

fn path_of(tile: &Tile) -> String {
    tile.path().replacen("tile/8/", "tile/", 1)
}

impl TileReader for Folder {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, tlog::Error> {
        Ok(tiles.iter().map(|tile| std::fs::read(self.0.join(path_of(tile))).unwrap()).collect())
    }

    fn save_tiles(&self, _: &[Tile], _: &[Vec<u8>]) {}
}

/// Requirement 23.
#[tokio::test]
async fn the_bucket_alone_rebuilds_and_verifies_the_log() {
    let world = World::found().await;
    world.recorder.batch("first", 620).await;
    world.set().await;
    let stream = world.caught_up(622).await;
    assert_eq!((&stream["state"], &stream["fault"]), (&json!("following"), &Value::Null), "{stream}");
    assert!(!stream.to_string().contains("the-key-of-the-bucket"), "{stream}");
    let folder = world.folder().await;

    // By our program, with the pinned key and with that of the bucket; from the folder itself, or from one above it.
    let key = world.key().await;
    for (from, keys, voucher) in [(&folder, vec!["--key", &key], "given"), (&world.store.folder(), vec![], "copy")] {
        let checked = check(from, &keys).await;
        assert_eq!(checked.code, 0, "{}{}", checked.stdout, checked.stderr);
        let said: Value = serde_json::from_str(&checked.stdout).unwrap();
        assert_eq!((&said["size"], &said["key_from"]), (&stream["written_size"], &json!(voucher)), "{said}");
    }
    let other =
        check(&folder, &["--key", "another.example/w/x/live/1+12345678+AVhvbm90aGVyIGtleSBvZiBhbm90aGVyIGxvZyE="])
            .await;
    assert_ne!(other.code, 0);

    // By a crate that is not ours.
    let note = std::fs::read_to_string(folder.join("checkpoint")).unwrap();
    let signed: bailiwick_proof::checkpoint::SignedCheckpoint = note.parse().unwrap();
    let (size, root) = (signed.unverified().size, signed.unverified().root);
    let tiles = Folder(folder.clone());
    let reader = TileHashReader::new(size, tlog::Hash(*root.as_bytes()), &tiles);
    let bundle = std::fs::read(folder.join("tile/entries/001")).unwrap();
    for (seq, entry) in (256..).zip(tile::unbundle(&bundle).unwrap()) {
        use tlog_tiles::tlog::HashReader as _;
        assert_eq!(reader.read_hashes(&[tlog::stored_hash_index(0, seq)]).unwrap(), [tlog::record_hash(entry)]);
    }

    // It follows by itself, and nothing but checkpoint and keys is ever written twice.
    world.recorder.batch("second", 300).await;
    let grown = world.caught_up(size + 300).await;
    assert!(grown["written_size"].as_u64() > stream["written_size"].as_u64());
    assert_eq!(check(&folder, &["--key", &key]).await.code, 0);
    let mut once = world.store.written();
    once.retain(|name| !name.ends_with("/checkpoint") && !name.ends_with("/keys.json"));
    let count = once.len();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), count, "an object was written twice");
    assert!(world.app.actions(Some(&world.recorder.workspace)).await.contains(&"audit.stream_set".to_owned()));
}

#[tokio::test]
async fn only_who_runs_the_workspace_sets_a_stream_and_nobody_elsewhere_sees_it() {
    let world = World::found().await;
    let (eve, _) = world.app.founder("eve@example.com", "other").await;
    let dev = world.app.join(&world.recorder.workspace, "dev@example.com", "developer").await;
    let body = wanted(&world.store, "logs");
    for (person, status) in [(&eve, 404), (&dev, 403)] {
        for method in [Method::PUT, Method::GET, Method::DELETE] {
            let call = world.app.call(method.clone(), &world.path()).bearer(&person.access_token);
            let call = if method == Method::PUT { call.json(&body) } else { call };
            assert_eq!(call.send().await.problem().0, status, "{method}");
        }
    }
    let none = world.app.get(&world.path()).bearer(&world.ada.access_token).send().await;
    assert_eq!(none.problem(), (404, "not_found".to_owned()));
    let admin = world.app.join(&world.recorder.workspace, "admin@example.com", "admin").await;
    let call = world.app.call(Method::PUT, &world.path()).json(&body).bearer(&admin.access_token);
    let once = call.header("idempotency-key", "stream-1").send().await;
    assert_eq!(once.status, 200, "{}", once.text);
    let call = world.app.call(Method::PUT, &world.path()).json(&body).bearer(&admin.access_token);
    assert_eq!(call.header("idempotency-key", "stream-1").send().await.text, once.text);
    let test = world.app.get(&world.path()).bearer(&world.ada.access_token);
    let test = test.header("bailiwick-environment", "test").send().await;
    assert_eq!(test.problem().0, 404, "each environment has its own");
    let removed = world.app.delete(&world.path()).bearer(&world.ada.access_token).send().await;
    assert_eq!(removed.status, 204, "{}", removed.text);
    assert_eq!(world.app.delete(&world.path()).bearer(&world.ada.access_token).send().await.problem().0, 404);
    let mut actions = world.app.actions(Some(&world.recorder.workspace)).await;
    assert_eq!(actions.split_off(actions.len() - 2), ["audit.stream_set", "audit.stream_removed"]);
}

#[tokio::test]
async fn no_endpoint_is_taken_that_leads_inside() {
    let world = World::found().await;
    let at = |endpoint: &str| {
        let mut body = wanted(&world.store, "logs");
        body["endpoint"] = json!(endpoint);
        body
    };
    for (endpoint, code) in [
        ("https://10.0.0.1", "address_not_allowed"),
        ("https://169.254.169.254", "address_not_allowed"),
        ("https://[::ffff:192.168.0.1]:9000", "address_not_allowed"),
        ("https://0xa.1", "address_not_allowed"),
        ("http://s3.example", "invalid_value"),
        ("https://s3.example/latest/meta-data", "invalid_value"),
    ] {
        let refused = world.put(&at(endpoint)).await;
        assert_eq!(refused.problem(), (422, "invalid_body".to_owned()), "{endpoint}");
        let error = &refused.json()["errors"][0];
        assert_eq!((&error["pointer"], &error["code"]), (&json!("/endpoint"), &json!(code)), "{endpoint}");
    }
    assert!(world.store.written().is_empty());
}

#[tokio::test]
async fn a_row_that_was_turned_by_hand_leads_nowhere() {
    let world = World::found().await;
    world.set().await;
    world.caught_up(1).await;
    let thief = ObjectStore::start().await;
    let (eve, other) = world.app.founder("eve@example.com", "other").await;
    let path = format!("/v1/workspaces/{other}/audit/stream");
    let set = world.app.call(Method::PUT, &path).json(&wanted(&thief, "loot")).bearer(&eve.access_token).send().await;
    assert_eq!(set.status, 200, "{}", set.text);
    until(async || !thief.written().is_empty()).await;
    let other: bailiwick_proof::id::WorkspaceId = other.parse().unwrap();
    sqlx::query(
        "UPDATE audit_streams SET size = 0, written_at = NULL, settings_sealed =
             (SELECT settings_sealed FROM audit_streams WHERE workspace_id = $1) WHERE workspace_id = $2",
    )
    .bind(other.uuid())
    .bind(world.recorder.uuid())
    .execute(&world.app.database.owner)
    .await
    .unwrap();
    let tried = "SELECT count(*) FROM jobs_ready WHERE kind = 'audit.stream' AND attempts > 1";
    until(async || sqlx::query_scalar::<_, i64>(tried).fetch_one(&world.app.database.owner).await.unwrap() > 0).await;
    let id = world.recorder.workspace.as_str();
    assert!(thief.written().iter().all(|name| !name.contains(id)), "{:?}", thief.written());
    assert_eq!(world.app.get(&world.path()).bearer(&world.ada.access_token).send().await.status, 500);
}
