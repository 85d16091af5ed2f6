//! Rows of every kind, on the operational path that vouches for them.

use time::OffsetDateTime;
use uuid::Uuid;

use super::standing::{At, Standing};
use super::{Kind, account_sql, factor_sql, rows};
use crate::db::{DbError, SystemTx, WorkspaceTx};

pub(super) async fn api_keys(tx: &mut SystemTx, after: &At, limit: i64) -> Result<Vec<Standing>, DbError> {
    let all = sqlx::query!(
        "SELECT workspace_id, environment, project_id, id, version, name, lookup, digest, scopes, audiences,
             allowed_networks, created_at, expires_at, revoked_at, mac
         FROM api_keys WHERE (workspace_id, id) > ($1, $2) ORDER BY workspace_id, id LIMIT $3",
        after.workspace,
        after.uuid(),
        limit
    )
    .fetch_all(tx.connection()?)
    .await?;
    let standing = all.into_iter().map(|row| {
        let imprint = rows::imprint(&row.digest);
        let standing = rows::KeyRow {
            workspace: row.workspace_id,
            environment: &row.environment,
            project: row.project_id,
            id: row.id,
            version: row.version,
            name: &row.name,
            lookup: &row.lookup,
            imprint: &imprint,
            scopes: &row.scopes,
            audiences: &row.audiences,
            networks: &row.allowed_networks,
            created_at: row.created_at,
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
        };
        Standing::of(&standing, row.mac)
    });
    Ok(standing.collect())
}

pub(super) async fn memberships(tx: &mut SystemTx, after: &At, limit: i64) -> Result<Vec<Standing>, DbError> {
    let all = sqlx::query!(
        "SELECT workspace_id, user_id, version, role, ended_at, strong_only, mac
         FROM memberships WHERE (workspace_id, user_id) > ($1, $2) ORDER BY workspace_id, user_id LIMIT $3",
        after.workspace,
        after.uuid(),
        limit
    )
    .fetch_all(tx.connection()?)
    .await?;
    let standing = all.into_iter().map(|row| {
        let (workspace, user, version) = (row.workspace_id, row.user_id, row.version);
        let standing = rows::MembershipRow {
            workspace,
            user,
            version,
            role: &row.role,
            ended_at: row.ended_at,
            strong_only: row.strong_only,
        };
        Standing::of(&standing, row.mac)
    });
    Ok(standing.collect())
}

pub(super) async fn users(tx: &mut SystemTx, after: &At, limit: i64) -> Result<Vec<Standing>, DbError> {
    let all = sqlx::query!(
        "SELECT id, version, email, email_key, suspended_at, strong_since, session_epoch, factor_epoch, mac
         FROM users WHERE id > $1 ORDER BY id LIMIT $2",
        after.uuid(),
        limit
    )
    .fetch_all(tx.connection()?)
    .await?;
    let standing = all.into_iter().map(|row| {
        let (id, version, suspended_at, strong_since) = (row.id, row.version, row.suspended_at, row.strong_since);
        let (session_epoch, factor_epoch) = (row.session_epoch, row.factor_epoch);
        let standing = rows::UserRow {
            id,
            version,
            email: &row.email,
            email_key: &row.email_key,
            suspended_at,
            strong_since,
            session_epoch,
            factor_epoch,
        };
        Standing::of(&standing, row.mac)
    });
    Ok(standing.collect())
}

pub(super) async fn sessions(
    tx: &mut SystemTx,
    after: &At,
    now: OffsetDateTime,
    limit: i64,
) -> Result<Vec<Standing>, DbError> {
    let all = sqlx::query!(
        "SELECT id, user_id, version, expires_at, revoked_at, strong, epoch, mac
         FROM sessions WHERE id > $1 AND expires_at > $2 ORDER BY id LIMIT $3",
        after.uuid(),
        now,
        limit
    )
    .fetch_all(tx.connection()?)
    .await?;
    let standing = all.into_iter().map(|row| {
        let (id, user, version) = (row.id, row.user_id, row.version);
        let (expires_at, revoked_at) = (row.expires_at, row.revoked_at);
        let (strong, epoch) = (row.strong, row.epoch);
        let standing = rows::SessionRow { id, user, version, expires_at, revoked_at, strong, epoch };
        Standing::of(&standing, row.mac)
    });
    Ok(standing.collect())
}

