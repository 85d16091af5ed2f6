//! `bailiwick audit` and `bailiwick verify` against a running server: an honest one, one whose database was changed by
//! hand, and one that was put back as a whole.

use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::cli::{Desk, Home, Run, ids, text};
use crate::harness::process::{DevHome, DevServer, bailiwickd};
use crate::harness::secrets;

const PIN: [&str; 4] = ["audit", "pin", "-o", "json"];

/// The verdict of a run that refused what it got for this reason.
fn unverified(run: &Run, code: &str) -> Value {
    assert_eq!(run.code, 6, "{}{}", run.stdout, run.stderr);
    let verdict: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((&verdict["verified"], text(&verdict, "code")), (&json!(false), code), "{verdict}");
    verdict
}

/// The entries of the log, newest first, with these options.
async fn list(desk: &Desk, more: &[&str]) -> Value {
    desk.run(&[&["audit", "list", "-o", "json"], more].concat()).await.json()
}

#[tokio::test]
async fn from_a_change_to_a_receipt_that_verifies_offline() {
    let desk = Desk::ready("ada@example.com").await;
    let key = desk.create_key(&["importer", "--scope", "read"]).await;
    let entries = list(&desk, &[]).await;
    let newest = &entries[0];
    assert_eq!((text(newest, "action"), &newest["target"]), ("api_key.created", &key["id"]));
    let seqs: Vec<u64> = entries.as_array().unwrap().iter().map(|entry| entry["seq"].as_u64().unwrap()).collect();
    assert!(seqs.windows(2).all(|pair| pair[0] == pair[1] + 1) && seqs.last() == Some(&0), "newest first: {seqs:?}");

    let event = text(newest, "id");
    let get = ["audit", "receipt", event, "--open", "actor,target", "--out", "key.tlog-proof", "-o", "json"];
    let receipt = desk.run(&get).await;
    assert!(receipt.stderr.contains("the key that the server itself hands out"), "{}", receipt.stderr);
    let receipt = receipt.json();
    assert_eq!((&receipt["seq"], text(&receipt, "action")), (&newest["seq"], "api_key.created"));
    assert_eq!(receipt["opened"], json!({ "actor": newest["actor"], "target": key["id"] }));
    assert_eq!(receipt["leaf_hash"], newest["leaf_hash"]);

    let vkey = desk.run(&["audit", "pin", "-o", "id"]).await.ok();
    std::fs::write(desk.home.path("ledger.vkey"), vkey).unwrap();
    let elsewhere = Home::new();
    for file in ["key.tlog-proof", "ledger.vkey"] {
        std::fs::copy(desk.home.path(file), elsewhere.path(file)).unwrap();
    }
    let verify = ["verify", "key.tlog-proof", "--key", "@ledger.vkey", "-o", "json"];
    let verified = elsewhere.run(&verify, "").await.json();
    assert_eq!((&verified["seq"], &verified["opened"]), (&receipt["seq"], &receipt["opened"]));
    assert_eq!(verified["workspace_id"], desk.run(&["workspaces", "get", "-o", "json"]).await.json()["id"]);

    let closed = desk.run(&["audit", "receipt", event]).await;
    assert!(closed.stderr.contains("with the pinned key"), "{}", closed.stderr);
    let verified = elsewhere.run(&["verify", "-", "--key", "@ledger.vkey", "-o", "json"], &closed.ok()).await.json();
    assert_eq!(verified["opened"], json!({}));
}

#[tokio::test]
async fn a_list_is_narrowed_by_its_filters() {
    let desk = Desk::ready("ada@example.com").await;
    let one = desk.create_key(&["one", "--scope", "read"]).await;
    let two = desk.create_key(&["two", "--scope", "read"]).await;
    let all = list(&desk, &[]).await;
    let created = list(&desk, &["--action", "api_key.created"]).await;
    assert_eq!(
        created.as_array().unwrap().iter().map(|entry| &entry["target"]).collect::<Vec<_>>(),
        [&two["id"], &one["id"]]
    );
    assert_eq!(list(&desk, &["--target", text(&one, "id")]).await, json!([created[1]]));
    assert_eq!(list(&desk, &["--actor", text(&all[0], "actor")]).await, all);
    assert_eq!(list(&desk, &["--actor", "nobody"]).await, json!([]));
    assert_eq!(list(&desk, &["--limit", "1"]).await, json!([all[0]]));
    let moment = text(&created[1], "recorded_at");
    let until = list(&desk, &["--to", moment]).await;
    assert!(!ids(&until).contains(&text(&created[1], "id")), "to is exclusive");
    let from = list(&desk, &["--from", moment]).await;
    assert!(ids(&from).contains(&text(&created[1], "id")), "from is inclusive");
    assert_eq!(until.as_array().unwrap().len() + from.as_array().unwrap().len(), all.as_array().unwrap().len());
}

