//! The log as C2SP tlog-tiles: readers that are not ours reach its root by it, and ours finds the first entry that is not as it was.

use std::collections::HashMap;

use bailiwick_proof::checkpoint::{Checkpoint, SignedCheckpoint};
use bailiwick_proof::entry::Entry;
use bailiwick_proof::merkle::{Hash, leaf_hash};
use bailiwick_proof::tile;
use bailiwick_server::anchor::Head;
use bailiwick_server::ledger::{Lost, Sanction, open_generation};
use serde_json::json;
use tlog_tiles::tlog::{self, HashReader as _};
use tlog_tiles::{Tile, TileHashReader, TileReader};

use super::Acme;
use crate::harness::ledger::to_restore;

impl Acme {
    async fn fetch(&self, path: &str, credential: &str) -> reqwest::Response {
        let url = format!("{}/v1/workspaces/{}/audit/log/{path}", self.app.url, self.workspace);
        crate::harness::http::http().get(url).bearer_auth(credential).send().await.unwrap()
    }

    async fn tile(&self, path: &str) -> Vec<u8> {
        let answer = self.fetch(path, &self.person.access_token).await;
        assert_eq!(answer.status(), 200, "{path}");
        answer.bytes().await.unwrap().to_vec()
    }

    async fn status(&self, path: &str, credential: &str) -> u16 {
        self.fetch(path, credential).await.status().as_u16()
    }

    async fn signed(&self) -> SignedCheckpoint {
        String::from_utf8(self.tile("checkpoint").await).unwrap().parse().unwrap()
    }

    /// So many events.
    async fn record_many(&self, count: usize) {
        self.record_all((0..count).map(|n| format!("door-{n}"))).await;
    }
}

/// Tiles that were fetched, as the other crate asks for them.
struct Fetched(HashMap<String, Vec<u8>>);

fn path_of(tile: &Tile) -> String {
    tile.path().replacen("tile/8/", "tile/", 1)
}

impl TileReader for Fetched {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, tlog::Error> {
        Ok(tiles.iter().map(|tile| self.0[&path_of(tile)].clone()).collect())
    }

    fn save_tiles(&self, _: &[Tile], _: &[Vec<u8>]) {}
}

/// Whoever keeps a tile keeps it for as long as it is that of the log's generation.
#[tokio::test]
async fn a_tile_that_was_kept_is_not_taken_for_that_of_the_next_generation() {
    let acme = Acme::found().await;
    acme.record_many(256).await;
    acme.signed().await;
    let kept = acme.fetch("tile/0/000", &acme.person.access_token).await;
    let tag = kept.headers()["etag"].to_str().unwrap().to_owned();
    let kept = kept.bytes().await.unwrap();
    let again = async |of: &Acme| {
        let url = format!("{}/v1/workspaces/{}/audit/log/tile/0/000", of.app.url, of.workspace);
        let asked = crate::harness::http::http().get(url).bearer_auth(&of.person.access_token);
        asked.header("if-none-match", format!("\"x\", {tag}")).send().await.unwrap()
    };
    let same = again(&acme).await;
    assert_eq!((same.status().as_u16(), same.headers()["etag"].to_str().unwrap()), (304, tag.as_str()));
    assert_eq!(same.bytes().await.unwrap().len(), 0);

    let ledger = to_restore(&acme.app).await;
    let newest: SignedCheckpoint = ledger.checkpoint(acme.live()).await.unwrap().note.parse().unwrap();
    let Checkpoint { origin, size, root, .. } = newest.unverified().clone();
    let journal = Head { size, root };
    let lost = Lost { origin: origin.parse().unwrap(), journal, database: (1, size), is_begun: false };
    open_generation(&ledger, &lost, Sanction { reason: "a test", is_forked: false }).await.unwrap();
    let app = acme.app.another_node().await;
    let person = app.sign_in("ada@example.com").await;
    let restarted = Acme { app, person, workspace: acme.workspace.clone() };
    restarted.record_many(256).await;
    restarted.signed().await;
    let other = again(&restarted).await;
    assert_eq!(other.status(), 200);
    assert_ne!(other.bytes().await.unwrap(), kept);
}

