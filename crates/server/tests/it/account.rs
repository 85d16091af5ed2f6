//! A person's own account: another address, its end, and an operator who keeps somebody out.

mod address;
mod deletion;
mod suspension;

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::app::{Answer, Person, TestApp};

async fn submit(app: &TestApp, person: &Person, path: &str, field: (&str, &str)) -> Answer {
    let call = app.call(Method::POST, path).header("cookie", &person.cookies).header("accept", "text/html");
    call.form(&[field]).send().await
}

async fn page(app: &TestApp, person: &Person, path: &str) -> Answer {
    app.get(path).header("cookie", &person.cookies).header("accept", "text/html").send().await
}

/// Whose session it is, and the slugs of their workspaces; why nobody's otherwise.
async fn who(app: &TestApp, person: &Person) -> Result<(String, Vec<String>), String> {
    let (_, service) = app.service("test", &["test"]).await;
    let call = app.private(Method::POST, "/internal/v1/sessions/verify").bearer(&service);
    let told = call.json(&json!({"token": person.access_token})).send().await.json();
    let Some(user) = told["user_id"].as_str() else { return Err(told["code"].as_str().unwrap().to_owned()) };
    let list = app.get("/v1/workspaces").bearer(&person.access_token).send().await.json();
    let slug = |workspace: &Value| workspace["slug"].as_str().unwrap().to_owned();
    Ok((user.to_owned(), list["data"].as_array().unwrap().iter().map(slug).collect()))
}

/// How often the cell's log has this action.
async fn count(app: &TestApp, action: &str) -> usize {
    app.actions(None).await.iter().filter(|found| *found == action).count()
}