#[tokio::test]
async fn every_answer_has_every_form() {
    let desk = Desk::ready("ada@example.com").await;
    desk.run(&["audit", "pin"]).await.ok();
    let event = text(&list(&desk, &["--limit", "1"]).await[0], "id").to_owned();
    let receipt = ["audit", "receipt", event.as_str()];
    let origin = text(&desk.run(&["audit", "checkpoint", "-o", "json"]).await.json(), "origin").to_owned();
    let vkey = desk.run(&["audit", "pin", "-o", "id"]).await.ok();
    let questions: [(&[&str], &str); 4] = [
        (&["audit", "list", "--limit", "1"], &event),
        (&receipt, &event),
        (&["audit", "checkpoint"], &origin),
        (&["audit", "pin"], vkey.trim()),
    ];
    for (question, id) in questions {
        let [as_table, as_json, as_yaml, as_id] = desk.in_every_form(question).await;
        let said: Value = serde_json::from_str(&as_json).unwrap();
        assert_eq!(serde_saphyr::from_str::<Value>(&as_yaml).unwrap(), said, "{question:?}");
        assert_eq!(as_id, format!("{id}\n"), "{question:?}");
        assert!(!as_table.is_empty(), "{question:?}");
    }
}

#[tokio::test]
async fn each_environment_has_a_log_and_a_pin_of_its_own() {
    let desk = Desk::ready("ada@example.com").await;
    let live = desk.run(&PIN).await.json();
    let in_test = [&PIN[..], &["--environment", "test"]].concat();
    let empty = desk.run(&in_test).await.json();
    desk.create_key(&["t", "--scope", "read", "--environment", "test"]).await;
    let test = desk.run(&in_test).await.json();
    assert!(test["size"].as_u64() > empty["size"].as_u64() && test["previous_size"] == empty["size"], "{test}");
    assert_eq!((text(&live, "environment"), text(&test, "environment")), ("live", "test"));
    assert_ne!(live["vkey"], test["vkey"]);
    let crossed =
        desk.run(&["audit", "checkpoint", "--key", text(&live, "vkey"), "--environment", "test", "-o", "json"]).await;
    unverified(&crossed, "no_known_signature");
}

#[tokio::test]
async fn a_pin_follows_the_log_with_a_key_of_its_own() {
    let desk = Desk::ready("ada@example.com").await;
    let auditor = desk.create_key(&["auditor", "--scope", "management"]).await;
    let reader = desk.create_key(&["reader", "--scope", "read"]).await;
    desk.login("auditor", text(&auditor, "key")).await.ok();
    let first = desk.run(&PIN).await;
    assert!(first.stderr.contains("pinned for the first time, on trust"), "{}", first.stderr);
    let first = first.json();
    for (profile, name) in [("default", "website"), ("default", "shop")] {
        desk.run(&["projects", "create", name, "--profile", profile]).await.ok();
        let next = desk.run(&PIN).await;
        assert!(next.stderr.contains("extends the pinned one by "), "{}", next.stderr);
    }
    let last = desk.run(&PIN).await;
    assert!(last.stderr.contains("nothing is new"), "{}", last.stderr);
    let last = last.json();
    assert!(last["size"].as_u64() > first["size"].as_u64());
    assert_eq!(last["vkey"], first["vkey"]);

    let mismatch = desk.run(&[&PIN[..], &["--environment", "test"]].concat()).await;
    mismatch.refused(4, "environment_mismatch");

    desk.login("reader", text(&reader, "key")).await.ok();
    desk.run(&PIN).await.refused(4, "forbidden");
    desk.run(&["audit", "receipt", "evt_01h455vb4pex5vsknk084sn02q", "--profile", "auditor", "-o", "json"])
        .await
        .refused(3, "not_found");
}

