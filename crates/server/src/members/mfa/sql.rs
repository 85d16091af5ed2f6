//! What memberships say of factors.

use uuid::Uuid;

use crate::authz::Notary;
use crate::authz::vouched::stamp::Stamp;
use crate::authz::vouched::{over, rows};
use crate::db::{DbError, WorkspaceTx};

/// Says it in the workspace's own row, whatever stands there; `None` where all of it is said already: by a row that somebody vouches
/// for, and by every membership.
pub(super) async fn demand(tx: &mut WorkspaceTx, notary: &Notary, strong_only: bool) -> Result<Option<Stamp>, DbError> {
    let workspace = tx.workspace().uuid();
    let row = sqlx::query!(
        r#"SELECT w.version, w.strong_only, w.mac, EXISTS (SELECT FROM memberships m WHERE m.workspace_id = $1
               AND m.ended_at IS NULL AND m.strong_only <> $2) AS "differs!"
           FROM workspaces w WHERE w.workspace_id = $1 FOR NO KEY UPDATE OF w"#,
        workspace,
        strong_only
    )
    .fetch_one(tx.connection()?)
    .await?;
    let own = rows::WorkspaceRow { workspace, version: row.version, strong_only: row.strong_only };
    let vouched = notary.vouches(&own, &row.mac).await?;
    if vouched && row.strong_only == strong_only && !row.differs {
        return Ok(None);
    }
    let version = if vouched { row.version.saturating_add(1) } else { over::begin(tx, row.version).await? };
    let vouching = notary.vouch(&rows::WorkspaceRow { workspace, version, strong_only });
    sqlx::query!(
        "UPDATE workspaces SET strong_only = $2, mac = $3 WHERE workspace_id = $1",
        workspace,
        strong_only,
        &vouching.mac
    )
    .execute(tx.connection()?)
    .await?;
    over::done(tx).await?;
    Ok(Some(vouching.stamp))
}

/// Says it in each membership that somebody vouches for. One that nobody does grants nothing, and is not vouched for by this.
pub(super) async fn demand_of_members(
    tx: &mut WorkspaceTx,
    notary: &Notary,
    strong_only: bool,
) -> Result<Vec<Stamp>, DbError> {
    let workspace = tx.workspace().uuid();
    let all = sqlx::query!(
        "SELECT user_id, role, version, strong_only, mac FROM memberships
         WHERE workspace_id = $1 AND ended_at IS NULL ORDER BY user_id FOR UPDATE",
        workspace
    )
    .fetch_all(tx.connection()?)
    .await?;
    let (mut users, mut macs, mut stamps): (Vec<Uuid>, Vec<Vec<u8>>, _) = (vec![], vec![], vec![]);
    for row in all {
        let (user, role) = (row.user_id, &row.role);
        let own =
            |version, strong_only| rows::MembershipRow { workspace, user, version, role, ended_at: None, strong_only };
        if notary.vouches(&own(row.version, row.strong_only), &row.mac).await? {
            let vouching = notary.vouch(&own(row.version + 1, strong_only));
            users.push(user);
            macs.push(vouching.mac);
            stamps.push(vouching.stamp);
        }
    }
    sqlx::query!(
        "UPDATE memberships AS m SET strong_only = $4, mac = said.mac
         FROM unnest($2::uuid[], $3::bytea[]) AS said (user_id, mac)
         WHERE m.workspace_id = $1 AND m.user_id = said.user_id",
        workspace,
        &users,
        &macs,
        strong_only
    )
    .execute(tx.connection()?)
    .await?;
    Ok(stamps)
}

/// The addresses of members who have no factor, so many at most.
pub(super) async fn without_factor(tx: &mut WorkspaceTx, notary: &Notary, most: i64) -> Result<Vec<String>, DbError> {
    let workspace = tx.workspace().uuid();
    let all = sqlx::query!(
        "SELECT u.email, m.user_id, m.role, m.version, m.strong_only, m.mac
         FROM memberships m JOIN users u ON u.id = m.user_id
         WHERE m.workspace_id = $1 AND m.ended_at IS NULL AND u.strong_since IS NULL ORDER BY m.user_id LIMIT $2",
        workspace,
        most
    )
    .fetch_all(tx.connection()?)
    .await?;
    let mut addresses = Vec::with_capacity(all.len());
    for row in all {
        let (user, version, role, strong_only) = (row.user_id, row.version, &row.role, row.strong_only);
        let own = rows::MembershipRow { workspace, user, version, role, ended_at: None, strong_only };
        if notary.vouches(&own, &row.mac).await? {
            addresses.push(row.email);
        }
    }
    Ok(addresses)
}

/// As its members call it.
pub(super) async fn workspace_name(tx: &mut WorkspaceTx) -> Result<String, DbError> {
    let workspace = tx.workspace().uuid();
    let name = sqlx::query_scalar!("SELECT name FROM workspaces WHERE workspace_id = $1", workspace);
    Ok(name.fetch_optional(tx.connection()?).await?.unwrap_or_default())
}
