//! The vault of a process: keys of owners, unwrapped when they are needed and remembered for a stated time.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bailiwick_proof::id::WorkspaceId;
use uuid::Uuid;

use super::alerts::{Alert, Alerts};
use super::anchored::Shelf;
use super::envelope::Envelope;
use super::error::VaultError;
use super::kek::Keks;
use super::keys::{Keys, Place};
use super::mac::RowKeys;
use super::plaintext::Plaintext;
use super::sealer::Sealer;
use super::slot::{Remembered, Slot, Slots};
use super::sql;
use crate::anchor::AnchorStore;
use crate::clock::Clock;
use crate::db::{Db, OperationalPath, Unrecorded};
use crate::entropy::Entropy;

/// A data key seals no more often than this (NIST SP 800-38D, 8.3, for random nonces).
pub const MOST_USES: u64 = 1 << 28;
/// So many uses are reserved in the database at once, ahead of being used: a crash loses some, and none is used twice.
const RESERVED: u32 = 1 << 16;
/// A version that nobody has heard of is looked for so often at most.
const LOOK: Duration = Duration::from_secs(1);
/// What was fetched so lately is taken for what is there now.
const MOMENT: Duration = Duration::from_millis(50);

/// Whose keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Owner {
    /// The cell's own.
    Cell,
    /// A workspace's.
    Workspace(WorkspaceId),
}

impl Owner {
    /// The workspace of this uuid; the cell under the nil uuid.
    #[must_use]
    pub fn of(uuid: Uuid) -> Self {
        if uuid.is_nil() { Self::Cell } else { Self::Workspace(WorkspaceId::from_uuid(uuid)) }
    }

    /// Nil for the cell.
    #[must_use]
    pub fn uuid(self) -> Uuid {
        match self {
            Self::Cell => Uuid::nil(),
            Self::Workspace(workspace) => workspace.uuid(),
        }
    }
}

/// What a vault is put together from.
pub struct Parts {
    /// The database.
    pub db: Db,
    /// Who wraps.
    pub keks: Keks,
    /// What data keys are bound to.
    pub anchor: AnchorStore,
    /// The cell's id, bound into every wrap: a KEK of another region opens nothing here.
    pub cell: Uuid,
    /// How long unwrapped keys serve while the key service is away.
    pub lifetime: Duration,
    /// Tells the time.
    pub clock: Clock,
    /// Gives randomness.
    pub entropy: Entropy,
}

/// Seals and opens. Cheap to clone.
#[derive(Clone)]
pub struct Vault(Arc<Inner>);

struct Inner {
    parts: Parts,
    shelf: Shelf,
    slots: Slots,
    alerts: Alerts,
}

impl Vault {
    /// Opens the cell's own keys, made now if the cell is new.
    ///
    /// # Errors
    /// See [`VaultError`]; among others [`VaultError::KekMissing`] for another KEK than the cell's.
    pub async fn open(parts: Parts) -> Result<Self, VaultError> {
        let shelf = Shelf::new(parts.anchor.clone(), parts.cell);
        let vault = Self(Arc::new(Inner { parts, shelf, slots: Slots::default(), alerts: Alerts::default() }));
        vault.keys(Owner::Cell).await?;
        Ok(vault)
    }

    /// What was found that should not be.
    #[must_use]
    pub fn alerts(&self) -> &Alerts {
        &self.0.alerts
    }

    pub(super) fn parts(&self) -> &Parts {
        &self.0.parts
    }

    pub(super) fn shelf(&self) -> &Shelf {
        &self.0.shelf
    }

    pub(super) fn slots(&self) -> &Slots {
        &self.0.slots
    }

    /// Seals under the owner's newest key.
    ///
    /// # Errors
    /// See [`VaultError`].
    pub async fn seal(&self, owner: Owner, place: &Place<'_>, plaintext: &[u8]) -> Result<Vec<u8>, VaultError> {
        let sealed = self.at_hand(owner, |current| current.take(1).then(|| current.keys.seal(place, plaintext)));
        if let Some(Some(sealed)) = sealed {
            return sealed;
        }
        Box::pin(self.sealer(owner, 1)).await?.seal(place, plaintext)
    }

    /// Opens what was sealed at the same place; what does not open is raised as an alert.
    ///
    /// # Errors
    /// See [`VaultError`].
    pub async fn unseal(&self, owner: Owner, place: &Place<'_>, sealed: &[u8]) -> Result<Plaintext, VaultError> {
        match self.at_hand(owner, |current| current.keys.open(place, sealed)) {
            Some(Ok(plaintext)) => Ok(plaintext),
            known => Box::pin(self.unseal_with_more(owner, place, sealed, known)).await,
        }
    }

