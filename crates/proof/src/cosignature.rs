//! Cosignatures (C2SP tlog-cosignature, `cosignature/v1`): a witness says that a log has only grown, as far as it has seen.
//!
//! ```text
//! line      = "— " witness name " " base64(key id || time, 8 bytes, big endian || 64-byte Ed25519 signature)
//! key id    = SHA-256(witness name || 0x0A || 0x04 || public key)[:4]
//! vkey      = witness name "+" 8 hex digits of the key id "+" base64(0x04 || 32-byte public key)
//! signed    = "cosignature/v1\n" "time " <seconds since 1970> "\n" <text of the checkpoint, to its last newline>
//! ```
//!
//! A line stands among the signatures of the checkpoint's note; whoever knows no witness passes over it.
//!
//! # Invariants
//! What is signed does not name the witness, so one public key serves one witness. A key of a log (type 1) is none of a witness
//! (type 4): neither's vkey parses as the other's.

mod request;

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

use crate::note::key::{is_name, is_of_small_order, read_vkey, write_vkey};
use crate::note::{InvalidSigningKey, KeyId, NoteError, Signature, SignedNote, VkeyError};

pub use request::{AddCheckpoint, MAX_REQUEST_BYTES, MalformedRequest};

/// The signature type of a timestamped Ed25519 cosignature.
const COSIGNATURE_TYPE: u8 = 4;
const KEY_BYTES: usize = 32;
/// The time, and the Ed25519 signature.
const SIGNATURE_BYTES: usize = 8 + 64;
/// No time reaches this.
const TIME_BOUND: u64 = 1 << 63;

/// A witness's public key with its name.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct WitnessKey {
    name: String,
    id: KeyId,
    public: [u8; KEY_BYTES],
}

impl WitnessKey {
    /// The Ed25519 key with these bytes under this name.
    ///
    /// # Errors
    /// [`VkeyError::Name`], [`VkeyError::SmallOrder`].
    pub fn new(name: &str, public: [u8; KEY_BYTES]) -> Result<Self, VkeyError> {
        if !is_name(name) {
            return Err(VkeyError::Name(name.to_owned()));
        }
        if is_of_small_order(&public) {
            return Err(VkeyError::SmallOrder);
        }
        Ok(Self { name: name.to_owned(), id: KeyId::of(name, COSIGNATURE_TYPE, &public), public })
    }

    /// What the witness calls itself in its lines.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The id that stands in its lines.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// The 32 bytes of the public key.
    #[must_use]
    pub const fn public(&self) -> &[u8; KEY_BYTES] {
        &self.public
    }

    /// Whether a line claims to be this witness's.
    #[must_use]
    pub fn is_claimed_by(&self, line: &Signature) -> bool {
        line.name() == self.name && line.id() == self.id
    }

    /// When this witness has cosigned the note, in seconds since 1970 by its own clock; `None` when no line claims to be its.
    ///
    /// # Errors
    /// [`NoteError::BadSignature`] for a line in its name that does not hold, [`NoteError::RepeatedSignature`] for two.
    pub fn has_cosigned(&self, note: &SignedNote) -> Result<Option<u64>, NoteError> {
        let mut lines = note.signatures().iter().filter(|line| self.is_claimed_by(line));
        let Some(line) = lines.next() else { return Ok(None) };
        if lines.next().is_some() {
            return Err(NoteError::RepeatedSignature(self.short()));
        }
        self.time_of(note.text(), line).map(Some).ok_or_else(|| NoteError::BadSignature(self.short()))
    }

    /// The time in a line of this witness, if its signature holds over the text.
    #[must_use]
    pub fn time_of(&self, text: &str, line: &Signature) -> Option<u64> {
        let time = time_claimed(line).filter(|_| self.is_claimed_by(line))?;
        let signature = line.bytes().get(8..)?;
        let key = UnparsedPublicKey::new(&ED25519, self.public);
        key.verify(message(text, time).as_bytes(), signature).ok().map(|()| time)
    }

    /// Name and id, for messages.
    #[must_use]
    pub fn short(&self) -> String {
        format!("{}+{}", self.name, self.id)
    }
}

impl fmt::Display for WitnessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_vkey(f, (&self.name, self.id, &self.public), COSIGNATURE_TYPE)
    }
}

impl fmt::Debug for WitnessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for WitnessKey {
    type Err = VkeyError;

    /// # Errors
    /// [`VkeyError`] for anything that [`Self`] does not print.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, id, public) = read_vkey(text, COSIGNATURE_TYPE)?;
        Ok(Self { name: name.to_owned(), id, public })
    }
}

