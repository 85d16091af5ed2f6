//! The pages on factors, as forms that are sent by hand.

use reqwest::Method;
use time::Duration;

use super::{ADA, STEP, wrong};
use crate::harness::app::{Answer, TestApp};
use crate::harness::otp::Otp;
use crate::harness::secrets;

const HERE: &str = "/account/factors";

async fn page(app: &TestApp, cookies: &str, path: &str) -> Answer {
    app.get(path).header("cookie", cookies).header("accept", "text/html").send().await
}

async fn form(app: &TestApp, cookies: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
    app.call(Method::POST, path).header("cookie", cookies).header("accept", "text/html").form(fields).send().await
}

fn location(answer: &Answer) -> &str {
    assert_eq!(answer.status, 303, "{}", answer.text);
    answer.headers["location"].to_str().unwrap()
}

/// What stands between two marks.
fn between<'a>(text: &'a str, begin: &str, end: &str) -> &'a str {
    text.split_once(begin).unwrap_or_else(|| panic!("no {begin} in {text}")).1.split_once(end).unwrap().0
}

/// Goes through the door by the pages, as far as the mail leads.
async fn through_the_door(app: &TestApp, cookies: &str) -> Answer {
    let codes = async || app.mails(0).await.into_iter().filter_map(|mail| mail.code).collect::<Vec<_>>();
    let before = codes().await.len();
    let asked = form(app, cookies, "/sign-in", &[("email", ADA)]).await;
    assert_eq!(location(&asked), "/sign-in/sent");
    let code = loop {
        let codes = codes().await;
        if codes.len() > before {
            break codes[0].clone();
        }
        tokio::task::yield_now().await;
    };
    form(app, &format!("{cookies}; {}", asked.cookies()), "/sign-in/sent", &[("code", &code)]).await
}

