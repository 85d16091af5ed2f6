//! The console without a browser: what its forms and cookies do when they are sent by hand, doubled, stale or foreign.

use reqwest::Method;
use serde_json::json;
use time::Duration;

use crate::harness::app::{Answer, Person, TestApp};
use crate::harness::secrets;

const HTML: &str = "text/html";

async fn look(app: &TestApp, person: &Person, path: &str) -> Answer {
    app.get(path).header("cookie", &person.cookies).header("accept", HTML).send().await
}

async fn submit(app: &TestApp, person: &Person, path: &str, fields: &[(&str, &str)]) -> Answer {
    app.call(Method::POST, path).header("cookie", &person.cookies).header("accept", HTML).form(fields).send().await
}

fn location(answer: &Answer) -> &str {
    assert_eq!(answer.status, 303, "{}", answer.text);
    answer.headers["location"].to_str().unwrap()
}

async fn count(app: &TestApp, table: &str) -> i64 {
    let count = format!("SELECT count(*) FROM {table}");
    sqlx::query_scalar(sqlx::AssertSqlSafe(count)).fetch_one(&app.database.owner).await.unwrap()
}

/// Notes a session's cookies for the leak scan; the flash is no secret.
fn record_tokens(cookies: &str) {
    let pairs = cookies.split("; ").filter_map(|pair| pair.split_once('='));
    pairs.filter(|(name, _)| *name != "bw_flash").for_each(|(_, value)| secrets::record(value));
}

/// The secret on the page that shows it, by its two ends.
fn secret_on(page: &str) -> Option<String> {
    let start = page.find("bw_live_").filter(|start| page[*start..].len() >= 55)?;
    let secret = &page[start..start + 55];
    secret.bytes().skip(8).all(|byte| byte.is_ascii_alphanumeric()).then(|| secret.to_owned())
}

#[tokio::test]
async fn a_doubled_form_makes_one_key_and_shows_it_until_it_is_stored() {
    let app = TestApp::start().await;
    let (ada, _) = app.founder("ada@example.com", "acme").await;
    let fields = [
        ("idempotency_key", "0193b3d6-0000-7000-8000-000000000001"),
        ("name", "deploy"),
        ("scopes", "read"),
        ("scopes", "write"),
        ("project_id", ""),
        ("expiry", "30"),
        ("expires_on", ""),
    ];
    let first = submit(&app, &ada, "/w/acme/live/keys", &fields).await;
    let again = submit(&app, &ada, "/w/acme/live/keys", &fields).await;
    assert_eq!(location(&first), location(&again));
    assert_eq!(count(&app, "api_keys").await, 1);

    let carrying =
        |answer: &Answer| Person { cookies: format!("{}; {}", ada.cookies, answer.cookies()), ..ada.clone() };
    let shown = look(&app, &carrying(&first), location(&first)).await;
    let secret = secret_on(&shown.text).expect("the page shows the key");
    secrets::record(&secret);
    assert_eq!(shown.text.matches(&secret).count(), 1);
    assert_eq!(shown.headers["cache-control"], "no-store");
    assert_eq!(app.get("/v1/key").bearer(&secret).send().await.json()["scopes"], json!(["read", "write"]));
    let bare = look(&app, &ada, location(&first)).await;
    assert!(!location(&bare).ends_with("/created"), "without what the browser carries there is nothing to show");
    app.advance(Duration::seconds(601));
    let again = submit(&app, &ada, "/w/acme/live/keys", &fields).await;
    let late = look(&app, &carrying(&again), location(&again)).await;
    assert!(!location(&late).ends_with("/created"), "sent again after ten minutes, the form shows nothing");
    app.advance(Duration::seconds(-601));
    // What one browser carries opens for nobody else.
    let admin = app.join(&app_workspace(&app).await, "admin@example.com", "admin").await;
    let other = Person { cookies: format!("{}; {}", admin.cookies, first.cookies()), ..admin };
    assert_eq!(look(&app, &other, location(&first)).await.status, 303);
}

