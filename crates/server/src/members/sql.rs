//! Memberships with their people.

use bailiwick_proof::id::{Id, UserId};
use time::OffsetDateTime;
use uuid::Uuid;

use super::Member;
use crate::authz::vouched::rows;
use crate::authz::vouched::stamp::Stamp;
use crate::authz::{Notary, Role};
use crate::db::{DbError, Lock, WorkspaceTx};

/// Members by id, one more than `limit`. A row whose role is no word of ours is no membership, nor is one that has ended.
///
/// # Errors
/// [`DbError`].
pub async fn list(tx: &mut WorkspaceTx, after: Option<Uuid>, limit: u16) -> Result<Vec<Member>, DbError> {
    let workspace = tx.workspace().uuid();
    let rows = sqlx::query!(
        "SELECT m.user_id, u.email, m.role, m.created_at FROM memberships m JOIN users u ON u.id = m.user_id
         WHERE m.workspace_id = $1 AND m.ended_at IS NULL AND ($2::uuid IS NULL OR m.user_id > $2)
         ORDER BY m.user_id LIMIT $3",
        workspace,
        after,
        i64::from(limit) + 1
    )
    .fetch_all(tx.connection()?)
    .await?;
    let members = rows.into_iter().filter_map(|row| {
        let (user_id, role) = (Id::from_uuid(row.user_id), row.role.parse().ok()?);
        Some(Member { user_id, email: row.email, role, joined_at: row.created_at })
    });
    Ok(members.collect())
}

/// One member.
///
/// # Errors
/// [`DbError`].
pub async fn get(tx: &mut WorkspaceTx, user: UserId) -> Result<Option<Member>, DbError> {
    let before = Uuid::from_u128(user.uuid().as_u128().saturating_sub(1));
    let first = list(tx, Some(before), 1).await?.into_iter().next();
    Ok(first.filter(|member| member.user_id == user))
}

/// Nobody else changes who belongs to the workspace, and as what, until the transaction ends: of two owners who demote each
/// other at once, the second sees what the first has done.
pub(super) async fn lock_people(tx: &mut WorkspaceTx) -> Result<(), DbError> {
    Lock::People(tx.workspace()).take(tx.connection()?).await
}

/// A member whom somebody vouches for, held until the transaction ends.
pub(super) struct Held {
    pub(super) user: UserId,
    pub(super) role: Role,
    pub(super) strong_only: bool,
    version: i64,
}

impl Held {
    const fn becoming<'a>(
        &self,
        tx: &WorkspaceTx,
        role: &'a str,
        ended: Option<OffsetDateTime>,
    ) -> rows::MembershipRow<'a> {
        let (workspace, user, strong_only) = (tx.workspace().uuid(), self.user.uuid(), self.strong_only);
        let version = self.version.saturating_add(1);
        rows::MembershipRow { workspace, user, version, role, ended_at: ended, strong_only }
    }
}

/// The member; `None` for whoever is none, or whose row nobody vouches for.
pub(super) async fn hold(tx: &mut WorkspaceTx, notary: &Notary, user: UserId) -> Result<Option<Held>, DbError> {
    let workspace = tx.workspace().uuid();
    let row = sqlx::query!(
        "SELECT role, version, ended_at, strong_only, mac FROM memberships
         WHERE workspace_id = $1 AND user_id = $2 FOR UPDATE",
        workspace,
        user.uuid()
    )
    .fetch_optional(tx.connection()?)
    .await?;
    let Some(row) = row.filter(|row| row.ended_at.is_none()) else { return Ok(None) };
    let (version, role, strong_only) = (row.version, &row.role, row.strong_only);
    let own = rows::MembershipRow { workspace, user: user.uuid(), version, role, ended_at: None, strong_only };
    let vouched = notary.vouches(&own, &row.mac).await?;
    Ok(row.role.parse().ok().filter(|_| vouched).map(|role| Held { user, role, strong_only, version }))
}

