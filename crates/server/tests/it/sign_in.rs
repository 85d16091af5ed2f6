//! Sign-in by mail, and the session that it opens.

use bailiwick_server::housekeeping;
use reqwest::Method;
use serde_json::json;
use time::Duration;

use crate::harness::app::{Answer, TestApp};

/// Asks for a mail; answers the challenge, the link's token and the code.
async fn ask(app: &TestApp, email: &str) -> (String, String, String) {
    let mails = app.mails(0).await.len();
    let asked = app.post("/auth/request", &json!({"email": email})).send().await;
    assert_eq!(asked.status, 202, "{}", asked.text);
    let mail = app.mails(mails + 1).await.into_iter().next().unwrap();
    let token = mail.link.as_deref().unwrap().split_once("token=").unwrap().1.to_owned();
    (asked.text_of("challenge"), token, mail.code.unwrap())
}

async fn by_code(app: &TestApp, challenge: &str, code: &str) -> Answer {
    app.post("/auth/verify", &json!({"challenge": challenge, "code": code})).send().await
}

async fn by_link(app: &TestApp, token: &str, cookie: &str) -> Answer {
    app.post("/auth/verify", &json!({"token": token})).header("cookie", &format!("bw_challenge={cookie}")).send().await
}

fn wrong(code: &str) -> String {
    let other = if code.starts_with('7') { '8' } else { '7' };
    format!("{other}{}", &code[1..])
}

#[tokio::test]
async fn a_code_signs_in_once() {
    let app = TestApp::start().await;
    let (challenge, _, code) = ask(&app, "ada@example.com").await;
    let person = by_code(&app, &challenge, &code).await.person();
    let list = app.get("/v1/workspaces").bearer(&person.access_token).send().await;
    assert_eq!((list.status.as_u16(), list.json()), (200, json!({"data": [], "next_cursor": null})));
    assert_eq!(by_code(&app, &challenge, &code).await.problem(), (401, "sign_in_failed".into()));
}

#[tokio::test]
async fn a_link_signs_in_the_browser_that_asked_and_no_other() {
    let app = TestApp::start().await;
    let (challenge, token, _) = ask(&app, "ada@example.com").await;
    let (others, _, _) = ask(&app, "eve@example.com").await;

    let bare = app.post("/auth/verify", &json!({"token": token})).send().await;
    assert_eq!(bare.problem(), (401, "other_browser".into()));
    assert_eq!(by_link(&app, &token, &others).await.problem(), (401, "other_browser".into()));
    let signed_in = by_link(&app, &token, &challenge).await;
    assert_eq!(signed_in.status, 200, "nothing was consumed by the wrong browsers: {}", signed_in.text);
    assert!(signed_in.cookies().contains("bw_access=") && signed_in.cookies().contains("bw_refresh="));
    assert_eq!(by_link(&app, &token, &challenge).await.problem(), (401, "sign_in_failed".into()));
}

#[tokio::test]
async fn of_many_redemptions_at_once_one_succeeds() {
    let app = TestApp::start().await;
    let (challenge, token, code) = ask(&app, "ada@example.com").await;
    let tries =
        (0..12).map(|n| {
            let (app, challenge, token, code) = (&app, &challenge, &token, &code);
            async move {
                if n % 2 == 0 { by_code(app, challenge, code).await } else { by_link(app, token, challenge).await }
            }
        });
    let answers = futures_util::future::join_all(tries).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    assert!(answers.iter().filter(|answer| answer.status != 200).all(|answer| answer.problem().1 == "sign_in_failed"));
}

#[tokio::test]
async fn a_code_has_five_tries_and_others_cannot_use_them_up() {
    let app = TestApp::start().await;
    let (challenge, token, code) = ask(&app, "ada@example.com").await;
    // Somebody else asks for the same address, often, and guesses at each.
    for _ in 0..30 {
        let (theirs, _, their_code) = ask(&app, "ada@example.com").await;
        for _ in 0..6 {
            assert_eq!(by_code(&app, &theirs, &wrong(&their_code)).await.problem(), (401, "sign_in_failed".into()));
        }
        assert_eq!(
            by_code(&app, &theirs, &their_code).await.problem().1,
            "sign_in_failed",
            "the sixth try is too late"
        );
        assert_eq!(
            by_code(&app, &theirs, &code).await.problem().1,
            "sign_in_failed",
            "a code belongs to its challenge"
        );
    }
    for _ in 0..4 {
        by_code(&app, &challenge, &wrong(&code)).await.problem();
    }
    assert_eq!(by_code(&app, &challenge, &code).await.status, 200, "the fifth try of one's own is good");
    assert_eq!(
        by_link(&app, &token, &challenge).await.problem().1,
        "sign_in_failed",
        "link and code are one challenge"
    );
}

