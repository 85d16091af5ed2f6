//! Access tokens: ES256 JWTs of RFC 9068's kind, good for five minutes.
//!
//! The header is `{"typ":"at+jwt","alg":"ES256","kid":…}`; the claims are `iss` and `aud` (the public
//! origin), `sub` (the user), `sid` (the session), `iat` and `exp`. Another algorithm, type, key or
//! audience is refused before any claim is read.

use std::sync::Arc;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use bailiwick_proof::id::{SessionId, UserId};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::TokenDigest;

/// How long an access token is good for.
pub const ACCESS_TOKEN_TTL: Duration = Duration::minutes(5);
const TYPE: &str = "at+jwt";

/// Signs and checks access tokens under one key.
#[derive(Clone)]
pub struct AccessTokens(Arc<Keys>);

struct Keys {
    signing: EncodingKey,
    checking: DecodingKey,
    kid: String,
    origin: String,
    validation: Validation,
}

/// The configured token key is no P-256 key in PKCS#8 PEM.
#[derive(Debug, thiserror::Error)]
#[error("the token key is not a P-256 private key in PKCS#8 PEM")]
pub struct TokenKeyError;

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: UserId,
    sid: SessionId,
    iat: i64,
    exp: i64,
}

/// Why a token is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenRefusal {
    Invalid,
    Expired,
}

impl AccessTokens {
    /// # Errors
    /// [`TokenKeyError`].
    pub fn new(token_key_pem: &SecretString, origin: &str) -> Result<Self, TokenKeyError> {
        let pem = token_key_pem.expose_secret();
        let body: String = pem.lines().filter(|line| !line.starts_with("-----")).map(str::trim).collect();
        let der = zeroize::Zeroizing::new(STANDARD.decode(body).map_err(|_| TokenKeyError)?);
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der).map_err(|_| TokenKeyError)?;
        // An uncompressed point: 0x04, x, y (SEC 1, 2.3.3).
        let point = pair.public_key().as_ref().to_vec();
        let (x, y) = point.get(1..).and_then(|xy| xy.split_at_checked(32)).ok_or(TokenKeyError)?;
        let checking = DecodingKey::from_ec_components(&URL_SAFE_NO_PAD.encode(x), &URL_SAFE_NO_PAD.encode(y))
            .map_err(|_| TokenKeyError)?;
        let signing = EncodingKey::from_ec_pem(pem.as_bytes()).map_err(|_| TokenKeyError)?;
        let kid = URL_SAFE_NO_PAD.encode(TokenDigest::of(&point).bytes().first_chunk::<12>().ok_or(TokenKeyError)?);
        let mut validation = Validation::new(Algorithm::ES256);
        validation.set_audience(&[origin]);
        validation.set_issuer(&[origin]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // Expiry is checked below, by the clock that we are given.
        validation.validate_exp = false;
        validation.leeway = 0;
        Ok(Self(Arc::new(Keys { signing, checking, kid, origin: origin.to_owned(), validation })))
    }

    /// A token for this session, good from now for [`ACCESS_TOKEN_TTL`].
    ///
    /// # Errors
    /// What `jsonwebtoken` says when it cannot sign, which is a fault of ours.
    pub fn issue(
        &self,
        user: UserId,
        session: SessionId,
        now: OffsetDateTime,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        let keys = &self.0;
        let header =
            Header { typ: Some(TYPE.to_owned()), kid: Some(keys.kid.clone()), ..Header::new(Algorithm::ES256) };
        let claims = Claims {
            iss: keys.origin.clone(),
            aud: keys.origin.clone(),
            sub: user,
            sid: session,
            iat: now.unix_timestamp(),
            exp: (now + ACCESS_TOKEN_TTL).unix_timestamp(),
        };
        jsonwebtoken::encode(&header, &claims, &keys.signing)
    }

    /// Is it a good token, now?
    #[must_use]
    pub fn is_good(&self, token: &str, now: OffsetDateTime) -> bool {
        self.verify(token, now).is_ok()
    }

    /// The session that a token of ours names, whether its time is over or not: for ending the session.
    #[must_use]
    pub fn session_named(&self, token: &str) -> Option<SessionId> {
        self.claims(token).ok().map(|claims| claims.sid)
    }

