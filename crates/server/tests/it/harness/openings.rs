//! What entries say, as somebody sees it who has the database and the server's keys besides.

use std::collections::BTreeMap;

use bailiwick_proof::commitment::{Field, Opening};
use bailiwick_proof::environment::Environment;
use bailiwick_proof::log::Log;
use bailiwick_server::ledger::SealedOpenings;
use bailiwick_server::vault::{
    Column, OPENING_ACTOR, OPENING_IP, OPENING_META, OPENING_TARGET, Owner, Place, RowId, Vault,
};
use sqlx::{AssertSqlSafe, PgPool};
use uuid::Uuid;

use super::app::TestApp;

#[derive(sqlx::FromRow)]
struct Row {
    generation: i32,
    seq: i64,
    actor_sealed: Option<Vec<u8>>,
    ip_sealed: Option<Vec<u8>>,
    meta_sealed: Option<Vec<u8>>,
    target_sealed: Option<Vec<u8>>,
    actor_subject: Option<i64>,
    meta_subject: Option<i64>,
    target_subject: Option<i64>,
}

/// The openings of a workspace's live log, of all entries or of those of an action, in their order.
pub async fn openings(app: &TestApp, workspace: Uuid, action: Option<&str>) -> Vec<BTreeMap<Field, Opening>> {
    openings_with(&app.vault().await, &app.database.owner, workspace, action).await
}

/// The same by these keys.
pub async fn openings_with(
    vault: &Vault,
    owner: &PgPool,
    workspace: Uuid,
    action: Option<&str>,
) -> Vec<BTreeMap<Field, Opening>> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT o.* FROM ledger_openings o JOIN ledger_entries e USING (workspace_id, environment, generation, seq)
         WHERE e.workspace_id = $1 AND e.environment = 'live' AND ($2::text IS NULL OR e.action = $2) ORDER BY o.seq",
    )
    .bind(workspace)
    .bind(action)
    .fetch_all(owner)
    .await
    .unwrap();
    let log = log(workspace);
    let mut all = Vec::new();
    for row in rows {
        let place = (log, u32::try_from(row.generation).unwrap(), u64::try_from(row.seq).unwrap());
        let sealed = SealedOpenings {
            actor: row.actor_sealed,
            ip: row.ip_sealed,
            meta: row.meta_sealed,
            target: row.target_sealed,
            actor_subject: row.actor_subject,
            meta_subject: row.meta_subject,
            target_subject: row.target_subject,
        };
        let opened = sealed.open(vault, place).await.unwrap();
        assert!(!opened.is_tampered, "entry {}", row.seq);
        all.push(opened.openings);
    }
    all
}

/// Tells something else in an entry's field, sealed as the server would have sealed it.
pub async fn retell(app: &TestApp, workspace: Uuid, seq: i64, field: Field, change: impl Fn(&mut Opening)) {
    let (column, name, subject): (&'static Column, _, _) = match field {
        Field::Actor => (&OPENING_ACTOR, "actor", "actor_subject"),
        Field::Ip => (&OPENING_IP, "ip", "actor_subject"),
        Field::Meta => (&OPENING_META, "meta", "meta_subject"),
        Field::Target => (&OPENING_TARGET, "target", "target_subject"),
    };
    let of = format!("workspace_id = '{workspace}' AND environment = 'live' AND seq = {seq}");
    let read = format!("SELECT {name}_sealed, {subject} FROM ledger_openings WHERE {of}");
    let (sealed, subject): (Vec<u8>, Option<i64>) =
        sqlx::query_as(AssertSqlSafe(read)).fetch_one(&app.database.owner).await.unwrap();
    let row = RowId::new().uuid(workspace).text("live").text("1").text(&seq.to_string());
    let subject = subject.map(|number| u32::try_from(number).unwrap());
    let (place, vault) = (Place { column, row: row.as_bytes(), subject }, app.vault().await);
    let owner = Owner::of(workspace);
    let plaintext = vault.unseal(owner, &place, &sealed).await.unwrap();
    let (r, value) = plaintext.split_first_chunk::<32>().unwrap();
    let mut opening = Opening { r: *r, value: String::from_utf8(value.to_vec()).unwrap() };
    change(&mut opening);
    let plaintext = [opening.r.as_slice(), opening.value.as_bytes()].concat();
    let sealed = vault.seal(owner, &place, &plaintext).await.unwrap();
    let write = format!("UPDATE ledger_openings SET {name}_sealed = $1 WHERE {of}");
    let done = sqlx::query(AssertSqlSafe(write)).bind(sealed).execute(&app.database.owner).await.unwrap();
    assert_eq!(done.rows_affected(), 1);
}

/// How a target is looked up in a workspace's logs.
pub async fn target_index(app: &TestApp, workspace: Uuid, target: &str) -> Vec<u8> {
    let keys = app.vault().await.keys(Owner::of(workspace)).await.unwrap();
    keys.blind_index(&OPENING_TARGET, target.as_bytes()).unwrap().to_vec()
}

fn log(workspace: Uuid) -> Log {
    if workspace.is_nil() {
        return Log::Cell;
    }
    Log::Workspace { workspace: bailiwick_proof::id::Id::from_uuid(workspace), environment: Environment::Live }
}
