//! The credential of a service.

use reqwest::Method;
use serde_json::json;
use time::Duration;

use super::{receipts, rotate, rotated};
use crate::harness::app::TestApp;
use crate::harness::process::refused;
use crate::harness::secrets::record;

async fn status(app: &TestApp, credential: &str) -> u16 {
    let body = json!({"key": "x", "audience": "billing"});
    app.private(Method::POST, "/internal/v1/keys/verify").bearer(credential).json(&body).send().await.status.as_u16()
}

#[tokio::test]
async fn both_are_taken_for_a_while_and_then_the_successor_alone() {
    let app = TestApp::start().await;
    let (id, old) = app.service("billing", &["billing", "mail"]).await;
    let id = id.to_string();
    let (new, said) = rotated(&mut rotate(&app.database, &["internal-key", &id, "--overlap", "2"])).await;
    record(&new);
    assert!(said.contains(&format!("is the successor of {id}")), "{said}");
    assert_eq!((status(&app, &old).await, status(&app, &new).await), (200, 200));
    let again = refused(&mut rotate(&app.database, &["internal-key", &id])).await;
    assert!(again.contains("has a successor already"), "{again}");
    let audiences: Vec<Vec<String>> =
        sqlx::query_scalar("SELECT audiences FROM internal_credentials").fetch_all(&app.database.owner).await.unwrap();
    assert_eq!(audiences, [["billing", "mail"], ["billing", "mail"]]);

    app.advance(Duration::hours(2) + Duration::seconds(2));
    // What was looked up is believed for a second.
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!((status(&app, &old).await, status(&app, &new).await), (401, 200));
    let (event, action) = receipts(&app).await.pop().unwrap();
    assert!(action == "operator.credential_rotated" && said.contains(&event), "{said}");

    let unknown = "int_01h455vb4pex5vsknk084sn02q";
    let said = refused(&mut rotate(&app.database, &["internal-key", unknown])).await;
    assert!(said.contains("there is no internal credential"), "{said}");
}

#[tokio::test]
async fn an_end_that_is_put_off_in_the_database_opens_nothing() {
    let app = TestApp::start().await;
    let (id, old) = app.service("billing", &["billing"]).await;
    let (new, _) = rotated(&mut rotate(&app.database, &["internal-key", &id.to_string(), "--overlap", "0"])).await;
    record(&new);
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!(status(&app, &old).await, 401);
    sqlx::query("UPDATE internal_credentials SET ends_at = NULL").execute(&app.database.owner).await.unwrap();
    assert_eq!((status(&app, &old).await, status(&app, &new).await), (401, 200));
}

#[tokio::test]
async fn what_was_written_into_the_row_gets_no_successor() {
    let app = TestApp::start().await;
    let (id, old) = app.service("billing", &["billing"]).await;
    let widen = "UPDATE internal_credentials SET audiences = '{billing,payroll}'";
    sqlx::query(widen).execute(&app.database.owner).await.unwrap();
    let said = refused(&mut rotate(&app.database, &["internal-key", &id.to_string()])).await;
    assert!(said.contains("is not what was made here"), "{said}");
    let count: i64 =
        sqlx::query_scalar("SELECT count(*) FROM internal_credentials").fetch_one(&app.database.owner).await.unwrap();
    assert_eq!((count, status(&app, &old).await), (1, 401), "nobody vouches for it now either");
}
