//! The walls themselves: policies, triggers, constraints and whatever else of the schema the product relies on, held
//! against what the anchor store has of them.
//!
//! Rows are vouched for, and held against the log; but whoever owns the database can take away the trigger that tells of a
//! change, or have a policy hide a row from whoever looks. So the catalog is read every half minute, part by part, and
//! each part's digest is compared with the one that was recorded when this version first met this schema.
//!
//! # Invariants
//! - What was recorded lies in the anchor store, which is no part of the database nor of its backups.
//! - A part that differs is an alert each time it is looked at, until it is as it was, or an operator has accepted it,
//!   which leaves an entry.
//! - Another version of the product, or of PostgreSQL, records anew; an older one that still runs says that it is behind.

mod sql;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use crate::anchor::{AnchorError, AnchorStore, ObjectName};
use crate::authz::PermissionSet;
use crate::clock::Clock;
use crate::context::RequestContext;
use crate::db::{Db, DbError, OperationalPath, newest_migration};
use crate::entropy::Entropy;
use crate::jobs::{Claimed, Done, Failure, InCell, Job, Policy};
use crate::ledger::{self, Action, Entry, OPERATOR};
use crate::vault::{Alert, Alerts};

const OBJECT: &str = "schema";

/// The parts of the schema, by name, each with the SHA-256 of what it says, in hexadecimal digits.
pub type Parts = BTreeMap<String, String>;

/// What the anchor store has.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Recorded {
    /// The newest migration that whoever recorded it knew.
    migration: i64,
    /// PostgreSQL's major version, which words definitions its own way.
    postgres: i32,
    parts: Parts,
}

/// How the schema stands to what was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// As it was.
    Same,
    /// Nothing was recorded for this version; now it is.
    First,
    /// These parts are others.
    Differs(Vec<String>),
    /// A newer version has migrated the database: what it should be is not known here.
    Behind,
}

/// Why nothing can be said.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The catalog cannot be read.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The anchor store does not serve.
    #[error(transparent)]
    Anchor(#[from] AnchorError),
    /// What it has is not what we wrote.
    #[error("the anchor store's record of the schema cannot be read")]
    Malformed,
}

/// Looks at the schema. Cheap to clone.
#[derive(Clone)]
pub struct SchemaWatch {
    db: Db,
    anchor: AnchorStore,
    cell: Uuid,
    alerts: Alerts,
}

impl SchemaWatch {
    /// Of this cell.
    #[must_use]
    pub const fn new(db: Db, anchor: AnchorStore, cell: Uuid, alerts: Alerts) -> Self {
        Self { db, anchor, cell, alerts }
    }

    /// Compares the schema with what was recorded, and records it if nothing was for this version; what differs is an
    /// alert.
    ///
    /// # Errors
    /// See [`WatchError`].
    pub async fn look(&self) -> Result<Standing, WatchError> {
        let standing = self.compare().await?;
        match &standing {
            Standing::Same | Standing::First => {}
            Standing::Differs(parts) => parts.iter().for_each(|part| self.raise("schema_altered", part)),
            Standing::Behind => self.raise("schema_unknown", ""),
        }
        Ok(standing)
    }

    async fn compare(&self) -> Result<Standing, WatchError> {
        let (migrated, now) = self.present().await?;
        if migrated > now.migration {
            return Ok(Standing::Behind);
        }
        let name = self.object()?;
        let Some(object) = self.anchor.read(&name).await? else {
            return match self.anchor.create(&name, &written(&now)).await {
                Ok(_) => Ok(Standing::First),
                // Another node was first.
                Err(AnchorError::Exists { .. }) => Ok(Standing::Same),
                Err(error) => Err(error.into()),
            };
        };
        let recorded: Recorded = serde_json::from_slice(&object.bytes).map_err(|_| WatchError::Malformed)?;
        if recorded.migration > now.migration {
            return Ok(Standing::Behind);
        }
        if (recorded.migration, recorded.postgres) != (now.migration, now.postgres) {
            return match self.anchor.replace(&name, &written(&now), &object.tag).await {
                Ok(_) => Ok(Standing::First),
                Err(AnchorError::Changed { .. }) => Ok(Standing::Same),
                Err(error) => Err(error.into()),
            };
        }
        let differs = differing(&recorded.parts, &now.parts);
        Ok(if differs.is_empty() { Standing::Same } else { Standing::Differs(differs) })
    }

