//! Secrets of one workspace and environment. What goes in and out here is sealed.

use bailiwick_proof::id::{ApiKeyId, Id, SecretId, UserId};
use time::OffsetDateTime;
use uuid::Uuid;

use super::kind::Kind;
use super::model::{Secret, SecretVersion};
use crate::authz::Principal;
use crate::db::{DbError, WorkspaceTx};

struct Row {
    id: Uuid,
    name: String,
    kind: String,
    project_id: Option<Uuid>,
    newest_version: i32,
    created_by_user: Option<Uuid>,
    created_by_key: Option<Uuid>,
    created_at: OffsetDateTime,
}

impl Row {
    fn into_secret(self, tx: &WorkspaceTx) -> Secret {
        Secret {
            id: Id::from_uuid(self.id),
            name: self.name,
            // The table has the same list of words.
            kind: self.kind.parse().unwrap_or(Kind::Generic),
            environment: tx.environment(),
            project_id: self.project_id.map(Id::from_uuid),
            newest_version: version(self.newest_version),
            created_by: maker(self.created_by_user, self.created_by_key),
            created_at: self.created_at,
        }
    }
}

fn maker(user: Option<Uuid>, key: Option<Uuid>) -> String {
    let user = user.map(|id| UserId::from_uuid(id).to_string());
    user.or(key.map(|id| ApiKeyId::from_uuid(id).to_string())).unwrap_or_default()
}

/// The columns of a maker: a person, or a key.
fn columns_of(maker: &Principal) -> (Option<Uuid>, Option<Uuid>) {
    match maker {
        Principal::Session(person) => (Some(person.user().uuid()), None),
        Principal::Key(holder) => (None, Some(holder.key().id.uuid())),
    }
}

fn version(stored: i32) -> u32 {
    u32::try_from(stored).unwrap_or_default()
}

/// As the column has it; what no version can be names none.
fn stored(version: u32) -> i32 {
    i32::try_from(version).unwrap_or_default()
}

/// A sealed value, and the number by which it can be made unreadable.
pub(super) struct Sealed {
    pub(super) value: Vec<u8>,
    pub(super) subject: Option<u32>,
}

/// The secret and its first version.
pub(super) async fn insert(
    tx: &mut WorkspaceTx,
    secret: &Secret,
    sealed: &Sealed,
    by: &Principal,
) -> Result<(), DbError> {
    let (workspace, (by_user, by_key)) = (tx.workspace().uuid(), columns_of(by));
    sqlx::query!(
        "INSERT INTO secrets (workspace_id, environment, project_id, id, name, kind, newest_version, created_by_user,
             created_by_key, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        workspace,
        secret.environment.as_str(),
        secret.project_id.map(Id::uuid),
        secret.id.uuid(),
        secret.name,
        secret.kind.as_str(),
        stored(secret.newest_version),
        by_user,
        by_key,
        secret.created_at
    )
    .execute(tx.connection()?)
    .await?;
    insert_version(tx, secret, sealed, by).await
}

/// The newest version of a secret.
pub(super) async fn insert_version(
    tx: &mut WorkspaceTx,
    secret: &Secret,
    sealed: &Sealed,
    by: &Principal,
) -> Result<(), DbError> {
    let (workspace, now, (by_user, by_key)) = (tx.workspace().uuid(), tx.context().received_at, columns_of(by));
    sqlx::query!(
        "INSERT INTO secret_versions (workspace_id, environment, project_id, secret_id, version, value_sealed,
             created_by_user, created_by_key, created_at, subject)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        workspace,
        secret.environment.as_str(),
        secret.project_id.map(Id::uuid),
        secret.id.uuid(),
        stored(secret.newest_version),
        sealed.value,
        by_user,
        by_key,
        now,
        sealed.subject.map(i64::from)
    )
    .execute(tx.connection()?)
    .await?;
    Ok(())
}

/// Which secrets are asked for.
#[derive(Default)]
pub struct SecretFilter {
    /// Of this kind.
    pub kind: Option<Kind>,
    /// The one of this name.
    pub name: Option<String>,
}

/// Secrets from the newest, one more than `limit`.
///
/// # Errors
/// [`DbError`].
pub async fn list(
    tx: &mut WorkspaceTx,
    after: Option<Uuid>,
    limit: u16,
    filter: &SecretFilter,
) -> Result<Vec<Secret>, DbError> {
    let (workspace, environment) = (tx.workspace().uuid(), tx.environment().as_str());
    let rows = sqlx::query_as!(
        Row,
        "SELECT id, name, kind, project_id, newest_version, created_by_user, created_by_key, created_at
         FROM secrets
         WHERE workspace_id = $1 AND environment = $2 AND ($3::uuid IS NULL OR id < $3)
           AND ($5::text IS NULL OR kind = $5) AND ($6::text IS NULL OR name = $6)
         ORDER BY id DESC LIMIT $4",
        workspace,
        environment,
        after,
        i64::from(limit) + 1,
        filter.kind.map(Kind::as_str),
        filter.name
    )
    .fetch_all(tx.connection()?)
    .await?;
    Ok(rows.into_iter().map(|row| row.into_secret(tx)).collect())
}

/// One secret.
///
/// # Errors
/// [`DbError`].
pub async fn get(tx: &mut WorkspaceTx, secret: SecretId) -> Result<Option<Secret>, DbError> {
    let (workspace, environment) = (tx.workspace().uuid(), tx.environment().as_str());
    let row = sqlx::query_as!(
        Row,
        "SELECT id, name, kind, project_id, newest_version, created_by_user, created_by_key, created_at
         FROM secrets WHERE workspace_id = $1 AND environment = $2 AND id = $3",
        workspace,
        environment,
        secret.uuid()
    )
    .fetch_optional(tx.connection()?)
    .await?;
    Ok(row.map(|row| row.into_secret(tx)))
}

