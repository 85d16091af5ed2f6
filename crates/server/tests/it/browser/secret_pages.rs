//! Secrets in the console: each page in a real browser, and what its forms do when they are sent by hand.

use nix::sys::signal::Signal;
use reqwest::Method;
use time::Duration;

use crate::harness::app::{Answer, Person, TestApp};
use crate::harness::browser::Tab;
use crate::harness::process::{DevHome, until};
use crate::harness::secrets;

const HTML: &str = "text/html";
const VALUE: &str = "canary-4be1-typed-into-a-form";

async fn look(app: &TestApp, person: &Person, path: &str) -> Answer {
    app.get(path).header("cookie", &person.cookies).header("accept", HTML).send().await
}

async fn submit(app: &TestApp, person: &Person, path: &str, fields: &[(&str, &str)]) -> Answer {
    app.call(Method::POST, path).header("cookie", &person.cookies).header("accept", HTML).form(fields).send().await
}

fn location(answer: &Answer) -> String {
    assert_eq!(answer.status, 303, "{}", answer.text);
    answer.headers["location"].to_str().unwrap().to_owned()
}

/// Fields of the form that stores a secret.
fn form<'a>(nth: &'a str, name: &'a str, kind: &'a str, value: &'a str) -> [(&'static str, &'a str); 5] {
    [("idempotency_key", nth), ("name", name), ("kind", kind), ("project_id", ""), ("value", value)]
}

#[tokio::test]
async fn a_secret_is_stored_read_given_a_version_and_deleted() {
    secrets::record(VALUE);
    let home = DevHome::kept();
    let server = home.start().await;
    let tab = Tab::open(&server.url).await;
    tab.go("/sign-in").await;
    tab.fill("#email", "ada@example.com").await;
    tab.click("main form button").await;
    tab.arrive("/sign-in/sent").await;
    let link = server.mails(1).await.remove(0)["link"].as_str().unwrap().to_owned();
    secrets::record(&link);
    tab.go(&link).await;
    tab.click("form[action='/auth/link'] button").await;
    tab.arrive("/workspaces").await;
    tab.fill("#name", "Acme").await;
    tab.evaluate("document.querySelector('#slug').value = ''").await;
    tab.fill("#slug", "acme").await;
    tab.click("form[action='/workspaces'] button").await;
    tab.arrive("/w/acme/live").await;

    tab.go("/w/acme/live/secrets").await;
    tab.look("secrets-empty").await;
    tab.go("/w/acme/live/secrets/new").await;
    tab.look("secret-new").await;
    tab.fill("#name", "Db Main").await;
    tab.fill("#value", VALUE).await;
    tab.click("main form button.main").await;
    tab.find("#name-fault").await;
    assert!(!tab.source().await.contains(VALUE), "a value is not sent back");
    assert_eq!(tab.text("#value").await, "");
    tab.look("secret-new-refused").await;
    tab.evaluate("document.querySelector('#name').value = ''").await;
    tab.fill("#name", "db.main").await;
    tab.fill("#value", VALUE).await;
    tab.look("secret-new-typed").await;
    tab.click("main form button.main").await;
    tab.find("#flash").await;
    tab.look("secret").await;
    let page = tab.evaluate("location.pathname").await.as_str().unwrap().to_owned();
    tab.go(&format!("{page}/version")).await;
    tab.look("secret-version").await;
    tab.fill("#value", "another value\nof two lines").await;
    tab.click("main form button.main").await;
    tab.find("#flash").await;
    tab.look("secret-of-two-versions").await;
    tab.go(&format!("{page}/accesses")).await;
    tab.look("secret-unread").await;

    tab.go(&page).await;
    tab.click("form[action$='/reveal'] button").await;
    tab.find("#secret-value").await;
    assert_eq!(tab.text("#secret-value").await, "another value\nof two lines");
    tab.look("secret-revealed").await;
    tab.click("#secret-stored").await;
    tab.find("#flash").await;
    tab.look("secret-read").await;
    tab.go(&format!("{page}/accesses")).await;
    tab.look("secret-accesses").await;
    tab.go("/w/acme/live/secrets").await;
    tab.look("secrets").await;

    tab.go(&format!("{page}/rotate")).await;
    tab.look("secret-rotate").await;
    tab.fill("#value", "the third value").await;
    tab.click("main form button.main").await;
    tab.find("#flash").await;
    tab.look("secret-rotating").await;
    tab.go(&page).await;
    tab.click("form[action$='/ready'] input[type=checkbox]").await;
    tab.click("form[action$='/ready'] button").await;
    tab.find("#flash").await;
    until(async || {
        tab.go(&page).await;
        tab.source().await.contains("revoked</span>")
    })
    .await;
    tab.look("secret-watched").await;

    tab.go(&format!("{page}/delete")).await;
    tab.look("secret-delete").await;
    tab.fill("#confirm", "db").await;
    tab.click("main form button").await;
    tab.find("#confirm-fault").await;
    tab.look("secret-delete-refused").await;
    tab.evaluate("document.querySelector('#confirm').value = ''").await;
    tab.fill("#confirm", "db.main").await;
    tab.click("main form button").await;
    tab.find("#flash").await;
    tab.look("secrets-deleted").await;
    tab.close();
    server.stop(Signal::SIGINT).await;
}

