//! The ledger's keys and daily roots for programs that know JOSE (RFC 7515, 7517, 7638, 8037) and no notes.
//!
//! ```text
//! JWK    {"kty":"OKP","crv":"Ed25519","x":"<base64url>","alg":"EdDSA","use":"sig","kid":"<thumbprint>","vkey":"…"}
//! kid    base64url(SHA-256({"crv":"Ed25519","kty":"OKP","x":"…"}))
//! JWKS   {"keys":[…]}
//! JWS    base64url(header) "." base64url(text of the checkpoint) "." base64url(signature)
//! header {"alg":"EdDSA","kid":"…","typ":"tlog-checkpoint+jws"}, exactly these bytes
//! ```
//!
//! base64url is without padding (RFC 4648 section 5). The signature is Ed25519 over the first two parts with their dot.
//!
//! # Invariants
//! The header decides nothing: one algorithm, one type, one spelling. The key is looked up by `kid` among those that the caller trusts,
//! and its name must be the checkpoint's origin.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::merkle::Hash;
use crate::note::{SigningKey, VerifierKey};

/// The longest daily root.
pub const MAX_JWS_BYTES: usize = 1 << 20;

/// The public key of a log as a JSON Web Key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "WireJwk", into = "WireJwk")]
pub struct Jwk(VerifierKey);

/// The members as they stand in the JSON, in this order.
#[derive(Serialize, Deserialize)]
struct WireJwk {
    kty: String,
    crv: String,
    x: String,
    alg: String,
    r#use: String,
    kid: String,
    vkey: String,
}

/// The public keys of a workspace's logs as a JSON Web Key Set: of the live log the newest first, then of the test log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Jwks {
    /// In the order of the document.
    pub keys: Vec<Jwk>,
}

/// Why a key or a daily root is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JoseError {
    /// The members of a key contradict each other, or are not those of an Ed25519 key.
    #[error("not the JWK of a log: {0}")]
    Jwk(&'static str),
    /// Not JSON with a list of keys.
    #[error("not a JWK set: {0}")]
    Jwks(String),
    /// Not three parts of canonical base64url with dots between them, or too long.
    #[error("not a compact JWS")]
    Shape,
    /// Another header than the one that is written.
    #[error("the header is not {{\"alg\":\"EdDSA\",\"kid\":\"…\",\"typ\":\"tlog-checkpoint+jws\"}}, byte for byte")]
    Header,
    /// Signed with a key that is not known.
    #[error("signed by the key {0}, which is not known")]
    UnknownKey(String),
    /// The signature does not fit.
    #[error("the signature of the key {0} is wrong")]
    BadSignature(String),
    /// The payload is no checkpoint, or that of another log than the key's.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

impl JoseError {
    /// The stable word for this reason, as in `vectors/`.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Jwk(_) => "jwk",
            Self::Jwks(_) => "jwks",
            Self::Shape => "jws_shape",
            Self::Header => "jws_header",
            Self::UnknownKey(_) => "no_known_signature",
            Self::BadSignature(_) => "bad_signature",
            Self::Checkpoint(error) => error.word(),
        }
    }
}

impl Jwk {
    /// The key with its name.
    #[must_use]
    pub const fn verifier(&self) -> &VerifierKey {
        &self.0
    }

    /// The key's id in JOSE: its thumbprint.
    #[must_use]
    pub fn kid(&self) -> String {
        thumbprint(self.0.public())
    }
}

impl From<VerifierKey> for Jwk {
    fn from(key: VerifierKey) -> Self {
        Self(key)
    }
}

impl From<Jwk> for WireJwk {
    fn from(jwk: Jwk) -> Self {
        Self {
            kty: "OKP".to_owned(),
            crv: "Ed25519".to_owned(),
            x: URL_SAFE_NO_PAD.encode(jwk.0.public()),
            alg: "EdDSA".to_owned(),
            r#use: "sig".to_owned(),
            kid: jwk.kid(),
            vkey: jwk.0.to_string(),
        }
    }
}

impl TryFrom<WireJwk> for Jwk {
    type Error = JoseError;