/// Requirement 20: the crate `tlog_tiles` reads the log by its paths alone, and finds every entry under the signed root.
#[tokio::test]
async fn a_reader_that_is_not_ours_reaches_the_signed_root() {
    let acme = Acme::found().await;
    acme.record_many(270).await;
    let signed = acme.signed().await;
    let (size, root) = (signed.unverified().size, signed.unverified().root);
    assert_eq!(size, 271);
    let mut tiles = HashMap::new();
    for tile in Tile::new_tiles(8, 0, size) {
        tiles.insert(path_of(&tile), acme.tile(&path_of(&tile)).await);
    }
    assert_eq!(tiles.keys().filter(|path| path.starts_with("tile/1/")).count(), 1);
    let fetched = Fetched(tiles);
    let their_root = tlog::Hash(*root.as_bytes());
    let reader = TileHashReader::new(size, their_root, &fetched);
    let mut entries = Vec::new();
    for (path, width) in [("tile/entries/000", 256), ("tile/entries/001.p/15", 15)] {
        let bundle = acme.tile(path).await;
        let some = tile::unbundle(&bundle).unwrap();
        assert_eq!(some.len(), width, "{path}");
        entries.extend(some.into_iter().map(<[u8]>::to_vec));
    }
    for (seq, entry) in (0..).zip(&entries) {
        let stored = reader.read_hashes(&[tlog::stored_hash_index(0, seq)]).unwrap();
        assert_eq!(stored, [tlog::record_hash(entry)], "{seq}");
        assert_eq!(Entry::parse(entry).unwrap().seq, seq);
    }
    let proof = tlog::prove_record(size, 200, &reader).unwrap();
    let leaf = tlog::Hash(*leaf_hash(&entries[200]).as_bytes());
    tlog::check_record(&proof, size, their_root, 200, leaf).unwrap();

    // Another root is noticed, as is another tile.
    let forged = TileHashReader::new(size, tlog::Hash(*Hash::ZERO.as_bytes()), &fetched);
    assert!(forged.read_hashes(&[tlog::stored_hash_index(0, 3)]).is_err());
    let mut altered = Fetched(fetched.0.clone());
    altered.0.get_mut("tile/0/001.p/15").unwrap()[5] ^= 1;
    assert!(TileHashReader::new(size, their_root, &altered).read_hashes(&[tlog::stored_hash_index(0, 3)]).is_err());
}

#[tokio::test]
async fn full_tiles_are_kept_by_readers_and_what_is_not_signed_is_not_there() {
    let acme = Acme::found().await;
    acme.record_many(256).await;
    acme.signed().await;
    let token = &acme.person.access_token;
    let full = acme.fetch("tile/0/000", token).await;
    assert_eq!(full.headers()["cache-control"], "private, no-cache", "the next generation has the same paths");
    assert_eq!(full.headers()["content-type"], "application/octet-stream");
    assert_eq!(full.bytes().await.unwrap().len(), 256 * 32);
    let partial = acme.fetch("tile/0/000.p/7", token).await;
    assert_eq!(partial.headers()["cache-control"], "no-store");
    assert_eq!(partial.bytes().await.unwrap(), acme.tile("tile/0/000").await[..7 * 32]);
    assert_eq!(acme.tile("tile/1/000.p/1").await.len(), 32);
    for path in [
        "tile/0/001",
        "tile/0/001.p/2",
        "tile/1/000.p/2",
        "tile/1/000",
        "tile/2/000.p/1",
        "tile/entries/001",
        "tile/entries/x001/000",
        "tile/0/0",
        "tile/8/000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/data/000",
        "nothing",
        "tile",
        "tile/0/x999/x999/x999/x999/x999/999",
    ] {
        assert_eq!(acme.status(path, token).await, 404, "{path}");
    }
    assert_eq!(acme.status("tile/0/000.p/1", "nobody").await, 401);
    let (stranger, _) = acme.app.founder("bob@example.com", "beta").await;
    assert_eq!(acme.status("tile/0/000", &stranger.access_token).await, 404, "another tenant's");
    let in_test = acme.app.get(&format!("/v1/workspaces/{}/audit/log/tile/0/000", acme.workspace)).bearer(token);
    assert_eq!(in_test.header("bailiwick-environment", "test").send().await.status, 404, "the other log is short");
}

