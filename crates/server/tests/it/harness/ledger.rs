//! The ledger from behind: its tables as their owner sees them, its locks, its anchor store and its own check.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use bailiwick_server::anchor::AnchorStore;
use bailiwick_server::clock::Clock;
use bailiwick_server::entropy::Entropy;
use bailiwick_server::ledger::{self, Ledger, LogReport, Report, inspect};
use bailiwick_server::vault::Vault;
use serde_json::Value;
use sqlx::{AssertSqlSafe, PgPool, Postgres, Transaction};
use uuid::Uuid;

use super::app::TestApp;
use super::process::{DevHome, bailiwickd, until};
use super::recorder::Recorded;

/// What runs when a transaction commits that changed a table of the ledger: it waits while somebody holds [`hold_commits`].
const COMMIT_LOCK: i64 = 7_007;

/// A row of a workspace's live log.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its number.
    pub seq: u64,
    /// The event's id.
    pub event: Uuid,
    /// What happened.
    pub action: String,
    /// By which what it was about is looked up: the same for the same.
    pub target_index: Vec<u8>,
}

/// Begins a transaction of the tables' owner.
#[expect(clippy::disallowed_methods, reason = "the owner's pool has no tenant that could leak out of it")]
pub async fn begin(pool: &PgPool) -> Transaction<'static, Postgres> {
    pool.begin().await.unwrap()
}

/// Holds a lock on a table until the transaction ends. `SHARE` lets reads and row locks pass and no change; `EXCLUSIVE`
/// keeps row locks out too.
pub async fn hold(pool: &PgPool, table: &str, mode: &str) -> Transaction<'static, Postgres> {
    let mut tx = begin(pool).await;
    run(&mut tx, &format!("LOCK TABLE {table} IN {mode} MODE")).await;
    tx
}

/// Waits until somebody waits for a lock on this table.
pub async fn waited_for(pool: &PgPool, table: &str) {
    until(async || waiting_for(pool, table).await.is_some()).await;
}

/// The backend that waits for a lock on this table.
pub async fn waiting_for(pool: &PgPool, table: &str) -> Option<i32> {
    let waiting = "SELECT pid FROM pg_locks WHERE NOT granted AND relation = to_regclass($1)
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) LIMIT 1";
    sqlx::query_scalar(waiting).bind(table).fetch_optional(pool).await.unwrap()
}

/// From now on a commit that inserted into or updated this table waits while [`hold_commits`] is held, for longer than a statement waits for
/// a lock elsewhere.
pub async fn watch_commits(pool: &PgPool, table: &str) {
    let mut tx = begin(pool).await;
    let function = "CREATE OR REPLACE FUNCTION test_waits() RETURNS trigger LANGUAGE plpgsql SET lock_timeout = 0
         AS $$ BEGIN PERFORM pg_advisory_xact_lock_shared(7007); RETURN NULL; END $$";
    run(&mut tx, function).await;
    let trigger = format!(
        "CREATE CONSTRAINT TRIGGER test_waits AFTER INSERT OR UPDATE ON {table} DEFERRABLE INITIALLY DEFERRED
         FOR EACH ROW EXECUTE FUNCTION test_waits()"
    );
    run(&mut tx, &trigger).await;
    tx.commit().await.unwrap();
}

/// Stops the commits that [`watch_commits`] speaks of, until the transaction ends.
pub async fn hold_commits(pool: &PgPool) -> Transaction<'static, Postgres> {
    let mut tx = begin(pool).await;
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(COMMIT_LOCK).execute(&mut *tx).await.unwrap();
    tx
}

/// Waits until a commit waits.
pub async fn commit_waits(pool: &PgPool) {
    let waiting = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND locktype = 'advisory' AND objid = 7007
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))";
    until(async || sqlx::query_scalar(waiting).fetch_one(pool).await.unwrap()).await;
}

async fn run(tx: &mut Transaction<'static, Postgres>, statement: &str) {
    sqlx::query(AssertSqlSafe(statement)).execute(&mut **tx).await.unwrap();
}

/// A workspace's live log, in its order.
pub async fn rows(pool: &PgPool, workspace: Uuid) -> Vec<Row> {
    let rows: Vec<(i64, Uuid, String, Vec<u8>)> = sqlx::query_as(
        "SELECT e.seq, e.event_id, e.action, o.target_index FROM ledger_entries e
         JOIN ledger_openings o USING (workspace_id, environment, generation, seq)
         WHERE e.workspace_id = $1 AND e.environment = 'live' ORDER BY e.seq",
    )
    .bind(workspace)
    .fetch_all(pool)
    .await
    .unwrap();
    rows.into_iter()
        .map(|(seq, event, action, target_index)| Row { seq: u64::try_from(seq).unwrap(), event, action, target_index })
        .collect()
}

