//! What commitments are commitments to, sealed: each field for the subject that can be erased from it.
//!
//! | field | for |
//! |---|---|
//! | actor, ip | whoever acted |
//! | target | whom or what it was done to |
//! | meta | the first of the two that is a person |
//!
//! A subject is whoever may be a person: a user of ours, or a word of a customer's own. Ids of ours that name a thing, and
//! the server itself, are nobody: what stands for them goes with the workspace alone. Sealed is `r 32 | value`.

mod sql;

pub(super) use sql::entry_of;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bailiwick_proof::commitment::{Field, Opening};
use bailiwick_proof::id;
use bailiwick_proof::log::Log;
use zeroize::Zeroizing;

use super::Action;
use super::error::LedgerError;
use super::place::columns;
use super::stage::{OPERATOR, SYSTEM};
use crate::db::{Db, OperationalPath, SystemTx, Unrecorded};
use crate::vault::{self, Column, Keys, Owner, Place, RowId, Sealer, Vault, VaultError};

const NONCE: usize = 32;

/// The openings of an entry, as they are stored.
#[derive(Clone, Debug, Default)]
pub struct SealedOpenings {
    /// Who acted.
    pub actor: Option<Vec<u8>>,
    /// From where.
    pub ip: Option<Vec<u8>>,
    /// What else was told.
    pub meta: Option<Vec<u8>>,
    /// On what.
    pub target: Option<Vec<u8>>,
    /// Who can be erased from actor and ip.
    pub actor_subject: Option<i64>,
    /// Who can be erased from meta.
    pub meta_subject: Option<i64>,
    /// Who can be erased from target.
    pub target_subject: Option<i64>,
}

/// The openings of an entry, as far as they open.
#[derive(Clone, Debug, Default)]
pub struct OpenedOpenings {
    /// Those that do.
    pub openings: BTreeMap<Field, Opening>,
    /// Those whose subject or workspace was erased.
    pub erased: BTreeSet<Field>,
    /// Whether one is there that does not open, though nobody was erased: it was tampered with.
    pub is_tampered: bool,
}

/// What is written of an entry's openings.
#[derive(Default)]
pub(super) struct NewOpenings {
    pub(super) sealed: SealedOpenings,
    pub(super) actor_index: Option<Vec<u8>>,
    pub(super) target_index: Option<Vec<u8>>,
}

/// The log's keys belong to its workspace.
pub(super) const fn owner(log: Log) -> Owner {
    match log {
        Log::Cell => Owner::Cell,
        Log::Workspace { workspace, .. } => Owner::Workspace(workspace),
    }
}

/// How values are looked up in a log, under each key that there is.
pub(super) fn lookups(keys: &Keys, column: &'static Column, value: &str) -> Result<Vec<Vec<u8>>, VaultError> {
    Ok(keys.blind_indexes(column, value.as_bytes())?.into_iter().map(|index| index.to_vec()).collect())
}

/// The subjects' numbers, by name.
pub(super) struct Subjects(HashMap<String, u32>);

impl Subjects {
    /// Finds the numbers of all who act or are acted on in these names, and gives one to each who has none.
    pub(super) async fn resolve(
        tx: &mut SystemTx,
        vault: &Vault,
        sealer: &mut Sealer,
        owner: Owner,
        names: BTreeSet<&str>,
    ) -> Result<Self, LedgerError> {
        let names: BTreeSet<&str> = names.into_iter().filter(|name| is_subject(name)).collect();
        let mut known = HashMap::new();
        find(tx, sealer.keys(), owner, &names, &mut known).await?;
        let missing = |known: &HashMap<String, u32>| -> BTreeSet<&str> {
            names.iter().copied().filter(|name| !known.contains_key(*name)).collect()
        };
        let mut new = missing(&known);
        if !new.is_empty() {
            // The workspace's other log may be giving out numbers at this moment, on another node; and what is known may
            // just have been sealed anew under a key of which this process has not heard. Nobody gets a second number.
            vault::lock_numbers(tx, owner.uuid()).await?;
            let mut keys = vault.keys(owner).await?;
            loop {
                find(tx, &keys, owner, &new, &mut known).await?;
                new = missing(&known);
                let complete = vault.complete_keys(owner).await?;
                if new.is_empty() || complete.version()? == keys.version()? {
                    break;
                }
                keys = complete;
            }
        }
        if !new.is_empty() {
            let numbers = vault::free_numbers(tx, owner, sealer.keys(), new.len()).await?;
            let given: Vec<(u32, &str)> = numbers.into_iter().zip(new).collect();
            vault::give_numbers(tx, owner, sealer, &given).await?;
            known.extend(given.into_iter().map(|(number, name)| (name.to_owned(), number)));
        }
        Ok(Self(known))
    }

