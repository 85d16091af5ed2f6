//! Invitations, in their workspace's transactions; and one by its token, on the path that looks it up.

use bailiwick_proof::id::{Id, InvitationId, UserId, WorkspaceId};
use time::OffsetDateTime;
use uuid::Uuid;

use super::model::{Invitation, InvitationStatus, KEPT};
use crate::authn::TokenDigest;
use crate::authz::vouched::stamp::Stamp;
use crate::authz::vouched::{over, rows};
use crate::authz::{Notary, Role};
use crate::db::{DbError, SystemTx, WorkspaceTx};

/// An invitation as it stands in its table.
pub(super) struct Row {
    pub(super) workspace_id: Uuid,
    pub(super) id: Uuid,
    pub(super) email: String,
    pub(super) email_key: String,
    pub(super) role: String,
    pub(super) token_digest: Vec<u8>,
    pub(super) invited_by: Uuid,
    pub(super) created_at: OffsetDateTime,
    pub(super) sent_at: OffsetDateTime,
    pub(super) expires_at: OffsetDateTime,
    pub(super) accepted_at: Option<OffsetDateTime>,
    pub(super) revoked_at: Option<OffsetDateTime>,
    pub(super) version: i64,
    pub(super) mac: Vec<u8>,
}

impl Row {
    fn vouched(&self) -> rows::InvitationRow<'_> {
        rows::InvitationRow {
            workspace: self.workspace_id,
            id: self.id,
            version: self.version,
            email: &self.email,
            email_key: &self.email_key,
            role: &self.role,
            token_digest: &self.token_digest,
            invited_by: self.invited_by,
            expires_at: self.expires_at,
            accepted_at: self.accepted_at,
            revoked_at: self.revoked_at,
        }
    }

    pub(super) fn id(&self) -> InvitationId {
        Id::from_uuid(self.id)
    }

    pub(super) fn maker(&self) -> UserId {
        Id::from_uuid(self.invited_by)
    }

    pub(super) fn workspace(&self) -> WorkspaceId {
        Id::from_uuid(self.workspace_id)
    }

    /// `None` for a word that is none of ours.
    pub(super) fn role(&self) -> Option<Role> {
        self.role.parse().ok()
    }

    pub(super) const fn is_open(&self) -> bool {
        self.accepted_at.is_none() && self.revoked_at.is_none()
    }

    /// Whether it can be taken now.
    pub(super) fn is_good(&self, now: OffsetDateTime) -> bool {
        self.is_open() && self.expires_at > now
    }

    /// As its workspace is shown it.
    pub(super) fn shown(&self, now: OffsetDateTime) -> Option<Invitation> {
        let status = if self.expires_at > now { InvitationStatus::Pending } else { InvitationStatus::Expired };
        Some(Invitation {
            id: self.id(),
            email: self.email.clone(),
            role: self.role()?,
            status,
            invited_by: self.maker(),
            created_at: self.created_at,
            sent_at: self.sent_at,
            expires_at: self.expires_at,
        })
    }
}

/// A new one; the address must have no other that is open.
pub(super) async fn insert(tx: &mut WorkspaceTx, notary: &Notary, row: &Row) -> Result<Stamp, DbError> {
    let vouching = notary.vouch(&row.vouched());
    sqlx::query!(
        "INSERT INTO invitations
             (workspace_id, id, email, email_key, role, token_digest, invited_by, created_at, sent_at, expires_at, mac)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        row.workspace_id,
        row.id,
        row.email,
        row.email_key,
        row.role,
        row.token_digest,
        row.invited_by,
        row.created_at,
        row.sent_at,
        row.expires_at,
        &vouching.mac
    )
    .execute(tx.connection()?)
    .await?;
    Ok(vouching.stamp)
}

/// Writes what became of one that is held: sent again, taken, revoked.
pub(super) async fn keep(tx: &mut WorkspaceTx, notary: &Notary, row: &mut Row) -> Result<Stamp, DbError> {
    let version = row.version.saturating_add(1);
    keep_as(tx, notary, row, version).await
}

async fn keep_as(tx: &mut WorkspaceTx, notary: &Notary, row: &mut Row, version: i64) -> Result<Stamp, DbError> {
    row.version = version;
    let vouching = notary.vouch(&row.vouched());
    sqlx::query!(
        "UPDATE invitations SET token_digest = $3, invited_by = $4, sent_at = $5, expires_at = $6, accepted_at = $7,
             revoked_at = $8, mac = $9
         WHERE workspace_id = $1 AND id = $2",
        row.workspace_id,
        row.id,
        row.token_digest,
        row.invited_by,
        row.sent_at,
        row.expires_at,
        row.accepted_at,
        row.revoked_at,
        &vouching.mac
    )
    .execute(tx.connection()?)
    .await?;
    Ok(vouching.stamp)
}

/// One that somebody vouches for, open or not, held until the transaction ends.
pub(super) async fn hold(
    tx: &mut WorkspaceTx,
    notary: &Notary,
    invitation: InvitationId,
) -> Result<Option<Row>, DbError> {
    let row = standing(tx, notary, invitation).await?;
    Ok(row.filter(|(_, vouched)| *vouched).map(|(row, _)| row))
}

/// Revokes whatever stands there and nobody vouches for, also where it says that it is over: what stood there before is not to be
/// put back. `None` where there is nothing of the kind.
pub(super) async fn revoke_unvouched(
    tx: &mut WorkspaceTx,
    notary: &Notary,
    invitation: InvitationId,
) -> Result<Option<Stamp>, DbError> {
    let row = standing(tx, notary, invitation).await?;
    let Some((mut row, _)) = row.filter(|(_, vouched)| !vouched) else { return Ok(None) };
    (row.accepted_at, row.revoked_at) = (None, Some(tx.context().received_at));
    let version = over::begin(tx, row.version).await?;
    let stamp = keep_as(tx, notary, &mut row, version).await?;
    over::done(tx).await?;
    Ok(Some(stamp))
}

