//! Stored checkpoints, of which there can be more than are read at a time.

use bailiwick_proof::checkpoint::{Checkpoint, SignedCheckpoint};
use bailiwick_proof::merkle::{Frontier, leaf_hash};
use bailiwick_proof::note::SigningKey;
use bailiwick_server::anchor::AnchorStore;
use bailiwick_server::entropy::Entropy;
use bailiwick_server::ledger::{LogReport, inspect};

use crate::harness::app::TestApp;
use crate::harness::recorder::Recorder;

/// Entries, and a checkpoint of each size: more than a page of either.
const EVENTS: usize = 1_100;

/// As somebody checks who has not the cell's keys, and takes a log's keys by their rows.
async fn report(app: &TestApp, origin: &str) -> LogReport {
    let anchor = AnchorStore::at(&app.database.anchor(), &Entropy::system()).unwrap();
    let report = inspect(&app.db, &anchor, None).await.unwrap();
    report.logs.into_iter().find(|log| log.origin == origin).unwrap()
}

#[tokio::test]
async fn each_of_more_than_a_page_is_held_against_the_entries() {
    let app = TestApp::start().await;
    let recorder = Recorder::of(&app).await;
    recorder.batch("first", 1_000).await;
    recorder.batch("more", EVENTS - 1_000).await;
    let Checkpoint { origin, size, .. } = recorder.checkpoint().await.unverified().clone();
    let owner = &app.database.owner;
    let key = SigningKey::from_seed(&origin, &[7; 32]).unwrap();
    sqlx::query(
        "INSERT INTO ledger_keys SELECT workspace_id, environment, 'another', generation, $1, seed_sealed, created_at, now()
         FROM ledger_keys WHERE workspace_id = $2 AND environment = 'live'",
    )
    .bind(key.verifier().public().as_slice())
    .bind(recorder.uuid())
    .execute(owner)
    .await
    .unwrap();
    let entries = "SELECT entry FROM ledger_entries WHERE workspace_id = $1 AND environment = 'live' ORDER BY seq";
    let entries: Vec<Vec<u8>> = sqlx::query_scalar(entries).bind(recorder.uuid()).fetch_all(owner).await.unwrap();
    let (mut frontier, mut sizes, mut notes) = (Frontier::new(), Vec::new(), Vec::new());
    for (size, entry) in (1..).zip(&entries) {
        frontier.push(leaf_hash(entry), |_, _| {});
        let (origin, root) = (origin.clone(), frontier.root());
        let signed = SignedCheckpoint::sign(Checkpoint { origin, size, root, extensions: Vec::new() }, &[&key]);
        sizes.push(i64::try_from(size).unwrap());
        notes.push(signed.unwrap().to_string());
    }
    sqlx::query(
        "INSERT INTO ledger_checkpoints (workspace_id, environment, generation, size, signed_at, note)
         SELECT $1, 'live', 1, size, now(), note FROM UNNEST($2::bigint[], $3::text[]) AS signed (size, note) ON CONFLICT DO NOTHING",
    )
    .bind(recorder.uuid())
    .bind(sizes)
    .bind(notes)
    .execute(owner)
    .await
    .unwrap();
    let good = report(&app, &origin).await;
    let counts = (good.checkpoints, good.good, good.damages.len());
    assert_eq!(counts, (size, size, 0), "{good:?}");
    for (bad, from) in [(1_050, 1_049), (999, 998)] {
        let move_one = "UPDATE ledger_checkpoints c SET note = o.note FROM ledger_checkpoints o
             WHERE c.workspace_id = $1 AND c.environment = 'live' AND c.size = $2
               AND o.workspace_id = $1 AND o.environment = 'live' AND o.size = $3";
        let moved = sqlx::query(move_one).bind(recorder.uuid()).bind(bad).bind(from).execute(owner).await.unwrap();
        assert_eq!(moved.rows_affected(), 1);
    }
    let bad = report(&app, &origin).await;
    let told: Vec<&str> = bad.damages.iter().map(|damage| damage.what.as_str()).collect();
    assert_eq!(
        told,
        ["the stored checkpoint of size 999 is another's", "the stored checkpoint of size 1050 is another's"]
    );
}
