//! Signed notes (C2SP signed-note): text, and who vouches for it.
//!
//! ```text
//! note      = text, ending in a newline
//!             an empty line
//!             one to 64 signature lines
//! signature = "— " key name " " base64(key id || signature bytes)
//! key id    = SHA-256(key name || 0x0A || 0x01 || public key)[:4], for Ed25519
//! vkey      = key name "+" 8 hex digits of the key id "+" base64(0x01 || 32-byte public key)
//! ```
//!
//! # Invariants
//! The text means nothing until [`SignedNote::verify`] has passed. Signatures of unknown keys are ignored, which is how keys
//! change hands and witnesses sign along; but a bad signature of a known key, or two of one, refuses the
//! whole note.

pub(crate) mod key;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

pub use key::{InvalidSigningKey, KeyId, SigningKey, VerifierKey, VkeyError};

/// The longest note.
pub const MAX_NOTE_BYTES: usize = 1 << 20;
/// The most signature lines; the specification wants at least 16 to be accepted.
pub const MAX_SIGNATURES: usize = 64;
const KEY_ID_BYTES: usize = 4;

/// One signature line, whoever made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    name: String,
    id: KeyId,
    bytes: Vec<u8>,
}

impl Signature {
    /// The key's name, as the line claims it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key's id, as the line claims it.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// Whether the line claims to be by this key.
    #[must_use]
    pub fn claims(&self, key: &VerifierKey) -> bool {
        self.name == key.name() && self.id == key.id()
    }

    /// A line by this key.
    pub(crate) const fn new(name: String, id: KeyId, bytes: Vec<u8>) -> Self {
        Self { name, id, bytes }
    }

    /// What follows the key's id.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn parse(line: &str) -> Option<Self> {
        let (name, rest) = line.strip_prefix("— ")?.split_once(' ')?;
        let signed = STANDARD.decode(rest).ok()?;
        let (id, bytes) = signed.split_first_chunk::<KEY_ID_BYTES>()?;
        if !key::is_name(name) || bytes.is_empty() {
            return None;
        }
        Some(Self { name: name.to_owned(), id: KeyId::new(*id), bytes: bytes.to_vec() })
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signed = [self.id.as_bytes().as_slice(), &self.bytes].concat();
        write!(f, "— {} {}", self.name, STANDARD.encode(signed))
    }
}

/// A note that is well-formed, and no more than that until it is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedNote {
    text: String,
    signatures: Vec<Signature>,
}

/// Why a note is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Longer than any note may be.
    #[error("{0} bytes: a signed note has at most {MAX_NOTE_BYTES}")]
    TooLong(usize),
    /// A control character other than the newline.
    #[error("a signed note holds no control characters, such as tabs or carriage returns")]
    ControlCharacter,
    /// There is no text, empty line and newline at the end, as when a file was cut.
    #[error("not a signed note, or one that was cut: expected text, an empty line, and signature lines")]
    Shape,
    /// A line after the empty one is no signature.
    #[error("signature line {0} is malformed")]
    SignatureLine(usize),
    /// More signature lines than are read.
    #[error("a signed note has at most {MAX_SIGNATURES} signatures")]
    TooManySignatures,
    /// A key that is known is named, and its signature does not fit the text.
    #[error("the signature of the key {0} is wrong")]
    BadSignature(String),
    /// Two lines claim to be by the same known key.
    #[error("two signatures of the key {0}")]
    RepeatedSignature(String),
    /// Two different known keys have the same name and id, so that nobody can say which is meant.
    #[error("two different keys are called {0}")]
    AmbiguousKey(String),
    /// No line is by a known key.
    #[error("not signed by any of the known keys; signed in the name of {}", signers(.0))]
    UnknownKeys(Vec<String>),
}

fn signers(names: &[String]) -> String {
    names.join(", ")
}

