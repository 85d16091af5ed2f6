//! Events, as they are told and shown.

use std::collections::BTreeMap;
use std::str::FromStr;

use bailiwick_proof::commitment::{Field, Opening};
use bailiwick_proof::entry::{ActionName, Entry, TraceId};
use bailiwick_proof::id::{EventId, ProjectId};
use bailiwick_proof::log::Log;
use bailiwick_proof::merkle::{Hash, leaf_hash};
use bailiwick_proof::shown::is_deceptive;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use time::OffsetDateTime;

use crate::ledger::Stored;

/// The most bytes of an actor or a target.
const MAX_SUBJECT_BYTES: usize = 256;
/// The most bytes of an event's meta, in canonical form.
pub const MAX_META_BYTES: usize = 16 * 1024;

/// The most events of one request.
const MAX_EVENTS: usize = 1_000;
/// The most bytes of a request that records: some 2 KiB for each of the most events.
pub const BODY_BYTES: usize = 2 * 1024 * 1024;

/// Events of a customer's own, in the order in which they get their numbers.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordEvents {
    /// 1 to 1,000 events: all of them are recorded, or none. The body has at most 2 MiB.
    #[schema(min_items = 1, max_items = 1000)]
    #[serde(deserialize_with = "events")]
    pub events: Vec<RecordEvent>,
}

fn events<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<RecordEvent>, D::Error> {
    let events = Vec::deserialize(deserializer)?;
    if (1..=MAX_EVENTS).contains(&events.len()) {
        return Ok(events);
    }
    Err(serde::de::Error::custom(format!(
        "1 to {MAX_EVENTS} events are recorded at once, and these are {}",
        events.len()
    )))
}

/// An event of a customer's own.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordEvent {
    /// What happened: dotted lower-case words, such as `invoice.paid`. It cannot be erased, so it names nobody.
    #[schema(value_type = String, example = "invoice.paid")]
    #[serde(deserialize_with = "action")]
    pub action: ActionName,
    /// Whose doing it was: your own word for a subject, 1 to 256 bytes.
    #[schema(value_type = String, example = "customer-42")]
    #[serde(deserialize_with = "plain")]
    pub actor: Subject,
    /// What it happened to: your own word for a subject or thing.
    #[schema(value_type = Option<String>, example = "invoice-7")]
    #[serde(default, deserialize_with = "plain_if_any")]
    pub target: Option<Subject>,
    /// What else is worth knowing: a JSON object of at most 16 KiB, without fractions.
    #[schema(value_type = Option<Object>)]
    pub meta: Option<Map<String, Value>>,
    /// The trace that it belongs to (W3C Trace Context), 32 hex digits; that of the request if nothing is said.
    #[schema(value_type = Option<String>, example = "0af7651916cd43dd8448eb211c80319c")]
    #[serde(default, deserialize_with = "trace")]
    pub trace: Option<TraceId>,
}

/// Whom an entry names stands in lists, exports and receipts as it is: nothing in it may show another name.
fn plain<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Subject, D::Error> {
    let subject = Subject::deserialize(deserializer)?;
    if subject.as_str().chars().any(is_deceptive) {
        return Err(serde::de::Error::custom("it holds characters that reorder or hide others"));
    }
    Ok(subject)
}

fn plain_if_any<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Subject>, D::Error> {
    #[derive(Deserialize)]
    struct Plain(#[serde(deserialize_with = "plain")] Subject);
    Ok(Option::<Plain>::deserialize(deserializer)?.map(|Plain(subject)| subject))
}

fn trace<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<TraceId>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| text.parse()).transpose().map_err(serde::de::Error::custom)
}

fn action<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ActionName, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}

/// A customer's own word for a subject or thing: one line of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject(String);

/// The text is no such word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a subject has 1 to {MAX_SUBJECT_BYTES} bytes without control characters")]
pub struct InvalidSubject;

impl Subject {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Subject> for String {
    fn from(subject: Subject) -> Self {
        subject.0
    }
}

impl FromStr for Subject {
    type Err = InvalidSubject;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = (1..=MAX_SUBJECT_BYTES).contains(&text.len()) && !text.chars().any(char::is_control);
        if fits { Ok(Self(text.to_owned())) } else { Err(InvalidSubject) }
    }
}

impl<'de> Deserialize<'de> for Subject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The answer to recorded events.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RecordedEvents {
    /// One for each, in their order.
    pub events: Vec<RecordedEvent>,
}

/// What a recorded event is known by.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RecordedEvent {
    /// The event's id.
    #[schema(value_type = String)]
    pub id: EventId,
    /// Its number in the log, from 0.
    pub seq: u64,
}

