//! The pages on people in a real browser: from the invitation to the removal.

use crate::harness::app::TestApp;
use crate::harness::browser::Tab;
use crate::harness::{people, secrets};

/// The newest sign-in link in the mailbox.
async fn link(app: &TestApp, mails: usize) -> String {
    let link = app.mails(mails).await[0].link.clone().unwrap();
    secrets::record(&link);
    link
}

#[tokio::test]
async fn somebody_is_invited_joins_and_is_removed() {
    let app = TestApp::start().await;
    let (ada, workspace) = app.founder("ada@example.com", "acme").await;
    let invite = serde_json::json!({"email": "bob@example.com", "role": "developer"});
    let path = format!("/v1/workspaces/{workspace}/invitations");
    assert_eq!(app.post(&path, &invite).bearer(&ada.access_token).send().await.status, 201);
    let token = people::token(&app, "bob@example.com").await;
    let mails = app.mails(0).await.len();

    let tab = Tab::open(&app.url).await;
    tab.go(&format!("/auth/invitation?token={token}")).await;
    tab.click("form[action='/sign-in'] button").await;
    tab.arrive("/sign-in/sent").await;
    tab.go(&link(&app, mails + 1).await).await;
    tab.click("form[action='/auth/link'] button").await;
    tab.arrive("/auth/invitation").await;
    tab.look("invitation").await;
    tab.click("form[action='/auth/invitation'] button").await;
    tab.arrive(&format!("/w/{workspace}/live")).await;
    tab.find("#flash").await;

    tab.go("/sign-in").await;
    tab.fill("#email", "ada@example.com").await;
    tab.click("main form button").await;
    tab.arrive("/sign-in/sent").await;
    tab.go(&link(&app, mails + 2).await).await;
    tab.click("form[action='/auth/link'] button").await;
    tab.arrive("/workspaces").await;
    tab.go("/w/acme/live/members").await;
    tab.fill("#email", "eve@example.com").await;
    tab.click("input[name='role'][value='billing']").await;
    tab.click("form[action='/w/acme/live/members'] button").await;
    tab.find("form[action$='/resend'] button").await;
    tab.look("people").await;
    tab.click("td a.primary[href*='/members/usr_']:not(:has(+ .tag))").await;
    tab.find("form[action$='/role']").await;
    tab.look("person").await;
    tab.click("a[href$='/remove']").await;
    tab.find("#confirm").await;
    tab.fill("#confirm", "bob@example.com").await;
    tab.look("person-remove").await;
    tab.click("main form button.main").await;
    tab.find("#flash").await;
    assert!(!tab.source().await.contains("bob@example.com"));
    tab.close();
}