    /// All of them.
    pub(super) fn numbers(&self) -> BTreeSet<u32> {
        self.0.values().copied().collect()
    }

    fn of(&self, name: &str) -> Option<u32> {
        self.0.get(name).copied()
    }
}

/// The numbers of those of these names who can be a subject of the workspace; whoever has none gets one.
pub(super) async fn numbers(
    db: &Db,
    vault: &Vault,
    owner: Owner,
    names: BTreeSet<&str>,
) -> Result<HashMap<String, u32>, LedgerError> {
    if !names.iter().any(|name| is_subject(name)) {
        return Ok(HashMap::new());
    }
    // One for each name that is new.
    let mut sealer = vault.sealer(owner, u32::try_from(names.len()).unwrap_or(u32::MAX)).await?;
    let mut tx = db.system_tx(OperationalPath::OpenVault).await?;
    let Subjects(numbers) = Subjects::resolve(&mut tx, vault, &mut sealer, owner, names).await?;
    tx.commit_unrecorded(Unrecorded::Keyed).await?;
    Ok(numbers)
}

/// Adds the numbers of those names that stand under any of these keys.
async fn find(
    tx: &mut SystemTx,
    keys: &Keys,
    owner: Owner,
    names: &BTreeSet<&str>,
    known: &mut HashMap<String, u32>,
) -> Result<(), LedgerError> {
    let mut wanted: HashMap<[u8; 32], &str> = HashMap::new();
    for name in names {
        for index in keys.blind_indexes(&vault::SUBJECT_NAME, name.as_bytes())? {
            wanted.insert(index, *name);
        }
    }
    if wanted.is_empty() {
        return Ok(());
    }
    let indexes: Vec<Vec<u8>> = wanted.keys().map(|index| index.to_vec()).collect();
    for (index, number) in sql::numbers(tx, owner.uuid(), &indexes).await? {
        if let Some(name) = wanted.get(index.as_slice()) {
            known.insert((*name).to_owned(), number);
        }
    }
    Ok(())
}

/// Seals the openings of an entry, in the order of [`Field::ALL`]. What is told is that of who acts, or is acted on; of a certificate it is
/// nobody's, and outlives whoever asked for it.
pub(super) fn seal(
    sealer: &mut Sealer,
    subjects: &Subjects,
    (log, generation, seq): (Log, u32, u64),
    (action, openings): (&str, &[Opening; 4]),
) -> Result<NewOpenings, VaultError> {
    let row = row(log, generation, seq);
    let [actor, ip, meta, target] = openings;
    let (acting, acted_on) = (subjects.of(&actor.value), subjects.of(&target.value));
    let told_of = acting.or(acted_on).filter(|_| action != Action::SubjectErased.as_str());
    let mut one = |column, subject, opening: &Opening| {
        let plaintext = Zeroizing::new([opening.r.as_slice(), opening.value.as_bytes()].concat());
        sealer.seal(&Place { column, row: row.as_bytes(), subject }, &plaintext).map(Some)
    };
    let sealed = SealedOpenings {
        actor: one(&vault::OPENING_ACTOR, acting, actor)?,
        ip: one(&vault::OPENING_IP, acting, ip)?,
        meta: one(&vault::OPENING_META, told_of, meta)?,
        target: one(&vault::OPENING_TARGET, acted_on, target)?,
        actor_subject: acting.map(i64::from),
        meta_subject: told_of.map(i64::from),
        target_subject: acted_on.map(i64::from),
    };
    let index =
        |column, value: &str| sealer.keys().blind_index(column, value.as_bytes()).map(|index| Some(index.to_vec()));
    Ok(NewOpenings {
        actor_index: index(&vault::OPENING_ACTOR, &actor.value)?,
        target_index: index(&vault::OPENING_TARGET, &target.value)?,
        sealed,
    })
}

/// A field, its kind of sealed thing, its subject and what is sealed.
type Sealed<'a> = (Field, &'static Column, Option<i64>, Option<&'a [u8]>);

