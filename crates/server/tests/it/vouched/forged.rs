//! Rows that nobody of ours wrote, or that somebody else changed.

use bailiwick_proof::api_key::PlainApiKey;
use bailiwick_proof::environment::Environment;
use bailiwick_proof::id::WorkspaceId;
use bailiwick_proof::internal_key::PlainInternalKey;
use bailiwick_server::entropy::Entropy;
use reqwest::Method;
use serde_json::json;

use super::{Intruder, found, until_found};
use crate::harness::app::TestApp;

/// What an intruder can write into `mac`: nothing; that of another row of the workspace; that of another workspace's row;
/// a good one cut; one that names a key version nobody has; noise.
const MACS: [&str; 6] = [
    "''::bytea",
    "(SELECT mac FROM api_keys WHERE name = 'reader')",
    "(SELECT mac FROM api_keys WHERE name = 'elsewhere')",
    "(SELECT substr(mac, 1, 20) FROM api_keys WHERE name = 'reader')",
    "'\\x00000063'::bytea || sha256('x')",
    "'\\x00000001'::bytea || sha256('x')",
];

fn draw_key() -> String {
    let entropy = Entropy::system();
    std::iter::repeat_with(|| PlainApiKey::from_entropy(Environment::Live, &entropy.bytes()))
        .flatten()
        .map(|key| key.reveal().to_owned())
        .next()
        .unwrap()
}

fn draw_internal_key() -> String {
    let entropy = Entropy::system();
    std::iter::repeat_with(|| PlainInternalKey::from_entropy(&entropy.bytes()))
        .flatten()
        .map(|key| key.reveal().to_owned())
        .next()
        .unwrap()
}

/// 850 keys, 100 refresh tokens and 50 credentials of services, all of secrets that the intruder knows.
struct Forged {
    keys: Vec<String>,
    refresh_tokens: Vec<String>,
    credentials: Vec<String>,
}

impl Forged {
    async fn into(intruder: &mut Intruder, workspace: WorkspaceId) -> Self {
        let mut forged = Self { keys: Vec::new(), refresh_tokens: Vec::new(), credentials: Vec::new() };
        for n in 0..850 {
            let (key, mac) = (draw_key(), MACS[n % MACS.len()]);
            intruder
                .does(&format!(
                    "INSERT INTO api_keys (workspace_id, environment, id, name, lookup, digest, scopes, created_by_user,
                         created_at, version, mac)
                     SELECT '{}', 'live', gen_random_uuid(), 'forged', '{}', sha256('{key}'), ARRAY['management'], id,
                         now(), {}, {mac} FROM users LIMIT 1",
                    workspace.uuid(),
                    key.parse::<PlainApiKey>().unwrap().lookup(),
                    1 + n % 3,
                ))
                .await;
            forged.keys.push(key);
        }
        for n in 0..100 {
            let token = format!("forged-refresh-token-{n}");
            intruder
                .does(&format!(
                    "INSERT INTO refresh_tokens (digest, session_id, issued_at, expires_at, mac)
                     SELECT sha256('{token}'), session_id, now(), now() + interval '1 day', mac FROM refresh_tokens
                     WHERE used_at IS NULL LIMIT 1"
                ))
                .await;
            forged.refresh_tokens.push(token);
        }
        for n in 0..50 {
            let key = draw_internal_key();
            intruder
                .does(&format!(
                    "INSERT INTO internal_credentials (id, service, digest, audiences, created_at, mac)
                     SELECT gen_random_uuid(), 'gateway', sha256('{key}'), ARRAY['billing'], now(), {}",
                    MACS[n % MACS.len()]
                ))
                .await;
            forged.credentials.push(key);
        }
        forged
    }

    /// Of every so many, none lets anybody in at the node there.
    async fn lets_nobody_in(&self, app: &TestApp, every: usize) {
        for key in self.keys.iter().step_by(every) {
            let answer = app.get("/v1/key").bearer(key).send().await;
            assert_eq!(answer.problem(), (401, "unauthenticated".to_owned()));
        }
        for token in self.refresh_tokens.iter().step_by(every) {
            let answer = app.post("/auth/refresh", &json!({"refresh_token": token})).send().await;
            assert_eq!(answer.problem(), (401, "refresh_token_invalid".to_owned()));
        }
        for key in self.credentials.iter().step_by(every) {
            let call = app.private(Method::POST, "/internal/v1/keys/verify").json(&json!({"key": "x"}));
            let answer = call.bearer(key).send().await;
            assert_eq!(answer.problem().0, 401, "{}", answer.text);
        }
    }
}

