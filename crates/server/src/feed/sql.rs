//! What the feed asks of the database, each in a transaction of its own.

use std::sync::Arc;
use std::time::Duration;

use bailiwick_proof::id::{Id, SessionId, WorkspaceId};
use time::OffsetDateTime;
use uuid::Uuid;

use super::barrier::NodeRow;
use super::follow::{Change, Incarnation, Polled};
use super::keys::{KeyRow, Lookup};
use super::people::Session;
use super::snapshot::{NoSnapshot, Snapshot};
use super::uses::Use;
use crate::authz::vouched::rows;
use crate::authz::{Audiences, KeyFacts, Notary, ScopeSet, SharedSlug, began_at};
use crate::db::{Db, DbError, OperationalPath, ProjectWall, Unrecorded};
use crate::networks::Networks;

fn snapshot(text: &str) -> Result<Snapshot, DbError> {
    text.parse().map_err(|error: NoSnapshot| DbError::Statement(sqlx::Error::Decode(Box::new(error))))
}

/// A key's row with its workspace's slug.
struct Row {
    workspace_id: Uuid,
    slug: String,
    environment: String,
    project_id: Option<Uuid>,
    id: Uuid,
    name: String,
    lookup: String,
    digest: Vec<u8>,
    scopes: Vec<String>,
    created_at: OffsetDateTime,
    expires_at: Option<OffsetDateTime>,
    revoked_at: Option<OffsetDateTime>,
    version: i64,
    audiences: Vec<String>,
    allowed_networks: Vec<String>,
    mac: Vec<u8>,
}

impl Row {
    async fn is_vouched_for(&self, notary: &Notary) -> Result<bool, DbError> {
        let row = rows::KeyRow {
            workspace: self.workspace_id,
            environment: &self.environment,
            project: self.project_id,
            id: self.id,
            version: self.version,
            name: &self.name,
            lookup: &self.lookup,
            imprint: &rows::imprint(&self.digest),
            scopes: &self.scopes,
            audiences: &self.audiences,
            networks: &self.allowed_networks,
            created_at: self.created_at,
            expires_at: self.expires_at,
            revoked_at: self.revoked_at,
        };
        notary.vouches(&row, &self.mac).await
    }

    /// `None` for what cannot be a key: an environment or index that is no word of ours.
    fn into_key(self) -> Option<KeyRow> {
        Some(KeyRow {
            lookup: Lookup::try_from(self.lookup.as_bytes()).ok()?,
            digest: self.digest.try_into().ok()?,
            version: self.version,
            revoked: self.revoked_at.is_some(),
            facts: KeyFacts {
                id: Id::from_uuid(self.id),
                workspace: Id::from_uuid(self.workspace_id),
                workspace_slug: SharedSlug::of(&self.slug),
                environment: self.environment.parse().ok()?,
                project: self.project_id.map_or(ProjectWall::Unconfined, |id| ProjectWall::Within(Id::from_uuid(id))),
                name: self.name.into(),
                scopes: ScopeSet::from_words(&self.scopes),
                created_at: self.created_at,
                expires_at: self.expires_at,
                audiences: Audiences::from_words(&self.audiences),
                allowed: Networks::from_words(&self.allowed_networks),
            },
        })
    }
}

/// Those that somebody vouches for.
async fn keys(notary: &Notary, rows: Vec<Row>) -> Result<Vec<KeyRow>, DbError> {
    let mut keys = Vec::with_capacity(rows.len());
    for row in rows {
        if row.is_vouched_for(notary).await? {
            keys.extend(row.into_key());
        }
    }
    Ok(keys)
}

/// Every key with this public index, which need not be unique.
pub(super) async fn keys_by_lookup(db: &Db, notary: &Notary, lookup: &Lookup) -> Result<Vec<KeyRow>, DbError> {
    let mut tx = db.system_tx(OperationalPath::AuthenticateKey).await?;
    let rows = sqlx::query_as!(
        Row,
        "SELECT k.workspace_id, w.slug, k.environment, k.project_id, k.id, k.name, k.lookup, k.digest, k.scopes,
             k.created_at, k.expires_at, k.revoked_at, k.version, k.audiences, k.allowed_networks, k.mac
         FROM api_keys k JOIN workspaces w ON w.workspace_id = k.workspace_id WHERE k.lookup = $1 LIMIT 64",
        str::from_utf8(lookup).unwrap_or_default()
    )
    .fetch_all(tx.connection()?)
    .await?;
    tx.finish_reading().await?;
    keys(notary, rows).await
}

