use proptest::prelude::*;

use super::*;
use crate::checkpoint::Checkpoint;
use crate::cosignature::CosigningKey;
use crate::merkle::leaf_hash;
use crate::note::SigningKey;

const ORIGIN: &str = "example.com/cell/1";

fn witness(seed: u8) -> CosigningKey {
    CosigningKey::from_seed(&format!("witness.example/{seed}"), &[seed; 32]).unwrap()
}

fn lines(seeds: impl IntoIterator<Item = u8>) -> String {
    seeds.into_iter().map(|seed| format!("witness W{seed} {}\n", witness(seed).witness())).collect()
}

fn log(seed: u8) -> SigningKey {
    SigningKey::from_seed(ORIGIN, &[seed; 32]).unwrap()
}

fn cosigned(seeds: &[u8]) -> SignedCheckpoint {
    let checkpoint = Checkpoint::new(&ORIGIN.parse().unwrap(), 3, leaf_hash(b"x"));
    let signed = SignedCheckpoint::sign(checkpoint, &[&log(100)]).unwrap();
    let lines: Vec<_> =
        seeds.iter().map(|seed| witness(*seed).cosign(signed.note().text(), u64::from(*seed))).collect();
    signed.with(&lines).unwrap()
}

fn holds(policy: &str, seeds: &[u8]) -> bool {
    policy.parse::<Policy>().unwrap_or_else(|error| panic!("{error}:\n{policy}")).check(&cosigned(seeds)).is_ok()
}

fn word(policy: &str) -> &'static str {
    policy.parse::<Policy>().expect_err(policy).word()
}

/// The example that stands in the specification, with keys.
#[test]
fn the_specification_s_example() {
    let policy = format!(
        "log {}\n\n{}group X 2 W1 W2 W3\n\n{}group Y any W4 W5 W6\n\ngroup X-and-Y all X Y\nquorum X-and-Y\n",
        log(100).verifier(),
        lines(1..=3),
        lines(4..=6)
    );
    for (seeds, expected) in [
        (&[1, 2, 4][..], true),
        (&[2, 3, 5, 6], true),
        (&[1, 2, 3, 4, 5, 6], true),
        (&[1, 2, 3], false),
        (&[1, 4, 5, 6], false),
        (&[], false),
    ] {
        assert_eq!(holds(&policy, seeds), expected, "{seeds:?}");
    }
    let parsed: Policy = policy.parse().unwrap();
    assert_eq!((parsed.quorum(), parsed.witnesses().count(), parsed.logs().len()), ("X-and-Y", 6, 1));
    assert_eq!(parsed.to_string().parse(), Ok(parsed.clone()));
    let refused = parsed.check(&cosigned(&[1])).unwrap_err();
    assert_eq!(refused.to_string(), "the quorum X-and-Y is not met: cosigned by W1 alone");
    assert_eq!(parsed.check(&cosigned(&[1, 2, 4])).unwrap()[2], Cosigned { name: "W4".to_owned(), time: 4 });
}

#[test]
fn small_quorums() {
    let two = lines([1, 2]);
    assert!(holds("quorum none\n", &[]));
    assert!(holds(&format!("{two}quorum none\n"), &[]));
    assert!(holds(&format!("{two}quorum W2\n"), &[2]) && !holds(&format!("{two}quorum W2\n"), &[1]));
    assert!(holds(&format!("{two}group G all W1\ngroup H 1 G W2\nquorum H\n"), &[2]));
    assert!(!holds(&format!("log {}\nquorum none\n", log(101).verifier()), &[]), "another key of the log's name");
    assert!(holds(&format!("log {}\nlog {}\nquorum none\n", log(101).verifier(), log(100).verifier()), &[]));
    assert!(holds(&format!(" \t\n\t# ü\n{}quorum\tW1 \n#\n", lines([1])), &[1]), "white space, comments");
    let with_urls = format!("witness ü {} https://w.example/x\nquorum ü\n", witness(1).witness());
    assert_eq!(with_urls.parse::<Policy>().unwrap().to_string(), with_urls);
}

#[test]
fn a_bad_line_in_a_witness_s_name_refuses_all() {
    let policy: Policy = format!("{}quorum W1\n", lines([1, 2])).parse().unwrap();
    let lent = witness(2).cosign("another text\n", 5);
    let spoilt = cosigned(&[1]).with(&[lent]).unwrap();
    assert_eq!(policy.check(&spoilt).unwrap_err().word(), "bad_signature");
}

