//! Every row that grants something, page by page: to look at them all, and to vouch for them anew.

use time::OffsetDateTime;
use uuid::Uuid;

use super::{Kind, Notary, Vouched, account_sql, factor_sql, sql};
use crate::db::{Db, DbError, OperationalPath, SystemTx, Unrecorded};
use crate::vault::Meaning;

/// Rows that are read at once.
const PAGE: i64 = 1_000;

/// Where a row stands in its table, and in the order of its pages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct At {
    /// Whose it is; nil for the cell's.
    pub workspace: Uuid,
    /// An id's bytes, or a digest.
    pub id: Vec<u8>,
}

impl At {
    /// Which, in words that hold no secret.
    #[must_use]
    pub fn words(&self) -> String {
        super::words(&self.id)
    }

    /// The id; nil where a digest stands.
    pub(super) fn uuid(&self) -> Uuid {
        Uuid::from_slice(&self.id).unwrap_or_default()
    }
}

/// A row as it stands there.
#[derive(Debug)]
pub struct Standing {
    /// Where.
    pub at: At,
    /// Which, in words that hold no secret.
    pub row: String,
    /// How often it was changed, plus one.
    pub serial: u64,
    /// When it ends by itself.
    pub until: Option<OffsetDateTime>,
    /// What it grants.
    pub meaning: Meaning,
    /// Who vouches for it.
    pub mac: Vec<u8>,
}

impl Standing {
    pub(super) fn of<R: Vouched>(row: &R, mac: Vec<u8>) -> Self {
        let at = At { workspace: row.workspace(), id: row.id() };
        Self { at, row: row.row(), serial: row.serial(), until: row.until(), meaning: row.meaning(), mac }
    }
}

/// The next rows of a kind after this one, but for those that are over by themselves. An empty page is the end.
///
/// # Errors
/// [`DbError`].
pub async fn page(db: &Db, kind: Kind, after: &At, now: OffsetDateTime) -> Result<Vec<Standing>, DbError> {
    let mut tx = db.system_tx(OperationalPath::VouchForRows).await?;
    let page = match kind {
        Kind::ApiKey => sql::api_keys(&mut tx, after, PAGE).await?,
        Kind::Membership => sql::memberships(&mut tx, after, PAGE).await?,
        Kind::User => sql::users(&mut tx, after, PAGE).await?,
        Kind::Session => sql::sessions(&mut tx, after, now, PAGE).await?,
        Kind::RefreshToken => sql::refresh_tokens(&mut tx, after, now, PAGE).await?,
        Kind::Service => sql::services(&mut tx, after, PAGE).await?,
        Kind::Challenge => sql::challenges(&mut tx, after, now, PAGE).await?,
        Kind::Retention => sql::retention(&mut tx, after, PAGE).await?,
        Kind::ReceiptShare => sql::receipt_shares(&mut tx, after, now, PAGE).await?,
        Kind::Invitation => sql::invitations(&mut tx, after, now, PAGE).await?,
        Kind::DeviceLogin => account_sql::device_logins(&mut tx, after, now, PAGE).await?,
        Kind::AddressChange => account_sql::address_changes(&mut tx, after, now, PAGE).await?,
        Kind::Passkey => sql::passkeys(&mut tx, after, PAGE).await?,
        Kind::Authenticator => factor_sql::authenticators(&mut tx, after, now, PAGE).await?,
        Kind::FactorHolder => factor_sql::holders(&mut tx, after, PAGE).await?,
        Kind::SecondStep => factor_sql::second_steps(&mut tx, after, now, PAGE).await?,
        Kind::Workspace => account_sql::workspaces(&mut tx, after, PAGE).await?,
    };
    tx.finish_reading().await?;
    Ok(page)
}

/// Puts MACs into rows that still have the one that was read with them, and answers how many those were.
///
/// # Errors
/// [`DbError`].
pub async fn put(tx: &mut SystemTx, kind: Kind, rows: &[(&Standing, Vec<u8>)]) -> Result<u64, DbError> {
    let (mut workspaces, mut ids, mut digests, mut old, mut new) = (vec![], vec![], vec![], vec![], vec![]);
    for (row, mac) in rows {
        workspaces.push(row.at.workspace);
        ids.push(row.at.uuid());
        digests.push(row.at.id.clone());
        old.push(row.mac.clone());
        new.push(mac.clone());
    }
    let macs = sql::Macs { workspaces: &workspaces, ids: &ids, digests: &digests, old: &old, new: &new };
    sql::put(tx, kind, macs).await
}

/// Takes the MAC of a row away that still has the one that was read with it, and answers whether it had. What is counted counts on
/// from the last serial that is known.
///
/// # Errors
/// [`DbError`].
pub async fn fence(tx: &mut SystemTx, kind: Kind, row: &Standing, last: u64) -> Result<bool, DbError> {
    sql::count_on_from(tx, last).await?;
    Ok(put(tx, kind, &[(row, Vec::new())]).await? > 0)
}

/// Vouches under the newest key for whatever an older one vouches for, and answers how many rows those were. What nobody
/// vouches for stays as it is, and is reported. May be stopped and begun again at any time.
///
/// # Errors
/// [`DbError`].
pub async fn vouch_anew(db: &Db, notary: &Notary, now: OffsetDateTime) -> Result<u64, DbError> {
    notary.renew().await?;
    let mut renewed = 0;
    for kind in Kind::ALL {
        let mut after = At::default();
        loop {
            let page = page(db, kind, &after, now).await?;
            let Some(last) = page.last() else { break };
            after = last.at.clone();
            let mut anew = Vec::new();
            for row in page.iter().filter(|row| !notary.is_newest(kind, &row.mac)) {
                if notary.vouches_standing(kind, row).await? {
                    anew.push((row, notary.sign_meaning(kind, &row.meaning)));
                }
            }
            if !anew.is_empty() {
                let mut tx = db.system_tx(OperationalPath::VouchForRows).await?;
                renewed += put(&mut tx, kind, &anew).await?;
                tx.commit_unrecorded(Unrecorded::Keyed).await?;
            }
        }
    }
    Ok(renewed)
}
