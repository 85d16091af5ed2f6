//! People, changes of their addresses, and what ends with them; each on its operational path.

use bailiwick_proof::id::{Id, UserId, WorkspaceId};
use time::OffsetDateTime;
use uuid::Uuid;

use super::model::{MERGED_FOR, MOST_MERGED};
use crate::authz::vouched::rows;
use crate::authz::vouched::stamp::Stamp;
use crate::authz::{Notary, Role};
use crate::db::{DbError, Lock, SystemTx};

/// The address of whoever has this one, as it is stored; whoever vouches for them.
pub(super) async fn holder_of(tx: &mut SystemTx, email_key: &str) -> Result<Option<String>, DbError> {
    let email = sqlx::query_scalar!("SELECT email FROM users WHERE email_key = $1", email_key);
    Ok(email.fetch_optional(tx.connection()?).await?)
}

/// A change of an address, held until the transaction ends.
pub(super) struct Change {
    pub(super) id: Uuid,
    pub(super) user_id: Uuid,
    pub(super) version: i64,
    pub(super) old_email_key: String,
    pub(super) new_email: String,
    pub(super) new_email_key: String,
    pub(super) old_code_digest: Vec<u8>,
    pub(super) new_code_digest: Vec<u8>,
    pub(super) expires_at: OffsetDateTime,
    pub(super) code_tries: i16,
    pub(super) old_confirmed_at: Option<OffsetDateTime>,
    pub(super) new_confirmed_at: Option<OffsetDateTime>,
    pub(super) ended_at: Option<OffsetDateTime>,
    pub(super) mac: Vec<u8>,
}

impl Change {
    fn vouched(&self) -> rows::AddressChangeRow<'_> {
        rows::AddressChangeRow {
            id: self.id,
            user: self.user_id,
            version: self.version,
            old_email_key: &self.old_email_key,
            new_email: &self.new_email,
            new_email_key: &self.new_email_key,
            old_code_digest: &self.old_code_digest,
            new_code_digest: &self.new_code_digest,
            expires_at: self.expires_at,
            code_tries: self.code_tries,
            old_confirmed_at: self.old_confirmed_at,
            new_confirmed_at: self.new_confirmed_at,
            ended_at: self.ended_at,
        }
    }
}

pub(super) async fn insert_change(
    tx: &mut SystemTx,
    notary: &Notary,
    change: &Change,
    (now, mailed): (OffsetDateTime, bool),
) -> Result<Stamp, DbError> {
    let vouching = notary.vouch(&change.vouched());
    sqlx::query!(
        "INSERT INTO address_changes
             (id, user_id, old_email_key, new_email, new_email_key, old_code_digest, new_code_digest, created_at, expires_at, mac,
              mailed)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        change.id,
        change.user_id,
        change.old_email_key,
        change.new_email,
        change.new_email_key,
        change.old_code_digest,
        change.new_code_digest,
        now,
        change.expires_at,
        &vouching.mac,
        mailed
    )
    .execute(tx.connection()?)
    .await?;
    Ok(vouching.stamp)
}

/// How many a person has asked for since then.
pub(super) async fn asked_since(tx: &mut SystemTx, user: UserId, since: OffsetDateTime) -> Result<i64, DbError> {
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM address_changes WHERE user_id = $1 AND created_at > $2"#,
        user.uuid(),
        since
    );
    Ok(count.fetch_one(tx.connection()?).await?)
}

/// Whether nobody else asks for this address at this moment. Nobody waits for whoever does.
pub(super) async fn asks_alone(tx: &mut SystemTx, new_email_key: &str) -> Result<bool, DbError> {
    Lock::Wanted(new_email_key).try_take(tx.connection()?).await
}

/// How often this address was written to since then because somebody wants it, whoever they are.
pub(super) async fn mailed_since(
    tx: &mut SystemTx,
    new_email_key: &str,
    since: OffsetDateTime,
) -> Result<i64, DbError> {
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM address_changes WHERE new_email_key = $1 AND mailed AND created_at > $2"#,
        new_email_key,
        since
    );
    Ok(count.fetch_one(tx.connection()?).await?)
}

