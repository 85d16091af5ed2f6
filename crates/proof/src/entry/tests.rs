use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::id::WorkspaceId;
use crate::merkle::leaf_hash;

const GOLDEN: &str = concat!(
    r#"{"action":"api_key.created","c":{"actor":"1111111111111111111111111111111111111111111111111111111111111111","#,
    r#""ip":"2222222222222222222222222222222222222222222222222222222222222222","#,
    r#""meta":"3333333333333333333333333333333333333333333333333333333333333333","#,
    r#""target":"4444444444444444444444444444444444444444444444444444444444444444"},"env":"live","gen":1,"#,
    r#""prev":"0000000000000000000000000000000000000000000000000000000000000000","seq":0,"#,
    r#""trace":"0123456789abcdef0123456789abcdef","ts":1763782979123,"v":1,"ws":"ws_01h455vb4pex5vsknk084sn02q"}"#
);

fn parse(text: &str) -> Result<Entry, &'static str> {
    Entry::parse(text.as_bytes()).map_err(|error| error.word())
}

/// Frozen for ever: this is what has been signed.
#[test]
fn a_golden_entry() {
    let entry = parse(GOLDEN).unwrap();
    assert_eq!(entry.seq, 0);
    assert_eq!(entry.recorded_at_ms, 1_763_782_979_123);
    assert_eq!(entry.action.namespace(), "api_key");
    assert_eq!(entry.commitments.of(Field::Target), &Hash::new([0x44; 32]));
    assert_eq!(String::from_utf8(entry.to_bytes()).unwrap(), GOLDEN);
    assert_eq!(crate::canonical::parse(GOLDEN.as_bytes()).unwrap()["v"], 1);
}

#[test]
fn the_cell_s_log_has_no_workspace() {
    let cell = GOLDEN.replace("ws_01h455vb4pex5vsknk084sn02q", "cell");
    assert_eq!(parse(&cell).unwrap().log, Log::Cell);
    assert_eq!(parse(&cell.replace("live", "test")), Err("entry_log"));
}

#[test]
fn each_fault_has_its_word() {
    let zeros = "0".repeat(64);
    for (from, to, word) in [
        ("\"v\":1", "\"v\":2", "entry_version"),
        ("\"v\":1", "\"v\":01", "entry_shape"),
        ("\"v\":1,", "", "entry_shape"),
        ("\"v\":1,", "\"v\":1,\"v\":1,", "entry_shape"),
        ("\"v\":1,", "\"v\":1,\"w\":1,", "entry_shape"),
        ("\"v\":1", "\"v\":\"1\"", "entry_shape"),
        ("\"gen\":1", "\"gen\":0", "entry_generation"),
        ("\"gen\":1", "\"gen\":4294967296", "entry_generation"),
        ("\"seq\":0", "\"seq\":-1", "entry_shape"),
        ("\"seq\":0", "\"seq\":1", "entry_prev"),
        ("\"seq\":0", "\"seq\":9007199254740992", "entry_seq"),
        ("\"seq\":0", "\"seq\":0.0", "entry_shape"),
        ("1763782979123", "9007199254740992", "entry_timestamp"),
        ("1763782979123", "1e12", "entry_shape"),
        ("\"env\":\"live\"", "\"env\":\"prod\"", "entry_log"),
        ("ws_01h455vb4pex5vsknk084sn02q", "usr_01h455vb4pex5vsknk084sn02q", "entry_log"),
        ("api_key.created", "created", "entry_action"),
        ("api_key.created", "api_key.created_by_ada@example.com", "entry_action"),
        ("0123456789abcdef", "0123456789ABCDEF", "entry_trace"),
        (&zeros, &"0".repeat(63), "entry_prev"),
        (&zeros, &"1".repeat(64), "entry_prev"),
        (&"1".repeat(64), &"g".repeat(64), "entry_commitment"),
        ("\"ip\"", "\"iq\"", "entry_shape"),
        ("{\"action\"", "{ \"action\"", "entry_not_canonical"),
        ("api_key", "\\u0061pi_key", "entry_not_canonical"),
        (
            "\"v\":1,\"ws\":\"ws_01h455vb4pex5vsknk084sn02q\"",
            "\"ws\":\"ws_01h455vb4pex5vsknk084sn02q\",\"v\":1",
            "entry_not_canonical",
        ),
    ] {
        assert!(GOLDEN.contains(from), "{from}");
        assert_eq!(parse(&GOLDEN.replacen(from, to, 1)), Err(word), "{from} -> {to}");
    }
    for (text, word) in [
        (String::new(), "entry_shape"),
        ("null".to_owned(), "entry_shape"),
        (format!("{GOLDEN}\n"), "entry_not_canonical"),
        (format!("{GOLDEN}x"), "entry_shape"),
        (format!("{GOLDEN}{}", " ".repeat(65_535)), "entry_too_long"),
    ] {
        assert_eq!(parse(&text), Err(word), "{text:.100}");
    }
    assert!(Entry::parse(b"\xff").is_err());
}