#[tokio::test]
async fn a_key_is_changed_and_rotated_and_its_successor_shown_until_it_is_stored() {
    let app = TestApp::start().await;
    let (ada, workspace) = app.founder("ada@example.com", "acme").await;
    let made = app.api_key(&ada, &workspace, &json!({"name": "deploy", "scopes": ["read"]})).await;
    let page = format!("/w/acme/live/keys/{}", made["id"].as_str().unwrap());
    let fields = |labels: &'static str, networks: &'static str| {
        [
            ("idempotency_key", "0193b3d6-0000-7000-8000-000000000003"),
            ("name", "deploy"),
            ("labels", labels),
            ("allowed_networks", networks),
            ("expiry", "keep"),
            ("expires_on", ""),
        ]
    };
    let wrong = submit(&app, &ada, &format!("{page}/edit"), &fields("Team", "example.com")).await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.text.contains("labels-fault") && wrong.text.contains("allowed_networks-fault"));
    assert!(wrong.text.contains("example.com"), "what was typed stays");
    let good = fields("team=core\r\nenv=prod", "192.0.2.0/24\r\n127.0.0.1 ::1");
    let changed = submit(&app, &ada, &format!("{page}/edit"), &good).await;
    assert_eq!(location(&changed), page);
    let shown = look(&app, &ada, &page).await.text;
    for part in ["env=prod", "team=core", "192.0.2.0/24", "127.0.0.1/32", "::1/128", "Rotate"] {
        assert!(shown.contains(part), "{part}");
    }

    let fields = [("idempotency_key", "0193b3d6-0000-7000-8000-000000000004"), ("overlap_seconds", "3600")];
    let first = submit(&app, &ada, &format!("{page}/rotate"), &fields).await;
    let again = submit(&app, &ada, &format!("{page}/rotate"), &fields).await;
    assert_eq!(location(&first), location(&again));
    assert_eq!(count(&app, "api_keys").await, 2);
    let carrying = Person { cookies: format!("{}; {}", ada.cookies, first.cookies()), ..ada.clone() };
    let secret = secret_on(&look(&app, &carrying, location(&first)).await.text).expect("the page shows the successor");
    secrets::record(&secret);
    assert_eq!(app.get("/v1/key").bearer(&secret).send().await.status, 200);
    let shown = look(&app, &ada, &page).await.text;
    assert!(shown.contains("Successor") && !shown.contains("/rotate"), "it has one");
    let once_more = [("idempotency_key", "0193b3d6-0000-7000-8000-000000000005"), ("overlap_seconds", "3600")];
    let refused = submit(&app, &ada, &format!("{page}/rotate"), &once_more).await;
    assert!(refused.status == 422 && refused.text.contains("has a successor"), "{}", refused.status);
    let viewer = app.join(&workspace, "dev@example.com", "developer").await;
    let shown = look(&app, &viewer, &page).await;
    assert!(shown.status == 200 && !shown.text.contains("/edit"), "what one may not do is absent");
    assert_eq!(look(&app, &viewer, &format!("{page}/rotate")).await.status, 403);
}

async fn app_workspace(app: &TestApp) -> String {
    let id = sqlx::query_scalar("SELECT workspace_id FROM workspaces").fetch_one(&app.database.owner).await.unwrap();
    bailiwick_proof::id::WorkspaceId::from_uuid(id).to_string()
}

#[tokio::test]
async fn what_was_typed_stays_when_it_is_wrong() {
    let app = TestApp::start().await;
    let (ada, _) = app.founder("ada@example.com", "acme").await;
    let fields =
        [("idempotency_key", "0193b3d6-0000-7000-8000-000000000002"), ("name", "Zweite <b>"), ("slug", "acme")];
    let taken = submit(&app, &ada, "/workspaces", &fields).await;
    assert_eq!(taken.status, 422);
    assert!(taken.text.contains("Zweite &#60;b&#62;") || taken.text.contains("Zweite &lt;b&gt;"), "kept, and escaped");
    let unknown = submit(&app, &ada, "/workspaces", &[("name", "x"), ("slug", "x"), ("admin", "1")]).await;
    assert_eq!(unknown.status, 400);
    assert!(unknown.headers["content-type"].to_str().unwrap().starts_with(HTML));
    assert_eq!(count(&app, "workspaces").await, 1);
}