/// A row of `ledger_entries` by hand, past the server.
#[tokio::test]
async fn a_changed_row_is_named_by_its_seq() {
    let desk = Desk::ready("ada@example.com").await;
    desk.create_key(&["importer", "--scope", "read"]).await;
    let pinned = desk.run(&PIN).await.json();
    let event = list(&desk, &["--action", "api_key.created"]).await[0].clone();
    let seq = event["seq"].as_u64().unwrap();
    let change = "UPDATE ledger_entries SET entry = convert_to(replace(convert_from(entry, 'UTF8'), 'created', 'revoked'), 'UTF8') \
                  WHERE environment = 'live' AND event_id = $1";
    let id = text(&event, "id").parse::<bailiwick_proof::id::EventId>().unwrap().uuid();
    let changed = sqlx::query(change).bind(id).execute(&desk.app.database.owner).await.unwrap();
    assert_eq!(changed.rows_affected(), 1);

    let get = ["audit", "receipt", text(&event, "id"), "--out", "key.tlog-proof", "-o", "json"];
    let verdict = unverified(&desk.run(&get).await, "ledger_mismatch");
    assert_eq!(verdict["seq"], json!(seq));
    assert!(!desk.home.path("key.tlog-proof").exists());
    let evidence = text(&verdict, "evidence");
    let offline = desk.run(&["verify", evidence, "--key", text(&pinned, "vkey"), "-o", "json"]).await;
    assert_eq!((offline.code, &serde_json::from_str::<Value>(&offline.stdout).unwrap()["seq"]), (6, &json!(seq)));

    let told = desk.run(&["audit", "list"]).await;
    assert!(told.stderr.contains(&format!("not intact: seq {seq};")), "{}", told.stderr);
    let listed = list(&desk, &[]).await;
    let intact = |entry: &&Value| entry["intact"] == json!(true);
    let marked: Vec<&Value> = listed.as_array().unwrap().iter().filter(|entry| !intact(entry)).collect();
    assert_eq!(marked.iter().map(|entry| &entry["seq"]).collect::<Vec<_>>(), [&json!(seq)]);
}

/// Database, journal and keys together, from before: the server cannot know, and whoever pinned does.
#[tokio::test]
async fn a_machine_that_was_put_back_is_found_out_by_its_pins() {
    let machine = DevHome::temporary();
    let server = machine.start().await;
    let owner = auditor(&server).await;
    owner.run(&PIN, "").await.ok();
    server.stop(Signal::SIGTERM).await;

    let copy = machine.dir.with_file_name("copy");
    replace(&copy, &machine.dir).await;
    replace(&anchor(&copy), &anchor(&machine.dir)).await;
    let server = machine.start().await;
    for name in ["one", "two"] {
        owner.run(&["projects", "create", name], "").await.ok();
    }
    let pinned = owner.run(&PIN, "").await.json();
    server.stop(Signal::SIGTERM).await;

    replace(&machine.dir, &copy).await;
    replace(&anchor(&machine.dir), &anchor(&copy)).await;
    let server = machine.start().await;
    let verdict = unverified(&owner.run(&PIN, "").await, "shrank");
    assert_eq!(verdict["seq"], json!(pinned["size"].as_u64().unwrap() - 2), "the first that is gone");

    for name in ["other", "words", "later"] {
        owner.run(&["projects", "create", name], "").await.ok();
        // Signed at every size, that of the pin among them.
        owner.run(&["audit", "checkpoint"], "").await.ok();
    }
    let run = owner.run(&PIN, "").await;
    assert_eq!(run.code, 6, "{}{}", run.stdout, run.stderr);
    let verdict: Value = serde_json::from_str(&run.stdout).unwrap();
    let vkey = text(&pinned, "vkey");
    let evidence = owner.run(&["verify", text(&verdict, "evidence"), "--key", vkey, "-o", "json"], "").await;
    assert_eq!(evidence.code, 6, "whoever has the vkey sees it: {}", evidence.stderr);
    let kept = owner.run(&["verify", text(&pinned, "file"), "--key", vkey, "-o", "json"], "").await.json();
    assert_eq!(kept["size"], pinned["size"], "the pin is what it was");
    server.stop(Signal::SIGTERM).await;
}

