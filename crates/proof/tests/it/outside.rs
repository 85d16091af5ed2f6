//! Agreement with crates that were not written here: `signed_note` and `tlog_tiles`.

use bailiwick_proof::checkpoint::Checkpoint;
use bailiwick_proof::merkle::{self, Hash, Node, leaf_hash};
use bailiwick_proof::note::{SignedNote, SigningKey};
use bailiwick_proof::tile;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::Value;
use signed_note::{Note, Signer as _, StandardSigner, StandardVerifier, Verifier, VerifierList};
use tlog_tiles::tlog::{self, HashReader};

use crate::golden;

/// Theirs of the same seed.
fn their_signer(key: &SigningKey, seed: [u8; 32]) -> StandardSigner {
    let secret = STANDARD.encode([&[1], seed.as_slice()].concat());
    let (name, id) = (key.verifier().name(), key.verifier().id());
    StandardSigner::new(&format!("PRIVATE+KEY+{name}+{id}+{secret}")).unwrap()
}

/// Whether their reader accepts a note under these keys.
fn they_accept(note: &str, known: &Value) -> bool {
    let keys = known
        .as_array()
        .unwrap()
        .iter()
        .map(|vkey| Box::new(StandardVerifier::new(vkey.as_str().unwrap()).unwrap()) as Box<dyn Verifier>);
    let known = VerifierList::new(keys.collect());
    Note::from_bytes(note.as_bytes()).is_ok_and(|note| note.verify(&known).is_ok())
}

#[test]
fn signed_note_agrees_on_notes_and_checkpoints() {
    for (file, member) in [("note.json", "note"), ("checkpoint.json", "checkpoint")] {
        let cases = golden::read(file);
        for case in golden::good(&cases) {
            let note = case["input"][member].as_str().unwrap();
            assert!(they_accept(note, &case["input"]["known"]), "{file}: {}", case["name"]);
            assert_eq!(Note::from_bytes(note.as_bytes()).unwrap().to_bytes(), note.as_bytes());
        }
        for case in golden::bad(&cases) {
            let detail = case["detail"].as_str().unwrap();
            // Where we are stricter, as the specification allows: a second signature of one key, and fewer lines. And a
            // note knows nothing of what its text must say.
            let stricter = ["signed_twice", "note_too_many_signatures", "other_logs_key"].contains(&detail)
                || detail.starts_with("checkpoint_");
            let accepted = they_accept(case["input"][member].as_str().unwrap(), &case["input"]["known"]);
            assert_eq!(accepted, stricter, "{file}: {}", case["name"]);
        }
    }
}

#[test]
fn signed_note_agrees_on_vkeys() {
    let cases = golden::read("vkey.json");
    for case in golden::good(&cases) {
        let vkey = StandardVerifier::new(case["input"]["vkey"].as_str().unwrap()).unwrap();
        assert_eq!(vkey.name(), case["expect"]["name"]);
        assert_eq!(format!("{:08x}", vkey.key_id()), case["expect"]["key_id"]);
    }
    for case in golden::bad(&cases) {
        let accepted = StandardVerifier::new(case["input"]["vkey"].as_str().unwrap()).is_ok();
        assert_eq!(accepted, case["name"] == "an id in upper case", "{}", case["name"]);
    }
}

#[test]
fn tlog_tiles_agrees_on_checkpoints() {
    let cases = golden::read("checkpoint.json");
    let text_of =
        |case: &Value| case["input"]["checkpoint"].as_str().unwrap().rsplit_once("\n\n").unwrap().0.to_owned() + "\n";
    for case in golden::good(&cases) {
        let theirs = read_checkpoint(&text_of(case)).unwrap();
        assert_eq!(theirs.origin(), case["expect"]["origin"]);
        assert_eq!(theirs.size(), case["expect"]["size"]);
        assert_eq!(Hash::new(theirs.hash().0).to_hex(), case["expect"]["root"]);
        assert_eq!(theirs.to_bytes(), text_of(case).as_bytes());
    }
    for case in golden::bad(&cases).filter(|case| case["detail"].as_str().unwrap().starts_with("checkpoint_")) {
        // They read any 64-bit size.
        let lenient = case["name"] == "size 2^53";
        assert_eq!(read_checkpoint(&text_of(case)).is_some(), lenient, "{}", case["name"]);
    }
}

