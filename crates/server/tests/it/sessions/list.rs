//! What a person sees of their sessions, and what nobody else does.

use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use super::{FIREFOX, refused, sessions, sign_in_from};
use crate::harness::app::TestApp;

fn moment(value: &Value) -> OffsetDateTime {
    OffsetDateTime::parse(value.as_str().unwrap(), &Rfc3339).unwrap()
}

#[tokio::test]
async fn a_person_sees_where_they_are_signed_in_and_nobody_else_does() {
    let app = TestApp::start().await;
    let first = sign_in_from(&app, "ada@example.com", FIREFOX).await;
    let second = sign_in_from(&app, "ada@example.com", "curl/8.9.1 <b>").await;
    let eve = app.sign_in("eve@example.com").await;
    let seen = sessions(&app, &second).await;
    let told = |session: &Value| ["device", "network", "signed_in_by", "current"].map(|member| session[member].clone());
    assert_eq!(seen.len(), 2, "{seen:?}");
    assert_eq!(told(&seen[0]), [json!("curl"), json!("127.0.0.0/24"), json!("mail_code"), json!(true)]);
    assert_eq!(told(&seen[1]), [json!("Firefox on Linux"), json!("127.0.0.0/24"), json!("mail_code"), json!(false)]);
    let lives = moment(&seen[1]["expires_at"]) - moment(&seen[1]["first_seen_at"]);
    assert_eq!(lives, Duration::days(30));
    assert_eq!(sessions(&app, &eve).await.len(), 1);

    // Seen again when it is refreshed; the beginning stays.
    app.advance(Duration::minutes(4));
    let first = app.post("/auth/refresh", &json!({"refresh_token": first.refresh_token})).send().await.person();
    let now = sessions(&app, &first).await;
    assert_eq!((&now[1]["current"], &now[1]["id"]), (&json!(true), &seen[1]["id"]));
    assert_eq!(now[1]["first_seen_at"], seen[1]["first_seen_at"]);
    assert!(moment(&now[1]["last_seen_at"]) - moment(&seen[1]["last_seen_at"]) >= Duration::minutes(4));
    assert_eq!(now[0]["last_seen_at"], seen[0]["last_seen_at"]);

    // Page by page.
    let page = app.get("/auth/sessions?limit=1").bearer(&first.access_token).send().await.json();
    assert_eq!(page["data"][0]["id"], seen[0]["id"]);
    let path = format!("/auth/sessions?limit=1&cursor={}", page["next_cursor"].as_str().unwrap());
    let rest = app.get(&path).bearer(&first.access_token).send().await.json();
    assert_eq!((&rest["data"][0]["id"], &rest["next_cursor"]), (&seen[1]["id"], &Value::Null));

    // What was not used for two weeks is over, and is not there any more.
    app.advance(Duration::days(13));
    let first = app.post("/auth/refresh", &json!({"refresh_token": first.refresh_token})).send().await.person();
    app.advance(Duration::days(1));
    let body = json!({"refresh_token": second.refresh_token});
    assert_eq!(app.post("/auth/refresh", &body).send().await.problem().1, "refresh_token_invalid");
    let first = app.post("/auth/refresh", &json!({"refresh_token": first.refresh_token})).send().await.person();
    let left: Vec<Value> = sessions(&app, &first).await.iter().map(|session| session["id"].clone()).collect();
    assert_eq!(left, [seen[1]["id"].clone()]);
    assert_eq!(app.get("/auth/sessions").send().await.problem().1, "unauthenticated");

    // Where an address stood, a network does.
    let rows: Vec<String> = sqlx::query_scalar(
        "SELECT row_to_json(s)::text FROM sessions s UNION ALL SELECT row_to_json(r)::text FROM refresh_tokens r",
    )
    .fetch_all(&app.database.owner)
    .await
    .unwrap();
    assert!(rows.iter().all(|row| !row.contains("127.0.0.1") && !row.contains("Mozilla") && !row.contains("<b>")));
}

/// A row that the owner of the database puts there is no session, and is not shown as one.
#[tokio::test]
async fn what_nobody_vouches_for_is_not_listed_and_one_that_was_revived_neither() {
    let app = TestApp::start().await;
    let (stays, ended) = (app.sign_in("ada@example.com").await, app.sign_in("ada@example.com").await);
    let id = sessions(&app, &ended).await[0]["id"].as_str().unwrap().to_owned();
    let call = app.delete(&format!("/auth/sessions/{id}")).bearer(&stays.access_token);
    assert_eq!(call.send().await.status, 204);
    assert_eq!(refused(&app, &ended).await, "session_ended");
    sqlx::raw_sql(
        "UPDATE sessions SET revoked_at = NULL;
         INSERT INTO sessions (id, user_id, created_at, expires_at, device, mac)
             SELECT '0193b3d6-0000-7000-8000-000000000001', user_id, created_at, expires_at, 'Forged', mac
             FROM sessions LIMIT 1;
         INSERT INTO refresh_tokens (digest, session_id, issued_at, expires_at)
             SELECT sha256('x'), '0193b3d6-0000-7000-8000-000000000001', issued_at, expires_at
             FROM refresh_tokens LIMIT 1",
    )
    .execute(&app.database.owner)
    .await
    .unwrap();
    assert_eq!(refused(&app, &ended).await, "session_ended", "its MAC says that it was ended");
    // The update gave the other one a version that nobody vouches for; its person signs in again.
    let again = app.sign_in("ada@example.com").await;
    let seen = sessions(&app, &again).await;
    assert_eq!((seen.len(), &seen[0]["current"]), (1, &json!(true)), "{seen:?}");
}
