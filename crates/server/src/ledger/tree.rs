//! The tree, read from the hashes that the sequencer stored: a proof costs a few short runs of rows, not a scan.

mod sql;

use std::collections::HashMap;

use bailiwick_proof::log::Log;
use bailiwick_proof::merkle::{Hash, Node};
use bailiwick_proof::tile;
use sqlx::PgConnection;

use super::error::LedgerError;

/// The hashes of some subtrees.
pub(super) struct Nodes {
    hashes: HashMap<Node, Hash>,
}

/// A hash that is not where it should be: an entry at or after this one is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Missing {
    pub(super) seq: u64,
}

impl Nodes {
    /// Reads what these nodes are computed from.
    pub(super) async fn read(
        connection: &mut PgConnection,
        log: Log,
        generation: u32,
        nodes: &[Node],
    ) -> Result<Result<Self, Missing>, LedgerError> {
        let found = computed(connection, log, generation, nodes).await?;
        let hashes: Result<HashMap<Node, Hash>, Missing> =
            nodes.iter().zip(found).map(|(node, hash)| Ok((*node, hash?))).collect();
        Ok(hashes.map(|hashes| Self { hashes }))
    }

    /// The hash of a node that was read.
    pub(super) fn hash(&self, node: Node) -> Result<Hash, Missing> {
        self.hashes.get(&node).copied().ok_or(Missing { seq: node.index << node.level })
    }
}

/// The hash of each of these nodes, where it is there.
pub(super) async fn each(
    connection: &mut PgConnection,
    log: Log,
    generation: u32,
    nodes: &[Node],
) -> Result<Vec<Option<Hash>>, LedgerError> {
    Ok(computed(connection, log, generation, nodes).await?.into_iter().map(Result::ok).collect())
}

/// The hashes of these runs, one behind the other, as they are stored.
pub(super) async fn stored(
    connection: &mut PgConnection,
    log: Log,
    generation: u32,
    runs: &[tile::Run],
) -> Result<Result<Vec<Hash>, Missing>, LedgerError> {
    let mut hashes = Vec::new();
    for (run, pieces) in runs.iter().zip(sql::runs(connection, log, generation, runs).await?) {
        match collect(run, &pieces) {
            Ok(some) => hashes.extend(some),
            Err(index) => return Ok(Err(Missing { seq: index << (run.tile_level * tile::HEIGHT) })),
        }
    }
    Ok(Ok(hashes))
}

async fn computed(
    connection: &mut PgConnection,
    log: Log,
    generation: u32,
    nodes: &[Node],
) -> Result<Vec<Result<Hash, Missing>>, LedgerError> {
    let runs: Vec<tile::Run> = nodes.iter().map(|node| tile::run_of(*node)).collect();
    let stored = sql::runs(connection, log, generation, &runs).await?;
    let mut hashes = Vec::with_capacity(nodes.len());
    for ((node, run), pieces) in nodes.iter().zip(&runs).zip(stored) {
        let missing = |index: u64| Missing { seq: index << (run.tile_level * tile::HEIGHT) };
        let whole = || Missing { seq: node.index << node.level };
        let hash = collect(run, &pieces).map_err(missing);
        hashes.push(hash.and_then(|run| tile::node_from_run(&run).ok_or_else(whole)));
    }
    Ok(hashes)
}

/// The run's hashes out of the stored pieces; the index of the first that is missing otherwise.
fn collect(run: &tile::Run, pieces: &[(u64, Vec<u8>)]) -> Result<Vec<Hash>, u64> {
    let mut hashes: Vec<Hash> = Vec::new();
    let mut next = run.start;
    let end = run.start + run.len;
    for (start, bytes) in pieces {
        for (index, chunk) in (*start..).zip(bytes.chunks_exact(32)) {
            if index == next && next < end {
                hashes.push(Hash::try_from(chunk).map_err(|_| next)?);
                next += 1;
            }
        }
    }
    if next == end { Ok(hashes) } else { Err(next) }
}
