//! What a secret is: a closed list of kinds, each with the shape of its value where it has one.

use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize};

/// A kind of secret. The words are those of the database and of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Any text.
    Generic,
    /// The token of a host that deploys: one line without white space.
    DeployToken,
    /// The token or client secret of an identity provider: one line without white space.
    IdentityProvider,
    /// What signs webhooks, as Standard Webhooks writes it: `whsec_` and base64 of 24 to 64 bytes.
    WebhookSigning,
    /// How a database is reached: a URL with scheme and host.
    Database,
    /// An OAuth 2 client: a JSON object with `client_id` and `client_secret`.
    OauthClient,
    /// A private key in PEM.
    PrivateKey,
}

/// The word names no kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a kind is generic, deploy_token, identity_provider, webhook_signing, database, oauth_client or private_key")]
pub struct UnknownKind;

impl Kind {
    /// In the order in which they are shown.
    pub const ALL: [Self; 7] = [
        Self::Generic,
        Self::DeployToken,
        Self::IdentityProvider,
        Self::WebhookSigning,
        Self::Database,
        Self::OauthClient,
        Self::PrivateKey,
    ];

    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Generic => "generic",
            Self::DeployToken => "deploy_token",
            Self::IdentityProvider => "identity_provider",
            Self::WebhookSigning => "webhook_signing",
            Self::Database => "database",
            Self::OauthClient => "oauth_client",
            Self::PrivateKey => "private_key",
        }
    }

    /// What it is, for people who choose one.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Generic => "Any text",
            Self::DeployToken => "Token of a deploy host",
            Self::IdentityProvider => "Token of an identity provider",
            Self::WebhookSigning => "Signing secret of a webhook",
            Self::Database => "URL of a database",
            Self::OauthClient => "OAuth client",
            Self::PrivateKey => "Private key",
        }
    }

    /// What a value of this kind looks like: the whole of what is said of one that does not.
    #[must_use]
    pub const fn shape(self) -> &'static str {
        match self {
            Self::Generic => "Any text of 1 to 65,536 bytes, without null characters.",
            Self::DeployToken | Self::IdentityProvider => {
                "A token is one line of visible ASCII characters: no white space, and no line break at its end either."
            }
            Self::WebhookSigning => "A signing secret is whsec_ and base64 of 24 to 64 bytes, with nothing after it.",
            Self::Database => {
                "A database's URL has a scheme and a host, as in postgres://user:password@host/name, and no white space."
            }
            Self::OauthClient => {
                "An OAuth client is a JSON object with the texts client_id and client_secret, neither of them empty."
            }
            Self::PrivateKey => {
                "A private key is PEM: from -----BEGIN PRIVATE KEY----- (or RSA, EC, OPENSSH and so on) to its END line."
            }
        }
    }

    /// Whether a value has the shape of this kind.
    #[must_use]
    pub fn admits(self, value: &str) -> bool {
        match self {
            Self::Generic => true,
            Self::DeployToken | Self::IdentityProvider => is_one_word(value),
            Self::WebhookSigning => value
                .strip_prefix("whsec_")
                .and_then(|key| STANDARD.decode(key).ok())
                .is_some_and(|key| (24..=64).contains(&key.len())),
            Self::Database => is_url_with_host(value),
            Self::OauthClient => is_oauth_client(value),
            Self::PrivateKey => is_private_key(value),
        }
    }
}

fn is_one_word(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_url_with_host(value: &str) -> bool {
    let Some((scheme, rest)) = value.split_once("://") else { return false };
    let scheme_fits = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    scheme_fits && !host.is_empty() && !value.chars().any(|c| c.is_whitespace() || c.is_control())
}

fn is_oauth_client(value: &str) -> bool {
    /// What it has at least.
    #[derive(Deserialize)]
    struct Client {
        client_id: String,
        client_secret: String,
    }
    let client = serde_json::from_str::<Client>(value);
    client.is_ok_and(|client| !client.client_id.is_empty() && !client.client_secret.is_empty())
}

fn is_private_key(value: &str) -> bool {
    let lines: Vec<&str> = value.trim().lines().collect();
    let [first, .., last] = lines.as_slice() else { return false };
    let label = first.strip_prefix("-----BEGIN ").and_then(|rest| rest.strip_suffix("-----"));
    label.is_some_and(|label| label.ends_with("PRIVATE KEY") && *last == format!("-----END {label}-----"))
        && lines.len() > 2
}

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(word: &str) -> Result<Self, UnknownKind> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word).ok_or(UnknownKind)
    }
}

impl<'de> Deserialize<'de> for Kind {
    /// Whoever mixes up two fields sends a value here: the error quotes nothing.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer).map_err(|_quotes_it| serde::de::Error::custom(UnknownKind))?;
        word.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(kind: Kind, good: &[&str], bad: &[&str]) {
        for value in good {
            assert!(kind.admits(value), "{kind:?} takes {value}");
        }
        for value in bad {
            assert!(!kind.admits(value), "{kind:?} refuses {value}");
        }
    }

    #[test]
    fn a_kind_takes_values_of_its_shape_alone() {
        check(Kind::Generic, &["anything\nat all", " "], &[]);
        check(Kind::DeployToken, &["vercel_abc123"], &["", "abc\n", "a b", "schlüssel"]);
        check(Kind::IdentityProvider, &["00abc.def"], &["abc def"]);
        let key = STANDARD.encode([7; 32]);
        check(
            Kind::WebhookSigning,
            &[&format!("whsec_{key}")],
            &[&key, "whsec_", "whsec_AAAA", &format!("whsec_{key}\n"), &format!("whsec_{}", STANDARD.encode([7; 65]))],
        );
        check(
            Kind::Database,
            &["postgres://u:p@db.example.com:5432/app?sslmode=require", "mysql://host", "redis://:pw@h"],
            &["host", "://h", "postgres://", "postgres:///app", "postgres://u:p@/app", "1x://h", "postgres://h /"],
        );
        check(
            Kind::OauthClient,
            &[r#"{"client_id": "a", "client_secret": "b", "scope": "c"}"#],
            &["{}", r#"{"client_id": "", "client_secret": "b"}"#, r#"{"client_id": "a", "client_secret": 1}"#, "a:b"],
        );
        check(
            Kind::PrivateKey,
            &[
                "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
                "-----BEGIN RSA PRIVATE KEY-----\nA\n-----END RSA PRIVATE KEY-----",
            ],
            &[
                "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
                "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----",
                "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----",
            ],
        );
    }

    #[test]
    fn words_and_back() {
        for kind in Kind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
        let error = serde_json::from_str::<Kind>("\"hunter2\"").unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }
}
