//! The operator's own services: the published keys, the exchange of an access token for one of theirs, and the guide's
//! lines for axum, Express and FastAPI, which are run.

use axum::body::Body;
use axum::extract::Request;
use axum::http::header;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use axum::{Extension, Router};
use bailiwick_server::clock::Clock;
use bailiwick_server::entropy::Entropy;
use bailiwick_server::ledger::make_daily_roots;
use bailiwick_server::server_rotation::{LEAD, Rotation};
use bailiwick_server::server_secrets::ServerSecrets;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Method;
use serde_json::{Value, json};
use time::Duration;
use tokio::process::Command;
use tower_service::Service as _;

use super::verify_in_axum::{Keys, Session, session};
use crate::harness::app::{Answer, Person, TestApp};
use crate::harness::process::until;
use crate::harness::run_dir::variable;
use crate::harness::secrets;
use crate::harness::vault::ledger;

const GUIDE: &str = include_str!("../../../../../docs/guide/verify-sessions.md");

async fn ask(app: &TestApp, credential: &str, body: &Value) -> Answer {
    let answer = app.private(Method::POST, "/internal/v1/sessions/verify").bearer(credential).json(body).send().await;
    if let Some(token) = answer.json()["token"].as_str() {
        secrets::record(token);
    }
    answer
}

/// What a token says of itself: header and claims.
fn read(token: &str) -> [Value; 2] {
    let mut parts = token.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).unwrap());
    [(); 2].map(|()| serde_json::from_slice(&parts.next().unwrap()).unwrap())
}

