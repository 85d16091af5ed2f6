//! Access tokens: ES256 JWTs of RFC 9068's kind, good for five minutes.
//!
//! The header is `{"typ":"at+jwt","alg":"ES256","kid":…}`; the claims are `iss` and `aud` (the public
//! origin), `sub` (the user), `sid` (the session), `iat` and `exp`. Another algorithm, type, key or
//! audience is refused before any claim is read.
//!
//! A **service token** is made from an access token for one of the operator's services: `typ` is `bailiwick-service+jwt`,
//! `aud` the service's audience, its time a minute. It is no access token: its type and its audience are refused here, and
//! those of an access token by every service. Services check it by the published keys.
//!
//! The keys are versions of a secret of the server's own: a new one is on every node before it signs, and the one before
//! it is taken until the last token that it signed has ended.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::error::Unspecified;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use bailiwick_proof::id::{SessionId, UserId, WorkspaceId};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use zeroize::Zeroizing;

use super::TokenDigest;
use crate::authz::{Audience, Role, SignedIn};
use crate::server_secrets::{Known, Purpose};

/// How long an access token is good for.
pub const ACCESS_TOKEN_TTL: Duration = Duration::minutes(5);
/// How long a service token is good for.
pub const SERVICE_TOKEN_TTL: Duration = Duration::minutes(1);
const TYPE: &str = "at+jwt";
const SERVICE_TYPE: &str = "bailiwick-service+jwt";
/// So many keys that have ended are known by name.
const ENDED_KEPT: usize = 8;

/// Signs and checks access tokens.
#[derive(Clone)]
pub struct AccessTokens(Arc<Inner>);

struct Inner {
    origin: String,
    validation: Validation,
    /// The newest first.
    keys: RwLock<Arc<[Arc<TokenKey>]>>,
}

struct TokenKey {
    kid: String,
    public: PublicKey,
    /// Gone with the end.
    signing: Option<EncodingKey>,
    checking: DecodingKey,
    used_from: OffsetDateTime,
    ends_at: Option<OffsetDateTime>,
}

/// The public part of a key, as others need it (RFC 7518, section 6.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PublicKey {
    kty: &'static str,
    crv: &'static str,
    x: String,
    y: String,
    alg: &'static str,
    r#use: &'static str,
    kid: String,
}

/// A key set (RFC 7517, section 5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeySet {
    keys: Vec<PublicKey>,
}

/// It is no P-256 private key in PKCS #8.
#[derive(Debug, thiserror::Error)]
#[error("the token key is not a P-256 private key in PKCS #8")]
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

#[derive(Serialize)]
struct ServiceClaims<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: UserId,
    sid: SessionId,
    #[serde(skip_serializing_if = "Option::is_none")]
    workspace_id: Option<WorkspaceId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    iat: i64,
    exp: i64,
}

/// Why a token is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenRefusal {
    Invalid,
    /// It would be good, had its key not ended.
    KeyEnded,
    Expired,
}

impl TokenKey {
    fn of(pkcs8: &[u8], used_from: OffsetDateTime, ends_at: Option<OffsetDateTime>) -> Result<Self, TokenKeyError> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).map_err(|_| TokenKeyError)?;
        // An uncompressed point: 0x04, x, y (SEC 1, 2.3.3).
        let point = pair.public_key().as_ref();
        let (x, y) = point.get(1..).and_then(|xy| xy.split_at_checked(32)).ok_or(TokenKeyError)?;
        let (x, y, kid) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y), kid(point)?);
        let checking = DecodingKey::from_ec_components(&x, &y).map_err(|_| TokenKeyError)?;
        let public = PublicKey { kty: "EC", crv: "P-256", x, y, alg: "ES256", r#use: "sig", kid: kid.clone() };
        Ok(Self { kid, public, signing: Some(EncodingKey::from_ec_der(pkcs8)), checking, used_from, ends_at })
    }

    fn has_ended(&self, now: OffsetDateTime) -> bool {
        self.ends_at.is_some_and(|end| end <= now)
    }

    /// The same, of which nothing is taken any more.
    fn ended(&self) -> Self {
        let Self { kid, public, checking, used_from, .. } = self;
        let (kid, public, checking) = (kid.clone(), public.clone(), checking.clone());
        Self { kid, public, signing: None, checking, used_from: *used_from, ends_at: Some(OffsetDateTime::UNIX_EPOCH) }
    }
}

