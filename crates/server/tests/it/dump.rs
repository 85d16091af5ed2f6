//! What whoever steals a dump has in hand: nothing that opens anything.

use std::process::Stdio;

use secrecy::ExposeSecret as _;
use serde_json::json;
use tokio::process::Command;

use crate::harness::app::TestApp;
use crate::harness::programs::pg_dump;

#[tokio::test]
async fn a_dump_holds_no_usable_key_token_code_or_link() {
    let app = TestApp::start().await;
    let asked = app.post("/auth/request", &json!({"email": "ada@example.com"})).send().await;
    let pending = app.mails(1).await.remove(0);
    let (person, workspace) = app.founder("ada@example.com", "acme").await;
    let made = app
        .post(&format!("/v1/workspaces/{workspace}/api-keys"), &json!({"name": "k", "scopes": ["read"]}))
        .bearer(&person.access_token)
        .header("idempotency-key", "kept-for-a-retry")
        .send()
        .await;
    let rotated = app.post("/auth/refresh", &json!({"refresh_token": person.refresh_token})).send().await.person();

    let (_, service) = app.service("gateway", &["shop"]).await;
    let dump = Command::new(pg_dump())
        .args(["--inserts", app.database.superuser_url.expose_secret()])
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    let dump = String::from_utf8(dump.stdout).unwrap();
    for there in ["ada@example.com", "api_key.created", &made.text_of("lookup")] {
        assert!(dump.contains(there), "the dump is one of this database: {there}");
    }
    let token = pending.link.as_deref().unwrap().rsplit('=').next().unwrap();
    let secrets = [
        asked.text_of("challenge"),
        token.to_owned(),
        pending.code.clone().unwrap(),
        made.text_of("key"),
        made.text_of("key")[16..].to_owned(),
        person.access_token,
        person.refresh_token,
        rotated.access_token,
        rotated.refresh_token,
        app.internal_key.clone(),
        service[7..].to_owned(),
        "kept-for-a-retry".to_owned(),
    ];
    for secret in secrets {
        let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
        assert!(!dump.contains(&secret) && !dump.contains(&hex), "{secret}");
    }
}