/// What stands there, held until the transaction ends, and whether somebody vouches for it.
async fn standing(
    tx: &mut WorkspaceTx,
    notary: &Notary,
    invitation: InvitationId,
) -> Result<Option<(Row, bool)>, DbError> {
    let workspace = tx.workspace().uuid();
    let row = sqlx::query_as!(
        Row,
        "SELECT workspace_id, id, email, email_key, role, token_digest, invited_by, created_at, sent_at, expires_at,
             accepted_at, revoked_at, version, mac
         FROM invitations WHERE workspace_id = $1 AND id = $2 FOR UPDATE",
        workspace,
        invitation.uuid()
    )
    .fetch_optional(tx.connection()?)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let vouched = notary.vouches(&row.vouched(), &row.mac).await?;
    Ok(Some((row, vouched)))
}

/// Those that are open, the newest first, one more than `limit`.
pub(super) async fn list(tx: &mut WorkspaceTx, after: Option<Uuid>, limit: u16) -> Result<Vec<Row>, DbError> {
    let workspace = tx.workspace().uuid();
    let rows = sqlx::query_as!(
        Row,
        "SELECT workspace_id, id, email, email_key, role, token_digest, invited_by, created_at, sent_at, expires_at,
             accepted_at, revoked_at, version, mac
         FROM invitations
         WHERE workspace_id = $1 AND accepted_at IS NULL AND revoked_at IS NULL AND ($2::uuid IS NULL OR id < $2)
         ORDER BY id DESC LIMIT $3",
        workspace,
        after,
        i64::from(limit) + 1
    )
    .fetch_all(tx.connection()?)
    .await?;
    Ok(rows)
}

/// The open one of this address, and how many are open at all.
pub(super) async fn open_of(tx: &mut WorkspaceTx, email_key: &str) -> Result<(Option<InvitationId>, i64), DbError> {
    let workspace = tx.workspace().uuid();
    let row = sqlx::query!(
        r#"SELECT count(*) AS "open!", (array_agg(id) FILTER (WHERE email_key = $2))[1] AS own
           FROM invitations WHERE workspace_id = $1 AND accepted_at IS NULL AND revoked_at IS NULL"#,
        workspace,
        email_key
    )
    .fetch_one(tx.connection()?)
    .await?;
    Ok((row.own.map(Id::from_uuid), row.open))
}

/// Takes those away whose time was over long ago.
pub(super) async fn drop_old(tx: &mut WorkspaceTx) -> Result<(), DbError> {
    let (workspace, before) = (tx.workspace().uuid(), tx.context().received_at - KEPT);
    sqlx::query!("DELETE FROM invitations WHERE workspace_id = $1 AND expires_at < $2", workspace, before)
        .execute(tx.connection()?)
        .await?;
    Ok(())
}

/// Revokes whatever a person offers, for they may offer nothing any more.
pub(in crate::members) async fn revoke_of(
    tx: &mut WorkspaceTx,
    notary: &Notary,
    maker: UserId,
) -> Result<Vec<Stamp>, DbError> {
    let workspace = tx.workspace().uuid();
    let open = sqlx::query_scalar!(
        "SELECT id FROM invitations
         WHERE workspace_id = $1 AND invited_by = $2 AND accepted_at IS NULL AND revoked_at IS NULL ORDER BY id",
        workspace,
        maker.uuid()
    )
    .fetch_all(tx.connection()?)
    .await?;
    let now = tx.context().received_at;
    let mut stamps = Vec::with_capacity(open.len());
    for id in open {
        if let Some(mut row) = hold(tx, notary, Id::from_uuid(id)).await? {
            row.revoked_at = Some(now);
            stamps.push(keep(tx, notary, &mut row).await?);
        }
    }
    Ok(stamps)
}

/// How a workspace is called.
pub(super) async fn workspace_name(tx: &mut WorkspaceTx) -> Result<String, DbError> {
    let workspace = tx.workspace().uuid();
    let name = sqlx::query_scalar!("SELECT name FROM workspaces WHERE workspace_id = $1", workspace);
    Ok(name.fetch_one(tx.connection()?).await?)
}

/// An invitation with the names that whoever was invited knows.
pub(super) struct Found {
    pub(super) row: Row,
    pub(super) workspace_name: String,
    pub(super) invited_by: String,
}

/// The one that this is the token of, if somebody vouches for it.
pub(super) async fn by_token(
    tx: &mut SystemTx,
    notary: &Notary,
    token: &TokenDigest,
) -> Result<Option<Found>, DbError> {
    let row = sqlx::query_as!(
        Row,
        "SELECT workspace_id, id, email, email_key, role, token_digest, invited_by, created_at, sent_at, expires_at,
             accepted_at, revoked_at, version, mac
         FROM invitations WHERE token_digest = $1",
        token.bytes().as_slice()
    )
    .fetch_optional(tx.connection()?)
    .await?;
    let Some(row) = row else { return Ok(None) };
    if !notary.vouches(&row.vouched(), &row.mac).await? {
        return Ok(None);
    }
    let names = sqlx::query!(
        "SELECT w.name, u.email FROM workspaces w, users u WHERE w.workspace_id = $1 AND u.id = $2",
        row.workspace_id,
        row.invited_by
    )
    .fetch_one(tx.connection()?)
    .await?;
    Ok(Some(Found { row, workspace_name: names.name, invited_by: names.email }))
}
