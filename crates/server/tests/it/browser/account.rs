//! The pages of one's own account in a real browser: a program that asks, another address, the end.

use reqwest::Method;

use crate::harness::app::TestApp;
use crate::harness::browser::Tab;
use crate::harness::secrets;

#[tokio::test]
async fn a_program_is_let_in_the_address_changes_and_the_account_goes() {
    let app = TestApp::start().await;
    app.sign_in("ada@example.com").await;
    let mails = app.mails(0).await.len();
    let tab = Tab::open(&app.url).await;
    tab.go("/sign-in").await;
    tab.fill("#email", "ada@example.com").await;
    tab.click("main form button").await;
    tab.arrive("/sign-in/sent").await;
    let link = app.mails(mails + 1).await[0].link.clone().unwrap();
    secrets::record(&link);
    tab.go(&link).await;
    tab.click("form[action='/auth/link'] button").await;
    tab.arrive("/workspaces").await;

    let asked = app.call(Method::POST, "/auth/device").header("user-agent", "bailiwick/0.1.0").send().await;
    tab.go("/device").await;
    tab.look("device").await;
    tab.fill("#code", &asked.text_of("user_code").to_lowercase()).await;
    tab.click("form[action='/device'] button").await;
    tab.find("form[action='/device/approve']").await;
    tab.look("device-asks").await;
    tab.click("form[action='/device/approve'] button").await;
    tab.arrive("/device").await;
    tab.find("#flash").await;

    tab.go("/account/profile").await;
    tab.look("profile").await;
    let mails = app.mails(0).await.len();
    tab.fill("#email", "countess@example.com").await;
    tab.click("form[action='/account/profile/address'] button").await;
    tab.find("form[action='/account/profile/confirm']").await;
    tab.look("profile-confirm").await;
    let codes: Vec<String> = app.mails(mails + 2).await.iter().take(2).filter_map(|mail| mail.code.clone()).collect();
    for (code, told) in codes.iter().zip(["Confirmed. The code", "Your address is changed"]) {
        tab.fill("#code", code).await;
        tab.click("form[action='/account/profile/confirm'] button").await;
        tab.says(told).await;
    }

    tab.go("/account/delete").await;
    tab.look("account-delete").await;
    tab.fill("#confirm", "countess@example.com").await;
    tab.click("form[action='/account/delete'] button").await;
    tab.arrive("/sign-in").await;
    tab.find("#flash").await;
    tab.close();
}
