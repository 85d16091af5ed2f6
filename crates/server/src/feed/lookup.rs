//! Questions about credentials: answered by memory while the node is fresh, by the database otherwise.

use std::sync::Arc;

use bailiwick_proof::api_key::LOOKUP_CHARS;
use bailiwick_proof::id::{SessionId, UserId};
use time::OffsetDateTime;

use super::Feed;
use super::keys::{Found, KeyRow, Lookup};
use super::people::Session;
use super::sql;
use crate::authz::{KeyFacts, LiveSession, Memberships, SignedIn};
use crate::db::DbError;

/// `last_used_at` is kept to the minute, so that a busy key is written down once a minute.
const LAST_USED_GRAIN_SECONDS: i64 = 60;

/// What became of a key.
#[derive(Clone, Debug)]
pub enum KeyState {
    /// There is such a key; its time may be over.
    Known(Arc<KeyFacts>),
    /// It was revoked.
    Revoked,
    /// There is none.
    Unknown,
}

impl Feed {
    /// The key with this public index whose whole text has this digest; notes that it was used.
    ///
    /// An index that memory does not know costs a poll, which all who ask at the time share, and no question of its own:
    /// wrong keys do not reach the database one by one, and a key that was made a moment ago is not hidden.
    ///
    /// # Errors
    /// [`DbError`] when memory cannot tell, and the database neither.
    pub async fn key(
        &self,
        lookup: [u8; LOOKUP_CHARS],
        digest: &[u8; 32],
        now: OffsetDateTime,
    ) -> Result<KeyState, DbError> {
        if let Some(known) = self.key_at_hand(lookup, digest, now) {
            return Ok(known);
        }
        // Aside, so that whoever asks carries no room for what is rarely done.
        Box::pin(self.find_out(self.is_fresh(), lookup, digest, now)).await
    }

    /// The same, where memory can tell.
    #[must_use]
    pub fn key_at_hand(&self, lookup: [u8; LOOKUP_CHARS], digest: &[u8; 32], now: OffsetDateTime) -> Option<KeyState> {
        if !self.is_fresh() {
            return None;
        }
        let known = self.remembered(&lookup, digest, now)?;
        self.0.uses.asked.memory();
        Some(known)
    }

    /// What memory does not say of a key, or may not.
    async fn find_out(
        &self,
        fresh: bool,
        lookup: Lookup,
        digest: &[u8; 32],
        now: OffsetDateTime,
    ) -> Result<KeyState, DbError> {
        let keys = &self.0.keys;
        if !fresh {
            // A database that hangs must not keep all who ask waiting, and with them whoever asks for something else.
            let _asking = self.0.asking.try_acquire().map_err(|_| DbError::busy())?;
            let rows = sql::keys_by_lookup(&self.0.db, &self.0.notary, &lookup).await?;
            self.0.uses.asked.database();
            return Ok(self.among(rows, digest, now));
        }
        let begun = keys.begin();
        if keys.are_complete() && self.catch_up().await && self.is_fresh() {
            let known = self.remembered(&lookup, digest, now);
            if known.is_some() || (keys.are_complete() && keys.begin() == begun) {
                self.0.uses.asked.poll();
                return Ok(known.unwrap_or(KeyState::Unknown));
            }
        }
        let begun = keys.begin();
        let rows = sql::keys_by_lookup(&self.0.db, &self.0.notary, &lookup).await?;
        self.0.uses.asked.database();
        for row in rows.iter().cloned() {
            keys.keep(begun, row);
        }
        // Memory may know of something later than what was just read.
        Ok(self.remembered(&lookup, digest, now).unwrap_or_else(|| self.among(rows, digest, now)))
    }

    /// What is known of a session, if it lives and its person is not suspended.
    ///
    /// # Errors
    /// As [`Self::key`].
    pub async fn live_session(
        &self,
        user: UserId,
        session: SessionId,
        now: OffsetDateTime,
    ) -> Result<Option<LiveSession>, DbError> {
        let people = &self.0.people;
        let fresh = self.is_fresh();
        let known = if fresh { people.session(session) } else { None };
        let found = match known {
            Some(known) => Some(known),
            None => {
                let begun = people.begin();
                let read = sql::live_session(&self.0.db, &self.0.notary, session).await?;
                if let Some(read) = read.as_ref().filter(|_| fresh) {
                    people.keep_session(begun, session, read.clone());
                }
                read
            }
        };
        let lives = |found: &Session| found.user == user && found.expires_at > now;
        Ok(found.filter(lives).map(|found| LiveSession {
            email: found.email.to_string(),
            signed_in_at: found.created_at,
            strong: found.strong,
        }))
    }

    /// The person's memberships. Those in memory will do when the named workspace is among them; that there is none is
    /// said by the database alone.
    ///
    /// # Errors
    /// As [`Self::key`].
    pub async fn memberships(&self, person: &SignedIn, named: &str) -> Result<Memberships, DbError> {
        let people = &self.0.people;
        let fresh = self.is_fresh();
        if let Some(known) = people.memberships(person.user()).filter(|known| fresh && known.name(named)) {
            return Ok(known);
        }
        let begun = people.begin();
        let read = Memberships::read(&self.0.db, &self.0.notary, person).await?;
        if fresh {
            people.keep_memberships(begun, person.user(), read.clone());
        }
        Ok(read)
    }

    fn remembered(&self, lookup: &Lookup, digest: &[u8; 32], now: OffsetDateTime) -> Option<KeyState> {
        match self.0.keys.find(lookup, digest, now.unix_timestamp(), LAST_USED_GRAIN_SECONDS) {
            Found::Key(facts, note) => {
                if note {
                    self.0.uses.note(&facts, now);
                }
                Some(KeyState::Known(facts))
            }
            Found::Revoked => Some(KeyState::Revoked),
            Found::Nothing => None,
        }
    }

    /// What rows that were just read say, and nothing else.
    fn among(&self, rows: Vec<KeyRow>, digest: &[u8; 32], now: OffsetDateTime) -> KeyState {
        use subtle::ConstantTimeEq as _;
        let same = |row: &KeyRow| bool::from(row.digest.as_slice().ct_eq(digest.as_slice()));
        match rows.into_iter().filter(same).last() {
            Some(row) if row.revoked => KeyState::Revoked,
            Some(row) => {
                self.0.uses.note(&row.facts, now);
                KeyState::Known(Arc::new(row.facts))
            }
            None => KeyState::Unknown,
        }
    }
}