    /// Whose session a token names, if it is ours and its time is not over.
    pub(super) fn verify(&self, token: &str, now: OffsetDateTime) -> Result<(UserId, SessionId), TokenRefusal> {
        let claims = self.claims(token)?;
        if claims.exp <= now.unix_timestamp() {
            return Err(TokenRefusal::Expired);
        }
        Ok((claims.sub, claims.sid))
    }

    /// What a token of ours says, its time apart.
    fn claims(&self, token: &str) -> Result<Claims, TokenRefusal> {
        let keys = &self.0;
        let header = jsonwebtoken::decode_header(token).map_err(|_| TokenRefusal::Invalid)?;
        if header.typ.as_deref() != Some(TYPE) || header.kid.as_deref() != Some(keys.kid.as_str()) {
            return Err(TokenRefusal::Invalid);
        }
        let decoded = jsonwebtoken::decode::<Claims>(token, &keys.checking, &keys.validation);
        decoded.map(|token| token.claims).map_err(|_| TokenRefusal::Invalid)
    }
}

#[cfg(test)]
mod tests {
    use bailiwick_proof::id::Id;
    use jsonwebtoken::jwk::Jwk;
    use uuid::Uuid;

    use super::*;

    fn key() -> SecretString {
        let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &aws_lc_rs::rand::SystemRandom::new())
            .unwrap();
        let body = STANDARD.encode(der.as_ref());
        format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n").into()
    }

    fn ids() -> (UserId, SessionId) {
        (Id::from_uuid(Uuid::from_u128(1)), Id::from_uuid(Uuid::from_u128(2)))
    }

    #[test]
    fn a_token_names_its_session_until_it_expires() {
        let tokens = AccessTokens::new(&key(), "http://localhost:8080").unwrap();
        let (user, session) = ids();
        let start = OffsetDateTime::from_unix_timestamp(1_900_000_000).unwrap();
        let token = tokens.issue(user, session, start).unwrap();
        assert_eq!(tokens.verify(&token, start), Ok((user, session)));
        assert_eq!(tokens.verify(&token, start + Duration::seconds(299)), Ok((user, session)));
        assert_eq!(tokens.verify(&token, start + Duration::seconds(300)), Err(TokenRefusal::Expired));
    }

    #[test]
    fn confusion_is_refused() {
        let now = OffsetDateTime::from_unix_timestamp(1_900_000_000).unwrap();
        let (user, session) = ids();
        let signing = key();
        let tokens = AccessTokens::new(&signing, "http://localhost:8080").unwrap();
        let good = tokens.issue(user, session, now).unwrap();
        let claims = good.split('.').nth(1).unwrap().to_owned();
        let refuse = |token: &str| assert_eq!(tokens.verify(token, now), Err(TokenRefusal::Invalid), "{token}");

        let none = URL_SAFE_NO_PAD.encode(format!(r#"{{"typ":"at+jwt","alg":"none","kid":"{}"}}"#, tokens.0.kid));
        refuse(&format!("{none}.{claims}."));
        refuse(&AccessTokens::new(&key(), "http://localhost:8080").unwrap().issue(user, session, now).unwrap());
        refuse(&AccessTokens::new(&signing, "https://other.example").unwrap().issue(user, session, now).unwrap());

        let read: Claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(&claims).unwrap()).unwrap();
        let with = |header: Header, key: &EncodingKey| jsonwebtoken::encode(&header, &read, key).unwrap();
        let ours = Header { typ: Some(TYPE.into()), kid: Some(tokens.0.kid.clone()), ..Header::new(Algorithm::ES256) };
        // The public key as an HMAC secret, another type, and a key that the token brings along.
        refuse(&with(Header { alg: Algorithm::HS256, ..ours.clone() }, &EncodingKey::from_secret(b"public")));
        refuse(&with(Header { typ: Some("JWT".into()), ..ours.clone() }, &tokens.0.signing));
        let own = EncodingKey::from_ec_pem(key().expose_secret().as_bytes()).unwrap();
        let jwk = Jwk::from_encoding_key(&own, Algorithm::ES256).unwrap();
        refuse(&with(Header { jwk: Some(jwk), ..ours }, &own));
        for cut in [0, 1, good.len() / 2, good.len() - 1] {
            refuse(&good[..cut]);
        }
    }
}
