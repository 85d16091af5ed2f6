//! What an entry has of its row alone, whatever its place: made before the head is locked by whoever can, for it is most of the work.

use bailiwick_proof::canonical;
use bailiwick_proof::commitment::{Commitments, Field, Opening, R_BYTES};
use bailiwick_proof::entry::{ActionName, TraceId};
use bailiwick_proof::id::{EventId, ProjectId, RequestId};
use bailiwick_proof::log::Log;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

use super::Staged;
use crate::entropy::Entropy;
use crate::ledger::Action;
use crate::ledger::error::LedgerError;
use crate::ledger::stage::SYSTEM;

/// What can be searched for is indexed, and an index takes no more; staging writes far less.
const MAX_SUBJECT_BYTES: usize = 1_000;

/// A row of which an entry can be made: sound, and committed to.
pub(in crate::ledger) struct Prepared {
    /// `None` for a row of no log.
    pub(super) log: Option<Log>,
    pub(super) place: Option<String>,
    pub(super) event_id: Uuid,
    pub(super) project_id: Option<Uuid>,
    pub(in crate::ledger) action: ActionName,
    pub(super) trace: TraceId,
    pub(super) recorded_at: OffsetDateTime,
    /// In the order of [`Field::ALL`].
    pub(super) openings: [Opening; 4],
    pub(super) commitments: Commitments,
    pub(super) rows: Option<Vec<u8>>,
}

/// Each row with its commitments, in their order.
///
/// # Errors
/// [`LedgerError::MalformedRow`] for a request's own.
pub(in crate::ledger) fn prepare(entropy: &Entropy, rows: Vec<Staged>) -> Result<Vec<Prepared>, LedgerError> {
    rows.into_iter().map(|row| sound(row).map(|sound| sound.commit(entropy))).collect()
}

struct Sound {
    row: Staged,
    action: ActionName,
    trace: TraceId,
    /// The envelope that meta commits to.
    meta: String,
}

impl Sound {
    fn commit(self, entropy: &Entropy) -> Prepared {
        let Self { row, action, trace, meta } = self;
        let log = row.log();
        // One draw: it costs more than many bytes.
        let drawn = entropy.bytes::<{ 4 * R_BYTES }>();
        let mut values = [row.actor, row.client_ip.unwrap_or_default(), meta, row.target].into_iter();
        let mut nonces = drawn.as_chunks::<R_BYTES>().0.iter();
        let openings = std::array::from_fn(|_| Opening {
            r: nonces.next().copied().unwrap_or_else(|| entropy.bytes()),
            value: values.next().unwrap_or_default(),
        });
        let [actor, ip, meta, target] = &openings;
        let commitments = Commitments {
            actor: actor.commitment(Field::Actor),
            ip: ip.commitment(Field::Ip),
            meta: meta.commitment(Field::Meta),
            target: target.commitment(Field::Target),
        };
        Prepared {
            log,
            place: row.place,
            event_id: row.event_id,
            project_id: row.project_id,
            action,
            trace,
            recorded_at: row.staged_at,
            openings,
            commitments,
            rows: row.rows,
        }
    }
}

/// The row if it is sound. One that is not was put there by hand, for staging writes none; it must not hold up the log,
/// so an entry says that it was there and was refused.
fn sound(mut row: Staged) -> Result<Sound, LedgerError> {
    let (staged_id, fault) = match parts(&mut row) {
        Ok((action, trace, meta)) => return Ok(Sound { row, action, trace, meta }),
        // A request's own is refused with the request.
        Err(what) if row.place.is_none() => return Err(LedgerError::MalformedRow { staged_id: row.id, what }),
        Err(fault) => (row.id, fault),
    };
    tracing::error!(event = "ledger_row_refused", staged_id, fault);
    let mut row = Staged {
        action: Action::LedgerRowRefused.as_str().to_owned(),
        actor: SYSTEM.to_owned(),
        target: String::new(),
        recorded_by: SYSTEM.to_owned(),
        meta: json!({"staged_id": staged_id, "fault": fault}),
        trace_id: "0".repeat(32),
        external_request_id: None,
        client_ip: None,
        rows: None,
        ..row
    };
    let (action, trace, meta) = parts(&mut row).map_err(|what| LedgerError::MalformedRow { staged_id, what })?;
    Ok(Sound { row, action, trace, meta })
}

/// Takes what the row tells out of it.
fn parts(row: &mut Staged) -> Result<(ActionName, TraceId, String), &'static str> {
    let action = row.action.parse().map_err(|_| "has no action's name")?;
    let trace = row.trace_id.parse().map_err(|_| "has no trace id")?;
    if row.actor.len().max(row.target.len()) > MAX_SUBJECT_BYTES {
        return Err("has an actor or target that is too long to be found by");
    }
    let mut meta = Map::new();
    let mut tell = |name: &str, value: Value| drop(meta.insert(name.to_owned(), value));
    tell("by", row.recorded_by.as_str().into());
    tell("data", std::mem::take(&mut row.meta));
    tell("event", EventId::from_uuid(row.event_id).to_string().into());
    tell("request", RequestId::from_uuid(row.request_id).to_string().into());
    if let Some(id) = &row.external_request_id {
        tell("external_request", id.as_str().into());
    }
    if let Some(project) = row.project_id {
        tell("project", ProjectId::from_uuid(project).to_string().into());
    }
    let meta = canonical::to_string(&Value::Object(meta)).map_err(|_| "has meta without a canonical form")?;
    Ok((action, trace, meta))
}