/// Keys by workspace and id.
pub(super) async fn keys_by_id(db: &Db, notary: &Notary, ids: &[(Uuid, Uuid)]) -> Result<Vec<KeyRow>, DbError> {
    let (workspaces, ids): (Vec<Uuid>, Vec<Uuid>) = ids.iter().copied().unzip();
    let mut tx = db.system_tx(OperationalPath::FollowFeed).await?;
    let rows = sqlx::query_as!(
        Row,
        "SELECT k.workspace_id, w.slug, k.environment, k.project_id, k.id, k.name, k.lookup, k.digest, k.scopes,
             k.created_at, k.expires_at, k.revoked_at, k.version, k.audiences, k.allowed_networks, k.mac
         FROM unnest($1::uuid[], $2::uuid[]) AS asked (workspace_id, id)
             JOIN api_keys k ON k.workspace_id = asked.workspace_id AND k.id = asked.id
             JOIN workspaces w ON w.workspace_id = k.workspace_id",
        &workspaces,
        &ids
    )
    .fetch_all(tx.connection()?)
    .await?;
    tx.finish_reading().await?;
    keys(notary, rows).await
}

/// The next so many rows after a workspace and id: the keys among them, and the last row's place, `None` at the end.
pub(super) async fn keys_after(
    db: &Db,
    notary: &Notary,
    after: (Uuid, Uuid),
    limit: usize,
) -> Result<(Vec<KeyRow>, Option<(Uuid, Uuid)>), DbError> {
    let mut tx = db.system_tx(OperationalPath::FollowFeed).await?;
    let rows = sqlx::query_as!(
        Row,
        "SELECT k.workspace_id, w.slug, k.environment, k.project_id, k.id, k.name, k.lookup, k.digest, k.scopes,
             k.created_at, k.expires_at, k.revoked_at, k.version, k.audiences, k.allowed_networks, k.mac
         FROM api_keys k JOIN workspaces w ON w.workspace_id = k.workspace_id
         WHERE (k.workspace_id, k.id) > ($1, $2) ORDER BY k.workspace_id, k.id LIMIT $3",
        after.0,
        after.1,
        i64::try_from(limit).unwrap_or(i64::MAX)
    )
    .fetch_all(tx.connection()?)
    .await?;
    tx.finish_reading().await?;
    let last = rows.last().map(|row| (row.workspace_id, row.id));
    Ok((keys(notary, rows).await?, last))
}

/// The present slugs of workspaces.
pub(super) async fn slugs(db: &Db, workspaces: &[Uuid]) -> Result<Vec<(WorkspaceId, String)>, DbError> {
    let mut tx = db.system_tx(OperationalPath::FollowFeed).await?;
    let rows = sqlx::query!("SELECT workspace_id, slug FROM workspaces WHERE workspace_id = ANY ($1)", workspaces)
        .fetch_all(tx.connection()?)
        .await?;
    tx.finish_reading().await?;
    Ok(rows.into_iter().map(|row| (Id::from_uuid(row.workspace_id), row.slug)).collect())
}

