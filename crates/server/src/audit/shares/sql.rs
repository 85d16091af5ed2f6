//! Links to receipts of one workspace.

use bailiwick_proof::id::{EventId, Id, ReceiptShareId};
use time::OffsetDateTime;
use uuid::Uuid;

use super::model::{ReceiptShare, SharedField};
use crate::authn::TokenDigest;
use crate::authz::vouched::{rows, stamp::Stamp};
use crate::authz::{Notary, SharedReceipt};
use crate::db::{Authority as _, DbError, SystemTx, WorkspaceTx};

struct Row {
    environment: String,
    project_id: Option<Uuid>,
    id: Uuid,
    event_id: Uuid,
    open: Vec<String>,
    created_by: String,
    created_at: OffsetDateTime,
    expires_at: OffsetDateTime,
    revoked_at: Option<OffsetDateTime>,
    views: i64,
}

impl From<Row> for ReceiptShare {
    fn from(row: Row) -> Self {
        let field = |word: &String| word.parse().ok().map(|field: bailiwick_proof::commitment::Field| field.into());
        Self {
            id: Id::from_uuid(row.id),
            event_id: Id::from_uuid(row.event_id),
            environment: row.environment.parse().unwrap_or_default(),
            project_id: row.project_id.map(Id::from_uuid),
            open: row.open.iter().filter_map(field).collect::<std::collections::BTreeSet<SharedField>>(),
            created_by: row.created_by,
            created_at: row.created_at,
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
            views: u64::try_from(row.views).unwrap_or_default(),
        }
    }
}

/// Writes a link down, vouched for.
pub(super) async fn insert(
    tx: &mut WorkspaceTx,
    notary: &Notary,
    share: &ReceiptShare,
    digest: &TokenDigest,
) -> Result<Stamp, DbError> {
    let (workspace, open) = (tx.workspace().uuid(), share.open_words());
    let vouching = notary.vouch(&rows::ReceiptShareRow {
        workspace,
        environment: share.environment.as_str(),
        project: share.project_id.map(Id::uuid),
        id: share.id.uuid(),
        version: 1,
        event: share.event_id.uuid(),
        imprint: &rows::imprint(digest.bytes()),
        open: &open,
        expires_at: share.expires_at,
        revoked_at: None,
    });
    sqlx::query!(
        "INSERT INTO receipt_shares (workspace_id, environment, project_id, id, event_id, digest, open, created_by, created_at,
             expires_at, mac)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        workspace,
        share.environment.as_str(),
        share.project_id.map(Id::uuid),
        share.id.uuid(),
        share.event_id.uuid(),
        digest.bytes().as_slice(),
        &open,
        share.created_by,
        share.created_at,
        share.expires_at,
        &vouching.mac
    )
    .execute(tx.connection()?)
    .await?;
    Ok(vouching.stamp)
}

/// Revokes a link that was not, and answers it; `None` where there is none. That nobody vouched for it hinders nobody: from
/// now on somebody vouches that it is revoked. A row that says it was, and for which nobody vouches, is not believed.
pub(super) async fn revoke(
    tx: &mut WorkspaceTx,
    notary: &Notary,
    share: ReceiptShareId,
) -> Result<Option<(ReceiptShare, Stamp)>, DbError> {
    let (workspace, environment, now) = (tx.workspace().uuid(), tx.environment(), tx.context().received_at);
    let row = sqlx::query!(
        r#"SELECT version, imprint AS "imprint!", mac FROM receipt_shares
           WHERE workspace_id = $1 AND environment = $2 AND id = $3 FOR NO KEY UPDATE"#,
        workspace,
        environment.as_str(),
        share.uuid()
    )
    .fetch_optional(tx.connection()?)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let Some(found) = get(tx, share).await? else { return Ok(None) };
    // It is 1 or 2, whatever stands there.
    let (version, open) = (row.version.max(1).saturating_add(1), found.open_words());
    let before = rows::ReceiptShareRow {
        workspace,
        environment: environment.as_str(),
        project: found.project_id.map(Id::uuid),
        id: share.uuid(),
        version: row.version,
        event: found.event_id.uuid(),
        imprint: &row.imprint,
        open: &open,
        expires_at: found.expires_at,
        revoked_at: found.revoked_at,
    };
    if found.revoked_at.is_some() && notary.vouches(&before, &row.mac).await? {
        return Ok(None);
    }
    let vouching = notary.vouch(&rows::ReceiptShareRow { version, revoked_at: Some(now), ..before });
    sqlx::query!(
        "UPDATE receipt_shares SET revoked_at = $4, version = $5, mac = $6
         WHERE workspace_id = $1 AND environment = $2 AND id = $3",
        workspace,
        environment.as_str(),
        share.uuid(),
        now,
        version,
        &vouching.mac
    )
    .execute(tx.connection()?)
    .await?;
    Ok(Some((ReceiptShare { revoked_at: Some(now), ..found }, vouching.stamp)))
}

pub(super) async fn get(tx: &mut WorkspaceTx, share: ReceiptShareId) -> Result<Option<ReceiptShare>, DbError> {
    let (workspace, environment) = (tx.workspace().uuid(), tx.environment().as_str());
    let row = sqlx::query_as!(
        Row,
        "SELECT environment, project_id, id, event_id, open, created_by, created_at, expires_at, revoked_at, views
         FROM receipt_shares WHERE workspace_id = $1 AND environment = $2 AND id = $3",
        workspace,
        environment,
        share.uuid()
    )
    .fetch_optional(tx.connection()?)
    .await?;
    Ok(row.map(ReceiptShare::from))
}

/// Links, of one entry or of all, the newest first, one more than `limit`.
pub(super) async fn list(
    tx: &mut WorkspaceTx,
    event: Option<EventId>,
    after: Option<Uuid>,
    limit: u16,
) -> Result<Vec<ReceiptShare>, DbError> {
    let (workspace, environment) = (tx.workspace().uuid(), tx.environment().as_str());
    let rows = sqlx::query_as!(
        Row,
        "SELECT environment, project_id, id, event_id, open, created_by, created_at, expires_at, revoked_at, views
         FROM receipt_shares WHERE workspace_id = $1 AND environment = $2 AND ($3::uuid IS NULL OR event_id = $3)
           AND ($4::uuid IS NULL OR id < $4) ORDER BY id DESC LIMIT $5",
        workspace,
        environment,
        event.map(Id::uuid),
        after,
        i64::from(limit) + 1
    )
    .fetch_all(tx.connection()?)
    .await?;
    Ok(rows.into_iter().map(ReceiptShare::from).collect())
}

/// The page of a link was shown once more.
pub(super) async fn count(tx: &mut SystemTx, shared: &SharedReceipt) -> Result<(), DbError> {
    sqlx::query!(
        "UPDATE receipt_shares SET views = views + 1 WHERE workspace_id = $1 AND id = $2",
        shared.workspace().uuid(),
        shared.id().uuid()
    )
    .execute(tx.connection()?)
    .await?;
    Ok(())
}
