//! Registered actions: what is not registered is not recorded, whoever asks and however.

use reqwest::Method;
use serde_json::{Value, json};

use super::Acme;
use crate::harness::app::{Answer, TestApp};
use crate::harness::ledger::report_on;
use crate::harness::recorder::{event, events};

/// What an environment has at most.
const MOST: i64 = 500;

async fn register(acme: &Acme, action: &str) -> Answer {
    let body = json!({"action": action, "description": "said once"});
    acme.app.post(&acme.path("audit/actions"), &body).bearer(&acme.person.access_token).send().await
}

async fn retire(acme: &Acme, action: &str) -> Answer {
    acme.app.delete(&acme.path(&format!("audit/actions/{action}"))).bearer(&acme.person.access_token).send().await
}

fn of(action: &str) -> Value {
    json!({"action": action, "actor": "ada"})
}

/// Nothing is written of a batch with one event that is not registered, and the answer says which that is.
#[tokio::test]
async fn what_is_not_registered_is_refused_before_anything_is_written() {
    let acme = Acme::found().await;
    let told = events([of("door.opened"), of("door.closed"), of("window.broken"), of("window.mended")]);
    let refused = acme.record_all(&told).await;
    assert_eq!(refused.problem(), (422, "action_not_registered".to_owned()), "{}", refused.text);
    assert_eq!(refused.json()["errors"][0]["pointer"], "/events/2/action");
    assert_eq!(refused.json()["errors"][0]["code"], "not_registered");
    assert_eq!(acme.record(&of("window.broken")).await.problem(), (422, "action_not_registered".to_owned()));
    assert_eq!(acme.listed("").await, ["workspace.created"]);

    for action in ["window.broken", "window.mended"] {
        let made = register(&acme, action).await;
        assert_eq!(made.status, 201, "{}", made.text);
        assert_eq!((&made.json()["action"], &made.json()["description"]), (&json!(action), &json!("said once")));
    }
    assert_eq!(acme.record_all(&told).await.status, 201);
    let listed = acme.listed("?limit=7").await;
    assert_eq!(listed[..4], ["window.mended", "window.broken", "door.closed", "door.opened"]);
    assert_eq!(listed[4..], ["audit.action_registered", "audit.action_registered", "workspace.created"]);
    let entry = &acme.get("audit/events?action=audit.action_registered").await.json()["data"][1];
    assert_eq!((&entry["meta"]["name"], &entry["target"]), (&json!("window.broken"), &json!(acme.workspace)));
    assert!(entry["actor"].as_str().unwrap().starts_with("usr_"), "{entry}");

    assert_eq!(register(&acme, "window.broken").await.problem(), (409, "name_taken".to_owned()));
    assert_eq!(retire(&acme, "window.broken").await.status, 204);
    assert_eq!(retire(&acme, "window.broken").await.problem(), (404, "not_found".to_owned()));
    assert_eq!(acme.record(&of("window.broken")).await.problem(), (422, "action_not_registered".to_owned()));
    assert_eq!(acme.record(&of("window.mended")).await.status, 201);
    assert_eq!(acme.listed("?action=window.broken").await.len(), 1, "what was recorded of it stays");
    let left = acme.get("audit/actions").await.json();
    let left: Vec<&str> =
        left["actions"].as_array().unwrap().iter().map(|one| one["action"].as_str().unwrap()).collect();
    assert!(left.contains(&"window.mended") && !left.contains(&"window.broken") && left.is_sorted(), "{left:?}");
}

/// An answer that was kept is given again, though its action is retired: nothing is recorded twice or anew.
#[tokio::test]
async fn a_retry_is_answered_and_a_new_request_refused_after_a_retirement() {
    let acme = Acme::found().await;
    let call = async || {
        let call = acme.app.post(&acme.path("audit/events"), &events([event("n-1")])).bearer(&acme.person.access_token);
        call.header("idempotency-key", "once").send().await
    };
    let first = call().await;
    assert_eq!(first.status, 201, "{}", first.text);
    assert_eq!(retire(&acme, "invoice.paid").await.status, 204);
    assert_eq!((call().await.text, acme.listed("?action=invoice.paid").await.len()), (first.text, 1));
    let other = acme.record(&event("n-2")).await;
    assert_eq!(other.problem(), (422, "action_not_registered".to_owned()));
}

#[tokio::test]
async fn no_address_no_word_of_ours_and_nothing_that_looks_like_another_word_is_registered() {
    let acme = Acme::found().await;
    for bad in [
        "ada@example.com",
        "door.opened_by_ada@example.com",
        "ada",
        "Door.opened",
        "dооr.opened",
        "door.opened\u{200b}",
        "door.0pened",
        " door.opened",
        "door..opened",
        &format!("door.{}", "o".repeat(60)),
    ] {
        let refused = register(&acme, bad).await;
        assert_eq!(refused.problem(), (422, "invalid_body".to_owned()), "{bad}: {}", refused.text);
        assert_eq!(refused.json()["errors"][0]["pointer"], "/action", "{bad}");
    }
    for ours in ["api_key.created", "audit.read", "sign_in.failed", "subject.erased"] {
        assert_eq!(register(&acme, ours).await.problem(), (422, "action_reserved".to_owned()), "{ours}");
    }
    let mut address = event("n-1");
    address["trace"] = json!("ada@example.com");
    assert_eq!(acme.record(&address).await.problem(), (422, "invalid_body".to_owned()));
    address["trace"] = json!("6164614065786d61706c652e636f6d2e");
    assert_eq!(acme.record(&address).await.status, 201, "hex says what it says");
    // Whoever writes a description, no line of it leads elsewhere.
    let lines = json!({"action": "window.broken", "description": "one\ntwo"});
    let refused = acme.app.post(&acme.path("audit/actions"), &lines).bearer(&acme.person.access_token).send().await;
    assert_eq!(refused.problem(), (422, "invalid_body".to_owned()));
    assert_eq!(acme.listed("").await, ["invoice.paid", "workspace.created"]);
}

