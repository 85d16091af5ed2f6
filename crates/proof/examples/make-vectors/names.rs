//! Canonical JSON, origins, entries, and walks over entries.

use serde_json::{Value, json};

use super::case::{File, swap};
use super::log_on_paper::{LogOnPaper, ORIGIN};

pub(super) fn canonical() -> Value {
    let mut file = File::about(
        "Canonical JSON. `value` written canonically is `canonical`, and `json` that is not canonical must be refused.",
    );
    for (name, value, canonical) in [
        ("nothing", json!({}), "{}"),
        ("scalars", json!([null, true, false, 0, -1, ""]), "[null,true,false,0,-1,\"\"]"),
        (
            "the largest integers",
            json!([9_007_199_254_740_991_i64, -9_007_199_254_740_991_i64]),
            "[9007199254740991,-9007199254740991]",
        ),
        (
            "members sorted by UTF-16 code units",
            json!({ "\u{fb33}": 1, "\u{1f600}": 2, "\u{20ac}": 3, "\r": 4, "1": 5, "\u{f6}": 6, "\u{80}": 7, "": 8 }),
            "{\"\":8,\"\\r\":4,\"1\":5,\"\u{80}\":7,\"\u{f6}\":6,\"\u{20ac}\":3,\"\u{1f600}\":2,\"\u{fb33}\":1}",
        ),
        (
            "escapes",
            json!("\u{0}\u{1}\u{8}\t\n\u{b}\u{c}\r\u{1f} \"\\/\u{7f}\u{2028}ü"),
            "\"\\u0000\\u0001\\b\\t\\n\\u000b\\f\\r\\u001f \\\"\\\\/\u{7f}\u{2028}ü\"",
        ),
        (
            "nested",
            json!({ "b": [{ "d": 1, "c": [] }], "a": { "z": {} } }),
            "{\"a\":{\"z\":{}},\"b\":[{\"c\":[],\"d\":1}]}",
        ),
    ] {
        file.good(name, json!({ "value": value }), json!({ "canonical": canonical }));
    }
    let deep = format!("{}{}", "[".repeat(33), "]".repeat(33));
    for (name, json, detail) in [
        ("empty", "", "not_json"),
        ("cut", "{\"a\":1", "not_json"),
        ("something behind it", "{}x", "not_json"),
        ("a lone surrogate", "\"\\ud83d\"", "not_json"),
        ("a leading zero", "01", "not_json"),
        ("a space", "{\"a\": 1}", "not_canonical"),
        ("a line end", "{}\n", "not_canonical"),
        ("members out of order", "{\"b\":1,\"a\":1}", "not_canonical"),
        ("a member twice", "{\"a\":1,\"a\":1}", "not_canonical"),
        ("a member twice with two values", "{\"a\":1,\"a\":2}", "not_canonical"),
        ("an escape too many", "\"\\u0061\"", "not_canonical"),
        ("an escaped slash", "\"\\/\"", "not_canonical"),
        ("upper-case hex", "\"\\u001F\"", "not_canonical"),
        ("a fraction", "1.5", "number"),
        ("a whole number with a fraction", "1.0", "number"),
        ("an exponent", "1e3", "number"),
        ("negative zero", "-0", "number"),
        ("2^53", "9007199254740992", "number"),
        ("-2^53", "-9007199254740992", "number"),
        ("2^64", "18446744073709551616", "number"),
        ("nested 33 deep", &deep, "depth"),
    ] {
        file.bad(name, json!({ "json": json }), detail);
    }
    file.done()
}