/// What the newest mails to the address of this change proved, whoever asked for them: the change that each was sent for, with the digest
/// of its code, if somebody vouches for it. None is older than an hour before this change: by the time until which it is good, which is under
/// its MAC.
pub(super) async fn mailed_codes(
    tx: &mut SystemTx,
    notary: &Notary,
    change: &Change,
) -> Result<Vec<(Uuid, Vec<u8>)>, DbError> {
    let rows = sqlx::query_as!(
        Change,
        "SELECT id, user_id, version, old_email_key, new_email, new_email_key, old_code_digest, new_code_digest, expires_at,
             code_tries, old_confirmed_at, new_confirmed_at, ended_at, mac
         FROM address_changes WHERE new_email_key = $1 AND mailed AND expires_at > $2 ORDER BY id DESC LIMIT $3",
        change.new_email_key,
        change.expires_at - MERGED_FOR,
        MOST_MERGED
    )
    .fetch_all(tx.connection()?)
    .await?;
    let mut codes = Vec::with_capacity(rows.len());
    for row in rows {
        if notary.vouches(&row.vouched(), &row.mac).await? {
            codes.push((row.id, row.new_code_digest));
        }
    }
    Ok(codes)
}

/// Gives up what waits for a person.
pub(super) async fn give_up_waiting(
    tx: &mut SystemTx,
    notary: &Notary,
    user: UserId,
    now: OffsetDateTime,
) -> Result<Vec<Stamp>, DbError> {
    let mut stamps = Vec::new();
    for mut before in hold_waiting(tx, notary, user, now).await? {
        before.ended_at = Some(now);
        stamps.push(keep_change(tx, notary, &mut before).await?);
    }
    Ok(stamps)
}

/// Those of a person that wait, if somebody vouches for them; the newest first.
pub(super) async fn hold_waiting(
    tx: &mut SystemTx,
    notary: &Notary,
    user: UserId,
    now: OffsetDateTime,
) -> Result<Vec<Change>, DbError> {
    let rows = sqlx::query_as!(
        Change,
        "SELECT id, user_id, version, old_email_key, new_email, new_email_key, old_code_digest, new_code_digest, expires_at,
             code_tries, old_confirmed_at, new_confirmed_at, ended_at, mac
         FROM address_changes WHERE user_id = $1 AND ended_at IS NULL AND expires_at > $2 ORDER BY id DESC FOR UPDATE",
        user.uuid(),
        now
    )
    .fetch_all(tx.connection()?)
    .await?;
    let mut vouched = Vec::with_capacity(rows.len());
    for row in rows {
        if notary.vouches(&row.vouched(), &row.mac).await? {
            vouched.push(row);
        }
    }
    Ok(vouched)
}

/// Writes what has become of a change.
pub(super) async fn keep_change(tx: &mut SystemTx, notary: &Notary, change: &mut Change) -> Result<Stamp, DbError> {
    change.version = change.version.saturating_add(1);
    let vouching = notary.vouch(&change.vouched());
    sqlx::query!(
        "UPDATE address_changes SET code_tries = $2, old_confirmed_at = $3, new_confirmed_at = $4, ended_at = $5, mac = $6
         WHERE id = $1",
        change.id,
        change.code_tries,
        change.old_confirmed_at,
        change.new_confirmed_at,
        change.ended_at,
        &vouching.mac
    )
    .execute(tx.connection()?)
    .await?;
    Ok(vouching.stamp)
}

/// The workspaces that a person belongs to, in the order in which they are locked.
pub(super) async fn workspaces_of(tx: &mut SystemTx, user: UserId) -> Result<Vec<WorkspaceId>, DbError> {
    let all = sqlx::query_scalar!(
        "SELECT workspace_id FROM memberships WHERE user_id = $1 AND ended_at IS NULL ORDER BY workspace_id",
        user.uuid()
    );
    Ok(all.fetch_all(tx.connection()?).await?.into_iter().map(Id::from_uuid).collect())
}

/// As `members` does it: nobody else changes who belongs there until the transaction ends.
pub(super) async fn lock_people(tx: &mut SystemTx, workspace: WorkspaceId) -> Result<(), DbError> {
    Lock::People(workspace).take(tx.connection()?).await
}

/// A membership that is to end.
pub(super) struct Member {
    pub(super) workspace: WorkspaceId,
    pub(super) role: String,
    version: i64,
    strong_only: bool,
}

