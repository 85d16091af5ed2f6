//! The server's own secrets: the key that signs access tokens, the way to the mail server. Versions, sealed in the
//! database, so that a new one is on every node within seconds and none has to be restarted.
//!
//! # Invariants
//! - A version is made once and never changed but to be destroyed. Since when it serves, and until when those before it
//!   do, is sealed with it: nobody who can write to the table alone puts an end off.
//! - Versions count up. A node that has seen one does not go back to a lower one, whatever the table says then: that is
//!   an [`Alert`].
//! - What does not open is no version; it raises an alert, and the others serve on.

mod sql;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use time::OffsetDateTime;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::db::{Db, DbError, OperationalPath, SystemTx};
use crate::vault::{Alert, Owner, Place, RowId, SERVER_SECRET, Vault, VaultError};

/// A node looks so often for what is new.
pub const POLL: Duration = Duration::from_secs(2);

/// What a secret is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// Signs access tokens: PKCS #8.
    TokenKey,
    /// The URL of the mail server, with user and password. Empty: the configured one.
    Mail,
}

/// One version of a secret.
#[derive(Clone, Debug)]
pub struct Version {
    /// Counts up from 1.
    pub number: u32,
    /// The secret.
    pub value: Zeroizing<Vec<u8>>,
    /// Serves since then.
    pub used_from: OffsetDateTime,
    /// Those before it are taken until then.
    pub older_until: OffsetDateTime,
}

/// A version as its row says, without its value.
#[derive(Clone, Debug)]
pub struct Listed {
    /// What for.
    pub purpose: String,
    /// Counts up from 1.
    pub number: u32,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When its value was destroyed, if it was.
    pub destroyed_at: Option<OffsetDateTime>,
}

/// What serves, and what served a moment ago.
#[derive(Clone, Debug, Default)]
pub struct Known {
    token_keys: Vec<Version>,
    mail: Vec<Version>,
}

/// Why the secrets are not to be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// The cell's key is not to be had.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// The server's secrets, as this node knows them. Cheap to clone.
#[derive(Clone)]
pub struct ServerSecrets(Arc<Inner>);

struct Inner {
    db: Db,
    vault: Vault,
    /// What was read last, by purpose and number.
    seen: Mutex<BTreeSet<(Purpose, u32)>>,
}

impl Purpose {
    const ALL: [Self; 2] = [Self::TokenKey, Self::Mail];

    /// The word in the table and in entries.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TokenKey => "token_key",
            Self::Mail => "mail",
        }
    }

    fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.as_str() == word)
    }
}

impl Known {
    /// These versions, the oldest first.
    #[must_use]
    pub const fn new(token_keys: Vec<Version>, mail: Vec<Version>) -> Self {
        Self { token_keys, mail }
    }

    /// The versions of one secret, the oldest first.
    #[must_use]
    pub fn of(&self, purpose: Purpose) -> &[Version] {
        match purpose {
            Purpose::TokenKey => &self.token_keys,
            Purpose::Mail => &self.mail,
        }
    }

    /// Until when a version is taken; without an end it is the newest.
    #[must_use]
    pub fn ends_at(&self, purpose: Purpose, number: u32) -> Option<OffsetDateTime> {
        self.of(purpose).iter().filter(|version| version.number > number).map(|version| version.older_until).min()
    }
}

impl ServerSecrets {
    /// Those of a cell, of which nothing is known yet.
    #[must_use]
    pub fn new(db: Db, vault: Vault) -> Self {
        Self(Arc::new(Inner { db, vault, seen: Mutex::default() }))
    }

    /// Everything that opens, if it is not what was read last.
    ///
    /// # Errors
    /// See [`SecretsError`].
    pub async fn look(&self) -> Result<Option<Known>, SecretsError> {
        let rows = self.rows().await?;
        if !self.is_news(&rows) {
            return Ok(None);
        }
        let known = self.open(rows).await?;
        let read = Purpose::ALL.into_iter().flat_map(|of| known.of(of).iter().map(move |version| (of, version.number)));
        *self.0.seen.lock().unwrap_or_else(PoisonError::into_inner) = read.collect();
        Ok(Some(known))
    }

    /// Looks for what is new, again and again, and gives it to `take`. Never resolves.
    pub async fn follow(&self, take: impl Fn(&Known)) {
        loop {
            tokio::time::sleep(POLL).await;
            match self.look().await {
                Ok(Some(known)) => take(&known),
                Ok(None) => {}
                Err(error) => tracing::warn!(event = "server_secrets.not_read", cause = %error),
            }
        }
    }

    /// Everything that opens.
    ///
    /// # Errors
    /// See [`SecretsError`].
    pub async fn all(&self) -> Result<Known, SecretsError> {
        let rows = self.rows().await?;
        self.open(rows).await
    }