/// An event, as it is listed.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct AuditEvent {
    /// The event's id.
    #[schema(value_type = String)]
    pub id: EventId,
    /// Its number in the log, from 0: the index of its leaf.
    pub seq: u64,
    /// The log's generation, from 1.
    pub generation: u32,
    /// What happened.
    pub action: String,
    /// Whose doing it was: a user's or key's id, or a customer's own word.
    pub actor: Option<String>,
    /// What it happened to.
    pub target: Option<String>,
    /// What else was told.
    #[schema(value_type = Option<Object>)]
    pub meta: Option<Value>,
    /// The address that the request came from.
    pub client_ip: Option<String>,
    /// Who was authenticated when it was recorded.
    pub recorded_by: Option<String>,
    /// The project on whose trail it is.
    #[schema(value_type = Option<String>)]
    pub project_id: Option<ProjectId>,
    /// The request that recorded it.
    pub request_id: Option<String>,
    /// What the caller sent as `X-Request-Id`.
    pub external_request_id: Option<String>,
    /// The trace that it belongs to (W3C Trace Context).
    pub trace_id: Option<String>,
    /// When it was recorded, by the server's clock.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub recorded_at: OffsetDateTime,
    /// The hash of its bytes: its leaf in the log's tree, in hex.
    pub leaf_hash: String,
    /// Whether its bytes are those of the leaf and its values those that the bytes commit to. False means tampering.
    pub intact: bool,
}

/// An event with what a verifier needs.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct AuditEventDetail {
    /// The event.
    #[serde(flatten)]
    pub event: AuditEvent,
    /// The entry, byte for byte.
    pub entry: String,
    /// What its commitments are commitments to, by field.
    #[schema(value_type = Object)]
    pub openings: BTreeMap<&'static str, OpeningView>,
}

/// An opening.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct OpeningView {
    /// The 32 random bytes, in base64.
    pub r: String,
    /// The value.
    pub value: String,
}

/// A row of the log beside its columns.
pub(super) struct Row {
    pub(super) event: EventId,
    pub(super) project: Option<ProjectId>,
    pub(super) action: String,
    pub(super) recorded_at: OffsetDateTime,
    pub(super) stored: Stored,
}

/// What `meta` commits to.
#[derive(Deserialize)]
struct Envelope {
    by: String,
    data: Value,
    request: String,
    external_request: Option<String>,
}

impl Row {
    /// Generation and number.
    pub(super) const fn place(&self) -> (u32, u64) {
        (self.stored.generation, self.stored.seq)
    }

    /// As it is shown; `leaf` is what the tree holds at its place.
    pub(super) fn show(&self, log: Log, leaf: Option<Hash>) -> AuditEvent {
        let hash = leaf_hash(&self.stored.entry);
        let checked = self.stored.check_whole(log);
        let entry = checked.as_ref().ok();
        let value = |field| {
            self.stored.openings.get(&field).map(|opening| opening.value.clone()).filter(|value| !value.is_empty())
        };
        let envelope = value(Field::Meta).and_then(|meta| serde_json::from_str::<Envelope>(&meta).ok());
        let (meta, by, request, external_request) = match envelope {
            Some(meta) => (Some(meta.data), Some(meta.by), Some(meta.request), meta.external_request),
            None => (None, None, None, None),
        };
        AuditEvent {
            id: self.event,
            seq: self.stored.seq,
            generation: self.stored.generation,
            action: entry.map_or_else(|| self.action.clone(), |entry| entry.action.to_string()),
            actor: value(Field::Actor),
            target: value(Field::Target),
            meta,
            client_ip: value(Field::Ip),
            recorded_by: by,
            project_id: self.project,
            request_id: request,
            external_request_id: external_request,
            trace_id: entry.map(|entry| entry.trace.to_string()),
            recorded_at: self.recorded_at,
            leaf_hash: hash.to_hex(),
            intact: leaf == Some(hash)
                && self.stored.is_event(self.event)
                && entry.is_some_and(|entry| self.is_told_by(entry)),
        }
    }

    /// Whether the columns repeat what the bytes say.
    fn is_told_by(&self, entry: &Entry) -> bool {
        let recorded_ms = (self.recorded_at.unix_timestamp_nanos() / 1_000_000).max(0);
        entry.action.as_str() == self.action && i128::from(entry.recorded_at_ms) == recorded_ms
    }

    /// With what a verifier needs.
    pub(super) fn detail(&self, log: Log, leaf: Option<Hash>) -> AuditEventDetail {
        let view = |opening: &Opening| OpeningView { r: STANDARD.encode(opening.r), value: opening.value.clone() };
        AuditEventDetail {
            event: self.show(log, leaf),
            entry: String::from_utf8_lossy(&self.stored.entry).into_owned(),
            openings: self.stored.openings.iter().map(|(field, opening)| (field.as_str(), view(opening))).collect(),
        }
    }
}

/// What a list is narrowed to.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// This action alone.
    pub action: Option<String>,
    /// This actor's alone.
    pub actor: Option<String>,
    /// About this target alone.
    pub target: Option<String>,
    /// Recorded at this moment or later.
    pub from: Option<OffsetDateTime>,
    /// Recorded before this moment.
    pub to: Option<OffsetDateTime>,
}
