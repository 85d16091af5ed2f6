//! An erasure, as it is asked for and shown.

use bailiwick_proof::id::{ErasureId, EventId, WorkspaceId};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::audit::Subject;
use crate::vault::Meaning;

/// What asks for an erasure. In a body, not in the path: proxies write paths down.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestErasure {
    /// The actor or target, as its entries name it.
    #[schema(value_type = String, example = "customer-42")]
    pub subject: Subject,
    /// The subject once more: there is no way back. Not needed for a dry run.
    pub confirm: Option<String>,
    /// Only counts what would be erased.
    #[serde(default)]
    pub dry_run: bool,
}

/// How far an erasure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The job has it.
    UnderWay,
    /// The certificate is in the audit log.
    Finished,
}

/// An erasure: of whom, nobody can tell by it alone.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Erasure {
    /// `era_…`
    #[schema(value_type = String)]
    pub id: ErasureId,
    /// Where it stands.
    pub state: State,
    /// `HMAC-SHA256(r, "erased-subject/v1" 0x00 name)`, in hex.
    pub subject_commitment: String,
    /// Who asked: a user's id, or `operator`.
    pub requested_by: String,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub requested_at: OffsetDateTime,
    /// How many fields of entries were found when it was asked for.
    pub fields_found: u64,
    /// How many are gone.
    pub fields_erased: u64,
    /// When it was over.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub finished_at: Option<OffsetDateTime>,
    /// The entry `subject.erased`: its receipt, with `open=actor,meta`, is the certificate.
    #[schema(value_type = Option<String>)]
    pub certificate_event_id: Option<EventId>,
}

/// How many fields of entries are about a subject, by what they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FieldCounts {
    /// Entries that name it as who acted.
    pub actor: u64,
    /// Addresses that it acted from.
    pub ip: u64,
    /// What was told besides.
    pub meta: u64,
    /// Entries that name it as what was acted on.
    pub target: u64,
}

impl FieldCounts {
    /// From counts by column.
    pub(super) fn of(counts: &[(&'static str, u64)]) -> Self {
        let of = |column| counts.iter().filter(|(name, _)| *name == column).map(|(_, count)| count).sum();
        Self { actor: of("actor_sealed"), ip: of("ip_sealed"), meta: of("meta_sealed"), target: of("target_sealed") }
    }

    /// Of all kinds.
    pub(super) const fn total(self) -> u64 {
        self.actor + self.ip + self.meta + self.target
    }
}

/// The answer to whoever asks.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
pub struct ErasureAnswer {
    /// What is going to be erased, or would be.
    pub fields: FieldCounts,
    /// Nothing after a dry run.
    pub erasure: Option<Erasure>,
    /// `r` in base64, here and nowhere else: with it and the name, the holder of the certificate shows whom it is about.
    pub subject_opening: Option<String>,
}

/// The kind of row that [`Begun::meaning`] is vouched for in.
pub(super) const VOUCHED: &str = "erasure/v1";

/// An erasure and the number of whom it is about.
pub(super) struct Begun {
    pub(super) erasure: Erasure,
    pub(super) subject: u32,
}

impl Begun {
    /// What nobody may write by hand: who is meant, and by whose wish.
    pub(super) fn meaning(&self, workspace: WorkspaceId) -> Meaning {
        let Self { erasure, subject } = self;
        let row = Meaning::new().uuid(workspace.uuid()).uuid(erasure.id.uuid()).bytes(&subject.to_be_bytes());
        row.text(&erasure.subject_commitment).text(&erasure.requested_by).moment(Some(erasure.requested_at))
    }
}

/// Somebody of whom something is recorded.
pub(super) struct FoundSubject {
    pub(super) number: u32,
    pub(super) fields: FieldCounts,
}
