//! Commitments, trees and what is proved by them.

use bailiwick_proof::commitment::{Field, Opening};
use bailiwick_proof::manifest::{self, Manifest};
use bailiwick_proof::merkle::{Hash, leaf_hash};
use bailiwick_proof::tile;
use serde_json::{Value, json};

use super::case::File;
use super::log_on_paper::{LogOnPaper, ORIGIN};

fn hex(hashes: &[Hash]) -> Vec<String> {
    hashes.iter().map(Hash::to_hex).collect()
}

pub(super) fn commitment() -> Value {
    let mut file = File::about("Commitments and what opens them: `r` is base64, `value` the text, `commitment` hex.");
    for field in Field::ALL {
        for value in [
            "",
            "usr_01jdtp9xk8e6ts1zq2v3w4x5y7",
            "2001:db8::1",
            "{\"by\":\"system\",\"data\":{}}",
            "ü\u{0}\n\u{1f600}",
        ] {
            let hash = Hash::of(value.as_bytes());
            let commitment = Opening { r: *hash.as_bytes(), value: value.to_owned() }.commitment(field);
            let input = json!({ "field": field.as_str(), "r": hash.to_base64(), "value": value, "commitment": commitment.to_hex() });
            file.good(&format!("{field} of {} bytes", value.len()), input, json!({}));
        }
    }
    let value = "usr_01jdtp9xk8e6ts1zq2v3w4x5y7";
    let right = Opening { r: [7; 32], value: value.to_owned() }.commitment(Field::Actor).to_hex();
    let (r, other) = (Hash::new([7; 32]).to_base64(), Hash::new([8; 32]).to_base64());
    for (name, field, r, value) in [
        ("another value", "actor", &r, "usr_01jdtp9xk8e6ts1zq2v3w4x5y8"),
        ("another r", "actor", &other, value),
        ("another field", "target", &r, value),
        ("a value that borrows from the field", "actor", &r, "\u{0}usr_01jdtp9xk8e6ts1zq2v3w4x5y7"),
        ("nothing", "actor", &r, ""),
    ] {
        file.bad(name, json!({ "field": field, "r": r, "value": value, "commitment": right }), "wrong_opening");
    }
    file.done()
}

pub(super) fn tree() -> Value {
    let mut file = File::about("Roots: `entries` are the leaves' data as text.");
    for size in [0u64, 1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 31, 33, 100, 255, 256, 257] {
        let entries: Vec<String> = (0..size).map(|seq| format!("entry {seq}")).collect();
        let leaves: Vec<Hash> = entries.iter().map(|entry| leaf_hash(entry.as_bytes())).collect();
        let root = bailiwick_proof::merkle::root(&leaves).to_hex();
        file.good(&format!("{size} leaves"), json!({ "entries": entries }), json!({ "root": root }));
    }
    file.done()
}

pub(super) fn inclusion() -> Value {
    let mut file = File::about("Inclusion paths (RFC 9162 section 2.1.3); hashes are hex, the leaf's sibling first.");
    let log = LogOnPaper::new(ORIGIN, 257, 1);
    let input = |index: u64, size: u64, leaf: Hash, path: &[Hash], root: Hash| json!({ "index": index, "size": size, "leaf": leaf.to_hex(), "path": hex(path), "root": root.to_hex() });
    for (index, size) in [
        (0, 1),
        (0, 2),
        (1, 2),
        (2, 3),
        (0, 5),
        (4, 5),
        (3, 7),
        (6, 7),
        (5, 8),
        (12, 13),
        (63, 100),
        (96, 100),
        (99, 100),
        (0, 256),
        (255, 257),
        (256, 257),
    ] {
        let input = input(index, size, log.leaf(index), &log.inclusion(index, size), log.root(size));
        file.good(&format!("{index} of {size}"), input, json!({}));
    }
    let (leaf, path, root) = (log.leaf(2), log.inclusion(2, 7), log.root(7));
    let [longer, shorter, turned] =
        [[&path[..], &[root]].concat(), path[1..].to_vec(), path.iter().rev().copied().collect::<Vec<_>>()];
    let mut flipped = path.clone();
    flipped[1] = Hash::of(path[1].as_bytes());
    for (name, input, detail) in [
        ("another leaf", input(2, 7, log.leaf(3), &path, root), "not_included"),
        ("another index", input(3, 7, leaf, &path, root), "not_included"),
        ("another root", input(2, 7, leaf, &path, log.root(8)), "not_included"),
        ("another hash in the path", input(2, 7, leaf, &flipped, root), "not_included"),
        ("a path backwards", input(2, 7, leaf, &turned, root), "not_included"),
        ("the root as leaf of a tree of one", input(0, 1, leaf, &[], root), "not_included"),
        ("a hash too many", input(2, 7, leaf, &longer, root), "path_length"),
        ("a hash too few", input(2, 7, leaf, &shorter, root), "path_length"),
        ("no path", input(2, 7, leaf, &[], root), "path_length"),
        ("another size", input(2, 3, leaf, &path, root), "path_length"),
        ("index is size", input(7, 7, leaf, &path, root), "outside_tree"),
        ("index beyond size", input(1 << 52, 7, leaf, &path, root), "outside_tree"),
        ("an empty tree", input(0, 0, leaf, &[], root), "outside_tree"),
    ] {
        file.bad(name, input, detail);
    }
    file.done()
}

