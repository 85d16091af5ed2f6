//! Signing in a program by somebody's word in a browser: what both see, and what comes of it when somebody cheats.

mod by_command;
mod forged;

use bailiwick_server::config::Limits;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use time::Duration;

use crate::harness::app::{Answer, Person, TestApp};

/// What a program has in hand after asking.
struct Asked {
    device: String,
    user: String,
}

async fn ask(app: &TestApp) -> Asked {
    let answer = app.call(Method::POST, "/auth/device").header("user-agent", "bailiwick/0.1.0").send().await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let asked = Asked { device: answer.text_of("device_code"), user: answer.text_of("user_code") };
    assert_eq!((asked.user.len(), answer.text_of("verification_uri")), (9, format!("{}/device", app.url)));
    assert_eq!((&answer.json()["expires_in"], &answer.json()["interval"]), (&json!(600), &json!(2)));
    assert!(!answer.text.contains("verification_uri_complete"), "{}", answer.text);
    asked
}

async fn poll(app: &TestApp, device: &str) -> Answer {
    app.post("/auth/device/token", &json!({"device_code": device})).send().await
}

/// Why the program gets nothing.
async fn refused(app: &TestApp, device: &str) -> String {
    let answer = poll(app, device).await;
    let (status, code) = answer.problem();
    assert_eq!((status, &answer.json()["error"]), (400, &json!(code)));
    code
}

async fn page(app: &TestApp, person: &Person, path: &str, code: &str) -> Answer {
    let call = app.call(Method::POST, path).header("cookie", &person.cookies).header("accept", "text/html");
    call.form(&[("code", code)]).send().await
}

/// Types the code, and approves.
async fn approve(app: &TestApp, person: &Person, asked: &Asked) {
    let answer = page(app, person, "/device/approve", &asked.user).await;
    assert_eq!((answer.status.as_u16(), &answer.headers["location"]), (303, &"/device".parse().unwrap()));
}

#[tokio::test]
async fn a_program_is_let_in_once_by_somebodys_word() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.sign_in("ada@example.com").await, app.sign_in("bob@example.com").await);
    let asked = ask(&app).await;
    assert_eq!(refused(&app, &asked.device).await, "authorization_pending");
    assert_eq!(refused(&app, &asked.device).await, "slow_down");
    app.advance(Duration::seconds(4));
    assert_eq!(refused(&app, &asked.device).await, "slow_down", "seven seconds from now on");
    app.advance(Duration::seconds(60));

    // Nobody is led there with a code filled in, and looking decides nothing.
    let path = format!("/device?user_code={}&code={}", asked.user, asked.user);
    let empty = app.get(&path).header("cookie", &bob.cookies).header("accept", "text/html").send().await;
    assert!(empty.status == 200 && !empty.text.contains(&asked.user), "{}", empty.text);
    let typed = asked.user.to_lowercase().replace('-', " ");
    let looked = page(&app, &ada, "/device", &typed).await;
    for told in ["The bailiwick command", "127.0.0.0/24", &typed, "ada@example.com", "Approve", "Deny"] {
        assert!(looked.status == 200 && looked.text.contains(told), "{told}: {}", looked.text);
    }
    let wrong = page(&app, &ada, "/device", "0000-0000").await;
    assert!(wrong.status == 422 && wrong.text.contains("code-fault"), "{}", wrong.text);
    assert_eq!(refused(&app, &asked.device).await, "authorization_pending");
    app.advance(Duration::seconds(60));

    // Another site cannot press the button.
    let call = app.call(Method::POST, "/device/approve").header("cookie", &ada.cookies);
    let forged = call.header("origin", "https://evil.example").form(&[("code", &asked.user)]).send().await;
    assert_eq!(forged.status, 403);
    assert_eq!(refused(&app, &asked.device).await, "authorization_pending");
    app.advance(Duration::seconds(60));

    approve(&app, &ada, &asked).await;
    for again in ["/device", "/device/approve", "/device/deny"] {
        assert_eq!(page(&app, &bob, again, &asked.user).await.status, 422, "it is decided once");
    }
    // Neither code is anything elsewhere, and no other token is one here.
    let refresh = app.post("/auth/refresh", &json!({"refresh_token": asked.device})).send().await;
    assert_eq!(refresh.problem(), (401, "refresh_token_invalid".into()));
    for other in [&ada.refresh_token, &ada.access_token, &asked.user] {
        assert_eq!(refused(&app, other).await, "expired_token");
    }

    let answers = join_all((0..6).map(|_| poll(&app, &asked.device))).await;
    let mut let_in = answers.iter().filter(|answer| answer.status == 200);
    let device = let_in.next().unwrap_or_else(|| panic!("{answers:?}")).person();
    assert!(let_in.next().is_none(), "one session");
    let others = answers.iter().filter(|answer| answer.status != 200);
    assert!(others.into_iter().all(|answer| answer.problem().1 == "expired_token"));
    app.advance(Duration::seconds(60));
    assert_eq!(refused(&app, &asked.device).await, "expired_token");

    let list = app.get("/auth/sessions").bearer(&device.access_token).send().await.json();
    let session = list["data"].as_array().unwrap().iter().find(|session| session["current"] == true).unwrap();
    assert_eq!(session["signed_in_by"], "device");
    assert_eq!(session["strong"], json!(false), "as strong as whoever approved it");
    let refreshed = app.post("/auth/refresh", &json!({"refresh_token": device.refresh_token})).send().await;
    assert_eq!(refreshed.status, 200);
    let log = app.actions(None).await;
    for (action, times) in [("sign_in.device_requested", 1), ("sign_in.device_approved", 1), ("sign_in.completed", 3)] {
        assert_eq!(log.iter().filter(|found| *found == action).count(), times, "{action}: {log:?}");
    }
}