#[tokio::test]
async fn a_form_comes_back_without_the_value_and_a_doubled_one_stores_one_secret() {
    let app = TestApp::start().await;
    let (ada, _) = app.founder("ada@example.com", "acme").await;
    let [first, second] = ["0193b3d6-0000-7000-8000-000000000001", "0193b3d6-0000-7000-8000-000000000002"];
    for (name, kind, value) in [("Not A Name", "generic", VALUE), ("a", "database", VALUE), ("a", "generic", "")] {
        let again = submit(&app, &ada, "/w/acme/live/secrets", &form(first, name, kind, value)).await;
        assert_eq!(again.status, 422, "{}", again.text);
        assert!(again.text.contains("aria-invalid") && !again.text.contains(VALUE));
    }
    let path = "/w/acme/live/secrets";
    let made = location(&submit(&app, &ada, path, &form(first, "a", "generic", VALUE)).await);
    assert_eq!(location(&submit(&app, &ada, path, &form(first, "a", "generic", VALUE)).await), made);
    let taken = submit(&app, &ada, path, &form(second, "a", "generic", VALUE)).await;
    assert_eq!(taken.status, 422);
    assert!(taken.text.contains("has that name") && !taken.text.contains(VALUE));
    let changed = submit(&app, &ada, path, &form(first, "a", "generic", "typed-in-otherwise")).await;
    assert!(changed.text.contains("sent before") && !changed.text.contains("typed-in-otherwise"));
    for page in [path.to_owned(), made.clone(), format!("{made}/accesses"), "/w/acme/live/audit".to_owned()] {
        let page = look(&app, &ada, &page).await;
        assert_eq!(page.status, 200);
        assert!(!page.text.contains(VALUE));
    }
}

#[tokio::test]
async fn a_value_is_on_one_page_and_for_a_fresh_sign_in() {
    let app = TestApp::start().await;
    let (mut ada, workspace) = app.founder("ada@example.com", "acme").await;
    let key = "0193b3d6-0000-7000-8000-000000000001";
    let pem = "-----BEGIN PRIVATE KEY-----\r\nAAAA\r\n-----END PRIVATE KEY-----\r\n";
    let made = location(&submit(&app, &ada, "/w/acme/live/secrets", &form(key, "tls", "private_key", pem)).await);
    let reveal = format!("{made}/reveal");
    let shown = submit(&app, &ada, &reveal, &[("version", "1")]).await;
    assert_eq!((shown.status.as_u16(), shown.headers["cache-control"].to_str().unwrap()), (200, "no-store"));
    assert!(shown.text.contains(">\n-----BEGIN PRIVATE KEY-----\nAAAA\n"), "as LF: {}", shown.text);
    let developer = app.join(&workspace, "dev@example.com", "developer").await;
    let page = look(&app, &developer, &made).await;
    assert!(page.status == 200 && !page.text.contains("/reveal") && !page.text.contains("Delete secret"));
    assert_eq!(submit(&app, &developer, &reveal, &[("version", "1")]).await.status, 403);
    app.advance(Duration::minutes(16));
    let body = serde_json::json!({"refresh_token": ada.refresh_token});
    ada = app.post("/auth/refresh", &body).send().await.person();
    ada.cookies = format!("bw_access={}; {}", ada.access_token, ada.cookies);
    let refused = submit(&app, &ada, &reveal, &[("version", "1")]).await;
    assert_eq!(refused.status, 403, "{}", refused.text);
    assert!(refused.text.contains("/account/step-up?back=") && !refused.text.contains("AAAA"));
}
