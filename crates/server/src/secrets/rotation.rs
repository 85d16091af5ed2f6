//! The rotation of a secret: a new version beside the old one, and the old one revoked when nobody needs it any more.
//!
//! ```text
//! opened    the new version is there; both are valid
//! ready     whoever uses the secret has the new one: somebody who knows says so
//! revoked   the values of all older versions are gone                              the job's first step
//! watched   what is still asked of them is refused and counted, for a stated time
//! finished  the receipt: an entry with all five steps and their times             the job's second step
//! ```
//!
//! # Invariants
//! - Where a rotation stands is in its row, and each step is one transaction with its entry. Whatever dies in between, the
//!   step was made or was not; the job looks where it stands and goes on from there.
//! - Nothing is revoked before somebody has said that the new version is deployed.
//! - A secret has one open rotation at most.
//!
//! Readiness is said by a person or a program of the customer's; that we ask a webhook ourselves comes with webhooks.

pub mod http;
mod job;
mod sql;

use std::str::FromStr;

use bailiwick_proof::id::{EventId, Id, SecretId, SecretRotationId};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;
use time::{Duration, OffsetDateTime};

pub use self::job::RotateSecrets;
use super::ops::{self, ChangeError};
use super::sql as secrets;
use super::value::SecretValue;
use crate::authz::Principal;
use crate::db::{Recorded, WorkspaceTx};
use crate::http::Changes;
use crate::jobs::{EnqueueError, Queue};
use crate::ledger::{self, Action, Entry};

/// How long refused uses of the old versions are counted if nothing is said: a day.
const USUAL_WATCH_SECONDS: u32 = 24 * 60 * 60;
/// And at most: 30 days.
const MOST_WATCH_SECONDS: u32 = 30 * 24 * 60 * 60;

/// Why a secret is rotated. The words are those of the database and of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Somebody may have it who should not.
    SuspectedLeak,
    /// Somebody who knew it has left.
    Offboarding,
    /// A scan found it where it should not be.
    FailedSecretScan,
    /// It stood where everybody can read.
    PublicExposure,
    /// Whoever issued it had an incident.
    ProviderIncident,
    /// It was time.
    Scheduled,
}

/// The word names no reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a reason is suspected_leak, offboarding, failed_secret_scan, public_exposure, provider_incident or scheduled")]
pub struct UnknownReason;

impl Reason {
    /// In the order in which they are shown.
    pub const ALL: [Self; 6] = [
        Self::SuspectedLeak,
        Self::Offboarding,
        Self::FailedSecretScan,
        Self::PublicExposure,
        Self::ProviderIncident,
        Self::Scheduled,
    ];

    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SuspectedLeak => "suspected_leak",
            Self::Offboarding => "offboarding",
            Self::FailedSecretScan => "failed_secret_scan",
            Self::PublicExposure => "public_exposure",
            Self::ProviderIncident => "provider_incident",
            Self::Scheduled => "scheduled",
        }
    }

    /// For people who choose one.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::SuspectedLeak => "Suspected leak",
            Self::Offboarding => "Somebody who knew it left",
            Self::FailedSecretScan => "A secret scan found it",
            Self::PublicExposure => "It was public",
            Self::ProviderIncident => "Incident at the provider",
            Self::Scheduled => "It is time",
        }
    }
}

impl FromStr for Reason {
    type Err = UnknownReason;

    fn from_str(word: &str) -> Result<Self, UnknownReason> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == word).ok_or(UnknownReason)
    }
}

impl<'de> Deserialize<'de> for Reason {
    /// Whoever mixes up two fields sends a value here: the error quotes nothing.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer).map_err(|_quotes_it| serde::de::Error::custom(UnknownReason))?;
        word.parse().map_err(serde::de::Error::custom)
    }
}

/// Where a rotation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Both versions are valid, until somebody says that the new one is deployed.
    AwaitingReady,
    /// The older versions are about to be revoked.
    Revoking,
    /// They are revoked, and what is still asked of them is counted.
    Watching,
    /// The receipt is in the audit log.
    Finished,
}

/// What opens a rotation.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenRotation {
    /// Why.
    pub reason: Reason,
    /// The value of the new version.
    #[schema(value_type = String, min_length = 1, max_length = 65536)]
    pub value: SecretValue,
    /// How long refused uses of the older versions are counted: a day if nothing is said, 30 days at most.
    #[schema(minimum = 0, maximum = 2_592_000)]
    pub watch_seconds: Option<u32>,
}

/// A rotation, and how far it is.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SecretRotation {
    /// `rot_…`
    #[schema(value_type = String)]
    pub id: SecretRotationId,
    /// The secret.
    #[schema(value_type = String)]
    pub secret_id: SecretId,
    /// Why, a word.
    pub reason: String,
    /// Where it stands.
    pub state: State,
    /// The version that takes over; those below it are revoked.
    pub new_version: u32,
    /// When the new version was there.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub opened_at: OffsetDateTime,
    /// When somebody said that it is deployed.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ready_at: Option<OffsetDateTime>,
    /// When the older versions were revoked.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub revoked_at: Option<OffsetDateTime>,
    /// How long refused uses are counted.
    pub watch_seconds: u32,
    /// When it was over.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub finished_at: Option<OffsetDateTime>,
    /// How often the older versions were asked for while that was counted.
    pub refused_uses: Option<u64>,
    /// The receipt: the entry `secret.rotated`.
    #[schema(value_type = Option<String>)]
    pub receipt_event_id: Option<EventId>,
}