/// The name of a key: of the digest of its public point, 96 bits.
fn kid(point: &[u8]) -> Result<String, TokenKeyError> {
    Ok(URL_SAFE_NO_PAD.encode(TokenDigest::of(point).bytes().first_chunk::<12>().ok_or(TokenKeyError)?))
}

/// Makes a key; answers its name, and the key as PKCS #8.
///
/// # Errors
/// When the generator fails.
pub fn make_token_key() -> Result<(String, Zeroizing<Vec<u8>>), Unspecified> {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
    let pkcs8 = Zeroizing::new(pair.to_pkcs8v1()?.as_ref().to_vec());
    Ok((kid(pair.public_key().as_ref()).map_err(|_| Unspecified)?, pkcs8))
}

impl AccessTokens {
    /// Of this origin, with no key yet.
    #[must_use]
    pub fn new(origin: &str) -> Self {
        let mut validation = Validation::new(Algorithm::ES256);
        validation.set_audience(&[origin]);
        validation.set_issuer(&[origin]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // Expiry is checked below, by the clock that we are given.
        validation.validate_exp = false;
        validation.leeway = 0;
        Self(Arc::new(Inner { origin: origin.to_owned(), validation, keys: RwLock::new(Arc::new([])) }))
    }

    /// Takes these keys and no others from now on. Those of before are known by their names, so that what somebody signs
    /// with them is told from what was never ours.
    ///
    /// # Errors
    /// [`TokenKeyError`] when there is none; nothing has changed then.
    pub fn learn(&self, known: &Known) -> Result<(), TokenKeyError> {
        let versions = known.of(Purpose::TokenKey).iter().rev();
        let mut keys: Vec<Arc<TokenKey>> = versions
            .filter_map(|version| {
                let ends_at = known.ends_at(Purpose::TokenKey, version.number);
                TokenKey::of(&version.value, version.used_from, ends_at).ok().map(Arc::new)
            })
            .collect();
        if keys.is_empty() {
            return Err(TokenKeyError);
        }
        let mut held = self.0.keys.write().unwrap_or_else(PoisonError::into_inner);
        let gone = |key: &&Arc<TokenKey>| keys.iter().all(|other| other.kid != key.kid);
        let gone: Vec<_> = held.iter().filter(gone).map(|key| Arc::new(key.ended())).take(ENDED_KEPT).collect();
        keys.extend(gone);
        *held = keys.into();
        Ok(())
    }

    fn keys(&self) -> Arc<[Arc<TokenKey>]> {
        self.0.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A token for this session, good from now for [`ACCESS_TOKEN_TTL`].
    ///
    /// # Errors
    /// What `jsonwebtoken` says when it cannot sign, which is a fault of ours; so is it when there is no key.
    pub fn issue(
        &self,
        user: UserId,
        session: SessionId,
        now: OffsetDateTime,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        let claims = Claims {
            iss: self.0.origin.clone(),
            aud: self.0.origin.clone(),
            sub: user,
            sid: session,
            iat: now.unix_timestamp(),
            exp: (now + ACCESS_TOKEN_TTL).unix_timestamp(),
        };
        self.sign(TYPE, &claims, now)
    }

    /// A service token of this person for a service, and of their place in a workspace if one was asked about; good from
    /// now for [`SERVICE_TOKEN_TTL`].
    ///
    /// # Errors
    /// As [`Self::issue`].
    pub fn issue_for_service(
        &self,
        person: &SignedIn,
        audience: &Audience,
        place: Option<(WorkspaceId, Role)>,
        now: OffsetDateTime,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        let claims = ServiceClaims {
            iss: &self.0.origin,
            aud: audience.as_str(),
            sub: person.user(),
            sid: person.session(),
            workspace_id: place.map(|(workspace, _)| workspace),
            role: place.map(|(_, role)| role.as_str()),
            iat: now.unix_timestamp(),
            exp: (now + SERVICE_TOKEN_TTL).unix_timestamp(),
        };
        self.sign(SERVICE_TYPE, &claims, now)
    }

    fn sign(
        &self,
        kind: &str,
        claims: &impl Serialize,
        now: OffsetDateTime,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        let keys = self.keys();
        // With a clock that is behind that of whoever made the only key, that one.
        let mut serving = keys.iter().filter(|key| !key.has_ended(now));
        let key = serving.find(|key| key.used_from <= now).or(keys.first()).ok_or(ErrorKind::InvalidKeyFormat)?;
        let header = Header { typ: Some(kind.to_owned()), kid: Some(key.kid.clone()), ..Header::new(Algorithm::ES256) };
        jsonwebtoken::encode(&header, claims, key.signing.as_ref().ok_or(ErrorKind::InvalidKeyFormat)?)
    }

    /// The keys by which tokens are checked, the newest first: also one that does not sign yet.
    #[must_use]
    pub fn published(&self, now: OffsetDateTime) -> KeySet {
        let keys = self.keys();
        let taken = keys.iter().filter(|key| !key.has_ended(now));
        KeySet { keys: taken.map(|key| key.public.clone()).collect() }
    }

    /// Is it a good token, now?
    #[must_use]
    pub fn is_good(&self, token: &str, now: OffsetDateTime) -> bool {
        self.verify(token, now).is_ok()
    }

    /// The session that a token of ours names, whether its time is over or not: for ending the session.
    #[must_use]
    pub fn session_named(&self, token: &str, now: OffsetDateTime) -> Option<SessionId> {
        self.claims(token, now).ok().map(|claims| claims.sid)
    }

    /// Whose session a token names, if it is ours and its time is not over.
    pub(super) fn verify(&self, token: &str, now: OffsetDateTime) -> Result<(UserId, SessionId), TokenRefusal> {
        let claims = self.claims(token, now)?;
        if claims.exp <= now.unix_timestamp() {
            return Err(TokenRefusal::Expired);
        }
        Ok((claims.sub, claims.sid))
    }

    /// What a token says that a key of ours signed which has not ended, the token's own time apart.
    fn claims(&self, token: &str, now: OffsetDateTime) -> Result<Claims, TokenRefusal> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| TokenRefusal::Invalid)?;
        let kid = header.kid.filter(|_| header.typ.as_deref() == Some(TYPE)).ok_or(TokenRefusal::Invalid)?;
        let keys = self.keys();
        let key = keys.iter().find(|key| key.kid == kid).ok_or(TokenRefusal::Invalid)?;
        let decoded = jsonwebtoken::decode::<Claims>(token, &key.checking, &self.0.validation);
        let claims = decoded.map(|token| token.claims).map_err(|_| TokenRefusal::Invalid)?;
        if key.has_ended(now) {
            if claims.exp <= now.unix_timestamp() {
                return Err(TokenRefusal::Invalid);
            }
            // Somebody may have the key who should not.
            metrics::counter!("bailiwick_tokens_of_ended_keys_total").increment(1);
            return Err(TokenRefusal::KeyEnded);
        }
        Ok(claims)
    }
}

