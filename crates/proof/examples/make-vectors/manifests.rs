//! That a log stands in a manifest, and the manifest in the cell's log.

use bailiwick_proof::commitment::Field;
use bailiwick_proof::manifest::proof::{Covered, ManifestProof};
use bailiwick_proof::manifest::{Manifest, line, name};
use bailiwick_proof::merkle::{Hash, inclusion_proof, root};
use serde_json::{Value, json};

use super::case::{File, swap};
use super::log_on_paper::{LogOnPaper, ORIGIN};

const CELL: &str = "bailiwick.example.com/cell/1";
const HOUR: &str = "2026-01-31T13:00:00Z";

/// A cell with some logs and one manifest, which names them all at their full size.
pub(crate) struct CellOnPaper {
    pub(crate) logs: Vec<LogOnPaper>,
    pub(crate) cell: LogOnPaper,
    manifest: Manifest,
}

impl CellOnPaper {
    pub(crate) fn new(cell: &str) -> Self {
        let origin = |n: usize| ORIGIN.replace("x5y6", &format!("x5y{n}"));
        let logs: Vec<LogOnPaper> = (2..7).map(|n| LogOnPaper::new(&origin(n), n as u64, 1)).collect();
        let line = |log: &LogOnPaper| line(&Self::salt(log), &log.origin, &log.unsigned(log.size()));
        let manifest = Manifest::new(logs.iter().map(line).collect()).unwrap();
        let mut cell = LogOnPaper::new(cell, 3, 1);
        cell.publish(HOUR, logs.len(), &manifest.root());
        Self { logs, cell, manifest }
    }

    /// Each log has a salt of its own.
    fn salt(log: &LogOnPaper) -> [u8; 32] {
        *Hash::of(log.origin.to_string().as_bytes()).as_bytes()
    }

    /// The file of one of the logs, with the receipt of an entry or with the checkpoint.
    pub(crate) fn proof(&self, nth: usize, entry: Option<u64>) -> ManifestProof {
        let log = &self.logs[nth];
        let index = self.manifest.position(&name(&Self::salt(log), &log.origin)).unwrap();
        let leaves = self.manifest.leaves();
        let hash = |node: bailiwick_proof::merkle::Node| {
            let first = usize::try_from(node.index << node.level).unwrap();
            Ok::<_, std::convert::Infallible>(root(&leaves[first..first + (1 << node.level)]))
        };
        let (place, count) = (index as u64, leaves.len() as u64);
        ManifestProof {
            salt: Self::salt(log),
            index: place,
            path: inclusion_proof(place, count, hash).unwrap().unwrap(),
            covered: match entry {
                Some(seq) => Covered::Receipt(Box::new(log.receipt(seq, log.size(), &[Field::Actor]))),
                None => Covered::Checkpoint(Box::new(log.checkpoint(log.size()))),
            },
            cell: self.cell.receipt(3, 4, &[Field::Meta]),
        }
    }
}

pub(super) fn manifest_proof() -> Value {
    let mut file = File::about(
        "Lines of manifests with their proofs. `known` are the verifier keys of the log and of the cell that one trusts.",
    );
    let paper = CellOnPaper::new(CELL);
    let known = |nth: usize| json!([paper.logs[nth].vkey(), paper.cell.vkey()]);
    for (nth, entry) in [(0, None), (4, None), (2, Some(1)), (3, Some(4))] {
        let log = &paper.logs[nth];
        let expect = json!({
            "origin": log.origin.to_string(), "size": log.size(), "hour": HOUR, "logs": 5, "cell_size": 4, "seq": entry,
        });
        let what = entry.map_or_else(|| "a checkpoint".to_owned(), |seq| format!("the receipt of entry {seq}"));
        let proof = paper.proof(nth, entry).to_string();
        file.good(&format!("log {nth}, with {what}"), json!({ "proof": proof, "known": known(nth) }), expect);
    }
    malformed(&mut file, &paper, &known(2));
    refused(&mut file, &paper, &known(2));
    file.done()
}

