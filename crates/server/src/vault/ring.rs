//! The vault of a process: keys of owners, unwrapped when they are needed and remembered for a stated time.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bailiwick_proof::id::WorkspaceId;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::alerts::{Alert, Alerts};
use super::anchored::{Anchored, Found, Shelf};
use super::envelope::Envelope;
use super::error::VaultError;
use super::kek::{self, Keks};
use super::keys::{Dek, Keys, Place};
use super::mac::RowKeys;
use super::slot::{Remembered, Slot};
use super::sql::{self, DekRow};
use crate::anchor::AnchorStore;
use crate::clock::Clock;
use crate::db::{Db, OperationalPath, Unrecorded};
use crate::entropy::Entropy;

/// A data key seals no more often than this (NIST SP 800-38D, 8.3, for random nonces).
pub const MOST_USES: u64 = 1 << 28;
/// So many uses are reserved in the database at once, ahead of being used: a crash loses some, and none is used twice.
const RESERVED: u32 = 1 << 16;
/// So many owners are remembered; past it those whose time is over are forgotten.
const OWNERS: usize = 20_000;
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
    owners: Mutex<HashMap<Uuid, Arc<Slot>>>,
    alerts: Alerts,
}

/// Keys with uses that are reserved for whoever holds this.
pub struct Sealer {
    keys: Arc<Keys>,
    left: u32,
}

impl Sealer {
    /// Seals under the newest key.
    ///
    /// # Errors
    /// [`VaultError::Erased`]; [`VaultError::Malformed`] beyond what was reserved, or beyond GCM.
    pub fn seal(&mut self, place: &Place<'_>, plaintext: &[u8]) -> Result<Vec<u8>, VaultError> {
        self.left = self.left.checked_sub(1).ok_or(VaultError::Malformed("sealed more often than was reserved"))?;
        self.keys.seal(place, plaintext)
    }

    /// The keys, to open or look up with.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.keys
    }
}

