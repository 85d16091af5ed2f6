//! `bailiwick erasures` and `bailiwick audit export` against a running server, and the check of a certificate against nobody.

use serde_json::{Value, json};

use crate::cli::Desk;
use crate::harness::process::until;

#[tokio::test]
async fn a_subject_is_erased_and_the_certificate_is_checked_offline() {
    let desk = Desk::ready("ada@example.com").await;
    let workspace = desk.run(&["workspaces", "list", "-o", "id"]).await.ok().trim().to_owned();
    desk.app.know_actions(&workspace).await;
    let body = json!({"name": "k", "scopes": ["management"]});
    let ada = desk.app.sign_in("ada@example.com").await;
    let key = desk.app.api_key(&ada, &workspace, &body).await;
    let event = json!({"events": [{"action": "door.opened", "actor": "jane", "target": "door-1"}]});
    let path = format!("/v1/workspaces/{workspace}/audit/events");
    let recorded = desk.app.post(&path, &event).bearer(key["key"].as_str().unwrap()).send().await;
    assert_eq!(recorded.status, 201, "{}", recorded.text);

    let request = ["erasures", "request", "jane"];
    assert_eq!(desk.run(&request).await.code, 2, "there is no way back, so it asks twice");
    let wrong = desk.run(&[&request[..], &["--confirm", "joan"]].concat()).await;
    assert!(wrong.code == 2 && wrong.stderr.contains("nothing was erased"), "{}", wrong.stderr);
    let dry = desk.run(&[&request[..], &["--dry-run", "-o", "json"]].concat()).await.json();
    assert_eq!(dry["fields"], json!({"actor": 1, "ip": 1, "meta": 1, "target": 0}));
    let asked = desk.run(&[&request[..], &["--confirm", "jane", "-o", "json"]].concat()).await.json();
    let (id, opening) = (asked["erasure"]["id"].as_str().unwrap(), asked["subject_opening"].as_str().unwrap());
    let mut erasure = Value::Null;
    until(async || {
        erasure = desk.run(&["erasures", "get", id, "-o", "json"]).await.json();
        erasure["state"] == "finished"
    })
    .await;
    assert_eq!(desk.run(&["erasures", "list", "-o", "id"]).await.ok().trim(), id);

    let event = erasure["certificate_event_id"].as_str().unwrap();
    desk.run(&["audit", "receipt", event, "--open", "actor,meta", "--out", "c"]).await.ok();
    desk.run(&["audit", "receipt", event, "--open", "actor", "--out", "closed"]).await.ok();
    let keys = desk.app.get(&format!("/w/{workspace}/.well-known/jwks.json")).send().await.json();
    let keys = keys["keys"].as_array().unwrap().iter().map(|key| key["vkey"].as_str().unwrap().to_owned());
    std::fs::write(desk.home.path("vkeys"), keys.collect::<Vec<_>>().join("\n")).unwrap();
    let check = async |file: &str, subject: &str, opening: &str| {
        let args =
            ["erasures", "check", file, "--key", "@vkeys", "--subject", subject, "--opening", opening, "-o", "json"];
        desk.run(&args).await
    };
    let told = check("c", "jane", opening).await.json();
    assert_eq!((&told["subject"], &told["fields_erased"]), (&json!("jane"), &json!(3)), "{told}");
    for (file, subject, opening, code) in [
        ("c", "joan", opening, 6),
        ("c", "jane", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", 6),
        ("c", "jane", "AAAA", 2),
        ("closed", "jane", opening, 6),
    ] {
        assert_eq!(check(file, subject, opening).await.code, code, "{file} {subject}");
    }
}

#[tokio::test]
async fn a_log_is_exported_into_a_new_file() {
    let desk = Desk::ready("ada@example.com").await;
    let told = desk.run(&["audit", "export"]).await.ok();
    assert!(told.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()) && told.contains("workspace.created"));
    let out = ["audit", "export", "--format", "csv", "--out", "log.csv"];
    desk.run(&out).await.ok();
    let file = std::fs::read_to_string(desk.home.path("log.csv")).unwrap();
    assert!(file.starts_with("\"seq\",") && file.contains("\"audit.exported\""), "{file}");
    let again = desk.run(&out).await;
    assert_eq!(again.code, 1, "a file that is there is not written over: {}", again.stderr);
}