#[test]
fn malformed_policies() {
    let (one, two) = (lines([1]), lines([1, 2]));
    let (key, other, log) = (witness(1).witness().clone(), witness(2).witness().clone(), log(1).verifier().clone());
    let renamed = CosigningKey::from_seed("another.example", &[1; 32]).unwrap();
    for (policy, expected) in [
        (String::new(), "policy_quorum"),
        (one.clone(), "policy_quorum"),
        ("quorum none\nquorum none\n".to_owned(), "policy_quorum"),
        ("quorum none".to_owned(), "policy_cut"),
        (format!("{one}quorum W"), "policy_cut"),
        ("quorum none\r\n".to_owned(), "policy_control_character"),
        ("quorum none\u{b}\n".to_owned(), "policy_control_character"),
        ("quorum none # really\n".to_owned(), "policy_line"),
        ("quorum\n".to_owned(), "policy_line"),
        ("Quorum none\n".to_owned(), "policy_line"),
        (format!("witness {key}\n"), "policy_line"),
        (format!("witness W1 {key} https://w.example more\n"), "policy_line"),
        (format!("{one}group G any\n"), "policy_line"),
        (format!("witness W1 {log}\n"), "vkey_algorithm"),
        (format!("log {key}\n"), "vkey_algorithm"),
        ("witness W1 x\n".to_owned(), "vkey_shape"),
        (format!("log {log}\nlog {log}\n"), "policy_repeated_key"),
        (format!("{one}witness W2 {}\n", renamed.witness()), "policy_repeated_key"),
        (format!("{one}witness W1 {other}\n"), "policy_name"),
        (format!("{two}group W1 any W2\n"), "policy_name"),
        (format!("witness none {key}\n"), "policy_name"),
        (format!("witness W\u{202e}1 {key}\n"), "policy_name"),
        (format!("witness W\u{9b}1 {key}\n"), "policy_name"),
        (format!("witness W\u{a0}1 {key}\n"), "policy_name"),
        ("quorum W1\n".to_owned(), "policy_unknown_name"),
        (format!("quorum W1\n{one}"), "policy_unknown_name"),
        (format!("{one}group G any G\n"), "policy_unknown_name"),
        (format!("{one}group G any none\n"), "policy_unknown_name"),
        (format!("{one}group G 2 W1 W1\n"), "policy_repeated_member"),
        (format!("{two}group G any W1\ngroup H any W1\n"), "policy_repeated_member"),
        (format!("{two}group G 0 W1\n"), "policy_threshold"),
        (format!("{two}group G 3 W1 W2\n"), "policy_threshold"),
        (format!("{two}group G 01 W1 W2\n"), "policy_threshold"),
        (format!("{two}group G most W1 W2\n"), "policy_threshold"),
        (lines(0..=64), "policy_too_many"),
        (format!("#{}\nquorum none\n", "x".repeat(MAX_POLICY_BYTES)), "policy_too_long"),
    ] {
        assert_eq!(word(&policy), expected, "{policy:.200}");
    }
    assert!(format!("{}quorum none\n", lines(0..64)).parse::<Policy>().is_ok());
    let error = format!("# one\n{one}\nquorum W9\n").parse::<Policy>().unwrap_err();
    assert_eq!(error.to_string(), "line 4 of the policy: \"W9\" is no witness and no group that stands above");
}

proptest! {
    #[test]
    fn what_parses_prints_back_as_the_same(text in "(witness (a|b) [0-9]|group (c|d) (1|2|any|all) (a|b|c)( (a|b|c))?|quorum (a|b|c|d|none)|#|)\n{0,9}") {
        let keyed = (0..10).fold(text, |text, seed| {
            text.replace(&format!(" {seed}\n"), &format!(" {}\n", witness(seed).witness()))
        });
        if let Ok(policy) = keyed.parse::<Policy>() {
            prop_assert_eq!(policy.to_string().parse(), Ok(policy));
        }
    }

    /// More cosignatures never unmeet a quorum.
    #[test]
    fn quorums_are_monotone(has in prop::collection::btree_set(1u8..7, 0..6), more in 1u8..7) {
        let policy: Policy = format!(
            "{}group X 2 W1 W2 W3\ngroup Y any W4 W5 X\ngroup Z all W6 Y\nquorum Z\n", lines(1..=6)
        ).parse().unwrap();
        let met = |more: Option<u8>| policy.is_met(|name| {
            has.iter().copied().chain(more).any(|seed| name == format!("W{seed}"))
        });
        prop_assert!(!met(None) || met(Some(more)));
    }
}
