use bailiwick_proof::commitment::Field;
use bailiwick_proof::receipt::{MAX_RECEIPT_BYTES, MalformedReceipt, Receipt};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

use crate::vectors::log_on_paper::{LogOnPaper, ORIGIN};
use bailiwick_proof::merkle::leaf_hash;
use bailiwick_proof::note::VerifierKey;

fn known(log: &LogOnPaper) -> [VerifierKey; 1] {
    [log.key.verifier().clone()]
}

fn word(text: &str, known: &[VerifierKey]) -> Result<(), &'static str> {
    let receipt: Receipt = text.parse().map_err(|error: MalformedReceipt| error.word())?;
    receipt.verify(known).map(|_| ()).map_err(|error| error.word())
}

#[test]
fn any_selection_of_openings_verifies() {
    let log = LogOnPaper::new(ORIGIN, 5, 7);
    for open in [&[][..], &[Field::Actor], &[Field::Meta, Field::Ip], &Field::ALL] {
        let receipt = log.receipt(2, 5, open);
        let text = receipt.to_string();
        assert_eq!(text.parse(), Ok(receipt.clone()));
        let verified = receipt.verify(&known(&log)).unwrap();
        assert_eq!((verified.entry.seq, verified.checkpoint.size), (2, 5));
        assert_eq!(verified.origin, log.origin);
        assert_eq!(verified.leaf, leaf_hash(receipt.entry.as_bytes()));
    }
}

#[test]
fn the_proof_is_bound_to_log_place_and_root() {
    let log = LogOnPaper::new(ORIGIN, 5, 7);
    let honest = log.receipt(2, 5, &[Field::Actor]);
    let check = |change: &dyn Fn(&mut Receipt), known: &[VerifierKey]| {
        let mut receipt = honest.clone();
        change(&mut receipt);
        let error = receipt.verify(known).unwrap_err();
        assert!(!error.to_string().is_empty());
        (error.word(), error.seq())
    };
    let ours = known(&log);
    let others = [
        "bailiwick.example.com/w/ws_01jdtp9xk8e6ts1zq2v3w4x5y7/live/1",
        "bailiwick.example.com/w/ws_01jdtp9xk8e6ts1zq2v3w4x5y6/test/1",
        "bailiwick.example.com/w/ws_01jdtp9xk8e6ts1zq2v3w4x5y6/live/2",
        "example.com/cell/1",
        "not-ours",
    ];
    for origin in &others[..4] {
        let other = LogOnPaper::new(origin, 5, 7);
        let all = [ours[0].clone(), known(&other)[0].clone()];
        assert_eq!(
            check(&|receipt| receipt.checkpoint = other.checkpoint(5), &all),
            ("other_log", Some(2)),
            "{origin}"
        );
        assert_eq!(check(&|receipt| receipt.checkpoint = other.checkpoint(5), &ours), ("no_known_signature", None));
    }
    assert_eq!(check(&|receipt| receipt.index = 3, &ours), ("other_seq", Some(3)));
    assert_eq!(check(&|receipt| receipt.checkpoint = log.checkpoint(2), &ours), ("outside_tree", Some(2)));
    assert_eq!(check(&|receipt| receipt.checkpoint = log.checkpoint(4), &ours), ("path_length", Some(2)));
    assert_eq!(check(&|receipt| receipt.path.swap(0, 1), &ours), ("not_included", Some(2)));
    assert_eq!(
        check(&|receipt| receipt.entry = receipt.entry.replace("created", "deleted"), &ours),
        ("not_included", Some(2))
    );
    assert_eq!(check(&|receipt| receipt.entry.push(' '), &ours), ("entry_not_canonical", Some(2)));
    let wrong = |receipt: &mut Receipt| receipt.openings.get_mut(&Field::Actor).unwrap().value.push('x');
    assert_eq!(check(&wrong, &ours), ("wrong_opening", Some(2)));
}