fn read_checkpoint(text: &str) -> Option<tlog_tiles::Checkpoint> {
    tlog_tiles::Checkpoint::from_bytes(text.as_bytes()).ok()
}

fn theirs(hash: &str) -> tlog::Hash {
    tlog::Hash(*Hash::from_hex(hash).unwrap().as_bytes())
}

fn their_path(path: &Value) -> Vec<tlog::Hash> {
    path.as_array().unwrap().iter().map(|hash| theirs(hash.as_str().unwrap())).collect()
}

#[test]
fn tlog_tiles_agrees_on_inclusion() {
    let check = |case: &Value| {
        let input = &case["input"];
        let (size, index) = (input["size"].as_u64().unwrap(), input["index"].as_u64().unwrap());
        let [leaf, root] = ["leaf", "root"].map(|member| theirs(input[member].as_str().unwrap()));
        tlog::check_record(&their_path(&input["path"]), size, root, index, leaf).is_ok()
    };
    let cases = golden::read("inclusion.json");
    golden::good(&cases).for_each(|case| assert!(check(case), "{}", case["name"]));
    golden::bad(&cases).for_each(|case| assert!(!check(case), "{}", case["name"]));
}

#[test]
fn tlog_tiles_agrees_on_consistency() {
    let check = |case: &Value| {
        let input = &case["input"];
        let [old, new] = ["old_size", "new_size"].map(|member| input[member].as_u64().unwrap());
        let [old_root, new_root] = ["old_root", "new_root"].map(|member| theirs(input[member].as_str().unwrap()));
        tlog::check_tree(&their_path(&input["path"]), new, new_root, old, old_root).is_ok()
    };
    let cases = golden::read("consistency.json");
    // It knows no empty tree.
    for case in golden::good(&cases).filter(|case| case["input"]["old_size"] != 0) {
        assert!(check(case), "{}", case["name"]);
    }
    golden::bad(&cases).for_each(|case| assert!(!check(case), "{}", case["name"]));
}

/// All hashes of a tree in their order of storage.
struct Stored(Vec<tlog::Hash>);

impl Stored {
    fn new(size: u64) -> Self {
        let mut stored = Self(Vec::new());
        for n in 0..size {
            let more = tlog::stored_hashes(n, format!("entry {n}").as_bytes(), &stored).unwrap();
            stored.0.extend(more);
        }
        stored
    }

    fn node(&self, node: Node) -> Hash {
        let index = tlog::stored_hash_index(node.level, node.index);
        Hash::new(self.0[usize::try_from(index).unwrap()].0)
    }

    fn hash(&self, node: Node) -> Result<Hash, std::convert::Infallible> {
        Ok(self.node(node))
    }
}

impl HashReader for Stored {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog::Hash>, tlog::Error> {
        Ok(indexes.iter().map(|index| self.0[usize::try_from(*index).unwrap()]).collect())
    }
}

fn ours(path: &[tlog::Hash]) -> Vec<Hash> {
    path.iter().map(|hash| Hash::new(hash.0)).collect()
}

#[test]
fn tlog_tiles_makes_the_same_roots_and_proofs() {
    let stored = Stored::new(300);
    for size in (1..300).step_by(7).chain([1, 2, 255, 256, 257, 300]) {
        let root = tlog::tree_hash(size, &stored).unwrap();
        assert_eq!(merkle::root_from(size, |node| stored.hash(node)).unwrap(), Hash::new(root.0));
        for at in (0..size).step_by(11).chain([size - 1]) {
            let path = merkle::inclusion_proof(at, size, |node| stored.hash(node)).unwrap().unwrap();
            assert_eq!(path, ours(&tlog::prove_record(size, at, &stored).unwrap()), "{at} of {size}");
            let path = merkle::consistency_proof(at + 1, size, |node| stored.hash(node)).unwrap().unwrap();
            assert_eq!(path, ours(&tlog::prove_tree(size, at + 1, &stored).unwrap()), "{} to {size}", at + 1);
        }
    }
}

