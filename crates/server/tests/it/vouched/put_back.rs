//! Older rows with their old, good MACs, and rows that are taken away.

use std::time::Duration;

use bailiwick_server::alerts;
use bailiwick_server::clock::Clock;
use bailiwick_server::entropy::Entropy;
use bailiwick_server::{housekeeping, internal_credentials};
use reqwest::Method;
use serde_json::json;

use super::{FOUND_WITHIN, Intruder, found, raised, reconciler, until_found};
use crate::harness::app::TestApp;
use crate::harness::process::until;
use crate::schema_watch;

const KEPT: [&str; 4] = ["api_keys", "sessions", "refresh_tokens", "internal_credentials"];

/// Whether a key works there.
async fn works(app: &TestApp, key: &str) -> bool {
    app.get("/v1/key").bearer(key).send().await.status == 200
}

#[tokio::test]
async fn what_is_put_back_is_found_and_fenced_within_a_minute() {
    let app = TestApp::start().await;
    let (ada, acme) = app.founder("ada@example.com", "acme").await;
    let path = format!("/v1/workspaces/{acme}/api-keys");
    let mut keys = Vec::new();
    for name in ["revoked", "narrowed", "kept"] {
        keys.push(app.api_key(&ada, &acme, &json!({"name": name, "scopes": ["read"]})).await);
    }
    let [revoked, narrowed, kept] = [0, 1, 2].map(|n| keys[n]["key"].as_str().unwrap().to_owned());
    let [revoked_id, narrowed_id] = [0, 1].map(|n| keys[n]["id"].as_str().unwrap().to_owned());
    let (service, secret) = app.service("gateway", &["billing"]).await;
    let session = app.sign_in("ada@example.com").await;
    let mut intruder = Intruder::enter(&app).await;
    for table in KEPT {
        intruder.does(&format!("CREATE TABLE kept_{table} AS SELECT * FROM {table}")).await;
    }
    let internal = app.private(Method::POST, "/internal/v1/keys/verify").json(&json!({"key": "x"}));
    assert_eq!(internal.bearer(&secret).send().await.status, 200);
    // Everything ends as it should.
    assert_eq!(app.delete(&format!("{path}/{revoked_id}")).bearer(&ada.access_token).send().await.status, 204);
    let narrow = app.call(Method::PATCH, &format!("{path}/{narrowed_id}"));
    let narrow = narrow.json(&json!({"allowed_networks": ["192.0.2.0/24"]})).bearer(&ada.access_token).send().await;
    assert_eq!(narrow.status, 200, "{}", narrow.text);
    let (notary, clock, entropy) = (app.notary().await, Clock::system(), Entropy::system());
    internal_credentials::revoke(&app.db, &notary, &clock, &entropy, service).await.unwrap();
    assert_eq!(app.post("/auth/refresh", &json!({"refresh_token": session.refresh_token})).send().await.status, 200);
    assert_eq!(app.call(Method::POST, "/auth/sign-out").bearer(&session.access_token).send().await.status, 204);
    // And is put back as it was.
    for (set, table, by) in [
        ("revoked_at = k.revoked_at, allowed_networks = k.allowed_networks, version = k.version", "api_keys", "id"),
        ("revoked_at = k.revoked_at, version = k.version", "sessions", "id"),
        ("used_at = k.used_at, successor_sealed = k.successor_sealed", "refresh_tokens", "digest"),
        ("revoked_at = k.revoked_at, ends_at = k.ends_at", "internal_credentials", "id"),
    ] {
        let put = format!(
            "UPDATE {table} t SET {set}, mac = k.mac FROM kept_{table} k WHERE t.{by} = k.{by} AND t.mac <> k.mac"
        );
        assert!(intruder.does(&put).await >= 1, "{table}");
    }
    assert!(!works(&app, &revoked).await, "a node that knew better goes on knowing");
    // One that has just begun cannot know.
    let node = app.another_node().await;
    until_found(&app, "row_rolled_back", 5).await;
    for app in [&app, &node] {
        let all_out = until(async || {
            let internal = app.private(Method::POST, "/internal/v1/keys/verify").json(&json!({"key": "x"}));
            !works(app, &revoked).await
                && !works(app, &narrowed).await
                && internal.bearer(&secret).send().await.status == 401
                && app.get("/v1/workspaces").bearer(&session.access_token).send().await.status == 401
                && app.post("/auth/refresh", &json!({"refresh_token": session.refresh_token})).send().await.status
                    == 401
        });
        tokio::time::timeout(FOUND_WITHIN, all_out).await.expect("nothing that was put back grants anything");
        assert!(works(app, &kept).await);
    }
    assert_eq!(app.get("/v1/workspaces").bearer(&ada.access_token).send().await.status, 200);
    let of_cell = app.actions(None).await;
    assert_eq!(of_cell.iter().filter(|action| *action == "alert.row_fenced").count(), 5);
    until(async || app.actions(Some(&acme)).await.iter().filter(|action| *action == "alert.raised").count() >= 2).await;
    // Whoever revokes it once more has it as it was, and it is found no more.
    assert_eq!(app.delete(&format!("{path}/{revoked_id}")).bearer(&ada.access_token).send().await.status, 204);
    assert!(alerts::resolve(&app.db, &clock, &entropy, None).await.unwrap() >= 5);
    let again = app.api_key(&ada, &acme, &json!({"name": "again", "scopes": ["read"]})).await;
    assert!(works(&node, again["key"].as_str().unwrap()).await);
    app.numbered().await;
    let look = reconciler(&app).await.0.look().await.unwrap();
    assert_eq!(look.fenced, 0, "{look:?}");
}