#[tokio::test]
async fn pages_outlive_the_access_token_and_not_the_session() {
    let app = TestApp::start().await;
    let (ada, _) = app.founder("ada@example.com", "acme").await;
    app.advance(Duration::minutes(6));
    let refreshed = look(&app, &ada, "/w/acme/live").await;
    assert_eq!(refreshed.status, 200);
    assert!(refreshed.cookies().contains("bw_access=") && refreshed.cookies().contains("bw_refresh="));
    let fresh = Person { cookies: refreshed.cookies(), ..ada.clone() };
    record_tokens(&fresh.cookies);
    let out = submit(&app, &fresh, "/sign-out", &[]).await;
    assert_eq!(location(&out), "/sign-in");
    for path in ["/workspaces", "/w/acme/live/keys"] {
        assert_eq!(location(&look(&app, &fresh, path).await), "/sign-in", "{path}");
    }
    assert_eq!(app.get("/v1/workspaces").header("cookie", &ada.cookies).send().await.problem().1, "unauthenticated");
}

#[tokio::test]
async fn pages_are_behind_the_same_walls() {
    let app = TestApp::start().await;
    let (_, workspace) = app.founder("ada@example.com", "acme").await;
    let (eve, _) = app.founder("eve@example.com", "evil").await;
    let viewer = app.join(&workspace, "viewer@example.com", "viewer").await;
    for path in ["", "/members", "/keys", "/keys/new", "/projects", "/keys/key_01h455vb4pex5vsknk084sn02q", "/go?id=x"]
    {
        for named in ["acme", workspace.as_str()] {
            let page = look(&app, &eve, &format!("/w/{named}/live{path}")).await;
            assert_eq!(page.status, 404, "{path}");
            assert!(!page.text.contains("ada@") && page.text.contains("req_"), "{path}");
        }
    }
    assert_eq!(look(&app, &eve, "/w/evil/prod").await.status, 404);
    let home = look(&app, &viewer, "/w/acme/live").await;
    assert_eq!(home.status, 200);
    assert!(!home.text.contains("/w/acme/live/keys"), "what one may not see is absent");
    let denied = look(&app, &viewer, "/w/acme/live/keys/new").await;
    assert!(denied.status == 403 && denied.text.contains("keys.create"), "{}", denied.status);
}

#[tokio::test]
async fn a_link_is_looked_at_for_nothing_and_posted_once() {
    let app = TestApp::start().await;
    let asked = app.call(Method::POST, "/sign-in").form(&[("email", "ada@example.com")]).send().await;
    assert_eq!(location(&asked), "/sign-in/sent");
    let link = app.mails(1).await[0].link.clone().unwrap();
    let path = link.strip_prefix(&app.url).unwrap();
    let cookies = asked.cookies();
    secrets::record(cookies.split_once('=').unwrap().1);
    for _ in 0..3 {
        assert_eq!(app.call(Method::HEAD, path).header("cookie", &cookies).send().await.status, 200);
        assert_eq!(app.get(path).header("cookie", &cookies).send().await.status, 200);
    }
    let token = path.split_once("token=").unwrap().1;
    let follow = async |cookies: &str| {
        app.call(Method::POST, "/auth/link")
            .header("cookie", cookies)
            .header("accept", HTML)
            .form(&[("token", token)])
            .send()
            .await
    };
    assert_ne!(follow("bw_challenge=x").await.status, 303, "another browser");
    let signed_in = follow(&cookies).await;
    assert_eq!(location(&signed_in), "/workspaces");
    record_tokens(&signed_in.cookies());
    assert_ne!(follow(&cookies).await.status, 303, "once");
}
