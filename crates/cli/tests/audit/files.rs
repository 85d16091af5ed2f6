//! `verify`: files, and nobody to ask.

use std::io::Write;
use std::process::{Command, Stdio};

use bailiwick_proof::commitment::Field;
use bailiwick_proof::note::SigningKey;
use serde_json::{Value, json};

use crate::desk::{Desk, Run};
use crate::forger::{Forger, WORKSPACE, key};

const MAX_BYTES: usize = 1 << 20;

/// A log of five entries, its key, and somebody without any server.
struct Offline {
    log: Forger,
    key: SigningKey,
    vkey: String,
    desk: Desk,
}

impl Offline {
    fn new() -> Self {
        let log = Forger::new(1, 5);
        let key = key(&log.origin, 1);
        let vkey = key.verifier().to_string();
        Self { log, key, vkey, desk: Desk::at("http://localhost:1") }
    }

    fn verify(&self, text: &impl ToString, more: &[&str]) -> Run {
        std::fs::write(self.desk.file("file"), text.to_string()).unwrap();
        self.desk.run(&[&["verify", "file", "--key", &self.vkey], more].concat())
    }

    fn refuses(&self, text: &impl ToString, code: &str) -> Value {
        self.verify(text, &["-o", "json"]).refused(code)
    }
}

#[test]
fn each_kind_is_recognised_and_described() {
    let it = Offline::new();
    let keys = [&it.key];
    let receipt = it.verify(&it.log.receipt(2, &[Field::Actor, Field::Ip], &keys), &["-o", "json"]);
    assert!(receipt.stderr.contains("the server's clock"), "{}", receipt.stderr);
    let receipt = receipt.json();
    assert_eq!(receipt["opened"], json!({ "actor": "usr_01jdtp9xk8e6ts1zq2v3w4x5y7", "ip": "" }));
    let expected = json!({
        "verified": true, "kind": "receipt", "origin": it.log.origin, "log_name": "log.example", "workspace_id": WORKSPACE,
        "environment": "live", "generation": 1, "seq": 2, "size": 5, "action": "api_key.created",
        "recorded_at": "2025-11-22T03:42:59.123Z", "trace_id": "c44474038d459e40e4714afefa7bf8da", "signed_by": [it.vkey],
    });
    for (member, value) in expected.as_object().unwrap() {
        assert_eq!(&receipt[member], value, "{member}");
    }

    let checkpoint = it.verify(&it.log.checkpoint(&keys), &["-o", "json"]).json();
    assert_eq!((&checkpoint["kind"], &checkpoint["size"]), (&json!("checkpoint"), &json!(5)));
    assert_eq!(checkpoint["root"], receipt["root"]);
    let pair = it.verify(&it.log.grown_to(9).pair(5, &keys), &["-o", "json"]).json();
    assert_eq!((&pair["kind"], &pair["older_size"], &pair["size"]), (&json!("consistency"), &json!(5), &json!(9)));
    assert_eq!(pair["older_root"], checkpoint["root"]);
}

#[test]
fn every_form_says_it() {
    let it = Offline::new();
    let receipt = it.log.receipt(2, &[Field::Actor], &[&it.key]);
    let document = it.verify(&receipt, &["-o", "json"]).json();
    let yaml = it.verify(&receipt, &["-o", "yaml"]).stdout;
    assert_eq!(serde_saphyr::from_str::<Value>(&yaml).unwrap(), document);
    assert_eq!(it.verify(&receipt, &["-o", "id"]).stdout, format!("{}\n", it.log.origin));
    let table = it.verify(&receipt, &[]).stdout;
    let row = |start: &str| table.lines().any(|line| line.split_whitespace().collect::<Vec<_>>().join(" ") == start);
    for line in ["Verified yes", "Kind receipt", "Seq 2", "Opened actor usr_01jdtp9xk8e6ts1zq2v3w4x5y7"] {
        assert!(row(line), "{line}: {table}");
    }
}

#[test]
fn standard_input_and_several_keys_do_too() {
    let it = Offline::new();
    let other = key("other.example/cell/1", 3).verifier().to_string();
    std::fs::write(it.desk.file("keys"), format!("\n{other}\n  {}\n", it.vkey)).unwrap();
    let text = it.log.checkpoint(&[&it.key]).to_string();
    for keys in [&["--key", "@keys"][..], &["--key", &other, "--key", &it.vkey]] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_bailiwick"))
            .args([&["verify", "-"], keys].concat())
            .env_clear()
            .current_dir(it.desk.file(""))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0), "no home and no server are needed: {keys:?}");
    }
}

