//! What somebody hides while all of it ends has ended with the rest, once they put it back as it was.

use reqwest::Method;
use serde_json::json;

use super::forged::Intruder;
use super::operator::reset;
use super::{ADA, STEP, equip, equip_as, first_step, listed, pass, recover, standing};
use crate::harness::app::{Person, TestApp};
use crate::harness::process::output;

/// The session that was opened first.
const FIRST: &str = "id::text = (SELECT min(id::text) FROM sessions)";

async fn end(app: &TestApp, person: &Person, way: &str) {
    let call = app.call(Method::POST, &format!("/auth/{way}")).bearer(&person.access_token);
    let ended = call.send().await;
    assert_eq!(ended.status, 200, "{}", ended.text);
}

async fn refreshes(app: &TestApp, person: &Person) -> u16 {
    app.post("/auth/refresh", &json!({"refresh_token": person.refresh_token})).send().await.status.as_u16()
}

#[tokio::test]
async fn sessions_that_were_hidden_while_all_of_them_ended_have_ended() {
    let app = TestApp::start().await;
    let thief = app.sign_in(ADA).await;
    let mut intruder = Intruder::at(&app).await;
    for (way, mine) in [("sign-out-others", "in"), ("sign-out-everywhere", "session_ended")] {
        app.advance(STEP);
        let own = app.sign_in(ADA).await;
        assert_eq!(standing(&app, &own).await, "in");
        intruder.keeps("sessions").await;
        intruder.does(&format!("UPDATE sessions SET revoked_at = now() WHERE {FIRST}")).await;
        end(&app, &own, way).await;
        intruder.does(&format!("DELETE FROM sessions WHERE {FIRST}")).await;
        intruder
            .does(&format!(
                "INSERT INTO sessions SELECT * FROM kept_sessions WHERE {}",
                FIRST.replace("FROM s", "FROM kept_s")
            ))
            .await;
        assert_eq!(
            (standing(&app, &thief).await.as_str(), refreshes(&app, &thief).await),
            ("session_ended", 401),
            "{way}"
        );
        assert_eq!(standing(&app, &own).await, mine, "{way}");
    }
    assert_eq!(standing(&app, &app.sign_in(ADA).await).await, "in", "and the next one lives");
}

#[tokio::test]
async fn factors_that_were_hidden_while_all_of_them_were_taken_away_are_gone() {
    let app = TestApp::start().await;
    let thief = equip(&app, &app.sign_in(ADA).await).await;
    let mut intruder = Intruder::at(&app).await;
    for table in ["authenticators", "factor_holders"] {
        intruder.keeps(table).await;
        intruder.does(&format!("DELETE FROM {table}")).await;
    }
    let done = output(&mut reset(&app, ADA, "She has called, ticket 4713")).await;
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    for table in ["authenticators", "factor_holders"] {
        intruder.puts_back(table).await;
    }
    let own = app.sign_in(ADA).await;
    let found = listed(&app, &own).await;
    assert_eq!((&found["authenticators"], &found["recovery_codes_left"]), (&json!([]), &json!(0)));
    // Nor do they count beside those that she adds.
    app.advance(STEP * 2);
    equip_as(&app, &own, "Tablet").await;
    let failed = (403, "factor_failed".to_owned());
    app.advance(STEP * 2);
    assert_eq!(pass(&app, &first_step(&app, ADA).await, &thief.otp.at(app.now())).await.problem(), failed);
    assert_eq!(recover(&app, &first_step(&app, ADA).await, &thief.codes[0]).await.problem(), failed);
}
