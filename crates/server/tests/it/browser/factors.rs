//! The pages on second factors in a real browser.

use crate::factors::STEP;
use crate::harness::app::TestApp;
use crate::harness::browser::Tab;
use crate::harness::otp::Otp;
use crate::harness::secrets;

const ADA: &str = "ada@example.com";

/// The newest sign-in link, once there are so many.
async fn link(app: &TestApp, links: usize) -> String {
    loop {
        let found: Vec<String> = app.mails(0).await.into_iter().filter_map(|mail| mail.link).collect();
        if found.len() >= links {
            secrets::record(&found[0]);
            return found[0].clone();
        }
        tokio::task::yield_now().await;
    }
}

async fn by_mail(app: &TestApp, tab: &Tab, links: usize) {
    tab.go("/sign-in").await;
    tab.fill("#email", ADA).await;
    tab.click("form[action='/sign-in'] button").await;
    tab.arrive("/sign-in/sent").await;
    tab.go(&link(app, links).await).await;
    tab.click("form[action='/auth/link'] button").await;
}

#[tokio::test]
async fn somebody_adds_an_authenticator_signs_in_with_it_and_demands_one_of_everybody() {
    let app = TestApp::start().await;
    let (_, workspace) = app.founder(ADA, "acme").await;
    app.join(&workspace, "bob@example.com", "viewer").await;
    let tab = Tab::open(&app.url).await;
    by_mail(&app, &tab, 3).await;
    tab.arrive("/workspaces").await;
    tab.go("/w/acme/live/security").await;
    tab.look("security-weak").await;
    tab.go("/account/factors").await;
    tab.look("factors-none").await;
    tab.fill("#name", "Telephone").await;
    tab.click("form[action='/account/factors/authenticators'] button").await;
    tab.find("#secret").await;
    tab.look("factors-enrol").await;
    let otp = Otp::reading(&tab.text("#secret").await);
    tab.fill("#code", &otp.at(app.now())).await;
    tab.click("main form button.main").await;
    tab.find("#recovery-codes").await;
    tab.look("factors-codes").await;
    let codes: Vec<String> = tab.text("#recovery-codes").await.split_whitespace().map(str::to_owned).collect();
    codes.iter().for_each(|code| secrets::record(code));
    tab.go("/account/factors").await;
    tab.look("factors").await;
    tab.go("/account/factors/recovery-codes").await;
    tab.look("factors-ask").await;

    tab.go("/w/acme/live/security").await;
    tab.look("security").await;
    tab.click("form[action='/w/acme/live/security'] button.main").await;
    tab.find("#flash").await;
    tab.look("security-demanded").await;

    // Another browser, until the second step and past it; a step-up leads back.
    let other = Tab::open(&app.url).await;
    by_mail(&app, &other, 4).await;
    other.arrive("/sign-in/factor").await;
    other.look("second-step").await;
    app.advance(STEP);
    other.fill("#code", &otp.at(app.now())).await;
    other.click("main form button.main").await;
    other.arrive("/workspaces").await;
    other.go("/account/step-up?back=/account/sessions").await;
    other.look("step-up").await;
    other.fill("#code", codes.last().unwrap()).await;
    other.click("form[action='/account/step-up'] button.main").await;
    other.arrive("/account/sessions").await;
    other.find("#flash").await;
    other.close();
    tab.close();
}