impl Vault {
    /// Opens the cell's own keys, made now if the cell is new.
    ///
    /// # Errors
    /// See [`VaultError`]; among others [`VaultError::KekMissing`] for another KEK than the cell's.
    pub async fn open(parts: Parts) -> Result<Self, VaultError> {
        let shelf = Shelf::new(parts.anchor.clone(), parts.cell);
        let vault = Self(Arc::new(Inner { parts, shelf, owners: Mutex::default(), alerts: Alerts::default() }));
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

    /// Seals under the owner's newest key.
    ///
    /// # Errors
    /// See [`VaultError`].
    pub async fn seal(&self, owner: Owner, place: &Place<'_>, plaintext: &[u8]) -> Result<Vec<u8>, VaultError> {
        self.sealer(owner, 1).await?.seal(place, plaintext)
    }

    /// Opens what was sealed at the same place; what does not open is raised as an alert.
    ///
    /// # Errors
    /// See [`VaultError`].
    pub async fn unseal(
        &self,
        owner: Owner,
        place: &Place<'_>,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let opened = match self.keys(owner).await?.open(place, sealed) {
            Err(VaultError::UnknownKey) => self.keys_with(owner, sealed).await?.open(place, sealed),
            opened => opened,
        };
        opened.inspect_err(|error| self.report(owner, place, error))
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
        let slot = self.slot(owner);
        loop {
            let current = self.current(owner, &slot).await?;
            if current.take(uses) {
                return Ok(Sealer { keys: current.keys, left: uses });
            }
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
        Ok(self.current(owner, &self.slot(owner)).await?.keys)
    }

    async fn current(&self, owner: Owner, slot: &Arc<Slot>) -> Result<Remembered, VaultError> {
        let lifetime = self.0.parts.lifetime;
        if let Some(fresh) = slot.remembered(lifetime / 2) {
            return Ok(fresh);
        }
        if let Some(remembered) = slot.remembered(lifetime) {
            self.refresh(owner, Arc::clone(slot));
            return Ok(remembered);
        }
        let _one_at_a_time = self.turn(slot).await?;
        if let Some(fresh) = slot.remembered(lifetime / 2) {
            return Ok(fresh);
        }
        self.fetch(owner, slot).await
    }

    /// An owner's keys with the one that this was sealed by, which another node may have made a moment ago.
    async fn keys_with(&self, owner: Owner, sealed: &[u8]) -> Result<Arc<Keys>, VaultError> {
        let version = Envelope::parse(sealed)?.header.version;
        let slot = self.slot(owner);
        let _one_at_a_time = self.turn(&slot).await?;
        if let Some(Remembered { keys, .. }) = slot.remembered(self.0.parts.lifetime)
            && (keys.knows(version) || !slot.may_look(LOOK))
        {
            return Ok(keys);
        }
        Ok(self.fetch(owner, &slot).await?.keys)
    }

    /// An owner's keys as they were a moment ago, for whoever has to know of what another process has just erased.
    ///
    /// # Errors
    /// See [`VaultError`].
    pub async fn keys_of_now(&self, owner: Owner) -> Result<Arc<Keys>, VaultError> {
        let slot = self.slot(owner);
        let _one_at_a_time = self.turn(&slot).await?;
        match slot.remembered(MOMENT) {
            Some(Remembered { keys, .. }) => Ok(keys),
            None => Ok(self.fetch(owner, &slot).await?.keys),
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
        self.owners().remove(&owner.uuid());
    }

    /// Fetches an owner's keys anew, whatever is remembered.
    pub(super) async fn fetch_anew(&self, owner: Owner) -> Result<Arc<Keys>, VaultError> {
        let slot = self.slot(owner);
        let _one_at_a_time = self.turn(&slot).await?;
        Ok(self.fetch(owner, &slot).await?.keys)
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

    /// Fetches and remembers; the caller holds the slot.
    async fn fetch(&self, owner: Owner, slot: &Slot) -> Result<Remembered, VaultError> {
        let fetched = match owner {
            Owner::Cell => self.fetch_cell().await,
            Owner::Workspace(_) => self.fetch_workspace(owner.uuid()).await,
        };
        if matches!(fetched, Err(VaultError::Shredded)) {
            slot.forget();
        }
        Ok(slot.remember(fetched?))
    }

    async fn fetch_cell(&self) -> Result<Keys, VaultError> {
        let Parts { entropy, .. } = &self.0.parts;
        let nil = Uuid::nil();
        let mut rows = self.rows(nil).await?;
        if rows.is_empty() {
            if self.0.shelf.exists(nil).await? {
                return Err(VaultError::KeysMissing);
            }
            self.make_version(nil, entropy.uuid_v7(self.0.parts.clock.now()), 1, None).await?;
            rows = self.rows(nil).await?;
        }
        let deks = self.unwrap_all(&rows, None).await?;
        let dek = rows.first().map(|row| row.dek).ok_or(VaultError::UnknownKey)?;
        // The cell's own object is sealed by the keys that are being fetched.
        let bare = Keys::new(nil, dek, deks, None, entropy.clone());
        // Made together with the key, which has sealed nothing before.
        let is_new = rows.iter().all(|row| row.uses == 0);
        let anchored = match self.0.shelf.find(nil, &bare).await? {
            Found::Here(anchored, _) => anchored,
            Found::Nothing if is_new => self.0.shelf.find_or_make(nil, &bare, entropy).await?,
            Found::Nothing => return Err(VaultError::AnchorMissing),
            Found::Shredded => return Err(VaultError::Shredded),
        };
        Ok(bare.with_subjects(anchored.subjects))
    }

    async fn fetch_workspace(&self, owner: Uuid) -> Result<Keys, VaultError> {
        let Parts { entropy, clock, .. } = &self.0.parts;
        let mut rows = self.rows(owner).await?;
        let anchored = match self.anchored(owner).await? {
            Found::Here(anchored, _) => anchored,
            Found::Shredded => return Err(VaultError::Shredded),
            Found::Nothing if rows.is_empty() => {
                let cell = Box::pin(self.keys(Owner::Cell)).await?;
                self.0.shelf.find_or_make(owner, &cell, entropy).await?
            }
            Found::Nothing => return Err(VaultError::AnchorMissing),
        };
        if rows.is_empty() {
            self.make_version(owner, entropy.uuid_v7(clock.now()), 1, Some(&anchored)).await?;
            rows = self.rows(owner).await?;
        }
        let deks = self.unwrap_all(&rows, Some(&anchored)).await?;
        let dek = rows.first().map(|row| row.dek).ok_or(VaultError::UnknownKey)?;
        Ok(Keys::new(owner, dek, deks, Some(anchored.subjects), entropy.clone()))
    }

    /// What the anchor store has of a workspace's keys, perhaps sealed by a key of the cell's that another process has just
    /// made.
    pub(super) async fn anchored(&self, owner: Uuid) -> Result<Found, VaultError> {
        let cell = Box::pin(self.keys(Owner::Cell)).await?;
        match self.0.shelf.find(owner, &cell).await {
            Err(VaultError::UnknownKey) => {
                let cell = Box::pin(self.fetch_anew(Owner::Cell)).await?;
                self.0.shelf.find(owner, &cell).await
            }
            found => found,
        }
    }

    pub(super) async fn rows(&self, owner: Uuid) -> Result<Vec<DekRow>, VaultError> {
        let mut tx = self.0.parts.db.system_tx(OperationalPath::OpenVault).await?;
        let rows = sql::versions(&mut tx, owner).await?;
        tx.finish_reading().await?;
        Ok(rows)
    }

    /// Makes a version of an owner's key; of several processes that do, one does. A caller reads again what stands there.
    pub(super) async fn make_version(
        &self,
        owner: Uuid,
        dek: Uuid,
        version: u32,
        anchored: Option<&Anchored>,
    ) -> Result<bool, VaultError> {
        let Parts { db, keks, entropy, clock, .. } = &self.0.parts;
        let (about, key) = (self.about(owner, dek, version), Zeroizing::new(entropy.bytes::<32>()));
        let inner = match anchored {
            Some(anchored) => anchored.bind(entropy, &about, key.as_slice())?,
            None => Zeroizing::new(key.to_vec()),
        };
        let wrapped = keks.chosen().wrap(&about, &inner).await?;
        let row = DekRow { owner, version, dek, wrapped, uses: 0, created_at: clock.now() };
        let mut tx = db.system_tx(OperationalPath::OpenVault).await?;
        let made = sql::insert(&mut tx, &row).await?;
        tx.commit_unrecorded(Unrecorded::Keyed).await?;
        Ok(made)
    }

    async fn unwrap_all(&self, rows: &[DekRow], anchored: Option<&Anchored>) -> Result<Vec<Dek>, VaultError> {
        let mut deks = Vec::with_capacity(rows.len());
        for row in rows {
            let about = self.about(row.owner, row.dek, row.version);
            let unwrapped = self.0.parts.keks.unwrap(&about, &row.wrapped).await;
            let key = match (unwrapped, anchored) {
                (Ok(inner), Some(anchored)) => anchored.release(&about, &inner),
                (unwrapped, _) => unwrapped,
            };
            let key = key.inspect_err(|error| self.report_wrap(row, error))?;
            let bytes: [u8; 32] = key.as_slice().try_into().map_err(|_| VaultError::WrapRefused)?;
            deks.push(Dek::new(row.version, Zeroizing::new(bytes)));
        }
        Ok(deks)
    }

    fn report_wrap(&self, row: &DekRow, error: &VaultError) {
        if error.is_tampering() {
            let (of, row_id) = ("vault_deks", format!("{}/{}", row.dek, row.version));
            self.0.alerts.raise(Alert { what: error.word(), of, workspace: row.owner, row: row_id });
        }
    }

    /// What a data key of this cell is, as its wrap is bound to it.
    pub(super) fn about(&self, owner: Uuid, dek: Uuid, version: u32) -> Vec<u8> {
        kek::about(self.0.parts.cell, owner, dek, version)
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
                slot.forget();
                self.fetch(owner, slot).await.map(|_| ())
            }
        }
    }

    fn slot(&self, owner: Owner) -> Arc<Slot> {
        let mut owners = self.owners();
        if owners.len() >= OWNERS {
            let lifetime = self.0.parts.lifetime;
            // Nobody holds it, and it is over: its reserved uses are lost, which is what they are reserved for.
            owners.retain(|_, slot| Arc::strong_count(slot) > 1 || slot.remembered(lifetime).is_some());
        }
        Arc::clone(owners.entry(owner.uuid()).or_default())
    }

    fn owners(&self) -> std::sync::MutexGuard<'_, HashMap<Uuid, Arc<Slot>>> {
        self.0.owners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vault({}, [redacted])", self.0.parts.cell)
    }
}
