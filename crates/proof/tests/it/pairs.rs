use bailiwick_proof::checkpoint::SignedCheckpoint;
use bailiwick_proof::consistency::{MAX_PAIR_BYTES, MalformedPair, Pair};
use bailiwick_proof::merkle::Hash;
use bailiwick_proof::note::VerifierKey;
use proptest::prelude::*;

use crate::vectors::log_on_paper::{LogOnPaper, ORIGIN};

fn known(log: &LogOnPaper) -> [VerifierKey; 1] {
    [log.key.verifier().clone()]
}

fn word(text: &str, known: &[VerifierKey]) -> Result<(), &'static str> {
    let pair: Pair = text.parse().map_err(|error: MalformedPair| error.word())?;
    pair.verify(known).map(|_| ()).map_err(|error| error.word())
}

#[test]
fn a_grown_log_extends() {
    let log = LogOnPaper::new(ORIGIN, 9, 7);
    for (older, newer) in [(0, 0), (0, 9), (1, 9), (4, 8), (5, 9), (9, 9)] {
        let pair = log.pair(older, newer);
        assert_eq!(pair.to_string().parse(), Ok(pair.clone()));
        let extends = pair.verify(&known(&log)).unwrap();
        assert_eq!((extends.older.size, extends.newer.size), (older, newer));
    }
}

#[test]
fn each_fault_has_its_outcome_and_two_roots_alone_convict() {
    let (log, forged) = (LogOnPaper::new(ORIGIN, 9, 7), LogOnPaper::new(ORIGIN, 9, 8));
    let outcome = |path: Vec<Hash>, older: SignedCheckpoint, newer: SignedCheckpoint| {
        Pair { path, older, newer }.verify(&known(&log)).unwrap_err()
    };
    let path = |older, newer| log.pair(older, newer).path;
    let two = outcome(vec![], log.checkpoint(5), forged.checkpoint(5));
    assert_eq!((two.word(), two.is_misbehaviour(), two.first_bad_seq()), ("two_roots", true, None));
    let two = outcome(path(4, 9), log.checkpoint(5), forged.checkpoint(5));
    assert_eq!(two.word(), "two_roots", "whatever path comes with it");
    let shrank = outcome(path(5, 9), log.checkpoint(9), log.checkpoint(5));
    assert_eq!((shrank.word(), shrank.is_misbehaviour(), shrank.first_bad_seq()), ("shrank", false, Some(5)));
    let rewritten = outcome(path(5, 9), log.checkpoint(5), forged.checkpoint(9));
    assert_eq!((rewritten.word(), rewritten.is_misbehaviour()), ("not_the_newer_root", false));
    assert_eq!(outcome(path(4, 9), log.checkpoint(5), log.checkpoint(9)).word(), "path_length");
    assert_eq!(outcome(path(5, 9), forged.checkpoint(5), log.checkpoint(9)).word(), "not_the_older_root");
    assert_eq!(outcome(path(5, 9), log.checkpoint(9), log.checkpoint(9)).word(), "path_length");
    let other = LogOnPaper::new("example.com/cell/1", 9, 7);
    let pair = Pair { path: path(5, 9), older: log.checkpoint(5), newer: other.checkpoint(9) };
    assert_eq!(pair.verify(&known(&log)).unwrap_err().word(), "no_known_signature");
    let known = [known(&log)[0].clone(), known(&other)[0].clone()];
    assert_eq!(pair.verify(&known).unwrap_err().word(), "other_origin");
}

#[test]
fn malformed_pairs() {
    let log = LogOnPaper::new(ORIGIN, 9, 7);
    let text = log.pair(5, 9).to_string();
    let bare = log.pair(9, 9).to_string();
    let hash = text.lines().nth(1).unwrap();
    for (changed, expected) in [
        (String::new(), "pair_header"),
        (text.replace("@v1", "@v2"), "pair_header"),
        ("bailiwick/tlog-consistency@v1\n".to_owned(), "pair_cut"),
        ("bailiwick/tlog-consistency@v1\n\n".to_owned(), "pair_cut"),
        (text[..text.rfind("\n\n").unwrap()].to_owned(), "pair_cut"),
        (text[..text.len() - 1].to_owned(), "note_shape"),
        (format!("{text}\n"), "pair_cut"),
        (format!("{text}\n\n"), "pair_cut"),
        (bare.replacen("\n\n", "\n\n\n", 1), "checkpoint_shape"),
        (text.replacen("\n\n", "\n\n\n", 1), "checkpoint_shape"),
        (text.replacen("\n\n", "\n", 1), "pair_cut"),
        (text.replace(hash, "AAAA"), "pair_path"),
        (text.replace(&format!("{hash}\n"), &format!("{hash}\n").repeat(129)), "pair_path"),
        (text.replace("\n5\n", "\n05\n"), "checkpoint_size"),
        (text.replace("\n9\n", "\n\n"), "pair_cut"),
        (text.replace("\n5\n", "\n6\n"), "bad_signature"),
        (text.replace(ORIGIN, &"x".repeat(MAX_PAIR_BYTES)), "pair_too_long"),
    ] {
        assert_eq!(word(&changed, &known(&log)), Err(expected), "{changed:.200}");
    }
}

proptest! {
    #[test]
    fn text_and_back(sizes in prop::array::uniform2(0u64..40), salt: u8) {
        let (older, newer) = (sizes[0].min(sizes[1]), sizes[0].max(sizes[1]));
        let log = LogOnPaper::new(ORIGIN, newer, salt);
        let pair = log.pair(older, newer);
        prop_assert_eq!(pair.to_string().parse(), Ok(pair.clone()));
        prop_assert!(pair.verify(&known(&log)).is_ok());
    }
}

#[test]
fn any_flipped_bit_fails() {
    let log = LogOnPaper::new(ORIGIN, 9, 7);
    let honest = log.pair(5, 9).to_string().into_bytes();
    for at in 0..honest.len() {
        for bit in 0..8 {
            let mut bytes = honest.clone();
            bytes[at] ^= 1 << bit;
            let Ok(text) = String::from_utf8(bytes) else { continue };
            assert!(word(&text, &known(&log)).is_err(), "bit {bit} of byte {at}");
            if let Ok(pair) = text.parse::<Pair>() {
                assert_eq!(pair.to_string(), text);
            }
        }
    }
}