    /// What the keys at hand did not open, if there were any.
    async fn unseal_with_more(
        &self,
        owner: Owner,
        place: &Place<'_>,
        sealed: &[u8],
        known: Option<Result<Plaintext, VaultError>>,
    ) -> Result<Plaintext, VaultError> {
        let opened = match known {
            Some(opened) => opened,
            None => self.keys(owner).await?.open(place, sealed),
        };
        let opened = match opened {
            Err(VaultError::UnknownKey) => self.keys_with(owner, sealed).await?.open(place, sealed),
            opened => opened,
        };
        opened.inspect_err(|error| self.report(owner, place, error))
    }

    /// As [`Self::unseal`], by keys as they were a moment ago: what was erased since is not opened from memory. While the key
    /// service is away memory serves.
    ///
    /// # Errors
    /// See [`VaultError`].
    pub async fn unseal_of_now(&self, owner: Owner, place: &Place<'_>, sealed: &[u8]) -> Result<Plaintext, VaultError> {
        let keys = self.latest_keys(owner).await?;
        keys.open(place, sealed).inspect_err(|error| self.report(owner, place, error))
    }

    /// Raises an alert for what was tampered with. Whatever else went wrong is no finding.
    pub fn report(&self, owner: Owner, place: &Place<'_>, error: &VaultError) {
        if error.is_tampering() {
            let row: String = String::from_utf8_lossy(place.row).chars().filter(char::is_ascii_graphic).collect();
            self.0.alerts.raise(Alert { what: error.word(), of: place.column.label, workspace: owner.uuid(), row });
        }
    }

    /// So many uses of the owner's newest key, reserved.
    ///
    /// # Errors
    /// See [`VaultError`].
    pub async fn sealer(&self, owner: Owner, uses: u32) -> Result<Sealer, VaultError> {
        loop {
            let current = self.current(owner).await?;
            if current.take(uses) {
                return Ok(Sealer::new(Arc::clone(&current.keys), uses));
            }
            let slot = self.slot(owner);
            let _one_at_a_time = self.turn(&slot).await?;
            if !current.has(uses) {
                self.reserve(owner, &slot, &current, uses.max(RESERVED)).await?;
            }
        }
    }

    /// An owner's keys, remembered or fetched.
    ///
    /// # Errors
    /// See [`VaultError`].
    pub async fn keys(&self, owner: Owner) -> Result<Arc<Keys>, VaultError> {
        Ok(Arc::clone(&self.current(owner).await?.keys))
    }

    /// What serves without anybody being asked. Most that is sealed and opened comes by here, and pays for each lock and each
    /// reference that is counted.
    fn at_hand<T>(&self, owner: Owner, serve: impl FnOnce(&Remembered) -> T) -> Option<T> {
        self.slots().with(owner.uuid(), self.0.parts.lifetime / 2, |remembered| serve(remembered))
    }

    /// What is remembered of an owner and younger than this.
    fn remembered(&self, owner: Owner, at_most: Duration) -> Option<Arc<Remembered>> {
        self.slots().remembered(owner.uuid(), at_most)
    }

    async fn current(&self, owner: Owner) -> Result<Arc<Remembered>, VaultError> {
        let lifetime = self.0.parts.lifetime;
        if let Some(fresh) = self.remembered(owner, lifetime / 2) {
            return Ok(fresh);
        }
        let slot = self.slot(owner);
        if let Some(remembered) = self.remembered(owner, lifetime) {
            self.refresh(owner, slot);
            return Ok(remembered);
        }
        let _one_at_a_time = self.turn(&slot).await?;
        if let Some(fresh) = self.remembered(owner, lifetime / 2) {
            return Ok(fresh);
        }
        self.fetch(owner, &slot).await
    }

    /// An owner's keys with the one that this was sealed by, which another node may have made a moment ago.
    async fn keys_with(&self, owner: Owner, sealed: &[u8]) -> Result<Arc<Keys>, VaultError> {
        let version = Envelope::parse(sealed)?.header.version;
        let slot = self.slot(owner);
        let _one_at_a_time = self.turn(&slot).await?;
        if let Some(remembered) = self.remembered(owner, self.0.parts.lifetime)
            && (remembered.keys.knows(version) || !slot.may_look(LOOK))
        {
            return Ok(Arc::clone(&remembered.keys));
        }
        Ok(Arc::clone(&self.fetch(owner, &slot).await?.keys))
    }

    /// An owner's keys as they were a moment ago, for whoever has to know of what another process has just erased.
    ///
    /// # Errors
    /// See [`VaultError`].
    pub async fn keys_of_now(&self, owner: Owner) -> Result<Arc<Keys>, VaultError> {
        let slot = self.slot(owner);
        let _one_at_a_time = self.turn(&slot).await?;
        match self.remembered(owner, MOMENT) {
            Some(remembered) => Ok(Arc::clone(&remembered.keys)),
            None => Ok(Arc::clone(&self.fetch(owner, &slot).await?.keys)),
        }
    }

    /// As [`Self::keys_of_now`]; while the key service is away those that are remembered.
    pub(super) async fn latest_keys(&self, owner: Owner) -> Result<Arc<Keys>, VaultError> {
        match self.keys_of_now(owner).await {
            Err(error) if error.passes() => self.keys(owner).await,
            keys => keys,
        }
    }

