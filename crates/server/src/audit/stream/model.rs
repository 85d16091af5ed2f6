//! Where a stream goes, as it is set, sealed and shown.

use bailiwick_proof::environment::Environment;
use bailiwick_proof::id::WorkspaceId;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::fault::Code;
use super::reach::{BadEndpoint, Reach};
use crate::http::FieldError;
use crate::vault::RowId;

/// What sets a stream up, or turns it elsewhere.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetStream {
    /// The store's URL, such as `https://s3.example:9000`; that of Amazon's region if there is none.
    #[schema(example = "https://s3.eu-central-1.amazonaws.com")]
    pub endpoint: Option<String>,
    /// The region that requests are signed for.
    #[schema(example = "eu-central-1")]
    pub region: String,
    /// The bucket's name.
    #[schema(example = "acme-audit")]
    pub bucket: String,
    /// What stands before the name of each object: segments with `/` between them. Nothing if nothing is said.
    #[schema(example = "bailiwick")]
    pub prefix: Option<String>,
    /// Names the key that signs requests.
    #[schema(min_length = 1, max_length = 256)]
    pub access_key_id: String,
    /// The key that signs requests. No answer shows it.
    #[schema(value_type = String, min_length = 1, max_length = 256)]
    pub secret_access_key: AccessKey,
}

/// A stream: where it goes, and how far it is.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Stream {
    /// The store's URL; that of Amazon's region if there is none.
    pub endpoint: Option<String>,
    /// The region that requests are signed for.
    pub region: String,
    /// The bucket's name.
    pub bucket: String,
    /// What stands before the name of each object.
    pub prefix: Option<String>,
    /// Names the key that signs requests.
    pub access_key_id: String,
    /// Below the prefix, where this log stands.
    pub path: String,
    /// Who set it: a user's or key's id.
    pub set_by: String,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub set_at: OffsetDateTime,
    /// How it is.
    pub state: State,
    /// Entries that the newest checkpoint here covers.
    pub log_size: u64,
    /// Entries that the checkpoint in the bucket covered when it was last written.
    pub written_size: u64,
    /// When that was.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub written_at: Option<OffsetDateTime>,
    /// What keeps it from going on.
    pub fault: Option<StreamFault>,
    /// When it is tried next, if that is settled.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_try_at: Option<OffsetDateTime>,
}

/// How a stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nothing has been written yet.
    Starting,
    /// It follows the log.
    Following,
    /// It failed, and is tried again by itself.
    Retrying,
    /// It is not tried again until it is set anew.
    Stopped,
}

/// What keeps a stream from going on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct StreamFault {
    /// A word that does not change: `bucket_away`, `bucket_busy`, `bucket_full`, `bucket_missing`, `access_refused`,
    /// `endpoint_refused`, `bucket_unfit`, `stream_conflict`, `entries_missing`, `log_damaged`, `log_frozen`.
    pub code: String,
    /// What to do about it.
    pub advice: String,
    /// The object's name in the bucket, if it is about one.
    pub object: Option<String>,
    /// When it was met last.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub at: OffsetDateTime,
    /// How often in a row.
    pub failures: u32,
}

/// A key that signs requests: shown by nothing that prints.
pub struct AccessKey(SecretString);

impl AccessKey {
    /// A key of this text.
    pub(super) fn new(text: &str) -> Self {
        Self(SecretString::from(text))
    }

    /// The text, for whoever seals it or signs by it.
    pub(super) fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl<'de> Deserialize<'de> for AccessKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let not_text = |_quotes_it| serde::de::Error::custom("a secret access key is text");
        String::deserialize(deserializer).map(|text| Self(SecretString::from(text))).map_err(not_text)
    }
}

/// Where a stream goes, as it is sealed: checked, in one spelling.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    pub(super) endpoint: Option<String>,
    pub(super) region: String,
    pub(super) bucket: String,
    pub(super) prefix: Option<String>,
    pub(super) access_key_id: String,
    pub(super) secret_access_key: AccessKey,
}