#[tokio::test]
async fn a_row_whose_entry_never_came_and_one_that_is_gone_are_found() {
    let app = TestApp::start().await;
    let (ada, acme) = app.founder("ada@example.com", "acme").await;
    let key = app.api_key(&ada, &acme, &json!({"name": "k", "scopes": ["read"]})).await;
    let gone = app.api_key(&ada, &acme, &json!({"name": "gone", "scopes": ["read"]})).await;
    app.numbered().await;
    let mut intruder = Intruder::enter(&app).await;
    let (reconciler, alerts) = reconciler(&app).await;
    assert_eq!(reconciler.look().await.unwrap().fenced, 0);
    assert_eq!(raised(&alerts).await, []);
    // Numbering stands still, and what was staged is taken away.
    intruder.does("CREATE RULE nothing_stays AS ON INSERT TO ledger_staged DO INSTEAD NOTHING").await;
    let patch = app.call(Method::PATCH, &format!("/v1/workspaces/{acme}/api-keys/{}", key["id"].as_str().unwrap()));
    let patched = patch.json(&json!({"name": "renamed"})).bearer(&ada.access_token).send().await;
    assert_eq!(patched.status, 200, "{}", patched.text);
    intruder.does("DROP RULE nothing_stays ON ledger_staged").await;
    intruder.does("DELETE FROM api_keys WHERE name = 'gone'").await;
    let look = reconciler.look().await.unwrap();
    assert_eq!((look.fenced, look.gone), (1, 1), "{look:?}");
    assert_eq!(raised(&alerts).await, [("api_keys", "row_gone"), ("api_keys", "row_without_entry")]);
    until(async || !works(&app, key["key"].as_str().unwrap()).await).await;
    assert!(gone["key"].is_string());
}

#[tokio::test]
async fn a_log_that_was_changed_is_found_and_nothing_is_fenced_by_it() {
    let app = TestApp::start().await;
    let (ada, acme) = app.founder("ada@example.com", "acme").await;
    let key = app.api_key(&ada, &acme, &json!({"name": "k", "scopes": ["read"]})).await;
    app.numbered().await;
    let checkpoint = app.get(&format!("/v1/workspaces/{acme}/audit/checkpoint")).bearer(&ada.access_token).send().await;
    assert_eq!(checkpoint.status, 200);
    let mut intruder = Intruder::enter(&app).await;
    intruder.does("UPDATE ledger_entries SET entry = entry || ' ' WHERE action = 'api_key.created'").await;
    // Whoever reads the log for the first time knows nothing of the key, and fences it no more than the server's own, which
    // may have read the entry before it was another one.
    let (reconciler, alerts) = reconciler(&app).await;
    let look = reconciler.look().await.unwrap();
    assert!(look.rows > 0 && look.fenced == 0, "{look:?}");
    assert!(raised(&alerts).await.contains(&("ledger_entries", "log_broken")));
    assert!(works(&app, key["key"].as_str().unwrap()).await);
    assert_eq!((found(&app, "row_rolled_back").await, found(&app, "row_without_entry").await), (0, 0));
}

