//! Pins: what moves them, and what does not.

use bailiwick_proof::note::SigningKey;
use serde_json::{Value, json};

use crate::desk::{Desk, Run};
use crate::forger::{Forger, Socket, key};

const PIN: [&str; 4] = ["audit", "pin", "-o", "json"];

/// A log of five entries, its key, a server that is honest about it, and somebody who has pinned it.
struct Pinned {
    log: Forger,
    key: SigningKey,
    socket: Socket,
    desk: Desk,
}

impl Pinned {
    fn new() -> Self {
        let log = Forger::new(1, 5);
        let key = key(&log.origin, 1);
        let socket = Socket::open();
        socket.publish(&[&key]);
        socket.log("checkpoint", &log.checkpoint(&[&key]));
        let desk = Desk::at(&socket.url);
        assert_eq!(desk.run(&PIN).json()["size"], 5);
        Self { log, key, socket, desk }
    }

    /// The server shows this checkpoint from now on, and nothing that leads to it.
    fn shows(&self, checkpoint: &impl ToString) -> &Self {
        self.socket.log("checkpoint", checkpoint);
        self
    }

    /// Pins again; the server is refused for this reason, and the pin is what it was.
    fn refuses(&self, code: &str) -> Value {
        let before = self.desk.pinned();
        let verdict = self.desk.run(&PIN).refused(code);
        assert_eq!(self.desk.pinned(), before, "the pin stays");
        verdict
    }

    /// Verifies the evidence of a refusal with the log's key, as anybody could.
    fn evidence(&self, verdict: &Value) -> Run {
        let file = verdict["evidence"].as_str().unwrap();
        self.desk.run(&["verify", file, "--key", &self.key.verifier().to_string(), "-o", "json"])
    }
}

#[test]
fn a_pin_begins_on_trust_and_moves_with_the_log() {
    let log = Forger::new(1, 5);
    let key = key(&log.origin, 1);
    let vkey = key.verifier().to_string();
    let socket = Socket::open();
    socket.publish(&[&key]);
    socket.log("checkpoint", &log.checkpoint(&[&key]));
    let desk = Desk::at(&socket.url);

    let first = desk.run(&PIN);
    assert!(first.stderr.contains("nobody but the server vouches for this key") && first.stderr.contains(&vkey));
    let first = first.json();
    assert_eq!((&first["size"], &first["previous_size"], &first["vkey"]), (&json!(5), &Value::Null, &json!(vkey)));
    assert_eq!(first["origin"], json!(log.origin));

    let again = desk.run(&PIN);
    assert!(again.stderr.contains("nothing is new"), "{}", again.stderr);
    assert_eq!(again.json()["previous_size"], 5);

    let log = log.grown_to(9);
    socket.log("checkpoint", &log.checkpoint(&[&key]));
    socket.log("consistency?from=5&to=9", &log.pair(5, &[&key]));
    let grown = desk.run(&PIN);
    assert!(grown.stderr.contains("extends the pinned one by 4 entries"), "{}", grown.stderr);
    assert_eq!((&grown.json()["size"], &grown.json()["previous_size"]), (&json!(9), &json!(5)));

    let names: Vec<String> = desk.pinned().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["1-00000000000000000005.checkpoint", "1-00000000000000000009.checkpoint", "pin.toml"]);
    let kept = desk.pins().join(&names[0]);
    let old = desk.run(&["verify", kept.to_str().unwrap(), "--key", &vkey, "-o", "json"]).json();
    assert_eq!((old["kind"].as_str(), &old["size"]), (Some("checkpoint"), &json!(5)), "history verifies as it stands");
    assert_eq!(desk.run(&["audit", "pin", "-o", "id"]).stdout, format!("{vkey}\n"));
}

#[cfg(unix)]
#[test]
fn nobody_else_can_read_a_pin() {
    use std::os::unix::fs::PermissionsExt;
    let pinned = Pinned::new();
    let mode = |path: std::path::PathBuf| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(pinned.desk.pins()), 0o700);
    for (name, _) in pinned.desk.pinned() {
        assert_eq!(mode(pinned.desk.pins().join(name)), 0o600);
    }
}

#[test]
fn a_first_pin_believes_the_given_key_and_no_other() {
    let log = Forger::new(1, 5);
    let (good, other) = (key(&log.origin, 1), key(&log.origin, 2));
    let socket = Socket::open();
    socket.publish(&[&other]);
    socket.log("checkpoint", &log.checkpoint(&[&other]));
    let desk = Desk::at(&socket.url);
    let vkey = good.verifier().to_string();
    let pin = [&PIN[..], &["--key", &vkey]].concat();
    desk.run(&pin).refused("no_known_signature");
    assert!(desk.pinned().is_empty());

    socket.log("checkpoint", &log.checkpoint(&[&good]));
    let run = desk.run(&pin);
    assert!(run.stderr.contains("the key that you gave") && !run.stderr.contains("trust"), "{}", run.stderr);
    assert_eq!(run.json()["vkey"], json!(vkey));
}