#[test]
fn what_is_not_proved_is_refused_with_its_seq() {
    let it = Offline::new();
    let keys = [&it.key];
    let receipt = |change: &dyn Fn(&mut bailiwick_proof::receipt::Receipt)| {
        let mut receipt = it.log.receipt(2, &[Field::Actor], &keys);
        change(&mut receipt);
        receipt
    };
    let wrong_opening =
        it.refuses(&receipt(&|it| it.openings.get_mut(&Field::Actor).unwrap().value.push('!')), "wrong_opening");
    assert_eq!(wrong_opening["seq"], 2);
    let changed = receipt(&|it| it.entry = it.entry.replace("api_key.created", "api_key.revoked"));
    assert_eq!(it.refuses(&changed, "not_included")["seq"], 2);
    assert_eq!(it.refuses(&receipt(&|it| it.index = 3), "other_seq")["seq"], 3);
    it.refuses(&receipt(&|it| it.path.truncate(1)), "path_length");

    let other = key(&it.log.origin, 2);
    let signed = |keys: &[&SigningKey]| it.log.checkpoint(keys);
    it.refuses(&signed(&[&other]), "no_known_signature");
    it.refuses(&signed(&keys).to_string().replacen("\n5\n", "\n6\n", 1), "bad_signature");
    let mut twice = signed(&keys).to_string();
    let line = twice.lines().last().unwrap().to_owned();
    twice.push_str(&format!("{line}\n"));
    it.refuses(&twice, "signed_twice");

    let small = |size| it.log.checkpoint_of(size, &keys);
    let pair = |older, newer| bailiwick_proof::consistency::Pair { path: Vec::new(), older, newer };
    let shrank = it.refuses(&pair(small(5), small(3)), "shrank");
    assert_eq!(shrank["seq"], 3);
    it.refuses(&pair(small(5), it.log.rewritten_from(2, 5).checkpoint(&keys)), "two_roots");
    let text = it.verify(&pair(small(5), small(3)), &[]);
    assert_eq!((text.code, text.stdout.as_str()), (6, ""));
    assert!(text.stderr.starts_with("error: not verified: ") && text.stderr.ends_with("\n  first bad seq: 3\n"));
    let yaml: Value = serde_saphyr::from_str(&it.verify(&pair(small(5), small(3)), &["-o", "yaml"]).stdout).unwrap();
    assert_eq!(yaml, shrank);
}

#[test]
fn a_cut_file_is_refused_wherever_it_was_cut() {
    let it = Offline::new();
    let keys = [&it.key];
    let receipt = it.log.receipt(2, &[Field::Actor], &keys).to_string();
    let texts = [receipt, it.log.checkpoint(&keys).to_string(), it.log.grown_to(9).pair(5, &keys).to_string()];
    for text in texts {
        let cuts = (0..text.len()).step_by(61).chain([text.len() - 1]).filter(|cut| text.is_char_boundary(*cut));
        for cut in cuts {
            let run = it.verify(&&text[..cut], &["-o", "json"]);
            assert_eq!(run.code, 6, "{cut} of {}: {}", text.len(), run.stderr);
            let verdict: Value = serde_json::from_str(&run.stdout).unwrap();
            assert_eq!(verdict["verified"], false);
        }
    }
}

#[test]
fn what_is_too_large_is_not_read_to_its_end() {
    let it = Offline::new();
    let large = |start: &str| start.to_owned() + &"x".repeat(MAX_BYTES + 1 - start.len());
    it.refuses(&large("c2sp.org/tlog-proof@v1\n"), "receipt_too_long");
    it.refuses(&large("bailiwick/tlog-consistency@v1\n"), "pair_too_long");
    it.refuses(&large(""), "note_too_long");
    let file = std::fs::File::create(it.desk.file("sparse")).unwrap();
    file.set_len(1 << 40).unwrap();
    it.desk.run(&["verify", "sparse", "--key", &it.vkey, "-o", "json"]).refused("note_too_long");
    #[cfg(unix)]
    it.desk.run(&["verify", "/dev/zero", "--key", &it.vkey, "-o", "json"]).refused("note_too_long");
    std::fs::write(it.desk.file("binary"), b"\xff\xfe\n").unwrap();
    it.desk.run(&["verify", "binary", "--key", &it.vkey, "-o", "json"]).refused("not_text");
}

#[test]
fn a_key_that_is_none_is_a_usage_error_and_a_missing_file_a_failure() {
    let it = Offline::new();
    std::fs::write(it.desk.file("none"), "\n").unwrap();
    std::fs::write(it.desk.file("nonsense"), format!("{}\nnonsense\n", it.vkey)).unwrap();
    std::fs::write(it.desk.file("file"), it.log.checkpoint(&[&it.key]).to_string()).unwrap();
    let changed = it.vkey.replacen("log.example", "log.exampel", 1);
    let check = |args: &[&str], code| {
        let run = it.desk.run(&[&["verify"], args].concat());
        assert_eq!((run.code, run.stdout.as_str()), (code, ""), "{args:?}: {}", run.stderr);
    };
    check(&["file"], 2);
    check(&["file", "--key", "nonsense"], 2);
    check(&["file", "--key", &changed], 2);
    check(&["file", "--key", "@"], 2);
    check(&["file", "--key", "@none"], 2);
    check(&["file", "--key", "@nonsense"], 2);
    check(&["file", "--key", "@missing"], 1);
    check(&["missing", "--key", &it.vkey], 1);
    check(&[".", "--key", &it.vkey], 1);
    check(&["file", "--key", &it.vkey, "-o", "id", "--nonsense"], 2);
}

#[test]
fn a_hostile_file_does_not_steer_the_terminal() {
    let it = Offline::new();
    let run = it.verify(&"\u{202e}evil\n0\nx\n\n— \u{9b}2J AAAA\n", &[]);
    assert_eq!(run.code, 6);
    assert!(!run.stderr.contains(['\u{202e}', '\u{9b}', '\u{1b}']), "{:?}", run.stderr);
}