    /// Adds a version in the transaction of its entry. Two at once: one of them fails.
    ///
    /// # Errors
    /// See [`SecretsError`].
    pub async fn add(
        &self,
        tx: &mut SystemTx,
        purpose: Purpose,
        version: &Version,
        now: OffsetDateTime,
    ) -> Result<(), SecretsError> {
        let row = row_id(purpose, version.number);
        let sealed = self.0.vault.seal(Owner::Cell, &place(&row), &packed(version)).await?;
        Ok(sql::insert(tx, purpose, version.number, &sealed, now).await?)
    }

    /// Destroys the values of these versions in the transaction of the entry that says so; answers those that were there.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn destroy(
        &self,
        tx: &mut SystemTx,
        purpose: Purpose,
        numbers: &[u32],
        now: OffsetDateTime,
    ) -> Result<Vec<u32>, DbError> {
        sql::destroy(tx, purpose, numbers, now).await
    }

    /// The highest number that was given, whether its value is still there or not; none when there is none.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn highest(&self, tx: &mut SystemTx, purpose: Purpose) -> Result<Option<u32>, DbError> {
        sql::highest(tx, purpose).await
    }

    /// All versions by their rows.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn list(&self) -> Result<Vec<Listed>, DbError> {
        let mut tx = self.0.db.system_tx(OperationalPath::OpenServerSecrets).await?;
        let listed = sql::list(&mut tx).await?;
        tx.finish_reading().await?;
        Ok(listed)
    }

    /// The database that they stand in.
    #[must_use]
    pub fn db(&self) -> &Db {
        &self.0.db
    }

    async fn rows(&self) -> Result<Vec<(Purpose, u32, Vec<u8>)>, DbError> {
        let mut tx = self.0.db.system_tx(OperationalPath::OpenServerSecrets).await?;
        let rows = sql::sealed(&mut tx).await?;
        tx.finish_reading().await?;
        Ok(rows)
    }

    /// Whether there is a version that was not read, or one that was destroyed; never when the newest is gone.
    fn is_news(&self, rows: &[(Purpose, u32, Vec<u8>)]) -> bool {
        let there: BTreeSet<_> = rows.iter().map(|(purpose, number, _)| (*purpose, *number)).collect();
        let seen = self.0.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let newest =
            |of: &BTreeSet<(Purpose, u32)>, purpose| of.range((purpose, 0)..=(purpose, u32::MAX)).last().copied();
        let back = Purpose::ALL.into_iter().find(|purpose| newest(&there, *purpose) < newest(&seen, *purpose));
        if let Some(purpose) = back {
            let row = purpose.as_str().to_owned();
            self.0.vault.alerts().raise(Alert { what: "went_back", of: "server_secrets", workspace: Uuid::nil(), row });
        }
        back.is_none() && *seen != there
    }

    async fn open(&self, rows: Vec<(Purpose, u32, Vec<u8>)>) -> Result<Known, SecretsError> {
        let mut known = Known::default();
        for (purpose, number, sealed) in rows {
            let row = row_id(purpose, number);
            let opened = match self.0.vault.unseal(Owner::Cell, &place(&row), &sealed).await {
                Ok(opened) => unpacked(number, &opened),
                Err(error) if error.passes() => return Err(error.into()),
                // The vault has raised the alert.
                Err(_) => None,
            };
            match purpose {
                Purpose::TokenKey => known.token_keys.extend(opened),
                Purpose::Mail => known.mail.extend(opened),
            }
        }
        Ok(known)
    }
}

/// What is sealed: the two moments, in milliseconds since 1970, big endian, then the value.
fn packed(version: &Version) -> Zeroizing<Vec<u8>> {
    let mut packed = Zeroizing::new(Vec::with_capacity(16 + version.value.len()));
    for moment in [version.used_from, version.older_until] {
        let milliseconds = i64::try_from(moment.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX);
        packed.extend_from_slice(&milliseconds.to_be_bytes());
    }
    packed.extend_from_slice(&version.value);
    packed
}

fn unpacked(number: u32, packed: &[u8]) -> Option<Version> {
    let (used_from, rest) = packed.split_first_chunk::<8>()?;
    let (older_until, value) = rest.split_first_chunk::<8>()?;
    let moment = |bytes: &[u8; 8]| {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(i64::from_be_bytes(*bytes)) * 1_000_000).ok()
    };
    let value = Zeroizing::new(value.to_vec());
    Some(Version { number, value, used_from: moment(used_from)?, older_until: moment(older_until)? })
}

fn row_id(purpose: Purpose, number: u32) -> RowId {
    RowId::new().text(purpose.as_str()).text(&number.to_string())
}

fn place(row: &RowId) -> Place<'_> {
    Place { column: &SERVER_SECRET, row: row.as_bytes(), subject: None }
}
