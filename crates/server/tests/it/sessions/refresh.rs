//! Refresh tokens: one successor, and a reuse that ends everything and is told.

use futures_util::future::join_all;
use serde_json::json;
use time::Duration;

use super::{count, refused};
use crate::harness::app::{Answer, TestApp};

async fn refresh(app: &TestApp, token: &str) -> Answer {
    app.post("/auth/refresh", &json!({"refresh_token": token})).send().await
}

#[tokio::test]
async fn fifty_at_once_have_one_successor_and_a_reuse_ends_every_session_and_is_told_once() {
    let app = TestApp::start().await;
    let (ada, elsewhere) = (app.sign_in("Ada@example.com").await, app.sign_in("ada@example.com").await);
    let eve = app.sign_in("eve@example.com").await;
    let answers = join_all((0..50).map(|_| refresh(&app, &ada.refresh_token))).await;
    let pairs: Vec<_> = answers.iter().map(Answer::person).collect();
    assert!(pairs.iter().all(|pair| pair.refresh_token == pairs[0].refresh_token), "one successor");
    assert_eq!(count(&app, "session.refreshed").await, 1);
    app.advance(Duration::seconds(4));
    let late = refresh(&app, &ada.refresh_token).await.person();
    assert_eq!(late.refresh_token, pairs[0].refresh_token, "within ten seconds");
    let tokens: i64 =
        sqlx::query_scalar("SELECT count(*) FROM refresh_tokens").fetch_one(&app.database.owner).await.unwrap();
    assert_eq!(tokens, 4, "one for each sign-in, and one successor");

    app.advance(Duration::seconds(7));
    let mails = app.mails(0).await.len();
    for answer in join_all((0..8).map(|_| refresh(&app, &ada.refresh_token))).await {
        assert_eq!(answer.problem(), (401, "refresh_token_invalid".into()));
    }
    for person in [&ada, &late, &elsewhere] {
        assert_eq!(refused(&app, person).await, "session_ended");
    }
    for token in [&late.refresh_token, &elsewhere.refresh_token] {
        assert_eq!(refresh(&app, token).await.problem(), (401, "refresh_token_invalid".into()));
    }
    assert_eq!(refused(&app, &eve).await, "", "nobody else is signed out");
    assert_eq!(count(&app, "session.refresh_reused").await, 1);
    let told = app.mails(mails + 1).await;
    assert_eq!(told.len(), mails + 1, "one mail, however many noticed");
    assert_eq!((told[0].to.as_str(), &told[0].link), ("Ada@example.com", &None), "to the stored address");
    assert!(
        told[0].subject.contains("signed out") && told[0].text.contains("used a second time"),
        "{:?}",
        told[0].text
    );
    assert!(!told[0].text.contains(&ada.refresh_token));
}

/// A token that was used stays used: it tells of a thief also when it is old, as long as its session lives.
#[tokio::test]
async fn an_old_token_that_comes_back_is_a_reuse_too_and_the_end_of_a_session_is_never_put_off() {
    let app = TestApp::start().await;
    let first = app.sign_in("ada@example.com").await;
    let mut last = refresh(&app, &first.refresh_token).await.person();
    for _ in 0..2 {
        app.advance(Duration::days(10));
        last = refresh(&app, &last.refresh_token).await.person();
    }
    // Twenty days on the first token's own time is long over.
    assert_eq!(refresh(&app, &first.refresh_token).await.problem(), (401, "refresh_token_invalid".into()));
    assert_eq!(refused(&app, &last).await, "session_ended");
    assert_eq!(count(&app, "session.refresh_reused").await, 1);

    // Of a session that is over nothing is ended any more: not by an old token, nor by its newest.
    let lives = app.sign_in("ada@example.com").await;
    for token in [&first.refresh_token, &last.refresh_token] {
        assert_eq!(refresh(&app, token).await.problem(), (401, "refresh_token_invalid".into()));
    }
    assert_eq!(refused(&app, &lives).await, "");

    // Thirty days after the sign-in the session ends, however often it was refreshed; the access token of the last
    // minutes does not outlive it either.
    let mut last = lives;
    for days in [10, 10, 9] {
        app.advance(Duration::days(days));
        last = refresh(&app, &last.refresh_token).await.person();
    }
    app.advance(Duration::days(1) - Duration::seconds(20));
    last = refresh(&app, &last.refresh_token).await.person();
    assert_eq!(refused(&app, &last).await, "");
    app.advance(Duration::seconds(21));
    assert_eq!(refused(&app, &last).await, "session_ended");
    assert_eq!(refresh(&app, &last.refresh_token).await.problem(), (401, "refresh_token_invalid".into()));
}
