//! Logins of devices, changes of addresses and what workspaces demand, on the operational path that vouches for them.

use time::OffsetDateTime;
use uuid::Uuid;

use super::standing::{At, Standing};
use super::{Kind, rows};
use crate::db::{DbError, SystemTx};

pub(super) async fn device_logins(
    tx: &mut SystemTx,
    after: &At,
    now: OffsetDateTime,
    limit: i64,
) -> Result<Vec<Standing>, DbError> {
    let all = sqlx::query!(
        "SELECT id, device_digest, code_digest, device, network, expires_at, decided_at, decided_by, by_session, approved,
             strong, picked_up_at, mac
         FROM device_logins WHERE id > $1 AND expires_at > $2 ORDER BY id LIMIT $3",
        after.uuid(),
        now,
        limit
    )
    .fetch_all(tx.connection()?)
    .await?;
    let standing = all.into_iter().map(|row| {
        let standing = rows::DeviceLoginRow {
            id: row.id,
            device_digest: &row.device_digest,
            code_digest: &row.code_digest,
            device: &row.device,
            network: row.network.as_deref(),
            expires_at: row.expires_at,
            decided_at: row.decided_at,
            decided_by: row.decided_by,
            by_session: row.by_session,
            approved: row.approved,
            strong: row.strong,
            picked_up_at: row.picked_up_at,
        };
        Standing::of(&standing, row.mac)
    });
    Ok(standing.collect())
}

pub(super) async fn address_changes(
    tx: &mut SystemTx,
    after: &At,
    now: OffsetDateTime,
    limit: i64,
) -> Result<Vec<Standing>, DbError> {
    let all = sqlx::query!(
        "SELECT id, user_id, version, old_email_key, new_email, new_email_key, old_code_digest, new_code_digest, expires_at,
             code_tries, old_confirmed_at, new_confirmed_at, ended_at, mac
         FROM address_changes WHERE id > $1 AND expires_at > $2 ORDER BY id LIMIT $3",
        after.uuid(),
        now,
        limit
    )
    .fetch_all(tx.connection()?)
    .await?;
    let standing = all.into_iter().map(|row| {
        let standing = rows::AddressChangeRow {
            id: row.id,
            user: row.user_id,
            version: row.version,
            old_email_key: &row.old_email_key,
            new_email: &row.new_email,
            new_email_key: &row.new_email_key,
            old_code_digest: &row.old_code_digest,
            new_code_digest: &row.new_code_digest,
            expires_at: row.expires_at,
            code_tries: row.code_tries,
            old_confirmed_at: row.old_confirmed_at,
            new_confirmed_at: row.new_confirmed_at,
            ended_at: row.ended_at,
        };
        Standing::of(&standing, row.mac)
    });
    Ok(standing.collect())
}

pub(super) async fn workspaces(tx: &mut SystemTx, after: &At, limit: i64) -> Result<Vec<Standing>, DbError> {
    let all = sqlx::query!(
        "SELECT workspace_id, version, strong_only, mac FROM workspaces WHERE workspace_id > $1 ORDER BY workspace_id LIMIT $2",
        after.workspace,
        limit
    )
    .fetch_all(tx.connection()?)
    .await?;
    let standing = all.into_iter().map(|row| {
        let (workspace, version, strong_only) = (row.workspace_id, row.version, row.strong_only);
        Standing::of(&rows::WorkspaceRow { workspace, version, strong_only }, row.mac)
    });
    Ok(standing.collect())
}

/// How many rows of one of these kinds still had the older MAC.
pub(super) async fn put(
    tx: &mut SystemTx,
    kind: Kind,
    ids: &[Uuid],
    old: &[Vec<u8>],
    new: &[Vec<u8>],
) -> Result<u64, DbError> {
    let query = match kind {
        Kind::DeviceLogin => sqlx::query!(
            "UPDATE device_logins AS t SET mac = vouched.new
             FROM unnest($1::uuid[], $2::bytea[], $3::bytea[]) AS vouched (id, old, new)
             WHERE t.id = vouched.id AND t.mac = vouched.old",
            ids,
            old,
            new
        ),
        Kind::Workspace => sqlx::query!(
            "UPDATE workspaces AS t SET mac = vouched.new
             FROM unnest($1::uuid[], $2::bytea[], $3::bytea[]) AS vouched (id, old, new)
             WHERE t.workspace_id = vouched.id AND t.mac = vouched.old",
            ids,
            old,
            new
        ),
        _ => sqlx::query!(
            "UPDATE address_changes AS t SET mac = vouched.new
             FROM unnest($1::uuid[], $2::bytea[], $3::bytea[]) AS vouched (id, old, new)
             WHERE t.id = vouched.id AND t.mac = vouched.old",
            ids,
            old,
            new
        ),
    };
    Ok(query.execute(tx.connection()?).await?.rows_affected())
}