#[test]
fn a_log_that_shrank_is_refused() {
    let pinned = Pinned::new();
    pinned.shows(&pinned.log.checkpoint_of(3, &[&pinned.key]));
    let verdict = pinned.refuses("shrank");
    assert_eq!(verdict["seq"], 3);
    pinned.evidence(&verdict).refused("shrank");
}

#[test]
fn another_history_of_the_same_size_is_refused() {
    let pinned = Pinned::new();
    pinned.shows(&pinned.log.rewritten_from(2, 5).checkpoint(&[&pinned.key]));
    let verdict = pinned.refuses("two_roots");
    pinned.evidence(&verdict).refused("two_roots");
    let evidence = verdict["evidence"].clone();
    assert_eq!(pinned.refuses("two_roots")["evidence"], evidence, "the same evidence is kept once");
    let told = pinned.desk.run(&["audit", "pin"]);
    assert!(told.stderr.starts_with("error: not verified: ") && told.stderr.contains("\n  evidence: "));
    assert_eq!(told.stdout, "");
}

#[test]
fn a_longer_history_that_is_another_is_refused() {
    let pinned = Pinned::new();
    let forked = pinned.log.rewritten_from(2, 9);
    let key = [&pinned.key];
    pinned.shows(&forked.checkpoint(&key));
    // Honest about its own history: both roots for the pinned size are signed.
    pinned.socket.log("consistency?from=5&to=9", &forked.pair(5, &key));
    pinned.evidence(&pinned.refuses("two_roots")).refused("two_roots");

    // With the pinned checkpoint before a path that does not lead there.
    let mut pair = forked.pair(5, &key);
    pair.older = pinned.log.checkpoint(&key);
    pinned.socket.log("consistency?from=5&to=9", &&pair);
    let verdict = pinned.refuses("not_the_older_root");
    pinned.evidence(&verdict).refused("not_the_older_root");

    pair.path.pop();
    pinned.socket.log("consistency?from=5&to=9", &&pair);
    pinned.refuses("path_length");
    pinned.socket.log("consistency?from=5&to=9", &"no pair");
    pinned.refuses("pair_header");
}

#[test]
fn a_server_that_does_not_prove_it_is_refused() {
    let pinned = Pinned::new();
    let gone = json!({ "title": "No such checkpoint", "status": 404, "code": "no_checkpoint" });
    pinned.shows(&pinned.log.grown_to(9).checkpoint(&[&pinned.key]));
    pinned.socket.refuse("consistency?from=5&to=9", &gone);
    pinned.refuses("no_proof");
    let damaged = json!({ "title": "Damaged", "status": 409, "code": "ledger_mismatch", "seq": 7 });
    pinned.socket.refuse("consistency?from=5&to=9", &damaged);
    assert_eq!(pinned.refuses("ledger_mismatch")["seq"], 7);
    pinned.socket.refuse("checkpoint", &gone);
    assert_eq!(pinned.refuses("vanished")["seq"], 0);

    let before = pinned.desk.pinned();
    let down = json!({ "title": "Broken", "status": 500, "code": "internal" });
    pinned.socket.refuse("checkpoint", &down);
    assert_eq!(pinned.desk.run(&PIN).code, 1, "not to be reached is not to be refused");
    assert_eq!(pinned.desk.pinned(), before);
}

#[test]
fn a_key_that_the_pinned_one_signed_beside_is_adopted() {
    let pinned = Pinned::new();
    let (old, new) = (&pinned.key, &key(&pinned.log.origin, 2));
    pinned.socket.publish(&[new, old]);
    pinned.shows(&pinned.log.checkpoint(&[new, old]));
    let run = pinned.desk.run(&PIN);
    let (old, new) = (old.verifier().to_string(), new.verifier().to_string());
    assert!(run.stderr.contains(&old) && run.stderr.contains(&new), "{}", run.stderr);
    assert_eq!(run.json()["vkey"], json!(new));
    assert!(pinned.desk.run(&PIN).stderr.contains("nothing is new"));
    pinned.socket.publish(&[&pinned.key, &key(&pinned.log.origin, 2)]);
    assert_eq!(pinned.desk.run(&PIN).json()["vkey"], json!(new), "there is no way back to a retired key");

    pinned.shows(&pinned.log.checkpoint(&[&pinned.key]));
    pinned.refuses("no_known_signature");
}

#[test]
fn a_key_that_nobody_vouches_for_has_to_be_given() {
    let pinned = Pinned::new();
    let new = key(&pinned.log.origin, 2);
    let log = pinned.log.grown_to(9);
    pinned.socket.publish(&[&new]);
    pinned.shows(&log.checkpoint(&[&new]));
    pinned.socket.log("consistency?from=5&to=9", &log.pair(5, &[&new]));
    pinned.refuses("no_known_signature");
    assert!(pinned.desk.run(&["audit", "pin"]).stderr.contains("hint: if the log's key was changed"));

    let vkey = new.verifier().to_string();
    let given = pinned.desk.run(&[&PIN[..], &["--key", &vkey]].concat());
    assert!(given.stderr.contains("you gave the new one"), "{}", given.stderr);
    assert_eq!(given.json()["size"], 9);
    assert_eq!(pinned.desk.run(&PIN).json()["vkey"], json!(vkey));

    // Even the owner of a key that was given cannot begin another history with it.
    let forked = pinned.log.rewritten_from(2, 9);
    pinned.shows(&forked.checkpoint(&[&new]));
    pinned.refuses("two_roots");
}