pub(super) async fn refresh_tokens(
    tx: &mut SystemTx,
    after: &At,
    now: OffsetDateTime,
    limit: i64,
) -> Result<Vec<Standing>, DbError> {
    let all = sqlx::query!(
        "SELECT digest, session_id, expires_at, used_at, mac
         FROM refresh_tokens WHERE digest > $1 AND expires_at > $2 ORDER BY digest LIMIT $3",
        after.id,
        now,
        limit
    )
    .fetch_all(tx.connection()?)
    .await?;
    let standing = all.into_iter().map(|row| {
        let (session, expires_at, used_at) = (row.session_id, row.expires_at, row.used_at);
        let standing = rows::RefreshTokenRow { digest: &row.digest, session, expires_at, used_at };
        Standing::of(&standing, row.mac)
    });
    Ok(standing.collect())
}

pub(super) async fn services(tx: &mut SystemTx, after: &At, limit: i64) -> Result<Vec<Standing>, DbError> {
    let all = sqlx::query!(
        "SELECT id, service, digest, audiences, ends_at, revoked_at, mac
         FROM internal_credentials WHERE id > $1 ORDER BY id LIMIT $2",
        after.uuid(),
        limit
    )
    .fetch_all(tx.connection()?)
    .await?;
    let standing = all.into_iter().map(|row| {
        let (id, ends_at, revoked_at) = (row.id, row.ends_at, row.revoked_at);
        let (service, digest, audiences) = (&row.service, &row.digest, &row.audiences);
        let standing = rows::ServiceRow { id, service, digest, audiences, ends_at, revoked_at };
        Standing::of(&standing, row.mac)
    });
    Ok(standing.collect())
}

pub(super) async fn challenges(
    tx: &mut SystemTx,
    after: &At,
    now: OffsetDateTime,
    limit: i64,
) -> Result<Vec<Standing>, DbError> {
    let all = sqlx::query!(
        "SELECT id, email, email_key, challenge_digest, token_digest, code_digest, expires_at, code_tries,
             redeemed_at, merged_into, mac
         FROM sign_in_challenges WHERE id > $1 AND expires_at > $2 ORDER BY id LIMIT $3",
        after.uuid(),
        now,
        limit
    )
    .fetch_all(tx.connection()?)
    .await?;
    let standing = all.into_iter().map(|row| {
        let standing = rows::ChallengeRow {
            id: row.id,
            email: &row.email,
            email_key: &row.email_key,
            challenge_digest: &row.challenge_digest,
            token_digest: &row.token_digest,
            code_digest: &row.code_digest,
            expires_at: row.expires_at,
            code_tries: row.code_tries,
            redeemed_at: row.redeemed_at,
            merged_into: row.merged_into,
        };
        Standing::of(&standing, row.mac)
    });
    Ok(standing.collect())
}

pub(super) async fn retention(tx: &mut SystemTx, after: &At, limit: i64) -> Result<Vec<Standing>, DbError> {
    let all = sqlx::query!(
        r#"SELECT r.workspace_id, r.environment, r.version, r.days, r.next_days, r.effective_at, r.mac,
             ARRAY(SELECT h.id FROM legal_holds h WHERE h.workspace_id = r.workspace_id AND h.environment = r.environment
                 AND h.released_at IS NULL ORDER BY h.id) AS "holds!"
         FROM ledger_retention r WHERE (r.workspace_id, r.environment) > ($1, $2)
         ORDER BY r.workspace_id, r.environment LIMIT $3"#,
        after.workspace,
        String::from_utf8_lossy(&after.id).into_owned(),
        limit
    )
    .fetch_all(tx.connection()?)
    .await?;
    let standing = all.into_iter().map(|row| {
        let standing = rows::RetentionRow {
            workspace: row.workspace_id,
            environment: &row.environment,
            version: row.version,
            days: row.days,
            next_days: row.next_days,
            effective_at: row.effective_at,
            holds: &row.holds,
        };
        Standing::of(&standing, row.mac)
    });
    Ok(standing.collect())
}