impl SecretRotation {
    /// What its times say.
    const fn state_of(
        ready: Option<OffsetDateTime>,
        revoked: Option<OffsetDateTime>,
        finished: Option<OffsetDateTime>,
    ) -> State {
        match (ready, revoked, finished) {
            (None, _, _) => State::AwaitingReady,
            (Some(_), None, _) => State::Revoking,
            (Some(_), Some(_), None) => State::Watching,
            (Some(_), Some(_), Some(_)) => State::Finished,
        }
    }
}

/// Why a rotation does not go on.
#[derive(Debug, thiserror::Error)]
pub(super) enum RotationError {
    /// There is no such secret or rotation.
    #[error("no such secret or rotation")]
    NotFound,
    /// The secret has an open one.
    #[error("a rotation is under way")]
    Open(SecretRotationId),
    /// The watch is longer than one can be.
    #[error("the watch is too long")]
    Watch,
    /// The new version was not stored.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// The job was not enqueued.
    #[error(transparent)]
    Enqueue(#[from] EnqueueError),
}

impl From<crate::db::DbError> for RotationError {
    fn from(error: crate::db::DbError) -> Self {
        Self::Change(error.into())
    }
}

/// Stores the new version and opens the rotation, in one change.
async fn open(
    tx: &mut WorkspaceTx,
    by: &Principal,
    changes: &Changes,
    secret: SecretId,
    new: &OpenRotation,
) -> Result<(SecretRotation, Recorded), RotationError> {
    let watch_seconds = new.watch_seconds.unwrap_or(USUAL_WATCH_SECONDS);
    if watch_seconds > MOST_WATCH_SECONDS {
        return Err(RotationError::Watch);
    }
    let stored = ops::store_version(
        tx,
        by,
        (&changes.vault, &changes.entropy),
        secret,
        &new.value,
        ops::MOST_LIVING_IN_ROTATION,
    )
    .await?;
    let secret = stored.ok_or(RotationError::NotFound)?;
    // The secret is locked: nobody else opens one meanwhile.
    if let Some(open) = sql::open_of(tx, secret.id).await? {
        let mut before = sql::lock(tx, open).await?.ok_or(RotationError::NotFound)?;
        if before.state != State::Watching {
            return Err(RotationError::Open(open));
        }
        // A second leak does not wait for the end of a watch; the commit below writes this receipt too.
        let _with_the_other = job::end_watch(tx, &changes.entropy, &mut before).await?;
    }
    let now = tx.context().received_at;
    let rotation = SecretRotation {
        id: Id::from_uuid(changes.entropy.uuid_v7(now)),
        secret_id: secret.id,
        reason: new.reason.as_str().to_owned(),
        state: State::AwaitingReady,
        new_version: secret.newest_version,
        opened_at: now,
        ready_at: None,
        revoked_at: None,
        watch_seconds,
        finished_at: None,
        refused_uses: None,
        receipt_event_id: None,
    };
    sql::insert(tx, &rotation, secret.project_id).await?;
    let meta = json!({
        "rotation": rotation.id.to_string(), "reason": rotation.reason, "new_version": rotation.new_version,
    });
    let entry = Entry::about(Action::SecretRotationOpened, secret.id).with(meta).within(secret.project_id);
    let recorded = ledger::stage(tx, &changes.entropy, entry);
    Ok((rotation, recorded))
}

/// Notes that the new version is deployed, and hands the rest over to the job. Again is no error and changes nothing.
async fn ready(
    tx: &mut WorkspaceTx,
    changes: &Changes,
    queue: &Queue,
    rotation: SecretRotationId,
) -> Result<(SecretRotation, Option<Recorded>), RotationError> {
    let mut rotation = sql::lock(tx, rotation).await?.ok_or(RotationError::NotFound)?;
    if rotation.state != State::AwaitingReady {
        return Ok((rotation, None));
    }
    rotation.ready_at = Some(tx.context().received_at);
    rotation.state = State::Revoking;
    sql::update(tx, &rotation).await?;
    queue.enqueue::<RotateSecrets>(tx, &rotation.id.uuid()).await?;
    let entry = about(tx, Action::SecretRotationReady, &rotation).await?;
    let recorded = ledger::stage(tx, &changes.entropy, entry);
    Ok((rotation, Some(recorded)))
}

/// An entry about a rotation's secret, on the trail of its project.
async fn about(tx: &mut WorkspaceTx, action: Action, rotation: &SecretRotation) -> Result<Entry, crate::db::DbError> {
    let secret = secrets::get(tx, rotation.secret_id).await?;
    let project = secret.and_then(|secret| secret.project_id);
    let meta = json!({"rotation": rotation.id.to_string(), "new_version": rotation.new_version});
    Ok(Entry::about(action, rotation.secret_id).with(meta).within(project))
}

/// When the watch is over, of a rotation that has revoked.
fn watch_ends_at(rotation: &SecretRotation) -> Option<OffsetDateTime> {
    rotation.revoked_at.map(|at| at + Duration::seconds(rotation.watch_seconds.into()))
}