/// A program that may record does not decide what may be recorded, and neither does one that is confined to a project. Test is a wall.
#[tokio::test]
async fn who_may_record_does_not_register_and_each_environment_has_its_own() {
    let acme = Acme::found().await;
    let project = json!({"name": "One"});
    let project = acme.app.post(&acme.path("projects"), &project).bearer(&acme.person.access_token).send().await;
    let key = async |body: Value| {
        let made = acme.app.api_key(&acme.person, &acme.workspace, &body).await;
        made["key"].as_str().unwrap().to_owned()
    };
    let writes = key(json!({"name": "writes", "scopes": ["write"]})).await;
    let confined =
        key(json!({"name": "confined", "scopes": ["management"], "project_id": project.text_of("id")})).await;
    let body = json!({"action": "window.broken"});
    for key in [&writes, &confined] {
        let refused = acme.app.post(&acme.path("audit/actions"), &body).bearer(key).send().await;
        assert_eq!(refused.problem(), (403, "forbidden".to_owned()), "{}", refused.text);
        let refused = acme.app.delete(&acme.path("audit/actions/door.opened")).bearer(key).send().await;
        assert_eq!(refused.problem(), (403, "forbidden".to_owned()), "{}", refused.text);
        let recorded = acme.app.post(&acme.path("audit/events"), &events([of("door.opened")])).bearer(key).send().await;
        assert_eq!(recorded.status, 201, "{}", recorded.text);
    }
    let seen = acme.app.get(&acme.path("audit/actions")).bearer(&confined).send().await.json();
    assert_eq!(seen, json!({"actions": []}), "the words are those of all projects");

    let in_test = |method: Method, path: &str, body: &Value| {
        let call = acme.app.call(method, &acme.path(path)).bearer(&acme.person.access_token).json(body);
        call.header("bailiwick-environment", "test").send()
    };
    assert_eq!(register(&acme, "window.broken").await.status, 201);
    let refused = in_test(Method::POST, "audit/events", &events([of("window.broken")])).await;
    assert_eq!(refused.problem(), (422, "action_not_registered".to_owned()));
    assert_eq!(in_test(Method::POST, "audit/actions", &body).await.status, 201);
    assert_eq!(in_test(Method::POST, "audit/events", &events([of("window.broken")])).await.status, 201);
    assert_eq!(retire(&acme, "window.broken").await.status, 204);
    assert_eq!(in_test(Method::POST, "audit/events", &events([of("window.broken")])).await.status, 201);
}

/// Two nodes, and no memory of either between them: what one retires the other refuses at once.
#[tokio::test]
async fn every_node_knows_at_once_and_no_environment_has_more_than_are_read() {
    let acme = Acme::found().await;
    let other = acme.app.another_node().await;
    let key = acme.app.api_key(&acme.person, &acme.workspace, &json!({"name": "k", "scopes": ["write"]})).await;
    let key = key["key"].as_str().unwrap();
    let at_other = |told: Value| other.post(&acme.path("audit/events"), &events([told])).bearer(key).send();
    for _ in 0..3 {
        assert_eq!(register(&acme, "window.broken").await.status, 201);
        assert_eq!(at_other(of("window.broken")).await.status, 201);
        assert_eq!(retire(&acme, "window.broken").await.status, 204);
        assert_eq!(at_other(of("window.broken")).await.problem(), (422, "action_not_registered".to_owned()));
    }
    fill(&acme.app).await;
    let full = register(&acme, "window.broken").await;
    assert_eq!(full.problem(), (422, "invalid_body".to_owned()), "{}", full.text);
    assert_eq!(full.json()["errors"][0]["code"], "too_many");
    assert_eq!(acme.get("audit/actions").await.json()["actions"].as_array().unwrap().len(), 500);

    // The log checks, with all that was registered and retired in it.
    acme.app.numbered().await;
    assert!(report_on(&acme.app, &acme.workspace).await.damages.is_empty());
}

/// Registers words until an environment has as many as can be.
async fn fill(app: &TestApp) {
    sqlx::query(
        "INSERT INTO audit_actions (workspace_id, environment, action, description, registered_by, registered_at)
         SELECT w.workspace_id, 'live', 'filler.' || translate(n::text, '0123456789', 'abcdefghij'), '', 'system', now()
         FROM workspaces w, generate_series(1, $1 - (SELECT count(*) FROM audit_actions WHERE environment = 'live')) n",
    )
    .bind(MOST)
    .execute(&app.database.owner)
    .await
    .unwrap();
}