#[tokio::test]
async fn a_rotated_key_is_adopted_while_both_sign() {
    let machine = DevHome::temporary();
    let server = machine.start().await;
    let owner = auditor(&server).await;
    let old = owner.run(&PIN, "").await.json();
    let event = owner.run(&["audit", "list", "--limit", "1", "-o", "id"], "").await.ok();
    owner.run(&["audit", "receipt", event.trim(), "--out", "old.tlog-proof"], "").await.ok();

    let rotate = ["rotate", "ledger-key", "--workspace", text(&old, "workspace_id"), "--data-dir"];
    let rotated = bailiwickd(rotate).arg(&machine.dir).output().await.unwrap();
    assert!(rotated.status.success(), "{}", String::from_utf8_lossy(&rotated.stderr));
    owner.run(&["projects", "create", "later"], "").await.ok();
    let run = owner.run(&PIN, "").await;
    let told = run.stderr.clone();
    let new = run.json();
    assert_ne!(new["vkey"], old["vkey"]);
    assert!(told.contains("another key is pinned from now on") && told.contains(text(&old, "vkey")), "{told}");
    assert!(told.contains(text(&new, "vkey")), "{told}");
    assert_eq!(owner.run(&PIN, "").await.json()["vkey"], new["vkey"]);

    let verify =
        async |file: &str, key: &Value| owner.run(&["verify", file, "--key", key.as_str().unwrap()], "").await.code;
    assert_eq!(verify("old.tlog-proof", &old["vkey"]).await, 0, "old proofs verify with the old key");
    assert_eq!(verify("old.tlog-proof", &new["vkey"]).await, 6);
    owner.run(&["audit", "receipt", event.trim(), "--out", "new.tlog-proof"], "").await.ok();
    assert_eq!(verify("new.tlog-proof", &new["vkey"]).await, 0);
    assert_eq!(verify("new.tlog-proof", &old["vkey"]).await, 0, "and new ones, while both sign");
    server.stop(Signal::SIGTERM).await;
}

/// A home that is signed in by a key of the workspace `acme` that may read the log.
async fn auditor(server: &DevServer<'_>) -> Home {
    let ask = async |path: &str, body: Value| -> Value {
        let answer =
            crate::harness::http::http().post(format!("{}{path}", server.url)).json(&body).send().await.unwrap();
        answer.json().await.unwrap()
    };
    let asked = ask("/auth/request", json!({ "email": "ada@example.com" })).await;
    let code = server.mails(1).await[0]["code"].clone();
    let tokens = ask("/auth/verify", json!({ "challenge": asked["challenge"], "code": code })).await;
    secrets::record(text(&tokens, "access_token"));

    let home = Home::new();
    let login = ["login", "--token-stdin", "--server", &server.url];
    home.run(&login, text(&tokens, "access_token")).await.ok();
    home.run(&["workspaces", "create", "Acme", "--slug", "acme"], "").await.ok();
    home.run(&["workspaces", "use", "acme"], "").await.ok();
    let key = home.run(&["keys", "create", "auditor", "--scope", "management", "-o", "json"], "").await.json();
    secrets::record(text(&key, "key"));
    home.run(&login, text(&key, "key")).await.ok();
    home
}

/// The journal's folder, beside the data directory.
fn anchor(dir: &Path) -> PathBuf {
    dir.with_file_name(format!("{}-anchor", dir.file_name().unwrap().display()))
}

/// Makes `to` a copy of the folder `from`, owners and modes included.
async fn replace(to: &Path, from: &Path) {
    let _ = std::fs::remove_dir_all(to);
    let copied = Command::new("cp").arg("-a").args([from, to]).status().await.unwrap();
    assert!(copied.success());
}

#[tokio::test]
async fn actions_are_registered_listed_and_retired() {
    let desk = Desk::ready("ada@example.com").await;
    let add = ["audit", "actions", "add", "invoice.paid", "--description", "A customer has paid", "-o", "json"];
    let made = desk.run(&add).await.json();
    assert_eq!((text(&made, "action"), text(&made, "description")), ("invoice.paid", "A customer has paid"));
    assert_eq!(desk.run(&["audit", "actions", "list", "-o", "id"]).await.ok().trim(), "invoice.paid");
    let again = desk.run(&add).await;
    assert!(again.code != 0 && again.stderr.contains("name_taken"), "{}", again.stderr);
    let elsewhere = desk.run(&["audit", "actions", "list", "-o", "id", "--environment", "test"]).await;
    assert_eq!(elsewhere.ok().trim(), "");
    let retired = desk.run(&["audit", "actions", "remove", "invoice.paid", "-o", "json"]).await.json();
    assert_eq!(text(&retired, "status"), "retired");
    let gone = desk.run(&["audit", "actions", "remove", "invoice.paid"]).await;
    assert!(gone.code != 0 && gone.stderr.contains("not_found"), "{}", gone.stderr);
}