/// A witness's private key with its name. It leaves by nothing but signatures; the library that holds it wipes its memory.
pub struct CosigningKey {
    witness: WitnessKey,
    pair: Ed25519KeyPair,
}

impl CosigningKey {
    /// The key of 32 secret bytes (RFC 8032 section 5.1.5), which the caller wipes.
    ///
    /// # Errors
    /// [`InvalidSigningKey`] when the name is empty or too long, or holds white space or a plus.
    pub fn from_seed(name: &str, seed: &[u8; KEY_BYTES]) -> Result<Self, InvalidSigningKey> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| InvalidSigningKey)?;
        let public = pair.public_key().as_ref().try_into().map_err(|_| InvalidSigningKey)?;
        let witness = WitnessKey::new(name, public).map_err(|_| InvalidSigningKey)?;
        Ok(Self { witness, pair })
    }

    /// The public half.
    #[must_use]
    pub const fn witness(&self) -> &WitnessKey {
        &self.witness
    }

    /// The line over the text of a checkpoint, at a time in seconds since 1970, below 2^63.
    #[must_use]
    pub fn cosign(&self, text: &str, time: u64) -> Signature {
        let signature = self.pair.sign(message(text, time).as_bytes());
        let bytes = [time.to_be_bytes().as_slice(), signature.as_ref()].concat();
        Signature::new(self.witness.name.clone(), self.witness.id, bytes)
    }
}

impl fmt::Debug for CosigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CosigningKey({}, [redacted])", self.witness.short())
    }
}

fn message(text: &str, time: u64) -> String {
    format!("cosignature/v1\ntime {time}\n{text}")
}

/// The time that a line has, if it has the form of a cosignature. Nobody vouches for it.
#[must_use]
pub fn time_claimed(line: &Signature) -> Option<u64> {
    let (time, _) = line.bytes().split_first_chunk::<8>().filter(|_| line.bytes().len() == SIGNATURE_BYTES)?;
    Some(u64::from_be_bytes(*time)).filter(|time| *time < TIME_BOUND)
}

