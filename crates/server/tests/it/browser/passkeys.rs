//! Passkeys in a real browser, with an authenticator of its own: made, used by the button, used from the address field, shown once
//! more, removed.

use crate::harness::app::TestApp;
use crate::harness::browser::Tab;
use crate::harness::secrets;

/// Nothing is fetched before `open_gate`.
const GATE: &str = "(() => { const fetch = window.fetch, gate = new Promise((open) => { window.open_gate = open; }); \
                    window.fetch = async (...asked) => { await gate; return fetch(...asked); }; })()";

async fn sign_out(tab: &Tab) {
    tab.go("/account/sessions").await;
    tab.click("details.person summary").await;
    tab.click("form[action='/sign-out'] button").await;
}

#[tokio::test]
async fn somebody_adds_a_passkey_and_signs_in_by_button_and_by_autofill() {
    let app = TestApp::start().await;
    let tab = Tab::open(&app.url).await;
    let device = tab.authenticator().await;
    device.answers(false).await;
    tab.go("/sign-in").await;
    tab.fill("#email", "ada@example.com").await;
    tab.click("form[action='/sign-in'] button").await;
    tab.arrive("/sign-in/sent").await;
    let link = app.mails(1).await[0].link.clone().unwrap();
    secrets::record(&link);
    tab.go(&link).await;
    tab.click("form[action='/auth/link'] button").await;
    tab.arrive("/workspaces").await;

    // Whoever has none is reminded, until they say no.
    tab.find("#passkey-offer").await;
    tab.look("workspaces-passkey-offer").await;
    tab.click("#passkey-offer button").await;
    tab.find("main:not(:has(#passkey-offer))").await;

    device.answers(true).await;
    tab.go("/account/passkeys").await;
    tab.find("form[data-passkey=make]:not([hidden])").await;
    tab.look("passkeys-none").await;
    tab.fill("#name", "This laptop").await;
    tab.click("form[data-passkey=make] button").await;
    tab.find("#recovery-codes").await;
    assert!(tab.source().await.contains("recovery"), "the codes that come with the first factor");
    tab.go("/account/passkeys").await;
    tab.find("td").await;
    assert!(tab.text("table").await.contains("This laptop"));
    tab.look("passkeys").await;

    // By the button, while the browser waits for somebody to choose from the field. An authenticator that is asked before it
    // answers never does, so the button's own question waits until it would.
    device.answers(false).await;
    sign_out(&tab).await;
    tab.find("form[data-passkey=show]:not([hidden])").await;
    tab.evaluate(GATE).await;
    tab.click("form[data-passkey=show] button").await;
    device.answers(true).await;
    tab.evaluate("window.open_gate()").await;
    tab.arrive("/workspaces").await;

    // From the field, without a button: the device answers as soon as the page asks.
    sign_out(&tab).await;
    tab.arrive("/workspaces").await;

    // Once more, for what asks for it; and it is renamed and removed.
    app.advance(time::Duration::minutes(11));
    tab.go("/account/passkeys").await;
    tab.click("main p a[href^='/account/step-up']").await;
    tab.arrive("/account/step-up").await;
    tab.click("form[data-passkey=show] button").await;
    tab.arrive("/account/passkeys").await;
    tab.click("a[href$='/rename']").await;
    tab.look("passkey-rename").await;
    tab.evaluate("document.querySelector('#name').value = ''").await;
    tab.fill("#name", "The old laptop").await;
    tab.click("main form button").await;
    tab.find("#flash").await;
    tab.click("a[href$='/remove']").await;
    tab.look("passkey-remove").await;
    tab.click("main form button").await;
    tab.find("#flash").await;
    assert!(!tab.source().await.contains("The old laptop"));
    tab.close();
}
