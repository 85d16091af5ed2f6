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

    /// How many more of a lane may be claimed: without a limit, or as many as may run at once less those at hand.
    pub(super) fn room(&self, lane: &Lane, registry: &Registry) -> usize {
        let at_hand = self.lanes.get(lane).map_or(0, InLane::at_hand);
        let of_kind =
            self.lanes.iter().filter(|(other, _)| other.kind == lane.kind).map(|(_, other)| other.at_hand()).sum();
        at_once(lane, registry).saturating_sub(at_hand).min(per_node(lane, registry).saturating_sub(of_kind))
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