#[tokio::test]
async fn after_fifteen_minutes_link_and_code_are_over() {
    let app = TestApp::start().await;
    let (challenge, token, code) = ask(&app, "ada@example.com").await;
    app.advance(Duration::minutes(15) - Duration::seconds(5));
    let (later, _, later_code) = ask(&app, "ada@example.com").await;
    app.advance(Duration::seconds(6));
    assert_eq!(by_code(&app, &challenge, &code).await.problem().1, "sign_in_failed");
    assert_eq!(by_link(&app, &token, &challenge).await.problem().1, "sign_in_failed");
    assert_eq!(by_code(&app, &later, &later_code).await.status, 200);
}

#[tokio::test]
async fn known_unknown_and_suspended_addresses_are_answered_alike() {
    let app = TestApp::start().await;
    app.sign_in("known@example.com").await;
    app.sign_in("suspended@example.com").await;
    sqlx::query("UPDATE users SET suspended_at = now() WHERE email_key = 'suspended@example.com'")
        .execute(&app.database.owner)
        .await
        .unwrap();
    app.vouch().await;
    let shape = |answer: &Answer| {
        let names: Vec<String> = answer.headers.keys().map(ToString::to_string).collect();
        let body = answer.json();
        let members: Vec<String> = body.as_object().unwrap().keys().cloned().collect();
        (
            answer.status,
            names,
            members,
            body["challenge"].as_str().unwrap().len(),
            answer.headers["content-length"].clone(),
        )
    };
    let mut shapes = Vec::new();
    for email in ["known@example.com", "unknown@example.com", "suspended@example.com"] {
        let before = app.mails(0).await.len();
        shapes.push(shape(&app.post("/auth/request", &json!({"email": email})).send().await));
        assert_eq!(app.mails(before + 1).await[0].to, email);
    }
    assert_eq!(shapes[0], shapes[1]);
    assert_eq!(shapes[0], shapes[2]);
    let (challenge, _, code) = ask(&app, "suspended@example.com").await;
    assert_eq!(by_code(&app, &challenge, &code).await.problem().1, "sign_in_failed");
}

#[tokio::test]
async fn links_are_built_from_the_configured_url() {
    let app = TestApp::start().await;
    let port = app.url.rsplit(':').next().unwrap().to_owned();
    let asked = app
        .post("/auth/request", &json!({"email": "ada@example.com"}))
        .header("host", &format!("127.0.0.1:{port}"))
        .header("x-forwarded-host", "evil.example")
        .send()
        .await;
    assert_eq!(asked.status, 202);
    let mail = &app.mails(1).await[0];
    assert!(mail.link.as_deref().unwrap().starts_with(&format!("{}/auth/link?token=", app.url)), "{:?}", mail.link);
}

#[tokio::test]
async fn addresses_are_one_person_whatever_their_case() {
    let app = TestApp::start().await;
    let (person, workspace) = app.founder("Ada@Example.com", "acme").await;
    drop(person);
    let again = app.sign_in("ada@EXAMPLE.com").await;
    let list = app.get("/v1/workspaces").bearer(&again.access_token).send().await.json();
    assert_eq!(list["data"][0]["id"], workspace);
}

#[tokio::test]
async fn no_secret_of_a_sign_in_is_stored() {
    let app = TestApp::start().await;
    let (challenge, token, code) = ask(&app, "ada@example.com").await;
    let rows: Vec<String> = sqlx::query_scalar("SELECT row_to_json(c)::text FROM sign_in_challenges c")
        .fetch_all(&app.database.owner)
        .await
        .unwrap();
    assert_eq!(rows.len(), 1);
    for secret in [&challenge, &token, &code] {
        assert!(!rows[0].contains(secret.as_str()));
    }
    let person = by_code(&app, &challenge, &code).await.person();
    let rows: Vec<String> = sqlx::query_scalar("SELECT row_to_json(r)::text FROM refresh_tokens r")
        .fetch_all(&app.database.owner)
        .await
        .unwrap();
    assert!(rows.len() == 1 && !rows[0].contains(&person.refresh_token));
}

