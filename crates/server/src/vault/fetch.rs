//! Owners' keys, out of the database and the anchor store, unwrapped.

use std::sync::Arc;

use uuid::Uuid;
use zeroize::Zeroizing;

use super::alerts::Alert;
use super::anchored::{Anchored, Found};
use super::error::VaultError;
use super::kek;
use super::keys::{Dek, Keys};
use super::ring::{Owner, Parts, Vault};
use super::slot::{Remembered, Slot};
use super::sql::{self, DekRow};
use crate::db::{OperationalPath, Unrecorded};

impl Vault {
    /// Fetches and remembers; the caller holds the slot.
    pub(super) async fn fetch(&self, owner: Owner, slot: &Slot) -> Result<Arc<Remembered>, VaultError> {
        let fetched = match owner {
            Owner::Cell => self.fetch_cell().await,
            Owner::Workspace(_) => self.fetch_workspace(owner.uuid()).await,
        };
        if matches!(fetched, Err(VaultError::Shredded)) {
            self.slots().forget_keys(owner.uuid(), slot);
        }
        Ok(self.slots().remember(owner.uuid(), slot, fetched?))
    }

    async fn fetch_cell(&self) -> Result<Keys, VaultError> {
        let Parts { entropy, .. } = self.parts();
        let nil = Uuid::nil();
        let mut rows = self.rows(nil).await?;
        if rows.is_empty() {
            if self.shelf().exists(nil).await? {
                return Err(VaultError::KeysMissing);
            }
            self.make_version(nil, entropy.uuid_v7(self.parts().clock.now()), 1, None).await?;
            rows = self.rows(nil).await?;
        }
        let deks = self.unwrap_all(&rows, None).await?;
        let dek = rows.first().map(|row| row.dek).ok_or(VaultError::UnknownKey)?;
        // The cell's own object is sealed by the keys that are being fetched.
        let bare = Keys::new(nil, dek, deks, None, entropy.clone());
        // Made together with the key, which has sealed nothing before.
        let is_new = rows.iter().all(|row| row.uses == 0);
        let anchored = match self.shelf().find(nil, &bare).await? {
            Found::Here(anchored, _) => anchored,
            Found::Nothing if is_new => self.shelf().find_or_make(nil, &bare, entropy).await?,
            Found::Nothing => return Err(VaultError::AnchorMissing),
            Found::Shredded => return Err(VaultError::Shredded),
        };
        Ok(bare.with_subjects(anchored.subjects))
    }

    async fn fetch_workspace(&self, owner: Uuid) -> Result<Keys, VaultError> {
        let Parts { entropy, clock, .. } = self.parts();
        let mut rows = self.rows(owner).await?;
        let anchored = match self.anchored(owner).await? {
            Found::Here(anchored, _) => anchored,
            Found::Shredded => return Err(VaultError::Shredded),
            Found::Nothing if rows.is_empty() => {
                let cell = Box::pin(self.keys(Owner::Cell)).await?;
                self.shelf().find_or_make(owner, &cell, entropy).await?
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
        match self.shelf().find(owner, &cell).await {
            Err(VaultError::UnknownKey) => {
                let cell = Box::pin(self.fetch_anew(Owner::Cell)).await?;
                self.shelf().find(owner, &cell).await
            }
            found => found,
        }
    }

    pub(super) async fn rows(&self, owner: Uuid) -> Result<Vec<DekRow>, VaultError> {
        let mut tx = self.parts().db.system_tx(OperationalPath::OpenVault).await?;
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
        let Parts { db, keks, entropy, clock, .. } = self.parts();
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
            let unwrapped = self.parts().keks.unwrap(&about, &row.wrapped).await;
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
            self.alerts().raise(Alert { what: error.word(), of, workspace: row.owner, row: row_id });
        }
    }

    /// What a data key of this cell is, as its wrap is bound to it.
    pub(super) fn about(&self, owner: Uuid, dek: Uuid, version: u32) -> Vec<u8> {
        kek::about(self.parts().cell, owner, dek, version)
    }
}
