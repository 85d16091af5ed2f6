//! What the owner of the database can do to a running server, and what it must not come to.

use bailiwick_proof::checkpoint::{Checkpoint, SignedCheckpoint};
use bailiwick_proof::jose::Jwks;
use bailiwick_proof::merkle::{Frontier, Hash, leaf_hash};
use bailiwick_proof::note::{SigningKey, VerifierKey};
use serde_json::json;

use crate::harness::app::{Person, TestApp};
use crate::harness::ledger::{cell_of, journaled};

const NIL: &str = "00000000-0000-0000-0000-000000000000";

struct Acme {
    app: TestApp,
    person: Person,
    workspace: String,
}

impl Acme {
    /// With entries 0 to 6, signed.
    async fn found() -> Self {
        let app = TestApp::start().await;
        let (person, workspace) = app.founder("ada@example.com", "acme").await;
        let acme = Self { app, person, workspace };
        for _ in 0..6 {
            acme.record().await;
        }
        assert_eq!(acme.get("audit/checkpoint").await.status, 200);
        acme
    }

    async fn record(&self) -> crate::harness::app::Answer {
        let body = json!({"events": [{"action": "door.opened", "actor": "ada", "target": "door-1"}]});
        self.app.post(&self.path("audit/events"), &body).bearer(&self.person.access_token).send().await
    }

    async fn get(&self, path: &str) -> crate::harness::app::Answer {
        self.app.get(&self.path(path)).bearer(&self.person.access_token).send().await
    }

    async fn sql(&self, sql: &str) {
        let own = format!("workspace_id <> '{NIL}' AND environment = 'live'");
        let sql = sql.replace("OWN", &own);
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&self.app.database.owner).await.unwrap();
    }

    /// What the check says of the first bad log.
    async fn verdict(&self) -> String {
        let report = crate::harness::ledger::report(&self.app).await;
        let damages = report.logs.iter().flat_map(|log| &log.damages);
        damages.map(|damage| format!("{:?} {}", damage.seq, damage.what)).next().unwrap_or_else(|| "good".to_owned())
    }

    fn path(&self, path: &str) -> String {
        format!("/v1/workspaces/{}/{path}", self.workspace)
    }
}

/// The rows may agree with each other: what was journaled is what a new root has to extend.
#[tokio::test]
async fn a_head_that_does_not_extend_what_was_signed_is_not_signed() {
    let acme = Acme::found().await;
    let mut forged = Frontier::new();
    for n in 0..8_u8 {
        forged.push(leaf_hash(&[n]), |_, _| {});
    }
    let bytes: String = forged.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    acme.sql(&format!("UPDATE ledger_heads SET size = 8, frontier = '\\x{bytes}' WHERE OWN")).await;
    assert_eq!(acme.get("audit/checkpoint").await.problem(), (503, "ledger_frozen".into()));
    acme.sql(
        "UPDATE ledger_heads SET size = 4611686018427387904, frontier = decode(repeat('ab', 32), 'hex') WHERE OWN",
    )
    .await;
    assert_eq!(acme.get("audit/checkpoint").await.problem(), (503, "ledger_frozen".into()));
}

#[tokio::test]
async fn another_generation_is_neither_appended_to_nor_signed() {
    let acme = Acme::found().await;
    acme.sql(
        "UPDATE ledger_heads SET generation = 2, size = 0, frontier = '', last_leaf = decode(repeat('00', 32), 'hex') WHERE OWN;
         UPDATE ledger_keys SET generation = 2 WHERE OWN",
    )
    .await;
    assert_eq!(acme.record().await.problem(), (503, "ledger_frozen".into()));
    assert_eq!(acme.get("audit/checkpoint").await.problem(), (503, "ledger_frozen".into()));
}

