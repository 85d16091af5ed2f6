//! Receipts and checkpoints from a server that may lie: verified before they are handed on.

use bailiwick_proof::commitment::Field;
use bailiwick_proof::note::SigningKey;
use serde_json::json;

use crate::desk::Desk;
use crate::forger::{EVENT, Forger, Socket, key};

const PATH: &str = "events/evt_01jdtp9xk8e6ts1zq2v3w4x5z2/receipt";

/// A log of five entries, its key, a server that has it, and somebody who has not pinned anything.
fn unpinned() -> (Forger, SigningKey, Socket, Desk) {
    let log = Forger::new(1, 5);
    let key = key(&log.origin, 1);
    let socket = Socket::open();
    socket.publish(&[&key]);
    socket.log("checkpoint", &log.checkpoint(&[&key]));
    let desk = Desk::at(&socket.url);
    (log, key, socket, desk)
}

#[test]
fn a_receipt_is_verified_and_it_is_said_with_whose_key() {
    let (log, key, socket, desk) = unpinned();
    let receipt = log.receipt(2, &[Field::Actor, Field::Meta], &[&key]).to_string();
    socket.log(&format!("{PATH}?open=actor%2Cmeta"), &&receipt);
    let get = ["audit", "receipt", EVENT, "--open", "actor,meta"];

    let plain = desk.run(&get);
    assert_eq!((plain.code, plain.stdout.as_str()), (0, receipt.as_str()));
    assert!(plain.stderr.contains("the key that the server itself hands out"), "{}", plain.stderr);

    let told = desk.run(&[&get[..], &["-o", "json"]].concat()).json();
    assert_eq!((&told["id"], &told["seq"], &told["key_from"]), (&json!(EVENT), &json!(2), &json!("server")));
    assert_eq!(told["opened"]["actor"], "usr_01jdtp9xk8e6ts1zq2v3w4x5y7");
    assert_eq!(told["receipt"], json!(receipt));
    assert_eq!(desk.run(&[&get[..], &["-o", "id"]].concat()).stdout, format!("{EVENT}\n"));

    desk.run(&["audit", "pin"]);
    assert!(desk.run(&get).stderr.contains("with the pinned key"));
    let vkey = key.verifier().to_string();
    std::fs::write(desk.file("ledger.vkey"), format!("{vkey}\n\n")).unwrap();
    for source in [&vkey, "@ledger.vkey"] {
        let given = desk.run(&[&get[..], &["--key", source]].concat());
        assert!(given.stderr.contains("with the key that you gave"), "{}", given.stderr);
    }

    let out = desk.run(&[&get[..], &["--out", "r.tlog-proof", "-o", "json"]].concat()).json();
    assert_eq!((&out["key_from"], out.get("receipt")), (&json!("pinned"), None));
    assert_eq!(std::fs::read_to_string(desk.file("r.tlog-proof")).unwrap(), receipt);
    assert_eq!(desk.run(&["verify", "r.tlog-proof", "--key", &vkey]).code, 0);
    let again = desk.run(&[&get[..], &["--out", "r.tlog-proof"]].concat());
    assert_eq!(again.code, 1, "a receipt that is there is not written over");
}

#[test]
fn a_receipt_that_does_not_verify_is_kept_apart() {
    let (log, key, socket, desk) = unpinned();
    desk.run(&["audit", "pin"]);
    let mut receipt = log.receipt(2, &[Field::Actor], &[&key]);
    receipt.openings.get_mut(&Field::Actor).unwrap().value.push('!');
    socket.log(PATH, &&receipt);
    let get = ["audit", "receipt", EVENT, "-o", "json"];
    let verdict = desk.run(&[&get[..], &["--out", "r.tlog-proof"]].concat()).refused("wrong_opening");
    assert_eq!((&verdict["seq"], &verdict["evidence"]), (&json!(2), &json!("r.damaged.tlog-proof")));
    assert!(!desk.file("r.tlog-proof").exists());
    assert_eq!(std::fs::read_to_string(desk.file("r.damaged.tlog-proof")).unwrap(), receipt.to_string());

    let verdict = desk.run(&get).refused("wrong_opening");
    let kept = verdict["evidence"].as_str().unwrap();
    assert!(kept.contains("/evidence/") && kept.ends_with(".tlog-proof"), "{kept}");

    let forged = log.rewritten_from(0, 5).receipt(2, &[], &[&key]);
    let mut receipt = log.receipt(2, &[], &[&key]);
    receipt.entry = forged.entry;
    socket.log(PATH, &&receipt);
    assert_eq!(desk.run(&get).refused("not_included")["seq"], 2);
}

