//! What is said to witnesses, by them, and of them.

use bailiwick_proof::checkpoint::SignedCheckpoint;
use bailiwick_proof::cosignature::{AddCheckpoint, CosigningKey};
use bailiwick_proof::merkle::Hash;
use bailiwick_proof::note::{Signature, SigningKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::case::{File, swap};
use super::log_on_paper::LogOnPaper;

const CELL: &str = "bailiwick.example.com/cell/1";
const TIME: u64 = 1_763_782_979;

fn witness(name: &str, seed: u8) -> CosigningKey {
    CosigningKey::from_seed(name, &[seed; 32]).unwrap()
}

fn one() -> CosigningKey {
    witness("witness.example/one", 11)
}

fn two() -> CosigningKey {
    witness("witness.example/two", 12)
}

fn three() -> CosigningKey {
    witness("witness.example/three", 13)
}

fn cosigned(signed: &SignedCheckpoint, witnesses: &[&CosigningKey]) -> SignedCheckpoint {
    let lines: Vec<Signature> = witnesses.iter().map(|key| key.cosign(signed.note().text(), TIME)).collect();
    signed.with(&lines).unwrap()
}

pub(super) fn witness_key() -> Value {
    let mut file = File::about("Verifier keys of witnesses (signature type 4). `public_key` and `key_id` are hex.");
    for key in [one(), two(), witness("w", 14)] {
        let key = key.witness();
        let public: String = key.public().iter().map(|byte| format!("{byte:02x}")).collect();
        let expect = json!({ "name": key.name(), "key_id": key.id().to_string(), "public_key": public });
        file.good(key.name(), json!({ "vkey": key.to_string() }), expect);
    }
    let vkey = one().witness().to_string();
    let [name, id, public] = vkey.splitn(3, '+').collect::<Vec<_>>().try_into().unwrap();
    let log = SigningKey::from_seed(name, &[11; 32]).unwrap().verifier().to_string();
    for (case, vkey, detail) in [
        ("empty", String::new(), "vkey_shape"),
        ("cut", vkey[..vkey.len() - 1].to_owned(), "vkey_shape"),
        ("a line end", format!("{vkey}\n"), "vkey_shape"),
        ("the same key as that of a log", log, "vkey_algorithm"),
        ("another id", swap(&vkey, id, "00000000"), "vkey_id"),
        ("the key of another name", swap(&vkey, "/one", "/two"), "vkey_id"),
        ("an empty name", format!("+{id}+{public}"), "vkey_name"),
    ] {
        file.bad(case, json!({ "vkey": vkey }), detail);
    }
    file.done()
}

pub(super) fn cosignature() -> Value {
    let mut file = File::about(
        "Cosignatures. `witness` is the vkey of the witness that must have cosigned, `time` when it says that it has, in seconds since 1970.",
    );
    let (log, one, two) = (LogOnPaper::new(CELL, 5, 1), one(), two());
    let signed = log.checkpoint(5);
    let input = |note: &str, key: &CosigningKey| json!({ "checkpoint": note, "witness": key.witness().to_string() });
    let both = cosigned(&signed, &[&one, &two]).to_string();
    file.good("one cosignature", input(&cosigned(&signed, &[&one]).to_string(), &one), json!({ "time": TIME }));
    file.good("the second of two", input(&both, &two), json!({ "time": TIME }));
    for time in [0, 1 << 33, (1 << 63) - 1] {
        let note = signed.with(&[one.cosign(signed.note().text(), time)]).unwrap().to_string();
        file.good(&format!("time {time}"), input(&note, &one), json!({ "time": time }));
    }
    let mut extended = log.unsigned(5);
    extended.extensions = vec!["an extension line".to_owned()];
    let extended = SignedCheckpoint::sign(extended, &[&log.key]).unwrap();
    let note = cosigned(&extended, &[&one]).to_string();
    file.good("over extension lines", input(&note, &one), json!({ "time": TIME }));
    bad_cosignatures(&mut file, &log, &one, &two);
    file.done()
}

fn bad_cosignatures(file: &mut File, log: &LogOnPaper, one: &CosigningKey, two: &CosigningKey) {
    let signed = log.checkpoint(5);
    let text = signed.note().text();
    let line = one.cosign(text, TIME).to_string();
    let (_, encoded) = line.rsplit_once(' ').unwrap();
    let bytes = STANDARD.decode(encoded).unwrap();
    let with = |bytes: &[u8]| format!("{signed}— witness.example/one {}\n", STANDARD.encode(bytes));
    let later = [&bytes[..4], &(TIME + 1).to_be_bytes(), &bytes[12..]].concat();
    let plain = SigningKey::from_seed("witness.example/one", &[11; 32]).unwrap().sign(text).to_string();
    let plain = STANDARD.decode(plain.rsplit_once(' ').unwrap().1).unwrap();
    let untimed = [&bytes[..12], &plain[4..]].concat();
    let unbounded = one.cosign(text, 1 << 63);
    let namesake = witness("witness.example/one", 12);
    for (name, note, detail) in [
        ("not cosigned", signed.to_string(), "no_known_signature"),
        ("by another witness alone", cosigned(&signed, &[two]).to_string(), "no_known_signature"),
        ("by another key of the name", cosigned(&signed, &[&namesake]).to_string(), "no_known_signature"),
        ("as a log signs", with(&plain), "no_known_signature"),
        ("another size", swap(&cosigned(&signed, &[one]).to_string(), "\n5\n", "\n6\n"), "bad_signature"),
        (
            "the cosignature of another size",
            format!("{signed}{}\n", one.cosign(log.checkpoint(4).note().text(), TIME)),
            "bad_signature",
        ),
        ("a later time", with(&later), "bad_signature"),
        ("a time of 2^63", format!("{signed}{unbounded}\n"), "bad_signature"),
        ("signed without the time", with(&untimed), "bad_signature"),
        ("cut", with(&bytes[..bytes.len() - 1]), "bad_signature"),
        ("a byte too many", with(&[bytes.as_slice(), &[0]].concat()), "bad_signature"),
        ("cosigned twice", format!("{signed}{line}\n{line}\n"), "signed_twice"),
        ("a line that is none", format!("{signed}cosigned by witness.example/one\n"), "note_signature_line"),
    ] {
        let input = json!({ "checkpoint": note, "witness": one.witness().to_string() });
        file.bad(name, input, detail);
    }
}

pub(super) fn add_checkpoint() -> Value {
    let mut file =
        File::about("What a log asks of a witness (C2SP tlog-witness): its form alone, nothing is verified.");
    let log = LogOnPaper::new(CELL, 9, 1);
    let request = |old: u64, size: u64| AddCheckpoint {
        old,
        path: if old == 0 { Vec::new() } else { log.consistency(old, size) },
        checkpoint: log.checkpoint(size),
    };
    for (old, size) in [(0, 1), (0, 9), (3, 9), (8, 9), (9, 9)] {
        let request = request(old, size);
        let path: Vec<String> = request.path.iter().map(Hash::to_hex).collect();
        let expect = json!({ "old": old, "path": path, "origin": CELL, "size": size });
        file.good(&format!("from {old} to {size}"), json!({ "request": request.to_string() }), expect);
    }
    let text = request(3, 9).to_string();
    let first = request(3, 9).path[0].to_base64();
    for (name, request, detail) in [
        ("empty", String::new(), "request_cut"),
        ("the checkpoint alone", log.checkpoint(9).to_string(), "request_old"),
        ("cut behind the path", format!("{}\n", text.split_once("\n\n").unwrap().0), "request_cut"),
        ("no size", swap(&text, "old 3\n", "old\n"), "request_old"),
        ("a leading zero", swap(&text, "old 3", "old 03"), "request_old"),
        ("a size of 2^53", swap(&text, "old 3", "old 9007199254740992"), "request_old"),
        ("a word too many", swap(&text, "old 3", "old 3 4"), "request_old"),
        ("upper case", swap(&text, "old", "OLD"), "request_old"),
        ("a path in hex", swap(&text, &first, &request(3, 9).path[0].to_hex()), "request_path"),
        ("64 hashes", swap(&text, &first, &vec![first.as_str(); 64].join("\n")), "request_path"),
        ("cut in the signature", text[..text.len() - 5].to_owned(), "note_shape"),
        ("carriage returns behind the path", swap(&text, "\n9\n", "\r\n9\r\n"), "note_control_character"),
    ] {
        file.bad(name, json!({ "request": request }), detail);
    }
    file.done()
}

pub(super) fn policy() -> Value {
    let mut file = File::about(
        "Policies (C2SP tlog-policy) and the checkpoints that they are asked about; `cosigned` is who has, as the policy calls them.",
    );
    let log = LogOnPaper::new(CELL, 5, 1);
    let (one, two, three) = (one(), two(), three());
    let witnesses: String = [("A", &one), ("B", &two), ("C", &three)]
        .map(|(name, key)| format!("witness {name} {}\n", key.witness()))
        .concat();
    let group = format!("log {}\n{witnesses}group two-of-three 2 A B C\nquorum two-of-three\n", log.vkey());
    let nested = format!("{witnesses}group either any B C\ngroup both all A either\nquorum both\n");
    let alone = format!("# one witness\n\n  witness\tA {} https://w.example/x \nquorum A\n", one.witness());
    let nobody = format!("log {} https://logs.example\nquorum none\n", log.vkey());
    let case = |policy: &str, keys: &[&CosigningKey]| json!({ "policy": policy, "checkpoint": cosigned(&log.checkpoint(5), keys).to_string() });
    for (name, policy, keys, expect) in [
        ("two of three", &group, &[&one, &three][..], &["A", "C"][..]),
        ("three of three where two are asked for", &group, &[&three, &two, &one], &["A", "B", "C"]),
        ("a group in a group", &nested, &[&one, &two], &["A", "B"]),
        ("one witness, white space, a comment, a URL", &alone, &[&one, &two], &["A"]),
        ("nobody", &nobody, &[&one], &[]),
    ] {
        file.good(name, case(policy, keys), json!({ "cosigned": expect }));
    }
    for (name, policy, keys) in [
        ("one of three", &group, &[&one][..]),
        ("nobody has", &group, &[]),
        ("the first of the inner group is missing", &nested, &[&two, &three]),
        ("both of the inner group are missing", &nested, &[&one]),
        ("another witness", &alone, &[&two]),
    ] {
        file.bad(name, case(policy, keys), "quorum_not_met");
    }
    let strange = LogOnPaper { key: SigningKey::from_seed(CELL, &[2; 32]).unwrap(), ..LogOnPaper::new(CELL, 5, 1) };
    let of_strange = cosigned(&strange.checkpoint(5), &[&one, &two]).to_string();
    file.bad(
        "another key of the log's name",
        json!({ "policy": group, "checkpoint": of_strange }),
        "no_known_signature",
    );
    let lent = one.cosign(log.checkpoint(4).note().text(), TIME);
    let spoilt = cosigned(&log.checkpoint(5), &[&two, &three]).with(&[lent]).unwrap().to_string();
    file.bad("a bad line of a third", json!({ "policy": group, "checkpoint": spoilt }), "bad_signature");
    malformed_policies(&mut file, &log, &witnesses);
    file.done()
}

fn malformed_policies(file: &mut File, log: &LogOnPaper, witnesses: &str) {
    let (key, log) = (one().witness().to_string(), log.vkey());
    let renamed = witness("another.example", 11);
    for (name, policy, detail) in [
        ("empty", String::new(), "policy_quorum"),
        ("no quorum", witnesses.to_owned(), "policy_quorum"),
        ("two quorums", "quorum none\nquorum none\n".to_owned(), "policy_quorum"),
        ("cut", format!("{witnesses}quorum A"), "policy_cut"),
        ("carriage returns", "quorum none\r\n".to_owned(), "policy_control_character"),
        ("a comment behind words", "quorum none # of them\n".to_owned(), "policy_line"),
        ("a witness without a name", format!("witness {key}\nquorum none\n"), "policy_line"),
        ("an empty group", format!("{witnesses}group G any\nquorum G\n"), "policy_line"),
        ("a log's key for a witness", format!("witness A {log}\nquorum A\n"), "vkey_algorithm"),
        ("a witness's key for a log", format!("log {key}\nquorum none\n"), "vkey_algorithm"),
        (
            "one key under two names",
            format!("{witnesses}witness D {}\nquorum D\n", renamed.witness()),
            "policy_repeated_key",
        ),
        ("a name twice", format!("{witnesses}group A any B\nquorum A\n"), "policy_name"),
        ("the reserved name", format!("witness none {key}\nquorum none\n"), "policy_name"),
        ("a name of nothing", format!("{witnesses}quorum D\n"), "policy_unknown_name"),
        ("a name from below", format!("quorum A\n{witnesses}"), "policy_unknown_name"),
        ("a group in itself", format!("{witnesses}group G any G\nquorum G\n"), "policy_unknown_name"),
        ("a member twice", format!("{witnesses}group G 2 A A\nquorum G\n"), "policy_repeated_member"),
        (
            "a member of two groups",
            format!("{witnesses}group G any A\ngroup H any A\nquorum H\n"),
            "policy_repeated_member",
        ),
        ("none of the members", format!("{witnesses}group G 0 A B\nquorum G\n"), "policy_threshold"),
        ("more than there are", format!("{witnesses}group G 3 A B\nquorum G\n"), "policy_threshold"),
    ] {
        file.bad(name, json!({ "policy": policy }), detail);
    }
}
