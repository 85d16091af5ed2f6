//! Memberships with their people.

use bailiwick_proof::id::{Id, UserId};
use time::OffsetDateTime;
use uuid::Uuid;

use super::Member;
use crate::authz::vouched::stamp::Stamp;
use crate::authz::vouched::{over, rows};
use crate::authz::{Notary, Role};
use crate::db::{DbError, Lock, WorkspaceTx};

/// So many rows are read at once, at least: where many are no memberships, not one after the other.
const PAGE: usize = 100;

/// Members by id, one more than `limit`. A row that nobody vouches for is no membership, nor is one that has ended: others come
/// instead.
///
/// # Errors
/// [`DbError`].
pub async fn list(
    tx: &mut WorkspaceTx,
    notary: &Notary,
    mut after: Option<Uuid>,
    limit: u16,
) -> Result<Vec<Member>, DbError> {
    let wanted = usize::from(limit) + 1;
    let mut members = Vec::new();
    loop {
        let (page, last) = page(tx, notary, after, wanted.max(PAGE)).await?;
        members.extend(page);
        if last.is_none() || members.len() >= wanted {
            members.truncate(wanted);
            return Ok(members);
        }
        after = last;
    }
}

/// The members among the next so many rows, and the last row's id if there may be more.
async fn page(
    tx: &mut WorkspaceTx,
    notary: &Notary,
    after: Option<Uuid>,
    limit: usize,
) -> Result<(Vec<Member>, Option<Uuid>), DbError> {
    let workspace = tx.workspace().uuid();
    let all = sqlx::query!(
        "SELECT m.user_id, u.email, m.role, m.created_at, m.version, m.strong_only, m.mac
         FROM memberships m JOIN users u ON u.id = m.user_id
         WHERE m.workspace_id = $1 AND m.ended_at IS NULL AND ($2::uuid IS NULL OR m.user_id > $2)
         ORDER BY m.user_id LIMIT $3",
        workspace,
        after,
        i64::try_from(limit).unwrap_or(i64::MAX)
    )
    .fetch_all(tx.connection()?)
    .await?;
    let last = all.last().filter(|_| all.len() == limit).map(|row| row.user_id);
    let mut members = Vec::with_capacity(all.len());
    for row in all {
        let (user, version, role, strong_only) = (row.user_id, row.version, &row.role, row.strong_only);
        let own = rows::MembershipRow { workspace, user, version, role, ended_at: None, strong_only };
        if let (true, Ok(role)) = (notary.vouches(&own, &row.mac).await?, row.role.parse()) {
            members.push(Member { user_id: Id::from_uuid(user), email: row.email, role, joined_at: row.created_at });
        }
    }
    Ok((members, last))
}

/// One member.
///
/// # Errors
/// [`DbError`].
pub async fn get(tx: &mut WorkspaceTx, notary: &Notary, user: UserId) -> Result<Option<Member>, DbError> {
    let before = Uuid::from_u128(user.uuid().as_u128().saturating_sub(1));
    let (found, _) = page(tx, notary, Some(before), 1).await?;
    Ok(found.into_iter().next().filter(|member| member.user_id == user))
}