    /// # Errors
    /// [`JoseError::Jwk`] unless all members are those of [`From`]. Members with other names are passed over, as RFC 7517 wants.
    fn try_from(wire: WireJwk) -> Result<Self, Self::Error> {
        let key: VerifierKey = wire.vkey.parse().map_err(|_| JoseError::Jwk("\"vkey\" is malformed"))?;
        let jwk = Self(key);
        let expected = WireJwk::from(jwk.clone());
        for (given, expected, fault) in [
            (&wire.kty, &expected.kty, "\"kty\" is not OKP"),
            (&wire.crv, &expected.crv, "\"crv\" is not Ed25519"),
            (&wire.x, &expected.x, "\"x\" is not the key of \"vkey\""),
            (&wire.alg, &expected.alg, "\"alg\" is not EdDSA"),
            (&wire.r#use, &expected.r#use, "\"use\" is not sig"),
            (&wire.kid, &expected.kid, "\"kid\" is not the thumbprint"),
        ] {
            if given != expected {
                return Err(JoseError::Jwk(fault));
            }
        }
        Ok(jwk)
    }
}

impl Jwks {
    /// Reads a set. Keys without a `vkey` are none of a log, and are passed over.
    ///
    /// # Errors
    /// [`JoseError::Jwks`] for a document that is no set, or holds a log's key that contradicts itself.
    pub fn parse(text: &str) -> Result<Self, JoseError> {
        #[derive(Deserialize)]
        struct Document {
            keys: Vec<Value>,
        }
        let not = |error: serde_json::Error| JoseError::Jwks(error.to_string());
        let document: Document = serde_json::from_str(text).map_err(not)?;
        let ours = document.keys.into_iter().filter(|key| key.get("vkey").is_some());
        let keys = ours.map(serde_json::from_value).collect::<Result<_, _>>().map_err(not)?;
        Ok(Self { keys })
    }
}

/// The id of an Ed25519 key in JOSE (RFC 7638, RFC 8037 section 2).
#[must_use]
pub fn thumbprint(public: &[u8; 32]) -> String {
    let x = URL_SAFE_NO_PAD.encode(public);
    let required = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
    URL_SAFE_NO_PAD.encode(Hash::of(required.as_bytes()).as_bytes())
}

fn header(kid: &str) -> String {
    format!(r#"{{"alg":"EdDSA","kid":"{kid}","typ":"tlog-checkpoint+jws"}}"#)
}

/// A checkpoint as a compact JWS: the daily root.
///
/// # Errors
/// [`JoseError::Checkpoint`] for a key of another name than the checkpoint's origin, and for a checkpoint that could not be read again.
pub fn sign_checkpoint(key: &SigningKey, checkpoint: &Checkpoint) -> Result<String, JoseError> {
    is_by(key.verifier(), checkpoint)?;
    let text = checkpoint.text();
    if Checkpoint::parse(&text)? != *checkpoint {
        return Err(CheckpointError::Shape.into());
    }
    let header = header(&thumbprint(key.verifier().public()));
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(text));
    let signature = URL_SAFE_NO_PAD.encode(key.sign_bytes(signed.as_bytes()));
    Ok(format!("{signed}.{signature}"))
}

/// What a daily root says, signed or not: to find the keys that it is to be checked with.
///
/// # Errors
/// [`JoseError::Shape`], [`JoseError::Checkpoint`].
pub fn unverified_checkpoint(jws: &str) -> Result<Checkpoint, JoseError> {
    let payload = jws.split('.').nth(1).filter(|_| jws.len() <= MAX_JWS_BYTES).ok_or(JoseError::Shape)?;
    let text = URL_SAFE_NO_PAD.decode(payload).map_err(|_| JoseError::Shape)?;
    Ok(Checkpoint::parse(&String::from_utf8(text).map_err(|_| CheckpointError::Shape)?)?)
}

/// Checks a daily root under the keys that the caller trusts.
///
/// # Errors
/// [`JoseError`], in this order: the shape, the header, the key, the signature, the checkpoint and its origin.
pub fn verify_checkpoint(jws: &str, known: &[Jwk]) -> Result<Checkpoint, JoseError> {
    let parts: Vec<&str> = jws.split('.').collect();
    let ([head, payload, signature], true) = (parts.as_slice(), jws.len() <= MAX_JWS_BYTES) else {
        return Err(JoseError::Shape);
    };
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| JoseError::Shape);
    let (head_bytes, text, signature) = (decode(head)?, decode(payload)?, decode(signature)?);
    let kid = kid_of(&head_bytes).ok_or(JoseError::Header)?;
    let mut candidates = known.iter().filter(|jwk| jwk.kid() == kid).map(Jwk::verifier).peekable();
    if candidates.peek().is_none() {
        return Err(JoseError::UnknownKey(kid));
    }
    let signed = jws.get(..head.len() + 1 + payload.len()).unwrap_or_default();
    // A kid knows the 32 bytes and not the name: of keys that share it, the one of the origin's name counts.
    let signers: Vec<&VerifierKey> = candidates.filter(|key| key.has_signed(signed.as_bytes(), &signature)).collect();
    let first = signers.first().ok_or(JoseError::BadSignature(kid))?;
    let text = String::from_utf8(text).map_err(|_| CheckpointError::Shape)?;
    let checkpoint = Checkpoint::parse(&text)?;
    let named = signers.iter().find(|key| key.name() == checkpoint.origin).unwrap_or(first);
    is_by(named, &checkpoint)?;
    Ok(checkpoint)
}

/// The key id in a header that is spelt exactly as [`header`] spells it.
fn kid_of(bytes: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Header {
        kid: String,
    }
    let Header { kid } = serde_json::from_slice(bytes).ok()?;
    (header(&kid).as_bytes() == bytes).then_some(kid)
}

fn is_by(key: &VerifierKey, checkpoint: &Checkpoint) -> Result<(), CheckpointError> {
    if key.name() == checkpoint.origin {
        return Ok(());
    }
    Err(CheckpointError::OtherLogsKey { origin: checkpoint.origin.clone(), key: key.name().to_owned() })
}

#[cfg(test)]
mod tests;
