//! A small log with everything that is handed out of it, for tests.

use crate::checkpoint::{Checkpoint, SignedCheckpoint};
use crate::commitment::{Commitments, Field, Opening};
use crate::consistency::Pair;
use crate::entry::{Entry, TraceId};
use crate::log::Origin;
use crate::merkle::{Frontier, Hash, Node, consistency_proof, inclusion_proof, leaf_hash, root};
use crate::note::{SigningKey, VerifierKey};
use crate::receipt::Receipt;

pub(crate) const ORIGIN: &str = "example.com/w/ws_01h455vb4pex5vsknk084sn02q/live/1";

/// A log whose entries differ by `salt`.
pub(crate) struct LogOnPaper {
    pub(crate) origin: Origin,
    pub(crate) key: SigningKey,
    entries: Vec<(String, [Opening; 4])>,
    leaves: Vec<Hash>,
}

impl LogOnPaper {
    pub(crate) fn new(origin: &str, size: u64, salt: u8) -> Self {
        let mut log = Self {
            origin: origin.parse().unwrap(),
            key: SigningKey::from_seed(origin, &[1; 32]).unwrap(),
            entries: Vec::new(),
            leaves: Vec::new(),
        };
        for seq in 0..size {
            log.append(seq, salt);
        }
        log
    }

    fn append(&mut self, seq: u64, salt: u8) {
        let openings = Field::ALL.map(|field| Opening { r: [salt; 32], value: format!("{field} of {seq} \"ü\"\n") });
        let [actor, ip, meta, target] = Field::ALL.map(|field| openings[field as usize].commitment(field));
        let entry = Entry {
            log: self.origin.log(),
            generation: self.origin.generation(),
            seq,
            prev: self.leaves.last().copied().unwrap_or(Hash::ZERO),
            recorded_at_ms: 1_763_782_979_123 + seq,
            action: "project.created".parse().unwrap(),
            trace: TraceId::new([salt; 16]),
            commitments: Commitments { actor, ip, meta, target },
        };
        self.leaves.push(leaf_hash(&entry.to_bytes()));
        self.entries.push((String::from_utf8(entry.to_bytes()).unwrap(), openings));
    }

    pub(crate) fn known(&self) -> [VerifierKey; 1] {
        [self.key.verifier().clone()]
    }

    fn node(&self, node: Node) -> Result<Hash, std::convert::Infallible> {
        let width = 1 << node.level;
        let start = usize::try_from(node.index).unwrap() * width;
        Ok(root(&self.leaves[start..start + width]))
    }

    pub(crate) fn checkpoint(&self, size: u64) -> SignedCheckpoint {
        let mut frontier = Frontier::new();
        self.leaves[..usize::try_from(size).unwrap()].iter().for_each(|leaf| frontier.push(*leaf, |_, _| {}));
        SignedCheckpoint::sign(Checkpoint::new(&self.origin, size, frontier.root()), &[&self.key]).unwrap()
    }

    pub(crate) fn receipt(&self, index: u64, size: u64, open: &[Field]) -> Receipt {
        let (entry, openings) = &self.entries[usize::try_from(index).unwrap()];
        Receipt {
            entry: entry.clone(),
            openings: open.iter().map(|field| (*field, openings[*field as usize].clone())).collect(),
            index,
            path: inclusion_proof(index, size, |node| self.node(node)).unwrap().unwrap(),
            checkpoint: self.checkpoint(size),
        }
    }

    pub(crate) fn pair(&self, older: u64, newer: u64) -> Pair {
        Pair {
            path: consistency_proof(older, newer, |node| self.node(node)).unwrap().unwrap(),
            older: self.checkpoint(older),
            newer: self.checkpoint(newer),
        }
    }
}