    /// An owner's keys with every version that the database has at this moment: what is looked up by a blind index may have
    /// been sealed anew under one of which this process has not heard.
    ///
    /// # Errors
    /// See [`VaultError`].
    pub async fn complete_keys(&self, owner: Owner) -> Result<Arc<Keys>, VaultError> {
        let keys = self.keys(owner).await?;
        let mut tx = self.0.parts.db.system_tx(OperationalPath::OpenVault).await?;
        let newest = sql::newest(&mut tx, owner.uuid()).await?;
        tx.finish_reading().await?;
        match newest {
            Some(version) if !keys.knows(version) => self.fetch_anew(owner).await,
            _ => Ok(keys),
        }
    }

    /// Waits to fetch; not behind somebody who waits for a key service that is silent.
    async fn turn<'a>(&self, slot: &'a Slot) -> Result<tokio::sync::MutexGuard<'a, ()>, VaultError> {
        match slot.fetching.try_lock() {
            Ok(turn) => Ok(turn),
            Err(_) if self.0.parts.keks.is_one_silent() => {
                Err(VaultError::KekUnavailable("it has not answered lately".to_owned()))
            }
            Err(_) => Ok(slot.fetching.lock().await),
        }
    }

    /// The keys that vouch for rows of this kind.
    ///
    /// # Errors
    /// See [`VaultError`].
    pub async fn row_keys(&self, label: &'static str) -> Result<RowKeys, VaultError> {
        RowKeys::of(self.keys(Owner::Cell).await?.mac_keys(label)?).ok_or(VaultError::UnknownKey)
    }

    /// The same, with every version that there is at this moment: for what is looked at so seldom that it costs nothing.
    ///
    /// # Errors
    /// See [`VaultError`].
    pub async fn all_row_keys(&self, label: &'static str) -> Result<RowKeys, VaultError> {
        RowKeys::of(self.complete_keys(Owner::Cell).await?.mac_keys(label)?).ok_or(VaultError::UnknownKey)
    }

    /// Looks whether the cell has got a key that is not known here, however often it is asked at most once in [`LOOK`].
    ///
    /// # Errors
    /// See [`VaultError`].
    pub async fn look_for_cell_keys(&self) -> Result<(), VaultError> {
        let slot = self.slot(Owner::Cell);
        let _one_at_a_time = self.turn(&slot).await?;
        if slot.may_look(LOOK) { self.fetch(Owner::Cell, &slot).await.map(|_| ()) } else { Ok(()) }
    }

    /// Forgets what is remembered of an owner, so that it is fetched anew.
    pub(super) fn forget(&self, owner: Owner) {
        self.slots().forget(owner.uuid());
    }

    /// Fetches an owner's keys anew, whatever is remembered.
    pub(super) async fn fetch_anew(&self, owner: Owner) -> Result<Arc<Keys>, VaultError> {
        let slot = self.slot(owner);
        let _one_at_a_time = self.turn(&slot).await?;
        Ok(Arc::clone(&self.fetch(owner, &slot).await?.keys))
    }

    /// Fetches in the background what will be over before long; the keys that are remembered serve meanwhile.
    fn refresh(&self, owner: Owner, slot: Arc<Slot>) {
        let vault = self.clone();
        tokio::spawn(async move {
            let Ok(_one_at_a_time) = slot.fetching.try_lock() else { return };
            if let Err(error) = vault.fetch(owner, &slot).await {
                metrics::counter!("bailiwick_vault_failures_total", "why" => error.word()).increment(1);
                tracing::warn!(event = "vault.keys_not_refreshed", owner = %owner.uuid(), cause = %error);
            }
        });
    }

    /// Counts uses in the database ahead of their being made; a version that is used up gets a successor.
    async fn reserve(&self, owner: Owner, slot: &Slot, current: &Remembered, uses: u32) -> Result<(), VaultError> {
        let version = current.keys.version()?;
        let mut tx = self.0.parts.db.system_tx(OperationalPath::OpenVault).await?;
        let reserved = sql::reserve(&mut tx, owner.uuid(), version, u64::from(uses)).await?;
        tx.commit_unrecorded(Unrecorded::Keyed).await?;
        match reserved {
            Some(reserved) if reserved <= MOST_USES => {
                current.add(uses);
                Ok(())
            }
            Some(_) => {
                self.succeed(owner, version).await?;
                self.fetch(owner, slot).await.map(|_| ())
            }
            // Shredded, or the rows are gone: what is remembered is of no use any more.
            None => {
                self.slots().forget_keys(owner.uuid(), slot);
                self.fetch(owner, slot).await.map(|_| ())
            }
        }
    }

    fn slot(&self, owner: Owner) -> Arc<Slot> {
        self.slots().slot(owner.uuid(), self.0.parts.lifetime)
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vault({}, [redacted])", self.0.parts.cell)
    }
}
