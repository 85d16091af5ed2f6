//! Keys for some networks and some services alone.

use reqwest::Method;
use serde_json::{Value, json};

use super::{keys_of, verify};
use crate::harness::app::TestApp;

#[tokio::test]
async fn a_key_is_used_from_its_networks_alone() {
    let app = TestApp::start().await;
    let (person, workspace) = app.founder("ada@example.com", "acme").await;
    let make = async |networks: Value| {
        let body = json!({"name": "k", "scopes": ["read"], "allowed_networks": networks});
        app.api_key(&person, &workspace, &body).await
    };
    let here = make(json!(["127.0.0.1", "::1"])).await;
    assert_eq!(here["allowed_networks"], json!(["127.0.0.1/32", "::1/128"]));
    assert_eq!(app.get("/v1/key").bearer(here["key"].as_str().unwrap()).send().await.status, 200);

    let office = make(json!(["192.0.2.7/24", "::ffff:198.51.100.0/120", "192.0.2.0/24"])).await;
    assert_eq!(office["allowed_networks"], json!(["192.0.2.0/24", "198.51.100.0/24"]), "as they are meant");
    let key = office["key"].as_str().unwrap();
    let refused = app.get("/v1/key").bearer(key).send().await;
    assert_eq!(refused.problem(), (403, "address_not_allowed".into()));
    // What a caller says of itself is no address.
    let spoofed = app.get("/v1/key").bearer(key).header("x-forwarded-for", "192.0.2.1");
    assert_eq!(spoofed.header("bailiwick-client-ip", "192.0.2.1").send().await.problem().1, "address_not_allowed");
    let one = format!("{}/{}", keys_of(&workspace), office["id"].as_str().unwrap());
    let seen = app.get(&one).bearer(&person.access_token).send().await.json();
    assert_eq!(seen["last_used_at"], Value::Null, "a refusal is no use");

    for (ip, good) in [
        (json!("192.0.2.255"), true),
        (json!("::ffff:192.0.2.1"), true),
        (json!("198.51.100.1"), true),
        (json!("192.0.3.1"), false),
        (json!("2001:db8::1"), false),
        (Value::Null, false),
    ] {
        let verdict = verify(&app, &json!({"key": key, "ip": ip})).await;
        assert_eq!(verdict["valid"], good, "{ip}");
        assert_eq!(verdict["code"], if good { Value::Null } else { json!("address_not_allowed") }, "{ip}");
    }
    let forwarded = async |ip: &str| {
        let call = app.private(Method::GET, "/internal/v1/forward-auth").bearer(key);
        let call = call.header("bailiwick-internal-key", &app.internal_key).header("bailiwick-client-ip", ip);
        call.send().await.status.as_u16()
    };
    assert_eq!((forwarded("192.0.2.9").await, forwarded("192.0.3.9").await, forwarded("x").await), (200, 403, 403));

    let refuse = async |networks: Value| {
        let body = json!({"name": "k", "scopes": ["read"], "allowed_networks": networks});
        let answer = app.post(&keys_of(&workspace), &body).bearer(&person.access_token).send().await;
        assert_eq!(answer.problem(), (422, "invalid_body".into()), "{body}");
        assert!(answer.json()["errors"][0]["pointer"].as_str().unwrap().starts_with("/allowed_networks"), "{body}");
    };
    refuse(json!(["192.0.2.0/33"])).await;
    refuse(json!(["example.com"])).await;
    refuse(json!("192.0.2.0/24")).await;
    refuse((0..33).map(|n| json!(format!("192.0.2.{n}"))).collect()).await;
}

#[tokio::test]
async fn a_key_is_good_for_its_audiences_alone() {
    let app = TestApp::start().await;
    let (person, workspace) = app.founder("ada@example.com", "acme").await;
    let make = async |audiences: Value| {
        let body = json!({"name": "k", "scopes": ["read"], "audiences": audiences});
        app.api_key(&person, &workspace, &body).await["key"].as_str().unwrap().to_owned()
    };
    let (shop, both) = (make(json!(["shop", "shop"])).await, make(json!(["shop", "bailiwick"])).await);
    let own = async |key: &str| app.get("/v1/key").bearer(key).send().await;
    assert_eq!(own(&shop).await.problem(), (403, "wrong_audience".into()), "our own API is an audience too");
    assert_eq!(own(&both).await.status, 200);

    let (_, service) = app.service("shop", &["shop"]).await;
    let (_, other) = app.service("mail", &["mail"]).await;
    let asked = async |credential: &str, key: &str| {
        let call = app.private(Method::POST, "/internal/v1/keys/verify").bearer(credential);
        call.json(&json!({"key": key})).send().await.json()
    };
    assert_eq!(asked(&service, &shop).await["valid"], true);
    assert_eq!(asked(&other, &shop).await, json!({"valid": false, "code": "wrong_audience"}));
    assert_eq!(asked(&app.internal_key, &shop).await["code"], "wrong_audience", "who did not say who they are");
    assert_eq!(verify(&app, &json!({"key": shop, "audience": "shop"})).await["valid"], true);
    for bad in [json!(["SHOP"]), json!([""]), (0..17).map(|n| json!(format!("a{n}"))).collect()] {
        let body = json!({"name": "k", "scopes": ["read"], "audiences": bad});
        let answer = app.post(&keys_of(&workspace), &body).bearer(&person.access_token).send().await;
        assert_eq!(answer.problem(), (422, "invalid_body".into()), "{body}");
    }
}