impl fmt::Debug for AccessTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys().iter().map(|key| &key.kid)).finish()
    }
}

#[cfg(test)]
mod tests {
    use bailiwick_proof::id::Id;
    use jsonwebtoken::jwk::Jwk;
    use uuid::Uuid;

    use super::*;
    use crate::authz::LiveSession;
    use crate::server_secrets::Version;

    const ORIGIN: &str = "http://localhost:8080";

    fn start() -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(1_900_000_000).unwrap()
    }

    fn version(number: u32, pkcs8: &[u8], used_from: OffsetDateTime, older_until: OffsetDateTime) -> Version {
        Version { number, value: Zeroizing::new(pkcs8.to_vec()), used_from, older_until }
    }

    fn with(pkcs8: &[u8], origin: &str) -> AccessTokens {
        let tokens = AccessTokens::new(origin);
        tokens.learn(&Known::new(vec![version(1, pkcs8, start(), start())], Vec::new())).unwrap();
        tokens
    }

    fn key() -> Zeroizing<Vec<u8>> {
        make_token_key().unwrap().1
    }

    fn kids(tokens: &AccessTokens, now: OffsetDateTime) -> Vec<String> {
        tokens.published(now).keys.into_iter().map(|key| key.kid).collect()
    }

    fn ids() -> (UserId, SessionId) {
        (Id::from_uuid(Uuid::from_u128(1)), Id::from_uuid(Uuid::from_u128(2)))
    }

    #[test]
    fn a_token_names_its_session_until_it_expires() {
        let tokens = with(&key(), ORIGIN);
        let ((user, session), start) = (ids(), start());
        let token = tokens.issue(user, session, start).unwrap();
        assert_eq!(tokens.verify(&token, start), Ok((user, session)));
        assert_eq!(tokens.verify(&token, start + Duration::seconds(299)), Ok((user, session)));
        assert_eq!(tokens.verify(&token, start + Duration::seconds(300)), Err(TokenRefusal::Expired));
    }

    #[test]
    fn confusion_is_refused() {
        let ((user, session), now, signing) = (ids(), start(), key());
        let tokens = with(&signing, ORIGIN);
        let own_kid = tokens.keys()[0].kid.clone();
        let good = tokens.issue(user, session, now).unwrap();
        let claims = good.split('.').nth(1).unwrap().to_owned();
        let refuse = |token: &str| assert_eq!(tokens.verify(token, now), Err(TokenRefusal::Invalid), "{token}");

        let none = URL_SAFE_NO_PAD.encode(format!(r#"{{"typ":"at+jwt","alg":"none","kid":"{own_kid}"}}"#));
        refuse(&format!("{none}.{claims}."));
        refuse(&with(&key(), ORIGIN).issue(user, session, now).unwrap());
        refuse(&with(&signing, "https://other.example").issue(user, session, now).unwrap());

        let read: Claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(&claims).unwrap()).unwrap();
        let with = |header: Header, key: &EncodingKey| jsonwebtoken::encode(&header, &read, key).unwrap();
        let ours = Header { typ: Some(TYPE.into()), kid: Some(own_kid), ..Header::new(Algorithm::ES256) };
        // The public key as an HMAC secret, another type, and a key that the token brings along.
        refuse(&with(Header { alg: Algorithm::HS256, ..ours.clone() }, &EncodingKey::from_secret(b"public")));
        refuse(&with(Header { typ: Some("JWT".into()), ..ours.clone() }, &EncodingKey::from_ec_der(&signing)));
        let own = EncodingKey::from_ec_der(&key());
        let jwk = Jwk::from_encoding_key(&own, Algorithm::ES256).unwrap();
        refuse(&with(Header { jwk: Some(jwk), ..ours }, &own));
        for cut in [0, 1, good.len() / 2, good.len() - 1] {
            refuse(&good[..cut]);
        }
        // What was made for a service is none, whatever the service is called.
        let live = LiveSession { email: "a@b.example".to_owned(), signed_in_at: now, strong: false };
        let person = SignedIn::attested(user, session, live);
        for audience in ["billing", "bailiwick", "localhost"] {
            refuse(&tokens.issue_for_service(&person, &audience.parse().unwrap(), None, now).unwrap());
        }
    }

    #[test]
    fn a_successor_signs_when_its_time_comes_and_the_older_key_serves_until_its_tokens_have_ended() {
        let ((user, session), start) = (ids(), start());
        let at = |seconds| start + Duration::seconds(seconds);
        let older = version(1, &key(), start, start);
        let tokens = AccessTokens::new(ORIGIN);
        tokens.learn(&Known::new(vec![older.clone()], Vec::new())).unwrap();
        let early = tokens.issue(user, session, start).unwrap();
        let first = kids(&tokens, start);
        let successor = version(2, &key(), at(15), at(315));
        tokens.learn(&Known::new(vec![older, successor], Vec::new())).unwrap();

        let kid = |token: &str| jsonwebtoken::decode_header(token).unwrap().kid.unwrap();
        assert_eq!(
            kid(&tokens.issue(user, session, at(14)).unwrap()),
            kid(&early),
            "not every node has the new one yet"
        );
        assert_ne!(kid(&tokens.issue(user, session, at(15)).unwrap()), kid(&early));
        let both = kids(&tokens, start);
        assert_eq!((both.len(), &both[1]), (2, &first[0]), "published before it signs");
        assert_eq!((kids(&tokens, at(314)), kids(&tokens, at(315))), (both.clone(), both[..1].to_vec()));
        assert_eq!(tokens.verify(&early, at(299)), Ok((user, session)));
        assert_eq!(tokens.session_named(&early, at(314)), Some(session));
        assert_eq!(tokens.session_named(&early, at(315)), None, "whoever has the older key signs what they like");
        assert_eq!(tokens.verify(&early, at(315)), Err(TokenRefusal::Invalid), "and is over as well");

        assert!(tokens.learn(&Known::default()).is_err());
        assert_eq!(tokens.verify(&early, at(299)), Ok((user, session)), "it goes on with what it has");

        let third = version(3, &key(), at(0), at(0));
        let late = tokens.issue(user, session, at(20)).unwrap();
        tokens.learn(&Known::new(vec![third], Vec::new())).unwrap();
        assert_eq!(tokens.verify(&late, at(21)), Err(TokenRefusal::KeyEnded), "known by its name, and refused");
        assert_eq!(kids(&tokens, at(21)).len(), 1, "and published no more");
        assert_eq!(
            tokens.verify(&late, at(321)),
            Err(TokenRefusal::Invalid),
            "a browser that comes late is nobody's alarm"
        );
        assert_ne!(kid(&tokens.issue(user, session, at(21)).unwrap()), kid(&late));
    }
}
