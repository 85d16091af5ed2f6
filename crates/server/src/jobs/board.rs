//! The jobs that this node has claimed: those that wait for a free worker, lane by lane, and those that run. Pure.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::registry::Registry;
use super::sql::{Ending, Row};
use super::wake::Lane;

/// What is at hand.
#[derive(Debug, Default)]
pub(super) struct Board {
    lanes: HashMap<Lane, InLane>,
    /// Lanes with something waiting, in the order of their turns.
    line: VecDeque<Lane>,
    waiting: usize,
    running: BTreeMap<(uuid::Uuid, i64), (Lane, Ending)>,
}

#[derive(Debug, Default)]
struct InLane {
    waiting: VecDeque<Row>,
    running: usize,
}

impl InLane {
    fn at_hand(&self) -> usize {
        self.waiting.len() + self.running
    }
}

impl Board {
    /// Takes what was claimed, in its order.
    pub(super) fn add(&mut self, lane: Lane, row: Row) {
        let in_lane = self.lanes.entry(lane).or_default();
        if in_lane.waiting.is_empty() {
            self.line.push_back(lane);
        }
        in_lane.waiting.push_back(row);
        self.waiting += 1;
    }

    pub(super) const fn waiting(&self) -> usize {
        self.waiting
    }

    pub(super) fn running(&self) -> usize {
        self.running.len()
    }

    /// How many more of each lane may be claimed, of one after the other: as many as may run at once less those at hand; of a kind that is
    /// limited on this node also less those that the lanes before may claim, or it would fill the place of all others with what waits.
    pub(super) fn room(&self, registry: &Registry) -> impl FnMut(&Lane) -> usize {
        let mut taken: HashMap<&'static str, usize> = HashMap::new();
        move |lane| {
            let at_hand = self.lanes.get(lane).map_or(0, InLane::at_hand);
            let of_lane = at_once(lane, registry).saturating_sub(at_hand);
            let most = per_node(lane, registry);
            if most == usize::MAX {
                return of_lane;
            }
            let of_kind =
                || self.lanes.iter().filter(|(other, _)| other.kind == lane.kind).map(|(_, own)| own.at_hand());
            let taken = taken.entry(lane.kind).or_insert_with(|| of_kind().sum());
            let room = of_lane.min(most.saturating_sub(*taken));
            *taken += room;
            room
        }
    }

    /// The next job to run: of the lane whose turn it is and that is not at its limit.
    pub(super) fn begin(&mut self, registry: &Registry) -> Option<(Lane, Row)> {
        for _ in 0..self.line.len() {
            let lane = self.line.pop_front()?;
            let Some(in_lane) = self.lanes.get_mut(&lane) else { continue };
            let of_kind = self.running.values().filter(|(other, _)| other.kind == lane.kind).count();
            if in_lane.running >= at_once(&lane, registry) || of_kind >= per_node(&lane, registry) {
                self.line.push_back(lane);
                continue;
            }
            let Some(row) = in_lane.waiting.pop_front() else { continue };
            in_lane.running += 1;
            self.waiting -= 1;
            if !in_lane.waiting.is_empty() {
                self.line.push_back(lane);
            }
            self.running.insert((row.id, row.fence), (lane, ending(&row)));
            return Some((lane, row));
        }
        None
    }

    /// A job runs no longer.
    pub(super) fn end(&mut self, id: uuid::Uuid, fence: i64) {
        let Some((lane, _)) = self.running.remove(&(id, fence)) else { return };
        if let Some(in_lane) = self.lanes.get_mut(&lane) {
            in_lane.running = in_lane.running.saturating_sub(1);
            if in_lane.running == 0 && in_lane.waiting.is_empty() {
                self.lanes.remove(&lane);
            }
        }
    }

    /// Everything at hand, for the renewal of its leases.
    pub(super) fn all(&self) -> Vec<Ending> {
        let waiting = self.lanes.values().flat_map(|in_lane| in_lane.waiting.iter().map(ending));
        waiting.chain(self.running.values().map(|(_, job)| *job)).collect()
    }