pub(super) async fn receipt_shares(
    tx: &mut SystemTx,
    after: &At,
    now: OffsetDateTime,
    limit: i64,
) -> Result<Vec<Standing>, DbError> {
    let all = sqlx::query!(
        "SELECT workspace_id, environment, project_id, id, version, event_id, digest, open, expires_at, revoked_at, mac
         FROM receipt_shares WHERE (workspace_id, id) > ($1, $2) AND expires_at > $3 ORDER BY workspace_id, id LIMIT $4",
        after.workspace,
        after.uuid(),
        now,
        limit
    )
    .fetch_all(tx.connection()?)
    .await?;
    let standing = all.into_iter().map(|row| {
        let standing = rows::ReceiptShareRow {
            workspace: row.workspace_id,
            environment: &row.environment,
            project: row.project_id,
            id: row.id,
            version: row.version,
            event: row.event_id,
            imprint: &rows::imprint(&row.digest),
            open: &row.open,
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
        };
        Standing::of(&standing, row.mac)
    });
    Ok(standing.collect())
}

pub(super) async fn invitations(
    tx: &mut SystemTx,
    after: &At,
    now: OffsetDateTime,
    limit: i64,
) -> Result<Vec<Standing>, DbError> {
    let all = sqlx::query!(
        "SELECT workspace_id, id, version, email, email_key, role, token_digest, invited_by, expires_at, accepted_at,
             revoked_at, mac
         FROM invitations WHERE (workspace_id, id) > ($1, $2) AND expires_at > $3 ORDER BY workspace_id, id LIMIT $4",
        after.workspace,
        after.uuid(),
        now,
        limit
    )
    .fetch_all(tx.connection()?)
    .await?;
    let standing = all.into_iter().map(|row| {
        let standing = rows::InvitationRow {
            workspace: row.workspace_id,
            id: row.id,
            version: row.version,
            email: &row.email,
            email_key: &row.email_key,
            role: &row.role,
            token_digest: &row.token_digest,
            invited_by: row.invited_by,
            expires_at: row.expires_at,
            accepted_at: row.accepted_at,
            revoked_at: row.revoked_at,
        };
        Standing::of(&standing, row.mac)
    });
    Ok(standing.collect())
}

pub(super) async fn passkeys(tx: &mut SystemTx, after: &At, limit: i64) -> Result<Vec<Standing>, DbError> {
    let all = sqlx::query!(
        "SELECT id, user_id, version, user_handle, credential_id, counter, backup_eligible, backed_up, removed_at,
             epoch, mac
         FROM passkeys WHERE id > $1 ORDER BY id LIMIT $2",
        after.uuid(),
        limit
    )
    .fetch_all(tx.connection()?)
    .await?;
    let standing = all.into_iter().map(|row| {
        let standing = rows::PasskeyRow {
            id: row.id,
            user: row.user_id,
            version: row.version,
            user_handle: row.user_handle,
            credential_id: &row.credential_id,
            counter: row.counter,
            backup_eligible: row.backup_eligible,
            backed_up: row.backed_up,
            removed_at: row.removed_at,
            epoch: row.epoch,
        };
        Standing::of(&standing, row.mac)
    });
    Ok(standing.collect())
}

/// MACs by the rows that they belong to, each in place of an older one.
pub(super) struct Macs<'a> {
    pub(super) workspaces: &'a [Uuid],
    pub(super) ids: &'a [Uuid],
    pub(super) digests: &'a [Vec<u8>],
    pub(super) old: &'a [Vec<u8>],
    pub(super) new: &'a [Vec<u8>],
}

/// For the rest of the transaction, a row that is counted and changes has this serial, or its own if that is higher.
pub(super) async fn count_on_from(tx: &mut SystemTx, serial: u64) -> Result<(), DbError> {
    let serial = serial.to_string();
    sqlx::query!("SELECT set_config('app.count_on_from', $1, true)", serial).fetch_one(tx.connection()?).await?;
    Ok(())
}

/// From now on a row that is counted and changes has at least this serial; nothing: as ever.
pub(super) async fn count_on_within(tx: &mut WorkspaceTx, at_least: &str) -> Result<(), DbError> {
    sqlx::query!("SELECT set_config('app.count_on_from', $1, true)", at_least).fetch_one(tx.connection()?).await?;
    Ok(())
}

