//! Logins of devices, on their operational paths.

use time::OffsetDateTime;
use uuid::Uuid;

use crate::authz::Notary;
use crate::authz::vouched::rows;
use crate::authz::vouched::stamp::Stamp;
use crate::db::{DbError, SystemTx};

/// A login of a device as it stands in its table.
pub(super) struct Row {
    pub(super) id: Uuid,
    pub(super) device_digest: Vec<u8>,
    pub(super) code_digest: Vec<u8>,
    pub(super) device: String,
    pub(super) network: Option<String>,
    pub(super) created_at: OffsetDateTime,
    pub(super) expires_at: OffsetDateTime,
    pub(super) decided_at: Option<OffsetDateTime>,
    pub(super) decided_by: Option<Uuid>,
    pub(super) by_session: Option<Uuid>,
    pub(super) approved: bool,
    pub(super) strong: bool,
    pub(super) picked_up_at: Option<OffsetDateTime>,
    pub(super) polled_at: Option<OffsetDateTime>,
    pub(super) interval_seconds: i32,
    pub(super) mac: Vec<u8>,
}

impl Row {
    fn vouched(&self) -> rows::DeviceLoginRow<'_> {
        rows::DeviceLoginRow {
            id: self.id,
            device_digest: &self.device_digest,
            code_digest: &self.code_digest,
            device: &self.device,
            network: self.network.as_deref(),
            expires_at: self.expires_at,
            decided_at: self.decided_at,
            decided_by: self.decided_by,
            by_session: self.by_session,
            approved: self.approved,
            strong: self.strong,
            picked_up_at: self.picked_up_at,
        }
    }

    /// Whether anybody may still say yes or no.
    pub(super) fn waits(&self, now: OffsetDateTime) -> bool {
        self.decided_at.is_none() && self.expires_at > now
    }
}

pub(super) async fn insert(tx: &mut SystemTx, notary: &Notary, row: &Row) -> Result<Stamp, DbError> {
    let vouching = notary.vouch(&row.vouched());
    sqlx::query!(
        "INSERT INTO device_logins
             (id, device_digest, code_digest, device, network, created_at, expires_at, interval_seconds, mac)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        row.id,
        row.device_digest,
        row.code_digest,
        row.device,
        row.network,
        row.created_at,
        row.expires_at,
        row.interval_seconds,
        &vouching.mac
    )
    .execute(tx.connection()?)
    .await?;
    Ok(vouching.stamp)
}

/// The one that this id names, locked, if somebody vouches for it.
pub(super) async fn lock(tx: &mut SystemTx, notary: &Notary, id: Uuid) -> Result<Option<Row>, DbError> {
    let row = sqlx::query_as!(
        Row,
        "SELECT id, device_digest, code_digest, device, network, created_at, expires_at, decided_at, decided_by, by_session,
             approved, strong, picked_up_at, polled_at, interval_seconds, mac
         FROM device_logins WHERE id = $1 FOR UPDATE",
        id
    )
    .fetch_optional(tx.connection()?)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(notary.vouches(&row.vouched(), &row.mac).await?.then_some(row))
}

/// Those that a code with one of these digests belongs to: none or one, but for a chance of one in 2^40.
pub(super) async fn named(
    tx: &mut SystemTx,
    digests: &[Vec<u8>],
    now: OffsetDateTime,
) -> Result<Option<Uuid>, DbError> {
    let found = sqlx::query_scalar!(
        "SELECT id FROM device_logins WHERE code_digest = ANY($1) AND expires_at > $2 ORDER BY id DESC LIMIT 1",
        digests,
        now
    );
    Ok(found.fetch_optional(tx.connection()?).await?)
}

/// Writes what was decided, or that it was picked up.
pub(super) async fn keep(tx: &mut SystemTx, notary: &Notary, row: &Row) -> Result<Stamp, DbError> {
    let vouching = notary.vouch(&row.vouched());
    sqlx::query!(
        "UPDATE device_logins SET decided_at = $2, decided_by = $3, by_session = $4, approved = $5, strong = $6,
             picked_up_at = $7, mac = $8
         WHERE id = $1",
        row.id,
        row.decided_at,
        row.decided_by,
        row.by_session,
        row.approved,
        row.strong,
        row.picked_up_at,
        &vouching.mac
    )
    .execute(tx.connection()?)
    .await?;
    Ok(vouching.stamp)
}

/// Notes that the program has asked, and how long it is to wait.
pub(super) async fn note_poll(
    tx: &mut SystemTx,
    id: Uuid,
    now: OffsetDateTime,
    interval_seconds: i32,
) -> Result<(), DbError> {
    sqlx::query!(
        "UPDATE device_logins SET polled_at = $2, interval_seconds = $3 WHERE id = $1",
        id,
        now,
        interval_seconds
    )
    .execute(tx.connection()?)
    .await?;
    Ok(())
}
