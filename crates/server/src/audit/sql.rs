//! Entries of one log, the newest first.

use bailiwick_proof::commitment::{Field, Opening};
use bailiwick_proof::id::{EventId, Id};
use time::OffsetDateTime;
use uuid::Uuid;

use super::model::{Filter, Row};
use crate::db::{DbError, WorkspaceTx};
use crate::ledger::Stored;

/// An entry's row beside that of its openings.
struct Joined {
    event_id: Uuid,
    project_id: Option<Uuid>,
    generation: i32,
    seq: i64,
    action: String,
    recorded_at: OffsetDateTime,
    entry: Vec<u8>,
    actor: Option<String>,
    actor_r: Option<Vec<u8>>,
    ip: Option<String>,
    ip_r: Option<Vec<u8>>,
    meta: Option<String>,
    meta_r: Option<Vec<u8>>,
    target: Option<String>,
    target_r: Option<Vec<u8>>,
}

impl From<Joined> for Row {
    fn from(row: Joined) -> Self {
        let pairs = [
            (Field::Actor, row.actor, row.actor_r),
            (Field::Ip, row.ip, row.ip_r),
            (Field::Meta, row.meta, row.meta_r),
            (Field::Target, row.target, row.target_r),
        ];
        let openings = pairs
            .into_iter()
            .filter_map(|(field, value, r)| Some((field, Opening { value: value?, r: r?.try_into().ok()? })))
            .collect();
        Self {
            event: Id::from_uuid(row.event_id),
            project: row.project_id.map(Id::from_uuid),
            action: row.action,
            recorded_at: row.recorded_at,
            stored: Stored {
                generation: u32::try_from(row.generation).unwrap_or_default(),
                seq: u64::try_from(row.seq).unwrap_or_default(),
                entry: row.entry,
                openings,
            },
        }
    }
}

/// One more than `limit`, to tell whether there are more.
pub(super) async fn list(
    tx: &mut WorkspaceTx,
    filter: &Filter,
    after: Option<Uuid>,
    limit: u16,
) -> Result<Vec<Row>, DbError> {
    let (workspace, environment) = (tx.workspace().uuid(), tx.environment().as_str());
    let rows = sqlx::query_as!(
        Joined,
        r#"SELECT e.event_id, e.project_id, e.generation, e.seq, e.action,
             CASE WHEN e.recorded_at BETWEEN '0001-01-02' AND '9999-12-30' THEN e.recorded_at ELSE 'epoch' END AS "recorded_at!",
             e.entry, o.actor AS "actor?",
             o.actor_r AS "actor_r?", o.ip AS "ip?", o.ip_r AS "ip_r?", o.meta AS "meta?", o.meta_r AS "meta_r?",
             o.target AS "target?", o.target_r AS "target_r?"
         FROM ledger_entries e LEFT JOIN ledger_openings o ON o.workspace_id = e.workspace_id
             AND o.environment = e.environment AND o.generation = e.generation AND o.seq = e.seq
         WHERE e.workspace_id = $1 AND e.environment = $2
           AND ($3::text IS NULL OR e.action = $3)
           AND ($4::text IS NULL OR o.actor = $4)
           AND ($5::text IS NULL OR o.target = $5)
           AND ($6::timestamptz IS NULL OR e.recorded_at >= $6)
           AND ($7::timestamptz IS NULL OR e.recorded_at < $7)
           AND ($8::uuid IS NULL OR (e.generation, e.seq) < (SELECT c.generation, c.seq FROM ledger_entries c
               WHERE c.workspace_id = $1 AND c.environment = $2 AND c.event_id = $8))
         ORDER BY e.generation DESC, e.seq DESC LIMIT $9"#,
        workspace,
        environment,
        filter.action,
        filter.actor,
        filter.target,
        filter.from,
        filter.to,
        after,
        i64::from(limit) + 1
    )
    .fetch_all(tx.connection()?)
    .await?;
    Ok(rows.into_iter().map(Row::from).collect())
}

pub(super) async fn get(tx: &mut WorkspaceTx, event: EventId) -> Result<Option<Row>, DbError> {
    let (workspace, environment) = (tx.workspace().uuid(), tx.environment().as_str());
    let row = sqlx::query_as!(
        Joined,
        r#"SELECT e.event_id, e.project_id, e.generation, e.seq, e.action,
             CASE WHEN e.recorded_at BETWEEN '0001-01-02' AND '9999-12-30' THEN e.recorded_at ELSE 'epoch' END AS "recorded_at!",
             e.entry, o.actor AS "actor?",
             o.actor_r AS "actor_r?", o.ip AS "ip?", o.ip_r AS "ip_r?", o.meta AS "meta?", o.meta_r AS "meta_r?",
             o.target AS "target?", o.target_r AS "target_r?"
         FROM ledger_entries e LEFT JOIN ledger_openings o ON o.workspace_id = e.workspace_id
             AND o.environment = e.environment AND o.generation = e.generation AND o.seq = e.seq
         WHERE e.workspace_id = $1 AND e.environment = $2 AND e.event_id = $3
         ORDER BY e.generation, e.seq LIMIT 1"#,
        workspace,
        environment,
        event.uuid()
    )
    .fetch_optional(tx.connection()?)
    .await?;
    Ok(row.map(Row::from))
}

/// The events before and after one, by number.
pub(super) async fn neighbours(
    tx: &mut WorkspaceTx,
    generation: u32,
    seq: u64,
) -> Result<(Option<EventId>, Option<EventId>), DbError> {
    let (workspace, environment) = (tx.workspace().uuid(), tx.environment().as_str());
    let row = sqlx::query!(
        r#"SELECT (SELECT event_id FROM ledger_entries WHERE workspace_id = $1 AND environment = $2 AND generation = $3
                 AND seq < $4 ORDER BY seq DESC LIMIT 1) AS "before?",
             (SELECT event_id FROM ledger_entries WHERE workspace_id = $1 AND environment = $2 AND generation = $3
                 AND seq > $4 ORDER BY seq LIMIT 1) AS "after?""#,
        workspace,
        environment,
        i32::try_from(generation).unwrap_or(i32::MAX),
        i64::try_from(seq).unwrap_or(i64::MAX)
    )
    .fetch_one(tx.connection()?)
    .await?;
    Ok((row.before.map(Id::from_uuid), row.after.map(Id::from_uuid)))
}
