//! Credentials, across tenants, on their operational paths.

use bailiwick_proof::id::{Id, SessionId, UserId};
use time::OffsetDateTime;

use super::TokenDigest;
use super::internal::Service;
use crate::authz::{Audiences, KeyFacts, ScopeSet};
use crate::db::{DbError, ProjectWall, SystemTx};
use crate::networks::Networks;

/// A key with the looked-up index.
pub(super) struct KeyRow {
    pub(super) facts: KeyFacts,
    pub(super) digest: Vec<u8>,
    pub(super) revoked_at: Option<OffsetDateTime>,
    pub(super) last_used_at: Option<OffsetDateTime>,
}

/// The address of the session's person, if the session lives and the person is not suspended.
pub(super) async fn live_session_email(
    tx: &mut SystemTx,
    user: UserId,
    session: SessionId,
    now: OffsetDateTime,
) -> Result<Option<String>, DbError> {
    let email = sqlx::query_scalar!(
        "SELECT u.email FROM sessions s JOIN users u ON u.id = s.user_id
         WHERE s.id = $1 AND s.user_id = $2 AND s.revoked_at IS NULL AND s.expires_at > $3 AND u.suspended_at IS NULL",
        session.uuid(),
        user.uuid(),
        now
    )
    .fetch_optional(tx.connection()?)
    .await?;
    Ok(email)
}

/// Every key with this public index, which need not be unique. A row whose environment is no word of
/// ours is no key.
pub(super) async fn keys_by_lookup(tx: &mut SystemTx, lookup: &str) -> Result<Vec<KeyRow>, DbError> {
    let rows = sqlx::query!(
        "SELECT k.workspace_id, w.slug, k.environment, k.project_id, k.id, k.name, k.digest, k.scopes, k.created_at,
             k.expires_at, k.revoked_at, k.last_used_at, k.audiences, k.allowed_networks
         FROM api_keys k JOIN workspaces w ON w.workspace_id = k.workspace_id WHERE k.lookup = $1 LIMIT 64",
        lookup
    )
    .fetch_all(tx.connection()?)
    .await?;
    let rows = rows.into_iter().filter_map(|row| {
        Some(KeyRow {
            digest: row.digest,
            revoked_at: row.revoked_at,
            last_used_at: row.last_used_at,
            facts: KeyFacts {
                id: Id::from_uuid(row.id),
                workspace: Id::from_uuid(row.workspace_id),
                workspace_slug: row.slug,
                environment: row.environment.parse().ok()?,
                project: row.project_id.map_or(ProjectWall::Unconfined, |id| ProjectWall::Within(Id::from_uuid(id))),
                name: row.name,
                scopes: ScopeSet::from_words(&row.scopes),
                created_at: row.created_at,
                expires_at: row.expires_at,
                audiences: Audiences::from_words(&row.audiences),
                allowed: Networks::from_words(&row.allowed_networks),
            },
        })
    });
    Ok(rows.collect())
}

/// The service whose credential has this digest and was not revoked.
pub(super) async fn service_by_digest(tx: &mut SystemTx, digest: &TokenDigest) -> Result<Option<Service>, DbError> {
    let row = sqlx::query!(
        "SELECT service, audiences FROM internal_credentials WHERE digest = $1 AND revoked_at IS NULL",
        digest.bytes().as_slice()
    )
    .fetch_optional(tx.connection()?)
    .await?;
    // Stored credentials have audiences; a row without is no credential for everything.
    let row = row.filter(|row| !row.audiences.is_empty());
    Ok(row.map(|row| Service { name: row.service, audiences: Audiences::from_words(&row.audiences) }))
}

/// Notes the use.
pub(super) async fn touch_key(tx: &mut SystemTx, key: &KeyFacts, now: OffsetDateTime) -> Result<(), DbError> {
    sqlx::query!(
        "UPDATE api_keys SET last_used_at = $3 WHERE workspace_id = $1 AND id = $2",
        key.workspace.uuid(),
        key.id.uuid(),
        now
    )
    .execute(tx.connection()?)
    .await?;
    Ok(())
}