#[tokio::test]
async fn access_tokens_last_five_minutes_and_refresh_tokens_rotate() {
    let app = TestApp::start().await;
    let first = app.sign_in("ada@example.com").await;
    app.advance(Duration::minutes(5));
    let stale = app.get("/v1/workspaces").bearer(&first.access_token).send().await;
    assert_eq!(stale.problem(), (401, "token_expired".into()));
    assert_eq!(stale.headers["www-authenticate"], "Bearer");

    let refresh = |token: String| app.post("/auth/refresh", &json!({"refresh_token": token})).send();
    let second = refresh(first.refresh_token.clone()).await.person();
    assert_eq!(app.get("/v1/workspaces").bearer(&second.access_token).send().await.status, 200);
    // Losers of a parallel refresh get the winner's successor.
    assert_eq!(refresh(first.refresh_token.clone()).await.person().refresh_token, second.refresh_token);
    let third = refresh(second.refresh_token.clone()).await.person();

    // A use after that is a replay: every session of the person ends.
    let elsewhere = app.sign_in("ada@example.com").await;
    app.advance(Duration::seconds(11));
    assert_eq!(refresh(first.refresh_token).await.problem(), (401, "refresh_token_invalid".into()));
    for token in [&third.access_token, &elsewhere.access_token] {
        assert_eq!(app.get("/v1/workspaces").bearer(token).send().await.problem(), (401, "session_ended".into()));
    }
    assert_eq!(refresh(third.refresh_token).await.problem(), (401, "refresh_token_invalid".into()));
}

#[tokio::test]
async fn parallel_refreshes_give_one_successor() {
    let app = TestApp::start().await;
    let person = app.sign_in("ada@example.com").await;
    let body = json!({"refresh_token": person.refresh_token});
    let answers = futures_util::future::join_all((0..10).map(|_| app.post("/auth/refresh", &body).send())).await;
    let successors: Vec<String> = answers.iter().map(|answer| answer.text_of("refresh_token")).collect();
    assert!(successors.iter().all(|successor| *successor == successors[0]), "{successors:?}");
}

#[tokio::test]
async fn rotation_never_extends_the_absolute_expiry() {
    let app = TestApp::start().await;
    let mut token = app.sign_in("ada@example.com").await.refresh_token;
    for _ in 0..2 {
        app.advance(Duration::days(13));
        token = app.post("/auth/refresh", &json!({"refresh_token": token})).send().await.text_of("refresh_token");
    }
    app.advance(Duration::days(5));
    let late = app.post("/auth/refresh", &json!({"refresh_token": token})).send().await;
    assert_eq!(late.problem(), (401, "refresh_token_invalid".into()));
}

#[tokio::test]
async fn signing_out_ends_the_session_at_once() {
    let app = TestApp::start().await;
    let (by_bearer, by_cookie) = (app.sign_in("ada@example.com").await, app.sign_in("ada@example.com").await);
    let out = app.call(Method::POST, "/auth/sign-out").bearer(&by_bearer.access_token).send().await;
    assert_eq!((out.status.as_u16(), out.text.as_str()), (204, ""));
    let out = app.call(Method::POST, "/auth/sign-out").header("cookie", &by_cookie.cookies).send().await;
    assert_eq!(out.status, 204);
    for person in [by_bearer, by_cookie] {
        let list = app.get("/v1/workspaces").bearer(&person.access_token).send().await;
        assert_eq!(list.problem(), (401, "session_ended".into()));
        let refresh = app.post("/auth/refresh", &json!({"refresh_token": person.refresh_token})).send().await;
        assert_eq!(refresh.problem(), (401, "refresh_token_invalid".into()));
    }
    assert_eq!(app.call(Method::POST, "/auth/sign-out").send().await.status, 204, "again is no error");
}

#[tokio::test]
async fn account_events_are_entries_of_the_cells_log_and_name_nobody() {
    let app = TestApp::start().await;
    let (challenge, _, code) = ask(&app, "ada@example.com").await;
    by_code(&app, &challenge, &wrong(&code)).await;
    let person = by_code(&app, &challenge, &code).await.person();
    app.post("/auth/refresh", &json!({"refresh_token": person.refresh_token})).send().await;
    app.call(Method::POST, "/auth/sign-out").bearer(&person.access_token).send().await;
    assert_eq!(
        app.actions(None).await,
        [
            "cell.established",
            "sign_in.requested",
            "sign_in.failed",
            "sign_in.completed",
            "session.refreshed",
            "session.ended"
        ]
    );
    let rows: Vec<String> = sqlx::query_scalar(
        "SELECT row_to_json(l)::text || convert_from(entry, 'UTF8') FROM ledger_entries l
         UNION ALL SELECT row_to_json(o)::text FROM ledger_openings o",
    )
    .fetch_all(&app.database.owner)
    .await
    .unwrap();
    assert!(rows.len() >= 12 && rows.iter().all(|row| !row.contains("ada@") && !row.contains(&challenge)));
}