/// A session that was not ended, of a person who is not suspended; both vouched for.
pub(super) async fn live_session(db: &Db, notary: &Notary, session: SessionId) -> Result<Option<Session>, DbError> {
    let mut tx = db.system_tx(OperationalPath::AuthenticateSession).await?;
    let row = sqlx::query!(
        "SELECT s.user_id, s.version, s.expires_at, s.strong, s.epoch, s.mac, u.version AS user_version, u.email, u.email_key,
             u.strong_since, u.session_epoch, u.factor_epoch, u.mac AS user_mac
         FROM sessions s JOIN users u ON u.id = s.user_id
         WHERE s.id = $1 AND s.revoked_at IS NULL AND u.suspended_at IS NULL",
        session.uuid()
    )
    .fetch_optional(tx.connection()?)
    .await?;
    tx.finish_reading().await?;
    let Some(row) = row else { return Ok(None) };
    let (id, user, expires_at, strong) = (session.uuid(), row.user_id, row.expires_at, row.strong);
    let (version, epoch) = (row.version, row.epoch);
    let own = rows::SessionRow { id, user, version, expires_at, revoked_at: None, strong, epoch };
    let person = rows::UserRow {
        id: user,
        version: row.user_version,
        email: &row.email,
        email_key: &row.email_key,
        suspended_at: None,
        strong_since: row.strong_since,
        session_epoch: row.session_epoch,
        factor_epoch: row.factor_epoch,
    };
    // One that began by the mail alone lets nobody in once its person has a factor, nor does one from before all were ended.
    let enough = (strong || row.strong_since.is_none()) && epoch == row.session_epoch;
    if !enough || !notary.vouches(&own, &row.mac).await? || !notary.vouches(&person, &row.user_mac).await? {
        return Ok(None);
    }
    let (user, email, created_at) = (Id::from_uuid(user), Arc::from(row.email), began_at(session));
    Ok(Some(Session { user, email, created_at, expires_at, strong }))
}

/// Makes the node's row, or takes it again. The answered snapshot is the one from which on changes are to be read, and
/// stands in the row under the answered beat.
pub(super) async fn register(db: &Db, node: Uuid) -> Result<(Incarnation, Snapshot, i64), DbError> {
    let mut tx = db.system_tx(OperationalPath::FollowFeed).await?;
    let row = sqlx::query!(
        r#"INSERT INTO feed_nodes (node_id, applied) VALUES ($1, pg_current_snapshot())
           ON CONFLICT (node_id) DO UPDATE
               SET applied = excluded.applied, beat = feed_nodes.beat + 1, beat_at = clock_timestamp()
           RETURNING applied::text AS "applied!", beat,
               (SELECT system_identifier FROM pg_control_system()) AS "system!",
               ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint AS "timeline!""#,
        node
    )
    .fetch_one(tx.connection()?)
    .await?;
    tx.commit_unrecorded(Unrecorded::Followed).await?;
    Ok((Incarnation { system: row.system, timeline: row.timeline }, snapshot(&row.applied)?, row.beat))
}

/// The changes that are visible now and were not in the snapshot that was applied: all of one statement, and so of one
/// snapshot. At most `limit` of them.
pub(super) async fn poll(db: &Db, node: Uuid, applied: &Snapshot, limit: usize) -> Result<Polled, DbError> {
    let mut tx = db.system_tx(OperationalPath::FollowFeed).await?;
    let rows = sqlx::query!(
        r#"WITH changed AS (
               SELECT entity, workspace_id, entity_id, bool_or(vanished) AS vanished, min(changed_at) AS changed_at
               FROM feed_changes
               WHERE xid >= pg_snapshot_xmin($1::text::pg_snapshot)
                 -- Only a copy of another database's rows can name a transaction that has not begun.
                 AND xid < pg_snapshot_xmax(pg_current_snapshot())
                 AND NOT pg_visible_in_snapshot(xid, $1::text::pg_snapshot)
               GROUP BY entity, workspace_id, entity_id LIMIT $2)
           SELECT pg_current_snapshot()::text AS "snapshot!",
               (SELECT system_identifier FROM pg_control_system()) AS "system!",
               ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint AS "timeline!",
               (SELECT beat FROM feed_nodes WHERE node_id = $3) AS "beat?",
               entity AS "entity?", workspace_id AS "workspace_id?", entity_id AS "entity_id?", vanished AS "vanished?",
               extract(epoch FROM clock_timestamp() - changed_at)::float8 AS "age?"
           FROM (SELECT) AS once LEFT JOIN changed ON true"#,
        applied.to_string(),
        i64::try_from(limit).unwrap_or(i64::MAX),
        node
    )
    .fetch_all(tx.connection()?)
    .await?;
    tx.finish_reading().await?;
    let first = rows.first().ok_or(DbError::Aborted)?;
    let lag = rows.iter().filter_map(|row| row.age).fold(0.0, f64::max);
    Ok(Polled {
        incarnation: Incarnation { system: first.system, timeline: first.timeline },
        snapshot: snapshot(&first.snapshot)?,
        beat: first.beat,
        lag: Duration::try_from_secs_f64(lag).unwrap_or_default(),
        changes: rows
            .into_iter()
            .filter_map(|row| {
                Some(Change {
                    entity: row.entity?,
                    workspace: row.workspace_id?,
                    id: row.entity_id?,
                    vanished: row.vanished?,
                })
            })
            .collect(),
    })
}

