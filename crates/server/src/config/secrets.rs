//! The server's own secrets as types: parsed once, never printed.
//!
//! Those that `bailiwickd dev` makes carry a mark in their text ([`DEV_MARK`]), so that `serve` can refuse them.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use crate::entropy::Entropy;

/// What a secret made by `bailiwickd dev` begins with.
pub const DEV_MARK: &str = "dev-";
const PEM_BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const PEM_END: &str = "-----END PRIVATE KEY-----";
const PEM_LINE: usize = 64;
const INTERNAL_KEY_MIN_CHARS: usize = 32;
const DISTINCT_MIN: usize = 8;

/// Why a secret does not serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// It has not the form that was asked for.
    #[error("it is not {0}")]
    Form(&'static str),
    /// It has the form, and anybody could guess it.
    #[error("it is too short or too regular to be a secret")]
    Weak,
}

/// The private key that signs access tokens: ES256, a P-256 key as PKCS#8 in PEM.
#[derive(Clone, Debug)]
pub struct TokenKey {
    pem: SecretString,
    made_by_dev: bool,
}

impl TokenKey {
    /// Parses the PEM; text before it is allowed (RFC 7468, section 2).
    ///
    /// # Errors
    /// [`SecretError::Form`] when it holds no P-256 key.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        const FORM: SecretError = SecretError::Form("a P-256 private key as PKCS#8 in PEM");
        let (before, rest) = text.split_once(PEM_BEGIN).ok_or(FORM)?;
        let (body, _) = rest.split_once(PEM_END).ok_or(FORM)?;
        let packed: Zeroizing<String> = Zeroizing::new(body.split_ascii_whitespace().collect());
        let der = Zeroizing::new(BASE64.decode(packed.as_bytes()).map_err(|_| FORM)?);
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der).map_err(|_| FORM)?;
        Ok(Self { pem: pem(&der), made_by_dev: before.starts_with(DEV_MARK) })
    }

    /// A new key as text with the mark; `None` when the generator fails.
    #[must_use]
    pub fn make_for_dev() -> Option<String> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).ok()?;
        let document = pair.to_pkcs8v1().ok()?;
        Some(format!("{DEV_MARK}key, not for production\n{}", pem(document.as_ref()).expose_secret()))
    }

    /// The PEM, without anything before it.
    #[must_use]
    pub fn pem(&self) -> &SecretString {
        &self.pem
    }

    /// Whether `bailiwickd dev` made it.
    #[must_use]
    pub fn is_made_by_dev(&self) -> bool {
        self.made_by_dev
    }
}

fn pem(der: &[u8]) -> SecretString {
    let packed = Zeroizing::new(BASE64.encode(der));
    let mut text = Zeroizing::new(String::with_capacity(packed.len() + 80));
    text.push_str(PEM_BEGIN);
    for (index, char) in packed.chars().enumerate() {
        if index % PEM_LINE == 0 {
            text.push('\n');
        }
        text.push(char);
    }
    text.push('\n');
    text.push_str(PEM_END);
    text.push('\n');
    SecretString::from(text.as_str())
}

/// The credential that the operator's services present to `/internal`. All of its text counts, the mark included.
#[derive(Clone, Debug)]
pub struct InternalKey(SecretString);

impl InternalKey {
    /// Parses at least 32 visible ASCII characters.
    ///
    /// # Errors
    /// [`SecretError::Form`] for characters that no header carries, [`SecretError::Weak`] when it is short or regular.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(SecretError::Form("made of visible ASCII characters"));
        }
        if text.len() < INTERNAL_KEY_MIN_CHARS || distinct(text.bytes()) < DISTINCT_MIN {
            return Err(SecretError::Weak);
        }
        Ok(Self(SecretString::from(text)))
    }

    /// A new credential as text with the mark.
    #[must_use]
    pub fn make_for_dev(entropy: &Entropy) -> String {
        let digits: String = entropy.bytes::<32>().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{DEV_MARK}{digits}")
    }

    /// The credential.
    #[must_use]
    pub fn secret(&self) -> &SecretString {
        &self.0
    }

    /// Whether `bailiwickd dev` made it.
    #[must_use]
    pub fn is_made_by_dev(&self) -> bool {
        without_mark(self.0.expose_secret()).1
    }
}

fn without_mark(text: &str) -> (&str, bool) {
    text.strip_prefix(DEV_MARK).map_or((text, false), |rest| (rest, true))
}

fn distinct(bytes: impl IntoIterator<Item = u8>) -> usize {
    bytes.into_iter().collect::<std::collections::BTreeSet<u8>>().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_dev_makes_is_parsed_and_known() {
        let entropy = Entropy::system();
        let token = TokenKey::parse(&TokenKey::make_for_dev().unwrap()).unwrap();
        assert!(token.is_made_by_dev() && token.pem().expose_secret().starts_with(PEM_BEGIN));
        assert!(InternalKey::parse(&InternalKey::make_for_dev(&entropy)).unwrap().is_made_by_dev());
        assert!(!TokenKey::parse(token.pem().expose_secret()).unwrap().is_made_by_dev());
    }

    #[test]
    fn the_token_key_signs_and_verifies_es256() {
        let key = TokenKey::parse(&TokenKey::make_for_dev().unwrap()).unwrap();
        let signer = jsonwebtoken::EncodingKey::from_ec_pem(key.pem().expose_secret().as_bytes()).unwrap();
        let header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::ES256);
        jsonwebtoken::encode(&header, &serde_json::json!({"sub": "x"}), &signer).unwrap();
    }

    #[test]
    fn what_openssl_makes_is_parsed() {
        const PEM: &str = "-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgevZzL1gdAFr88hb2
OF/2NxApJCzGCEDdfSp6VQO30hyhRANCAAQRWz+jn65BtOMvdyHKcvjBeBSDZH2r
1RTwjmYSi9R/zpBnuQ4EiMnCqfMPWiZqB4QdbAd0E7oH50VpuZ1P087G
-----END PRIVATE KEY-----";
        assert_eq!(TokenKey::parse(PEM).unwrap().pem().expose_secret().trim_end(), PEM);
    }

    #[test]
    fn weak_and_malformed_secrets_are_refused() {
        assert!(matches!(InternalKey::parse("short"), Err(SecretError::Weak)));
        assert!(matches!(InternalKey::parse(&"ab".repeat(20)), Err(SecretError::Weak)));
        assert!(matches!(InternalKey::parse(&"a b".repeat(20)), Err(SecretError::Form(_))));
        assert!(matches!(TokenKey::parse("-----BEGIN PRIVATE KEY-----\nAAAA"), Err(SecretError::Form(_))));
    }

    #[test]
    fn nothing_of_a_secret_is_printed() {
        let key = InternalKey::parse("0123456789abcdef0123456789abcdef").unwrap();
        assert!(!format!("{key:?}").contains("0123"));
        assert!(format!("{key:?}").contains("REDACTED"), "{key:?}");
    }
}
