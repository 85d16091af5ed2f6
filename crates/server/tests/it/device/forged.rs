//! Whoever owns the database approves nothing.

use time::Duration;

use super::{approve, ask, poll, refused};
use crate::harness::app::TestApp;

async fn run(app: &TestApp, sql: &'static str, code: &[u8]) {
    let done = sqlx::query(sql).bind(code).execute(&app.database.owner).await.unwrap();
    assert_eq!(done.rows_affected(), 1, "{sql}");
}

fn digest(device: &str) -> Vec<u8> {
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, device.as_bytes()).as_ref().to_vec()
}

#[tokio::test]
async fn a_row_that_somebody_approved_by_hand_opens_nothing() {
    let app = TestApp::start().await;
    let ada = app.sign_in("ada@example.com").await;
    let (by_hand, by_ada) = (ask(&app).await, ask(&app).await);
    run(
        &app,
        "UPDATE device_logins SET approved = true, decided_at = now(), decided_by = s.user_id, by_session = s.id
         FROM sessions s WHERE device_digest = $1",
        &digest(&by_hand.device),
    )
    .await;
    assert_eq!(refused(&app, &by_hand.device).await, "expired_token");

    // All that somebody has said of one program, put into the row of another.
    approve(&app, &ada, &by_ada).await;
    let stolen = ask(&app).await;
    run(
        &app,
        "UPDATE device_logins d SET approved = true, decided_at = a.decided_at, decided_by = a.decided_by,
             by_session = a.by_session, mac = a.mac
         FROM device_logins a WHERE d.device_digest = $1 AND a.approved AND a.id <> d.id AND length(a.mac) > 0
           AND a.mac <> (SELECT mac FROM device_logins ORDER BY id LIMIT 1)",
        &digest(&stolen.device),
    )
    .await;
    assert_eq!(refused(&app, &stolen.device).await, "expired_token");

    // One whose program's code somebody has put into a row that was approved, or that is to be strong.
    run(&app, "UPDATE device_logins SET strong = true WHERE device_digest = $1", &digest(&by_ada.device)).await;
    assert_eq!(refused(&app, &by_ada.device).await, "expired_token");
    run(&app, "UPDATE device_logins SET strong = false WHERE device_digest = $1", &digest(&by_ada.device)).await;
    assert_eq!(poll(&app, &by_ada.device).await.status, 200, "as it was, it is good");
    app.advance(Duration::minutes(1));
    let alerts = "SELECT count(*) FROM alerts WHERE what = 'row_unvouched' AND of_what = 'device_logins'";
    let raised = async || sqlx::query_scalar::<_, i64>(alerts).fetch_one(&app.database.owner).await.unwrap();
    crate::harness::process::until(async || raised().await == 3).await;
}
