//! Keys get successors, and older wraps are made anew. Everything here can be interrupted and begun again: what was done
//! is not found a second time.

use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::anchored::Found;
use super::error::VaultError;
use super::ring::{MOST_USES, Owner, Vault};
use super::sql::{self, DekRow};
use crate::db::{OperationalPath, Unrecorded};

/// A data key seals for so long.
pub const KEY_AGE: Duration = Duration::days(90);
/// Keys that are looked at in one transaction.
const PAGE: i64 = 100;

/// Which keys wrap what.
#[derive(Clone, Debug)]
pub struct Status {
    /// The KEK that wraps now.
    pub chosen: String,
    /// Its newest version.
    pub version: u32,
    /// How many data keys each version of each KEK wraps.
    pub wraps: Vec<(String, u32, u64)>,
    /// When the oldest data key that still seals was made.
    pub oldest: Option<OffsetDateTime>,
    /// How many uses of the most used one are reserved.
    pub uses: u64,
}

impl Status {
    /// Data keys under another KEK than the one that wraps now, or under an older version of it.
    #[must_use]
    pub fn left_behind(&self) -> u64 {
        let current = |kek: &str, version| kek == self.chosen && version == self.version;
        self.wraps.iter().filter(|(kek, version, _)| !current(kek, *version)).map(|(.., count)| count).sum()
    }
}

/// What came of wrapping anew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rewrapped {
    /// Data keys that were.
    pub done: u64,
    /// Data keys that do not unwrap, with the reason: they stay as they are.
    pub refused: Vec<(Uuid, u32, &'static str)>,
}

impl Vault {
    /// Which keys wrap what.
    ///
    /// # Errors
    /// See [`VaultError`].
    pub async fn status(&self) -> Result<Status, VaultError> {
        let kek = self.parts().keks.chosen();
        let version = kek.newest().await?;
        let mut tx = self.parts().db.system_tx(OperationalPath::RotateVault).await?;
        let wraps = sql::by_kek(&mut tx).await?;
        let (oldest, uses) = sql::extremes(&mut tx).await?;
        tx.finish_reading().await?;
        Ok(Status { chosen: kek.name().to_owned(), version, wraps, oldest, uses })
    }

    /// Has the KEK's keeper make another version; what is wrapped by the one before goes on opening.
    ///
    /// # Errors
    /// See [`VaultError`].
    pub async fn rotate_kek(&self) -> Result<u32, VaultError> {
        self.parts().keks.chosen().rotate().await
    }

    /// Wraps every data key under the newest version of the chosen KEK. The keys stay the same, and so does all that they
    /// sealed; nodes go on with what they remember.
    ///
    /// # Errors
    /// [`VaultError`] when the keeper or the database is away: what was done stays done.
    pub async fn rewrap(&self, mut progress: impl FnMut(u64)) -> Result<Rewrapped, VaultError> {
        let kek = self.parts().keks.chosen();
        let (newest, mut after) = (kek.newest().await?, (Uuid::nil(), 0));
        let mut rewrapped = Rewrapped::default();
        loop {
            let mut tx = self.parts().db.system_tx(OperationalPath::RotateVault).await?;
            let rows = sql::wrapped_otherwise(&mut tx, after, kek.name(), newest, PAGE).await?;
            tx.finish_reading().await?;
            let Some(last) = rows.last() else { return Ok(rewrapped) };
            after = (last.owner, last.version);
            for row in rows {
                match self.rewrap_one(&row).await {
                    Ok(()) => rewrapped.done += 1,
                    Err(error) if error.passes() => return Err(error),
                    Err(error) => rewrapped.refused.push((row.owner, row.version, error.word())),
                }
            }
            progress(rewrapped.done);
        }
    }

    async fn rewrap_one(&self, row: &DekRow) -> Result<(), VaultError> {
        let about = self.about(row.owner, row.dek, row.version);
        let keks = &self.parts().keks;
        let key = keks.unwrap(&about, &row.wrapped).await?;
        let wrapped = keks.chosen().wrap(&about, &key).await?;
        let mut tx = self.parts().db.system_tx(OperationalPath::RotateVault).await?;
        // False when somebody else was quicker, which is as good.
        sql::rewrap(&mut tx, row, &wrapped).await?;
        tx.commit_unrecorded(Unrecorded::Keyed).await?;
        Ok(())
    }

    /// Gives a successor to every data key that has sealed for too long or too often, and answers how many that were.
    ///
    /// # Errors
    /// See [`VaultError`].
    pub async fn renew_old_keys(&self, age: Duration) -> Result<u64, VaultError> {
        let before = self.parts().clock.now() - age;
        let (mut after, mut renewed) = (None, 0);
        loop {
            let mut tx = self.parts().db.system_tx(OperationalPath::RotateVault).await?;
            let due = sql::due(&mut tx, after, before, MOST_USES, PAGE).await?;
            tx.finish_reading().await?;
            let Some(last) = due.last() else { return Ok(renewed) };
            after = Some(*last);
            for owner in due {
                match self.renew(Owner::of(owner)).await {
                    Ok(()) => renewed += 1,
                    Err(VaultError::Shredded) => {}
                    Err(error) => return Err(error),
                }
            }
        }
    }

    /// Makes the version after this one, unless somebody else has. What it was sealed by opens on.
    pub(super) async fn succeed(&self, owner: Owner, version: u32) -> Result<bool, VaultError> {
        let uuid = owner.uuid();
        let rows = self.rows(uuid).await?;
        let Some(newest) = rows.last() else { return Err(VaultError::UnknownKey) };
        if newest.version != version {
            return Ok(false);
        }
        let next = version.saturating_add(1);
        match owner {
            Owner::Cell => self.make_version(uuid, newest.dek, next, None).await,
            Owner::Workspace(_) => match self.anchored(uuid).await? {
                Found::Here(anchored, _) => self.make_version(uuid, newest.dek, next, Some(&anchored)).await,
                Found::Shredded => Err(VaultError::Shredded),
                Found::Nothing => Err(VaultError::AnchorMissing),
            },
        }
    }

    /// Gives an owner's data key a successor.
    ///
    /// # Errors
    /// See [`VaultError`].
    pub async fn renew(&self, owner: Owner) -> Result<(), VaultError> {
        let version = self.fetch_anew(owner).await?.version()?;
        self.succeed(owner, version).await?;
        self.fetch_anew(owner).await?;
        Ok(())
    }
}
