//! What is kept for how long, as it is said, decided and shown.

use bailiwick_proof::environment::Environment;
use bailiwick_proof::id::{EventId, LegalHoldId, WorkspaceId};
use serde::{Deserialize, Deserializer, Serialize};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::authz::vouched::rows::RetentionRow;

/// The least and the most days.
pub(super) const DAYS: std::ops::RangeInclusive<u16> = 30..=3_650;
/// A setting that is shorter takes effect so much later: a mistake, or somebody in an owner's place, is noticed until then.
pub(super) const GRACE: Duration = Duration::days(7);
/// So many holds of a log are open at most.
pub(super) const MOST_HOLDS: usize = 100;
const MAX_REASON_CHARS: usize = 200;

/// For how long a log is to be kept.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetRetention {
    /// 30 to 3,650; null keeps entries for ever.
    #[schema(minimum = 30, maximum = 3650)]
    #[serde(deserialize_with = "days")]
    pub days: Option<u16>,
}

fn days<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u16>, D::Error> {
    let days = Option::<u16>::deserialize(deserializer)?;
    let wrong = || serde::de::Error::custom("days is 30 to 3650, or null for ever");
    if days.is_none_or(|days| DAYS.contains(&days)) { Ok(days) } else { Err(wrong()) }
}

/// What opens a legal hold.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenLegalHold {
    /// 1 to 200 characters: a file number or a matter's name. Everybody reads it who may see the setting, so it names nobody.
    #[schema(example = "2026-0117")]
    #[serde(deserialize_with = "reason")]
    pub reason: String,
}

fn reason<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let reason = String::deserialize(deserializer)?;
    is_reason(&reason)
        .then_some(reason)
        .ok_or_else(|| serde::de::Error::custom("a reason has 1 to 200 characters, none of them a control character"))
}

/// Whether a text is a hold's reason.
pub(super) fn is_reason(text: &str) -> bool {
    (1..=MAX_REASON_CHARS).contains(&text.chars().count()) && !text.chars().any(char::is_control) && text.trim() == text
}

/// What releases a legal hold.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleaseLegalHold {
    /// The hold's reason or its id once more: what it kept may go afterwards, for good.
    pub confirm: String,
}

/// A legal hold on one log.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LegalHold {
    /// `hld_…`
    #[schema(value_type = String)]
    pub id: LegalHoldId,
    /// Why.
    pub reason: String,
    /// Who opened it: a user's id.
    pub opened_by: String,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub opened_at: OffsetDateTime,
    /// Who released it.
    pub released_by: Option<String>,
    /// When; it is open if nothing stands here.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub released_at: Option<OffsetDateTime>,
}

/// For how long a log is kept, and what would go now.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Retention {
    /// In days; for ever if nothing stands here.
    pub days: Option<u16>,
    /// What takes its place, if it is shorter.
    pub pending: Option<PendingRetention>,
    /// How many legal holds are open.
    pub open_holds: usize,
    /// Whether what stands in the database is what was decided; if not, nothing is pruned.
    pub intact: bool,
    /// Where the log was cut last.
    pub cut: Option<RetentionCut>,
    /// What would go now: nothing is changed by looking.
    pub due: Due,
}

/// A shorter setting that has not taken effect yet.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PendingRetention {
    /// In days.
    pub days: u16,
    /// From then on.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub effective_at: OffsetDateTime,
}

/// Where a log was cut.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RetentionCut {
    /// The number of the first entry that stays.
    pub pruned_to: u64,
    /// The root of the tree over the entries below, in hex.
    pub root: String,
    /// When it was decided.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub pruned_at: OffsetDateTime,
    /// The entry `retention.pruned`: its receipt, with `open=meta`, is the certificate.
    #[schema(value_type = String)]
    pub event_id: EventId,
}

/// What would go.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Due {
    /// How many entries: whole tiles of 256, from the first one that is there.
    pub entries: u64,
    /// The first that would stay.
    pub to: u64,
    /// Entries have to be older than this; nothing where entries are kept for ever.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub recorded_before: Option<OffsetDateTime>,
    /// What stops it, if anything does.
    pub stopped_by: Option<StoppedBy>,
}

/// Why nothing goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StoppedBy {
    /// Entries are kept for ever.
    KeptForEver,
    /// A legal hold is open.
    LegalHold,
    /// What stands in the database is not what was decided.
    Altered,
    /// The oldest 256 entries are not all old enough.
    NothingOld,
}

