//! Which lanes are asked next, and where in them: pure.
//!
//! Lanes take turns. A claim shares what is wanted among the lanes at the front of the line, and puts those that may have
//! more behind all others. A lane that gave less than it was asked for is left out until something new is heard of it.

use std::collections::{HashMap, HashSet, VecDeque};

use time::OffsetDateTime;
use uuid::Uuid;

use super::sql::{Ask, Row};
use super::wake::Lane;

/// Lanes that one claim asks at most.
const AT_ONCE: usize = 64;
/// Due time and id: where a lane's claims have come to.
type Position = (OffsetDateTime, Uuid);

/// Before everything.
const BEGINNING: Position = (OffsetDateTime::UNIX_EPOCH, Uuid::nil());

/// Lanes in which something may be due.
#[derive(Debug, Default)]
pub(super) struct Active {
    line: VecDeque<Lane>,
    after: HashMap<Lane, Position>,
    /// Lanes that are being asked.
    asked: HashSet<Lane>,
}

impl Active {
    /// Something may be due in this lane since then; since whenever, if nobody knows.
    pub(super) fn add(&mut self, lane: Lane, since: Option<OffsetDateTime>) {
        // Nothing that is due at that very time is left out: the nil id stands before every other.
        let after = since.map_or(BEGINNING, |since| (since, Uuid::nil()));
        match self.after.get_mut(&lane) {
            Some(known) => *known = after.min(*known),
            None => {
                self.after.insert(lane, after);
                self.line.push_back(lane);
            }
        }
    }

    /// Something is due in this lane. One that is in line, or being asked, goes on where it is: to begin it anew would be to
    /// step over all that is done and not yet cleaned up.
    pub(super) fn found(&mut self, lane: Lane) {
        if !self.after.contains_key(&lane) && !self.asked.contains(&lane) {
            self.add(lane, None);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.line.is_empty()
    }

    /// Takes lanes out of the line to ask them for `wanted` jobs in all, each at most for what it has room for.
    pub(super) fn plan(&mut self, wanted: usize, mut room: impl FnMut(&Lane) -> usize) -> Vec<Ask> {
        let mut chosen = Vec::new();
        let mut full = VecDeque::new();
        while let Some(lane) = self.line.pop_front() {
            match room(&lane) {
                0 => full.push_back(lane),
                room => chosen.push((lane, room)),
            }
            if chosen.len() == AT_ONCE.min(wanted) {
                break;
            }
        }
        // Whoever had no room keeps the place at the front.
        full.extend(self.line.drain(..));
        self.line = full;
        let share = wanted.div_ceil(chosen.len().max(1));
        let ask = |(lane, room): (Lane, usize)| {
            let after = self.after.remove(&lane).unwrap_or(BEGINNING);
            Ask { lane, after, at_most: share.min(room) }
        };
        let asks: Vec<Ask> = chosen.into_iter().map(ask).collect();
        self.asked = asks.iter().map(|ask| ask.lane).collect();
        asks
    }

    /// What those lanes gave. What was heard of a lane meanwhile counts, too.
    pub(super) fn claimed(&mut self, asks: Vec<Ask>, rows: &[Row]) {
        self.asked.clear();
        let mut given: HashMap<(Uuid, &str, bool), (usize, Position)> = HashMap::new();
        for row in rows {
            let of_lane = given.entry((row.workspace_id, &row.kind, row.retrying)).or_insert((0, BEGINNING));
            *of_lane = (of_lane.0 + 1, of_lane.1.max((row.due_at, row.id)));
        }
        for Ask { lane, at_most, .. } in asks {
            let Some((count, last)) = given.get(&(lane.workspace, lane.kind, lane.retrying)) else { continue };
            if *count < at_most {
                continue;
            }
            match self.after.get_mut(&lane) {
                Some(known) => *known = (*last).min(*known),
                None => {
                    self.after.insert(lane, *last);
                    self.line.push_back(lane);
                }
            }
        }
    }

    /// A claim that failed: the lanes are asked again.
    pub(super) fn not_claimed(&mut self, asks: Vec<Ask>) {
        self.asked.clear();
        for ask in asks {
            let since = self.after.get(&ask.lane).map_or(ask.after, |known| ask.after.min(*known));
            if self.after.insert(ask.lane, since).is_none() {
                self.line.push_back(ask.lane);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(n: u128) -> Lane {
        Lane { workspace: Uuid::from_u128(n), kind: "k", retrying: false }
    }

    fn at(second: i64) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(second).unwrap()
    }

    fn rows(n: u128, count: usize) -> Vec<Row> {
        let row = |i: usize| Row {
            workspace_id: Uuid::from_u128(n),
            environment: "live".to_owned(),
            project_id: None,
            id: Uuid::from_u128(1),
            kind: "k".to_owned(),
            retrying: false,
            due_at: at(100 + i64::try_from(i).unwrap()),
            attempts: 1,
            fence: 1,
            payload_sealed: None,
        };
        (0..count).map(row).collect()
    }

    #[test]
    fn lanes_share_and_take_turns() {
        let mut active = Active::default();
        (0..100).for_each(|n| active.add(lane(n), None));
        let first = active.plan(128, |_| usize::MAX);
        assert_eq!(first.len(), AT_ONCE);
        assert!(first.iter().all(|ask| ask.at_most == 2 && ask.after == BEGINNING));
        active.claimed(first, &rows(0, 2));
        let second = active.plan(128, |_| usize::MAX);
        let asked: Vec<Lane> = second.iter().map(|ask| ask.lane).collect();
        assert_eq!(asked, (64..100).chain([0]).map(lane).collect::<Vec<_>>(), "the others first");
        assert_eq!(second.last().unwrap().after, (at(101), Uuid::from_u128(1)), "from where it ended");
        active.claimed(second, &[]);
        assert!(active.is_empty(), "whoever gave less than asked has nothing more");
    }

    #[test]
    fn a_lane_without_room_waits_in_its_place() {
        let mut active = Active::default();
        (0..3).for_each(|n| active.add(lane(n), None));
        let asks = active.plan(10, |asked| if *asked == lane(0) { 0 } else { 3 });
        assert_eq!(asks.iter().map(|ask| (ask.lane, ask.at_most)).collect::<Vec<_>>(), [(lane(1), 3), (lane(2), 3)]);
        assert_eq!(active.plan(10, |_| 1).first().unwrap().lane, lane(0));
    }

    #[test]
    fn what_is_heard_during_a_claim_is_not_forgotten() {
        let mut active = Active::default();
        active.add(lane(1), Some(at(150)));
        let asks = active.plan(5, |_| usize::MAX);
        assert_eq!(asks[0].after, (at(150), Uuid::nil()));
        active.add(lane(1), Some(at(90)));
        active.claimed(asks, &rows(1, 5));
        assert_eq!(active.plan(5, |_| usize::MAX)[0].after, (at(90), Uuid::nil()));
        active.add(lane(1), Some(at(90)));
        active.found(lane(1));
        let asks = active.plan(5, |_| usize::MAX);
        assert_eq!(asks[0].after, (at(90), Uuid::nil()));
        active.found(lane(1));
        assert!(active.is_empty(), "it is being asked");
        active.not_claimed(asks.clone());
        assert_eq!(active.plan(5, |_| usize::MAX), asks);
    }
}
