//! The audit log without script: its forms and links, by plain requests.

use reqwest::Method;
use serde_json::json;

use super::audit::record;
use crate::harness::app::{Answer, Person, TestApp};

const HTML: &str = "text/html";

async fn look(app: &TestApp, person: &Person, path: &str) -> Answer {
    app.call(Method::GET, path).header("cookie", &person.cookies).header("accept", HTML).send().await
}

/// The receipt as a browser takes it: a file, with what was ticked opened and nothing else.
#[tokio::test]
async fn a_receipt_is_taken_away_by_a_plain_form() {
    let app = TestApp::start().await;
    let (ada, workspace) = app.founder("ada@example.com", "acme").await;
    let event = json!({"action": "invoice.paid", "actor": "customer-42"});
    let id = record(&app, &ada, &workspace, &event).await["id"].as_str().unwrap().to_owned();
    let page = look(&app, &ada, &format!("/w/acme/live/audit/{id}")).await;
    assert!(page.text.contains(&format!("bailiwick verify {id}.tlog-proof --key")), "{}", page.text);
    let take = async |open: &str| look(&app, &ada, &format!("/w/acme/live/audit/{id}/receipt{open}")).await;
    let bare = take("").await;
    assert_eq!(bare.status, 200, "{}", bare.text);
    assert_eq!(bare.headers["content-disposition"], format!("attachment; filename=\"{id}.tlog-proof\""));
    assert_eq!(bare.headers["cache-control"], "no-store");
    let receipt: bailiwick_proof::receipt::Receipt = bare.text.parse().unwrap();
    assert!(receipt.openings.is_empty());
    let opened: bailiwick_proof::receipt::Receipt = take("?open=actor&open=ip").await.text.parse().unwrap();
    assert_eq!(opened.openings.len(), 2);
    assert_eq!(take("?open=name").await.status, 400);
}

#[tokio::test]
async fn the_log_is_behind_the_walls_of_its_workspace_role_and_environment() {
    let app = TestApp::start().await;
    let (ada, workspace) = app.founder("ada@example.com", "acme").await;
    let event = json!({"action": "invoice.paid", "actor": "customer-42"});
    let id = record(&app, &ada, &workspace, &event).await["id"].as_str().unwrap().to_owned();
    let eve = app.founder("eve@example.com", "evil").await.0;
    let viewer = app.join(&workspace, "viewer@example.com", "viewer").await;
    for path in ["", "/checkpoint", &format!("/{id}"), &format!("/{id}/receipt")] {
        for (person, status) in [(&eve, 404), (&viewer, 403)] {
            let answer = look(&app, person, &format!("/w/acme/live/audit{path}")).await;
            assert_eq!(answer.status, status, "{path}");
        }
    }
    let home = look(&app, &viewer, "/w/acme/live").await;
    assert!(!home.text.contains("/w/acme/live/audit"), "what one may not see is absent");
    let sought = look(&app, &viewer, &format!("/w/acme/live/go?id={id}")).await;
    assert_eq!(sought.status, 404);
    // The test environment's log is another one, and eve's own has no such entry.
    assert_eq!(look(&app, &ada, &format!("/w/acme/test/audit/{id}")).await.status, 404);
    assert_eq!(look(&app, &eve, &format!("/w/evil/live/audit/{id}")).await.status, 404);
}

#[tokio::test]
async fn a_filter_stays_from_page_to_page() {
    let app = TestApp::start().await;
    let (ada, workspace) = app.founder("ada@example.com", "acme").await;
    for number in 0..51 {
        let event = json!({"action": "invoice.paid", "actor": "a & b", "target": format!("invoice-{number}")});
        record(&app, &ada, &workspace, &event).await;
    }
    let first = look(&app, &ada, "/w/acme/live/audit?action=&actor=+a+%26+b+&target=&from=&to=").await;
    assert_eq!(first.text.matches("class=\"primary mono\"").count(), 50);
    assert!(first.text.contains("50 entries on this page") && first.text.contains("invoice-50"));
    let next = first.text.split_once("?actor=a+").and_then(|(_, rest)| rest.split_once('"')).unwrap().0;
    let next = format!("/w/acme/live/audit?actor=a+{}", next.replace("&#38;", "&"));
    assert!(next.contains("actor=a+%26+b&cursor="), "{next}");
    let second = look(&app, &ada, &next).await;
    assert_eq!(second.text.matches("class=\"primary mono\"").count(), 1, "the founding is filtered out");
    assert!(second.text.contains("invoice-0") && second.text.contains("First page"));

    assert_eq!(look(&app, &ada, "/w/acme/live/audit?seq=1").await.status, 400);
    let refused = look(&app, &ada, "/w/acme/live/audit?from=yesterday").await;
    assert!(refused.status == 422 && refused.text.contains("Choose a day"), "{}", refused.status);
}

/// What programs may record is registered and retired without a script; what cannot be meant stands beside its field.
#[tokio::test]
async fn actions_are_registered_and_retired_by_plain_forms() {
    let app = TestApp::start().await;
    let (ada, workspace) = app.founder("ada@example.com", "acme").await;
    let path = "/w/acme/live/audit/actions";
    let submit = async |path: &str, fields: &[(&str, &str)]| {
        app.call(Method::POST, path).header("cookie", &ada.cookies).header("accept", HTML).form(fields).send().await
    };
    let key = |n: u8| format!("01890000-0000-7000-8000-0000000000{n:02}");
    for (n, action, why) in [
        (1, "ada@example.com", "lower-case words"),
        (2, "invoice.paid", "registered already"),
        (3, "secret.read", "a word of Bailiwick"),
    ] {
        let refused = submit(path, &[("idempotency_key", &key(n)), ("action", action), ("description", "")]).await;
        assert_eq!(refused.status, 422, "{action}");
        assert!(refused.text.contains(why) && refused.text.contains("Error: "), "{action}: {}", refused.text);
    }
    let fields =
        [("idempotency_key", key(4)), ("action", "window.broken".into()), ("description", "It <b>broke".into())];
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let made = submit(path, &fields).await;
    assert_eq!((made.status.as_u16(), made.headers["location"].to_str().unwrap()), (303, path), "{}", made.text);
    let page = look(&app, &ada, path).await;
    assert!(page.text.contains("window.broken") && page.text.contains("It &#60;b&#62;broke"), "{}", page.text);
    record(&app, &ada, &workspace, &json!({"action": "window.broken", "actor": "a storm"})).await;
    let retired = submit(&format!("{path}/window.broken/retire"), &[("idempotency_key", &key(5))]).await;
    assert_eq!(retired.status, 303, "{}", retired.text);
    assert!(!look(&app, &ada, path).await.text.contains("window.broken"));
    let gone = submit(&format!("{path}/window.broken/retire"), &[("idempotency_key", &key(6))]).await;
    assert_eq!(gone.status, 404);

    let developer = app.join(&workspace, "dev@example.com", "developer").await;
    let page = look(&app, &developer, path).await;
    assert!(
        page.status == 200 && !page.text.contains("<form method=\"post\" action=\"/w/acme/live/audit"),
        "{}",
        page.text
    );
}