#[tokio::test]
async fn a_thousand_forged_rows_let_nobody_in_and_each_is_told() {
    let app = TestApp::start().await;
    let (ada, acme) = app.founder("ada@example.com", "acme").await;
    let (bob, other) = app.founder("bob@example.com", "other").await;
    let reader = app.api_key(&ada, &acme, &json!({"name": "reader", "scopes": ["read"]})).await;
    app.api_key(&bob, &other, &json!({"name": "elsewhere", "scopes": ["read"]})).await;
    let (_, service) = app.service("gateway", &["billing"]).await;
    let mut intruder = Intruder::enter(&app).await;
    let forged = Forged::into(&mut intruder, acme.parse().unwrap()).await;
    forged.lets_nobody_in(&app, 1).await;
    // A node that has just begun reads all of it.
    let node = app.another_node().await;
    forged.lets_nobody_in(&node, 1).await;
    // And one that is told of it.
    intruder.lets_triggers_run().await;
    intruder.does("UPDATE api_keys SET version = version WHERE name = 'forged'").await;
    forged.lets_nobody_in(&app, 5).await;
    until_found(&app, "row_unvouched", 1_000).await;

    assert_eq!(app.get("/v1/workspaces").bearer(&ada.access_token).send().await.status, 200);
    for url in [&app, &node] {
        let own = url.get("/v1/key").bearer(reader["key"].as_str().unwrap()).send().await;
        assert_eq!(own.status, 200, "everybody else goes on: {}", own.text);
        let call = url.private(Method::POST, "/internal/v1/keys/verify").json(&json!({"key": "x"}));
        assert_eq!(call.bearer(&service).send().await.status, 200);
    }
    assert_eq!((found(&app, "row_rolled_back").await, found(&app, "row_without_entry").await), (0, 0));
    let actions = app.actions(Some(&acme)).await;
    assert!(actions.iter().filter(|action| *action == "alert.raised").count() >= 850, "the workspace is told");
}

#[tokio::test]
async fn a_membership_that_is_forged_or_raised_shows_nothing_and_allows_nothing() {
    let app = TestApp::start().await;
    let (ada, acme) = app.founder("ada@example.com", "acme").await;
    let (bob, _) = app.founder("bob@example.com", "other").await;
    let viewer = app.join(&acme, "viewer@example.com", "viewer").await;
    let mut intruder = Intruder::enter(&app).await;
    let workspace = acme.parse::<WorkspaceId>().unwrap().uuid();
    intruder
        .does(&format!(
            "INSERT INTO memberships (workspace_id, user_id, role, created_at, mac)
             SELECT '{workspace}', u.id, 'owner', now(), m.mac FROM users u, memberships m
             WHERE u.email_key = 'bob@example.com' AND m.workspace_id = '{workspace}' AND m.role = 'owner'"
        ))
        .await;
    for told in [false, true] {
        if told {
            intruder.lets_triggers_run().await;
        }
        intruder.does("UPDATE memberships SET role = 'owner' WHERE role = 'viewer'").await;
        let make = |person: String| {
            let (app, path) = (&app, format!("/v1/workspaces/{acme}/projects"));
            async move { app.post(&path, &json!({"name": "p"})).bearer(&person).send().await.problem().0 }
        };
        assert_eq!(make(bob.access_token.clone()).await, 404);
        let refused = make(viewer.access_token.clone()).await;
        assert!([403, 404].contains(&refused), "{refused}");
        intruder
            .does(
                "UPDATE memberships SET role = 'viewer' WHERE role = 'owner' AND version > 0 AND user_id IN
            (SELECT id FROM users WHERE email_key = 'viewer@example.com')",
            )
            .await;
    }
    let seen = app.get("/v1/workspaces").bearer(&bob.access_token).send().await.json();
    let names: Vec<_> = seen["data"].as_array().unwrap().iter().map(|one| one["slug"].clone()).collect();
    assert_eq!(names, ["other"], "a forged membership does not even tell a name");
    let console = app.get("/workspaces").header("cookie", &bob.cookies).send().await;
    assert!(console.status == 200 && !console.text.contains("acme"), "{}", console.text);
    assert_eq!(app.get(&format!("/v1/workspaces/{acme}")).bearer(&ada.access_token).send().await.status, 200);
    until_found(&app, "row_unvouched", 1).await;
}