#[tokio::test]
async fn nobody_is_let_in_by_a_word_that_is_late_stale_or_taken_back() {
    let app = TestApp::start().await;
    let ada = app.sign_in("ada@example.com").await;
    app.advance(Duration::minutes(11));
    let asked = ask(&app).await;
    let looked = page(&app, &ada, "/device", &asked.user).await;
    assert!(
        looked.text.contains("Prove that it is you") && !looked.text.contains("/device/approve"),
        "{}",
        looked.text
    );
    assert_eq!(page(&app, &ada, "/device/approve", &asked.user).await.status, 403, "that takes a fresh sign-in");
    assert_eq!(refused(&app, &asked.device).await, "authorization_pending");
    assert_eq!(page(&app, &ada, "/device/deny", &asked.user).await.status, 303);
    app.advance(Duration::minutes(1));
    assert_eq!(refused(&app, &asked.device).await, "access_denied");
    app.advance(Duration::minutes(10));
    assert_eq!(refused(&app, &asked.device).await, "expired_token");

    // Approved, and picked up too late.
    let ada = app.sign_in("ada@example.com").await;
    let asked = ask(&app).await;
    approve(&app, &ada, &asked).await;
    app.advance(Duration::minutes(10));
    assert_eq!(refused(&app, &asked.device).await, "expired_token");
    assert_eq!(page(&app, &ada, "/device", &asked.user).await.status, 422);

    // Approved, and then whoever did signs out everywhere.
    let ada = app.sign_in("ada@example.com").await;
    let asked = ask(&app).await;
    approve(&app, &ada, &asked).await;
    let call = app.call(Method::POST, "/auth/sign-out-everywhere").bearer(&ada.access_token);
    assert_eq!(call.send().await.status, 200);
    assert_eq!(refused(&app, &asked.device).await, "expired_token");
}

/// Whoever signs out everywhere while a program picks its session up has ended that session, or kept it from opening.
#[tokio::test]
async fn no_pick_up_that_races_a_sign_out_everywhere_survives_it() {
    let app = TestApp::start().await;
    for round in 0..6 {
        let ada = app.sign_in("ada@example.com").await;
        let asked = ask(&app).await;
        approve(&app, &ada, &asked).await;
        let (answer, ended) = tokio::join!(poll(&app, &asked.device), async {
            for _ in 0..round * 40 {
                tokio::task::yield_now().await;
            }
            app.call(Method::POST, "/auth/sign-out-everywhere").bearer(&ada.access_token).send().await
        });
        assert_eq!(ended.status, 200, "{}", ended.text);
        if answer.status == 200 {
            let late = app.get("/v1/workspaces").bearer(&answer.person().access_token).send().await;
            assert_eq!(late.problem(), (401, "session_ended".into()));
        } else {
            assert_eq!(answer.problem().1, "expired_token");
        }
    }
}

#[tokio::test]
async fn codes_are_not_guessed() {
    let app = TestApp::configured(|config| config.limits = Limits { sign_ins: 8, ..Limits::DEFAULT }).await;
    let ada = app.sign_in("ada@example.com").await;
    let asked = ask(&app).await;
    let mut limited = false;
    for number in 0..8 {
        let guess = page(&app, &ada, "/device", &format!("0000-000{number}")).await;
        limited = guess.status == 429;
        assert!(limited || guess.status == 422, "{}", guess.text);
    }
    assert!(limited);
    let right = page(&app, &ada, "/device", &asked.user).await;
    assert!(right.status == 429 && right.headers.contains_key("retry-after"), "also the right one is not looked at");
    let stranger: Value = json!({"device_code": "AAAAAAAAAAAAAAAAAAAAAA"});
    assert_eq!(app.post("/auth/device/token", &stranger).send().await.problem(), (429, "rate_limited".into()));
    assert_eq!(refused(&app, &asked.device).await, "authorization_pending", "whoever waits is not kept from it");
}

/// The session of a program is as old as the one that let it in, and ends with it: nobody goes on for ever by approving themselves.
#[tokio::test]
async fn a_program_is_no_fresher_than_who_let_it_in() {
    let app = TestApp::start().await;
    let ada = app.sign_in("ada@example.com").await;
    app.advance(Duration::minutes(4));
    let asked = ask(&app).await;
    approve(&app, &ada, &asked).await;
    let device = poll(&app, &asked.device).await.person();
    let add = async |person: &Person, name: &str| {
        let body = json!({"name": name});
        app.post("/auth/factors/authenticators", &body).bearer(&person.access_token).send().await
    };
    assert_eq!(add(&device, "Telephone").await.status, 201, "as fresh as hers");
    let list = app.get("/auth/sessions").bearer(&device.access_token).send().await.json();
    assert_eq!(list["data"][0]["expires_at"], list["data"][1]["expires_at"]);
    app.advance(Duration::minutes(7));
    let device = app.post("/auth/refresh", &json!({"refresh_token": device.refresh_token})).send().await.person();
    assert_eq!(add(&device, "Tablet").await.problem(), (403, "step_up_required".into()));
    let another = ask(&app).await;
    let cookies = format!("bw_access={}", device.access_token);
    let refused = page(&app, &Person { cookies, ..device }, "/device/approve", &another.user).await;
    assert_eq!(refused.status, 403, "{}", refused.text);
}
