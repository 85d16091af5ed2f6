//! Each service has credentials of its own, with the audiences that it may ask about.

use bailiwick_server::clock::Clock;
use bailiwick_server::entropy::Entropy;
use bailiwick_server::internal_credentials::{self, RevokeOutcome};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::app::{Answer, TestApp};
use crate::harness::node::Node;
use crate::harness::process::{DevHome, bailiwickd, output};
use crate::harness::secrets;

async fn ask(app: &TestApp, credential: &str, body: &Value) -> Answer {
    app.private(Method::POST, "/internal/v1/keys/verify").bearer(credential).json(body).send().await
}

/// The same over a URL, for a node in a process of its own.
async fn status(url: &str, credential: &str) -> u16 {
    let call = crate::harness::http::http().post(format!("{url}/internal/v1/keys/verify")).bearer_auth(credential);
    call.json(&json!({"key": "nonsense"})).send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_service_asks_about_its_own_audiences_alone() {
    let app = TestApp::start().await;
    let (person, workspace) = app.founder("ada@example.com", "acme").await;
    let made = app.api_key(&person, &workspace, &json!({"name": "k", "scopes": ["read"]})).await;
    let key = made["key"].as_str().unwrap();
    let (_, billing) = app.service("billing", &["billing"]).await;
    let (_, gateway) = app.service("gateway", &["billing", "mail"]).await;

    let check = async |credential: &str, body: Value, good: bool| {
        let answer = ask(&app, credential, &body).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["valid"]), (200, &json!(good)), "{body}");
    };
    check(&billing, json!({"key": key}), true).await;
    check(&billing, json!({"key": key, "audience": "billing"}), true).await;
    check(&gateway, json!({"key": key, "audience": "mail"}), true).await;
    check(&app.internal_key, json!({"key": key, "audience": "mail"}), true).await;

    let others = ask(&app, &billing, &json!({"key": key, "audience": "mail"})).await;
    assert_eq!(others.problem(), (403, "wrong_audience".into()));
    let unnamed = ask(&app, &gateway, &json!({"key": key})).await;
    assert_eq!(unnamed.problem(), (422, "invalid_body".into()));
    assert_eq!(unnamed.json()["errors"][0]["pointer"], "/audience");
    let nonsense = ask(&app, &billing, &json!({"key": key, "audience": "BILLING"})).await;
    assert_eq!(nonsense.problem(), (422, "invalid_body".into()));

    // In public it opens nothing, and no header of a proxy's makes it count.
    assert_eq!(app.get("/v1/key").bearer(&billing).send().await.problem(), (401, "unauthenticated".into()));
    let call = app.private(Method::POST, "/internal/v1/keys/verify").header("bailiwick-internal-key", &billing);
    assert_eq!(call.json(&json!({"key": key})).send().await.problem(), (401, "unauthenticated".into()));
}

#[tokio::test]
async fn another_services_audience_and_what_cannot_be_a_key_are_answered_without_a_lookup() {
    let app = TestApp::start().await;
    let (person, workspace) = app.founder("ada@example.com", "acme").await;
    let made = app.api_key(&person, &workspace, &json!({"name": "k", "scopes": ["read"]})).await;
    let key = made["key"].as_str().unwrap();
    let (_, billing) = app.service("billing", &["billing"]).await;
    let node = Node::beside(&app).await;
    // Of memory, too.
    let lookups = async || node.metric("bailiwick_feed_key_lookups_total").await;
    let client = crate::harness::http::http();
    let ask = async |path: &str, body: Value| {
        let call = client.post(format!("{}/internal/v1/keys/{path}", node.private_url)).bearer_auth(&billing);
        let answer = call.json(&body).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };

    let before = lookups().await;
    let look_alike = key.replace(|c: char| c.is_ascii_uppercase(), "O");
    let malformed = [&key[..20], &key.repeat(2), &look_alike, &key.replace("live", "test"), "", "ключ"];
    for bad in malformed {
        let (status, verdict) = ask("verify", json!({"key": bad})).await;
        assert_eq!((status, verdict), (200, json!({"valid": false, "code": "malformed"})), "{bad}");
    }
    let keys: Vec<Value> = malformed.iter().map(|bad| json!({"key": bad})).collect();
    let (status, verdicts) = ask("verify-batch", json!({"keys": keys})).await;
    assert_eq!((status, verdicts["data"].as_array().unwrap().len()), (200, malformed.len()));
    let (status, verdict) = ask("verify", json!({"key": key, "environment": "test"})).await;
    assert_eq!((status, verdict), (200, json!({"valid": false, "code": "environment_mismatch"})));
    for (path, body) in [
        ("verify", json!({"key": key, "audience": "mail"})),
        ("verify-batch", json!({"keys": [{"key": key}, {"key": key, "audience": "mail"}]})),
    ] {
        let (status, problem) = ask(path, body).await;
        assert_eq!((status, &problem["code"]), (403, &json!("wrong_audience")), "{path}");
    }
    let many: Vec<Value> = (0..101).map(|_| json!({"key": key})).collect();
    let (status, problem) = ask("verify-batch", json!({"keys": many})).await;
    assert_eq!((status, &problem["code"]), (422, &json!("batch_too_large")));
    assert!(lookups().await <= before, "nothing of this is a lookup");

    let refusals = node.metrics("bailiwick_internal_refusals_total").await;
    assert!(
        refusals.iter().any(|line| line.contains("wrong_audience") && line.contains("billing") && line.ends_with(" 2")),
        "{refusals:?}"
    );
    assert_eq!(ask("verify", json!({"key": key})).await.1["valid"], true);
    assert!(lookups().await > before, "and this is one");
}