#[test]
fn malformed_receipts() {
    let log = LogOnPaper::new(ORIGIN, 5, 7);
    let text = log.receipt(2, 5, &[Field::Actor]).to_string();
    let extra = text.lines().nth(1).unwrap().strip_prefix("extra ").unwrap().to_owned();
    let json = String::from_utf8(STANDARD.decode(&extra).unwrap()).unwrap();
    let hash = text.lines().nth(3).unwrap();
    let with = |json: &str| text.replace(&extra, &STANDARD.encode(json));
    for (changed, expected) in [
        (String::new(), "receipt_header"),
        (text.replace("@v1", "@v2"), "receipt_header"),
        (format!(" {text}"), "receipt_header"),
        (text[..text.len() - 1].to_owned(), "note_shape"),
        (text.lines().take(6).map(|line| format!("{line}\n")).collect(), "receipt_cut"),
        (text.replace("extra ", "extra  "), "receipt_extra"),
        (text.replace("extra ", "Extra "), "receipt_extra"),
        (text.replace(&format!("extra {extra}\n"), ""), "receipt_extra"),
        (with("{\"entry\":\"\", \"openings\":{}}"), "not_canonical"),
        (with("{\"entry\":\"\",\"openings\":{}"), "not_json"),
        (with("{\"entry\":\"\",\"openings\":{},\"x\":1}"), "receipt_extra_members"),
        (with("{\"entry\":1,\"openings\":{}}"), "receipt_extra_members"),
        (with("{\"entry\":\"\"}"), "receipt_extra_members"),
        (with("[]"), "receipt_extra_members"),
        (with(&json.replace("\"actor\":{\"r\"", "\"author\":{\"r\"")), "receipt_extra_members"),
        (with(&json.replace("usr_", "usx_")), "wrong_opening"),
        (with(&json.replace("\"r\":\"", "\"r\":\"AAAA")), "receipt_extra_members"),
        (with(&json.replace("\"value\":\"", "\"value\":\"\\u0061")), "not_canonical"),
        (text.replace("index 2", "index 02"), "receipt_index"),
        (text.replace("index 2", "index 9007199254740992"), "receipt_index"),
        (text.replace("index 2", "2"), "receipt_index"),
        (text.replace(&format!("{hash}\n"), &format!("{hash}=\n")), "receipt_path"),
        (text.replace(&format!("{hash}\n"), &format!("{hash}\n").repeat(63)), "receipt_path"),
        (text.replace(&format!("{hash}\n"), &format!("{hash}\n").repeat(62)), "path_length"),
        (text.replace('\n', "\r\n"), "receipt_header"),
        (text.replace(ORIGIN, &"x".repeat(MAX_RECEIPT_BYTES)), "receipt_too_long"),
    ] {
        assert_eq!(word(&changed, &known(&log)), Err(expected), "{changed:.200}");
    }
    assert_eq!(word(&text, &known(&log)), Ok(()));
}

proptest! {
    #[test]
    fn text_and_back(size in 1u64..40, pick: prop::sample::Index, open in prop::sample::subsequence(Field::ALL.to_vec(), 0..=4), salt: u8) {
        let log = LogOnPaper::new(ORIGIN, size, salt);
        let receipt = log.receipt(pick.index(usize::try_from(size).unwrap()) as u64, size, &open);
        prop_assert_eq!(receipt.to_string().parse(), Ok(receipt.clone()));
        prop_assert!(receipt.verify(&known(&log)).is_ok());
    }
}

/// Every bit of every byte: none may be changed, and whatever still parses prints back.
#[test]
fn any_flipped_bit_fails() {
    let log = LogOnPaper::new(ORIGIN, 5, 7);
    let honest = log.receipt(2, 5, &[Field::Actor]).to_string().into_bytes();
    for at in 0..honest.len() {
        for bit in 0..8 {
            let mut bytes = honest.clone();
            bytes[at] ^= 1 << bit;
            let Ok(text) = String::from_utf8(bytes) else { continue };
            assert!(word(&text, &known(&log)).is_err(), "bit {bit} of byte {at}");
            if let Ok(receipt) = text.parse::<Receipt>() {
                assert_eq!(receipt.to_string(), text);
            }
        }
    }
}

#[test]
fn any_cut_or_doubled_receipt_fails() {
    let log = LogOnPaper::new(ORIGIN, 5, 7);
    let honest = log.receipt(2, 5, &[Field::Actor]).to_string();
    for at in (0..honest.len()).filter(|at| honest.is_char_boundary(*at)) {
        assert!(word(&honest[..at], &known(&log)).is_err(), "cut at {at}");
    }
    assert!(word(&honest.repeat(2), &known(&log)).is_err());
}