#[tokio::test]
async fn an_address_a_challenge_and_a_session_that_were_altered_sign_nobody_in() {
    let app = TestApp::start().await;
    let ada = app.sign_in("ada@example.com").await;
    app.sign_in("mallory@example.com").await;
    let ended = app.sign_in("ada@example.com").await;
    assert_eq!(app.call(Method::POST, "/auth/sign-out").bearer(&ended.access_token).send().await.status, 204);
    let mut intruder = Intruder::enter(&app).await;
    intruder.does("UPDATE sessions SET revoked_at = NULL").await;
    let back = app.get("/v1/workspaces").bearer(&ended.access_token).send().await;
    assert_eq!(back.problem(), (401, "session_ended".to_owned()));
    let refresh = app.post("/auth/refresh", &json!({"refresh_token": ended.refresh_token})).send().await;
    assert_eq!(refresh.problem().0, 401);

    // Mallory asks for a mail to herself, which the intruder makes one to Ada.
    let asked = app.post("/auth/request", &json!({"email": "mallory@example.com"})).send().await;
    let mails = app.mails(4).await;
    let code = mails.iter().find(|mail| mail.to == "mallory@example.com").unwrap().code.clone().unwrap();
    let set = "email_key = 'ada@example.com', email = 'ada@example.com'";
    assert_eq!(intruder.does(&format!("UPDATE sign_in_challenges SET {set} WHERE redeemed_at IS NULL")).await, 1);
    let body = json!({"challenge": asked.text_of("challenge"), "code": code});
    assert_eq!(app.post("/auth/verify", &body).send().await.problem(), (401, "sign_in_failed".to_owned()));

    // Or it makes Mallory's address that of Ada's account.
    intruder.does("DELETE FROM users WHERE email_key = 'mallory@example.com'").await;
    intruder.does("UPDATE users SET email_key = 'mallory@example.com' WHERE email_key = 'ada@example.com'").await;
    let asked = app.post("/auth/request", &json!({"email": "mallory@example.com"})).send().await;
    let mails = app.mails(5).await;
    let code = mails.iter().find(|mail| mail.to == "mallory@example.com").unwrap().code.clone().unwrap();
    let body = json!({"challenge": asked.text_of("challenge"), "code": code});
    assert_eq!(app.post("/auth/verify", &body).send().await.problem(), (401, "sign_in_failed".to_owned()));
    // By an altered row nobody comes in; as it was, it is good.
    let asks = async || app.get("/v1/workspaces").bearer(&ada.access_token).send().await.status;
    assert_eq!(asks().await, 401);
    intruder.does("UPDATE users SET email_key = 'ada@example.com' WHERE email = 'ada@example.com'").await;
    assert_eq!(asks().await, 200);
    until_found(&app, "row_unvouched", 3).await;
}