/// The addresses of so many people of the workspace, by id: they are read in place of ids, and say nothing of who is a
/// member.
///
/// # Errors
/// [`DbError`].
pub async fn addresses(tx: &mut WorkspaceTx, limit: u16) -> Result<Vec<(UserId, String)>, DbError> {
    let workspace = tx.workspace().uuid();
    let all = sqlx::query!(
        "SELECT m.user_id, u.email FROM memberships m JOIN users u ON u.id = m.user_id
         WHERE m.workspace_id = $1 AND m.ended_at IS NULL ORDER BY m.user_id LIMIT $2",
        workspace,
        i64::from(limit)
    );
    let all = all.fetch_all(tx.connection()?).await?;
    Ok(all.into_iter().map(|row| (Id::from_uuid(row.user_id), row.email)).collect())
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

/// What stands there of a person, held until the transaction ends.
struct Standing {
    role: String,
    version: i64,
    ended_at: Option<OffsetDateTime>,
    strong_only: bool,
    /// Whether somebody vouches for it.
    vouched: bool,
}

async fn standing(tx: &mut WorkspaceTx, notary: &Notary, user: UserId) -> Result<Option<Standing>, DbError> {
    let workspace = tx.workspace().uuid();
    let row = sqlx::query!(
        "SELECT role, version, ended_at, strong_only, mac FROM memberships
         WHERE workspace_id = $1 AND user_id = $2 FOR UPDATE",
        workspace,
        user.uuid()
    )
    .fetch_optional(tx.connection()?)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let (version, role, ended_at, strong_only) = (row.version, &row.role, row.ended_at, row.strong_only);
    let own = rows::MembershipRow { workspace, user: user.uuid(), version, role, ended_at, strong_only };
    let vouched = notary.vouches(&own, &row.mac).await?;
    Ok(Some(Standing { role: row.role, version, ended_at, strong_only, vouched }))
}

/// The member; `None` for whoever is none, or whose row nobody vouches for.
pub(super) async fn hold(tx: &mut WorkspaceTx, notary: &Notary, user: UserId) -> Result<Option<Held>, DbError> {
    let row = standing(tx, notary, user).await?.filter(|row| row.vouched && row.ended_at.is_none());
    Ok(row.and_then(|row| {
        let Standing { version, strong_only, .. } = row;
        row.role.parse().ok().map(|role| Held { user, role, strong_only, version })
    }))
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

/// Ends whatever stands there of a person and nobody vouches for, also where it says that it has ended: what stood there before is
/// not to be put back. `None` where there is nothing of the kind.
pub(super) async fn end_unvouched(
    tx: &mut WorkspaceTx,
    notary: &Notary,
    user: UserId,
) -> Result<Option<(Option<Role>, Stamp)>, DbError> {
    let Some(row) = standing(tx, notary, user).await?.filter(|row| !row.vouched) else { return Ok(None) };
    let (workspace, user, at) = (tx.workspace().uuid(), user.uuid(), tx.context().received_at);
    let version = over::begin(tx, row.version).await?;
    let (role, ended_at, strong_only) = (&row.role, Some(at), row.strong_only);
    let vouching = notary.vouch(&rows::MembershipRow { workspace, user, version, role, ended_at, strong_only });
    sqlx::query!(
        "UPDATE memberships SET ended_at = $3, mac = $4 WHERE workspace_id = $1 AND user_id = $2",
        workspace,
        user,
        at,
        &vouching.mac
    )
    .execute(tx.connection()?)
    .await?;
    over::done(tx).await?;
    Ok(Some((row.role.parse().ok(), vouching.stamp)))
}

/// Makes a person a member, for the first time or again; `None` if they are one. A row that nobody vouches for is none, and
/// what takes its place comes after whatever stood there.
pub(super) async fn admit(
    tx: &mut WorkspaceTx,
    notary: &Notary,
    user: UserId,
    role: Role,
) -> Result<Option<Stamp>, DbError> {
    let version = match standing(tx, notary, user).await? {
        None => 1,
        Some(before) if before.vouched && before.ended_at.is_none() => return Ok(None),
        Some(before) if before.vouched => before.version.saturating_add(1),
        Some(before) => over::begin(tx, before.version).await?,
    };
    let (workspace, user, role, at) = (tx.workspace().uuid(), user.uuid(), role.as_str(), tx.context().received_at);
    let strong_only = demands_factor(tx, notary).await?;
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
    over::done(tx).await?;
    Ok(Some(vouching.stamp))
}

/// Whether the workspace lets in only those who have shown a factor: its own row says so, or nobody vouches for what that says.
pub(super) async fn demands_factor(tx: &mut WorkspaceTx, notary: &Notary) -> Result<bool, DbError> {
    let workspace = tx.workspace().uuid();
    let row = sqlx::query!("SELECT version, strong_only, mac FROM workspaces WHERE workspace_id = $1", workspace)
        .fetch_optional(tx.connection()?)
        .await?;
    let Some(row) = row else { return Ok(true) };
    let own = rows::WorkspaceRow { workspace, version: row.version, strong_only: row.strong_only };
    own.demands_factor(notary, &row.mac).await
}
