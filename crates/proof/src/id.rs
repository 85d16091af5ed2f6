//! Public ids: `TypeID`s (<https://github.com/jetify-com/typeid>, v0.3).
//!
//! ```text
//! id     = prefix "_" suffix
//! suffix = 26 characters of Crockford base 32, lower case, most significant bits first;
//!          the first is 0..7, for 26 * 5 = 130 bits hold a UUID's 128
//! ```
//!
//! There is exactly one spelling of an id: upper case, look-alike letters and other prefixes are
//! refused, so that an id can be compared, logged and cached as text.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const SUFFIX_CHARS: usize = 26;
/// Of each byte what it stands for, [`NO_LETTER`] if for nothing.
const VALUES: [u8; 256] = values();
const NO_LETTER: u8 = u8::MAX;

#[expect(clippy::indexing_slicing, reason = "evaluated when it is compiled, where a wrong index is an error")]
const fn values() -> [u8; 256] {
    let mut values = [NO_LETTER; 256];
    let mut value = 0;
    while value < ALPHABET.len() {
        #[expect(clippy::cast_possible_truncation, reason = "32 letters")]
        let digit = value as u8;
        values[ALPHABET[value] as usize] = digit;
        value += 1;
    }
    values
}

/// What an id names. Implemented by the empty enums below, one for each kind of thing.
pub trait Kind {
    /// The letters before the underscore.
    const PREFIX: &'static str;
    /// The word for messages, as in "not a workspace id".
    const NOUN: &'static str;
}

/// A `UUIDv7` that knows what it names. Ids of one kind sort by the time they were made.
pub struct Id<K>(Uuid, PhantomData<fn() -> K>);

/// The text is not an id of the wanted kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a {noun} id: expected {prefix}_ and {SUFFIX_CHARS} characters")]
pub struct InvalidId {
    noun: &'static str,
    prefix: &'static str,
}

/// A tenant.
pub enum Workspace {}
/// A person.
pub enum User {}
/// A wall inside an environment.
pub enum Project {}
/// An API key.
pub enum ApiKey {}
/// A sign-in that lasts.
pub enum Session {}
/// One request, as answered in `X-Request-Id`.
pub enum Request {}
/// An entry of an audit log.
pub enum Event {}
/// A credential of a service of the operator's.
pub enum InternalCredential {}
/// A piece of work in the queue.
pub enum Job {}
/// A value that a customer entrusts to us.
pub enum Secret {}
/// The coming and going of a secret's versions, step by step.
pub enum SecretRotation {}
/// The making unreadable of what a log says of somebody.
pub enum Erasure {}
/// What keeps a log from being pruned.
pub enum LegalHold {}
/// A link that shows one receipt to others.
pub enum ReceiptShare {}
/// What an audit log is narrowed to again and again.
pub enum Filter {}
/// An invitation into a workspace.
pub enum Invitation {}
/// What computes a person's codes.
pub enum Authenticator {}
/// What a person signs in with from their own device.
pub enum Passkey {}

impl Kind for Workspace {
    const PREFIX: &'static str = "ws";
    const NOUN: &'static str = "workspace";
}
impl Kind for User {
    const PREFIX: &'static str = "usr";
    const NOUN: &'static str = "user";
}
impl Kind for Project {
    const PREFIX: &'static str = "prj";
    const NOUN: &'static str = "project";
}
impl Kind for ApiKey {
    const PREFIX: &'static str = "key";
    const NOUN: &'static str = "API key";
}
impl Kind for Session {
    const PREFIX: &'static str = "ses";
    const NOUN: &'static str = "session";
}
impl Kind for Request {
    const PREFIX: &'static str = "req";
    const NOUN: &'static str = "request";
}
impl Kind for Event {
    const PREFIX: &'static str = "evt";
    const NOUN: &'static str = "event";
}
impl Kind for InternalCredential {
    const PREFIX: &'static str = "int";
    const NOUN: &'static str = "internal credential";
}

impl Kind for Job {
    const PREFIX: &'static str = "job";
    const NOUN: &'static str = "job";
}
impl Kind for Secret {
    const PREFIX: &'static str = "sec";
    const NOUN: &'static str = "secret";
}
impl Kind for SecretRotation {
    const PREFIX: &'static str = "rot";
    const NOUN: &'static str = "secret rotation";
}
impl Kind for Erasure {
    const PREFIX: &'static str = "era";
    const NOUN: &'static str = "erasure";
}
impl Kind for LegalHold {
    const PREFIX: &'static str = "hld";
    const NOUN: &'static str = "legal hold";
}
impl Kind for Authenticator {
    const PREFIX: &'static str = "otp";
    const NOUN: &'static str = "authenticator";
}
impl Kind for Invitation {
    const PREFIX: &'static str = "inv";
    const NOUN: &'static str = "invitation";
}
impl Kind for Passkey {
    const PREFIX: &'static str = "pky";
    const NOUN: &'static str = "passkey";
}
impl Kind for Filter {
    const PREFIX: &'static str = "flt";
    const NOUN: &'static str = "filter";
}
impl Kind for ReceiptShare {
    const PREFIX: &'static str = "shr";
    const NOUN: &'static str = "receipt share";
}