    /// Takes the schema as it is from now on, with an entry that says which parts are others; answers them.
    ///
    /// # Errors
    /// See [`WatchError`].
    pub async fn accept(&self, clock: &Clock, entropy: &Entropy) -> Result<Vec<String>, WatchError> {
        let (_, now) = self.present().await?;
        let name = self.object()?;
        let seen = self.anchor.read(&name).await?;
        let recorded = seen.as_ref().map(|object| serde_json::from_slice::<Recorded>(&object.bytes));
        let before = recorded.transpose().map_err(|_| WatchError::Malformed)?.map(|recorded| recorded.parts);
        let differs = differing(&before.unwrap_or_default(), &now.parts);
        if differs.is_empty() {
            return Ok(differs);
        }
        let context = RequestContext::internal(clock, entropy);
        let mut tx = self.db.system_tx(OperationalPath::RaiseAlerts).await?;
        let entry = Entry::about(Action::SchemaAccepted, "schema").with(json!({"parts": differs}));
        let recorded = ledger::stage_in_cell(&mut tx, entropy, &context, OPERATOR, &entry).await?;
        tx.commit(recorded).await?;
        match seen {
            Some(object) => self.anchor.replace(&name, &written(&now), &object.tag).await?,
            None => self.anchor.create(&name, &written(&now)).await?,
        };
        Ok(differs)
    }

    /// The newest migration that the database has had, and the schema as it is.
    async fn present(&self) -> Result<(i64, Recorded), DbError> {
        let mut tx = self.db.system_tx(OperationalPath::CheckReadiness).await?;
        let (migrated, postgres) = sql::versions(&mut tx).await?;
        let parts = sql::parts(&mut tx).await?;
        tx.finish_reading().await?;
        Ok((migrated, Recorded { migration: newest_migration(), postgres, parts }))
    }

    fn object(&self) -> Result<ObjectName, AnchorError> {
        self.cell.to_string().parse::<ObjectName>()?.join(OBJECT)
    }

    fn raise(&self, what: &'static str, row: &str) {
        self.alerts.raise(Alert { what, of: "schema", workspace: Uuid::nil(), row: row.to_owned() });
    }
}

fn written(recorded: &Recorded) -> Vec<u8> {
    serde_json::to_vec(recorded).unwrap_or_default()
}

/// The names of parts that are not alike, or on one side alone.
fn differing(before: &Parts, now: &Parts) -> Vec<String> {
    let names = before.keys().chain(now.keys().filter(|name| !before.contains_key(*name)));
    names.filter(|name| before.get(*name) != now.get(*name)).cloned().collect()
}

impl Job for SchemaWatch {
    const KIND: &'static str = "schema.look";
    const POLICY: Policy = Policy::QUICK;
    const PERMISSIONS: PermissionSet = PermissionSet::NONE;
    type Place = InCell;
    type Payload = ();

    async fn run(&self, claimed: Claimed<Self>, (): ()) -> Result<Done, Failure> {
        match self.look().await {
            Ok(_) => Ok(claimed.done()),
            Err(WatchError::Db(error)) => Err(error.into()),
            Err(error) => {
                tracing::warn!(event = "schema_not_compared", cause = %error);
                Err(Failure::again("anchor_store"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_on_one_side_alone_differs() {
        let parts = |of: &[(&str, &str)]| of.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect::<Parts>();
        let before = parts(&[("a", "1"), ("b", "2"), ("c", "3")]);
        assert_eq!(differing(&before, &before), Vec::<String>::new());
        assert_eq!(differing(&before, &parts(&[("a", "1"), ("b", "0"), ("d", "4")])), ["b", "c", "d"]);
    }
}
