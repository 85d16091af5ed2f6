//! What memberships say of factors.

use uuid::Uuid;

use crate::authz::Notary;
use crate::authz::vouched::rows;
use crate::authz::vouched::stamp::Stamp;
use crate::db::{DbError, WorkspaceTx};

/// Says it in each membership that somebody vouches for. One that nobody does grants nothing, and is not vouched for by this.
pub(super) async fn demand(tx: &mut WorkspaceTx, notary: &Notary, strong_only: bool) -> Result<Vec<Stamp>, DbError> {
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
pub(super) async fn without_factor(tx: &mut WorkspaceTx, most: i64) -> Result<Vec<String>, DbError> {
    let workspace = tx.workspace().uuid();
    let addresses = sqlx::query_scalar!(
        "SELECT u.email FROM memberships m JOIN users u ON u.id = m.user_id
         WHERE m.workspace_id = $1 AND m.ended_at IS NULL AND u.strong_since IS NULL ORDER BY m.user_id LIMIT $2",
        workspace,
        most
    );
    Ok(addresses.fetch_all(tx.connection()?).await?)
}

/// As its members call it.
pub(super) async fn workspace_name(tx: &mut WorkspaceTx) -> Result<String, DbError> {
    let workspace = tx.workspace().uuid();
    let name = sqlx::query_scalar!("SELECT name FROM workspaces WHERE workspace_id = $1", workspace);
    Ok(name.fetch_optional(tx.connection()?).await?.unwrap_or_default())
}
