//! Erasures of one workspace.

use bailiwick_proof::environment::Environment;
use bailiwick_proof::id::{ErasureId, EventId, Id, WorkspaceId};
use bailiwick_proof::merkle::{HASH_BYTES, Hash};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::model::{Begun, Erasure, State};
use crate::db::{DbError, SystemTx, WorkspaceTx};

struct Row {
    id: Uuid,
    commitment: Vec<u8>,
    requested_by: String,
    requested_at: OffsetDateTime,
    fields_found: i64,
    fields_erased: i64,
    finished_at: Option<OffsetDateTime>,
    certificate_event: Option<Uuid>,
}

impl From<Row> for Erasure {
    fn from(row: Row) -> Self {
        let commitment: [u8; HASH_BYTES] = row.commitment.try_into().unwrap_or_default();
        Self {
            id: Id::from_uuid(row.id),
            state: if row.finished_at.is_some() { State::Finished } else { State::UnderWay },
            subject_commitment: Hash::new(commitment).to_hex(),
            requested_by: row.requested_by,
            requested_at: row.requested_at,
            fields_found: u64::try_from(row.fields_found).unwrap_or_default(),
            fields_erased: u64::try_from(row.fields_erased).unwrap_or_default(),
            finished_at: row.finished_at,
            certificate_event_id: row.certificate_event.map(Id::from_uuid),
        }
    }
}

fn stored(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Where an erasure stands.
pub(super) type At = (WorkspaceId, Environment);

/// Before anything of it is done.
pub(super) async fn insert(
    connection: &mut PgConnection,
    (workspace, environment): At,
    begun: &Begun,
    (commitment, mac): (&Hash, &[u8]),
) -> Result<(), DbError> {
    let Begun { erasure, subject } = begun;
    sqlx::query!(
        "INSERT INTO erasures (workspace_id, environment, id, subject_number, commitment, requested_by, requested_at,
             fields_found, mac)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        workspace.uuid(),
        environment.as_str(),
        erasure.id.uuid(),
        i64::from(*subject),
        commitment.as_bytes().as_slice(),
        erasure.requested_by,
        erasure.requested_at,
        stored(erasure.fields_found),
        mac
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The erasure of a subject that is not over, if there is one.
pub(super) async fn under_way_of(tx: &mut WorkspaceTx, subject: u32) -> Result<Option<ErasureId>, DbError> {
    let workspace = tx.workspace().uuid();
    let id = sqlx::query_scalar!(
        "SELECT id FROM erasures WHERE workspace_id = $1 AND subject_number = $2 AND finished_at IS NULL",
        workspace,
        i64::from(subject)
    )
    .fetch_optional(tx.connection()?)
    .await?;
    Ok(id.map(Id::from_uuid))
}

pub(super) async fn get(tx: &mut WorkspaceTx, erasure: ErasureId) -> Result<Option<Erasure>, DbError> {
    let (workspace, environment) = (tx.workspace().uuid(), tx.environment().as_str());
    let row = sqlx::query_as!(
        Row,
        "SELECT id, commitment, requested_by, requested_at, fields_found, fields_erased, finished_at,
             certificate_event
         FROM erasures WHERE workspace_id = $1 AND environment = $2 AND id = $3",
        workspace,
        environment,
        erasure.uuid()
    )
    .fetch_optional(tx.connection()?)
    .await?;
    Ok(row.map(Erasure::from))
}

/// Erasures, the newest first, one more than `limit`.
pub(super) async fn list(tx: &mut WorkspaceTx, after: Option<Uuid>, limit: u16) -> Result<Vec<Erasure>, DbError> {
    let (workspace, environment) = (tx.workspace().uuid(), tx.environment().as_str());
    let rows = sqlx::query_as!(
        Row,
        "SELECT id, commitment, requested_by, requested_at, fields_found, fields_erased, finished_at,
             certificate_event
         FROM erasures WHERE workspace_id = $1 AND environment = $2 AND ($3::uuid IS NULL OR id < $3)
         ORDER BY id DESC LIMIT $4",
        workspace,
        environment,
        after,
        i64::from(limit) + 1
    )
    .fetch_all(tx.connection()?)
    .await?;
    Ok(rows.into_iter().map(Erasure::from).collect())
}

/// The erasures of a workspace that are not over, or one of them, each with its MAC.
pub(super) async fn under_way(
    tx: &mut SystemTx,
    workspace: WorkspaceId,
    one: Option<ErasureId>,
) -> Result<Vec<(Begun, Vec<u8>)>, DbError> {
    let rows = sqlx::query!(
        "SELECT id, subject_number, commitment, requested_by, requested_at, fields_found, fields_erased, finished_at,
             certificate_event, mac
         FROM erasures WHERE workspace_id = $1 AND finished_at IS NULL AND ($2::uuid IS NULL OR id = $2) ORDER BY id",
        workspace.uuid(),
        one.map(Id::uuid)
    )
    .fetch_all(tx.connection()?)
    .await?;
    let begun = rows.into_iter().filter_map(|row| {
        let subject = u32::try_from(row.subject_number).ok()?;
        let erasure = Row {
            id: row.id,
            commitment: row.commitment,
            requested_by: row.requested_by,
            requested_at: row.requested_at,
            fields_found: row.fields_found,
            fields_erased: row.fields_erased,
            finished_at: row.finished_at,
            certificate_event: row.certificate_event,
        };
        Some((Begun { subject, erasure: erasure.into() }, row.mac))
    });
    Ok(begun.collect())
}

/// So many more fields are gone.
pub(super) async fn progress(
    tx: &mut SystemTx,
    workspace: WorkspaceId,
    erasure: ErasureId,
    cleared: u64,
) -> Result<(), DbError> {
    sqlx::query!(
        "UPDATE erasures SET fields_erased = fields_erased + $3 WHERE workspace_id = $1 AND id = $2",
        workspace.uuid(),
        erasure.uuid(),
        stored(cleared)
    )
    .execute(tx.connection()?)
    .await?;
    Ok(())
}

/// How many fields are gone, of an erasure that nobody else ends until the transaction does; `None` when it is over.
pub(super) async fn lock(
    tx: &mut SystemTx,
    workspace: WorkspaceId,
    erasure: ErasureId,
) -> Result<Option<u64>, DbError> {
    let erased = sqlx::query_scalar!(
        "SELECT fields_erased FROM erasures WHERE workspace_id = $1 AND id = $2 AND finished_at IS NULL FOR UPDATE",
        workspace.uuid(),
        erasure.uuid()
    )
    .fetch_optional(tx.connection()?)
    .await?;
    Ok(erased.map(|erased| u64::try_from(erased).unwrap_or_default()))
}

/// It is over.
pub(super) async fn finish(
    tx: &mut SystemTx,
    workspace: WorkspaceId,
    erasure: ErasureId,
    at: OffsetDateTime,
    certificate: EventId,
) -> Result<(), DbError> {
    sqlx::query!(
        "UPDATE erasures SET finished_at = $3, certificate_event = $4 WHERE workspace_id = $1 AND id = $2",
        workspace.uuid(),
        erasure.uuid(),
        at,
        certificate.uuid()
    )
    .execute(tx.connection()?)
    .await?;
    Ok(())
}
