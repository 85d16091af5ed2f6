//! What the vault keeps: the states of puncturable keys.

use bailiwick_proof::merkle::Hash;
use bailiwick_proof::puncturable::PuncturableKey;
use serde_json::{Value, json};

use super::case::File;

const SEED: [u8; 32] = [1; 32];
const LAST: u32 = u32::MAX;
/// Bytes of a state's header, and of each node.
const HEADER: usize = 5;
const NODE: usize = 37;

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn keys(state: &PuncturableKey, subjects: &[u32]) -> Value {
    let hex = |subject: &u32| state.derive(*subject).map(|key| Hash::new(*key.reveal()).to_hex());
    subjects.iter().map(hex).collect()
}

fn punctured(subjects: &[u32]) -> PuncturableKey {
    let mut state = PuncturableKey::from_seed(&SEED);
    for subject in subjects {
        state.puncture(*subject);
    }
    state
}

pub(super) fn puncturable() -> Value {
    let mut file = File::about(
        "Puncturable keys. `seed` with the subjects of `puncture` taken away is `state`; of `subjects` it has `keys`, null for those without one. A `state` alone is read.",
    );
    for (name, puncture, subjects) in [
        ("nobody is punctured", &[][..], &[0, 1, 2, 1 << 31, LAST - 1, LAST][..]),
        ("the first", &[0], &[0, 1, 2, LAST]),
        ("the last", &[LAST], &[0, LAST - 1, LAST]),
        ("in the middle", &[1 << 31], &[(1 << 31) - 1, 1 << 31, (1 << 31) + 1]),
        ("neighbours", &[6, 7], &[5, 6, 7, 8]),
        ("neighbours, the other way round", &[7, 6], &[5, 6, 7, 8]),
        ("one twice", &[12, 12], &[12, 13]),
        ("eight below one node", &[16, 17, 18, 19, 20, 21, 22, 23], &[15, 16, 23, 24]),
        ("far from one another", &[3, 0x1234_5678, 0xdead_beef], &[3, 0x1234_5678, 0xdead_beef, 0xdead_bee0, LAST]),
    ] {
        let state = punctured(puncture);
        let input = json!({ "seed": to_hex(&SEED), "puncture": puncture, "subjects": subjects });
        let expect = json!({
            "state": to_hex(&state.encode()),
            "punctured": state.punctured(),
            "keys": keys(&state, subjects),
        });
        file.good(name, input, expect);
    }
    for (name, state, subjects) in [
        ("a state", punctured(&[3]).encode().to_vec(), &[2, 3, 4, LAST][..]),
        ("of which nothing is left", vec![1, 0, 0, 0, 0], &[0, LAST]),
        ("of which one leaf is left", [&[1, 0, 0, 0, 1, 32, 0, 0, 0, 9][..], &[5; 32]].concat(), &[8, 9, 10]),
    ] {
        let read = PuncturableKey::decode(&state).unwrap();
        let expect = json!({ "punctured": read.punctured(), "keys": keys(&read, subjects) });
        file.good(name, json!({ "state": to_hex(&state), "subjects": subjects }), expect);
    }
    bad_states(&mut file);
    file.done()
}

/// A state of the given nodes, as they are.
fn of(nodes: &[(u8, u32)]) -> Vec<u8> {
    let mut state = vec![1];
    state.extend_from_slice(&u32::try_from(nodes.len()).unwrap().to_be_bytes());
    for (depth, first) in nodes {
        state.push(*depth);
        state.extend_from_slice(&first.to_be_bytes());
        state.extend_from_slice(&[5; 32]);
    }
    state
}

fn bad_states(file: &mut File) {
    let good = punctured(&[3]).encode();
    let counted = |count: u32| [&[1][..], &count.to_be_bytes(), &good[HEADER..]].concat();
    let cut = good.len() - NODE;
    for (name, state, detail) in [
        ("empty", vec![], "state_version"),
        ("version 0", [&[0], &good[1..]].concat(), "state_version"),
        ("version 2", [&[2], &good[1..]].concat(), "state_version"),
        ("the version alone", vec![1], "state_length"),
        ("a cut count", vec![1, 0, 0, 0], "state_length"),
        ("a cut node", good[..good.len() - 1].to_vec(), "state_length"),
        ("a node too few", good[..cut].to_vec(), "state_length"),
        ("a byte too many", [&good[..], &[0]].concat(), "state_length"),
        ("a count too small", counted(31), "state_length"),
        ("a count too large", counted(33), "state_length"),
        ("the largest count", counted(u32::MAX), "state_length"),
        ("a node deeper than the leaves", of(&[(33, 0)]), "state_place"),
        ("a node at depth 255", of(&[(255, 0)]), "state_place"),
        ("a root that begins at 1", of(&[(0, 1)]), "state_place"),
        ("a node of two that begins at an odd subject", of(&[(31, 7)]), "state_place"),
        ("a second node without a place", of(&[(31, 6), (30, 10)]), "state_place"),
        ("a node twice", of(&[(32, 5), (32, 5)]), "state_order"),
        ("nodes out of order", of(&[(32, 5), (32, 2)]), "state_order"),
        ("a node below another", of(&[(30, 4), (32, 7)]), "state_order"),
        ("a node above another", of(&[(32, 4), (30, 4)]), "state_order"),
        ("a node below the root", of(&[(0, 0), (32, u32::MAX)]), "state_order"),
        ("both halves", of(&[(1, 0), (1, 1 << 31)]), "state_siblings"),
        ("two leaves of one node", of(&[(32, 4), (32, 5)]), "state_siblings"),
        ("siblings at the end", of(&[(31, 0), (32, LAST - 1), (32, LAST)]), "state_siblings"),
    ] {
        file.bad(name, json!({ "state": to_hex(&state) }), detail);
    }
}