#[test]
fn a_server_that_knows_of_the_damage_is_told_as_such() {
    let (log, key, socket, desk) = unpinned();
    let mut damaged = log.receipt(2, &[], &[&key]);
    damaged.path.pop();
    let problem = json!({
        "title": "Damaged", "detail": "Entry 2 is not what was signed.", "status": 409, "code": "ledger_mismatch",
        "seq": 2, "request_id": "req_1", "receipt": damaged.to_string(),
    });
    socket.refuse(PATH, &problem);
    let get = ["audit", "receipt", EVENT, "--out", "r.tlog-proof", "-o", "json"];
    let verdict = desk.run(&get).refused("ledger_mismatch");
    assert_eq!((&verdict["seq"], &verdict["evidence"]), (&json!(2), &json!("r.damaged.tlog-proof")));
    let vkey = key.verifier().to_string();
    desk.run(&["verify", "r.damaged.tlog-proof", "--key", &vkey, "-o", "json"]).refused("path_length");

    let told = desk.run(&["audit", "receipt", EVENT]);
    assert!(told.stderr.contains("first bad seq: 2") && told.stderr.contains("Entry 2 is not"), "{}", told.stderr);
    let bare = json!({ "title": "Damaged", "status": 409, "code": "ledger_mismatch", "seq": 2 });
    socket.refuse(PATH, &bare);
    assert_eq!(desk.run(&["audit", "receipt", EVENT, "-o", "json"]).refused("ledger_mismatch").get("evidence"), None);
}

#[test]
fn a_receipt_of_something_else_is_refused() {
    let (log, key, socket, desk) = unpinned();
    let other = "evt_01jdtp9xk8e6ts1zq2v3w4x5z3";
    let path = PATH.replace(EVENT, other);
    socket.log(&format!("{path}?open=meta"), &log.receipt(2, &[Field::Meta], &[&key]));
    desk.run(&["audit", "receipt", other, "--open", "meta", "-o", "json"]).refused("other_event");

    let mut elsewhere = Forger::new(1, 5);
    elsewhere.origin = elsewhere.origin.replace("/live/", "/test/");
    socket.log(PATH, &elsewhere.receipt(2, &[], &[&super::forger::key(&elsewhere.origin, 1)]));
    desk.run(&["audit", "receipt", EVENT, "-o", "json"]).refused("other_log");
    socket.log(PATH, &log.checkpoint(&[&key]));
    desk.run(&["audit", "receipt", EVENT, "-o", "json"]).refused("not_a_receipt");
}

#[test]
fn a_checkpoint_is_verified_likewise() {
    let (log, key, socket, desk) = unpinned();
    let checkpoint = log.checkpoint(&[&key]).to_string();
    let plain = desk.run(&["audit", "checkpoint"]);
    assert_eq!((plain.code, plain.stdout.as_str()), (0, checkpoint.as_str()));
    assert!(plain.stderr.contains("the key that the server itself hands out"), "{}", plain.stderr);
    let told = desk.run(&["audit", "checkpoint", "--out", "c.checkpoint", "-o", "json"]).json();
    assert_eq!((&told["size"], &told["origin"]), (&json!(5), &json!(log.origin)));
    assert_eq!(std::fs::read_to_string(desk.file("c.checkpoint")).unwrap(), checkpoint);

    desk.run(&["audit", "pin"]);
    let other = super::forger::key(&log.origin, 2);
    socket.publish(&[&other]);
    socket.log("checkpoint", &log.checkpoint(&[&other]));
    let verdict = desk.run(&["audit", "checkpoint", "-o", "json"]).refused("no_known_signature");
    assert!(verdict["evidence"].as_str().unwrap().ends_with(".checkpoint"));
    assert!(desk.run(&["audit", "checkpoint"]).stderr.contains("hint: `bailiwick audit pin` follows"));
}

#[test]
fn entries_that_are_not_intact_are_marked() {
    let (_, _, socket, desk) = unpinned();
    let entry = |seq: u64, intact: bool| json!({ "id": format!("evt_{seq}"), "seq": seq, "action": "api_key.created", "intact": intact, "actor": null });
    let page = json!({ "data": [entry(3, true), entry(2, false)], "next_cursor": null });
    socket.log("events?limit=100", &&page);
    let listed = desk.run(&["audit", "list"]);
    assert_eq!(listed.code, 0, "{}", listed.stderr);
    assert!(listed.stderr.contains("not intact: seq 2;"), "{}", listed.stderr);
    let marks: Vec<&str> = listed.stdout.lines().map(|line| line.split_whitespace().last().unwrap()).collect();
    assert_eq!(marks, ["INTACT", "yes", "no"]);

    let filters = "action=a.b&actor=x+y&target=t&from=2026-01-01T00%3A00%3A00.5Z&to=2026-01-01T23%3A00%3A00Z&limit=7";
    socket.log(&format!("events?{filters}"), &json!({ "data": [], "next_cursor": null }));
    let from = ["--from", "2026-01-01T00:00:00.5Z", "--to", "2026-01-02T00:00:00+01:00", "--limit", "7"];
    let words = ["audit", "list", "--action", "a.b", "--actor", "x y", "--target", "t"];
    let none = desk.run(&[&words[..], &from].concat());
    assert_eq!((none.code, none.stderr.as_str()), (0, "no entries\n"), "{}", none.stderr);
}
