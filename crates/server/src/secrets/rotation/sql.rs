//! Rotations of one workspace and environment.

use bailiwick_proof::id::{Id, ProjectId, SecretId, SecretRotationId};
use time::OffsetDateTime;
use uuid::Uuid;

use super::super::sql::number;
use super::SecretRotation;
use crate::db::{DbError, WorkspaceTx};

struct Row {
    id: Uuid,
    secret_id: Uuid,
    reason: String,
    new_version: i32,
    watch_seconds: i32,
    opened_at: OffsetDateTime,
    ready_at: Option<OffsetDateTime>,
    revoked_at: Option<OffsetDateTime>,
    finished_at: Option<OffsetDateTime>,
    refused_uses: Option<i64>,
    receipt_event: Option<Uuid>,
}

impl From<Row> for SecretRotation {
    fn from(row: Row) -> Self {
        Self {
            id: Id::from_uuid(row.id),
            secret_id: Id::from_uuid(row.secret_id),
            reason: row.reason,
            state: Self::state_of(row.ready_at, row.revoked_at, row.finished_at),
            new_version: u32::try_from(row.new_version).unwrap_or_default(),
            opened_at: row.opened_at,
            ready_at: row.ready_at,
            revoked_at: row.revoked_at,
            watch_seconds: u32::try_from(row.watch_seconds).unwrap_or_default(),
            finished_at: row.finished_at,
            refused_uses: row.refused_uses.and_then(|count| u64::try_from(count).ok()),
            receipt_event_id: row.receipt_event.map(Id::from_uuid),
        }
    }
}

pub(super) async fn insert(
    tx: &mut WorkspaceTx,
    rotation: &SecretRotation,
    project: Option<ProjectId>,
) -> Result<(), DbError> {
    let (workspace, environment) = (tx.workspace().uuid(), tx.environment().as_str());
    sqlx::query!(
        "INSERT INTO secret_rotations (workspace_id, environment, project_id, id, secret_id, reason, new_version,
             watch_seconds, opened_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        workspace,
        environment,
        project.map(Id::uuid),
        rotation.id.uuid(),
        rotation.secret_id.uuid(),
        rotation.reason,
        i32::try_from(rotation.new_version).unwrap_or_default(),
        i32::try_from(rotation.watch_seconds).unwrap_or_default(),
        rotation.opened_at
    )
    .execute(tx.connection()?)
    .await?;
    Ok(())
}

/// The open rotation of a secret, if it has one.
pub(super) async fn open_of(tx: &mut WorkspaceTx, secret: SecretId) -> Result<Option<SecretRotationId>, DbError> {
    let workspace = tx.workspace().uuid();
    let open = sqlx::query_scalar!(
        "SELECT id FROM secret_rotations WHERE workspace_id = $1 AND secret_id = $2 AND finished_at IS NULL",
        workspace,
        secret.uuid()
    )
    .fetch_optional(tx.connection()?)
    .await?;
    Ok(open.map(Id::from_uuid))
}

pub(super) async fn get(tx: &mut WorkspaceTx, rotation: SecretRotationId) -> Result<Option<SecretRotation>, DbError> {
    let (workspace, environment) = (tx.workspace().uuid(), tx.environment().as_str());
    let row = sqlx::query_as!(
        Row,
        "SELECT id, secret_id, reason, new_version, watch_seconds, opened_at, ready_at, revoked_at, finished_at,
             refused_uses, receipt_event
         FROM secret_rotations WHERE workspace_id = $1 AND environment = $2 AND id = $3",
        workspace,
        environment,
        rotation.uuid()
    )
    .fetch_optional(tx.connection()?)
    .await?;
    Ok(row.map(SecretRotation::from))
}

