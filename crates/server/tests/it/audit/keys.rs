//! The keys of a log: what is published, and what the loss of the sealing key costs.

use bailiwick_proof::environment::Environment;
use bailiwick_proof::log::Log;
use bailiwick_proof::note::SigningKey;
use bailiwick_server::anchor::AnchorStore;
use bailiwick_server::clock::Clock;
use bailiwick_server::entropy::Entropy;
use bailiwick_server::ledger::{self, Ledger};
use bailiwick_server::vault::LocalSeal;
use serde_json::json;

use super::Acme;
use crate::harness::app::TestApp;

#[tokio::test]
async fn a_key_that_was_put_into_the_table_by_hand_is_not_published() {
    let acme = Acme::found().await;
    let before = acme.keys().await;
    let forged = SigningKey::from_seed(before[0].name(), &[7; 32]).unwrap();
    sqlx::query(
        "INSERT INTO ledger_keys SELECT workspace_id, environment, 'forged', generation, $1, seed_sealed, created_at, now()
         FROM ledger_keys WHERE environment = 'live' AND workspace_id <> $2",
    )
    .bind(forged.verifier().public().as_slice())
    .bind(uuid::Uuid::nil())
    .execute(&acme.app.database.owner)
    .await
    .unwrap();
    assert_eq!(acme.keys().await, before);
}

#[tokio::test]
async fn after_the_loss_of_the_sealing_key_a_rotation_is_enough() {
    let Acme { app, person, workspace } = Acme::found().await;
    let old = Acme { app, person, workspace };
    let old_keys = old.keys().await;
    let note = old.get("audit/checkpoint").await.text;
    let Acme { app: TestApp { database, .. }, person: _, workspace } = old;

    // Another server on the same database, with a sealing key and token key of its own.
    let app = TestApp::on(database, 5).await;
    let person = app.sign_in("ada@example.com").await;
    let acme = Acme { app, person, workspace: workspace.clone() };
    let told = acme.record(&json!({"action": "door.opened", "actor": "ada"})).await;
    assert_eq!(told.status, 201, "entries need no key: {}", told.text);
    assert_eq!(acme.get("audit/checkpoint").await.problem(), (500, "internal".into()), "signatures do");

    let (db, clock, entropy) = (acme.app.db.clone(), Clock::system(), Entropy::system());
    let facts = ledger::establish(&db, &clock, &entropy, None, "").await.unwrap();
    let seal = LocalSeal::new(acme.app.secrets().sealing_key.bytes(), entropy.clone()).unwrap();
    let anchor = AnchorStore::open(&acme.app.database.anchor(), &entropy).await.unwrap();
    let ledger = Ledger::open(ledger::Parts { db, seal, clock, entropy, anchor, facts }).await.unwrap();
    let log = Log::Workspace { workspace: workspace.parse().unwrap(), environment: Environment::Live };
    let new = ledger::rotate_key(&ledger, log).await.unwrap();
    let signed: bailiwick_proof::checkpoint::SignedCheckpoint =
        acme.get("audit/checkpoint").await.text.parse().unwrap();
    signed.verify(&[new.verifier().clone()]).unwrap();
    assert_eq!(acme.keys().await, [new.verifier().clone()], "what does not open is not published");
    let before: bailiwick_proof::checkpoint::SignedCheckpoint = note.parse().unwrap();
    before.verify(&old_keys).unwrap();
}
