//! The key that signs access tokens.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use bailiwick_server::clock::Clock;
use bailiwick_server::entropy::Entropy;
use bailiwick_server::server_rotation::{LEAD, Rotation};
use bailiwick_server::server_secrets::{POLL, ServerSecrets};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use time::Duration;

use super::{receipts, rotate, rotated};
use crate::harness::app::{Person, TestApp};
use crate::harness::cluster::options;
use crate::harness::process::until;

/// The name of the key that signed a token.
fn kid(token: &str) -> String {
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    serde_json::from_slice::<Value>(&header).unwrap()["kid"].as_str().unwrap().to_owned()
}

async fn status(app: &TestApp, token: &str) -> u16 {
    app.get("/v1/workspaces").bearer(token).send().await.status.as_u16()
}

/// Asks with a person's token again and again, and has it refreshed, until it is told to stop; answers how often.
async fn keeps_asking(app: &TestApp, stop: &AtomicBool, mut person: Person) -> u32 {
    let mut asked = 0;
    while !stop.load(Ordering::SeqCst) {
        for _ in 0..5 {
            assert_eq!(status(app, &person.access_token).await, 200, "after {asked}");
            asked += 1;
        }
        let refreshed = app.post("/auth/refresh", &json!({"refresh_token": person.refresh_token})).send().await;
        assert_eq!(refreshed.status, 200, "{}", refreshed.text);
        person = refreshed.person();
    }
    asked
}

#[tokio::test]
async fn it_rotates_beside_running_servers_and_nobody_notices() {
    let (app, stop, asked) = (TestApp::start().await, AtomicBool::new(false), AtomicU32::new(0));
    let node = app.another_node().await;
    let before = app.sign_in("eve@example.com").await;
    let (ada, bob) = (app.sign_in("ada@example.com").await, node.sign_in("bob@example.com").await);
    let rotation = async {
        let (receipt, said) = rotated(&mut rotate(&app.database, &["token-key", "--reason", "offboarding"])).await;
        assert!(said.contains("Version 2 of the token key is known to every node"), "{said}");
        assert_eq!(kid(&app.sign_in("eve@example.com").await.access_token), kid(&before.access_token));
        // By now every node has it.
        for app in [&app, &node] {
            app.advance(LEAD);
        }
        for app in [&app, &node] {
            assert_ne!(kid(&app.sign_in("eve@example.com").await.access_token), kid(&before.access_token));
        }
        assert_eq!(status(&app, &before.access_token).await, 200, "the older key's tokens are good until they end");
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        stop.store(true, Ordering::SeqCst);
        receipt
    };
    let load = async |app: &TestApp, person: Person| {
        asked.fetch_add(keeps_asking(app, &stop, person).await, Ordering::SeqCst);
    };
    let (receipt, (), ()) = tokio::join!(rotation, load(&app, ada), load(&node, bob));
    assert!(asked.into_inner() > 20, "and no request failed");

    // When the last of its tokens has ended, the older key goes too.
    let secrets = ServerSecrets::new(app.db.clone(), app.vault().await);
    let at = |minutes| Clock::from_fn(move || Clock::system().now() + Duration::minutes(minutes));
    let destroy =
        async |minutes| Rotation::new(secrets.clone(), at(minutes), Entropy::system()).destroy_ended().await.unwrap();
    assert_eq!((destroy(5).await, destroy(7).await, destroy(8).await), (0, 1, 0));
    let receipts = receipts(&app).await;
    let actions: Vec<&str> = receipts.iter().map(|(_, action)| action.as_str()).collect();
    assert_eq!(actions, ["operator.secret_rotated", "operator.secret_destroyed"]);
    assert_eq!(receipts[0].0, receipt);
    let (listed, _) = rotated(&mut rotate(&app.database, &["status"])).await;
    let listed: Vec<Vec<&str>> = listed.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!((listed.len(), &listed[0][..2], &listed[1][..2]), (2, &["token_key", "1"][..], &["token_key", "2"][..]));
    assert!(listed[0][3] != "-" && listed[1][3] == "-", "{listed:?}");
}

#[tokio::test]
async fn one_that_was_exposed_is_refused_when_the_command_ends() {
    let app = TestApp::start().await;
    let node = app.another_node().await;
    let (here, there) = (app.sign_in("ada@example.com").await, node.sign_in("ada@example.com").await);
    assert_eq!((status(&app, &here.access_token).await, status(&node, &there.access_token).await), (200, 200));
    let exposed = ["token-key", "--exposed", "--reason", "suspected_leak"];
    let (_, said) = rotated(&mut rotate(&app.database, &exposed)).await;
    assert!(said.contains("no node takes an older one any more"), "{said}");
    for (app, person) in [(&app, here), (&node, there)] {
        assert_eq!(status(app, &person.access_token).await, 401);
        let refreshed = app.post("/auth/refresh", &json!({"refresh_token": person.refresh_token})).send().await;
        assert_eq!(status(app, &refreshed.person().access_token).await, 200, "who has a refresh token notices little");
    }
}

#[tokio::test]
async fn no_running_node_goes_back_and_nothing_that_is_put_there_signs() {
    let app = Arc::new(TestApp::start().await);
    let secrets = ServerSecrets::new(app.db.clone(), app.vault().await);
    let rotation = Rotation::new(secrets.clone(), Clock::system(), Entropy::system());
    let first = app.sign_in("ada@example.com").await;
    let mut intruder = PgConnection::connect_with(&options(&app.database.superuser_url)).await.unwrap();
    let mut does = async |sql: &'static str| sqlx::raw_sql(sql).execute(&mut intruder).await.unwrap();
    does("CREATE TABLE kept AS SELECT * FROM server_secrets").await;
    rotation.token_key("suspected_leak".parse().unwrap(), true).await.unwrap();
    until(async || status(&app, &first.access_token).await == 401).await;
    let second = app.sign_in("ada@example.com").await;

    // The older key as the newest: its seal is of another place.
    does("INSERT INTO server_secrets SELECT purpose, 9, value_sealed, now() FROM kept").await;
    let told = "SELECT count(*) FROM alerts WHERE what = $1";
    let told = async |what: &str| {
        sqlx::query_scalar::<_, i64>(told).bind(what).fetch_one(&app.database.owner).await.unwrap() > 0
    };
    until(async || told("does_not_open").await).await;
    // The newest taken away.
    does("DELETE FROM server_secrets WHERE version > 1").await;
    until(async || told("went_back").await).await;
    tokio::time::sleep(POLL * 2).await;
    assert_eq!(status(&app, &first.access_token).await, 401);
    assert_eq!(kid(&app.sign_in("ada@example.com").await.access_token), kid(&second.access_token));
}
