//! The keys that sign notes, and those that verify them.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Signature;
use crate::hex;
use crate::merkle::Hash;

/// The signature type identifier of Ed25519 in C2SP signed-note.
const ED25519_TYPE: u8 = 1;
/// Bytes of an Ed25519 public key, and of the seed of a private one.
const KEY_BYTES: usize = 32;
/// A name must fit a line and a log's origin.
const MAX_NAME_BYTES: usize = 256;

/// The first bytes of a hash over name and key: finds a key quickly, proves nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; super::KEY_ID_BYTES]);

impl KeyId {
    /// An id out of a signature line.
    #[must_use]
    pub const fn new(bytes: [u8; super::KEY_ID_BYTES]) -> Self {
        Self(bytes)
    }

    /// The four bytes, big endian.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; super::KEY_ID_BYTES] {
        &self.0
    }

    /// The id of a key under its name, for a signature type of C2SP signed-note.
    pub(crate) fn of(name: &str, signature_type: u8, public: &[u8; KEY_BYTES]) -> Self {
        let hash = Hash::of(&[name.as_bytes(), b"\n", &[signature_type], public].concat());
        let mut id = [0; super::KEY_ID_BYTES];
        for (byte, hashed) in id.iter_mut().zip(hash.as_bytes()) {
            *byte = *hashed;
        }
        Self(id)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Whether a key may be called so: no white space, no plus, and it must not be empty.
pub(crate) fn is_name(name: &str) -> bool {
    let allowed = |c: char| !c.is_whitespace() && !c.is_control() && c != '+';
    !name.is_empty() && name.len() <= MAX_NAME_BYTES && name.chars().all(allowed)
}

/// The y of the points whose order divides 8, little endian, with both spellings of those that have two (RFC 8032 section 5.1.3 allows one). Under
/// them one signature holds over every text.
const SMALL_ORDER: [[u8; KEY_BYTES]; 7] = [
    [0; KEY_BYTES],
    [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    [
        38, 232, 149, 143, 194, 178, 39, 176, 69, 195, 244, 137, 242, 239, 152, 240, 213, 223, 172, 5, 211, 198, 51,
        57, 177, 56, 2, 136, 109, 83, 252, 5,
    ],
    [
        199, 23, 106, 112, 61, 77, 216, 79, 186, 60, 11, 118, 13, 16, 103, 15, 42, 32, 83, 250, 44, 57, 204, 198, 78,
        199, 253, 119, 146, 172, 3, 122,
    ],
    [
        236, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
        255, 255, 255, 255, 255, 255, 255, 255, 255, 127,
    ],
    [
        237, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
        255, 255, 255, 255, 255, 255, 255, 255, 255, 127,
    ],
    [
        238, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
        255, 255, 255, 255, 255, 255, 255, 255, 255, 127,
    ],
];

/// Whether a public key is a point of small order, whatever the sign of its x.
pub(crate) fn is_of_small_order(public: &[u8; KEY_BYTES]) -> bool {
    let [y @ .., last] = public;
    SMALL_ORDER.iter().any(|[small @ .., end]| small == y && *end == last & 0x7f)
}

/// A public key with its name. Its text, the *vkey*, is what a verifier is given.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct VerifierKey {
    name: String,
    id: KeyId,
    public: [u8; KEY_BYTES],
}

/// Why a text is not a vkey.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VkeyError {
    /// Not three parts with plus signs between them, or one of them is not spelt as it must be.
    #[error("not a verifier key: expected <name>+<8 hex digits>+<base64>")]
    Shape,
    /// The name is empty or too long, or holds white space or a plus.
    #[error("a key cannot be called {0:?}")]
    Name(String),
    /// Another algorithm than Ed25519, or a witness's key for a log's, or the other way round.
    #[error("signature type {0} does not belong here: 1 is that of a log's Ed25519 key, 4 that of a witness's")]
    Algorithm(u8),
    /// A point of small order: signatures under it are made without any private key.
    #[error("the key is a point of small order, under which anybody signs")]
    SmallOrder,
    /// The id is not that of this name and key: a typing error, or the key of another name.
    #[error("the key id is {got}, but that of this name and key is {expected}")]
    Id {
        /// As computed.
        expected: KeyId,
        /// As written.
        got: KeyId,
    },
}

impl VkeyError {
    /// The stable word for this reason, as in `vectors/`.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Shape => "vkey_shape",
            Self::Name(_) => "vkey_name",
            Self::Algorithm(_) => "vkey_algorithm",
            Self::SmallOrder => "vkey_small_order",
            Self::Id { .. } => "vkey_id",
        }
    }
}

