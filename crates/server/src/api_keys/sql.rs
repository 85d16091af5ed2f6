//! Keys of one workspace and environment. The digest goes in and never comes out here.

use bailiwick_proof::id::{ApiKeyId, Id, ProjectId, UserId};
use time::OffsetDateTime;
use uuid::Uuid;

use super::labels::Labels;
use super::model::{ApiKey, Status};
use crate::authn::TokenDigest;
use crate::authz::vouched::stamp::Stamp;
use crate::authz::vouched::{over, rows};
use crate::authz::{Audiences, Notary, Principal, ScopeSet};
use crate::db::{DbError, WorkspaceTx};
use crate::networks::Networks;

struct Row {
    id: Uuid,
    name: String,
    lookup: String,
    scopes: Vec<String>,
    project_id: Option<Uuid>,
    created_by_user: Option<Uuid>,
    created_by_key: Option<Uuid>,
    created_at: OffsetDateTime,
    expires_at: Option<OffsetDateTime>,
    revoked_at: Option<OffsetDateTime>,
    last_used_at: Option<OffsetDateTime>,
    labels: serde_json::Value,
    audiences: Vec<String>,
    allowed_networks: Vec<String>,
    rotated_from: Option<Uuid>,
    successor_id: Option<Uuid>,
}

impl Row {
    fn into_key(self, tx: &WorkspaceTx) -> ApiKey {
        let by_user = self.created_by_user.map(|id| UserId::from_uuid(id).to_string());
        let by_key = self.created_by_key.map(|id| ApiKeyId::from_uuid(id).to_string());
        ApiKey {
            id: Id::from_uuid(self.id),
            name: self.name,
            environment: tx.environment(),
            scopes: ScopeSet::from_words(&self.scopes).iter().collect(),
            project_id: self.project_id.map(Id::from_uuid),
            lookup: self.lookup,
            status: Status::at(tx.context().received_at, self.expires_at, self.revoked_at),
            created_by: by_user.or(by_key).unwrap_or_default(),
            created_at: self.created_at,
            expires_at: self.expires_at,
            revoked_at: self.revoked_at,
            last_used_at: self.last_used_at,
            labels: serde_json::from_value(self.labels).unwrap_or_default(),
            audiences: Audiences::from_words(&self.audiences),
            allowed_networks: Networks::from_words(&self.allowed_networks),
            rotated_from: self.rotated_from.map(Id::from_uuid),
            successor_id: self.successor_id.map(Id::from_uuid),
        }
    }
}

fn as_json(labels: &Labels) -> serde_json::Value {
    labels.iter().map(|(name, value)| (name.to_owned(), value.into())).collect::<serde_json::Map<_, _>>().into()
}

/// A key in the words of its row.
struct Words {
    scopes: Vec<String>,
    audiences: Vec<String>,
    networks: Vec<String>,
}

impl Words {
    fn of(key: &ApiKey) -> Self {
        let scopes = key.scopes.iter().map(|scope| scope.as_str().to_owned()).collect();
        Self { scopes, audiences: key.audiences.words(), networks: key.allowed_networks.words() }
    }

    /// What the row grants.
    fn row<'a>(&'a self, tx: &WorkspaceTx, key: &'a ApiKey, version: i64, imprint: &'a [u8]) -> rows::KeyRow<'a> {
        rows::KeyRow {
            workspace: tx.workspace().uuid(),
            environment: key.environment.as_str(),
            project: key.project_id.map(Id::uuid),
            id: key.id.uuid(),
            version,
            name: &key.name,
            lookup: &key.lookup,
            imprint,
            scopes: &self.scopes,
            audiences: &self.audiences,
            networks: &self.networks,
            created_at: key.created_at,
            expires_at: key.expires_at,
            revoked_at: key.revoked_at,
        }
    }
}