/// Whether somebody else is an owner whom somebody vouches for, and is not suspended.
pub(super) async fn has_other_owner(tx: &mut WorkspaceTx, notary: &Notary, user: UserId) -> Result<bool, DbError> {
    let workspace = tx.workspace().uuid();
    let rows = sqlx::query!(
        "SELECT m.user_id, m.role, m.version, m.strong_only, m.mac FROM memberships m JOIN users u ON u.id = m.user_id
         WHERE m.workspace_id = $1 AND m.role = 'owner' AND m.ended_at IS NULL AND m.user_id <> $2
           AND u.suspended_at IS NULL",
        workspace,
        user.uuid()
    )
    .fetch_all(tx.connection()?)
    .await?;
    for row in rows {
        let (user, version, role, strong_only) = (row.user_id, row.version, &row.role, row.strong_only);
        let own = rows::MembershipRow { workspace, user, version, role, ended_at: None, strong_only };
        if notary.vouches(&own, &row.mac).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether somebody with this address is a member whom somebody vouches for.
pub(super) async fn has_address(tx: &mut WorkspaceTx, notary: &Notary, email_key: &str) -> Result<bool, DbError> {
    let workspace = tx.workspace().uuid();
    let row = sqlx::query!(
        r#"SELECT m.user_id FROM memberships m JOIN users u ON u.id = m.user_id
           WHERE m.workspace_id = $1 AND m.ended_at IS NULL AND lower(u.email COLLATE "C") = $2"#,
        workspace,
        email_key
    )
    .fetch_optional(tx.connection()?)
    .await?;
    let Some(row) = row else { return Ok(false) };
    Ok(hold(tx, notary, Id::from_uuid(row.user_id)).await?.is_some())
}

/// Gives a member another role.
pub(super) async fn set_role(tx: &mut WorkspaceTx, notary: &Notary, held: &Held, role: Role) -> Result<Stamp, DbError> {
    let vouching = notary.vouch(&held.becoming(tx, role.as_str(), None));
    let workspace = tx.workspace().uuid();
    sqlx::query!(
        "UPDATE memberships SET role = $3, mac = $4 WHERE workspace_id = $1 AND user_id = $2",
        workspace,
        held.user.uuid(),
        role.as_str(),
        &vouching.mac
    )
    .execute(tx.connection()?)
    .await?;
    Ok(vouching.stamp)
}

/// Ends a membership. Its row stays, and its version with it.
pub(super) async fn end(tx: &mut WorkspaceTx, notary: &Notary, held: &Held) -> Result<Stamp, DbError> {
    let at = tx.context().received_at;
    let vouching = notary.vouch(&held.becoming(tx, held.role.as_str(), Some(at)));
    let workspace = tx.workspace().uuid();
    sqlx::query!(
        "UPDATE memberships SET ended_at = $3, mac = $4 WHERE workspace_id = $1 AND user_id = $2",
        workspace,
        held.user.uuid(),
        at,
        &vouching.mac
    )
    .execute(tx.connection()?)
    .await?;
    Ok(vouching.stamp)
}

/// Makes a person a member, for the first time or again; `None` if they are one. A row that nobody vouches for is none, and
/// what takes its place is its next version.
pub(super) async fn admit(
    tx: &mut WorkspaceTx,
    notary: &Notary,
    user: UserId,
    role: Role,
) -> Result<Option<Stamp>, DbError> {
    if hold(tx, notary, user).await?.is_some() {
        return Ok(None);
    }
    let (workspace, user, role, at) = (tx.workspace().uuid(), user.uuid(), role.as_str(), tx.context().received_at);
    let before = sqlx::query_scalar!(
        "SELECT version FROM memberships WHERE workspace_id = $1 AND user_id = $2 FOR UPDATE",
        workspace,
        user
    )
    .fetch_optional(tx.connection()?)
    .await?;
    let version = before.map_or(1, |before| before.saturating_add(1));
    let strong_only = demands_factor(tx).await?;
    let vouching = notary.vouch(&rows::MembershipRow { workspace, user, version, role, ended_at: None, strong_only });
    sqlx::query!(
        "INSERT INTO memberships (workspace_id, user_id, role, created_at, strong_only, mac) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (workspace_id, user_id)
         DO UPDATE SET role = excluded.role, created_at = excluded.created_at, ended_at = NULL,
             strong_only = excluded.strong_only, mac = excluded.mac",
        workspace,
        user,
        role,
        at,
        strong_only,
        &vouching.mac
    )
    .execute(tx.connection()?)
    .await?;
    Ok(Some(vouching.stamp))
}

/// Whether the workspace lets in only those who have shown a factor. Any membership that says so is enough: a row that somebody
/// else wrote makes it stricter at most.
pub(super) async fn demands_factor(tx: &mut WorkspaceTx) -> Result<bool, DbError> {
    let workspace = tx.workspace().uuid();
    let demands = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM memberships WHERE workspace_id = $1 AND ended_at IS NULL AND strong_only) AS "demands!""#,
        workspace
    );
    Ok(demands.fetch_one(tx.connection()?).await?)
}