    /// Forgets waiting jobs that somebody else has claimed.
    pub(super) fn forget(&mut self, is_lost: impl Fn(&Ending) -> bool) {
        for in_lane in self.lanes.values_mut() {
            in_lane.waiting.retain(|row| !is_lost(&ending(row)));
        }
        self.waiting = self.lanes.values().map(|in_lane| in_lane.waiting.len()).sum();
        let lanes = &self.lanes;
        self.line.retain(|lane| lanes.get(lane).is_some_and(|in_lane| !in_lane.waiting.is_empty()));
        self.lanes.retain(|_, in_lane| in_lane.running > 0 || !in_lane.waiting.is_empty());
    }

    /// Takes everything that was not begun.
    pub(super) fn take_waiting(&mut self) -> Vec<Ending> {
        let waiting = self.lanes.values().flat_map(|in_lane| in_lane.waiting.iter().map(ending)).collect();
        self.forget(|_| true);
        waiting
    }
}

pub(super) fn ending(row: &Row) -> Ending {
    Ending { workspace: row.workspace_id, id: row.id, fence: row.fence }
}

fn at_once(lane: &Lane, registry: &Registry) -> usize {
    registry.kind(lane.kind).map_or(0, |kind| kind.policy.at_once(lane.retrying))
}

fn per_node(lane: &Lane, registry: &Registry) -> usize {
    registry.kind(lane.kind).map_or(0, |kind| kind.policy.per_node)
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;
    use uuid::Uuid;

    use super::super::active::Active;
    use super::super::registry::tests::{Nothing, Patient};
    use super::*;

    fn lane(kind: &'static str, workspace: u128) -> Lane {
        Lane { workspace: Uuid::from_u128(workspace), kind, retrying: false }
    }

    fn row(lane: Lane, number: u128) -> Row {
        Row {
            workspace_id: lane.workspace,
            environment: "live".to_owned(),
            project_id: None,
            id: Uuid::from_u128(number),
            kind: lane.kind.to_owned(),
            retrying: false,
            due_at: OffsetDateTime::UNIX_EPOCH,
            attempts: 0,
            fence: 1,
            payload_sealed: None,
        }
    }

    /// However many workspaces have jobs that wait for somebody else's machine: other kinds run, and are claimed.
    #[test]
    fn a_kind_that_is_limited_on_a_node_leaves_room_for_others() {
        let registry = Registry::default().with(Nothing).with(Patient);
        let (patient, quick) = ("test.patient", "test.nothing");
        let (mut board, mut active) = (Board::default(), Active::default());
        (0..200).for_each(|workspace| active.add(lane(patient, workspace), None));
        active.add(lane(quick, 1), None);
        let asks = active.plan(24, board.room(&registry));
        let of = |kind| asks.iter().filter(|ask| ask.lane.kind == kind).map(|ask| ask.at_most).sum::<usize>();
        assert!(of(patient) <= 3 && of(quick) > 0, "{asks:?}");

        for workspace in 0..5 {
            let lane = lane(patient, workspace);
            (0..2).for_each(|nth| board.add(lane, row(lane, workspace * 10 + nth)));
        }
        board.add(lane(quick, 1), row(lane(quick, 1), 1_000));
        let begun: Vec<Row> = std::iter::from_fn(|| board.begin(&registry).map(|(_, row)| row)).collect();
        let of = |kind: &str| begun.iter().filter(|row| row.kind == kind).count();
        assert_eq!((of(patient), of(quick)), (3, 1));
        assert_eq!(board.room(&registry)(&lane(patient, 7)), 0);
        board.end(begun[0].id, begun[0].fence);
        assert!(board.begin(&registry).is_some_and(|(lane, _)| lane.kind == patient), "the next has its turn");
    }
}
