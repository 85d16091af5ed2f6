//! A small log with everything that is handed out of it.

use bailiwick_proof::checkpoint::{Checkpoint, SignedCheckpoint};
use bailiwick_proof::commitment::{Commitments, Field, Opening};
use bailiwick_proof::consistency::Pair;
use bailiwick_proof::entry::{Entry, TraceId};
use bailiwick_proof::log::Origin;
use bailiwick_proof::merkle::{Hash, Node, consistency_proof, inclusion_proof, leaf_hash, root};
use bailiwick_proof::note::SigningKey;
use bailiwick_proof::receipt::Receipt;

pub(crate) const ORIGIN: &str = "bailiwick.example.com/w/ws_01jdtp9xk8e6ts1zq2v3w4x5y6/live/1";

/// A log whose entries differ by `salt`, and are otherwise always the same.
pub(crate) struct LogOnPaper {
    pub(crate) origin: Origin,
    pub(crate) key: SigningKey,
    pub(super) entries: Vec<(String, [Opening; 4])>,
    pub(super) leaves: Vec<Hash>,
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
        let meta = format!(r#"{{"by":"usr_01jdtp9xk8e6ts1zq2v3w4x5y7","data":{{"name":"Müller & \"Söhne\" {seq}"}}}}"#);
        self.append_told(seq, salt, "api_key.created", &meta);
    }

    /// The log's next entry tells of a manifest with this root and so many lines.
    pub(crate) fn publish(&mut self, hour: &str, logs: usize, root: &Hash) {
        let meta = format!(r#"{{"by":"system","data":{{"hour":"{hour}","logs":{logs},"root":"{root}"}}}}"#);
        let seq = self.entries.len().try_into().unwrap();
        self.append_told(seq, 7, "ledger.manifest_published", &meta);
    }

    fn append_told(&mut self, seq: u64, salt: u8, action: &str, meta: &str) {
        let openings = Field::ALL.map(|field| Opening {
            r: *Hash::of(format!("r of {field} of {seq}, {salt}").as_bytes()).as_bytes(),
            value: match field {
                Field::Actor => "usr_01jdtp9xk8e6ts1zq2v3w4x5y7".to_owned(),
                Field::Target => "key_01jdtp9xk8e6ts1zq2v3w4x5y8".to_owned(),
                Field::Ip => String::new(),
                Field::Meta => meta.to_owned(),
            },
        });
        let [actor, ip, meta, target] = Field::ALL.map(|field| openings[field as usize].commitment(field));
        let entry = Entry {
            log: self.origin.log(),
            generation: self.origin.generation(),
            seq,
            prev: self.leaves.last().copied().unwrap_or(Hash::ZERO),
            recorded_at_ms: 1_763_782_979_123 + 1000 * seq,
            action: action.parse().unwrap(),
            trace: TraceId::new([salt; 16]),
            commitments: Commitments { actor, ip, meta, target },
        };
        self.leaves.push(leaf_hash(&entry.to_bytes()));
        self.entries.push((String::from_utf8(entry.to_bytes()).unwrap(), openings));
    }

    pub(crate) fn size(&self) -> u64 {
        self.entries.len().try_into().unwrap()
    }

    pub(crate) fn vkey(&self) -> String {
        self.key.verifier().to_string()
    }

    pub(crate) fn entry(&self, seq: u64) -> &str {
        &self.entries[usize::try_from(seq).unwrap()].0
    }

    pub(crate) fn leaf(&self, seq: u64) -> Hash {
        self.leaves[usize::try_from(seq).unwrap()]
    }

    pub(crate) fn root(&self, size: u64) -> Hash {
        root(&self.leaves[..usize::try_from(size).unwrap()])
    }

    fn node(&self, node: Node) -> Result<Hash, std::convert::Infallible> {
        let width = 1 << node.level;
        let start = usize::try_from(node.index).unwrap() * width;
        Ok(root(&self.leaves[start..start + width]))
    }

    pub(crate) fn inclusion(&self, index: u64, size: u64) -> Vec<Hash> {
        inclusion_proof(index, size, |node| self.node(node)).unwrap().unwrap()
    }

    pub(crate) fn consistency(&self, old: u64, new: u64) -> Vec<Hash> {
        consistency_proof(old, new, |node| self.node(node)).unwrap().unwrap()
    }

    pub(crate) fn unsigned(&self, size: u64) -> Checkpoint {
        Checkpoint::new(&self.origin, size, self.root(size))
    }

    pub(crate) fn checkpoint(&self, size: u64) -> SignedCheckpoint {
        SignedCheckpoint::sign(self.unsigned(size), &[&self.key]).unwrap()
    }

    pub(crate) fn receipt(&self, index: u64, size: u64, open: &[Field]) -> Receipt {
        let (entry, openings) = &self.entries[usize::try_from(index).unwrap()];
        Receipt {
            entry: entry.clone(),
            openings: open.iter().map(|field| (*field, openings[*field as usize].clone())).collect(),
            index,
            path: self.inclusion(index, size),
            checkpoint: self.checkpoint(size),
        }
    }

    pub(crate) fn pair(&self, older: u64, newer: u64) -> Pair {
        Pair { path: self.consistency(older, newer), older: self.checkpoint(older), newer: self.checkpoint(newer) }
    }
}