#[tokio::test]
async fn a_checkpoint_that_nobody_signed_is_not_handed_out() {
    let acme = Acme::found().await;
    for (size, note) in [(1_000_000, "'x'"), (1_000_000, "note")] {
        acme.sql(&format!(
            "DELETE FROM ledger_checkpoints WHERE size = {size};
             INSERT INTO ledger_checkpoints SELECT workspace_id, environment, generation, {size}, signed_at, {note}
             FROM ledger_checkpoints WHERE OWN ORDER BY size DESC LIMIT 1"
        ))
        .await;
        assert_eq!(acme.get("audit/checkpoint").await.problem(), (503, "ledger_frozen".into()), "{note}");
    }
}

/// Who has a key and a checkpoint by it in the tables has nothing handed out, and keeps no log from being signed.
#[tokio::test]
async fn a_key_that_was_put_there_signs_nothing_and_holds_nothing_up() {
    let acme = Acme::found().await;
    let signed: SignedCheckpoint = acme.get("audit/checkpoint").await.text.parse().unwrap();
    let Checkpoint { origin, size, .. } = signed.unverified().clone();
    let forger = SigningKey::from_seed(&origin, &[9; 32]).unwrap();
    let public: String = forger.verifier().public().iter().map(|byte| format!("{byte:02x}")).collect();
    acme.sql(&format!(
        "INSERT INTO ledger_keys (workspace_id, environment, kid, generation, public_key, seed_sealed, created_at, retired_at)
         SELECT workspace_id, 'live', 'forged', 1, '\\x{public}', '\\x00', '2020-01-01', '2020-01-02' FROM ledger_heads WHERE OWN"
    ))
    .await;
    // Of what is there, and of what is yet to come: the server is always too late.
    for size in size..size + 4 {
        let root = Hash::of(b"another history");
        let checkpoint = Checkpoint { origin: origin.clone(), size, root, extensions: Vec::new() };
        let note = SignedCheckpoint::sign(checkpoint, &[&forger]).unwrap();
        acme.sql(&format!(
            "INSERT INTO ledger_checkpoints SELECT workspace_id, environment, generation, {size}, now(), '{note}'
             FROM ledger_heads WHERE OWN ON CONFLICT (workspace_id, environment, generation, size) DO UPDATE SET note = excluded.note"
        ))
        .await;
    }
    // Those of sizes that the log does not have are not handed out; so it grows, and is signed all the same.
    for _ in 0..3 {
        acme.record().await;
    }
    let handed: SignedCheckpoint = acme.get("audit/checkpoint").await.text.parse().unwrap();
    assert_eq!(handed.unverified().size, size + 3);
    let jwks = acme.app.get(&format!("/w/{}/.well-known/jwks.json", acme.workspace)).send().await;
    let jwks = Jwks::parse(&jwks.text).unwrap();
    let keys: Vec<VerifierKey> = jwks.keys.iter().map(|key| key.verifier().clone()).collect();
    handed.verify(&keys).unwrap();
    assert_eq!(journaled(&cell_of(&acme.app.database.anchor_dir), &origin), size + 3);
    assert!(acme.verdict().await.contains("has another root at size"), "the others are told of");
}

/// Entries of a generation that nobody has begun are no part of a log, whatever stands beside them.
#[tokio::test]
async fn a_generation_that_was_invented_is_noticed() {
    let acme = Acme::found().await;
    acme.sql(
        "INSERT INTO ledger_entries SELECT (jsonb_populate_record(e, '{\"generation\": 7}')).* FROM ledger_entries e WHERE OWN;
         UPDATE ledger_entries SET event_id = gen_random_uuid() WHERE OWN AND generation = 7;
         INSERT INTO ledger_generations SELECT workspace_id, environment, 7, size, last_leaf, frontier, now() FROM ledger_heads WHERE OWN",
    )
    .await;
    assert_eq!(acme.verdict().await, "Some(0) it is of a generation that the journal does not know");
}