impl VerifierKey {
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
        Ok(Self { name: name.to_owned(), id: KeyId::of(name, ED25519_TYPE, &public), public })
    }

    /// What the key is called: for a log's key, the log's origin.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The id that stands in signature lines.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// The 32 bytes of the public key.
    #[must_use]
    pub const fn public(&self) -> &[u8; KEY_BYTES] {
        &self.public
    }

    /// Whether these bytes are this key's Ed25519 signature over `message`.
    #[must_use]
    pub fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.public).verify(message, signature).is_ok()
    }

    /// A key whose id is not its own, which only a collision could bring about.
    #[cfg(test)]
    pub(super) fn with_id(name: &str, id: KeyId, public: [u8; KEY_BYTES]) -> Self {
        Self { name: name.to_owned(), id, public }
    }

    /// Name and id, for messages.
    pub(super) fn short(&self) -> String {
        format!("{}+{}", self.name, self.id)
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_vkey(f, (&self.name, self.id, &self.public), ED25519_TYPE)
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for VerifierKey {
    type Err = VkeyError;

    /// # Errors
    /// [`VkeyError`] for anything that [`Self`] does not print.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, id, public) = read_vkey(text, ED25519_TYPE)?;
        Ok(Self { name: name.to_owned(), id, public })
    }
}

/// The parts of a vkey of this signature type, of which name and id were checked.
pub(crate) fn read_vkey(text: &str, signature_type: u8) -> Result<(&str, KeyId, [u8; KEY_BYTES]), VkeyError> {
    let (name, rest) = text.split_once('+').ok_or(VkeyError::Shape)?;
    let (id, key) = rest.split_once('+').ok_or(VkeyError::Shape)?;
    let got = hex::decode(id).map(KeyId).ok_or(VkeyError::Shape)?;
    let typed = STANDARD.decode(key).map_err(|_| VkeyError::Shape)?;
    let public: [u8; KEY_BYTES] = match typed.split_first() {
        Some((found, public)) if *found == signature_type => public.try_into().map_err(|_| VkeyError::Shape)?,
        Some((other, _)) => return Err(VkeyError::Algorithm(*other)),
        None => return Err(VkeyError::Shape),
    };
    if !is_name(name) {
        return Err(VkeyError::Name(name.to_owned()));
    }
    if is_of_small_order(&public) {
        return Err(VkeyError::SmallOrder);
    }
    let expected = KeyId::of(name, signature_type, &public);
    if expected == got { Ok((name, expected, public)) } else { Err(VkeyError::Id { expected, got }) }
}

/// A vkey's text.
pub(crate) fn write_vkey(
    f: &mut fmt::Formatter<'_>,
    (name, id, public): (&str, KeyId, &[u8; KEY_BYTES]),
    signature_type: u8,
) -> fmt::Result {
    let typed = [&[signature_type], public.as_slice()].concat();
    write!(f, "{name}+{id}+{}", STANDARD.encode(typed))
}

/// A private key with its name. It leaves by nothing but signatures; the library that holds it wipes its memory.
pub struct SigningKey {
    verifier: VerifierKey,
    pair: Ed25519KeyPair,
}

/// The seed is no private key, or the name cannot be a key's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a signing key: the name cannot be a key's, or the seed is not accepted")]
pub struct InvalidSigningKey;

impl SigningKey {
    /// The key of 32 secret bytes (RFC 8032 section 5.1.5), which the caller wipes.
    ///
    /// # Errors
    /// [`InvalidSigningKey`] when the name is empty or too long, or holds white space or a plus.
    pub fn from_seed(name: &str, seed: &[u8; KEY_BYTES]) -> Result<Self, InvalidSigningKey> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| InvalidSigningKey)?;
        let public = pair.public_key().as_ref().try_into().map_err(|_| InvalidSigningKey)?;
        let verifier = VerifierKey::new(name, public).map_err(|_| InvalidSigningKey)?;
        Ok(Self { verifier, pair })
    }

    /// The public half.
    #[must_use]
    pub const fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// The signature line over the text of a note.
    #[must_use]
    pub fn sign(&self, text: &str) -> Signature {
        let bytes = self.sign_bytes(text.as_bytes()).as_ref().to_vec();
        Signature { name: self.verifier.name.clone(), id: self.verifier.id, bytes }
    }

    /// The Ed25519 signature itself: 64 bytes.
    pub(crate) fn sign_bytes(&self, message: &[u8]) -> impl AsRef<[u8]> + use<> {
        self.pair.sign(message)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}, [redacted])", self.verifier.short())
    }
}