/// The sealed bytes: this as JSON.
#[derive(Serialize)]
struct Written<'a> {
    endpoint: Option<&'a str>,
    region: &'a str,
    bucket: &'a str,
    prefix: Option<&'a str>,
    access_key_id: &'a str,
    secret_access_key: &'a str,
}

impl Settings {
    /// What was asked for, if each field of it can be what it is.
    ///
    /// # Errors
    /// All fields that cannot; nothing that was sent is quoted, for somebody may have mixed up two fields.
    pub(super) fn checked(wanted: &SetStream, reach: &Reach) -> Result<Self, Vec<FieldError>> {
        let mut faults = Vec::new();
        let mut fault = |pointer: &str, code, detail: String| {
            faults.push(FieldError { pointer: pointer.to_owned(), code, detail });
        };
        let given = wanted.endpoint.as_deref().map(str::trim).filter(|text| !text.is_empty());
        let endpoint = given.and_then(|text| match reach.endpoint(text) {
            Ok(endpoint) => Some(endpoint),
            Err(BadEndpoint::Address) => {
                fault("/endpoint", "address_not_allowed", BadEndpoint::Address.to_string());
                None
            }
            Err(error) => {
                fault("/endpoint", "invalid_value", error.to_string());
                None
            }
        });
        let prefix = wanted.prefix.as_deref().map(|text| text.trim_matches('/')).filter(|text| !text.is_empty());
        let fields = [
            ("/region", is_region(&wanted.region), "A region has 1 to 64 of a-z, 0-9 and -."),
            ("/bucket", is_bucket(&wanted.bucket), "A bucket's name has 3 to 63 of a-z, 0-9, . and -."),
            (
                "/prefix",
                prefix.is_none_or(is_prefix),
                "A prefix has up to 256 of A-Z, a-z, 0-9, . _ - in segments with / between them.",
            ),
            ("/access_key_id", is_printable(&wanted.access_key_id), "1 to 256 printable characters without spaces."),
            (
                "/secret_access_key",
                is_printable(wanted.secret_access_key.expose()),
                "1 to 256 printable characters without spaces.",
            ),
        ];
        for (pointer, _, detail) in fields.iter().filter(|(_, fits, _)| !fits) {
            fault(pointer, "invalid_value", (*detail).to_owned());
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(Self {
            endpoint,
            region: wanted.region.clone(),
            bucket: wanted.bucket.clone(),
            prefix: prefix.map(str::to_owned),
            access_key_id: wanted.access_key_id.clone(),
            secret_access_key: AccessKey::new(wanted.secret_access_key.expose()),
        })
    }

    pub(super) fn to_bytes(&self) -> Result<Zeroizing<Vec<u8>>, serde_json::Error> {
        let written = Written {
            endpoint: self.endpoint.as_deref(),
            region: &self.region,
            bucket: &self.bucket,
            prefix: self.prefix.as_deref(),
            access_key_id: &self.access_key_id,
            secret_access_key: self.secret_access_key.expose(),
        };
        serde_json::to_vec(&written).map(Zeroizing::new)
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    /// What stands before the name of each object of a log.
    pub(super) fn below(&self, origin: &str) -> String {
        match &self.prefix {
            Some(prefix) => format!("{prefix}/{origin}"),
            None => origin.to_owned(),
        }
    }
}

/// It becomes part of a host name where no endpoint is given.
fn is_region(text: &str) -> bool {
    let of_it = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=64).contains(&text.len()) && text.bytes().all(of_it)
}

fn is_bucket(text: &str) -> bool {
    let of_it = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte);
    (3..=63).contains(&text.len()) && text.bytes().all(of_it) && !text.starts_with('.') && !text.contains("..")
}

fn is_prefix(text: &str) -> bool {
    let of_it = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let is_segment = |part: &str| !part.is_empty() && part.bytes().all(of_it) && !part.starts_with('.');
    text.len() <= 256 && text.split('/').all(is_segment)
}