#[test]
fn actions_are_dotted_lower_case_words() {
    for name in ["a.b", "api_key.created", "a_b.c_d.e_f", &format!("a.{}", "b".repeat(98))] {
        assert_eq!(name.parse::<ActionName>().unwrap().as_str(), name);
    }
    for name in [
        "",
        "a",
        ".",
        "a.",
        ".a",
        "a..b",
        "a._b",
        "a.b_",
        "a.b__c",
        "A.b",
        "a.b1",
        "a-b.c",
        "a b.c",
        "ä.b",
        "a.b\n",
        &format!("a.{}", "b".repeat(99)),
    ] {
        assert_eq!(name.parse::<ActionName>(), Err(InvalidActionName), "{name}");
    }
}

prop_compose! {
    fn any_entry()(
        (bits, test, cell) in any::<(u128, bool, bool)>(),
        generation in 1u32..,
        seq in prop_oneof![Just(0), 0u64..1 << 53],
        recorded_at_ms in 0u64..1 << 53,
        action in "[a-z]{1,9}(_[a-z]{1,9}){0,2}(\\.[a-z]{1,9}(_[a-z]{1,9}){0,2}){1,2}",
        trace: [u8; 16],
        hashes in prop::array::uniform5(any::<[u8; 32]>()),
    ) -> Entry {
        let environment = if test { Environment::Test } else { Environment::Live };
        let workspace = WorkspaceId::from_uuid(Uuid::from_u128(bits));
        let [actor, ip, meta, target, prev] = hashes.map(Hash::new);
        Entry {
            log: if cell { Log::Cell } else { Log::Workspace { workspace, environment } },
            generation,
            seq,
            prev: if seq == 0 { Hash::ZERO } else { prev },
            recorded_at_ms,
            action: action.parse().unwrap(),
            trace: TraceId::new(trace),
            commitments: Commitments { actor, ip, meta, target },
        }
    }
}

proptest! {
    #[test]
    fn bytes_and_back(entry in any_entry()) {
        let bytes = entry.to_bytes();
        prop_assert!(crate::canonical::parse(&bytes).is_ok());
        prop_assert_eq!(Entry::parse(&bytes), Ok(entry));
    }

    /// Whatever a changed byte makes of an entry, it is another leaf; and it prints back, if it is an entry at all.
    #[test]
    fn a_changed_byte_is_another_entry_or_none(entry in any_entry(), at: prop::sample::Index, to: u8) {
        let bytes = entry.to_bytes();
        let mut changed = bytes.clone();
        changed[at.index(bytes.len())] = to;
        prop_assume!(changed != bytes);
        prop_assert_ne!(leaf_hash(&changed), leaf_hash(&bytes));
        if let Ok(other) = Entry::parse(&changed) {
            prop_assert_ne!(&other, &entry);
            prop_assert_eq!(other.to_bytes(), changed);
        }
    }

    /// The quick reader makes of whatever it takes what the general one makes of it, and what it takes is written so.
    #[test]
    fn both_readers_read_the_same(entry in any_entry(), at: prop::sample::Index, cut in 0usize..4, put in "[ -~é\n]{0,3}") {
        let mut bytes = entry.to_bytes();
        prop_assert_eq!(super::spelling::read(&bytes), serde_json::from_slice(&bytes).ok());
        let at = at.index(bytes.len());
        bytes.splice(at..bytes.len().min(at + cut), put.bytes());
        if let Some(wire) = super::spelling::read(&bytes) {
            prop_assert_eq!(&serde_json::from_slice::<Wire<'_>>(&bytes).unwrap(), &wire);
            if let Ok(entry) = wire.check() {
                prop_assert_eq!(entry.to_bytes(), bytes);
            }
        }
    }
}