fn malformed(file: &mut File, paper: &CellOnPaper, known: &Value) {
    let proof = paper.proof(2, Some(1));
    let text = proof.to_string();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    for (name, changed, detail) in [
        ("empty", String::new(), "manifest_proof_header"),
        ("another version", swap(&text, "manifest-proof@v1", "manifest-proof@v2"), "manifest_proof_header"),
        ("carriage returns", text.replace('\n', "\r\n"), "manifest_proof_header"),
        ("no salt", swap(&text, lines[1], ""), "manifest_proof_salt"),
        ("a salt of 31 bytes", swap(&text, lines[1], &format!("salt {}==\n", "A".repeat(42))), "manifest_proof_salt"),
        ("no index", swap(&text, lines[2], ""), "manifest_proof_index"),
        ("an index with a sign", swap(&text, "index ", "index +"), "manifest_proof_index"),
        ("a path with something else in it", swap(&text, lines[3], "hash\n"), "manifest_proof_path"),
        ("cut before the cell's receipt", paper.proof(2, None).covered.to_string(), "manifest_proof_header"),
        ("without the cell's receipt", swap(&text, &format!("\n{}", proof.cell), ""), "manifest_proof_cut"),
        ("something behind it", format!("{text}more\n"), "note_signature_line"),
    ] {
        file.bad(name, json!({ "proof": changed, "known": known }), detail);
    }
}

fn refused(file: &mut File, paper: &CellOnPaper, known: &Value) {
    let honest = paper.proof(2, Some(1));
    let mut bad = |name: &str, known: &Value, detail: &str, change: &dyn Fn(&mut ManifestProof)| {
        let mut proof = honest.clone();
        change(&mut proof);
        file.bad(name, json!({ "proof": proof.to_string(), "known": known }), detail);
    };
    bad("the cell's key is not known", &json!([paper.logs[2].vkey()]), "no_known_signature", &|_| {});
    bad("the log's key is not known", &json!([paper.cell.vkey()]), "no_known_signature", &|_| {});
    bad("another salt", known, "not_in_manifest", &|proof| proof.salt = [9; 32]);
    bad("another place", known, "not_in_manifest", &|proof| proof.index ^= 1);
    bad("a shorter path", known, "not_in_manifest", &|proof| {
        proof.path.pop();
    });
    bad("the line of another log", known, "not_in_manifest", &|proof| {
        let other = paper.proof(1, None);
        (proof.salt, proof.index, proof.path) = (other.salt, other.index, other.path);
    });
    bad("an older checkpoint of the log", known, "not_in_manifest", &|proof| {
        proof.covered = Covered::Checkpoint(Box::new(paper.logs[2].checkpoint(2)));
    });
    bad("meta is not opened", known, "not_a_manifest", &|proof| proof.cell.openings.clear());
    bad("another entry of the cell's log", known, "not_a_manifest", &|proof| {
        proof.cell = paper.cell.receipt(1, 4, &[Field::Meta]);
    });
    bad("meta was changed", known, "wrong_opening", &|proof| {
        let meta = proof.cell.openings.get_mut(&Field::Meta).unwrap();
        meta.value = meta.value.replace("T13:", "T14:");
    });
    let elsewhere = CellOnPaper::new("example.org/cell/1");
    let both = json!([paper.logs[2].vkey(), elsewhere.cell.vkey()]);
    bad("the log of another cell", &both, "other_cell", &|proof| {
        proof.cell = elsewhere.cell.receipt(3, 4, &[Field::Meta]);
    });
    let twice = json!([paper.logs[2].vkey()]);
    bad("a workspace's log for the cell's", &twice, "other_cell", &|proof| {
        proof.cell = paper.logs[2].receipt(1, 4, &[]);
    });
}
