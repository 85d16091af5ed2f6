//! Search of a log: a page costs the same however long the log is.
//!
//! First the places of candidates are read from the one index that says most, then what stands at them. Of one question (an action, an
//! actor, a target, a time) every candidate is an answer, since each index ends with time and place: a page reads a page. Of several at
//! once, the one is walked whose candidates are rarest, and the others are looked at; so many at most, and then the page ends where the
//! walk came to, with a cursor, though it may be short.
//!
//! # Invariants
//! - What is narrowed comes by the time that entries say, newest first, then by place. The whole log comes by place alone, so that a gap
//!   in the numbers is a gap in the log.
//! - No answer is left out: what a page did not come to is behind its cursor.

mod sql;

use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use self::sql::{Depth, Place};
use super::ops::ReadError;
use super::sql::SealedRow;
use crate::db::{DbError, ProjectWall, WorkspaceTx};

/// So many candidates of the rarest of several questions are looked at for one page.
const MOST_CANDIDATES: i64 = 500;
/// So many of them in one statement.
const AT_ONCE: usize = 100;

/// What a list is narrowed to, as the database finds it: values by each of their blind indexes.
pub(super) struct Wanted {
    pub(super) action: Option<String>,
    pub(super) actor: Option<Vec<Vec<u8>>>,
    pub(super) target: Option<Vec<Vec<u8>>>,
    pub(super) from: Option<OffsetDateTime>,
    pub(super) to: Option<OffsetDateTime>,
}

/// What lies between a time and a row of time and place. Times are as the database writes them: what somebody put there by hand may be
/// beyond all calendars.
struct Span {
    since: String,
    until: String,
    generation: i32,
    seq: i64,
}

/// A page.
pub(super) struct Found {
    pub(super) rows: Vec<SealedRow>,
    /// The event after which the next page begins.
    pub(super) next: Option<Uuid>,
}

/// Whose index is walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Walk {
    Log,
    Time,
    Project(Uuid),
    Action,
    Actor,
    Target,
}

impl Span {
    /// All that is wanted.
    fn of(wanted: &Wanted) -> Self {
        // The moment itself is not wanted any more.
        let last = wanted.to.map(|to| to.checked_sub(Duration::NANOSECOND).unwrap_or(to));
        Self {
            since: wanted.from.map_or_else(|| "-infinity".to_owned(), text_of),
            until: last.map_or_else(|| "infinity".to_owned(), text_of),
            generation: i32::MAX,
            seq: i64::MAX,
        }
    }
}

/// Cut to microseconds, where PostgreSQL would round; before the first year that it knows, before all.
fn text_of(at: OffsetDateTime) -> String {
    let cut = at.replace_nanosecond(at.nanosecond() / 1_000 * 1_000).unwrap_or(at);
    let text = Some(cut).filter(|cut| cut.year() > 0).and_then(|cut| cut.format(&Rfc3339).ok());
    text.unwrap_or_else(|| "-infinity".to_owned())
}

impl Wanted {
    /// What is walked, if there is nothing to choose.
    fn only(&self, project: ProjectWall) -> Option<Walk> {
        if let ProjectWall::Within(project) = project {
            return Some(Walk::Project(project.uuid()));
        }
        match (&self.action, &self.actor, &self.target) {
            (None, None, None) if self.from.is_none() && self.to.is_none() => Some(Walk::Log),
            (None, None, None) => Some(Walk::Time),
            (Some(_), None, None) => Some(Walk::Action),
            (None, Some(_), None) => Some(Walk::Actor),
            (None, None, Some(_)) => Some(Walk::Target),
            _ => None,
        }
    }

    /// Whether whatever is found on this walk is wanted.
    const fn is_all_of(&self, walk: Walk) -> bool {
        let asked = self.action.is_some() as u8 + self.actor.is_some() as u8 + self.target.is_some() as u8;
        match walk {
            Walk::Log | Walk::Time | Walk::Project(_) => asked == 0,
            Walk::Action | Walk::Actor | Walk::Target => asked == 1,
        }
    }
}

/// A page of at most `limit` rows after this event; `None` when the caller sees no such event.
///
/// # Errors
/// [`ReadError::Cursor`].
pub(super) async fn page(
    tx: &mut WorkspaceTx,
    wanted: &Wanted,
    after: Option<Uuid>,
    limit: u16,
) -> Result<Found, ReadError> {
    sql::keep_to_order(tx).await?;
    let span = match after {
        Some(after) => sql::below(tx, after, Span::of(wanted)).await?.ok_or(ReadError::Cursor)?,
        None => Span::of(wanted),
    };
    let walk = match wanted.only(tx.project()) {
        Some(walk) => walk,
        None => rarest(sql::depths(tx, wanted, &span, MOST_CANDIDATES).await?),
    };
    let budget = if wanted.is_all_of(walk) { i64::from(limit) + 1 } else { MOST_CANDIDATES };
    let places = candidates(tx, walk, wanted, &span, budget).await?;
    let (limit, mut rows) = (usize::from(limit), Vec::new());
    for some in places.chunks(AT_ONCE) {
        rows.extend(sql::at(tx, some, wanted).await?);
        if rows.len() > limit {
            break;
        }
    }
    let is_cut = rows.len() > limit;
    rows.truncate(limit);
    let next = match rows.last() {
        Some(last) if is_cut => Some(last.row.event.uuid()),
        _ if i64::try_from(places.len()).ok() == Some(budget) => last_event(tx, &places).await?,
        _ => None,
    };
    Ok(Found { rows, next })
}