/// A key that is confined to a project sees hashes, which tell nothing, and no entries of others.
#[tokio::test]
async fn a_confined_key_reads_no_entries_of_others() {
    let acme = Acme::found().await;
    let projects = format!("/v1/workspaces/{}/projects", acme.workspace);
    let project = acme.app.post(&projects, &json!({"name": "site"})).bearer(&acme.person.access_token).send().await;
    let body = json!({"name": "reader", "scopes": ["management"], "project_id": project.text_of("id")});
    let confined = acme.app.api_key(&acme.person, &acme.workspace, &body).await["key"].as_str().unwrap().to_owned();
    let whole = json!({"name": "auditor", "scopes": ["management"]});
    let auditor = acme.app.api_key(&acme.person, &acme.workspace, &whole).await["key"].as_str().unwrap().to_owned();
    acme.signed().await;
    assert_eq!(acme.status("checkpoint", &confined).await, 200);
    assert_eq!(acme.status("tile/0/000.p/1", &confined).await, 200);
    assert_eq!(acme.status("tile/entries/000.p/1", &confined).await, 404);
    assert_eq!(acme.status("tile/entries/000.p/1", &auditor).await, 200);
}

#[tokio::test]
async fn the_command_line_reads_a_whole_log_and_names_the_first_bad_entry() {
    let acme = Acme::found().await;
    acme.record_many(300).await;
    let home = acme.at_home().await;
    home.run(&["audit", "pin"], "").await.ok();
    let check = ["audit", "check", "-o", "json"];
    let held = home.run(&check, "").await.json();
    assert_eq!((&held["kind"], &held["size"], &held["key_from"]), (&json!("log"), &json!(301), &json!("pinned")));

    let place = "environment = 'live' AND workspace_id <> '00000000-0000-0000-0000-000000000000'";
    let refused = async |what: &str, statement: &str, code: &str, seq: u64| {
        acme.by_owner(&statement.replace("PLACE", place)).await;
        let run = home.run(&check, "").await;
        assert_eq!(run.code, 6, "{what}: {}{}", run.stdout, run.stderr);
        let verdict: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!((verdict["code"].as_str(), verdict["seq"].as_u64()), (Some(code), Some(seq)), "{what}: {verdict}");
    };
    acme.by_owner("CREATE TABLE kept AS SELECT * FROM ledger_entries").await;
    let back = "DELETE FROM ledger_entries";
    let again = "INSERT INTO ledger_entries SELECT * FROM kept";
    // Requirements 1 and 2.
    let altered = "UPDATE ledger_entries SET entry = convert_to(replace(convert_from(entry, 'UTF8'), 'door.opened', 'door.closed'), 'UTF8')
        WHERE PLACE AND seq = 277";
    refused("an altered entry", altered, "other_leaf", 277).await;
    acme.by_owner(back).await;
    acme.by_owner(again).await;
    home.run(&check, "").await.ok();
    for (from, to) in [(20, 100_020), (21, 20), (100_020, 21)] {
        acme.by_owner(&format!("UPDATE ledger_entries SET seq = {to} WHERE {place} AND seq = {from}")).await;
    }
    let run = home.run(&check, "").await;
    assert_eq!((run.code, run.stdout.contains("\"seq\": 20")), (6, true), "{}", run.stdout);
    acme.by_owner(back).await;
    acme.by_owner(again).await;
    refused("an entry that is gone", "DELETE FROM ledger_entries WHERE PLACE AND seq = 5", "ledger_mismatch", 5).await;
}
