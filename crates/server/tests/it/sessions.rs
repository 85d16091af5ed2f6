//! Sessions: seen, refreshed, ended on every node, and told to the operator's own services.

mod ends;
mod exchange;
mod list;
mod pages;
mod refresh;
mod verify_in_axum;

use serde_json::{Value, json};

use crate::harness::app::{Person, TestApp};

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

/// Signs in with a browser that calls itself so.
async fn sign_in_from(app: &TestApp, email: &str, agent: &str) -> Person {
    let mails = app.mails(0).await.len();
    let asked = app.post("/auth/request", &json!({"email": email})).send().await;
    let mail = app.mails(mails + 1).await.into_iter().find(|mail| mail.to == email && mail.code.is_some()).unwrap();
    let body = json!({"challenge": asked.text_of("challenge"), "code": mail.code});
    app.post("/auth/verify", &body).header("user-agent", agent).send().await.person()
}

/// The person's sessions, the newest first.
async fn sessions(app: &TestApp, person: &Person) -> Vec<Value> {
    let list = app.get("/auth/sessions").bearer(&person.access_token).send().await;
    assert_eq!(list.status, 200, "{}", list.text);
    list.json()["data"].as_array().unwrap().clone()
}

/// Why the server does not let them in; empty when it does.
async fn refused(app: &TestApp, person: &Person) -> String {
    let answer = app.get("/v1/workspaces").bearer(&person.access_token).send().await;
    if answer.status == 200 { String::new() } else { answer.problem().1 }
}

/// The entries of the cell's log with this action, as their meta opens.
async fn count(app: &TestApp, action: &str) -> usize {
    app.actions(None).await.iter().filter(|found| *found == action).count()
}