#[tokio::test]
async fn what_cannot_be_read_is_told_and_hides_nothing_else() {
    let app = TestApp::start().await;
    let (ada, acme) = app.founder("ada@example.com", "acme").await;
    let key = app.api_key(&ada, &acme, &json!({"name": "k", "scopes": ["read"]})).await;
    app.numbered().await;
    let mut intruder = Intruder::enter(&app).await;
    let (reconciler, alerts) = reconciler(&app).await;
    reconciler.look().await.unwrap();
    // A moment that no program can read, and an older row of another kind.
    intruder.does("CREATE TABLE kept AS SELECT * FROM api_keys").await;
    let path = format!("/v1/workspaces/{acme}/api-keys/{}", key["id"].as_str().unwrap());
    assert_eq!(app.delete(&path).bearer(&ada.access_token).send().await.status, 204);
    app.numbered().await;
    intruder.does("ALTER TABLE sessions DROP CONSTRAINT sessions_finite").await;
    intruder.does("UPDATE sessions SET expires_at = 'infinity'").await;
    intruder.does("UPDATE api_keys t SET revoked_at = NULL, version = k.version, mac = k.mac FROM kept k").await;
    let look = reconciler.look().await.unwrap();
    assert_eq!(look.fenced, 1, "{look:?}");
    assert!(raised(&alerts).await.contains(&("sessions", "not_reconciled")));
}

#[tokio::test]
async fn a_log_that_is_hidden_is_told() {
    let app = TestApp::start().await;
    let (ada, acme) = app.founder("ada@example.com", "acme").await;
    app.api_key(&ada, &acme, &json!({"name": "k", "scopes": ["read"]})).await;
    app.numbered().await;
    let checkpoint = app.get(&format!("/v1/workspaces/{acme}/audit/checkpoint")).bearer(&ada.access_token).send().await;
    assert_eq!(checkpoint.status, 200, "{}", checkpoint.text);
    let (reconciler, alerts) = reconciler(&app).await;
    let mut intruder = Intruder::enter(&app).await;
    let of_the_cell = "workspace_id = '00000000-0000-0000-0000-000000000000'";
    let hide = "CREATE POLICY hidden ON ledger_heads AS RESTRICTIVE FOR SELECT TO bailiwick_system";
    intruder.does(&format!("{hide} USING ({of_the_cell})")).await;
    // It has read nothing yet, and knows of the log by the journal.
    reconciler.look().await.unwrap();
    assert!(raised(&alerts).await.contains(&("ledger_entries", "log_broken")));
}

#[tokio::test]
async fn whoever_puts_the_look_off_is_found_all_the_same() {
    let app = TestApp::start().await;
    let (ada, acme) = app.founder("ada@example.com", "acme").await;
    let key = app.api_key(&ada, &acme, &json!({"name": "k", "scopes": ["read"]})).await;
    let (reconciler, _) = reconciler(&app).await;
    let schema = schema_watch::watch(&app).await;
    let mut intruder = Intruder::enter(&app).await;
    intruder.does("CREATE TABLE kept AS SELECT * FROM api_keys").await;
    let off = "INSERT INTO jobs_ready (workspace_id, environment, id, kind, due_at)
               VALUES ('00000000-0000-0000-0000-000000000000', 'live', gen_random_uuid(), 'reconciliation.look', '2200-01-01')";
    intruder.does(off).await;
    let path = format!("/v1/workspaces/{acme}/api-keys/{}", key["id"].as_str().unwrap());
    assert_eq!(app.delete(&path).bearer(&ada.access_token).send().await.status, 204);
    app.numbered().await;
    intruder.does("UPDATE api_keys t SET revoked_at = NULL, version = k.version, mac = k.mac FROM kept k").await;
    let fenced = until(async || {
        let macs: Vec<Vec<u8>> =
            sqlx::query_scalar("SELECT mac FROM api_keys").fetch_all(&app.database.owner).await.unwrap();
        macs == [Vec::<u8>::new()]
    });
    tokio::select! {
        () = housekeeping::stand_by(&reconciler, &schema, Duration::from_secs(2)) => {}
        () = fenced => {}
    }
}