/// How many rows still had the older one.
pub(super) async fn put(tx: &mut SystemTx, kind: Kind, macs: Macs<'_>) -> Result<u64, DbError> {
    let Macs { workspaces, ids, digests, old, new } = macs;
    let query = match kind {
        Kind::DeviceLogin | Kind::AddressChange | Kind::Workspace => {
            return account_sql::put(tx, kind, ids, old, new).await;
        }
        Kind::Authenticator | Kind::FactorHolder | Kind::SecondStep => {
            return factor_sql::put(tx, kind, ids, old, new).await;
        }
        Kind::ApiKey => sqlx::query!(
            "UPDATE api_keys AS t SET mac = vouched.new
             FROM unnest($1::uuid[], $2::uuid[], $3::bytea[], $4::bytea[]) AS vouched (workspace_id, id, old, new)
             WHERE t.workspace_id = vouched.workspace_id AND t.id = vouched.id AND t.mac = vouched.old",
            workspaces,
            ids,
            old,
            new
        ),
        Kind::Membership => sqlx::query!(
            "UPDATE memberships AS t SET mac = vouched.new
             FROM unnest($1::uuid[], $2::uuid[], $3::bytea[], $4::bytea[]) AS vouched (workspace_id, id, old, new)
             WHERE t.workspace_id = vouched.workspace_id AND t.user_id = vouched.id AND t.mac = vouched.old",
            workspaces,
            ids,
            old,
            new
        ),
        Kind::User => sqlx::query!(
            "UPDATE users AS t SET mac = vouched.new
             FROM unnest($1::uuid[], $2::bytea[], $3::bytea[]) AS vouched (id, old, new)
             WHERE t.id = vouched.id AND t.mac = vouched.old",
            ids,
            old,
            new
        ),
        Kind::Session => sqlx::query!(
            "UPDATE sessions AS t SET mac = vouched.new
             FROM unnest($1::uuid[], $2::bytea[], $3::bytea[]) AS vouched (id, old, new)
             WHERE t.id = vouched.id AND t.mac = vouched.old",
            ids,
            old,
            new
        ),
        Kind::RefreshToken => sqlx::query!(
            "UPDATE refresh_tokens AS t SET mac = vouched.new
             FROM unnest($1::bytea[], $2::bytea[], $3::bytea[]) AS vouched (id, old, new)
             WHERE t.digest = vouched.id AND t.mac = vouched.old",
            digests,
            old,
            new
        ),
        Kind::Service => sqlx::query!(
            "UPDATE internal_credentials AS t SET mac = vouched.new
             FROM unnest($1::uuid[], $2::bytea[], $3::bytea[]) AS vouched (id, old, new)
             WHERE t.id = vouched.id AND t.mac = vouched.old",
            ids,
            old,
            new
        ),
        Kind::Challenge => sqlx::query!(
            "UPDATE sign_in_challenges AS t SET mac = vouched.new
             FROM unnest($1::uuid[], $2::bytea[], $3::bytea[]) AS vouched (id, old, new)
             WHERE t.id = vouched.id AND t.mac = vouched.old",
            ids,
            old,
            new
        ),
        Kind::Invitation => sqlx::query!(
            "UPDATE invitations AS t SET mac = vouched.new
             FROM unnest($1::uuid[], $2::uuid[], $3::bytea[], $4::bytea[]) AS vouched (workspace_id, id, old, new)
             WHERE t.workspace_id = vouched.workspace_id AND t.id = vouched.id AND t.mac = vouched.old",
            workspaces,
            ids,
            old,
            new
        ),
        Kind::Passkey => sqlx::query!(
            "UPDATE passkeys AS t SET mac = vouched.new
             FROM unnest($1::uuid[], $2::bytea[], $3::bytea[]) AS vouched (id, old, new)
             WHERE t.id = vouched.id AND t.mac = vouched.old",
            ids,
            old,
            new
        ),
        Kind::ReceiptShare => sqlx::query!(
            "UPDATE receipt_shares AS t SET mac = vouched.new
             FROM unnest($1::uuid[], $2::uuid[], $3::bytea[], $4::bytea[]) AS vouched (workspace_id, id, old, new)
             WHERE t.workspace_id = vouched.workspace_id AND t.id = vouched.id AND t.mac = vouched.old",
            workspaces,
            ids,
            old,
            new
        ),
        Kind::Retention => sqlx::query!(
            "UPDATE ledger_retention AS t SET mac = vouched.new
             FROM unnest($1::uuid[], $2::bytea[], $3::bytea[], $4::bytea[]) AS vouched (workspace_id, id, old, new)
             WHERE t.workspace_id = vouched.workspace_id AND t.environment = convert_from(vouched.id, 'UTF8')
               AND t.mac = vouched.old",
            workspaces,
            digests,
            old,
            new
        ),
    };
    Ok(query.execute(tx.connection()?).await?.rows_affected())
}