/// Every acknowledged event is in the log once, under its number and about its target; nothing is there twice; the
/// numbers have no gap. Answers the log.
pub async fn has_all_once(pool: &PgPool, workspace: Uuid, acknowledged: &BTreeMap<String, Recorded>) -> Vec<Row> {
    let rows = rows(pool, workspace).await;
    for (expected, row) in (0..).zip(&rows) {
        assert_eq!(row.seq, expected, "no gap");
    }
    // Registered actions are about the workspace, as its founding is.
    let about = rows.iter().filter(|row| row.action != "audit.action_registered");
    let targets: Vec<&[u8]> = about.map(|row| row.target_index.as_slice()).collect();
    assert_eq!(targets.iter().collect::<BTreeSet<_>>().len(), targets.len(), "nothing twice");
    let by_event: BTreeMap<Uuid, &Row> = rows.iter().map(|row| (row.event, row)).collect();
    for (target, recorded) in acknowledged {
        let event = recorded.id.parse::<bailiwick_proof::id::EventId>().unwrap().uuid();
        let row = by_event.get(&event).unwrap_or_else(|| panic!("{target} was acknowledged and is gone"));
        assert_eq!(row.seq, recorded.seq, "{target}");
    }
    rows
}

/// `bailiwickd ledger verify --all` on a data directory: the exit code and what it told.
pub async fn verify(home: &DevHome) -> (i32, String) {
    let mut command = bailiwickd(["ledger", "verify", "--all", "--data-dir"]);
    let output = command.arg(&home.dir).output().await.unwrap();
    let told = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(told).unwrap())
}

/// The ledger beside a server of this process, as another node has it whose clock is so far ahead.
pub async fn beside(app: &TestApp, ahead: time::Duration) -> Ledger {
    with_vault(app, app.vault().await, ahead).await
}

/// The same with this vault, whose findings are written down.
pub async fn beside_that_tells(app: &TestApp) -> Ledger {
    let vault = app.vault().await;
    let alerts = vault.alerts().clone();
    tokio::spawn(bailiwick_server::alerts::keep(app.db.clone(), alerts, Clock::system(), Entropy::system()));
    with_vault(app, vault, time::Duration::ZERO).await
}

/// The ledger as the operator's command has it that begins generations.
pub async fn to_restore(app: &TestApp) -> Ledger {
    let parts = parts(app, app.vault().await, time::Duration::ZERO).await;
    Ledger::open_after_restore(parts).await.unwrap()
}

async fn with_vault(app: &TestApp, vault: Vault, ahead: time::Duration) -> Ledger {
    Ledger::open(parts(app, vault, ahead).await).await.unwrap()
}

async fn parts(app: &TestApp, vault: Vault, ahead: time::Duration) -> ledger::Parts {
    let system = Clock::system();
    let clock = Clock::from_fn(move || system.now() + ahead);
    let facts = ledger::establish(&app.db, &clock, &Entropy::system(), None, "test").await.unwrap();
    let anchor = AnchorStore::open(&app.database.anchor(), &Entropy::system()).await.unwrap();
    let (db, entropy) = (app.db.clone(), Entropy::system());
    ledger::Parts { db, vault, clock, entropy, anchor, facts }
}

/// The check's report on a server of this process.
pub async fn report(app: &TestApp) -> Report {
    let anchor = AnchorStore::at(&app.database.anchor(), &Entropy::system()).unwrap();
    inspect(&app.db, &anchor, Some(&app.vault().await)).await.unwrap()
}

/// The check's report on a workspace's live log.
pub async fn report_on(app: &TestApp, workspace: &str) -> LogReport {
    let wanted = format!("/w/{workspace}/live/");
    let report = report(app).await;
    report.logs.into_iter().find(|log| log.origin.contains(&wanted)).expect("the log")
}

/// The anchor store beside a data directory.
pub fn anchor_of(home: &DevHome) -> PathBuf {
    let name = home.dir.file_name().unwrap().to_str().unwrap();
    home.dir.with_file_name(format!("{name}-anchor"))
}

/// The one cell's folder in an anchor store.
pub fn cell_of(anchor: &Path) -> PathBuf {
    let mut cells = std::fs::read_dir(anchor).unwrap().map(|entry| entry.unwrap().path());
    let cell = cells.next().unwrap();
    assert_eq!(cells.next(), None, "one cell");
    cell
}

/// The journal's objects, in their order.
pub fn objects(cell: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(cell.join("journal")).unwrap().map(|entry| entry.unwrap().path());
    let mut objects: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|end| end == "json")).collect();
    objects.sort();
    objects
}

/// How far the journal says that this log was signed.
pub fn journaled(cell: &Path, origin: &str) -> u64 {
    let sizes = objects(cell).into_iter().flat_map(|path| {
        let object: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let heads = object["heads"].as_array().unwrap().clone();
        heads.into_iter().filter(|head| head["origin"] == origin).filter_map(|head| head["size"].as_u64())
    });
    sizes.max().unwrap_or_default()
}