pub(super) fn origin() -> Value {
    let mut file = File::about("The name of a log in one of its generations.");
    let workspace = "ws_01jdtp9xk8e6ts1zq2v3w4x5y6";
    for (text, name, workspace, environment, generation) in [
        (ORIGIN, "bailiwick.example.com", workspace, "live", 1u32),
        (
            "localhost:8080/w/ws_01jdtp9xk8e6ts1zq2v3w4x5y6/test/4294967295",
            "localhost:8080",
            workspace,
            "test",
            u32::MAX,
        ),
        ("bailiwick.example.com/cell/2", "bailiwick.example.com", "cell", "live", 2),
        ("example.com/eu-1/logs_b/cell/1", "example.com/eu-1/logs_b", "cell", "live", 1),
        ("a/w/ws_01jdtp9xk8e6ts1zq2v3w4x5y6/live/cell/1", "a/w/ws_01jdtp9xk8e6ts1zq2v3w4x5y6/live", "cell", "live", 1),
        ("a/cell/w/ws_01jdtp9xk8e6ts1zq2v3w4x5y6/live/1", "a/cell", workspace, "live", 1),
    ] {
        let expect = json!({ "log_name": name, "ws": workspace, "env": environment, "gen": generation });
        file.good(text, json!({ "origin": text }), expect);
    }
    for (name, text) in [
        ("empty", String::new()),
        ("generation 0", swap(ORIGIN, "/live/1", "/live/0")),
        ("a leading zero", swap(ORIGIN, "/live/1", "/live/01")),
        ("generation 2^32", swap(ORIGIN, "/live/1", "/live/4294967296")),
        ("no generation", swap(ORIGIN, "/live/1", "/live")),
        ("an unknown environment", swap(ORIGIN, "/live/", "/prod/")),
        ("another kind of id", swap(ORIGIN, "/ws_", "/usr_")),
        ("an id beyond 128 bits", swap(ORIGIN, "/ws_0", "/ws_8")),
        ("an id in upper case", swap(ORIGIN, "ws_01jd", "ws_01JD")),
        ("no log name", swap(ORIGIN, "bailiwick.example.com/", "")),
        ("an empty log name", swap(ORIGIN, "bailiwick.example.com", "")),
        ("a doubled slash", swap(ORIGIN, "bailiwick.", "bailiwick//")),
        ("an upper-case log name", swap(ORIGIN, "bailiwick", "Bailiwick")),
        ("a scheme", format!("https://{ORIGIN}")),
        ("a long log name", swap(ORIGIN, "bailiwick.example.com", &"a".repeat(129))),
        ("a line end", format!("{ORIGIN}\n")),
        ("a plus", swap(ORIGIN, "bailiwick", "baili+wick")),
    ] {
        file.bad(name, json!({ "origin": text }), "origin");
    }
    file.done()
}

pub(super) fn entry() -> Value {
    let mut file = File::about("Entries: `entry` is the stored bytes, which the leaf hash is over.");
    for (name, origin, seq) in [
        ("the first of a log", ORIGIN, 0),
        ("a later one", ORIGIN, 3),
        ("of the test log", "bailiwick.example.com/w/ws_01jdtp9xk8e6ts1zq2v3w4x5y6/test/1", 1),
        ("of the cell's log", "bailiwick.example.com/cell/7", 1),
    ] {
        let log = LogOnPaper::new(origin, seq + 1, 1);
        let expect = json!({
            "leaf_hash": log.leaf(seq).to_hex(),
            "seq": seq,
            "gen": log.origin.generation(),
            "prev": seq.checked_sub(1).map_or("0".repeat(64), |before| log.leaf(before).to_hex()),
        });
        file.good(name, json!({ "entry": log.entry(seq) }), expect);
    }
    let log = LogOnPaper::new(ORIGIN, 2, 1);
    let (first, second) = (log.entry(0), log.entry(1));
    let zeros = "0".repeat(64);
    let long = format!("{first}{}", " ".repeat(65_536 - first.len()));
    for (name, entry, detail) in [
        ("empty", String::new(), "entry_shape"),
        ("cut", first[..first.len() - 1].to_owned(), "entry_shape"),
        ("no object", "[]".to_owned(), "entry_shape"),
        ("a member is missing", swap(first, "\"v\":1,", ""), "entry_shape"),
        ("a member too many", swap(first, "\"v\":1,", "\"v\":1,\"w\":1,"), "entry_shape"),
        ("a member twice", swap(first, "\"v\":1,", "\"v\":1,\"v\":1,"), "entry_shape"),
        ("a commitment too many", swap(first, "\"c\":{", "\"c\":{\"aaaa\":\"\","), "entry_shape"),
        ("a number as text", swap(first, "\"seq\":0", "\"seq\":\"0\""), "entry_shape"),
        ("a fraction", swap(first, "\"seq\":0", "\"seq\":0.5"), "entry_shape"),
        ("a negative number", swap(first, "\"seq\":0", "\"seq\":-1"), "entry_shape"),
        ("a line end", format!("{first}\n"), "entry_not_canonical"),
        ("a space", swap(first, "\"v\":1", "\"v\": 1"), "entry_not_canonical"),
        (
            "members out of order",
            swap(&swap(first, "\"v\":1,", ""), "\"seq\"", "\"v\":1,\"seq\""),
            "entry_not_canonical",
        ),
        ("an escape", swap(first, "api_key", "\\u0061pi_key"), "entry_not_canonical"),
        ("another version", swap(first, "\"v\":1", "\"v\":2"), "entry_version"),
        ("generation 0", swap(first, "\"gen\":1", "\"gen\":0"), "entry_generation"),
        ("generation 2^32", swap(first, "\"gen\":1", "\"gen\":4294967296"), "entry_generation"),
        ("seq 2^53", swap(second, "\"seq\":1", "\"seq\":9007199254740992"), "entry_seq"),
        ("ts 2^53", swap(first, "\"ts\":1763782979123", "\"ts\":9007199254740992"), "entry_timestamp"),
        ("an unknown environment", swap(first, "\"live\"", "\"prod\""), "entry_log"),
        ("a user's id as workspace", swap(first, "\"ws_", "\"usr_"), "entry_log"),
        (
            "the cell's log in the test environment",
            swap(&swap(first, "ws_01jdtp9xk8e6ts1zq2v3w4x5y6", "cell"), "\"live\"", "\"test\""),
            "entry_log",
        ),
        ("an address as action", swap(first, "api_key.created", "ada@example.com"), "entry_action"),
        ("an action of one word", swap(first, "api_key.created", "created"), "entry_action"),
        ("an action with a digit", swap(first, "api_key.created", "api_key.created2"), "entry_action"),
        ("a long action", swap(first, "api_key.created", &format!("a.{}", "b".repeat(99))), "entry_action"),
        ("a trace that is no hex", swap(first, &"01".repeat(16), &"0x".repeat(16)), "entry_trace"),
        ("a trace in upper case", swap(first, &"01".repeat(16), &"0A".repeat(16)), "entry_trace"),
        ("something before the first", swap(first, &zeros, &"1".repeat(64)), "entry_prev"),
        ("nothing before the second", swap(second, &log.leaf(0).to_hex(), &zeros), "entry_prev"),
        ("a short hash", swap(second, &log.leaf(0).to_hex(), "00"), "entry_prev"),
        ("a commitment in upper case", swap(first, "\"actor\":\"", "\"actor\":\"A"), "entry_commitment"),
        ("too long", long, "entry_too_long"),
    ] {
        file.bad(name, json!({ "entry": entry }), detail);
    }
    file.done()
}

