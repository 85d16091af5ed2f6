//! Whose logs are frozen: nothing is signed over them until an operator has looked.
//!
//! ```json
//! {"v":1,"frozen":[{"workspace":"<uuid, nil for the cell's own log>","at":1763782979123,"origin":"…","what":"…"}]}
//! ```
//!
//! It lies in the anchor store, so that whoever has altered a log in the database cannot have it signed again by altering a
//! row more. `at` is milliseconds since the Unix epoch by the finder's clock, for people.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::name::ObjectName;
use super::store::{AnchorError, AnchorStore, Object, Tag};

const VERSION: u8 = 1;
const OBJECT: &str = "frozen.json";
/// So often a change is made anew because somebody else changed the object meanwhile.
const TRIES: usize = 8;

/// Why a workspace's logs are frozen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Freeze {
    /// Whose; nil for the cell's own log.
    pub workspace: Uuid,
    /// When it was found, in milliseconds since the Unix epoch.
    pub at: u64,
    /// The log in which it was found.
    pub origin: String,
    /// What is wrong with it.
    pub what: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    v: u8,
    frozen: Vec<Freeze>,
}

/// Who is frozen, as it was read.
pub type Frozen = BTreeMap<Uuid, Freeze>;

/// The freezes of a cell. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Freezes {
    store: AnchorStore,
    name: ObjectName,
}

impl Freezes {
    /// Those of this cell.
    ///
    /// # Errors
    /// Never for a uuid: the name of an object can be made of it.
    pub fn of(store: AnchorStore, cell: Uuid) -> Result<Self, AnchorError> {
        let cell: ObjectName = cell.to_string().parse()?;
        Ok(Self { name: cell.join(OBJECT)?, store })
    }

    /// Everybody who is frozen.
    ///
    /// # Errors
    /// [`AnchorError::Unavailable`]; [`AnchorError::Malformed`] when the object cannot be understood: then nobody knows
    /// whose logs may be signed.
    pub async fn read(&self) -> Result<Frozen, AnchorError> {
        Ok(self.seen().await?.0)
    }

    /// Freezes; whether it is new. What was found first stays.
    ///
    /// # Errors
    /// See [`AnchorError`].
    pub async fn freeze(&self, freeze: &Freeze) -> Result<bool, AnchorError> {
        self.change(|frozen| {
            let is_new = !frozen.contains_key(&freeze.workspace);
            frozen.entry(freeze.workspace).or_insert_with(|| freeze.clone());
            is_new
        })
        .await
    }

    /// Lets a workspace's logs be signed again; whether they were frozen.
    ///
    /// # Errors
    /// See [`AnchorError`].
    pub async fn thaw(&self, workspace: Uuid) -> Result<bool, AnchorError> {
        self.change(|frozen| frozen.remove(&workspace).is_some()).await
    }

    /// Makes a change that says of itself whether it is one.
    async fn change(&self, make: impl Fn(&mut Frozen) -> bool) -> Result<bool, AnchorError> {
        let mut tries = 1;
        loop {
            let (mut frozen, tag) = self.seen().await?;
            if !make(&mut frozen) {
                return Ok(false);
            }
            match self.write(frozen, tag).await {
                Err(AnchorError::Changed { .. } | AnchorError::Exists { .. }) if tries < TRIES => tries += 1,
                written => return written.map(|()| true),
            }
        }
    }

    async fn seen(&self) -> Result<(Frozen, Option<Tag>), AnchorError> {
        let Some(Object { bytes, tag }) = self.store.read(&self.name).await? else { return Ok((Frozen::new(), None)) };
        let malformed = |why| AnchorError::Malformed { at: self.store.place(&self.name), why };
        let written: Written = serde_json::from_slice(&bytes).map_err(|_| malformed("does not say who is frozen"))?;
        if written.v != VERSION {
            return Err(malformed("is of another version"));
        }
        let frozen = written.frozen.into_iter().map(|freeze| (freeze.workspace, freeze)).collect();
        Ok((frozen, Some(tag)))
    }

    async fn write(&self, frozen: Frozen, seen: Option<Tag>) -> Result<(), AnchorError> {
        let written = Written { v: VERSION, frozen: frozen.into_values().collect() };
        let bytes = serde_json::to_vec(&written).map_err(|_| AnchorError::Malformed {
            at: self.store.place(&self.name),
            why: "cannot be written as JSON",
        })?;
        match seen {
            Some(tag) => self.store.replace(&self.name, &bytes, &tag).await.map(drop),
            None => self.store.create(&self.name, &bytes).await.map(drop),
        }
    }
}