#[tokio::test]
async fn a_confined_key_makes_no_key_that_is_less_confined() {
    let app = TestApp::start().await;
    let (person, workspace) = app.founder("ada@example.com", "acme").await;
    let body = json!({
        "name": "m", "scopes": ["management"], "audiences": ["bailiwick", "shop"],
        "allowed_networks": ["127.0.0.0/8", "::1"],
    });
    let maker = app.api_key(&person, &workspace, &body).await["key"].as_str().unwrap().to_owned();
    let make = async |audiences: Value, networks: Value| {
        let body = json!({"name": "k", "scopes": ["management"], "audiences": audiences, "allowed_networks": networks});
        app.post(&keys_of(&workspace), &body).bearer(&maker).send().await
    };
    for (audiences, networks) in [
        (json!([]), json!(["127.0.0.1"])),
        (json!(["mail"]), json!(["127.0.0.1"])),
        (json!(["shop"]), json!([])),
        (json!(["shop"]), json!(["0.0.0.0/0"])),
        (json!(["shop"]), json!(["127.0.0.1", "::/0"])),
    ] {
        let refused = make(audiences.clone(), networks.clone()).await;
        assert_eq!(refused.problem(), (403, "beyond_own_authority".into()), "{audiences} {networks}");
    }
    let made = make(json!(["shop"]), json!(["127.1.0.0/16"])).await;
    assert_eq!(made.status, 201, "{}", made.text);

    // Nor does it loosen one that is there, or give it a successor.
    let loose = app.api_key(&person, &workspace, &json!({"name": "l", "scopes": ["management"]})).await;
    for id in [made.text_of("id"), loose["id"].as_str().unwrap().to_owned()] {
        let path = format!("{}/{id}", keys_of(&workspace));
        let call = app.call(Method::PATCH, &path).json(&json!({"allowed_networks": []})).bearer(&maker);
        assert_eq!(call.send().await.problem(), (403, "beyond_own_authority".into()));
    }
    let path = format!("{}/{}/rotate", keys_of(&workspace), loose["id"].as_str().unwrap());
    let refused = app.post(&path, &json!({})).bearer(&maker).send().await;
    assert_eq!(refused.problem(), (403, "beyond_own_authority".into()));
}

#[tokio::test]
async fn a_key_that_ends_gives_nobody_more_time_than_it_has() {
    let app = TestApp::start().await;
    let (person, workspace) = app.founder("ada@example.com", "acme").await;
    let (soon, later) = ("2090-01-01T00:00:00Z", "2090-01-01T00:00:01Z");
    let ends = json!({"name": "ends", "scopes": ["read", "management"], "expires_at": soon});
    let ends = app.api_key(&person, &workspace, &ends).await;
    let endless = app.api_key(&person, &workspace, &json!({"name": "endless", "scopes": ["read"]})).await;
    let key = ends["key"].as_str().unwrap();
    let make = async |expires_at: Value| {
        let body = json!({"name": "k", "scopes": ["read"], "expires_at": expires_at});
        app.post(&keys_of(&workspace), &body).bearer(key).send().await
    };
    for beyond in [Value::Null, json!(later)] {
        assert_eq!(make(beyond.clone()).await.problem(), (403, "beyond_own_authority".into()), "{beyond}");
    }
    assert_eq!(make(json!(soon)).await.status, 201);
    for target in [&ends, &endless] {
        let one = format!("{}/{}", keys_of(&workspace), target["id"].as_str().unwrap());
        for beyond in [Value::Null, json!(later)] {
            let changed = app.call(Method::PATCH, &one).json(&json!({"expires_at": beyond})).bearer(key).send().await;
            assert_eq!(changed.problem(), (403, "beyond_own_authority".into()), "{beyond}");
        }
    }
    for target in [&endless, &ends] {
        let rotate = format!("{}/{}/rotate", keys_of(&workspace), target["id"].as_str().unwrap());
        let successor = app.post(&rotate, &json!({"overlap_seconds": 60})).bearer(key).send().await;
        assert_eq!((successor.status.as_u16(), &successor.json()["expires_at"]), (201, &json!(soon)), "its own end");
    }
}

/// Whoever widens where a key works from has been where it was confined to.
#[tokio::test]
async fn a_confined_key_moves_no_other_into_its_own_networks() {
    let app = TestApp::start().await;
    let (person, workspace) = app.founder("ada@example.com", "acme").await;
    let make = async |networks: &str| {
        let body = json!({"name": "k", "scopes": ["management"], "allowed_networks": [networks]});
        app.api_key(&person, &workspace, &body).await
    };
    let (here, there) = (make("127.0.0.0/8").await, make("10.0.0.0/8").await);
    let key = here["key"].as_str().unwrap();
    let change = async |target: &Value, networks: &str| {
        let one = format!("{}/{}", keys_of(&workspace), target["id"].as_str().unwrap());
        let body = json!({"allowed_networks": [networks]});
        app.call(Method::PATCH, &one).json(&body).bearer(key).send().await
    };
    assert_eq!(change(&there, "127.0.0.1").await.problem(), (403, "beyond_own_authority".into()));
    let inside = make("127.0.0.0/16").await;
    assert_eq!(change(&inside, "127.0.0.1").await.status, 200);
}
