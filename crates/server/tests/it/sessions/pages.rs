//! The account's sessions in the console, in a real browser.

use nix::sys::signal::Signal;
use serde_json::json;

use crate::harness::browser::Tab;
use crate::harness::http::http;
use crate::harness::process::{DevHome, DevServer};
use crate::harness::secrets;

/// Signs in over the API; answers the access token.
async fn elsewhere(server: &DevServer<'_>, agent: &str) -> String {
    let mails = server.mails(0).await.len();
    let post = |path: &str| http().post(format!("{}{path}", server.url)).header("user-agent", agent);
    let asked = post("/auth/request").json(&json!({"email": "ada@example.com"})).send().await.unwrap();
    let asked: serde_json::Value = asked.json().await.unwrap();
    let code = server.mails(mails + 1).await[0]["code"].clone();
    let body = json!({"challenge": asked["challenge"], "code": code});
    let told: serde_json::Value = post("/auth/verify").json(&body).send().await.unwrap().json().await.unwrap();
    let token = told["access_token"].as_str().unwrap().to_owned();
    secrets::record(&token);
    token
}

async fn status(server: &DevServer<'_>, token: &str) -> u16 {
    let call = http().get(format!("{}/v1/workspaces", server.url)).bearer_auth(token);
    call.send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_person_ends_one_session_the_others_and_all() {
    let home = DevHome::temporary();
    let server = home.start().await;
    let tab = Tab::open(&server.url).await;
    tab.go("/sign-in").await;
    tab.fill("#email", "ada@example.com").await;
    tab.click("main form button").await;
    tab.arrive("/sign-in/sent").await;
    let code = server.mails(1).await[0]["code"].as_str().unwrap().to_owned();
    secrets::record(&code);
    tab.fill("#code", &code).await;
    tab.click("main form button").await;
    tab.arrive("/workspaces").await;

    let phone = elsewhere(&server, "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5) Version/18.5 Mobile Safari/604.1").await;
    let script = elsewhere(&server, "python-requests/2.32").await;
    tab.go("/account/sessions").await;
    tab.look("sessions").await;
    let page = tab.text("main").await;
    for words in ["Safari on an iPhone", "A Python program", "Chrome", "This session", "127.0.0.0/24", "Code in a mail"]
    {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert!(!page.contains("127.0.0.1"), "{page}");

    tab.click("tbody tr:nth-child(2) a[href$='/end']").await;
    tab.find("form[action^='/account/sessions/']").await;
    assert!(tab.text("main").await.contains("Safari on an iPhone"));
    tab.look("session-end").await;
    tab.click("main form button").await;
    tab.find("#flash").await;
    assert_eq!((status(&server, &phone).await, status(&server, &script).await), (401, 200));
    assert!(!tab.text("main table").await.contains("iPhone"));

    tab.click("a[href='/account/sign-out-others']").await;
    tab.find("form[action='/account/sign-out-others']").await;
    tab.look("sign-out-others").await;
    tab.click("main form button").await;
    tab.find("#flash").await;
    assert_eq!(status(&server, &script).await, 401);
    assert!(tab.text("main").await.contains("1 session"));

    tab.click("a[href='/account/sign-out-everywhere']").await;
    tab.find("form[action='/account/sign-out-everywhere']").await;
    tab.look("sign-out-everywhere").await;
    tab.click("main form button").await;
    tab.arrive("/sign-in").await;
    assert!(tab.text("#flash").await.contains("signed out everywhere"));
    tab.go("/account/sessions").await;
    tab.arrive("/sign-in").await;
    tab.close();
    server.stop(Signal::SIGINT).await;
}