/// The person's membership there, if it has not ended and somebody vouches for it; and, if it is an owner's, how the workspace is called
/// when nobody else who is vouched for and let in owns it.
pub(super) async fn member(
    tx: &mut SystemTx,
    notary: &Notary,
    (user, workspace): (UserId, WorkspaceId),
) -> Result<Option<(Member, Option<String>)>, DbError> {
    let rows = sqlx::query!(
        "SELECT m.user_id, m.role, m.version, m.strong_only, m.mac, w.name
         FROM memberships m JOIN workspaces w USING (workspace_id) JOIN users u ON u.id = m.user_id
         WHERE m.workspace_id = $1 AND m.ended_at IS NULL
           AND (m.user_id = $2 OR (m.role = 'owner' AND u.suspended_at IS NULL))",
        workspace.uuid(),
        user.uuid()
    )
    .fetch_all(tx.connection()?)
    .await?;
    let (mut own, mut others, mut name) = (None, 0, String::new());
    for row in rows {
        let (user_id, version, role, strong_only) = (row.user_id, row.version, &row.role, row.strong_only);
        let workspace_id = workspace.uuid();
        let vouched =
            rows::MembershipRow { workspace: workspace_id, user: user_id, version, role, ended_at: None, strong_only };
        if !notary.vouches(&vouched, &row.mac).await? {
            continue;
        }
        name = row.name;
        if user_id == user.uuid() {
            own = Some(Member { workspace, role: row.role, version, strong_only });
        } else {
            others += 1;
        }
    }
    Ok(own.map(|own| {
        let is_last = own.role == Role::Owner.as_str() && others == 0;
        (own, is_last.then_some(name))
    }))
}

/// Ends a membership.
pub(super) async fn end_member(
    tx: &mut SystemTx,
    notary: &Notary,
    (user, member): (UserId, &Member),
    now: OffsetDateTime,
) -> Result<Stamp, DbError> {
    let (workspace, user, version) = (member.workspace.uuid(), user.uuid(), member.version.saturating_add(1));
    let (role, ended_at, strong_only) = (&member.role, Some(now), member.strong_only);
    let row = rows::MembershipRow { workspace, user, version, role, ended_at, strong_only };
    let vouching = notary.vouch(&row);
    sqlx::query!(
        "UPDATE memberships SET ended_at = $3, mac = $4 WHERE workspace_id = $1 AND user_id = $2",
        workspace,
        user,
        now,
        &vouching.mac
    )
    .execute(tx.connection()?)
    .await?;
    Ok(vouching.stamp)
}

/// Revokes what a person has offered in a workspace.
pub(super) async fn revoke_invitations(
    tx: &mut SystemTx,
    notary: &Notary,
    (user, workspace): (UserId, WorkspaceId),
    now: OffsetDateTime,
) -> Result<Vec<Stamp>, DbError> {
    let (invited_by, workspace) = (user.uuid(), workspace.uuid());
    let all = sqlx::query!(
        "SELECT id, version, email, email_key, role, token_digest, expires_at, mac FROM invitations
         WHERE workspace_id = $1 AND invited_by = $2 AND accepted_at IS NULL AND revoked_at IS NULL FOR UPDATE",
        workspace,
        invited_by
    )
    .fetch_all(tx.connection()?)
    .await?;
    let mut stamps = Vec::new();
    for row in all {
        let mut vouched = rows::InvitationRow {
            workspace,
            id: row.id,
            version: row.version,
            email: &row.email,
            email_key: &row.email_key,
            role: &row.role,
            token_digest: &row.token_digest,
            invited_by,
            expires_at: row.expires_at,
            accepted_at: None,
            revoked_at: None,
        };
        if !notary.vouches(&vouched, &row.mac).await? {
            continue;
        }
        vouched.version = row.version.saturating_add(1);
        vouched.revoked_at = Some(now);
        let vouching = notary.vouch(&vouched);
        sqlx::query!(
            "UPDATE invitations SET revoked_at = $3, mac = $4 WHERE workspace_id = $1 AND id = $2",
            workspace,
            row.id,
            now,
            &vouching.mac
        )
        .execute(tx.connection()?)
        .await?;
        stamps.push(vouching.stamp);
    }
    Ok(stamps)
}

/// How many sessions of a person live, and to how many workspaces they belong.
pub(super) async fn counts(tx: &mut SystemTx, user: UserId, now: OffsetDateTime) -> Result<(i64, i64), DbError> {
    let row = sqlx::query!(
        r#"SELECT (SELECT count(*) FROM sessions WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > $2) AS "sessions!",
               (SELECT count(*) FROM memberships WHERE user_id = $1 AND ended_at IS NULL) AS "workspaces!""#,
        user.uuid(),
        now
    )
    .fetch_one(tx.connection()?)
    .await?;
    Ok((row.sessions, row.workspaces))
}
