//! Sharing a receipt in a real browser: the form, the link, and the page that it leads to, which verifies itself.

use serde_json::json;

use super::audit::{assert_within_budget_later, is_sealed, record, sign_in, tamper};
use crate::harness::app::TestApp;
use crate::harness::browser::Tab;
use crate::harness::secrets;

#[tokio::test]
async fn a_shared_receipt_verifies_itself_and_an_altered_one_does_not() {
    let app = TestApp::start().await;
    let (ada, workspace) = app.founder("ada@example.com", "acme").await;
    let paid = json!({"action": "invoice.paid", "actor": "Kundin 42 <b>", "target": "invoice-7", "meta": {"note": "\u{2028} ü"}});
    let event = record(&app, &ada, &workspace, &paid).await;
    let (id, seq) = (event["id"].as_str().unwrap(), event["seq"].as_u64().unwrap());
    let tab = Tab::open(&app.url).await;
    sign_in(&app, &tab, "ada@example.com").await;

    // From the entry to a link.
    tab.go(&format!("/w/acme/live/audit/{id}")).await;
    tab.click("a[href$='/shares']").await;
    tab.arrive(&format!("/w/acme/live/audit/{id}/shares")).await;
    tab.evaluate("document.querySelector('#days').value = 'x'").await;
    tab.click("main form .button.main").await;
    tab.find("#days-fault").await;
    tab.evaluate("document.querySelector('#days').value = '7'").await;
    for field in ["actor", "meta"] {
        tab.click(&format!("input[value={field}]")).await;
    }
    tab.click("main form .button.main").await;
    tab.find("#secret:modal").await;
    tab.look("audit-share-made").await;
    let url = tab.text("#secret-value").await;
    secrets::record(url.rsplit('/').next().unwrap());
    assert!(url.starts_with(&format!("{}/share/r/", app.url)), "{url}");
    tab.click("#secret-stored").await;
    tab.find("tbody tr[id^=shr_]").await;
    assert!(!tab.source().await.contains("/share/r/"), "shown once");
    assert!(tab.text("tbody tr").await.contains("actor, request and data"));
    tab.look("audit-shares").await;

    // Whoever has the link: the page is the same with a session and without.
    tab.go(&url).await;
    tab.find("#verified:not([hidden])").await;
    assert!(is_sealed(&tab).await);
    let said = tab.text("#verified").await;
    assert!(said.contains(&format!("Entry {seq} is in the log, as this page shows it; actor, meta read as committed")));
    assert!(tab.text("main").await.contains("Kundin 42 <b>"));
    assert_within_budget_later(&tab).await;
    tab.look("shared-receipt").await;
    // What the page shows, and the file that stands on it, are part of what is verified.
    for (selector, with, why) in [
        ("[data-opened=actor]", "'somebody else'", "another actor than the receipt proves"),
        ("#file", "e.textContent.replace(/^index .*$/m, 'index 0')", "Not verified"),
    ] {
        tab.go(&url).await;
        tab.find("#verified:not([hidden])").await;
        tab.evaluate(&format!("(e => {{ e.textContent = {with} }})(document.querySelector('{selector}'))")).await;
        tab.click("#verify").await;
        tab.find("#refused:not([hidden])").await;
        assert!(tab.text("#refused").await.contains(why), "{}", tab.text("#refused").await);
        assert!(!is_sealed(&tab).await);
    }
    let row = format!(
        "UPDATE ledger_entries SET entry = convert_to(replace(convert_from(entry, 'UTF8'), 'invoice.paid', 'invoice.void'), 'UTF8')
         WHERE seq = {seq} AND action = 'invoice.paid'"
    );
    tamper(&app, &row).await;
    tab.go(&url).await;
    tab.find("#refused:not([hidden])").await;
    assert!(tab.text("#refused").await.contains("not_included"));
    assert!(tab.text("main .note.broken").await.contains("was altered") && !is_sealed(&tab).await);

    // Revoked, it shows nothing to anybody.
    tab.go(&format!("/w/acme/live/audit/{id}/shares")).await;
    tab.click("td a[href$='/revoke']").await;
    tab.click("main form .button.grave").await;
    tab.find("#flash").await;
    assert!(tab.text("tbody tr").await.contains("revoked"));
    tab.go(&url).await;
    tab.look("shared-receipt-gone").await;
    assert!(tab.text("h1").await.contains("This link shows nothing"));
    tab.go("/w/acme/live/audit/shares").await;
    tab.find("tbody tr").await;
    tab.close();
}
