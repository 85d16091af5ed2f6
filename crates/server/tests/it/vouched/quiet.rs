//! What the product changes by itself is no finding.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;
use tokio::sync::Mutex;

use super::reconciler;
use crate::harness::app::TestApp;

/// Keys and sessions of a person of their own come, change and go for a while; answers how many rounds that were.
async fn live(app: &TestApp, one_mail: &Mutex<()>, n: usize, until: Instant) -> usize {
    let email = format!("p{n}@example.com");
    let (mut person, workspace) = {
        let _one_at_a_time = one_mail.lock().await;
        app.founder(&email, &format!("w{n}")).await
    };
    let mut rounds = 0;
    while Instant::now() < until {
        let path = format!("/v1/workspaces/{workspace}/api-keys");
        let key = app.api_key(&person, &workspace, &json!({"name": "k", "scopes": ["read"]})).await;
        let one = format!("{path}/{}", key["id"].as_str().unwrap());
        let patch = app.call(Method::PATCH, &one).json(&json!({"name": "renamed"}));
        assert_eq!(patch.bearer(&person.access_token).send().await.status, 200);
        let rotate = app.post(&format!("{one}/rotate"), &json!({"overlap_seconds": 60}));
        assert_eq!(rotate.bearer(&person.access_token).send().await.status, 201);
        assert_eq!(app.delete(&one).bearer(&person.access_token).send().await.status, 204);
        let refreshed = app.post("/auth/refresh", &json!({"refresh_token": person.refresh_token})).send().await;
        person = refreshed.person();
        if rounds % 4 == 3 {
            let ended = app.call(Method::POST, "/auth/sign-out").bearer(&person.access_token).send().await;
            assert_eq!(ended.status, 204);
            let _one_at_a_time = one_mail.lock().await;
            person = app.sign_in(&email).await;
        }
        rounds += 1;
    }
    rounds
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_at_full_speed_raise_no_alert() {
    let app = TestApp::start().await;
    let (reconciler, _) = reconciler(&app).await;
    let until = Instant::now() + Duration::from_secs(8);
    let one_mail = Mutex::new(());
    let changing = futures_util::future::join_all((0..6).map(|n| live(&app, &one_mail, n, until)));
    let looking = async {
        let mut looks = 0;
        while Instant::now() < until {
            let look = reconciler.look().await.unwrap();
            assert_eq!((look.fenced, look.unvouched, look.gone), (0, 0, 0), "{look:?}");
            looks += 1;
        }
        looks
    };
    let (rounds, looks) = tokio::join!(changing, looking);
    let rounds: usize = rounds.iter().sum();
    println!("{rounds} rounds of changes under {looks} looks");
    assert!(rounds > 6 && looks > 3, "{rounds} rounds, {looks} looks");
    app.numbered().await;
    let look = reconciler.look().await.unwrap();
    assert!(look.rows > rounds as u64 && look.fenced + look.unvouched + look.gone == 0, "{look:?}");
    let alerts: i64 = sqlx::query_scalar("SELECT count(*) FROM alerts").fetch_one(&app.database.owner).await.unwrap();
    assert_eq!(alerts, 0);
}
