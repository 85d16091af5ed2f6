//! Commitments: what an entry says of its actor, address, target and data without saying it.
//!
//! ```text
//! commitment = HMAC-SHA256(key = r, "audit-field/v1" 0x00 field 0x00 value)
//! field      = "actor" | "ip" | "meta" | "target"
//! r          = 32 random bytes, for each entry and field anew
//! value      = UTF-8; for meta the canonical JSON of an object; empty when there is none
//! ```
//!
//! ```text
//! erased subject = HMAC-SHA256(key = r, "erased-subject/v1" 0x00 name)
//! ```
//!
//! The second is what the certificate of an erasure says of whom it is about.
//!
//! Whoever has the *opening*, r and the value, can show what was committed to, and nothing else. When r is
//! destroyed the value is gone, also for somebody who guesses it right, while every proof still holds.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::hmac;

use crate::merkle::Hash;

const DOMAIN: &[u8] = b"audit-field/v1";
const ERASED_SUBJECT: &[u8] = b"erased-subject/v1";
/// Random bytes of an opening.
pub const R_BYTES: usize = 32;

/// What an entry commits to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// Who did it.
    Actor,
    /// From which client address.
    Ip,
    /// Everything else, as a JSON object.
    Meta,
    /// To what it was done.
    Target,
}

/// The text names no field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a field is actor, ip, meta or target")]
pub struct UnknownField;

impl Field {
    /// All four, in the order in which they are written.
    pub const ALL: [Self; 4] = [Self::Actor, Self::Ip, Self::Meta, Self::Target];

    /// The word in entries, receipts and commitments.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Actor => "actor",
            Self::Ip => "ip",
            Self::Meta => "meta",
            Self::Target => "target",
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Field {
    type Err = UnknownField;

    /// # Errors
    /// [`UnknownField`] for any other word.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|field| field.as_str() == text).ok_or(UnknownField)
    }
}

/// The four commitments of an entry. All are always there, so that their presence tells nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commitments {
    /// To who did it.
    pub actor: Hash,
    /// To the client's address.
    pub ip: Hash,
    /// To the JSON object.
    pub meta: Hash,
    /// To the object of the action.
    pub target: Hash,
}

impl Commitments {
    /// That of one field.
    #[must_use]
    pub const fn of(&self, field: Field) -> &Hash {
        match field {
            Field::Actor => &self.actor,
            Field::Ip => &self.ip,
            Field::Meta => &self.meta,
            Field::Target => &self.target,
        }
    }
}

/// What opens a commitment. Not printed by `Debug`: the value is personal, and r is as secret as it.
#[derive(Clone, PartialEq, Eq)]
pub struct Opening {
    /// The key of the HMAC.
    pub r: [u8; R_BYTES],
    /// What was committed to.
    pub value: String,
}

impl Opening {
    /// The commitment that this opens as the given field.
    #[must_use]
    pub fn commitment(&self, field: Field) -> Hash {
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &self.r));
        for part in [DOMAIN, &[0], field.as_str().as_bytes(), &[0], self.value.as_bytes()] {
            context.update(part);
        }
        Hash::from_digest(context.sign().as_ref())
    }

    /// Whether this opens the commitment of `field` in an entry.
    #[must_use]
    pub fn opens(&self, field: Field, commitments: &Commitments) -> bool {
        self.commitment(field) == *commitments.of(field)
    }
}

/// What the certificate of an erasure says of the subject: whoever has the name and r can show whom it is about, and nobody
/// else can tell, or guess.
#[must_use]
pub fn erased_subject(r: &[u8; R_BYTES], name: &str) -> Hash {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, r));
    for part in [ERASED_SUBJECT, &[0], name.as_bytes()] {
        context.update(part);
    }
    Hash::from_digest(context.sign().as_ref())
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opening([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn commitments(openings: &[Opening; 4]) -> Commitments {
        let [actor, ip, meta, target] = openings;
        Commitments {
            actor: actor.commitment(Field::Actor),
            ip: ip.commitment(Field::Ip),
            meta: meta.commitment(Field::Meta),
            target: target.commitment(Field::Target),
        }
    }

    /// Computed with Python's `hmac` and `hashlib`, frozen for ever.
    #[test]
    fn a_golden_commitment() {
        let opening = Opening { r: [7; 32], value: "usr_01h455vb4pex5vsknk084sn02q".to_owned() };
        assert_eq!(
            opening.commitment(Field::Actor).to_hex(),
            "0bf175d0ba5fbd6d4a1489c5c03889719e01a5deb27f295b94b6b33e6a85baa4"
        );
    }

    /// Computed with Python's `hmac` and `hashlib`, frozen for ever.
    #[test]
    fn a_golden_erased_subject() {
        let commitment = "783956bc9383a5a81d7626cb11e5d9d8e0e04480fbaa16e699e705e3936e0d01";
        assert_eq!(erased_subject(&[7; 32], "jane").to_hex(), commitment);
        assert_ne!(erased_subject(&[7; 32], "joan").to_hex(), commitment);
    }

    #[test]
    fn words_and_back() {
        for field in Field::ALL {
            assert_eq!(field.as_str().parse(), Ok(field));
        }
        for word in ["", "Actor", "actors", "ip "] {
            assert_eq!(word.parse::<Field>(), Err(UnknownField));
        }
    }

    #[test]
    fn debug_tells_nothing() {
        let opening = Opening { r: [7; 32], value: "secret".to_owned() };
        assert_eq!(format!("{opening:?}"), "Opening([redacted])");
    }

    proptest! {
        #[test]
        fn only_the_opening_opens_and_only_its_field(r: [u8; 32], value: String, other: String, bit in 0usize..256) {
            let opening = Opening { r, value: value.clone() };
            let all = commitments(&[opening.clone(), opening.clone(), opening.clone(), opening.clone()]);
            for field in Field::ALL {
                prop_assert!(opening.opens(field, &all));
                for wrong in Field::ALL.into_iter().filter(|wrong| *wrong != field) {
                    prop_assert_ne!(all.of(field), all.of(wrong));
                }
                let guess = Opening { r, value: other.clone() };
                prop_assert!(other == value || !guess.opens(field, &all));
                let mut flipped = r;
                flipped[bit / 8] ^= 1 << (bit % 8);
                let flipped = Opening { r: flipped, value: value.clone() };
                prop_assert!(!flipped.opens(field, &all));
            }
        }
    }
}
