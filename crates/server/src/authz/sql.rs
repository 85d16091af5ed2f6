//! Memberships, keys and links, as far as a decision needs them.

use bailiwick_proof::id::{ApiKeyId, Id, UserId};

use super::membership::Membership;
use super::receipt_share::SharedReceipt;
use super::vouched::rows;
use super::{Notary, Role};
use crate::context::RequestContext;
use crate::db::{AccountTx, DbError, ProjectWall, SystemTx, WorkspaceTx};

/// All memberships of the person that somebody vouches for.
pub(super) async fn memberships(tx: &mut AccountTx, notary: &Notary) -> Result<Vec<Membership>, DbError> {
    let user = tx.user().uuid();
    let all = sqlx::query!(
        "SELECT m.workspace_id, w.slug, m.role, m.version, m.strong_only, m.mac, w.version AS demand_version,
             w.strong_only AS demanded, w.mac AS demand_mac
         FROM memberships m JOIN workspaces w ON w.workspace_id = m.workspace_id
         WHERE m.user_id = $1 AND m.ended_at IS NULL ORDER BY m.workspace_id",
        user
    )
    .fetch_all(tx.connection()?)
    .await?;
    let mut memberships = Vec::with_capacity(all.len());
    for row in all {
        let (workspace, version, role, strong_only) = (row.workspace_id, row.version, &row.role, row.strong_only);
        let own = rows::MembershipRow { workspace, user, version, role, ended_at: None, strong_only };
        if notary.vouches(&own, &row.mac).await? {
            let there = rows::WorkspaceRow { workspace, version: row.demand_version, strong_only: row.demanded };
            let strong_only = there.demands_factor(notary, &row.demand_mac).await? || strong_only;
            let (workspace, role) = (Id::from_uuid(workspace), row.role.parse().ok());
            memberships.push(Membership { workspace, slug: row.slug, role, strong_only });
        }
    }
    Ok(memberships)
}

/// A member's role, and whether it takes a factor to use it, read again inside the transaction that acts on it, and held until it ends.
pub(super) async fn role_for_share(
    tx: &mut WorkspaceTx,
    notary: &Notary,
    user: UserId,
) -> Result<Option<(Role, bool)>, DbError> {
    let (workspace, user) = (tx.workspace().uuid(), user.uuid());
    let row = sqlx::query!(
        "SELECT m.role, m.version, m.ended_at, m.strong_only, m.mac, w.version AS demand_version, w.strong_only AS demanded,
             w.mac AS demand_mac
         FROM memberships m JOIN workspaces w ON w.workspace_id = m.workspace_id
         WHERE m.workspace_id = $1 AND m.user_id = $2 FOR SHARE OF m",
        workspace,
        user
    )
    .fetch_optional(tx.connection()?)
    .await?;
    let Some(row) = row.filter(|row| row.ended_at.is_none()) else { return Ok(None) };
    let (version, role, strong_only) = (row.version, &row.role, row.strong_only);
    let own = rows::MembershipRow { workspace, user, version, role, ended_at: None, strong_only };
    if !notary.vouches(&own, &row.mac).await? {
        return Ok(None);
    }
    let there = rows::WorkspaceRow { workspace, version: row.demand_version, strong_only: row.demanded };
    let strong_only = there.demands_factor(notary, &row.demand_mac).await? || strong_only;
    Ok(row.role.parse().ok().map(|role| (role, strong_only)))
}

/// Whether a key works, asked inside the transaction that acts by it; it works until that ends.
pub(super) async fn key_works_for_share(tx: &mut WorkspaceTx, notary: &Notary, key: ApiKeyId) -> Result<bool, DbError> {
    let (workspace, environment) = (tx.workspace().uuid(), tx.environment().as_str());
    let row = sqlx::query!(
        r#"SELECT project_id, version, name, lookup, imprint AS "imprint!", scopes, audiences, allowed_networks, created_at,
               expires_at, mac
           FROM api_keys
           WHERE workspace_id = $1 AND environment = $2 AND id = $3 AND revoked_at IS NULL
             AND (expires_at IS NULL OR expires_at > clock_timestamp())
           FOR SHARE"#,
        workspace,
        environment,
        key.uuid()
    )
    .fetch_optional(tx.connection()?)
    .await?;
    let Some(row) = row else { return Ok(false) };
    let own = rows::KeyRow {
        workspace,
        environment,
        project: row.project_id,
        id: key.uuid(),
        version: row.version,
        name: &row.name,
        lookup: &row.lookup,
        imprint: &row.imprint,
        scopes: &row.scopes,
        audiences: &row.audiences,
        networks: &row.allowed_networks,
        created_at: row.created_at,
        expires_at: row.expires_at,
        revoked_at: None,
    };
    notary.vouches(&own, &row.mac).await
}

/// The link whose token has this digest, if it shows anything now. A word that is not known opens nothing.
pub(super) async fn receipt_share(
    tx: &mut SystemTx,
    notary: &Notary,
    digest: &[u8; 32],
    context: RequestContext,
) -> Result<Option<SharedReceipt>, DbError> {
    let row = sqlx::query!(
        "SELECT workspace_id, environment, project_id, id, version, event_id, open, expires_at, revoked_at, mac
         FROM receipt_shares WHERE digest = $1 LIMIT 1",
        digest.as_slice()
    )
    .fetch_optional(tx.connection()?)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let own = rows::ReceiptShareRow {
        workspace: row.workspace_id,
        environment: &row.environment,
        project: row.project_id,
        id: row.id,
        version: row.version,
        event: row.event_id,
        imprint: &rows::imprint(digest),
        open: &row.open,
        expires_at: row.expires_at,
        revoked_at: row.revoked_at,
    };
    let is_over = row.revoked_at.is_some() || row.expires_at <= context.received_at;
    if !notary.vouches(&own, &row.mac).await? || is_over {
        return Ok(None);
    }
    Ok(row.environment.parse().ok().map(|environment| SharedReceipt {
        id: Id::from_uuid(row.id),
        workspace: Id::from_uuid(row.workspace_id),
        environment,
        project: row.project_id.map_or(ProjectWall::Unconfined, |id| ProjectWall::Within(Id::from_uuid(id))),
        event: Id::from_uuid(row.event_id),
        open: row.open.iter().filter_map(|word| word.parse().ok()).collect(),
        expires_at: row.expires_at,
        context,
    }))
}