#[tokio::test]
async fn an_entry_under_another_event_s_id_is_noticed() {
    let acme = Acme::found().await;
    let events = acme.get("audit/events").await.json();
    let id = events["data"][2]["id"].as_str().unwrap().to_owned();
    acme.sql(
        "UPDATE ledger_entries SET event_id = CASE seq WHEN 3 THEN (SELECT event_id FROM ledger_entries WHERE OWN AND seq = 4)
             ELSE (SELECT event_id FROM ledger_entries WHERE OWN AND seq = 3) END WHERE OWN AND seq IN (3, 4)",
    )
    .await;
    let receipt = acme.get(&format!("audit/events/{id}/receipt")).await;
    assert_eq!((receipt.problem(), receipt.json()["seq"].clone()), ((409, "ledger_mismatch".into()), json!(3)));
    assert_eq!(acme.get(&format!("audit/events/{id}")).await.json()["intact"], json!(false));
    assert_eq!(acme.verdict().await, "Some(3) entry 3 is found under the id of another event");
}

#[tokio::test]
async fn a_lost_opening_is_noticed() {
    let acme = Acme::found().await;
    acme.sql("UPDATE ledger_openings SET actor_sealed = NULL WHERE OWN AND seq = 2").await;
    assert_eq!(acme.verdict().await, "Some(2) entry 2 has lost an opening");
    acme.sql("DELETE FROM ledger_openings WHERE OWN AND seq = 1").await;
    assert!(acme.verdict().await.starts_with("Some(1)"));
    let events = acme.get("audit/events").await.json();
    let intact: Vec<bool> =
        events["data"].as_array().unwrap().iter().map(|event| event["intact"].as_bool().unwrap()).collect();
    assert_eq!(intact, [true, true, true, true, false, false, true]);
}

/// A moment that no program can read, in a row that the serving role itself could stage.
#[tokio::test]
async fn a_moment_beyond_time_stops_nobody() {
    let acme = Acme::found().await;
    acme.sql(
        "INSERT INTO ledger_staged (workspace_id, environment, event_id, action, actor, target, recorded_by, meta, trace_id,
             request_id, staged_at)
         SELECT workspace_id, 'live', gen_random_uuid(), 'door.opened', repeat('a', n), '', 'a', '{}', repeat('0', 32),
             gen_random_uuid(), at FROM workspaces, (VALUES (1, 'infinity'::timestamptz), (1, '-infinity'),
             (1, '200000-01-01'), (1000000, now())) AS poison (n, at)",
    )
    .await;
    assert_eq!(acme.record().await.json()["events"][0]["seq"], 11);
    assert_eq!(acme.verdict().await, "good");
    acme.sql("UPDATE ledger_entries SET recorded_at = 'infinity' WHERE OWN AND seq = 2; UPDATE ledger_keys SET retired_at = 'infinity' WHERE OWN")
        .await;
    assert_eq!(acme.verdict().await, "Some(2) entry 2 is another than the columns beside it say");
    assert_eq!(acme.get("audit/events").await.status, 200);
}

#[tokio::test]
async fn a_node_without_the_journal_of_a_cell_that_has_begun_does_not_start() {
    let acme = Acme::found().await;
    let (db, anchor) = (acme.app.db.clone(), acme.app.database.anchor());
    let vault = acme.app.vault().await;
    let open = async || {
        use bailiwick_server::{anchor::AnchorStore, clock::Clock, entropy::Entropy, ledger};
        let (db, vault, clock, entropy) = (db.clone(), vault.clone(), Clock::system(), Entropy::system());
        let facts = ledger::establish(&db, &clock, &entropy, None, "").await.unwrap();
        let anchor = AnchorStore::open(&anchor, &entropy).await.unwrap();
        let parts = ledger::Parts { db, vault, clock, entropy, anchor, facts };
        ledger::Ledger::open(parts).await.err().map(|error| error.to_string()).unwrap_or_default()
    };
    assert_eq!(open().await, "");
    acme.sql("UPDATE cell_facts SET value = gen_random_uuid() WHERE name = 'cell_id'").await;
    assert!(open().await.contains("has no journal of this cell"), "{}", open().await);
}
