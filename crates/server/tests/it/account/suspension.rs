//! `bailiwickd people`: on every node when the command has ended.

use reqwest::Method;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use tokio::process::Command;

use super::{count, submit};
use crate::factors;
use crate::harness::app::TestApp;
use crate::harness::http::http;
use crate::harness::node::Node;
use crate::harness::process::{bailiwickd, output, refused};
use crate::harness::secrets;

fn people(app: &TestApp, arguments: &[&str]) -> Command {
    let (database, mut command) = (&app.database, bailiwickd(["people"]));
    command
        .args(arguments)
        .env("BAILIWICK_DATABASE_RUNTIME_URL", database.urls.runtime.expose_secret())
        .env("BAILIWICK_DATABASE_SYSTEM_URL", database.urls.system.expose_secret())
        .envs(database.anchor_variables())
        .env("BAILIWICK_VAULT_KEK", "local")
        .env("BAILIWICK_VAULT_KEK_FILE", &database.kek_file);
    command
}

async fn done(command: &mut Command) -> String {
    let output = output(command).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Signs in at a node whose tokens are its own; answers the access token.
async fn sign_in_at(app: &TestApp, url: &str, email: &str) -> String {
    let mails = app.mails(0).await.len();
    let post = async |path: &str, body: Value| {
        http().post(format!("{url}{path}")).json(&body).send().await.unwrap().json::<Value>().await.unwrap()
    };
    let asked = post("/auth/request", json!({"email": email})).await;
    let code = app.mails(mails + 1).await[0].code.clone();
    let pair = post("/auth/verify", json!({"challenge": asked["challenge"], "code": code})).await;
    let token = pair["access_token"].as_str().unwrap_or_else(|| panic!("{pair}")).to_owned();
    secrets::record(&token);
    token
}

#[tokio::test]
async fn who_is_suspended_is_let_in_by_no_node_and_told_nothing() {
    let app = TestApp::start().await;
    let node = Node::beside(&app).await;
    let (ada, acme) = app.founder("ada@example.com", "acme").await;
    let other = sign_in_at(&app, &node.url, "ada@example.com").await;
    let key = app.api_key(&ada, &acme, &json!({"name": "k", "scopes": ["read"]})).await;
    let asked = app.call(Method::POST, "/auth/device").send().await;
    assert_eq!(submit(&app, &ada, "/device/approve", ("code", &asked.text_of("user_code"))).await.status, 303);
    let on = async |url: &str, token: &str| {
        http().get(format!("{url}/v1/workspaces")).bearer_auth(token).send().await.unwrap().status().as_u16()
    };
    // Each node has a session in memory.
    assert_eq!((on(&app.url, &ada.access_token).await, on(&node.url, &other).await), (200, 200));

    let shown = done(&mut people(&app, &["show", "ADA@example.com"])).await;
    let fields: Vec<&str> = shown.trim_end().split('\t').collect();
    assert_eq!((fields[1], fields[3], fields[4], fields[5]), ("ada@example.com", "-", "2", "1"));
    let id = fields[0].to_owned();
    done(&mut people(&app, &["suspend", &id, "--reason", "a matter"])).await;
    assert_eq!((on(&app.url, &ada.access_token).await, on(&node.url, &other).await), (401, 401));
    let refresh = app.post("/auth/refresh", &json!({"refresh_token": ada.refresh_token})).send().await;
    assert_eq!(refresh.problem(), (401, "refresh_token_invalid".into()));
    let device = app.post("/auth/device/token", &json!({"device_code": asked.text_of("device_code")})).send().await;
    assert_eq!(device.problem(), (400, "expired_token".into()), "what they have approved opens nothing");
    assert_eq!(app.get("/v1/key").bearer(key["key"].as_str().unwrap()).send().await.status, 200, "keys go on");

    // The right code of a real mail fails like any other.
    let mails = app.mails(0).await.len();
    let challenge = app.post("/auth/request", &json!({"email": "ada@example.com"})).send().await.text_of("challenge");
    let code = app.mails(mails + 1).await[0].code.clone();
    let verified = app.post("/auth/verify", &json!({"challenge": challenge, "code": code})).send().await;
    assert_eq!(verified.problem(), (401, "sign_in_failed".into()));

    for (arguments, says) in [
        (["suspend", "ada@example.com", "--reason", "again"], "suspended already"),
        (["suspend", "nobody@example.com", "--reason", "x"], "no such person"),
        (["suspend", "ada@example.com", "--reason", " "], "1 to 500 characters"),
    ] {
        let said = refused(&mut people(&app, &arguments)).await;
        assert!(said.contains(says), "{said}");
    }
    done(&mut people(&app, &["restore", "ada@example.com", "--reason", "it was a mistake"])).await;
    assert_eq!(on(&node.url, &other).await, 401, "old sessions stay ended");
    let back = sign_in_at(&app, &node.url, "ada@example.com").await;
    assert_eq!(on(&node.url, &back).await, 200);
    let logged = [count(&app, "operator.person_suspended").await, count(&app, "operator.person_restored").await];
    assert_eq!(logged, [1, 1]);

    // Whoever owns the database lifts no suspension.
    done(&mut people(&app, &["suspend", &id, "--reason", "for good"])).await;
    let sql = "UPDATE users SET suspended_at = NULL WHERE email_key = 'ada@example.com'";
    sqlx::query(sql).execute(&app.database.owner).await.unwrap();
    let mails = app.mails(0).await.len();
    let challenge = app.post("/auth/request", &json!({"email": "ada@example.com"})).send().await.text_of("challenge");
    let code = app.mails(mails + 1).await[0].code.clone();
    let verified = app.post("/auth/verify", &json!({"challenge": challenge, "code": code})).send().await;
    assert_eq!(verified.problem(), (401, "sign_in_failed".into()));
}

#[tokio::test]
async fn what_was_under_way_lets_nobody_in_who_was_suspended_meanwhile_and_they_own_nothing_alone() {
    let app = TestApp::start().await;
    let (ada, acme) = app.founder("ada@example.com", "acme").await;
    let eve = factors::equip(&app, &app.join(&acme, "eve@example.com", "owner").await).await;
    let step = factors::first_step(&app, "eve@example.com").await;
    let mails = app.mails(0).await.len();
    let challenge = app.post("/auth/request", &json!({"email": "eve@example.com"})).send().await.text_of("challenge");
    let code = app.mails(mails + 1).await[0].code.clone();
    done(&mut people(&app, &["suspend", "eve@example.com", "--reason", "a matter"])).await;

    // An owner who is not let in is none: Ada stays the owner.
    let path = |rest: &str| format!("/v1/workspaces/{acme}/{rest}");
    let members = app.get(&path("members")).bearer(&ada.access_token).send().await.json();
    let id = |email: &str| {
        let found = members["data"].as_array().unwrap().iter().find(|member| member["email"] == email);
        found.unwrap()["user_id"].as_str().unwrap().to_owned()
    };
    let last = (409, "last_owner".to_owned());
    let hand_over = json!({"to": id("eve@example.com"), "confirm": "eve@example.com"});
    for (rest, body) in [("leave", json!({"confirm": "acme"})), ("transfer", hand_over)] {
        let answer = app.post(&path(rest), &body).bearer(&ada.access_token).send().await;
        assert_eq!(answer.problem(), last, "{rest}");
    }
    let gone = submit(&app, &ada, "/account/delete", ("confirm", "ada@example.com")).await;
    assert_eq!(gone.status, 409, "{}", gone.text);

    done(&mut people(&app, &["restore", "eve@example.com", "--reason", "a mistake"])).await;
    let verified = app.post("/auth/verify", &json!({"challenge": challenge, "code": code})).send().await;
    assert_eq!(verified.problem(), (401, "sign_in_failed".into()), "a mail of before");
    app.advance(factors::STEP);
    let passed = json!({"factor_token": step, "code": eve.otp.at(app.now())});
    let passed = app.post("/auth/factor", &passed).send().await;
    assert_eq!(passed.problem(), (403, "factor_failed".into()), "a sign-in that was begun before");
    let left = app.post(&path("leave"), &json!({"confirm": "acme"})).bearer(&ada.access_token).send().await;
    assert_eq!(left.status, 204, "{}", left.text);
}
