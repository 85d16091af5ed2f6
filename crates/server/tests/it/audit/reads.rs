//! What a proof costs the database: a few short runs of hashes, however long the log is, and whatever the planner knows.

use sqlx::PgPool;
use uuid::Uuid;

use crate::harness::app::TestApp;
use crate::harness::cluster::TestDatabase;
use crate::harness::process::until;
use crate::harness::recorder::Recorder;

/// Hashes of the log, each in a row of its own, as a log has them whose entries came one by one.
const HASHES: i64 = 40_000;
/// Of the same event: after some of them, PostgreSQL may keep a plan that is not made for this one.
const RECEIPTS: i64 = 10;
/// A run has 128 hashes at most and the piece before it, and a proof in a log of two levels of tiles has twenty runs.
const ROWS_OF_A_PROOF: i64 = 20 * 129;

/// Cuts the log's runs into single hashes, and goes on as if it were long: what stands beyond the head belongs to no proof.
async fn lengthen(owner: &PgPool, workspace: Uuid) {
    let settings = "ALTER TABLE ledger_hashes SET (autovacuum_enabled = off)";
    sqlx::query(settings).execute(owner).await.unwrap();
    let cut = "WITH cut AS (DELETE FROM ledger_hashes WHERE workspace_id = $1 RETURNING *)
        INSERT INTO ledger_hashes (workspace_id, environment, generation, tile_level, start, hashes)
        SELECT workspace_id, environment, generation, tile_level, start + nth, substring(hashes FROM nth * 32 + 1 FOR 32)
        FROM cut, generate_series(0, octet_length(hashes) / 32 - 1) AS nth";
    sqlx::query(cut).bind(workspace).execute(owner).await.unwrap();
    let go_on = "INSERT INTO ledger_hashes (workspace_id, environment, generation, tile_level, start, hashes)
        SELECT workspace_id, environment, generation, tile_level, last + nth, sha256('')
        FROM (SELECT workspace_id, environment, generation, tile_level, max(start) AS last FROM ledger_hashes
              WHERE workspace_id = $1 AND environment = 'live' AND tile_level = 0 GROUP BY 1, 2, 3, 4) AS log,
            generate_series(1, $2) AS nth";
    sqlx::query(go_on).bind(workspace).bind(HASHES).execute(owner).await.unwrap();
}

/// How many rows of hashes have ever been read in this database, by index or without. A connection tells when it ends.
async fn rows_read(database: &TestDatabase) -> i64 {
    let superuser = database.superuser();
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE datname = current_database() AND usename = 'bailiwick_runtime'";
    until(async || sqlx::query_scalar::<_, i64>(end).fetch_one(&superuser).await.unwrap() == 0).await;
    let read = "SELECT coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) FROM pg_stat_user_tables
        WHERE relname = 'ledger_hashes'";
    sqlx::query_scalar(read).fetch_one(&superuser).await.unwrap()
}

#[tokio::test]
async fn a_proof_in_a_long_log_reads_a_few_runs_without_statistics_too() {
    // One connection, so that statements are prepared once.
    let app = TestApp::on(TestDatabase::create().await, 1).await;
    let recorder = Recorder::of(&app).await;
    let recorded = futures_util::future::join_all((0..40).map(|n| {
        let recorder = recorder.clone();
        async move { recorder.record(&format!("r-{n}")).await }
    }));
    let recorded = recorded.await;
    app.numbered().await;
    recorder.checkpoint().await;
    // Nothing is opened: what leaves openings grows the log, and this one must not meet what was planted.
    let path = format!("/audit/events/{}/receipt", recorded[7].id);
    assert_eq!(recorder.get(&path).await.status, 200);
    lengthen(&app.database.owner, recorder.uuid()).await;

    let analyzed = "SELECT reltuples FROM pg_class WHERE relname = 'ledger_hashes'";
    let analyzed: f32 = sqlx::query_scalar(analyzed).fetch_one(&app.database.owner).await.unwrap();
    assert!(analyzed <= 0.0, "nobody has counted the rows: {analyzed}");
    let before = rows_read(&app.database).await;
    for _ in 0..RECEIPTS {
        let receipt = recorder.get(&path).await;
        assert_eq!(receipt.status, 200, "{}", receipt.text);
    }
    let read = rows_read(&app.database).await - before;
    println!("{RECEIPTS} receipts read {read} rows of {HASHES}");
    assert!(read > 0 && read <= RECEIPTS * ROWS_OF_A_PROOF, "{RECEIPTS} receipts read {read} rows of {HASHES}");
}