pub(super) fn chain() -> Value {
    let mut file = File::about(
        "Walks over all entries of a log, from the first; `seq` is the first bad one. That a walk ends too early, only a checkpoint tells.",
    );
    let (log, other) = (LogOnPaper::new(ORIGIN, 6, 1), LogOnPaper::new(ORIGIN, 6, 2));
    let all: Vec<&str> = (0..6).map(|seq| log.entry(seq)).collect();
    for size in [0, 1, 6] {
        let entries = &all[..usize::try_from(size).unwrap()];
        let expect = json!({ "size": size, "root": log.root(size).to_hex() });
        file.good(&format!("{size} entries"), json!({ "origin": ORIGIN, "entries": entries }), expect);
    }
    let mut walk = |name: &str, entries: Vec<String>, detail: &str, seq: u64| {
        file.bad_at(name, json!({ "origin": ORIGIN, "entries": entries }), detail, seq);
    };
    let changed = |change: &dyn Fn(&mut Vec<String>)| {
        let mut entries: Vec<String> = all.iter().map(ToString::to_string).collect();
        change(&mut entries);
        entries
    };
    walk("one is removed", changed(&|all| drop(all.remove(2))), "other_seq", 2);
    walk("the first is removed", changed(&|all| drop(all.remove(0))), "other_seq", 0);
    walk("two are swapped", changed(&|all| all.swap(2, 4)), "other_seq", 2);
    walk("one is doubled", changed(&|all| all.insert(3, all[2].clone())), "other_seq", 3);
    walk("one is changed", changed(&|all| all[2] = swap(&all[2], "created", "revoked")), "unlinked", 2);
    walk("one is of another log", changed(&|all| all[3] = swap(&all[3], "\"live\"", "\"test\"")), "other_log", 3);
    walk(
        "one is of another generation",
        changed(&|all| all[3] = swap(&all[3], "\"gen\":1", "\"gen\":2")),
        "other_log",
        3,
    );
    walk("one is of another history", changed(&|all| all[3] = other.entry(3).to_owned()), "unlinked", 2);
    walk("one is damaged", changed(&|all| all[3] = swap(&all[3], "{", "")), "entry_shape", 3);
    file.done()
}
