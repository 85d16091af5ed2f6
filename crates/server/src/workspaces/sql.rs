//! Workspaces and the membership that each begins with.

use bailiwick_proof::id::{Id, UserId};
use time::OffsetDateTime;
use uuid::Uuid;

use super::model::{CreateWorkspace, Workspace};
use crate::authz::vouched::rows;
use crate::authz::vouched::stamp::Stamp;
use crate::authz::{Notary, Role, Slug};
use crate::db::{AccountTx, DbError, Lock, WorkspaceTx};

/// Only while founding, when the founder's own rows are visible too. Takes a lock on the name for the founder until
/// the transaction ends: of two foundings at once the second sees the first.
pub(super) async fn founder_has_slug(tx: &mut WorkspaceTx, user: UserId, slug: &Slug) -> Result<bool, DbError> {
    Lock::Founding(user, slug.as_str()).take(tx.connection()?).await?;
    let has = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM memberships m JOIN workspaces w ON w.workspace_id = m.workspace_id
             WHERE m.user_id = $1 AND m.ended_at IS NULL AND w.slug = $2) AS "has!""#,
        user.uuid(),
        slug.as_str()
    )
    .fetch_one(tx.connection()?)
    .await?;
    Ok(has)
}

pub(super) async fn insert_workspace(
    tx: &mut WorkspaceTx,
    notary: &Notary,
    new: &CreateWorkspace,
    created_at: OffsetDateTime,
) -> Result<Stamp, DbError> {
    let workspace = tx.workspace().uuid();
    let vouching = notary.vouch(&rows::WorkspaceRow { workspace, version: 1, strong_only: false });
    sqlx::query!(
        "INSERT INTO workspaces (workspace_id, name, slug, created_at, mac) VALUES ($1, $2, $3, $4, $5)",
        workspace,
        new.name.as_str(),
        new.slug.as_str(),
        created_at,
        &vouching.mac
    )
    .execute(tx.connection()?)
    .await?;
    Ok(vouching.stamp)
}

pub(super) async fn insert_member(
    tx: &mut WorkspaceTx,
    notary: &Notary,
    user: UserId,
    role: Role,
    created_at: OffsetDateTime,
) -> Result<Stamp, DbError> {
    let (workspace, user, role) = (tx.workspace().uuid(), user.uuid(), role.as_str());
    let vouching =
        notary.vouch(&rows::MembershipRow { workspace, user, version: 1, role, ended_at: None, strong_only: false });
    sqlx::query!(
        "INSERT INTO memberships (workspace_id, user_id, role, created_at, mac) VALUES ($1, $2, $3, $4, $5)",
        workspace,
        user,
        role,
        created_at,
        &vouching.mac
    )
    .execute(tx.connection()?)
    .await?;
    Ok(vouching.stamp)
}

/// At most so many of the person's, after this one. Those that nobody vouches for are none, and others come instead.
pub(super) async fn list(
    tx: &mut AccountTx,
    notary: &Notary,
    mut after: Option<Uuid>,
    limit: usize,
) -> Result<Vec<Workspace>, DbError> {
    let mut workspaces = Vec::new();
    loop {
        let wanted = limit.saturating_sub(workspaces.len());
        let (page, last) = page(tx, notary, after, wanted).await?;
        workspaces.extend(page);
        if last.is_none() || workspaces.len() >= limit {
            return Ok(workspaces);
        }
        after = last;
    }
}

/// The workspaces among the next so many rows, and the last row's id if there may be more.
async fn page(
    tx: &mut AccountTx,
    notary: &Notary,
    after: Option<Uuid>,
    limit: usize,
) -> Result<(Vec<Workspace>, Option<Uuid>), DbError> {
    let user = tx.user().uuid();
    let all = sqlx::query!(
        "SELECT w.workspace_id, w.name, w.slug, w.created_at, m.role, m.version, m.strong_only, m.mac
         FROM memberships m JOIN workspaces w ON w.workspace_id = m.workspace_id
         WHERE m.user_id = $1 AND m.ended_at IS NULL AND ($2::uuid IS NULL OR m.workspace_id > $2) ORDER BY m.workspace_id LIMIT $3",
        user,
        after,
        i64::try_from(limit).unwrap_or(i64::MAX)
    )
    .fetch_all(tx.connection()?)
    .await?;
    let last = all.last().filter(|_| all.len() == limit).map(|row| row.workspace_id);
    let mut workspaces = Vec::with_capacity(all.len());
    for row in all {
        let (workspace, version, role, strong_only) = (row.workspace_id, row.version, &row.role, row.strong_only);
        let own = rows::MembershipRow { workspace, user, version, role, ended_at: None, strong_only };
        if notary.vouches(&own, &row.mac).await? {
            workspaces.push(Workspace {
                id: Id::from_uuid(row.workspace_id),
                name: row.name,
                slug: row.slug,
                role: row.role.parse().ok(),
                created_at: row.created_at,
            });
        }
    }
    Ok((workspaces, last))
}

pub(super) async fn get(tx: &mut WorkspaceTx, role: Option<Role>) -> Result<Option<Workspace>, DbError> {
    let workspace = tx.workspace().uuid();
    let row =
        sqlx::query!("SELECT workspace_id, name, slug, created_at FROM workspaces WHERE workspace_id = $1", workspace)
            .fetch_optional(tx.connection()?)
            .await?;
    Ok(row.map(|row| Workspace {
        id: Id::from_uuid(row.workspace_id),
        name: row.name,
        slug: row.slug,
        role,
        created_at: row.created_at,
    }))
}
