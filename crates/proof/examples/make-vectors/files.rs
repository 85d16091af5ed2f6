//! What leaves the house: receipts and pairs; and the journal, which does not.

use bailiwick_proof::checkpoint::SignedCheckpoint;
use bailiwick_proof::commitment::Field;
use bailiwick_proof::consistency::Pair;
use bailiwick_proof::merkle::Hash;
use bailiwick_proof::note::{SignedNote, SigningKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::case::{File, swap};
use super::log_on_paper::{LogOnPaper, ORIGIN};

const OTHER_WORKSPACE: &str = "bailiwick.example.com/w/ws_01jdtp9xk8e6ts1zq2v3w4x5y7/live/1";
const OTHER_ENVIRONMENT: &str = "bailiwick.example.com/w/ws_01jdtp9xk8e6ts1zq2v3w4x5y6/test/1";
const OTHER_GENERATION: &str = "bailiwick.example.com/w/ws_01jdtp9xk8e6ts1zq2v3w4x5y6/live/2";

pub(super) fn receipt() -> Value {
    let mut file =
        File::about("Receipts. `known` are the verifier keys that one trusts; `opened` is what the openings reveal.");
    let log = LogOnPaper::new(ORIGIN, 9, 1);
    good_receipts(&mut file, &log);
    malformed_receipts(&mut file, &log);
    foreign_receipts(&mut file, &log);
    file.done()
}

fn good_receipts(file: &mut File, log: &LogOnPaper) {
    for (index, size, open) in [
        (0, 1, &[][..]),
        (0, 9, &[Field::Actor]),
        (2, 5, &[Field::Actor, Field::Target]),
        (5, 9, &[Field::Ip, Field::Meta]),
        (8, 9, &Field::ALL),
    ] {
        let receipt = log.receipt(index, size, open);
        let opened: serde_json::Map<String, Value> =
            receipt.openings.iter().map(|(field, opening)| (field.to_string(), json!(opening.value))).collect();
        let expect = json!({ "origin": ORIGIN, "seq": index, "size": size, "leaf_hash": log.leaf(index).to_hex(), "opened": opened });
        let name = format!("{index} of {size}, {} opened", open.len());
        file.good(&name, json!({ "receipt": receipt.to_string(), "known": [log.vkey()] }), expect);
    }
    let cell = LogOnPaper::new("bailiwick.example.com/cell/1", 3, 1);
    let expect = json!({ "origin": "bailiwick.example.com/cell/1", "seq": 1, "size": 3, "leaf_hash": cell.leaf(1).to_hex(), "opened": {} });
    let text = cell.receipt(1, 3, &[]).to_string();
    file.good("of the cell's log", json!({ "receipt": text, "known": [cell.vkey(), log.vkey()] }), expect);
    let new = SigningKey::from_seed(ORIGIN, &[2; 32]).unwrap();
    let mut receipt = log.receipt(2, 5, &[]);
    receipt.checkpoint = SignedCheckpoint::sign(log.unsigned(5), &[&new, &log.key]).unwrap();
    let expect = json!({ "origin": ORIGIN, "seq": 2, "size": 5, "leaf_hash": log.leaf(2).to_hex(), "opened": {} });
    file.good(
        "signed by two keys of which one is known",
        json!({ "receipt": receipt.to_string(), "known": [log.vkey()] }),
        expect,
    );
}

fn malformed_receipts(file: &mut File, log: &LogOnPaper) {
    let receipt = log.receipt(2, 5, &[Field::Actor]);
    let text = receipt.to_string();
    let extra = text.lines().nth(1).unwrap().strip_prefix("extra ").unwrap();
    let json = String::from_utf8(STANDARD.decode(extra).unwrap()).unwrap();
    let with = |json: &str| swap(&text, extra, &STANDARD.encode(json));
    let first = format!("{}\n", receipt.path[0].to_base64());
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    for (name, receipt, detail) in [
        ("empty", String::new(), "receipt_header"),
        ("another version", swap(&text, "@v1", "@v2"), "receipt_header"),
        ("carriage returns", text.replace('\n', "\r\n"), "receipt_header"),
        ("cut after the path", lines[..6].concat(), "receipt_cut"),
        ("cut after the empty line", lines[..7].concat(), "note_shape"),
        ("cut after the checkpoint's text", lines[..10].concat(), "note_shape"),
        ("cut in the signature", text[..text.len() - 9].to_owned(), "note_shape"),
        ("cut before the last line end", text[..text.len() - 1].to_owned(), "note_shape"),
        ("something behind it", format!("{text}more\n"), "note_signature_line"),
        ("no extra", swap(&text, lines[1], ""), "receipt_extra"),
        ("an extra that is not base64", swap(&text, "extra ", "extra !"), "receipt_extra"),
        ("an extra with a space", with(&swap(&json, "\"openings\":{", "\"openings\": {")), "not_canonical"),
        ("an extra out of order", with("{\"openings\":{},\"entry\":\"\"}"), "not_canonical"),
        ("an extra with an escape too many", with(&swap(&json, "usr_", "\\u0075sr_")), "not_canonical"),
        ("an extra with a member twice", with("{\"entry\":\"\",\"entry\":\"\",\"openings\":{}}"), "not_canonical"),
        ("a cut extra", with(&json[..json.len() - 1]), "not_json"),
        (
            "an extra with a member too many",
            with(&swap(&json, "\"openings\":{", "\"note\":\"\",\"openings\":{")),
            "receipt_extra_members",
        ),
        ("an extra without openings", with("{\"entry\":\"\"}"), "receipt_extra_members"),
        ("an opening of another field", with(&swap(&json, "{\"actor\":{", "{\"author\":{")), "receipt_extra_members"),
        (
            "an opening without value",
            with(&format!("{}{}", json.split(",\"value\"").next().unwrap(), "}}}")),
            "receipt_extra_members",
        ),
        (
            "an opening with a short r",
            with(&swap(&json, "\"r\":\"", "\"r\":\"AAAA\",\"s\":\"")),
            "receipt_extra_members",
        ),
        ("an entry as object", with("{\"entry\":{},\"openings\":{}}"), "receipt_extra_members"),
        ("an index with a leading zero", swap(&text, "index 2", "index 02"), "receipt_index"),
        ("an index of 2^53", swap(&text, "index 2", "index 9007199254740992"), "receipt_index"),
        ("no index", swap(&text, "index 2\n", ""), "receipt_index"),
        ("a path in hex", swap(&text, &first, &format!("{}\n", receipt.path[0].to_hex())), "receipt_path"),
        ("65 hashes", swap(&text, &first, &first.repeat(63)), "receipt_path"),
    ] {
        file.bad(name, json!({ "receipt": receipt, "known": [log.vkey()] }), detail);
    }
}

fn foreign_receipts(file: &mut File, log: &LogOnPaper) {
    let honest = log.receipt(2, 5, &[Field::Actor]);
    let known = |others: &[&LogOnPaper]| -> Vec<String> {
        std::iter::once(log).chain(others.iter().copied()).map(LogOnPaper::vkey).collect()
    };
    let mut case =
        |name: &str, change: &dyn Fn(&mut bailiwick_proof::receipt::Receipt), known: Vec<String>, detail: &str| {
            let mut receipt = honest.clone();
            change(&mut receipt);
            let error =
                receipt.verify(&known.iter().map(|vkey| vkey.parse().unwrap()).collect::<Vec<_>>()).unwrap_err();
            let input = json!({ "receipt": receipt.to_string(), "known": known });
            match error.seq() {
                Some(seq) => file.bad_at(name, input, detail, seq),
                None => file.bad(name, input, detail),
            }
        };
    for (name, from, to, detail) in [
        ("a changed byte in the action", "created", "creates", "not_included"),
        ("a changed byte in a commitment", "\"actor\":\"", "\"actor\":\"0", "entry_commitment"),
        ("a changed byte in the time", "\"ts\":1763", "\"ts\":1764", "not_included"),
        ("a changed byte that spoils the JSON", "\"v\":1", "\"v\":l", "entry_shape"),
        ("a space in the entry", ",\"v\"", ", \"v\"", "entry_not_canonical"),
        ("an entry of another environment", "\"live\"", "\"test\"", "other_log"),
        ("an entry of another generation", "\"gen\":1", "\"gen\":2", "other_log"),
        ("an entry that says another place", "\"seq\":2", "\"seq\":3", "other_seq"),
    ] {
        case(name, &|receipt| receipt.entry = swap(&receipt.entry, from, to), known(&[]), detail);
    }
    for (name, origin) in [
        ("a foreign workspace's checkpoint", OTHER_WORKSPACE),
        ("the other environment's checkpoint", OTHER_ENVIRONMENT),
        ("another generation's checkpoint", OTHER_GENERATION),
        ("the cell's checkpoint", "bailiwick.example.com/cell/1"),
    ] {
        let other = LogOnPaper::new(origin, 5, 1);
        case(name, &|receipt| receipt.checkpoint = other.checkpoint(5), known(&[&other]), "other_log");
        case(
            &format!("{name}, of which the key is not known"),
            &|receipt| receipt.checkpoint = other.checkpoint(5),
            known(&[]),
            "no_known_signature",
        );
    }
    let other = LogOnPaper::new(OTHER_WORKSPACE, 5, 1);
    let note = |text: &str, keys: &[&SigningKey]| SignedNote::sign(text, keys).unwrap().to_string();
    let text = log.unsigned(5).text();
    let swapped = swap(&honest.checkpoint.to_string(), ORIGIN, OTHER_WORKSPACE);
    case(
        "a swapped origin",
        &|receipt| receipt.checkpoint = swapped.parse().unwrap(),
        known(&[&other]),
        "bad_signature",
    );
    let lent = note(&text, &[&other.key]);
    case(
        "signed by another log's key",
        &|receipt| receipt.checkpoint = lent.parse().unwrap(),
        known(&[&other]),
        "other_logs_key",
    );
    let signed = honest.checkpoint.to_string();
    let twice = format!("{signed}{}", signed.split_once("\n\n").unwrap().1);
    case(
        "two signatures of one key",
        &|receipt| receipt.checkpoint = twice.parse().unwrap(),
        known(&[]),
        "signed_twice",
    );
    let stranger = SigningKey::from_seed(ORIGIN, &[9; 32]).unwrap();
    let strange = note(&text, &[&stranger]);
    case(
        "an unknown key only",
        &|receipt| receipt.checkpoint = strange.parse().unwrap(),
        known(&[]),
        "no_known_signature",
    );
    let forged = swap(&signed, &log.root(5).to_base64(), &log.root(6).to_base64());
    case(
        "another root under the signature",
        &|receipt| receipt.checkpoint = forged.parse().unwrap(),
        known(&[]),
        "bad_signature",
    );
    let rewritten = LogOnPaper::new(ORIGIN, 9, 2);
    case(
        "the checkpoint of another history",
        &|receipt| receipt.checkpoint = rewritten.checkpoint(5),
        known(&[]),
        "not_included",
    );
    case("the index of another entry", &|receipt| receipt.index = 3, known(&[]), "other_seq");
    case("an index outside the tree", &|receipt| receipt.checkpoint = log.checkpoint(2), known(&[]), "outside_tree");
    case("the path of another size", &|receipt| receipt.checkpoint = log.checkpoint(4), known(&[]), "path_length");
    case("a hash too few", &|receipt| receipt.path.truncate(2), known(&[]), "path_length");
    case("a path out of order", &|receipt| receipt.path.swap(0, 1), known(&[]), "not_included");
    case("another hash in the path", &|receipt| receipt.path[1] = Hash::ZERO, known(&[]), "not_included");
    case("another value in an opening", &|receipt| open(receipt).value.push('0'), known(&[]), "wrong_opening");
    case("another r in an opening", &|receipt| open(receipt).r = [0; 32], known(&[]), "wrong_opening");
    case("the opening of another field", &|receipt| move_opening(receipt), known(&[]), "wrong_opening");
}

fn open(receipt: &mut bailiwick_proof::receipt::Receipt) -> &mut bailiwick_proof::commitment::Opening {
    receipt.openings.get_mut(&Field::Actor).unwrap()
}

fn move_opening(receipt: &mut bailiwick_proof::receipt::Receipt) {
    let opening = receipt.openings.remove(&Field::Actor).unwrap();
    receipt.openings.insert(Field::Target, opening);
}

pub(super) fn pair() -> Value {
    let mut file = File::about(
        "Pairs of checkpoints. `two_roots` convicts the log: both checkpoints are signed by its key. `shrank` does not, for two honest checkpoints in the wrong order give it too.",
    );
    let (log, rewritten) = (LogOnPaper::new(ORIGIN, 9, 1), LogOnPaper::new(ORIGIN, 9, 2));
    for (older, newer) in [(0, 0), (0, 9), (1, 2), (3, 5), (4, 8), (5, 9), (8, 9), (9, 9)] {
        let expect = json!({ "origin": ORIGIN, "older_size": older, "newer_size": newer });
        file.good(
            &format!("{older} to {newer}"),
            json!({ "pair": log.pair(older, newer).to_string(), "known": [log.vkey()] }),
            expect,
        );
    }
    let text = log.pair(5, 9).to_string();
    let path = log.consistency(5, 9);
    let first = format!("{}\n", path[0].to_base64());
    for (name, pair, detail) in [
        ("empty", String::new(), "pair_header"),
        ("another version", swap(&text, "@v1", "@v2"), "pair_header"),
        ("the first line only", "bailiwick/tlog-consistency@v1\n".to_owned(), "pair_cut"),
        ("one checkpoint", format!("bailiwick/tlog-consistency@v1\n\n{}", log.checkpoint(5)), "pair_cut"),
        ("cut after the second checkpoint's text", text[..text.rfind("\n\n").unwrap() + 1].to_owned(), "pair_cut"),
        ("cut before the last line end", text[..text.len() - 1].to_owned(), "note_shape"),
        ("three checkpoints", format!("{text}\n{}", log.checkpoint(9)), "pair_cut"),
        ("two empty lines", swap(&text, "\n\n", "\n\n\n"), "checkpoint_shape"),
        ("a path in hex", swap(&text, &first, &format!("{}\n", path[0].to_hex())), "pair_path"),
        ("129 hashes", swap(&text, &first, &first.repeat(126)), "pair_path"),
        ("a size with a leading zero", swap(&text, "\n5\n", "\n05\n"), "checkpoint_size"),
        ("another size under the older signature", swap(&text, "\n5\n", "\n4\n"), "bad_signature"),
        ("another size under the newer signature", swap(&text, "\n9\n", "\n8\n"), "bad_signature"),
        (
            "another origin over the newer signature",
            swap_last(&text, &format!("{ORIGIN}\n9\n"), &format!("{OTHER_WORKSPACE}\n9\n")),
            "bad_signature",
        ),
    ] {
        file.bad(name, json!({ "pair": pair, "known": [log.vkey()] }), detail);
    }
    let other = LogOnPaper::new(OTHER_GENERATION, 9, 1);
    let pair = |path: &[Hash], older: SignedCheckpoint, newer: SignedCheckpoint| {
        Pair { path: path.to_vec(), older, newer }.to_string()
    };
    let known = json!([log.vkey(), other.vkey()]);
    let shrank = pair(&[], log.checkpoint(9), log.checkpoint(5));
    file.bad_at("the second is the smaller", json!({ "pair": shrank, "known": known }), "shrank", 5);
    for (name, pair, detail) in [
        ("misbehaviour: two roots at one size", pair(&[], log.checkpoint(5), rewritten.checkpoint(5)), "two_roots"),
        (
            "misbehaviour: two roots at one size, with a path",
            pair(&path, log.checkpoint(9), rewritten.checkpoint(9)),
            "two_roots",
        ),
        ("two logs", pair(&path, log.checkpoint(5), other.checkpoint(9)), "other_origin"),
    ] {
        file.bad(name, json!({ "pair": pair, "known": known }), detail);
    }
    for (name, pair, detail) in [
        ("a log that was rewritten", pair(&path, log.checkpoint(5), rewritten.checkpoint(9)), "not_the_newer_root"),
        (
            "a log that was another one before",
            pair(&path, rewritten.checkpoint(5), log.checkpoint(9)),
            "not_the_older_root",
        ),
        ("a hash too few", pair(&path[1..], log.checkpoint(5), log.checkpoint(9)), "path_length"),
        ("a path between equal sizes", pair(&path, log.checkpoint(9), log.checkpoint(9)), "path_length"),
    ] {
        file.bad_growth(name, json!({ "pair": pair, "known": known }), detail);
    }
    let strange = pair(&path, log.checkpoint(5), log.checkpoint(9));
    file.bad("a key that is not known", json!({ "pair": strange, "known": [other.vkey()] }), "no_known_signature");
    file.done()
}

fn swap_last(text: &str, from: &str, to: &str) -> String {
    let at = text.rfind(from).unwrap();
    format!("{}{to}{}", &text[..at], &text[at + from.len()..])
}

pub(super) fn journal() -> Value {
    let mut file = File::about(
        "Journals of a signer: the objects in order, from number 1, as stored. Their names are `journal/<20 digits>.json`.",
    );
    let log = LogOnPaper::new(ORIGIN, 9, 1);
    let cell = "bailiwick.example.com/cell/1";
    let head = |origin: &str, size: u64| {
        format!("{{\"origin\":\"{origin}\",\"size\":{size},\"root\":\"{}\"}}", log.root(size).to_base64())
    };
    let mut objects: Vec<String> = Vec::new();
    for (snapshot, heads) in [
        (true, vec![]),
        (false, vec![head(ORIGIN, 3)]),
        (false, vec![head(cell, 1), head(ORIGIN, 5)]),
        (true, vec![head(cell, 1), head(ORIGIN, 5)]),
    ] {
        let n = objects.len() + 1;
        let prev = objects.last().map_or("0".repeat(64), |before| Hash::of(before.as_bytes()).to_hex());
        let at = 1_763_782_979_123 + n;
        let heads = heads.join(",");
        objects.push(format!(
            "{{\"v\":1,\"n\":{n},\"at\":{at},\"prev\":\"{prev}\",\"snapshot\":{snapshot},\"heads\":[{heads}]}}"
        ));
    }
    for count in [1, 4] {
        let heads = if count == 1 { json!({}) } else { json!({ cell: 1, ORIGIN: 5 }) };
        file.good(&format!("{count} objects"), json!({ "objects": objects[..count] }), json!({ "sizes": heads }));
    }
    let mut case = |name: &str, change: &dyn Fn(&mut Vec<String>)| {
        let mut changed = objects.clone();
        change(&mut changed);
        file.bad(name, json!({ "objects": changed }), "journal");
    };
    case("one is removed", &|all| drop(all.remove(1)));
    case("two are swapped", &|all| all.swap(1, 2));
    case("one is changed", &|all| all[1] = swap(&all[1], "\"size\":3", "\"size\":4"));
    case("the first follows something", &|all| all[0] = swap(&all[0], &"0".repeat(64), &"1".repeat(64)));
    case("another version", &|all| all[3] = swap(&all[3], "\"v\":1", "\"v\":2"));
    case("a member too many", &|all| all[3] = swap(&all[3], "\"v\":1", "\"v\":1,\"w\":1"));
    case("cut", &|all| all[3].truncate(40));
    file.done()
}