async fn keys(app: &TestApp) -> Vec<Value> {
    let answer = app.get("/.well-known/jwks.json").send().await;
    assert_eq!(answer.headers["content-type"], "application/jwk-set+json");
    assert_eq!(answer.headers["cache-control"], "public, max-age=30");
    answer.json()["keys"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_service_learns_who_asks_and_gets_a_token_that_it_alone_takes() {
    let app = TestApp::start().await;
    let (person, workspace) = app.founder("ada@example.com", "acme").await;
    let (_, billing) = app.service("billing", &["billing"]).await;
    let (_, gateway) = app.service("gateway", &["billing", "mail"]).await;
    let token = &person.access_token;

    let told = ask(&app, &billing, &json!({"token": token, "workspace": "acme"})).await.json();
    assert_eq!(
        (&told["valid"], &told["workspace_id"], &told["role"]),
        (&json!(true), &json!(workspace), &json!("owner"))
    );
    assert_eq!((&told["email"], &told["expires_in"]), (&json!("ada@example.com"), &json!(60)));
    let [header, claims] = read(told["token"].as_str().unwrap());
    assert_eq!((&header["typ"], &header["alg"]), (&json!("bailiwick-service+jwt"), &json!("ES256")));
    assert!(keys(&app).await.iter().any(|key| key["kid"] == header["kid"]));
    assert_eq!(
        (&claims["iss"], &claims["aud"], &claims["sub"], &claims["sid"]),
        (&json!(app.url), &json!("billing"), &told["user_id"], &told["session_id"])
    );
    assert_eq!((&claims["workspace_id"], &claims["role"]), (&json!(workspace), &json!("owner")));
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 60);
    assert!(!claims.to_string().contains("ada@"), "no address travels in it");
    let bare = ask(&app, &billing, &json!({"token": token})).await.json();
    assert_eq!(
        (&bare["valid"], &bare["role"], &read(bare["token"].as_str().unwrap())[1]["workspace_id"]),
        (&json!(true), &Value::Null, &Value::Null)
    );

    // It is no access token: neither here, nor exchanged again, nor to refresh or to end anything.
    let exchanged = told["token"].as_str().unwrap();
    let list = app.get("/v1/workspaces").bearer(exchanged).send().await;
    assert_eq!(list.problem(), (401, "unauthenticated".into()));
    assert_eq!(app.call(Method::POST, "/auth/sign-out").bearer(exchanged).send().await.status, 204);
    assert_eq!(app.get("/v1/workspaces").bearer(token).send().await.status, 200, "the session goes on");
    let code = async |credential: &str, body: Value| ask(&app, credential, &body).await.json()["code"].clone();
    assert_eq!(code(&billing, json!({"token": exchanged})).await, "invalid");

    let (_, other) = app.founder("bob@example.com", "other").await;
    for named in [other.as_str(), "other", "", "no such", "ws_01h455vb4pex5vsknk084sn02q"] {
        assert_eq!(code(&billing, json!({"token": token, "workspace": named})).await, "not_a_member", "{named}");
    }
    for nonsense in ["", "x", "a.b.c", app.internal_key.as_str()] {
        assert_eq!(code(&billing, json!({"token": nonsense})).await, "invalid");
    }
    let key = app.api_key(&person, &workspace, &json!({"name": "k", "scopes": ["read"]})).await;
    assert_eq!(code(&billing, json!({"token": key["key"]})).await, "invalid", "a key is no session");

    // A service gets tokens for its own audiences alone, and says which.
    let named = ask(&app, &gateway, &json!({"token": token, "audience": "mail"})).await.json();
    assert_eq!(read(named["token"].as_str().unwrap())[1]["aud"], "mail");
    let others = ask(&app, &billing, &json!({"token": token, "audience": "mail"})).await;
    assert_eq!(others.problem(), (403, "wrong_audience".into()));
    for credential in [&gateway, &app.internal_key] {
        let unnamed = ask(&app, credential, &json!({"token": token})).await;
        assert_eq!((unnamed.problem().0, &unnamed.json()["errors"][0]["pointer"]), (422, &json!("/audience")));
    }
    for credential in ["nonsense", token, key["key"].as_str().unwrap()] {
        let stranger = ask(&app, credential, &json!({"token": token})).await;
        assert_eq!(stranger.problem(), (401, "unauthenticated".into()));
    }
    let in_public = app.post("/internal/v1/sessions/verify", &json!({"token": token})).bearer(&billing).send().await;
    assert_eq!(in_public.status, 404);

    // What has ended is told at once, and what is over.
    let again = app.sign_in("ada@example.com").await;
    app.call(Method::POST, "/auth/sign-out").bearer(token).send().await;
    assert_eq!(code(&billing, json!({"token": token})).await, "ended");
    app.advance(Duration::minutes(6));
    assert_eq!(code(&billing, json!({"token": again.access_token})).await, "expired");
}

#[tokio::test]
async fn a_key_is_published_before_it_signs_and_until_its_last_token_has_ended() {
    let app = TestApp::start().await;
    let before = keys(&app).await;
    let members: Vec<&str> = before[0].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!((before.len(), members), (1, vec!["kty", "crv", "x", "y", "alg", "use", "kid"]), "and no private part");
    let rotation =
        Rotation::new(ServerSecrets::new(app.db.clone(), app.vault().await), Clock::system(), Entropy::system());
    rotation.token_key("scheduled".parse().unwrap(), false).await.unwrap();
    until(async || keys(&app).await.len() == 2).await;
    let kid = async || read(&app.sign_in("ada@example.com").await.access_token)[0]["kid"].clone();
    let both = keys(&app).await;
    assert_eq!((kid().await, &both[1]["kid"]), (before[0]["kid"].clone(), &before[0]["kid"]), "it does not sign yet");
    app.advance(LEAD);
    assert_eq!(kid().await, both[0]["kid"]);
    app.advance(Duration::minutes(5) - Duration::seconds(30));
    assert_eq!(keys(&app).await.len(), 2);
    app.advance(Duration::seconds(31));
    assert_eq!(keys(&app).await, both[..1]);
}

/// The guide's block after this line.
fn block(language: &str) -> String {
    let (_, rest) = GUIDE.split_once(&format!("```{language}\n")).unwrap();
    rest.split_once("\n```").unwrap().0.to_owned() + "\n"
}

/// Tokens with what each service has to say of it.
struct Tokens {
    good: String,
    bad: Vec<(&'static str, String)>,
}

impl Tokens {
    async fn of(app: &TestApp, person: &Person, workspace: &str) -> Self {
        let (_, gateway) = app.service("gateway", &["billing", "mail"]).await;
        let exchange = async |audience: &str| {
            let body = json!({"token": person.access_token, "audience": audience, "workspace": "acme"});
            ask(app, &gateway, &body).await.text_of("token")
        };
        let (good, others) = (exchange("billing").await, exchange("mail").await);
        let [header, payload] = [good.split('.').next().unwrap(), good.split('.').nth(1).unwrap()];
        let none = URL_SAFE_NO_PAD.encode(json!({"alg": "none", "typ": "bailiwick-service+jwt"}).to_string());
        let mut claims = read(&good)[1].clone();
        claims["role"] = json!("admin");
        let claims = URL_SAFE_NO_PAD.encode(claims.to_string());
        let signature = good.rsplit('.').next().unwrap();
        let roots = app.get(&format!("/w/{workspace}/.well-known/jwks.json")).send().await.json();
        let root = roots["audit_roots"][0].as_str().unwrap().to_owned();
        let bad = vec![
            ("an access token", person.access_token.clone()),
            ("another service's", others),
            ("unsigned", format!("{none}.{payload}.")),
            ("altered", format!("{header}.{claims}.{signature}")),
            ("a root of a log", root),
            ("nothing", String::new()),
        ];
        Self { good, bad }
    }
}

/// The three examples of the guide, each run as it stands but for the address.
#[tokio::test]
async fn what_the_guide_says_for_axum_express_and_fastapi_holds() {
    let app = TestApp::start().await;
    let (person, workspace) = app.founder("ada@example.com", "acme").await;
    // A root is of a checkpoint, which is there a moment after the workspace.
    let roots = ledger(&app.database, &app.db).await.unwrap();
    let published = format!("/w/{workspace}/.well-known/jwks.json");
    until(async || {
        make_daily_roots(&roots).await.unwrap();
        !app.get(&published).send().await.json()["audit_roots"].as_array().unwrap().is_empty()
    })
    .await;
    let tokens = Tokens::of(&app, &person, &workspace).await;
    let folder = tempfile::tempdir().unwrap();
    let all: Vec<&String> = std::iter::once(&tokens.good).chain(tokens.bad.iter().map(|(_, token)| token)).collect();
    std::fs::write(folder.path().join("tokens.json"), json!(all).to_string()).unwrap();
    let expected: String =
        std::iter::once(format!("{workspace} owner\n")).chain(tokens.bad.iter().map(|_| "401\n".to_owned())).collect();
    let tool = |name| variable(name).unwrap_or_else(|| panic!("`cargo xtask test` sets {name}"));
    let here = |text: String| text.replace("https://bailiwick.example.com", &app.url);

    // jose.
    let jose = tool("JOSE_JS").into_string().unwrap();
    let express = here(block("js")).replace("\"jose\"", &json!(format!("file://{jose}")).to_string());
    std::fs::write(folder.path().join("session.mjs"), format!("{express}\n{EXPRESS}")).unwrap();
    let said = Command::new(tool("NODE")).arg("session.mjs").current_dir(folder.path()).output().await.unwrap();
    assert_eq!(String::from_utf8(said.stdout).unwrap(), expected, "{}", String::from_utf8_lossy(&said.stderr));

    // PyJWT.
    std::fs::write(folder.path().join("fastapi.py"), FASTAPI_STANDS_IN).unwrap();
    std::fs::write(folder.path().join("session.py"), format!("{}\n{FASTAPI}", here(block("python")))).unwrap();
    let said = Command::new(tool("CHECK_PYTHON")).arg("session.py").current_dir(folder.path()).output().await.unwrap();
    assert_eq!(String::from_utf8(said.stdout).unwrap(), expected, "{}", String::from_utf8_lossy(&said.stderr));

    // axum: the guide shows the very module that is compiled here.
    assert_eq!(block("rust"), include_str!("verify_in_axum.rs"));
    let tells = async |Extension(session): Extension<Session>| {
        assert!(session.sub.starts_with("usr_"), "{}", session.sub);
        format!("{} {}\n", session.workspace_id.unwrap_or_default(), session.role.unwrap_or_default())
    };
    let keys = Keys::of(&app.url, "billing");
    let mut router: Router = Router::new().route("/", get(tells)).layer(from_fn_with_state(keys, session));
    let mut told = String::new();
    for token in all {
        let request = Request::get("/").header(header::AUTHORIZATION, format!("Bearer {token}"));
        let answer = router.call(request.body(Body::empty()).unwrap()).await.unwrap();
        told += &match answer.status().as_u16() {
            200 => String::from_utf8(axum::body::to_bytes(answer.into_body(), 1000).await.unwrap().to_vec()).unwrap(),
            status => format!("{status}\n"),
        };
    }
    assert_eq!(told, expected, "{:?}", tokens.bad.iter().map(|(what, _)| what).collect::<Vec<_>>());
}

/// Calls the guide's middleware as Express does.
const EXPRESS: &str = r#"
import { readFileSync } from "node:fs";
import { webcrypto } from "node:crypto";
globalThis.crypto ??= webcrypto;
for (const token of JSON.parse(readFileSync("tokens.json", "utf8"))) {
  const req = { headers: { authorization: `Bearer ${token}` } };
  const said = await new Promise((done) => {
    const res = { status: (code) => ({ end: () => done(`${code}`) }) };
    session(req, res, () => done(`${req.session.workspace_id} ${req.session.role}`));
  });
  console.log(said);
}
"#;

/// What the guide's lines use of FastAPI, which is not installed for one import.
const FASTAPI_STANDS_IN: &str = "
class HTTPException(Exception):
    def __init__(self, status_code):
        self.status_code = status_code

def Header(default=''):
    return default
";

/// Calls the guide's dependency as FastAPI does.
const FASTAPI: &str = "
import json
for token in json.load(open('tokens.json')):
    try:
        claims = session(f'Bearer {token}')
        print(claims['workspace_id'], claims['role'])
    except HTTPException as refusal:
        print(refusal.status_code)
";