pub(super) async fn insert(
    tx: &mut WorkspaceTx,
    notary: &Notary,
    key: &ApiKey,
    digest: &TokenDigest,
    maker: &Principal,
) -> Result<Stamp, DbError> {
    let workspace = tx.workspace().uuid();
    let words = Words::of(key);
    let vouching = notary.vouch(&words.row(tx, key, 1, &rows::imprint(digest.bytes())));
    let (by_user, by_key) = match maker {
        Principal::Session(person) => (Some(person.user().uuid()), None),
        Principal::Key(holder) => (None, Some(holder.key().id.uuid())),
    };
    sqlx::query!(
        "INSERT INTO api_keys (workspace_id, environment, project_id, id, name, lookup, digest, scopes,
             created_by_user, created_by_key, created_at, expires_at, labels, audiences, allowed_networks, rotated_from, mac)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
        workspace,
        key.environment.as_str(),
        key.project_id.map(Id::uuid),
        key.id.uuid(),
        key.name,
        key.lookup,
        digest.bytes().as_slice(),
        &words.scopes,
        by_user,
        by_key,
        key.created_at,
        key.expires_at,
        as_json(&key.labels),
        &words.audiences,
        &words.networks,
        key.rotated_from.map(Id::uuid),
        &vouching.mac
    )
    .execute(tx.connection()?)
    .await?;
    Ok(vouching.stamp)
}

/// Which keys are asked for.
#[derive(Default)]
pub struct KeyFilter {
    /// Of this status.
    pub status: Option<Status>,
    /// With each of these labels: name and value.
    pub labels: Vec<(String, String)>,
}

/// Keys from the newest, one more than `limit`.
///
/// # Errors
/// [`DbError`].
pub async fn list(
    tx: &mut WorkspaceTx,
    after: Option<Uuid>,
    limit: u16,
    filter: &KeyFilter,
) -> Result<Vec<ApiKey>, DbError> {
    let (names, values): (Vec<String>, Vec<String>) = filter.labels.iter().cloned().unzip();
    let (workspace, environment, now) = (tx.workspace().uuid(), tx.environment().as_str(), tx.context().received_at);
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT k.id, k.name, k.lookup, k.scopes, k.project_id, k.created_by_user, k.created_by_key, k.created_at,
             k.expires_at, k.revoked_at, u.last_used_at AS "last_used_at?", k.labels, k.audiences, k.allowed_networks,
             k.rotated_from,
             (SELECT s.id FROM api_keys s WHERE s.workspace_id = k.workspace_id AND s.rotated_from = k.id) AS "successor_id?"
         FROM api_keys k LEFT JOIN api_key_uses u ON u.workspace_id = k.workspace_id AND u.key_id = k.id
         WHERE k.workspace_id = $1 AND k.environment = $2 AND ($3::uuid IS NULL OR k.id < $3)
           AND ($5::text IS NULL OR $5 = CASE WHEN k.revoked_at IS NOT NULL THEN 'revoked'
                WHEN k.expires_at <= $6 THEN 'expired' ELSE 'active' END)
           AND NOT EXISTS (SELECT FROM unnest($7::text[], $8::text[]) AS wanted (name, value)
                WHERE k.labels ->> wanted.name IS DISTINCT FROM wanted.value)
         ORDER BY k.id DESC LIMIT $4"#,
        workspace,
        environment,
        after,
        i64::from(limit) + 1,
        filter.status.map(Status::as_str),
        now,
        &names,
        &values
    )
    .fetch_all(tx.connection()?)
    .await?;
    Ok(rows.into_iter().map(|row| row.into_key(tx)).collect())
}

/// One key.
///
/// # Errors
/// [`DbError`].
pub async fn get(tx: &mut WorkspaceTx, key: ApiKeyId) -> Result<Option<ApiKey>, DbError> {
    let (workspace, environment) = (tx.workspace().uuid(), tx.environment().as_str());
    let row = sqlx::query_as!(
        Row,
        r#"SELECT k.id, k.name, k.lookup, k.scopes, k.project_id, k.created_by_user, k.created_by_key, k.created_at,
             k.expires_at, k.revoked_at, u.last_used_at AS "last_used_at?", k.labels, k.audiences, k.allowed_networks,
             k.rotated_from,
             (SELECT s.id FROM api_keys s WHERE s.workspace_id = k.workspace_id AND s.rotated_from = k.id) AS "successor_id?"
         FROM api_keys k LEFT JOIN api_key_uses u ON u.workspace_id = k.workspace_id AND u.key_id = k.id
         WHERE k.workspace_id = $1 AND k.environment = $2 AND k.id = $3"#,
        workspace,
        environment,
        key.uuid()
    )
    .fetch_optional(tx.connection()?)
    .await?;
    Ok(row.map(|row| row.into_key(tx)))
}