/// A workspace's id.
pub type WorkspaceId = Id<Workspace>;
/// A user's id.
pub type UserId = Id<User>;
/// A project's id.
pub type ProjectId = Id<Project>;
/// An API key's id.
pub type ApiKeyId = Id<ApiKey>;
/// A session's id.
pub type SessionId = Id<Session>;
/// A request's id.
pub type RequestId = Id<Request>;
/// An audit entry's id.
pub type EventId = Id<Event>;
/// An internal credential's id.
pub type InternalCredentialId = Id<InternalCredential>;
/// A job's id.
pub type JobId = Id<Job>;
/// A secret's id.
pub type SecretId = Id<Secret>;
/// A secret rotation's id.
pub type SecretRotationId = Id<SecretRotation>;
/// An erasure's id.
pub type ErasureId = Id<Erasure>;
/// A legal hold's id.
pub type LegalHoldId = Id<LegalHold>;
/// An authenticator's id.
pub type AuthenticatorId = Id<Authenticator>;
/// An invitation's id.
pub type InvitationId = Id<Invitation>;
/// A passkey's id.
pub type PasskeyId = Id<Passkey>;
/// A saved filter's id.
pub type FilterId = Id<Filter>;
/// A receipt share's id.
pub type ReceiptShareId = Id<ReceiptShare>;

impl<K> Id<K> {
    /// Gives a stored or freshly made uuid its kind.
    #[must_use]
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid, PhantomData)
    }

    /// What the database holds.
    #[must_use]
    pub const fn uuid(self) -> Uuid {
        self.0
    }
}

impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Id<K> {}
impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<K> Eq for Id<K> {}
impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}
impl<K> Hash for Id<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl<K: Kind> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = self.0.as_u128();
        let mut suffix = [b'0'; SUFFIX_CHARS];
        for (position, letter) in suffix.iter_mut().rev().enumerate() {
            let digit = usize::try_from((bits >> (position * 5)) & 31).ok();
            *letter = digit.and_then(|digit| ALPHABET.get(digit)).copied().unwrap_or(*letter);
        }
        f.write_str(K::PREFIX)?;
        f.write_str("_")?;
        f.write_str(std::str::from_utf8(&suffix).unwrap_or_default())
    }
}

impl<K: Kind> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<K: Kind> FromStr for Id<K> {
    type Err = InvalidId;

    /// # Errors
    /// [`InvalidId`] for another prefix, another length, a letter outside the alphabet (also in
    /// upper case) or a value beyond 128 bits.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = InvalidId { noun: K::NOUN, prefix: K::PREFIX };
        let suffix = text.strip_prefix(K::PREFIX).and_then(|rest| rest.strip_prefix('_')).ok_or(invalid)?;
        if suffix.len() != SUFFIX_CHARS || suffix.bytes().next().is_none_or(|first| first > b'7') {
            return Err(invalid);
        }
        let mut bits: u128 = 0;
        for letter in suffix.bytes() {
            let digit = VALUES.get(usize::from(letter)).copied().filter(|digit| *digit != NO_LETTER).ok_or(invalid)?;
            bits = (bits << 5) | u128::from(digit);
        }
        Ok(Self::from_uuid(Uuid::from_u128(bits)))
    }
}

impl<K: Kind> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, K: Kind> Deserialize<'de> for Id<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_specification_s_examples_hold() {
        let check = |uuid: &str, suffix: &str| {
            let id = UserId::from_uuid(uuid.parse().unwrap());
            assert_eq!(id.to_string(), format!("usr_{suffix}"));
            assert_eq!(format!("usr_{suffix}").parse(), Ok(id));
        };
        check("00000000-0000-0000-0000-000000000000", "00000000000000000000000000");
        check("00000000-0000-0000-0000-000000000020", "00000000000000000000000010");
        check("ffffffff-ffff-ffff-ffff-ffffffffffff", "7zzzzzzzzzzzzzzzzzzzzzzzzz");
        check("01890a5d-ac96-774b-bcce-b302099a8057", "01h455vb4pex5vsknk084sn02q");
    }

    #[test]
    fn there_is_one_spelling() {
        for text in [
            "",
            "usr",
            "usr_",
            "ws_01h455vb4pex5vsknk084sn02q",
            "USR_01h455vb4pex5vsknk084sn02q",
            "usr_01H455VB4PEX5VSKNK084SN02Q",
            "usr_o1h455vb4pex5vsknk084sn02q",
            "usr_01h455vb4pex5vsknk084sn02",
            "usr_01h455vb4pex5vsknk084sn02qq",
            "usr_8zzzzzzzzzzzzzzzzzzzzzzzzz",
            "usr_01890a5d-ac96-774b-bcce-b3",
        ] {
            assert!(text.parse::<UserId>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn text_and_back(bits: u128) {
            let id = WorkspaceId::from_uuid(Uuid::from_u128(bits));
            prop_assert_eq!(id.to_string().parse(), Ok(id));
        }

        #[test]
        fn anything_else_is_refused_without_a_panic(text in "\\PC{0,64}") {
            let _ = text.parse::<WorkspaceId>();
        }
    }
}
