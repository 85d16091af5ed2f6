//! Rows of what people prove themselves with, on the operational path that vouches for them.

use time::OffsetDateTime;
use uuid::Uuid;

use super::standing::{At, Standing};
use super::{Kind, rows};
use crate::db::{DbError, SystemTx};

pub(super) async fn authenticators(
    tx: &mut SystemTx,
    after: &At,
    now: OffsetDateTime,
    limit: i64,
) -> Result<Vec<Standing>, DbError> {
    let all = sqlx::query!(
        "SELECT id, user_id, version, created_at, confirmed_at, last_step, removed_at, epoch, mac
         FROM authenticators WHERE id > $1 AND (confirmed_at IS NOT NULL OR created_at > $2) ORDER BY id LIMIT $3",
        after.uuid(),
        now - rows::ENROLMENT_LIVES,
        limit
    )
    .fetch_all(tx.connection()?)
    .await?;
    let standing = all.into_iter().map(|row| {
        let (id, user, version, last_step) = (row.id, row.user_id, row.version, row.last_step);
        let (created_at, confirmed_at, removed_at) = (row.created_at, row.confirmed_at, row.removed_at);
        let epoch = row.epoch;
        let standing =
            rows::AuthenticatorRow { id, user, version, created_at, confirmed_at, last_step, removed_at, epoch };
        Standing::of(&standing, row.mac)
    });
    Ok(standing.collect())
}

pub(super) async fn holders(tx: &mut SystemTx, after: &At, limit: i64) -> Result<Vec<Standing>, DbError> {
    let all = sqlx::query!(
        "SELECT user_id, version, recovery_codes, failures, failed_at, epoch, mac
         FROM factor_holders WHERE user_id > $1 ORDER BY user_id LIMIT $2",
        after.uuid(),
        limit
    )
    .fetch_all(tx.connection()?)
    .await?;
    let standing = all.into_iter().map(|row| {
        let standing = rows::FactorHolderRow {
            user: row.user_id,
            version: row.version,
            recovery_codes: &row.recovery_codes,
            failures: row.failures,
            failed_at: row.failed_at,
            epoch: row.epoch,
        };
        Standing::of(&standing, row.mac)
    });
    Ok(standing.collect())
}

pub(super) async fn second_steps(
    tx: &mut SystemTx,
    after: &At,
    now: OffsetDateTime,
    limit: i64,
) -> Result<Vec<Standing>, DbError> {
    let all = sqlx::query!(
        "SELECT id, user_id, token_digest, signed_in_by, expires_at, tries, ended_at, mac
         FROM second_steps WHERE id > $1 AND expires_at > $2 ORDER BY id LIMIT $3",
        after.uuid(),
        now,
        limit
    )
    .fetch_all(tx.connection()?)
    .await?;
    let standing = all.into_iter().map(|row| {
        let standing = rows::SecondStepRow {
            id: row.id,
            user: row.user_id,
            token_digest: &row.token_digest,
            signed_in_by: &row.signed_in_by,
            expires_at: row.expires_at,
            tries: row.tries,
            ended_at: row.ended_at,
        };
        Standing::of(&standing, row.mac)
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
        Kind::FactorHolder => sqlx::query!(
            "UPDATE factor_holders AS t SET mac = vouched.new
             FROM unnest($1::uuid[], $2::bytea[], $3::bytea[]) AS vouched (id, old, new)
             WHERE t.user_id = vouched.id AND t.mac = vouched.old",
            ids,
            old,
            new
        ),
        Kind::SecondStep => sqlx::query!(
            "UPDATE second_steps AS t SET mac = vouched.new
             FROM unnest($1::uuid[], $2::bytea[], $3::bytea[]) AS vouched (id, old, new)
             WHERE t.id = vouched.id AND t.mac = vouched.old",
            ids,
            old,
            new
        ),
        _ => sqlx::query!(
            "UPDATE authenticators AS t SET mac = vouched.new
             FROM unnest($1::uuid[], $2::bytea[], $3::bytea[]) AS vouched (id, old, new)
             WHERE t.id = vouched.id AND t.mac = vouched.old",
            ids,
            old,
            new
        ),
    };
    Ok(query.execute(tx.connection()?).await?.rows_affected())
}