/// What is decided for a log, with its open holds: what its row is vouched for.
#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) workspace: WorkspaceId,
    pub(super) environment: Environment,
    pub(super) version: i64,
    pub(super) days: Option<i32>,
    pub(super) next_days: Option<i32>,
    pub(super) effective_at: Option<OffsetDateTime>,
    pub(super) holds: Vec<Uuid>,
}

impl State {
    /// As it is vouched for.
    pub(super) fn row(&self) -> RetentionRow<'_> {
        RetentionRow {
            workspace: self.workspace.uuid(),
            environment: self.environment.as_str(),
            version: self.version,
            days: self.days,
            next_days: self.next_days,
            effective_at: self.effective_at,
            holds: &self.holds,
        }
    }

    /// The days that count at this moment; `None` for ever.
    pub(super) fn in_effect(&self, now: OffsetDateTime) -> Option<u16> {
        let days = match self.effective_at {
            Some(at) if at <= now => self.next_days,
            _ => self.days,
        };
        days.and_then(|days| u16::try_from(days).ok())
    }

    /// What takes the place of these days, if that is still to come.
    pub(super) fn pending(&self, now: OffsetDateTime) -> Option<PendingRetention> {
        let effective_at = self.effective_at.filter(|at| *at > now)?;
        let days = u16::try_from(self.next_days?).ok()?;
        Some(PendingRetention { days, effective_at })
    }

    /// Says it anew: at once if nothing goes earlier for it, after the grace otherwise.
    pub(super) fn set(&mut self, wanted: Option<u16>, now: OffsetDateTime) {
        let current = self.in_effect(now);
        let pending = self.pending(now);
        let is_shorter = match (current, wanted) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(current), Some(wanted)) => wanted < current,
        };
        if !is_shorter {
            (self.days, self.next_days, self.effective_at) = (wanted.map(i32::from), None, None);
            return;
        }
        // Said once more, it comes no later.
        let told = pending.filter(|pending| Some(pending.days) == wanted).map(|pending| pending.effective_at);
        self.days = current.map(i32::from);
        (self.next_days, self.effective_at) = (wanted.map(i32::from), Some(told.unwrap_or(now + GRACE)));
    }

    /// Counts the change: also for a row that was gone meanwhile, the number is higher than any before.
    pub(super) fn count_up(&mut self, now: OffsetDateTime) {
        let micros = i64::try_from(now.unix_timestamp_nanos() / 1_000).unwrap_or_default();
        self.version = self.version.saturating_add(1).max(micros);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: OffsetDateTime = time::macros::datetime!(2026-03-01 12:00 UTC);

    fn state() -> State {
        let workspace = WorkspaceId::from_uuid(Uuid::nil());
        let environment = Environment::Live;
        State { workspace, environment, version: 1, days: None, next_days: None, effective_at: None, holds: Vec::new() }
    }

    #[test]
    fn what_is_shorter_waits_and_what_is_longer_does_not() {
        let mut state = state();
        state.set(Some(90), NOW);
        assert_eq!((state.in_effect(NOW), state.in_effect(NOW + GRACE)), (None, Some(90)));
        let before = state.effective_at;
        state.set(Some(90), NOW + Duration::days(3));
        assert_eq!(state.effective_at, before, "said once more, it comes no later");
        state.set(Some(60), NOW + Duration::days(3));
        assert_eq!(state.in_effect(NOW + GRACE), None, "shorter still, it waits anew");
        state.set(None, NOW + Duration::days(4));
        assert!(state.in_effect(NOW + GRACE * 9).is_none() && state.pending(NOW).is_none());
        state.set(Some(90), NOW);
        let later = NOW + GRACE;
        state.set(Some(365), later);
        assert_eq!((state.in_effect(later), state.effective_at), (Some(365), None), "longer, at once");
        state.set(Some(30), later);
        assert_eq!((state.in_effect(later), state.in_effect(later + GRACE)), (Some(365), Some(30)));
    }

    #[test]
    fn the_version_grows_also_when_the_row_was_gone() {
        let mut first = state();
        first.count_up(NOW);
        let mut again = state();
        again.count_up(NOW + Duration::seconds(1));
        assert!(again.version > first.version);
        let counted = first.version;
        first.count_up(NOW - Duration::days(1));
        assert_eq!(first.version, counted + 1, "by a clock that stands behind, too");
    }
}
