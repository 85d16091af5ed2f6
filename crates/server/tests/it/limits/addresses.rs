//! Whose an address is: never that of one who merely looks alike, and mail goes where it is stored.

use serde_json::json;

use crate::harness::app::TestApp;

#[tokio::test]
async fn addresses_that_look_or_fold_alike_are_refused_by_one_code() {
    let app = TestApp::start().await;
    let (_, workspace) = app.founder("kim.ssi@example.com", "acme").await;
    let mails = app.mails(1).await.len();
    let entries = app.actions(None).await.len();
    let long = |name: usize, host: usize| format!("{}@{}.example", "k".repeat(name), "a.".repeat(host));
    for look_alike in [
        "\u{212a}im.ssi@example.com",
        "k\u{131}m.ssi@example.com",
        "K\u{130}m.ssi@example.com",
        "kim.\u{df}i@example.com",
        "kim.\u{17f}si@example.com",
        "k\u{456}m.ssi@example.com",
        "\u{ff4b}im.ssi@example.com",
        "kim.ssi@ex\u{430}mple.com",
        "kim.ssi\u{ff20}example.com",
        "kim.ssi@example\u{3002}com",
        "kim.ssi@example.com\u{200b}",
        "kim\u{ad}.ssi@example.com",
        "kim.ssi@example.com\u{0}",
        "kim.ssi@example.com\r\nBcc: eve@example.com",
        "\"kim.ssi\"@example.com",
        "kim.ssi@[127.0.0.1]",
        &long(65, 1),
        &long(1, 130),
        &"k".repeat(40_000),
        "",
    ] {
        let answer = app.post("/auth/request", &json!({"email": look_alike})).send().await;
        let (status, code) = answer.problem();
        assert!(
            matches!((status, code.as_str()), (422, "invalid_body") | (400, "malformed_json")),
            "{look_alike:?}: {status} {code}"
        );
        if status == 422 {
            assert_eq!(answer.json()["errors"][0]["pointer"], "/email", "{look_alike:?}");
        }
        assert!(look_alike.is_empty() || !answer.text.contains(look_alike), "what was typed is not told again");
        let page = app.call(reqwest::Method::POST, "/sign-in").form(&[("email", look_alike)]).send().await;
        assert!([422, 400].contains(&page.status.as_u16()), "{look_alike:?}: {}", page.status);
    }
    let oversized = app.post("/auth/request", &json!({"email": "k".repeat(70_000)})).send().await;
    assert_eq!(oversized.problem(), (413, "body_too_large".into()));
    assert_eq!((app.mails(0).await.len(), app.actions(None).await.len()), (mails, entries), "nothing was asked for");

    // What ASCII has of capitals is the same person, and the mail goes to the address as it is stored.
    for typed in ["Kim.SSI@example.com", "KIM.SSI@EXAMPLE.COM", " kim.ssi@example.com "] {
        let before = app.mails(0).await.len();
        assert_eq!(app.post("/auth/request", &json!({"email": typed})).send().await.status, 202);
        assert_eq!(app.mails(before + 1).await[0].to, "kim.ssi@example.com", "{typed}");
    }
    // An internationalized host in its ASCII form is a host of its own.
    let other = app.sign_in("kim.ssi@xn--exmple-4nf.com").await;
    let list = app.get("/v1/workspaces").bearer(&other.access_token).send().await;
    assert!(list.status == 200 && !list.text.contains(&workspace));
}