/// The lines that a witness answers with.
///
/// # Errors
/// [`NoteError::SignatureLine`] with the number of the first that is none, [`NoteError::Shape`] for no lines and for a cut
/// one, [`NoteError::TooManySignatures`].
pub fn parse_lines(text: &str) -> Result<Vec<Signature>, NoteError> {
    let lines = text.strip_suffix('\n').ok_or(NoteError::Shape)?;
    if lines.split('\n').nth(crate::note::MAX_SIGNATURES).is_some() {
        return Err(NoteError::TooManySignatures);
    }
    let lines = lines.split('\n').enumerate();
    lines.map(|(number, line)| Signature::parse(line).ok_or(NoteError::SignatureLine(number + 1))).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::checkpoint::{Checkpoint, SignedCheckpoint};
    use crate::merkle::leaf_hash;
    use crate::note::{SigningKey, VerifierKey};

    const ORIGIN: &str = "example.com/cell/1";

    fn witness(name: &str, seed: u8) -> CosigningKey {
        CosigningKey::from_seed(name, &[seed; 32]).unwrap()
    }

    fn signed() -> SignedCheckpoint {
        let checkpoint = Checkpoint::new(&ORIGIN.parse().unwrap(), 3, leaf_hash(b"x"));
        SignedCheckpoint::sign(checkpoint, &[&SigningKey::from_seed(ORIGIN, &[1; 32]).unwrap()]).unwrap()
    }

    /// The line and text that stand in the specification; of the key it gives the id alone.
    #[test]
    fn the_specification_s_line_has_its_time() {
        let line = "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n";
        let lines = parse_lines(line).unwrap();
        assert_eq!((lines[0].id().to_string().as_str(), time_claimed(&lines[0])), ("8d66cf3f", Some(1_679_315_147)));
        assert_eq!(message("example.com/behind-the-sofa\n", 1_679_315_147).lines().nth(1), Some("time 1679315147"));
    }

    #[test]
    fn a_witness_s_line_counts_for_its_own_key_and_text_alone() {
        let (one, other) = (witness("witness.example/1", 2), witness("witness.example/1", 3));
        let line = one.cosign(signed().note().text(), 1_700_000_000);
        let cosigned = signed().with(std::slice::from_ref(&line)).unwrap();
        assert_eq!(one.witness().has_cosigned(cosigned.note()), Ok(Some(1_700_000_000)));
        assert_eq!(other.witness().has_cosigned(cosigned.note()), Ok(None), "another key of the name");
        assert_eq!(one.witness().has_cosigned(signed().note()), Ok(None));
        let text = cosigned.to_string();
        let moved: SignedNote = text.replace("\n3\n", "\n4\n").parse().unwrap();
        assert!(matches!(one.witness().has_cosigned(&moved), Err(NoteError::BadSignature(_))));
        let twice = cosigned.with(&[one.cosign(signed().note().text(), 5)]).unwrap();
        assert!(matches!(one.witness().has_cosigned(twice.note()), Err(NoteError::RepeatedSignature(_))));
        let log: VerifierKey = SigningKey::from_seed(ORIGIN, &[1; 32]).unwrap().verifier().clone();
        assert!(cosigned.verify(&[log]).is_ok(), "whoever knows no witness passes over it");
    }

    #[test]
    fn a_time_that_was_changed_or_cannot_be_is_a_bad_signature() {
        let one = witness("witness.example/1", 2);
        let text = signed().note().text().to_owned();
        let good = one.cosign(&text, 7);
        for (bytes, holds) in [
            (good.bytes().to_vec(), true),
            ([&8u64.to_be_bytes(), &good.bytes()[8..]].concat(), false),
            (one.cosign(&text, 1 << 63).bytes().to_vec(), false),
            (good.bytes()[..71].to_vec(), false),
            ([good.bytes(), &[0]].concat(), false),
            (good.bytes()[8..].to_vec(), false),
        ] {
            let line = Signature::new("witness.example/1".to_owned(), one.witness().id(), bytes);
            let note = signed().with(&[line]).unwrap();
            assert_eq!(one.witness().has_cosigned(note.note()).is_ok(), holds);
        }
    }

    #[test]
    fn keys_of_logs_and_of_witnesses_are_told_apart() {
        let seed = [9; 32];
        let log = SigningKey::from_seed("example.com/x", &seed).unwrap().verifier().to_string();
        let witness = CosigningKey::from_seed("example.com/x", &seed).unwrap().witness().to_string();
        assert_ne!(log, witness);
        assert!(matches!(log.parse::<WitnessKey>(), Err(VkeyError::Algorithm(1))));
        assert!(matches!(witness.parse::<VerifierKey>(), Err(VkeyError::Algorithm(4))));
        assert_eq!(witness.parse::<WitnessKey>().unwrap().to_string(), witness);
        assert!(CosigningKey::from_seed("a b", &seed).is_err());
        assert!(!format!("{:?}", CosigningKey::from_seed("a", &seed).unwrap()).contains('9'));
    }

    /// Under such a key one signature, R of small order and S zero, holds over every text: so would a policy with it.
    #[test]
    fn a_point_of_small_order_is_nobodys_key() {
        let order_8 = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05";
        for (y, sign) in [
            ("00".repeat(32), 0),
            (order_8.to_owned(), 0),
            (order_8.to_owned(), 0x80),
            (format!("ee{}7f", "ff".repeat(30)), 0x80),
        ] {
            let mut public: [u8; 32] = crate::hex::decode(&y).unwrap();
            public[31] |= sign;
            assert_eq!(WitnessKey::new("w", public), Err(VkeyError::SmallOrder), "{y}");
            assert_eq!(VerifierKey::new("w", public), Err(VkeyError::SmallOrder), "{y}");
            let key = WitnessKey { name: "w".to_owned(), id: KeyId::of("w", COSIGNATURE_TYPE, &public), public };
            assert_eq!(key.to_string().parse::<WitnessKey>(), Err(VkeyError::SmallOrder), "{y}");
        }
    }

    #[test]
    fn answers_are_lines_and_nothing_else() {
        let line = format!("{}\n", witness("w", 1).cosign("x\n", 1));
        assert_eq!(parse_lines(&line.repeat(2)).unwrap().len(), 2);
        for text in ["", "\n", line.trim_end(), &format!("{line}\n"), "200 OK\n", &line.repeat(65)] {
            assert!(parse_lines(text).is_err(), "{text:.80}");
        }
    }

    proptest! {
        #[test]
        fn what_is_cosigned_verifies(seed: [u8; 32], time in 0u64..1 << 63, text in "(\\PC{1,30}\n){1,4}") {
            let key = CosigningKey::from_seed("witness.example", &seed).unwrap();
            let line = key.cosign(&text, time);
            prop_assert_eq!(key.witness().time_of(&text, &line), Some(time));
            prop_assert_eq!(key.witness().time_of(&format!("{text}\n"), &line), None);
            prop_assert_eq!(parse_lines(&format!("{line}\n")).unwrap(), vec![line]);
        }
    }
}