/// One secret, which nobody else changes or deletes until the transaction ends.
pub(super) async fn lock(tx: &mut WorkspaceTx, secret: SecretId) -> Result<Option<Secret>, DbError> {
    let (workspace, environment) = (tx.workspace().uuid(), tx.environment().as_str());
    sqlx::query!(
        "SELECT FROM secrets WHERE workspace_id = $1 AND environment = $2 AND id = $3 FOR NO KEY UPDATE",
        workspace,
        environment,
        secret.uuid()
    )
    .fetch_optional(tx.connection()?)
    .await?;
    // Read after the lock: what whoever held it has changed is seen.
    get(tx, secret).await
}

/// Its versions, the newest first.
pub(super) async fn versions(tx: &mut WorkspaceTx, secret: SecretId) -> Result<Vec<SecretVersion>, DbError> {
    let workspace = tx.workspace().uuid();
    let rows = sqlx::query!(
        "SELECT version, created_by_user, created_by_key, created_at, revoked_at, refused_uses, refused_at
         FROM secret_versions WHERE workspace_id = $1 AND secret_id = $2 ORDER BY version DESC",
        workspace,
        secret.uuid()
    )
    .fetch_all(tx.connection()?)
    .await?;
    let versions = rows.into_iter().map(|row| SecretVersion {
        version: version(row.version),
        created_by: maker(row.created_by_user, row.created_by_key),
        created_at: row.created_at,
        revoked_at: row.revoked_at,
        refused_uses: u64::try_from(row.refused_uses).unwrap_or_default(),
        refused_at: row.refused_at,
    });
    Ok(versions.collect())
}

/// How many versions have a value.
pub(super) async fn living(tx: &mut WorkspaceTx, secret: SecretId) -> Result<i64, DbError> {
    let workspace = tx.workspace().uuid();
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM secret_versions
           WHERE workspace_id = $1 AND secret_id = $2 AND revoked_at IS NULL"#,
        workspace,
        secret.uuid()
    )
    .fetch_one(tx.connection()?)
    .await?;
    Ok(count)
}

/// Counts up to a version that is about to be made, of a secret that is locked.
pub(super) async fn count_up(tx: &mut WorkspaceTx, secret: SecretId, to: u32) -> Result<(), DbError> {
    let workspace = tx.workspace().uuid();
    sqlx::query!(
        "UPDATE secrets SET newest_version = $3 WHERE workspace_id = $1 AND id = $2",
        workspace,
        secret.uuid(),
        stored(to)
    )
    .execute(tx.connection()?)
    .await?;
    Ok(())
}

/// What stands of a version: nothing if there is none, `None` within if it was revoked. Nobody revokes or deletes it
/// until the transaction ends.
pub(super) async fn sealed_value(
    tx: &mut WorkspaceTx,
    secret: SecretId,
    version: u32,
) -> Result<Option<Option<Sealed>>, DbError> {
    let workspace = tx.workspace().uuid();
    let found = sqlx::query!(
        "SELECT value_sealed, subject FROM secret_versions
         WHERE workspace_id = $1 AND secret_id = $2 AND version = $3 FOR SHARE",
        workspace,
        secret.uuid(),
        stored(version)
    )
    .fetch_optional(tx.connection()?)
    .await?;
    let sealed = |value, subject: Option<i64>| Sealed { value, subject: subject.and_then(number) };
    Ok(found.map(|row| row.value_sealed.map(|value| sealed(value, row.subject))))
}

/// By which numbers its versions can be made unreadable.
pub(super) async fn subjects(tx: &mut WorkspaceTx, secret: SecretId) -> Result<Vec<u32>, DbError> {
    let workspace = tx.workspace().uuid();
    let subjects = sqlx::query_scalar!(
        r#"SELECT subject AS "subject!" FROM secret_versions
           WHERE workspace_id = $1 AND secret_id = $2 AND subject IS NOT NULL ORDER BY 1"#,
        workspace,
        secret.uuid()
    )
    .fetch_all(tx.connection()?)
    .await?;
    Ok(subjects.into_iter().filter_map(number).collect())
}

/// The table holds no other.
pub(super) fn number(stored: i64) -> Option<u32> {
    u32::try_from(stored).ok()
}

/// Somebody asked for a version that was revoked.
pub(super) async fn count_refusal(tx: &mut WorkspaceTx, secret: SecretId, version: u32) -> Result<(), DbError> {
    let (workspace, now) = (tx.workspace().uuid(), tx.context().received_at);
    sqlx::query!(
        "UPDATE secret_versions SET refused_uses = refused_uses + 1, refused_at = $4
         WHERE workspace_id = $1 AND secret_id = $2 AND version = $3",
        workspace,
        secret.uuid(),
        stored(version),
        now
    )
    .execute(tx.connection()?)
    .await?;
    Ok(())
}

/// Deletes a secret with all that is kept of it.
pub(super) async fn delete(tx: &mut WorkspaceTx, secret: SecretId) -> Result<(), DbError> {
    let (workspace, environment) = (tx.workspace().uuid(), tx.environment().as_str());
    sqlx::query!(
        "DELETE FROM secrets WHERE workspace_id = $1 AND environment = $2 AND id = $3",
        workspace,
        environment,
        secret.uuid()
    )
    .execute(tx.connection()?)
    .await?;
    Ok(())
}