/// The tile that a node is computed from, where it lies, and what comes out of it.
#[test]
fn tlog_tiles_finds_nodes_in_the_same_tiles() {
    let size = 70_000u64;
    let mut frontier = merkle::Frontier::new();
    let mut nodes = std::collections::BTreeMap::new();
    for n in 0..size {
        let leaf = leaf_hash(&n.to_be_bytes());
        nodes.insert(Node { level: 0, index: n }, leaf);
        frontier.push(leaf, |node, hash| {
            nodes.insert(node, hash);
        });
    }
    for (node, hash) in nodes.iter().step_by(97).chain(nodes.iter().rev().take(300)) {
        let index = tlog::stored_hash_index(node.level, node.index);
        let theirs = tlog_tiles::Tile::from_index(tile::HEIGHT, index);
        let run = tile::run_of(*node);
        let tile_index = run.start / tile::WIDTH;
        let end = (run.start + run.len).min(size >> (8 * run.tile_level)) - tile_index * tile::WIDTH;
        let width = (end < tile::WIDTH).then(|| u16::try_from(end).unwrap());
        assert_eq!(theirs.path().replacen("tile/8/", "tile/", 1), tile::path(run.tile_level, tile_index, width));
        let level = tile::HEIGHT * run.tile_level;
        let stored =
            |start: u64, end: u64| -> Vec<Hash> { (start..end).map(|index| nodes[&Node { level, index }]).collect() };
        assert_eq!(tile::node_from_run(&stored(run.start, run.start + run.len)), Some(*hash));
        let start = tile_index * tile::WIDTH;
        let data: Vec<u8> = stored(start, start + end).iter().flat_map(|hash| *hash.as_bytes()).collect();
        assert_eq!(theirs.hash_at_index(&data, index).unwrap().0, *hash.as_bytes());
    }
}

proptest! {
    /// Same key, same text: the same bytes, and each accepts the other's.
    #[test]
    fn signed_note_signs_alike(seed: [u8; 32], text in "(\\PC{0,30}\n){1,4}") {
        let key = SigningKey::from_seed("example.com/log", &seed).unwrap();
        let signer = their_signer(&key, seed);
        prop_assert_eq!(signer.name(), key.verifier().name());
        let mut note = Note::new(text.as_bytes(), &[]).unwrap();
        note.add_sigs(&[&signer]).unwrap();
        let ours = SignedNote::sign(&text, &[&key]).unwrap().to_string();
        prop_assert_eq!(note.to_bytes(), ours.clone().into_bytes());
        prop_assert!(they_accept(&ours, &serde_json::json!([key.verifier().to_string()])));
    }

    /// Whatever line soup is offered, the two readers agree on what is a note, but for the number of signatures.
    #[test]
    fn signed_note_parses_alike(note in "(a?\n){0,3}\n?(—|-)? ?(a|b |\u{a0}) ?(AAAAAAA=|AAAAAAAA|AAAA|AAAAAAB=|=)\n?") {
        prop_assert_eq!(Note::from_bytes(note.as_bytes()).is_ok(), note.parse::<SignedNote>().is_ok());
    }

    #[test]
    fn tlog_tiles_parses_checkpoints_alike(text in "(a|b c|)\n(0|7|07|\\+7|7 |-7|)\n(47DEQpj8HBSa\\+/TImW\\+5JCeuQeRkm5NMpJWZG3hSuFU=|AAAA|)\n(ext\n|\n){0,2}") {
        prop_assert_eq!(read_checkpoint(&text).is_some(), Checkpoint::parse(&text).is_ok(), "{:?}", text);
    }
}
