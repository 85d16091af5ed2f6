//! Rows that somebody hides while they end, and then puts back as they were: the server has written over them.

use bailiwick_proof::id::{InvitationId, UserId};
use bailiwick_server::clock::Clock;
use bailiwick_server::entropy::Entropy;
use bailiwick_server::internal_credentials::{self, RevokeOutcome};
use reqwest::Method;
use serde_json::json;

use super::{Intruder, raised, reconciler};
use crate::harness::app::TestApp;
use crate::harness::people;

#[tokio::test]
async fn what_is_hidden_while_it_ends_is_older_than_its_end_when_it_is_put_back() {
    let app = TestApp::start().await;
    let (ada, acme) = app.founder("ada@example.com", "acme").await;
    let path = |rest: &str| format!("/v1/workspaces/{acme}/{rest}");
    app.join(&acme, "mallory@example.com", "viewer").await;
    let invited = app.post(&path("invitations"), &json!({"email": "eve@example.com", "role": "admin"}));
    let invited = invited.bearer(&ada.access_token).send().await;
    assert_eq!(invited.status, 201, "{}", invited.text);
    let (invitation, token) = (invited.text_of("id"), people::token(&app, "eve@example.com").await);
    let made = app.api_key(&ada, &acme, &json!({"name": "k", "scopes": ["read"]})).await;
    let (key, key_id) = (made["key"].as_str().unwrap(), made["id"].as_str().unwrap());
    let kept = app.api_key(&ada, &acme, &json!({"name": "kept", "scopes": ["read"]})).await;
    let kept = kept["key"].as_str().unwrap();
    let (service, secret) = app.service("gateway", &["billing"]).await;
    let members = app.get(&path("members")).bearer(&ada.access_token).send().await.json();
    let mallorys = members["data"][1]["user_id"].as_str().unwrap().to_owned();
    let (reconciler, alerts) = reconciler(&app).await;
    reconciler.look().await.unwrap();
    let (notary, clock, entropy) = (app.notary().await, Clock::system(), Entropy::system());
    let revoke = async || internal_credentials::revoke(&app.db, &notary, &clock, &entropy, service).await.unwrap();
    let remove = async |rest: &str| app.delete(&path(rest)).bearer(&ada.access_token).send().await.status;

    // Each of them says that it is over already, and has a number from which nothing is to be counted.
    let user = mallorys.parse::<UserId>().unwrap().uuid();
    let invitations = invitation.parse::<InvitationId>().unwrap().uuid();
    let rows = [
        ("api_keys", "revoked_at", "version = 0", "name = 'k'".to_owned()),
        ("memberships", "ended_at", "version = 0", format!("user_id = '{user}'")),
        ("invitations", "accepted_at", "version = 0", format!("id = '{invitations}'")),
        ("internal_credentials", "revoked_at", "ends_at = NULL", "true".to_owned()),
    ];
    let mut intruder = Intruder::enter(&app).await;
    for (table, end, number, which) in &rows {
        intruder.does(&format!("CREATE TABLE kept_{table} AS SELECT * FROM {table} WHERE {which}")).await;
        let hidden = intruder.does(&format!("UPDATE {table} SET {end} = now(), {number} WHERE {which}")).await;
        assert_eq!(hidden, 1, "{table}");
    }
    for ended in [format!("api-keys/{key_id}"), format!("members/{mallorys}"), format!("invitations/{invitation}")] {
        assert_eq!(remove(&ended).await, 204, "{ended}");
    }
    assert_eq!(revoke().await, RevokeOutcome::Revoked);
    // Now somebody vouches that it is over, so it was before.
    assert_eq!(remove(&format!("api-keys/{key_id}")).await, 204);
    assert_eq!(remove(&format!("members/{mallorys}")).await, 404);
    assert_eq!(revoke().await, RevokeOutcome::RevokedBefore);
    app.numbered().await;
    let ends = ["api_key.revoked", "member.removed", "invitation.revoked"];
    let told = app.actions(Some(&acme)).await;
    for action in ends {
        assert_eq!(told.iter().filter(|told| *told == action).count(), 1, "{action}: {told:?}");
    }
    reconciler.look().await.unwrap();
    raised(&alerts).await;

    for (table, end, ..) in &rows {
        let own = if *table == "memberships" { "user_id" } else { "id" };
        let number = if *table == "internal_credentials" { "ends_at" } else { "version" };
        let put = format!(
            "UPDATE {table} t SET {end} = NULL, {} {number} = k.{number}, mac = k.mac FROM kept_{table} k WHERE t.{own} = k.{own}",
            if *table == "invitations" { "revoked_at = NULL," } else { "" }
        );
        assert_eq!(intruder.does(&put).await, 1, "{table}");
    }
    let look = reconciler.look().await.unwrap();
    // The server itself may have looked before.
    assert_eq!(look.fenced + look.unvouched, 4, "{look:?}: {:?}", raised(&alerts).await);
    let cold = app.another_node().await;
    assert_eq!(cold.get("/v1/key").bearer(key).send().await.status, 401);
    assert_eq!(
        cold.get(&path("members")).bearer(&cold.sign_in("mallory@example.com").await.access_token).send().await.status,
        404
    );
    let taken = cold
        .post("/auth/accept-invite", &json!({"token": token}))
        .bearer(&cold.sign_in("eve@example.com").await.access_token)
        .send()
        .await;
    assert_eq!(taken.problem(), (404, "invitation_invalid".into()));
    let asked = cold.private(Method::POST, "/internal/v1/keys/verify").json(&json!({"key": "x"}));
    assert_eq!(asked.bearer(&secret).send().await.status, 401);

    // One that nobody changed meanwhile is good again, and that is a finding of its own.
    for (end, number) in [("now()", 0), ("NULL", 1)] {
        intruder.does(&format!("UPDATE api_keys SET revoked_at = {end} WHERE name = 'kept'")).await;
        raised(&alerts).await;
        assert_eq!(reconciler.look().await.unwrap().back, number);
    }
    assert!(raised(&alerts).await.contains(&("api_keys", "row_came_back")));
    assert_eq!(app.get("/v1/key").bearer(kept).send().await.status, 200);
}
