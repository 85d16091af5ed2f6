//! One's own passkeys: named, listed, removed; and another's, which are not there.

use reqwest::Method;
use serde_json::json;

use super::{World, begin_registration, failed, register};
use crate::harness::app::TestApp;
use crate::harness::authenticator::{Authenticator, Lie};

#[tokio::test]
async fn passkeys_are_named_listed_and_removed_by_their_person_alone() {
    let mut world = World::start().await;
    let bob = world.app.sign_in("bob@example.com").await;
    let path = format!("/auth/passkeys/{}", world.id());
    let rename = async |token: &str, name: &str| {
        world.app.call(Method::PATCH, &path).json(&json!({"name": name})).bearer(token).send().await
    };
    assert_eq!(rename(&bob.access_token, "mine").await.problem(), (404, "not_found".into()));
    let removed = world.app.delete(&path).bearer(&bob.access_token).send().await;
    assert_eq!(removed.problem(), (404, "not_found".into()));
    assert_eq!(rename(&world.ada.access_token, "").await.problem(), (422, "invalid_body".into()));
    let renamed = rename(&world.ada.access_token, "The yellow one").await;
    assert_eq!((renamed.status.as_u16(), renamed.text_of("name")), (200, "The yellow one".into()));

    // The same handle again, and the authenticator is told what it has.
    let asked = begin_registration(&world.app, &world.ada).await.json();
    assert_eq!(asked["options"]["publicKey"]["excludeCredentials"].as_array().unwrap().len(), 1);
    let mut second = Authenticator::new(&world.app.url);
    second.synced = true;
    let made = register(&world.app, &world.ada, &mut second, &Lie::default()).await.json();
    assert_eq!((&made["recovery_codes"], &made["tokens"]), (&json!(null), &json!(null)), "only with the first");
    assert_eq!(
        (second.user_handle.clone(), &made["passkey"]["synced"]),
        (world.device.user_handle.clone(), &json!(true))
    );

    let removed = world.app.delete(&path).bearer(&world.ada.access_token).send().await;
    assert_eq!(removed.status, 204, "{}", removed.text);
    let again = world.app.delete(&path).bearer(&world.ada.access_token).send().await;
    assert_eq!(again.problem(), (404, "not_found".into()));
    assert_eq!(world.sign_in(&Lie::default()).await.problem(), failed());
    let listed = world.app.get("/auth/passkeys").bearer(&world.ada.access_token).send().await.json();
    assert_eq!(listed["data"].as_array().unwrap().len(), 1);
    let kept =
        "SELECT name || coalesce(encode(credential_sealed, 'hex'), '') FROM passkeys WHERE removed_at IS NOT NULL";
    let kept: Vec<String> = sqlx::query_scalar(kept).fetch_all(&world.app.database.owner).await.unwrap();
    assert_eq!(kept, [""], "neither name nor key");
    world.device = second;
    assert_eq!(world.sign_in(&Lie::default()).await.status, 200);
    let actions = world.app.actions(None).await;
    for action in ["factor.passkey_renamed", "factor.removed"] {
        assert_eq!(actions.iter().filter(|done| *done == action).count(), 1, "{action}");
    }
}

#[tokio::test]
async fn an_address_has_no_passkeys_and_says_so() {
    let app = TestApp::configured(|config| {
        let url = config.public_url.origin().replace("localhost", "127.0.0.1");
        config.public_url = bailiwick_server::config::PublicUrl::parse(&url).unwrap();
    })
    .await;
    let ada = app.sign_in("ada@example.com").await;
    let none = (409, "passkeys_unavailable".to_owned());
    let asked = app.call(Method::POST, "/auth/passkeys/sign-in/start").send().await;
    assert_eq!(asked.problem(), none);
    assert!(asked.text.contains("public_url"), "{}", asked.text);
    assert_eq!(begin_registration(&app, &ada).await.problem(), none);
    let door = app.get("/sign-in").send().await;
    assert!(!door.text.contains("passkey"), "{}", door.text);
    let page = app.get("/account/passkeys").header("cookie", &ada.cookies).send().await;
    assert!(page.text.contains("public_url") && !page.text.contains("data-passkey"), "{}", page.text);
}

#[tokio::test]
async fn the_last_factor_of_whoever_owes_one_stays_and_two_at_once_do_not_remove_both() {
    let world = World::start().await;
    let (app, ada) = (&world.app, &world.ada);
    let founded = app.post("/v1/workspaces", &json!({"name": "Acme", "slug": "acme"})).bearer(&ada.access_token);
    assert_eq!(founded.send().await.status, 201);
    let demand = app.call(Method::PATCH, "/v1/workspaces/acme/security").json(&json!({"require_mfa": true}));
    let demanded = demand.bearer(&ada.access_token).send().await;
    assert_eq!(demanded.status, 200, "{}", demanded.text);
    let mut second = Authenticator::new(&app.url);
    let made = register(app, ada, &mut second, &Lie::default()).await.json();
    let remove = async |id: &str| {
        let answer = app.delete(&format!("/auth/passkeys/{id}")).bearer(&ada.access_token).send().await;
        answer.status.as_u16()
    };
    let other = made["passkey"]["id"].as_str().unwrap();
    let (one, two) = tokio::join!(remove(world.id()), remove(other));
    assert_eq!([one.min(two), one.max(two)], [204, 409]);
    let listed = app.get("/auth/passkeys").bearer(&ada.access_token).send().await.json();
    assert_eq!(listed["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn challenges_are_limited_by_network() {
    let app = TestApp::configured(|config| config.limits.sign_ins = 1).await;
    let start = async || app.call(Method::POST, "/auth/passkeys/sign-in/start").send().await;
    for _ in 0..5 {
        assert_eq!(start().await.status, 200);
    }
    let limited = start().await;
    assert_eq!(limited.problem(), (429, "rate_limited".into()));
    assert!(limited.headers.contains_key("retry-after"));
}