/// One rotation, which nobody else brings on until the transaction ends.
pub(super) async fn lock(tx: &mut WorkspaceTx, rotation: SecretRotationId) -> Result<Option<SecretRotation>, DbError> {
    let (workspace, environment) = (tx.workspace().uuid(), tx.environment().as_str());
    sqlx::query!(
        "SELECT FROM secret_rotations WHERE workspace_id = $1 AND environment = $2 AND id = $3 FOR NO KEY UPDATE",
        workspace,
        environment,
        rotation.uuid()
    )
    .fetch_optional(tx.connection()?)
    .await?;
    // Read after the lock: the step of whoever held it is seen.
    get(tx, rotation).await
}

/// The rotations of a secret, the newest first, one more than `limit`.
pub(super) async fn list(
    tx: &mut WorkspaceTx,
    secret: SecretId,
    after: Option<Uuid>,
    limit: u16,
) -> Result<Vec<SecretRotation>, DbError> {
    let (workspace, environment) = (tx.workspace().uuid(), tx.environment().as_str());
    let rows = sqlx::query_as!(
        Row,
        "SELECT id, secret_id, reason, new_version, watch_seconds, opened_at, ready_at, revoked_at, finished_at,
             refused_uses, receipt_event
         FROM secret_rotations
         WHERE workspace_id = $1 AND environment = $2 AND secret_id = $3 AND ($4::uuid IS NULL OR id < $4)
         ORDER BY id DESC LIMIT $5",
        workspace,
        environment,
        secret.uuid(),
        after,
        i64::from(limit) + 1
    )
    .fetch_all(tx.connection()?)
    .await?;
    Ok(rows.into_iter().map(SecretRotation::from).collect())
}

/// Writes how far a rotation is.
pub(super) async fn update(tx: &mut WorkspaceTx, rotation: &SecretRotation) -> Result<(), DbError> {
    let workspace = tx.workspace().uuid();
    sqlx::query!(
        "UPDATE secret_rotations SET ready_at = $3, revoked_at = $4, finished_at = $5, refused_uses = $6, receipt_event = $7
         WHERE workspace_id = $1 AND id = $2",
        workspace,
        rotation.id.uuid(),
        rotation.ready_at,
        rotation.revoked_at,
        rotation.finished_at,
        rotation.refused_uses.and_then(|count| i64::try_from(count).ok()),
        rotation.receipt_event_id.map(Id::uuid)
    )
    .execute(tx.connection()?)
    .await?;
    Ok(())
}

/// Takes the values of all versions below one away; answers which had one.
pub(super) async fn revoke_below(
    tx: &mut WorkspaceTx,
    rotation: &SecretRotation,
) -> Result<Vec<(i32, Option<u32>)>, DbError> {
    let (workspace, now) = (tx.workspace().uuid(), tx.context().received_at);
    let revoked = sqlx::query!(
        "UPDATE secret_versions SET value_sealed = NULL, revoked_at = $4
         WHERE workspace_id = $1 AND secret_id = $2 AND version < $3 AND revoked_at IS NULL
         RETURNING version, subject",
        workspace,
        rotation.secret_id.uuid(),
        i32::try_from(rotation.new_version).unwrap_or_default(),
        now
    )
    .fetch_all(tx.connection()?)
    .await?;
    let mut revoked: Vec<_> = revoked.into_iter().map(|row| (row.version, row.subject.and_then(number))).collect();
    revoked.sort_unstable();
    Ok(revoked)
}

/// How often the versions that a rotation revoked were asked for since.
pub(super) async fn refused_uses(tx: &mut WorkspaceTx, rotation: &SecretRotation) -> Result<u64, DbError> {
    let workspace = tx.workspace().uuid();
    let sum = sqlx::query_scalar!(
        r#"SELECT coalesce(sum(refused_uses), 0)::bigint AS "sum!" FROM secret_versions
           WHERE workspace_id = $1 AND secret_id = $2 AND revoked_at = $3"#,
        workspace,
        rotation.secret_id.uuid(),
        rotation.revoked_at
    )
    .fetch_one(tx.connection()?)
    .await?;
    Ok(u64::try_from(sum).unwrap_or_default())
}
