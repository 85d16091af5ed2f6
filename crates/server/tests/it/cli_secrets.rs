//! `bailiwick secrets` against a running server: values come from files and pipes, and go to pipes alone.

use serde_json::{Value, json};

use crate::cli::Desk;
use crate::harness::secrets;

const URL: &str = "postgres://app:canary-91ab@db.example.com/app";

fn write(desk: &Desk, name: &str, value: &str) {
    secrets::record(value);
    std::fs::write(desk.home.path(name), value).unwrap();
}

#[tokio::test]
async fn a_secret_is_set_read_listed_and_deleted() {
    let desk = Desk::ready("ada@example.com").await;
    write(&desk, "url.txt", URL);
    let set = ["secrets", "set", "db.main", "--kind", "database", "--from-file", "url.txt", "-o", "json"];
    let made = desk.run(&set).await.json();
    assert_eq!((&made["name"], &made["newest_version"]), (&json!("db.main"), &json!(1)));
    let id = made["id"].as_str().unwrap();

    assert_eq!(desk.run(&["secrets", "get", "db.main"]).await.ok(), URL, "byte for byte");
    assert_eq!(desk.run(&["secrets", "get", id, "-o", "json"]).await.json()["value"], URL);
    let piped = desk.home.run(&["secrets", "set", "note"], "two\nlines\n").await;
    assert_eq!(piped.code, 0, "{}", piped.stderr);
    assert_eq!(desk.run(&["secrets", "get", "note"]).await.ok(), "two\nlines\n");
    let again = desk.home.run(&["secrets", "set", "note", "-o", "json"], "third").await.json();
    assert_eq!(again["newest_version"], 2);
    assert_eq!(desk.run(&["secrets", "get", "note", "--version", "1"]).await.ok(), "two\nlines\n");
    let taken = desk.home.run(&["secrets", "set", "note", "--kind", "generic"], "x").await;
    assert_eq!(taken.code, 5, "{}", taken.stderr);

    for told in desk.in_every_form(&["secrets", "list"]).await {
        assert!(told.contains(id) && !told.contains("canary-91ab"), "{told}");
    }
    let readings = desk.run(&["secrets", "accesses", "db.main", "-o", "json"]).await.json();
    assert_eq!(readings.as_array().unwrap().len(), 2);
    let shaped = desk.home.run(&["secrets", "set", "db.other", "--kind", "database"], "canary-91ab no url").await;
    assert!(shaped.code == 1 && shaped.stderr.contains("scheme") && !shaped.stderr.contains("canary-91ab"));

    assert_eq!(desk.run(&["secrets", "delete", "db.main"]).await.code, 2, "nobody is there to ask");
    desk.run(&["secrets", "delete", "db.main", "--yes"]).await.ok();
    assert_eq!(desk.run(&["secrets", "get", "db.main"]).await.code, 3);
}

#[tokio::test]
async fn a_secret_is_rotated_to_its_receipt() {
    let desk = Desk::ready("ada@example.com").await;
    write(&desk, "old", "the older value");
    write(&desk, "new", "the newer value");
    desk.run(&["secrets", "set", "token", "--from-file", "old"]).await.ok();
    let rotate = ["secrets", "rotate", "token", "--reason", "offboarding", "--watch", "1s", "--from-file", "new"];
    let opened = desk.run(&[&rotate[..], &["-o", "json"]].concat()).await;
    let told = opened.stderr.clone();
    let id = opened.json()["id"].as_str().unwrap().to_owned();
    assert!(told.contains(&format!("bailiwick secrets ready {id}")), "{told}");
    assert_eq!(desk.run(&["secrets", "get", "token", "--version", "1"]).await.ok(), "the older value");
    assert_eq!(desk.run(&["secrets", "ready", &id, "-o", "json"]).await.json()["state"], "revoking");
    let mut told = Value::Null;
    crate::harness::process::until(async || {
        told = desk.run(&["secrets", "rotation", &id, "-o", "json"]).await.json();
        told["state"] == "finished"
    })
    .await;
    assert!(told["receipt_event_id"].as_str().unwrap().starts_with("evt_"));
    assert_eq!(desk.run(&["secrets", "get", "token"]).await.ok(), "the newer value");
    assert_eq!(desk.run(&["secrets", "get", "token", "--version", "1"]).await.code, 5);
}

#[tokio::test]
async fn what_can_be_no_value_is_refused_here() {
    let desk = Desk::ready("ada@example.com").await;
    for (input, why) in [(String::new(), "empty"), ("x".repeat(65_537), "more than 65536 bytes")] {
        let refused = desk.home.run(&["secrets", "set", "a"], &input).await;
        assert!(refused.code == 2 && refused.stderr.contains(why), "{} {}", refused.code, refused.stderr);
    }
    assert_eq!(desk.run(&["secrets", "set", "a", "--from-file", "missing"]).await.code, 1);
    assert_eq!(desk.run(&["secrets", "get", "a"]).await.code, 3);
}