#[tokio::test]
async fn signing_out_works_with_any_token_of_the_session() {
    let app = TestApp::start().await;
    let over = app.sign_in("ada@example.com").await;
    app.advance(Duration::minutes(7));
    let fresh = app.sign_in("ada@example.com").await;
    let out = |credential: String| app.call(Method::POST, "/auth/sign-out").header("authorization", &credential).send();
    assert_eq!(out(format!("Bearer {}", over.access_token)).await.status, 204, "its five minutes are over");
    assert_eq!(out(format!("bearer {}", fresh.access_token)).await.status, 204, "the scheme in lower case");
    for person in [&over, &fresh] {
        let refresh = app.post("/auth/refresh", &json!({"refresh_token": person.refresh_token})).send().await;
        assert_eq!(refresh.problem(), (401, "refresh_token_invalid".into()));
    }
    // A browser may come to hold cookies of two sessions: both end.
    let (one, other) = (app.sign_in("ada@example.com").await, app.sign_in("ada@example.com").await);
    let (access, refresh) = (one.cookies.split("; ").next().unwrap(), other.cookies.split("; ").nth(1).unwrap());
    let mixed = app.call(Method::POST, "/auth/sign-out").header("cookie", &format!("{access}; {refresh}"));
    assert_eq!(mixed.header("origin", &app.url).send().await.status, 204);
    for person in [&one, &other] {
        let refresh = app.post("/auth/refresh", &json!({"refresh_token": person.refresh_token})).send().await;
        assert_eq!(refresh.problem(), (401, "refresh_token_invalid".into()));
    }
    let ignored = app.post("/auth/sign-out", &json!({"refresh_token": fresh.refresh_token})).send().await;
    assert_eq!(ignored.problem(), (400, "invalid_request".into()), "a body is refused, not ignored");
}

#[tokio::test]
async fn replays_of_many_sessions_at_once_end_them_all_and_wait_for_nobody() {
    let app = TestApp::start().await;
    let mut used = Vec::new();
    for _ in 0..10 {
        let person = app.sign_in("ada@example.com").await;
        app.post("/auth/refresh", &json!({"refresh_token": person.refresh_token})).send().await.person();
        used.push(json!({"refresh_token": person.refresh_token}));
    }
    app.advance(Duration::seconds(11));
    let answers = futures_util::future::join_all(used.iter().map(|body| app.post("/auth/refresh", body).send())).await;
    for answer in answers {
        assert_eq!(answer.problem(), (401, "refresh_token_invalid".into()));
    }
    let alive: i64 = sqlx::query_scalar("SELECT count(*) FROM sessions WHERE revoked_at IS NULL")
        .fetch_one(&app.database.owner)
        .await
        .unwrap();
    let entries = app.actions(None).await.iter().filter(|action| *action == "session.refresh_reused").count();
    assert_eq!((alive, entries), (0, 1));
}

#[tokio::test]
async fn a_sealed_successor_is_scrubbed_and_its_predecessor_stays_used() {
    let app = TestApp::start().await;
    let person = app.sign_in("ada@example.com").await;
    let body = json!({"refresh_token": person.refresh_token});
    app.post("/auth/refresh", &body).send().await.person();
    let scrub = async |at: Duration| {
        let at = bailiwick_server::clock::Clock::system().now() + at;
        housekeeping::expire_replays(&app.db, at).await.unwrap();
        let kept = "SELECT count(*) FROM refresh_tokens WHERE successor_sealed IS NOT NULL";
        sqlx::query_scalar::<_, i64>(kept).fetch_one(&app.database.owner).await.unwrap()
    };
    assert_eq!(scrub(Duration::seconds(30)).await, 1);
    assert_eq!(scrub(Duration::minutes(2)).await, 0);
    app.advance(Duration::minutes(2));
    assert_eq!(app.post("/auth/refresh", &body).send().await.problem(), (401, "refresh_token_invalid".into()));
}
