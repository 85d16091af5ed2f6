//! The keys of a log: what is published, and what the loss of the sealing key costs.

use bailiwick_proof::environment::Environment;
use bailiwick_proof::log::Log;
use bailiwick_proof::note::SigningKey;
use bailiwick_server::ledger;
use serde_json::json;

use super::Acme;

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
async fn for_a_key_that_does_not_open_any_more_a_rotation_is_enough() {
    let acme = Acme::found().await;
    let old_keys = acme.keys().await;
    let note = acme.get("audit/checkpoint").await.text;
    sqlx::query("UPDATE ledger_keys SET seed_sealed = substr(seed_sealed, 1, 60)")
        .execute(&acme.app.database.owner)
        .await
        .unwrap();
    let told = acme.record(&json!({"action": "door.opened", "actor": "ada"})).await;
    assert_eq!(told.status, 201, "entries need no key: {}", told.text);
    assert_eq!(acme.get("audit/checkpoint").await.problem(), (500, "internal".into()), "signatures do");

    let ledger = crate::harness::vault::ledger(&acme.app.database, &acme.app.db).await.unwrap();
    let log = Log::Workspace { workspace: acme.workspace.parse().unwrap(), environment: Environment::Live };
    let new = ledger::rotate_key(&ledger, log).await.unwrap();
    let signed: bailiwick_proof::checkpoint::SignedCheckpoint =
        acme.get("audit/checkpoint").await.text.parse().unwrap();
    signed.verify(&[new.verifier().clone()]).unwrap();
    assert_eq!(acme.keys().await, [new.verifier().clone()], "what does not open is not published");
    let before: bailiwick_proof::checkpoint::SignedCheckpoint = note.parse().unwrap();
    before.verify(&old_keys).unwrap();
}
