//! Entries of one log.

use bailiwick_proof::id::{EventId, Id};
use time::OffsetDateTime;
use uuid::Uuid;

use super::export::Stretch;
use super::model::Row;
use super::page::Published;
use crate::db::{DbError, WorkspaceTx};
use crate::ledger::{SealedOpenings, Stored};

/// An entry's row beside that of its openings.
pub(super) struct Joined {
    pub(super) event_id: Uuid,
    pub(super) project_id: Option<Uuid>,
    pub(super) generation: i32,
    pub(super) seq: i64,
    pub(super) action: String,
    pub(super) recorded_at: OffsetDateTime,
    pub(super) entry: Vec<u8>,
    pub(super) actor: Option<Vec<u8>>,
    pub(super) ip: Option<Vec<u8>>,
    pub(super) meta: Option<Vec<u8>>,
    pub(super) target: Option<Vec<u8>>,
    pub(super) actor_subject: Option<i64>,
    pub(super) meta_subject: Option<i64>,
    pub(super) target_subject: Option<i64>,
}

/// An entry whose openings are still sealed.
pub(super) struct SealedRow {
    pub(super) row: Row,
    pub(super) sealed: SealedOpenings,
}

impl From<Joined> for SealedRow {
    fn from(joined: Joined) -> Self {
        let Joined { actor, ip, meta, target, actor_subject, meta_subject, target_subject, .. } = joined;
        let row = Row {
            event: Id::from_uuid(joined.event_id),
            project: joined.project_id.map(Id::from_uuid),
            action: joined.action,
            recorded_at: joined.recorded_at,
            stored: Stored::unopened(
                u32::try_from(joined.generation).unwrap_or_default(),
                u64::try_from(joined.seq).unwrap_or_default(),
                joined.entry,
            ),
        };
        Self { row, sealed: SealedOpenings { actor, ip, meta, target, actor_subject, meta_subject, target_subject } }
    }
}

/// So many entries of a stretch after this place, in the order of the log.
pub(super) async fn stretch(
    tx: &mut WorkspaceTx,
    stretch: Stretch,
    after: Option<(u32, u64)>,
    limit: u16,
) -> Result<Vec<SealedRow>, DbError> {
    let (workspace, environment) = (tx.workspace().uuid(), tx.environment().as_str());
    // Before the first entry of the first generation.
    let (generation, seq) = after.map_or((0, -1), |(generation, seq)| {
        (i32::try_from(generation).unwrap_or(i32::MAX), i64::try_from(seq).unwrap_or(i64::MAX))
    });
    let rows = sqlx::query_as!(
        Joined,
        r#"SELECT e.event_id, e.project_id, e.generation, e.seq, e.action,
             CASE WHEN e.recorded_at BETWEEN '0001-01-02' AND '9999-12-30' THEN e.recorded_at ELSE 'epoch' END AS "recorded_at!",
             e.entry, o.actor_sealed AS "actor?", o.ip_sealed AS "ip?", o.meta_sealed AS "meta?", o.target_sealed AS "target?",
             o.actor_subject AS "actor_subject?", o.meta_subject AS "meta_subject?", o.target_subject AS "target_subject?"
         FROM ledger_entries e LEFT JOIN ledger_openings o ON o.workspace_id = e.workspace_id
             AND o.environment = e.environment AND o.generation = e.generation AND o.seq = e.seq
         WHERE e.workspace_id = $1 AND e.environment = $2 AND (e.generation, e.seq) > ($3, $4)
           AND ($5::timestamptz IS NULL OR e.recorded_at >= $5) AND e.recorded_at < $6
         ORDER BY e.generation, e.seq LIMIT $7"#,
        workspace,
        environment,
        generation,
        seq,
        stretch.from,
        stretch.to,
        i64::from(limit)
    )
    .fetch_all(tx.connection()?)
    .await?;
    Ok(rows.into_iter().map(SealedRow::from).collect())
}

pub(super) async fn get(tx: &mut WorkspaceTx, event: EventId) -> Result<Option<SealedRow>, DbError> {
    let (workspace, environment) = (tx.workspace().uuid(), tx.environment().as_str());
    let row = sqlx::query_as!(
        Joined,
        // Found before it is ordered, or the log may be walked in its order until the id comes by.
        r#"WITH named AS MATERIALIZED (SELECT event_id, project_id, generation, seq, action, recorded_at, entry FROM ledger_entries
             WHERE workspace_id = $1 AND environment = $2 AND event_id = $3)
         SELECT e.event_id, e.project_id, e.generation, e.seq, e.action,
             CASE WHEN e.recorded_at BETWEEN '0001-01-02' AND '9999-12-30' THEN e.recorded_at ELSE 'epoch' END AS "recorded_at!",
             e.entry, o.actor_sealed AS "actor?", o.ip_sealed AS "ip?", o.meta_sealed AS "meta?", o.target_sealed AS "target?",
             o.actor_subject AS "actor_subject?", o.meta_subject AS "meta_subject?", o.target_subject AS "target_subject?"
         FROM named e LEFT JOIN ledger_openings o ON o.workspace_id = $1 AND o.environment = $2
             AND o.generation = e.generation AND o.seq = e.seq
         ORDER BY e.generation, e.seq LIMIT 1"#,
        workspace,
        environment,
        event.uuid()
    )
    .fetch_optional(tx.connection()?)
    .await?;
    Ok(row.map(SealedRow::from))
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

/// The newest checkpoints of the log, the newest first.
pub(super) async fn published(tx: &mut WorkspaceTx) -> Result<Vec<Published>, DbError> {
    let rows = sqlx::query!(
        "SELECT generation, size, signed_at FROM ledger_checkpoints WHERE workspace_id = $1 AND environment = $2
         ORDER BY generation DESC, size DESC LIMIT 120",
        tx.workspace().uuid(),
        tx.environment().as_str()
    )
    .fetch_all(tx.connection()?)
    .await?;
    let published = rows.into_iter().map(|row| Published {
        generation: u32::try_from(row.generation).unwrap_or_default(),
        size: u64::try_from(row.size).unwrap_or_default(),
        signed_at: row.signed_at,
    });
    Ok(published.collect())
}