/// A key that nobody else changes until the transaction ends.
pub(super) struct Held {
    pub(super) key: ApiKey,
    version: i64,
    imprint: Vec<u8>,
    mac: Vec<u8>,
}

/// Holds a key that somebody vouches for.
pub(super) async fn lock(tx: &mut WorkspaceTx, notary: &Notary, key: ApiKeyId) -> Result<Option<Held>, DbError> {
    let Some(held) = hold(tx, key).await? else { return Ok(None) };
    Ok(is_vouched(tx, notary, &held).await?.then_some(held))
}

async fn is_vouched(tx: &WorkspaceTx, notary: &Notary, held: &Held) -> Result<bool, DbError> {
    let words = Words::of(&held.key);
    notary.vouches(&words.row(tx, &held.key, held.version, &held.imprint), &held.mac).await
}

async fn hold(tx: &mut WorkspaceTx, key: ApiKeyId) -> Result<Option<Held>, DbError> {
    let (workspace, environment) = (tx.workspace().uuid(), tx.environment().as_str());
    let row = sqlx::query!(
        r#"SELECT version, imprint AS "imprint!", mac FROM api_keys
           WHERE workspace_id = $1 AND environment = $2 AND id = $3 FOR NO KEY UPDATE"#,
        workspace,
        environment,
        key.uuid()
    )
    .fetch_optional(tx.connection()?)
    .await?;
    // Read after the lock: what a rotation that held it has made is seen.
    let found = get(tx, key).await?;
    Ok(row.zip(found).map(|(row, key)| Held { key, version: row.version, imprint: row.imprint, mac: row.mac }))
}

/// Writes what can be changed of a key, and vouches for it.
pub(super) async fn update(tx: &mut WorkspaceTx, notary: &Notary, held: &Held) -> Result<Stamp, DbError> {
    let (workspace, environment) = (tx.workspace().uuid(), tx.environment().as_str());
    let (key, words) = (&held.key, Words::of(&held.key));
    let vouching = notary.vouch(&words.row(tx, key, held.version + 1, &held.imprint));
    sqlx::query!(
        "UPDATE api_keys SET name = $4, labels = $5, expires_at = $6, allowed_networks = $7, mac = $8
         WHERE workspace_id = $1 AND environment = $2 AND id = $3",
        workspace,
        environment,
        key.id.uuid(),
        key.name,
        as_json(&key.labels),
        key.expires_at,
        &words.networks,
        &vouching.mac
    )
    .execute(tx.connection()?)
    .await?;
    Ok(vouching.stamp)
}

/// Revokes a key that was not, and answers its project, if it has one; `None` when there is no such key to revoke. That
/// nobody vouched for it hinders nobody: from now on somebody vouches that it is revoked. Nor is a row believed that says it was
/// revoked, and for which nobody vouches: what stood there before could be put back.
pub(super) async fn revoke(
    tx: &mut WorkspaceTx,
    notary: &Notary,
    key: ApiKeyId,
) -> Result<Option<(Option<ProjectId>, Stamp)>, DbError> {
    let (workspace, environment, now) = (tx.workspace().uuid(), tx.environment().as_str(), tx.context().received_at);
    let Some(mut held) = hold(tx, key).await? else { return Ok(None) };
    let vouched = is_vouched(tx, notary, &held).await?;
    if held.key.revoked_at.is_some() && vouched {
        return Ok(None);
    }
    held.key.revoked_at = Some(now);
    let version = if vouched { held.version.saturating_add(1) } else { over::begin(tx, held.version).await? };
    let vouching = notary.vouch(&Words::of(&held.key).row(tx, &held.key, version, &held.imprint));
    sqlx::query!(
        "UPDATE api_keys SET revoked_at = $4, mac = $5 WHERE workspace_id = $1 AND environment = $2 AND id = $3",
        workspace,
        environment,
        key.uuid(),
        now,
        &vouching.mac
    )
    .execute(tx.connection()?)
    .await?;
    over::done(tx).await?;
    Ok(Some((held.key.project_id, vouching.stamp)))
}