pub(super) fn consistency() -> Value {
    let mut file = File::about("Consistency paths (RFC 9162 section 2.1.4); hashes are hex.");
    let (log, rewritten) = (LogOnPaper::new(ORIGIN, 257, 1), LogOnPaper::new(ORIGIN, 9, 2));
    let input = |old: u64, old_root: Hash, new: u64, new_root: Hash, path: &[Hash]| json!({ "old_size": old, "old_root": old_root.to_hex(), "new_size": new, "new_root": new_root.to_hex(), "path": hex(path) });
    for (old, new) in [
        (0, 0),
        (0, 5),
        (1, 1),
        (1, 2),
        (1, 8),
        (2, 3),
        (3, 7),
        (4, 7),
        (6, 7),
        (6, 8),
        (7, 8),
        (8, 8),
        (8, 9),
        (63, 100),
        (64, 100),
        (96, 100),
        (255, 257),
        (256, 257),
    ] {
        let input = input(old, log.root(old), new, log.root(new), &log.consistency(old, new));
        file.good(&format!("{old} to {new}"), input, json!({}));
    }
    let (old_root, new_root, path) = (log.root(5), log.root(9), log.consistency(5, 9));
    let longer = [&path[..], &[old_root]].concat();
    let turned: Vec<Hash> = path.iter().rev().copied().collect();
    for (name, input, detail) in [
        ("another history before", input(5, rewritten.root(5), 9, new_root, &path), "not_the_older_root"),
        ("another history after", input(5, old_root, 9, rewritten.root(9), &path), "not_the_newer_root"),
        ("a path backwards", input(5, old_root, 9, new_root, &turned), "not_the_older_root"),
        ("the path of another size", input(6, log.root(6), 9, new_root, &path), "path_length"),
        ("a hash too many", input(5, old_root, 9, new_root, &longer), "path_length"),
        ("a hash too few", input(5, old_root, 9, new_root, &path[1..]), "path_length"),
        ("no path", input(5, old_root, 9, new_root, &[]), "path_length"),
        ("a path between equal sizes", input(9, new_root, 9, new_root, &path), "path_length"),
        ("a path from nothing", input(0, log.root(0), 9, new_root, &path), "path_length"),
        ("two roots at one size", input(9, rewritten.root(9), 9, new_root, &[]), "two_roots"),
        ("nothing with a root of its own", input(0, old_root, 9, new_root, &[]), "not_the_older_root"),
        ("a log that shrank", input(9, new_root, 5, old_root, &path), "shrank"),
    ] {
        file.bad(name, input, detail);
    }
    file.done()
}

pub(super) fn tile() -> Value {
    let mut file =
        File::about("Paths of tiles, below the log's own (C2SP tlog-tiles); `width` is null for a full tile.");
    for (level, index, width, path) in [
        (0u8, 0u64, None, "tile/0/000"),
        (0, 999, None, "tile/0/999"),
        (0, 1000, None, "tile/0/x001/000"),
        (0, 1_234_067, None, "tile/0/x001/x234/067"),
        (1, 1067, Some(112u16), "tile/1/x001/067.p/112"),
        (7, 0, Some(255), "tile/7/000.p/255"),
    ] {
        assert_eq!(tile::path(level, index, width), path);
        file.good(path, json!({ "level": level, "index": index, "width": width }), json!({ "path": path }));
    }
    file.done()
}

pub(super) fn manifest() -> Value {
    let mut file =
        File::about("Manifests: `salt` is base64, `checkpoint` the text that is signed, `manifest` the lines.");
    let salt = [7; 32];
    let origins =
        [ORIGIN, "bailiwick.example.com/cell/1", "bailiwick.example.com/w/ws_01jdtp9xk8e6ts1zq2v3w4x5y6/test/1"];
    let logs: Vec<(LogOnPaper, u64)> =
        (3..).zip(origins).map(|(size, origin)| (LogOnPaper::new(origin, size, 1), size)).collect();
    let lines: Vec<String> =
        logs.iter().map(|(log, size)| manifest::line(&salt, &log.origin, &log.unsigned(*size))).collect();
    for count in 0..=3 {
        let manifest = Manifest::new(lines[..count].to_vec()).unwrap();
        let logs: Vec<Value> = logs[..count]
            .iter()
            .map(|(log, size)| json!({ "origin": log.origin.to_string(), "checkpoint": log.unsigned(*size).text() }))
            .collect();
        let input = json!({ "salt": Hash::new(salt).to_base64(), "logs": logs });
        let expect = json!({ "manifest": manifest.to_string(), "root": manifest.root().to_hex() });
        file.good(&format!("{count} logs"), input, expect);
    }
    let manifest = Manifest::new(lines).unwrap();
    let text = manifest.to_string();
    let [a, b, c] = [0, 1, 2].map(|at| manifest.lines()[at].as_str());
    for (name, manifest, detail) in [
        ("out of order", format!("{b}\n{a}\n{c}\n"), "manifest_order"),
        ("a line twice", format!("{a}\n{a}\n{b}\n"), "manifest_repeated"),
        ("a log twice", format!("{a}\n{} {}\n", &a[..64], "f".repeat(64)), "manifest_repeated"),
        ("cut", text[..text.len() - 1].to_owned(), "manifest_line"),
        ("an empty line", format!("{a}\n\n{b}\n"), "manifest_line"),
        ("upper case", text.to_uppercase(), "manifest_line"),
        ("two spaces", text.replacen(' ', "  ", 1), "manifest_line"),
    ] {
        file.bad(name, json!({ "manifest": manifest }), detail);
    }
    file.done()
}
