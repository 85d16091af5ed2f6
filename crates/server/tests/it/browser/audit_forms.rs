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