impl NoteError {
    /// The stable word for this reason, as in `vectors/`.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::TooLong(_) => "note_too_long",
            Self::ControlCharacter => "note_control_character",
            Self::Shape => "note_shape",
            Self::SignatureLine(_) => "note_signature_line",
            Self::TooManySignatures => "note_too_many_signatures",
            Self::BadSignature(_) => "bad_signature",
            Self::RepeatedSignature(_) => "signed_twice",
            Self::AmbiguousKey(_) => "ambiguous_key",
            Self::UnknownKeys(_) => "no_known_signature",
        }
    }
}

impl SignedNote {
    /// Signs `text` with each of the keys, in this order.
    ///
    /// # Errors
    /// As [`Self::from_str`], for a text that could not be read again or for no keys at all.
    pub fn sign(text: &str, keys: &[&SigningKey]) -> Result<Self, NoteError> {
        let note = Self { text: text.to_owned(), signatures: keys.iter().map(|key| key.sign(text)).collect() };
        if note.to_string().parse::<Self>()? == note { Ok(note) } else { Err(NoteError::Shape) }
    }

    /// With further signature lines behind those that it has.
    ///
    /// # Errors
    /// As [`Self::from_str`], when there are too many.
    pub fn with(&self, lines: &[Signature]) -> Result<Self, NoteError> {
        let signatures = self.signatures.iter().chain(lines).cloned().collect();
        Self { text: self.text.clone(), signatures }.to_string().parse()
    }

    /// The signed text with its last newline.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// All signature lines, known or not.
    #[must_use]
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// Checks the signatures of the known keys, and returns those keys that have signed: at least one. The same key may be given
    /// twice.
    ///
    /// # Errors
    /// [`NoteError::BadSignature`], [`NoteError::RepeatedSignature`], [`NoteError::AmbiguousKey`] or
    /// [`NoteError::UnknownKeys`].
    pub fn verify<'k>(&self, known: &'k [VerifierKey]) -> Result<Vec<&'k VerifierKey>, NoteError> {
        let mut signed_by: Vec<&VerifierKey> = Vec::new();
        for signature in &self.signatures {
            let mut claimed = known.iter().filter(|key| signature.claims(key));
            let Some(key) = claimed.next() else { continue };
            if claimed.any(|other| other != key) {
                return Err(NoteError::AmbiguousKey(key.short()));
            }
            if signed_by.contains(&key) {
                return Err(NoteError::RepeatedSignature(key.short()));
            }
            if !key.has_signed(self.text.as_bytes(), &signature.bytes) {
                return Err(NoteError::BadSignature(key.short()));
            }
            signed_by.push(key);
        }
        if signed_by.is_empty() {
            let names = self.signatures.iter().map(|line| format!("{}+{}", line.name, line.id)).collect();
            return Err(NoteError::UnknownKeys(names));
        }
        Ok(signed_by)
    }
}

impl fmt::Display for SignedNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| writeln!(f, "{signature}"))
    }
}

impl FromStr for SignedNote {
    type Err = NoteError;

    /// # Errors
    /// [`NoteError`] for whatever is not a well-formed note. Nothing is verified.
    fn from_str(note: &str) -> Result<Self, Self::Err> {
        if note.len() > MAX_NOTE_BYTES {
            return Err(NoteError::TooLong(note.len()));
        }
        if note.bytes().any(|byte| byte < b' ' && byte != b'\n') {
            return Err(NoteError::ControlCharacter);
        }
        // The text may hold empty lines; signature lines cannot, so the last one separates.
        let (text, lines) = note.rsplit_once("\n\n").ok_or(NoteError::Shape)?;
        let lines = lines.strip_suffix('\n').ok_or(NoteError::Shape)?;
        if lines.split('\n').nth(MAX_SIGNATURES).is_some() {
            return Err(NoteError::TooManySignatures);
        }
        let signatures = lines
            .split('\n')
            .enumerate()
            .map(|(number, line)| Signature::parse(line).ok_or(NoteError::SignatureLine(number + 1)))
            .collect::<Result<_, _>>()?;
        Ok(Self { text: format!("{text}\n"), signatures })
    }
}