fn is_printable(text: &str) -> bool {
    (1..=256).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A row, as it is read.
pub(super) struct Row {
    pub(super) settings_sealed: Vec<u8>,
    pub(super) set_by: String,
    pub(super) set_at: OffsetDateTime,
    pub(super) size: u64,
    pub(super) written_at: Option<OffsetDateTime>,
    pub(super) fault: Option<(String, OffsetDateTime)>,
    pub(super) fault_object: Option<String>,
    pub(super) failures: u32,
    pub(super) is_stopped: bool,
    pub(super) job: Option<Uuid>,
    pub(super) due_at: Option<OffsetDateTime>,
}

impl Row {
    /// As it is shown.
    pub(super) fn show(self, settings: &Settings, origin: &str, log_size: u64) -> Stream {
        let state = match (self.is_stopped, &self.fault, self.written_at) {
            (true, ..) => State::Stopped,
            (false, Some(_), _) => State::Retrying,
            (false, None, Some(_)) => State::Following,
            (false, None, None) => State::Starting,
        };
        let (object, failures) = (self.fault_object, self.failures);
        let fault = self.fault.map(|(code, at)| StreamFault {
            advice: Code::from_word(&code).map_or("", Code::advice).to_owned(),
            code,
            object,
            at,
            failures,
        });
        Stream {
            endpoint: settings.endpoint.clone(),
            region: settings.region.clone(),
            bucket: settings.bucket.clone(),
            prefix: settings.prefix.clone(),
            access_key_id: settings.access_key_id.clone(),
            path: settings.below(origin),
            set_by: self.set_by,
            set_at: self.set_at,
            state,
            log_size: log_size.max(self.size),
            written_size: self.size,
            written_at: self.written_at,
            fault,
            next_try_at: self.due_at,
        }
    }
}

/// The row of a workspace's stream, to which its settings are sealed.
pub(super) fn row_of(workspace: WorkspaceId, environment: Environment) -> RowId {
    RowId::new().uuid(workspace.uuid()).text(environment.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::networks::Networks;

    fn wanted(text: &str) -> Result<Settings, Vec<String>> {
        let reach = Reach(Networks::Within(Vec::new()));
        let checked = Settings::checked(&serde_json::from_str(text).unwrap(), &reach);
        checked.map_err(|faults| faults.into_iter().map(|fault| format!("{} {}", fault.pointer, fault.code)).collect())
    }

    #[test]
    fn each_field_is_checked_and_all_faults_are_told() {
        let bad = r#"{"endpoint":"https://10.0.0.1","region":"evil.example/","bucket":"a/b","prefix":"../x","access_key_id":"a b",
            "secret_access_key":""}"#;
        let faults = wanted(bad).err().unwrap();
        let expected = [
            "/endpoint address_not_allowed",
            "/region invalid_value",
            "/bucket invalid_value",
            "/prefix invalid_value",
            "/access_key_id invalid_value",
            "/secret_access_key invalid_value",
        ];
        assert_eq!(faults, expected);
        for bucket in ["ab", "Acme", "a..b", ".ab", "ab?x"] {
            assert!(!is_bucket(bucket), "{bucket}");
        }
        assert!(is_bucket("acme.audit-1") && is_prefix("logs/live") && !is_prefix("a//b") && !is_prefix("a/.b"));
    }

    #[test]
    fn settings_and_back_and_no_error_quotes_the_key() {
        let text = r#"{"endpoint":null,"region":"eu-1","bucket":"acme","prefix":"p","access_key_id":"AK","secret_access_key":"hunter2"}"#;
        let settings = Settings::from_bytes(text.as_bytes()).unwrap();
        assert_eq!(settings.to_bytes().unwrap().as_slice(), text.as_bytes());
        assert_eq!(settings.below("o/w/x"), "p/o/w/x");
        assert_eq!(wanted(text).ok().unwrap().to_bytes().unwrap().as_slice(), text.as_bytes());
        let wrong = r#"{"region":"r","bucket":"acme","access_key_id":"AK","secret_access_key":["hunter2"]}"#;
        let error = serde_json::from_str::<SetStream>(wrong).err().unwrap().to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }
}