impl SealedOpenings {
    /// Opens what opens. What was tampered with is raised as an alert.
    ///
    /// # Errors
    /// [`VaultError`] for what passes: then nothing is known of the openings.
    pub async fn open(
        &self,
        vault: &Vault,
        (log, generation, seq): (Log, u32, u64),
    ) -> Result<OpenedOpenings, VaultError> {
        let (owner, row) = (owner(log), row(log, generation, seq));
        let mut opened = OpenedOpenings::default();
        for (field, column, subject, sealed) in self.fields() {
            let Ok(subject) = subject.map(u32::try_from).transpose() else {
                opened.is_tampered = true;
                continue;
            };
            let Some(sealed) = sealed else {
                // Gone: rightly so, if its subject is.
                if is_erased(vault, owner, subject).await? {
                    opened.erased.insert(field);
                }
                continue;
            };
            let at = Place { column, row: row.as_bytes(), subject };
            match vault.unseal(owner, &at, sealed).await {
                Ok(plaintext) => match opening(&plaintext) {
                    Some(opening) => drop(opened.openings.insert(field, opening)),
                    None => opened.is_tampered = true,
                },
                Err(VaultError::Erased | VaultError::Shredded) => drop(opened.erased.insert(field)),
                Err(error) if error.is_tampering() => opened.is_tampered = true,
                Err(error) => return Err(error),
            }
        }
        Ok(opened)
    }

    fn fields(&self) -> [Sealed<'_>; 4] {
        [
            (Field::Actor, &vault::OPENING_ACTOR, self.actor_subject, self.actor.as_deref()),
            (Field::Ip, &vault::OPENING_IP, self.actor_subject, self.ip.as_deref()),
            (Field::Meta, &vault::OPENING_META, self.meta_subject, self.meta.as_deref()),
            (Field::Target, &vault::OPENING_TARGET, self.target_subject, self.target.as_deref()),
        ]
    }
}

/// Whether the subject was erased, or the whole workspace, as far as the anchor store says; perhaps by another process, of
/// which this one has not heard.
async fn is_erased(vault: &Vault, owner: Owner, subject: Option<u32>) -> Result<bool, VaultError> {
    let is_gone = |keys: &Keys| subject.is_some_and(|subject| keys.is_erased(subject));
    let asked = match vault.keys(owner).await {
        Ok(keys) if is_gone(&keys) => return Ok(true),
        Ok(_) => vault.keys_of_now(owner).await,
        Err(error) => Err(error),
    };
    match asked {
        Ok(keys) => Ok(is_gone(&keys)),
        Err(VaultError::Shredded) => Ok(true),
        Err(error) => Err(error),
    }
}

fn opening(plaintext: &[u8]) -> Option<Opening> {
    let (r, value) = plaintext.split_first_chunk::<NONCE>()?;
    Some(Opening { r: *r, value: std::str::from_utf8(value).ok()?.to_owned() })
}

fn row(log: Log, generation: u32, seq: u64) -> RowId {
    let (workspace, environment) = columns(log);
    RowId::new().uuid(workspace).text(environment).text(&generation.to_string()).text(&seq.to_string())
}

/// Whether a name may be a person's: whatever is not empty, the server, or an id of ours that names a thing.
fn is_subject(name: &str) -> bool {
    use std::str::FromStr as _;
    let is_thing = id::WorkspaceId::from_str(name).is_ok()
        || id::ProjectId::from_str(name).is_ok()
        || id::ApiKeyId::from_str(name).is_ok()
        || id::SessionId::from_str(name).is_ok()
        || id::InternalCredentialId::from_str(name).is_ok()
        || id::JobId::from_str(name).is_ok()
        || id::ErasureId::from_str(name).is_ok()
        || id::EventId::from_str(name).is_ok()
        || id::LegalHoldId::from_str(name).is_ok()
        || id::ReceiptShareId::from_str(name).is_ok()
        || id::FilterId::from_str(name).is_ok();
    !(name.is_empty() || [SYSTEM, OPERATOR].contains(&name) || is_thing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_and_the_server_are_nobody() {
        let user = id::UserId::from_uuid(uuid::Uuid::max()).to_string();
        let key = id::ApiKeyId::from_uuid(uuid::Uuid::max()).to_string();
        assert!(is_subject(&user) && is_subject("jane@example.com") && is_subject("key_of_jane"));
        assert!(!is_subject(&key) && ![SYSTEM, OPERATOR, ""].into_iter().any(is_subject));
    }
}