/// Tells how far the node has come; false when it has no row any more, or not the one with this beat.
pub(super) async fn publish(db: &Db, node: Uuid, beat: i64, applied: &Snapshot) -> Result<bool, DbError> {
    let mut tx = db.system_tx(OperationalPath::FollowFeed).await?;
    let done = sqlx::query!(
        "UPDATE feed_nodes SET applied = $2::text::pg_snapshot, beat = beat + 1, beat_at = clock_timestamp()
         WHERE node_id = $1 AND beat = $3",
        node,
        applied.to_string(),
        beat
    )
    .execute(tx.connection()?)
    .await?;
    tx.commit_unrecorded(Unrecorded::Followed).await?;
    Ok(done.rows_affected() == 1)
}

/// The snapshot of this very reading, and every node that is there.
pub(super) async fn nodes(db: &Db) -> Result<(Snapshot, Vec<NodeRow>), DbError> {
    let mut tx = db.system_tx(OperationalPath::FollowFeed).await?;
    let rows = sqlx::query!(
        r#"SELECT pg_current_snapshot()::text AS "snapshot!", n.node_id AS "node_id?", n.applied::text AS "applied?",
               n.beat AS "beat?"
           FROM (SELECT) AS once LEFT JOIN feed_nodes n ON true"#
    )
    .fetch_all(tx.connection()?)
    .await?;
    tx.finish_reading().await?;
    let seen = snapshot(&rows.first().ok_or(DbError::Aborted)?.snapshot)?;
    let mut nodes = Vec::with_capacity(rows.len());
    for row in rows {
        if let (Some(node), Some(applied), Some(beat)) = (row.node_id, row.applied, row.beat) {
            nodes.push(NodeRow { node, applied: snapshot(&applied)?, beat });
        }
    }
    Ok((seen, nodes))
}

/// Removes a node's row, if it has given no sign of life since this beat.
pub(super) async fn fence(db: &Db, node: Uuid, beat: i64) -> Result<bool, DbError> {
    let mut tx = db.system_tx(OperationalPath::FollowFeed).await?;
    let done = sqlx::query!("DELETE FROM feed_nodes WHERE node_id = $1 AND beat = $2", node, beat)
        .execute(tx.connection()?)
        .await?;
    tx.commit_unrecorded(Unrecorded::Followed).await?;
    Ok(done.rows_affected() == 1)
}

/// Removes the row of a node that has stopped serving.
pub(super) async fn leave(db: &Db, node: Uuid) -> Result<(), DbError> {
    let mut tx = db.system_tx(OperationalPath::FollowFeed).await?;
    sqlx::query!("DELETE FROM feed_nodes WHERE node_id = $1", node).execute(tx.connection()?).await?;
    tx.commit_unrecorded(Unrecorded::Followed).await
}

/// Writes down when keys were last used; the later of two moments stays.
pub(super) async fn write_uses(db: &Db, uses: &[Use]) -> Result<(), DbError> {
    let workspaces: Vec<Uuid> = uses.iter().map(|used| used.workspace).collect();
    let environments: Vec<String> = uses.iter().map(|used| used.environment.to_owned()).collect();
    let projects: Vec<Option<Uuid>> = uses.iter().map(|used| used.project).collect();
    let keys: Vec<Uuid> = uses.iter().map(|used| used.key.uuid()).collect();
    let times: Vec<OffsetDateTime> = uses.iter().map(|used| used.at).collect();
    let mut tx = db.system_tx(OperationalPath::NoteKeyUses).await?;
    sqlx::query!(
        "INSERT INTO api_key_uses (workspace_id, environment, project_id, key_id, last_used_at)
         SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::timestamptz[])
         ON CONFLICT (workspace_id, key_id) DO UPDATE SET last_used_at = excluded.last_used_at
             WHERE api_key_uses.last_used_at < excluded.last_used_at",
        &workspaces,
        &environments,
        &projects as &[Option<Uuid>],
        &keys,
        &times
    )
    .execute(tx.connection()?)
    .await?;
    tx.commit_unrecorded(Unrecorded::LastUsed).await
}