#[test]
fn another_generation_is_not_followed_unasked() {
    let pinned = Pinned::new();
    let second = Forger::new(2, 3);
    let new = key(&second.origin, 2);
    pinned.socket.publish(&[&new]);
    pinned.shows(&second.checkpoint(&[&new]));
    pinned.refuses("other_generation");
    let told = pinned.desk.run(&["audit", "pin"]).stderr;
    assert!(told.contains("hint: a generation ends with a restore or a move"), "{told}");

    let vkey = new.verifier().to_string();
    let given = pinned.desk.run(&[&PIN[..], &["--key", &vkey]].concat());
    assert!(given.stderr.contains("nothing was proved about what it begins with"), "{}", given.stderr);
    assert_eq!((&given.json()["generation"], &given.json()["size"]), (&json!(2), &json!(3)));
    assert_eq!(pinned.desk.pinned().len(), 3, "the former generation's checkpoint is still there");

    pinned.shows(&pinned.log.checkpoint(&[&pinned.key]));
    let vkey = pinned.key.verifier().to_string();
    pinned.desk.run(&[&PIN[..], &["--key", &vkey]].concat()).refused("other_origin");
}

/// A copy brings its own key: beside a pin it is believed for the log's generation that was pinned, and for no other.
#[test]
fn a_copy_that_says_another_generation_is_not_believed_beside_a_pin() {
    let it = Pinned::new();
    let check =
        |name: &str, more: &[&str]| it.desk.run(&[&["audit", "check", "--dir", name, "-o", "json"], more].concat());
    it.log.copy_to(&it.desk.file("mine"), &[&it.key]);
    assert_eq!(check("mine", &[]).json()["key_from"], "pinned");
    let forged = Forger::new(2, 5);
    let other = key(&forged.origin, 9);
    forged.copy_to(&it.desk.file("forged"), &[&other]);
    check("forged", &[]).refused("other_generation");
    assert_eq!(check("forged", &["--key", &other.verifier().to_string()]).json()["key_from"], "given", "who says so");
}

#[test]
fn a_checkpoint_of_another_log_is_refused() {
    let pinned = Pinned::new();
    let mut other = Forger::new(1, 5);
    other.origin = other.origin.replace("/live/", "/test/");
    pinned.shows(&other.checkpoint(&[&key(&other.origin, 1)]));
    pinned.refuses("other_log");

    other.origin = pinned.log.origin.replace("log.example", "elsewhere.example");
    pinned.shows(&other.checkpoint(&[&key(&other.origin, 1)]));
    pinned.refuses("other_origin");
    pinned.shows(&"no checkpoint");
    pinned.refuses("note_shape");
}

#[test]
fn a_pin_that_was_changed_by_hand_is_refused() {
    let change = |name: &str, change: &dyn Fn(&str) -> Option<String>| {
        let pinned = Pinned::new();
        let file = pinned.desk.pins().join(name);
        match change(&std::fs::read_to_string(&file).unwrap()) {
            Some(text) => std::fs::write(&file, text).unwrap(),
            None => std::fs::remove_file(&file).unwrap(),
        }
        pinned.refuses("pin_damaged");
    };
    let checkpoint = "1-00000000000000000005.checkpoint";
    change(checkpoint, &|text| Some(text.replacen("\n5\n", "\n4\n", 1)));
    change(checkpoint, &|text| Some(text[..text.len() / 2].to_owned()));
    change(checkpoint, &|_| None);
    change("pin.toml", &|_| None);
    change("pin.toml", &|text| Some(text.replace("checkpoint = \"", "checkpoint = \"../")));
    change("pin.toml", &|_| Some("vkey = 1".to_owned()));

    // A checkpoint of somebody else's making, with a key that fits it: the server's next does not.
    let pinned = Pinned::new();
    let forger = key(&pinned.log.origin, 9);
    let forged = pinned.log.rewritten_from(1, 4).checkpoint(&[&forger]);
    std::fs::write(pinned.desk.pins().join(checkpoint), forged.to_string()).unwrap();
    pinned.refuses("pin_damaged");
    let toml = std::fs::read_to_string(pinned.desk.pins().join("pin.toml")).unwrap();
    let toml = toml.replace(&pinned.key.verifier().to_string(), &forger.verifier().to_string());
    std::fs::write(pinned.desk.pins().join("pin.toml"), toml).unwrap();
    pinned.refuses("no_known_signature");
}