#[tokio::test]
async fn a_person_adds_a_factor_signs_in_with_it_and_proves_themselves_again_by_pages_alone() {
    let app = TestApp::start().await;
    let ada = app.sign_in(ADA).await.cookies;
    let shown = page(&app, &ada, HERE).await.text;
    assert!(shown.contains("the mail alone signs you in") && shown.contains("You have added none"), "{shown}");
    let none = format!("{HERE}/recovery-codes");
    assert_eq!(location(&page(&app, &ada, &none).await), HERE, "without a factor there are no codes to make");
    assert_eq!(location(&form(&app, &ada, &none, &[]).await), HERE);
    let unnamed = form(&app, &ada, &format!("{HERE}/authenticators"), &[("name", "")]).await;
    assert!(unnamed.status == 422 && unnamed.text.contains("name-fault"));
    let enrol = form(&app, &ada, &format!("{HERE}/authenticators"), &[("name", "Telephone")]).await;
    assert_eq!((enrol.status.as_u16(), &enrol.headers["cache-control"]), (200, &"no-store".parse().unwrap()));
    let otp = Otp::reading(between(&enrol.text, "id=\"secret\">", "<"));
    let url = between(&enrol.text, "href=\"otpauth://", "\"");
    secrets::record(url);
    assert!(enrol.text.contains("<svg class=\"qr\"") && url.contains("ada%40example.com"), "{url}");
    let action = between(&enrol.text, "method=\"post\" action=\"/account/factors/", "\"").to_owned();
    let action = format!("{HERE}/{action}");
    let again = form(&app, &ada, &action, &[("code", &wrong(&app, &otp))]).await;
    assert!(again.status == 422 && again.text.contains("code-fault") && !again.text.contains("<svg class=\"qr\""));
    let added = form(&app, &ada, &action, &[("code", &otp.at(app.now()))]).await;
    assert_eq!(added.status, 200, "{}", added.text);
    let codes: Vec<String> =
        added.text.split("<li>").skip(1).map(|rest| rest.split('<').next().unwrap().to_owned()).collect();
    codes.iter().for_each(|code| secrets::record(code));
    assert!(codes.len() == 10 && codes.iter().all(|code| code.len() == 19), "{codes:?}");
    assert_eq!(location(&page(&app, &ada, HERE).await), "/sign-in", "the session before is over");
    let ada = added.cookies();
    let shown = page(&app, &ada, HERE).await.text;
    assert!(shown.contains("Telephone") && shown.contains("10 are left"), "{shown}");

    // Signing in stops at the second step, and goes on from there once.
    app.advance(STEP * 2);
    let shown = through_the_door(&app, "").await;
    assert_eq!(location(&shown), "/sign-in/factor");
    let owed = shown.cookies();
    assert!(owed.contains("bw_factor=") && !owed.contains("bw_access="), "{owed}");
    assert_eq!(location(&page(&app, "", "/sign-in/factor").await), "/sign-in", "nothing is owed in this browser");
    assert!(page(&app, &owed, "/sign-in/factor").await.text.contains("Show your second factor"));
    let again = form(&app, &owed, "/sign-in/factor", &[("code", "nonsense")]).await;
    assert!(again.status == 422 && again.text.contains("code-fault"));
    let entered = form(&app, &owed, "/sign-in/factor", &[("code", &otp.at(app.now()))]).await;
    assert_eq!(location(&entered), "/workspaces");
    let used = form(&app, &owed, "/sign-in/factor", &[("code", &codes[5])]).await;
    assert!(used.status == 422 && used.text.contains("code-fault"), "one second step, one session");
    let ada = entered.cookies();

    // What takes a fresh sign-in leads here and back, and nowhere else.
    app.advance(Duration::minutes(4));
    let ask = format!("{HERE}/recovery-codes");
    assert!(page(&app, &ada, &ask).await.text.contains("Make new codes"));
    app.advance(Duration::minutes(7));
    let refreshed = page(&app, &ada, "/account/sessions").await;
    let ada = refreshed.cookies();
    assert_eq!(location(&page(&app, &ada, &ask).await), format!("/account/step-up?back={ask}"));
    let asked = page(&app, &ada, &format!("/account/step-up?back={ask}")).await;
    assert!(
        asked.text.contains("Prove that it is you") && asked.text.contains(&format!("value=\"{ask}\"")),
        "{}",
        asked.text
    );
    for elsewhere in ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"] {
        let shown = page(&app, &ada, &format!("/account/step-up?back={}", elsewhere.replace('\\', "%5C"))).await.text;
        assert!(!shown.contains("evil.example") && !shown.contains("javascript:alert"), "{elsewhere}");
        let done = form(&app, &ada, "/account/step-up", &[("back", elsewhere), ("code", "000000")]).await;
        assert!(!done.text.contains("evil.example"));
    }
    app.advance(Duration::minutes(2));
    let proven = form(&app, &ada, "/account/step-up", &[("back", &ask), ("code", &codes[0])]).await;
    assert_eq!(location(&proven), ask);
    let ada = proven.cookies();
    let renewed = form(&app, &ada, &ask, &[]).await;
    assert!(renewed.status == 200 && !renewed.text.contains(&codes[1]), "{}", renewed.text);
    renewed.text.split("<li>").skip(1).for_each(|rest| secrets::record(rest.split('<').next().unwrap()));

    // Removed, after it was asked twice; from then on the mail is enough, and who was on the way goes on.
    let shown = page(&app, &ada, HERE).await.text;
    let remove = format!(
        "{HERE}/authenticators/{}",
        between(&shown, "/account/factors/authenticators/otp_", "\"")
            .split_once('/')
            .map(|(id, verb)| format!("otp_{id}/{verb}"))
            .unwrap()
    );
    assert!(page(&app, &ada, &remove).await.text.contains("Remove Telephone"));
    assert_eq!(location(&form(&app, &ada, &remove, &[]).await), HERE);
    app.advance(Duration::minutes(4));
    let there = page(&app, &ada, "/account/step-up?back=/account/sessions").await;
    assert!(there.text.contains("sign in again by mail"), "{}", there.text);
    let entered = through_the_door(&app, &there.cookies()).await;
    assert_eq!(location(&entered), "/account/sessions");
}
