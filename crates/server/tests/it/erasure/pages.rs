//! Erasing in the console, without a browser: a name, what it would reach, the name once more.

use reqwest::Method;
use serde_json::Value;

use super::{shown, told};
use crate::harness::app::{Answer, Person, TestApp};
use crate::harness::process::until;
use crate::harness::recorder::Recorder;

async fn look(app: &TestApp, person: &Person, path: &str) -> Answer {
    app.get(path).header("cookie", &person.cookies).header("accept", "text/html").send().await
}

async fn submit(app: &TestApp, person: &Person, path: &str, fields: &[(&str, &str)]) -> Answer {
    let call = app.call(Method::POST, path).header("cookie", &person.cookies).header("accept", "text/html");
    call.form(fields).send().await
}

#[tokio::test]
async fn the_name_is_typed_twice_and_the_opening_shown_once() {
    let app = TestApp::start().await;
    let recorder = Recorder::of(&app).await;
    let ada = app.sign_in("acme@example.com").await;
    let event = told(&app, &recorder, "jane", "door-1").await;
    let erasures = "/w/acme/live/erasures";
    assert!(look(&app, &ada, erasures).await.text.contains("Nobody was erased yet"));
    assert!(look(&app, &ada, &format!("{erasures}/new")).await.text.contains("Look what it would reach"));

    let unknown = submit(&app, &ada, &format!("{erasures}/look"), &[("subject", "joan")]).await;
    assert!(unknown.status == 422 && unknown.text.contains("Nothing is recorded of this subject"));
    let looked = submit(&app, &ada, &format!("{erasures}/look"), &[("subject", "jane")]).await;
    assert!(looked.status == 200 && looked.text.contains("3 fields become unreadable"), "{}", looked.text);
    let key = ("idempotency_key", "0193b3d6-0000-7000-8000-000000000001");
    let wrong = submit(&app, &ada, erasures, &[key, ("subject", "jane"), ("confirm", "joan")]).await;
    assert!(wrong.status == 422 && wrong.text.contains("confirm-fault"), "{}", wrong.text);
    assert_eq!(shown(&app, &recorder, &event).await["actor"], "jane");

    let asked = submit(&app, &ada, erasures, &[key, ("subject", "jane"), ("confirm", "jane")]).await;
    assert!(asked.status == 200 && asked.text.contains("The erasure is under way"), "{}", asked.text);
    let list = format!("/v1/workspaces/{}/erasures", recorder.workspace);
    let newest = async || app.get(&list).bearer(&ada.access_token).send().await.json()["data"][0].clone();
    until(async || newest().await["state"] == "finished").await;
    assert_eq!(shown(&app, &recorder, &event).await["actor"], Value::Null);
    let erasure = newest().await;
    let page = look(&app, &ada, &format!("{erasures}/{}", erasure["id"].as_str().unwrap())).await.text;
    assert!(page.contains(erasure["subject_commitment"].as_str().unwrap()) && !page.contains("jane"), "{page}");
    assert!(page.contains(&format!("/w/acme/live/audit/{}", erasure["certificate_event_id"].as_str().unwrap())));

    let admin = app.join(&recorder.workspace, "eve@example.com", "admin").await;
    assert!(!look(&app, &admin, erasures).await.text.contains("Erase a subject"), "what one may not do is absent");
    assert_eq!(look(&app, &admin, &format!("{erasures}/new")).await.status, 403);
    assert!(look(&app, &ada, "/w/acme/test/erasures").await.text.contains("asked for in live"));
}

#[tokio::test]
async fn the_log_is_exported_by_a_form() {
    let app = TestApp::start().await;
    let (ada, workspace) = app.founder("ada@example.com", "acme").await;
    let export = "/w/acme/live/audit/export";
    assert!(look(&app, &ada, export).await.text.contains("recorded before the first byte"));
    let wrong = submit(&app, &ada, export, &[("from", "soon"), ("to", ""), ("format", "csv")]).await;
    assert!(wrong.status == 422 && wrong.text.contains("from-fault"), "{}", wrong.text);
    let file = submit(&app, &ada, export, &[("from", ""), ("to", ""), ("format", "csv")]).await;
    assert!(file.status == 200 && file.text.contains("\"workspace.created\""), "{}", file.text);
    assert_eq!(app.actions(Some(&workspace)).await.last().unwrap(), "audit.exported");
    let dev = app.join(&workspace, "dev@example.com", "developer").await;
    assert_eq!(look(&app, &dev, export).await.status, 403);
    assert!(!look(&app, &dev, "/w/acme/live/audit").await.text.contains("audit/export"));
}