#[tokio::test]
async fn a_revoked_credential_is_refused_by_every_node_when_the_command_ends() {
    let app = TestApp::start().await;
    let other = Node::beside(&app).await;
    let (first, old) = app.service("gateway", &["billing"]).await;
    let (_, new) = app.service("gateway", &["billing"]).await;
    for url in [&app.private_url, &other.private_url] {
        assert_eq!((status(url, &old).await, status(url, &new).await), (200, 200), "several of one service");
    }
    // Asked all the time, so that it is remembered everywhere when it ends.
    let busy = {
        let (urls, old) = ([app.private_url.clone(), other.private_url.clone()], old.clone());
        tokio::spawn(async move {
            loop {
                for url in &urls {
                    status(url, &old).await;
                }
            }
        })
    };
    let (notary, clock, entropy) = (app.notary().await, Clock::system(), Entropy::system());
    let revoked = internal_credentials::revoke(&app.db, &notary, &clock, &entropy, first).await.unwrap();
    busy.abort();
    assert_eq!(revoked, RevokeOutcome::Revoked);
    for url in [&app.private_url, &other.private_url] {
        assert_eq!((status(url, &old).await, status(url, &new).await), (401, 200));
    }
    let again = internal_credentials::revoke(&app.db, &notary, &clock, &entropy, first).await.unwrap();
    assert_eq!(again, RevokeOutcome::RevokedBefore, "and leaves no entry");
    let actions = app.actions(None).await;
    let of_operator: Vec<&str> =
        actions.iter().map(String::as_str).filter(|action| action.starts_with("operator.")).collect();
    assert_eq!(
        of_operator,
        ["operator.credential_created", "operator.credential_created", "operator.credential_revoked"]
    );
}

#[tokio::test]
async fn no_credential_counts_while_the_database_is_away() {
    let app = TestApp::start().await;
    let (_, billing) = app.service("billing", &["billing"]).await;
    assert_eq!(status(&app.private_url, &billing).await, 200);
    app.db.close().await;
    // What was looked up is believed for a second; then nobody can tell.
    crate::harness::process::until(async || status(&app.private_url, &billing).await == 503).await;
    assert_eq!(status(&app.private_url, "bw_int_nonsense").await, 401, "what cannot be one needs no lookup");
}

#[tokio::test]
async fn the_operator_makes_lists_and_revokes_them_on_the_command_line() {
    let home = DevHome::temporary();
    let server = home.start().await;
    let dir = home.dir.to_str().unwrap().to_owned();
    let run = async |arguments: &[&str]| {
        let mut command = bailiwickd(["internal-key"]);
        let told = output(command.args(arguments).args(["--data-dir", &dir])).await;
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (told.status.code().unwrap(), text(told.stdout).trim_end().to_owned(), text(told.stderr))
    };
    let (code, secret, told) =
        run(&["create", "--service", "gateway", "--audience", "billing", "--audience", "mail"]).await;
    assert_eq!((code, secret.len()), (0, 54), "{told}");
    secrets::record(&secret);
    let id = told.split_whitespace().next().unwrap().to_owned();
    assert!(id.starts_with("int_") && !told.contains(&secret), "{told}");
    assert_eq!(status(&home.private_url(), &secret).await, 422, "several audiences, and none named");

    let (code, listed, _) = run(&["list"]).await;
    let fields: Vec<&str> = listed.split('\t').collect();
    assert_eq!((code, fields[0], fields[1], fields[2], fields[4]), (0, id.as_str(), "gateway", "billing,mail", "-"));
    assert!(!listed.contains(&secret));
    assert_eq!(run(&["revoke", &id]).await.0, 0);
    assert_eq!(status(&home.private_url(), &secret).await, 401);
    assert_eq!(run(&["revoke", &id]).await.0, 0, "again is no error");
    assert_eq!(run(&["revoke", "int_01h455vb4pex5vsknk084sn02q"]).await.0, 1);
    for wrong in [&["create", "--service", "gateway"][..], &["create", "--service", "G W", "--audience", "a"]] {
        assert_eq!(run(wrong).await.0, 2, "{wrong:?}");
    }
    drop(server);
}