async fn candidates(
    tx: &mut WorkspaceTx,
    walk: Walk,
    wanted: &Wanted,
    span: &Span,
    limit: i64,
) -> Result<Vec<Place>, DbError> {
    match walk {
        Walk::Log => sql::in_log(tx, span, limit).await,
        Walk::Time => sql::by_time(tx, span, limit).await,
        Walk::Project(project) => sql::by_project(tx, project, span, limit).await,
        Walk::Action => sql::by_action(tx, wanted, span, limit).await,
        Walk::Actor => sql::by_actor(tx, wanted, span, limit).await,
        Walk::Target => sql::by_target(tx, wanted, span, limit).await,
    }
}

/// The event of the last place; of the last that has one, when somebody took entries away.
async fn last_event(tx: &mut WorkspaceTx, places: &[Place]) -> Result<Option<Uuid>, DbError> {
    for some in places.rchunks(AT_ONCE) {
        if let Some(event) = sql::last_event(tx, some).await? {
            return Ok(Some(event));
        }
    }
    Ok(None)
}

/// Of whom there are fewest; where there are more than are counted, whose reach farthest.
fn rarest([action, actor, target]: [Option<Depth>; 3]) -> Walk {
    let asked = [(Walk::Actor, actor), (Walk::Target, target), (Walk::Action, action)];
    let known = asked.into_iter().filter_map(|(walk, depth)| depth.map(|depth| (walk, depth)));
    let rarest = known.min_by_key(|(_, depth)| (depth.candidates.min(MOST_CANDIDATES), depth.oldest));
    rarest.map_or(Walk::Time, |(walk, _)| walk)
}

#[cfg(test)]
mod tests {
    use bailiwick_proof::id::Id;

    use super::*;

    fn depth(candidates: i64, oldest: i64) -> Option<Depth> {
        Some(Depth { candidates, oldest: OffsetDateTime::from_unix_timestamp(oldest).unwrap() })
    }

    #[test]
    fn the_rarest_is_walked_and_of_two_that_are_frequent_the_one_that_reaches_farther() {
        assert_eq!(rarest([depth(500, 9), depth(3, 9), None]), Walk::Actor);
        assert_eq!(rarest([depth(0, 0), depth(3, 9), depth(1, 1)]), Walk::Action);
        assert_eq!(rarest([depth(500, 9), None, depth(500, 4)]), Walk::Target);
        // Under two keys of the vault an actor has two indexes, and so up to twice as many candidates.
        assert_eq!(rarest([depth(500, 9), depth(1_000, 4), None]), Walk::Actor);
    }

    #[test]
    fn the_whole_log_is_walked_by_place_and_a_project_s_by_itself() {
        let all = || Wanted { action: None, actor: None, target: None, from: None, to: None };
        assert_eq!(all().only(ProjectWall::Unconfined), Some(Walk::Log));
        let project = Id::from_uuid(Uuid::max());
        assert_eq!(all().only(ProjectWall::Within(project)), Some(Walk::Project(Uuid::max())));
        let since = Wanted { from: Some(OffsetDateTime::UNIX_EPOCH), ..all() };
        assert_eq!(since.only(ProjectWall::Unconfined), Some(Walk::Time));
        let two = Wanted { action: Some(String::new()), actor: Some(vec![]), ..all() };
        assert_eq!(two.only(ProjectWall::Unconfined), None);
        assert!(!two.is_all_of(Walk::Action) && !two.is_all_of(Walk::Project(Uuid::max())));
    }
    #[test]
    fn a_moment_is_cut_and_never_rounded_to_the_next() {
        let moment = |text: &str| OffsetDateTime::parse(text, &Rfc3339).unwrap();
        let to =
            Wanted { to: Some(moment("2026-01-31T12:00:00Z")), action: None, actor: None, target: None, from: None };
        assert_eq!(Span::of(&to).until, "2026-01-31T11:59:59.999999Z");
        assert_eq!(
            (text_of(moment("0000-01-01T00:00:00Z")), Span::of(&to).since),
            ("-infinity".into(), "-infinity".into())
        );
    }
}
