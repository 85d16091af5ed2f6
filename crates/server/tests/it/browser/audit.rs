//! The audit log in a real browser: from the list to a proof that the browser itself verified, and to one that fails.

use crate::harness::openings::retell;
use bailiwick_proof::commitment::Field;
use serde_json::{Value, json};

use crate::harness::app::{Person, TestApp};
use crate::harness::browser::Tab;
use crate::harness::recorder::LONG_ACTION;
use crate::harness::secrets;

/// What a page may weigh with all that it loads, before compression, and how many modules it may bring.
const PAGE_BYTES: u64 = 60_000;
const PAGE_MODULES: u64 = 2;

pub(super) async fn sign_in(app: &TestApp, tab: &Tab, email: &str) {
    let before = app.mails(0).await.len();
    tab.go("/sign-in").await;
    tab.fill("#email", email).await;
    tab.click("main form button").await;
    tab.arrive("/sign-in/sent").await;
    let link =
        app.mails(before + 1).await.into_iter().find(|mail| mail.to == email).and_then(|mail| mail.link).unwrap();
    secrets::record(&link);
    tab.go(&link).await;
    tab.click("form[action='/auth/link'] button").await;
    tab.arrive("/workspaces").await;
}

pub(super) async fn record(app: &TestApp, ada: &Person, workspace: &str, event: &Value) -> Value {
    let path = format!("/v1/workspaces/{workspace}/audit/events");
    let made = app.post(&path, &json!({"events": [event]})).bearer(&ada.access_token).send().await;
    assert_eq!(made.status, 201, "{}", made.text);
    made.json()["events"][0].clone()
}

/// Changes a row as nobody but the database's owner could.
pub(super) async fn tamper(app: &TestApp, statement: &str) {
    let changed = sqlx::query(sqlx::AssertSqlSafe(statement.to_owned())).execute(&app.database.owner).await.unwrap();
    assert_eq!(changed.rows_affected(), 1, "{statement}");
}

/// What the page weighs with its style and its modules; what is fetched later is not in it.
async fn assert_within_budget(tab: &Tab) {
    let script = "(() => { const all = performance.getEntriesByType('resource');
        const bytes = [...performance.getEntriesByType('navigation'), ...all].reduce((sum, e) => sum + e.decodedBodySize, 0);
        return [bytes, all.filter(e => e.name.endsWith('.js')).length]; })()";
    let told = tab.evaluate(script).await;
    let (bytes, modules) = (told[0].as_u64().unwrap(), told[1].as_u64().unwrap());
    assert!((20_000..PAGE_BYTES).contains(&bytes), "{bytes} bytes");
    assert!(modules <= PAGE_MODULES, "{modules} modules");
}

pub(super) async fn is_sealed(tab: &Tab) -> bool {
    tab.evaluate("document.querySelector('.seal')?.checkVisibility() ?? false").await.as_bool().unwrap()
}

#[tokio::test]
async fn an_entry_is_verified_in_the_browser_and_a_changed_one_is_not() {
    let app = TestApp::start().await;
    let (ada, workspace) = app.founder("ada@example.com", "acme").await;
    let key = app.api_key(&ada, &workspace, &json!({"name": "deploy", "scopes": ["read", "write"]})).await;
    let long = json!({
        "action": LONG_ACTION,
        "actor": "W".repeat(256),
        "target": "\u{5d0}\u{5d1}\u{5d2} a target that runs both ways".to_owned(),
        "meta": {"text": "W".repeat(300)},
    });
    record(&app, &ada, &workspace, &long).await;
    let paid = json!({
        "action": "invoice.paid",
        "actor": "Kundin 42 <b>",
        "target": "invoice-7",
        "meta": {"amount_cents": 1200, "note": "ü \u{2028} \u{1f600}", "\u{ff5e}": 1, "\u{1f600}": [true, null]},
    });
    let event = record(&app, &ada, &workspace, &paid).await;
    let (id, seq) = (event["id"].as_str().unwrap(), event["seq"].as_u64().unwrap());
    let tab = Tab::open(&app.url).await;
    sign_in(&app, &tab, "ada@example.com").await;

    // The list, by its key in the rail, and what it is narrowed to.
    tab.go("/w/acme/live").await;
    for letter in ["g", "a"] {
        tab.evaluate(&format!(
            "document.body.dispatchEvent(new KeyboardEvent('keydown', {{key: '{letter}', bubbles: true}}))"
        ))
        .await;
    }
    tab.arrive("/w/acme/live/audit").await;
    assert_within_budget(&tab).await;
    tab.look("audit").await;
    tab.fill("#action", "invoice.paid").await;
    tab.click(".sift button").await;
    tab.find("a[href='/w/acme/live/audit'].plain").await;
    let rows = tab.evaluate("[...document.querySelectorAll('tbody tr')].map(row => row.innerText).join()").await;
    assert!(rows.as_str().unwrap().contains("Kundin 42 <b>") && !rows.as_str().unwrap().contains("api_key"));
    assert!(tab.evaluate("location.search").await.as_str().unwrap().contains("action=invoice.paid"));
    tab.go("/w/acme/live/audit?from=2026-01-01&to=2025-01-01").await;
    tab.find("#to-fault").await;
    tab.look("audit-filter-refused").await;

    // The entry.
    tab.go("/w/acme/live/audit?target=invoice-7").await;
    tab.click("tbody .primary").await;
    tab.arrive(&format!("/w/acme/live/audit/{id}")).await;
    assert_within_budget(&tab).await;
    assert!(!is_sealed(&tab).await, "no seal before anything was verified");
    tab.look("audit-entry").await;
    tab.click("#verify").await;
    tab.find("#verified:not([hidden])").await;
    assert!(is_sealed(&tab).await);
    let said = tab.text("#verified").await;
    assert!(said.contains(&format!("Entry {seq} is in the log")), "{said}");
    assert!(said.contains("actor, ip, meta, target read as committed"), "{said}");
    let size =
        said.split("the checkpoint of size ").nth(1).unwrap().split(|c: char| !c.is_ascii_digit()).next().unwrap();
    assert!(size.parse::<u64>().unwrap() >= seq + 2, "that it was looked at is in the log before it is shown: {said}");
    tab.look("audit-entry-verified").await;

    // What the page shows is part of what is verified.
    tab.evaluate("document.querySelector('[data-opened=actor]').textContent = 'somebody else'").await;
    tab.click("#verify").await;
    tab.find("#refused:not([hidden])").await;
    assert!(tab.text("#refused").await.contains("another actor than the receipt proves"));
    assert!(!is_sealed(&tab).await);

    // The way to it by its id, and on to its neighbours.
    tab.go("/w/acme/live").await;
    tab.fill("#seek", id).await;
    tab.evaluate("document.querySelector('#seek').form.requestSubmit()").await;
    tab.arrive(&format!("/w/acme/live/audit/{id}")).await;
    tab.click("a[rel=prev]").await;
    tab.find("a[rel=next]").await;
    tab.arrive("/w/acme/live/audit/evt_").await;
    assert_eq!(tab.text("h1").await, long["action"].as_str().unwrap());
    tab.click("#verify").await;
    tab.find("#verified:not([hidden])").await;
    tab.look("audit-entry-long").await;
    tab.click("a[rel=prev]").await;
    tab.find("[data-entry=seq]").await;
    tab.go(&format!("/w/acme/live/keys/{}", key["id"].as_str().unwrap())).await;
    tab.click(".trail a").await;
    tab.arrive("/w/acme/live/audit").await;
    assert_eq!(tab.text("tbody .primary").await, "api_key.created");

    // What to keep.
    tab.go("/w/acme/live/audit/stream").await;
    tab.look("audit-stream-empty").await;
    for (field, value) in
        [("bucket", "acme"), ("region", "eu-1"), ("endpoint", "https://10.0.0.1"), ("access_key_id", "id")]
    {
        tab.fill(&format!("#{field}"), value).await;
    }
    tab.fill("#secret_access_key", "the-key-of-a-bucket-that-is-nowhere").await;
    tab.click("form .button.main").await;
    tab.find("#endpoint-fault").await;
    tab.look("audit-stream-refused").await;
    tab.go("/w/acme/live/audit/checkpoint").await;
    tab.click("#verify").await;
    tab.find("#verified:not([hidden])").await;
    assert_within_budget_later(&tab).await;
    tab.look("audit-checkpoint").await;
    tab.go("/w/acme/test/audit").await;
    tab.look("audit-empty").await;
    tab.go("/w/acme/live/audit/actions").await;
    tab.look("audit-actions").await;

    a_changed_row_shows(&app, &tab, id, seq).await;
    a_missing_row_shows(&app, &tab, seq).await;
    tab.close();
}

/// On pages whose verifier was fetched by a click, only the modules of the page itself count.
pub(super) async fn assert_within_budget_later(tab: &Tab) {
    let modules = tab.evaluate("document.querySelectorAll('script[src]').length").await;
    assert!(modules.as_u64().unwrap() <= PAGE_MODULES);
}

async fn a_changed_row_shows(app: &TestApp, tab: &Tab, id: &str, seq: u64) {
    let entry = format!("/w/acme/live/audit/{id}");
    let workspace: uuid::Uuid = sqlx::query_scalar("SELECT workspace_id FROM workspaces WHERE slug = 'acme'")
        .fetch_one(&app.database.owner)
        .await
        .unwrap();
    let numbered = i64::try_from(seq).unwrap();
    retell(app, workspace, numbered, Field::Actor, |opening| opening.value = "Kundin 41".to_owned()).await;
    tab.go(&entry).await;
    tab.click("#verify").await;
    tab.find("#refused:not([hidden])").await;
    let said = tab.text("#refused").await;
    assert!(said.contains("wrong_opening") && said.contains(&format!("The first bad entry is {seq}.")), "{said}");
    retell(app, workspace, numbered, Field::Actor, |opening| opening.value = "Kundin 42 <b>".to_owned()).await;
    tab.go(&entry).await;
    tab.click("#verify").await;
    tab.find("#verified:not([hidden])").await;

    let row = format!(
        "UPDATE ledger_entries SET entry = convert_to(replace(convert_from(entry, 'UTF8'), 'invoice.paid', 'invoice.void'), 'UTF8')
         WHERE seq = {seq} AND action = 'invoice.paid'"
    );
    tamper(app, &row).await;
    tab.go("/w/acme/live/audit").await;
    assert!(tab.text("tr.damaged").await.contains("broken"));
    assert!(tab.text("main .note.broken").await.contains(&format!("Entry {seq} ")));
    tab.look("audit-broken").await;
    tab.go(&entry).await;
    tab.click("#verify").await;
    tab.find("#refused:not([hidden])").await;
    let said = tab.text("#refused").await;
    assert!(said.contains("not_included") && said.contains(&format!("The first bad entry is {seq}.")), "{said}");
    assert!(!is_sealed(tab).await);
    tab.look("audit-entry-broken").await;
}

async fn a_missing_row_shows(app: &TestApp, tab: &Tab, seq: u64) {
    let told = async || {
        tab.go("/w/acme/live/audit").await;
        tab.text("main .note.broken").await
    };
    // Each look at an entry, and each verification, for which all of it is opened, left an entry behind it.
    app.numbered().await;
    let reads = format!(
        "DELETE FROM ledger_entries WHERE seq > {seq} AND environment = 'live'
             AND action IN ('audit.read', 'audit.receipt_opened')"
    );
    let gone = sqlx::query(sqlx::AssertSqlSafe(reads)).execute(&app.database.owner).await.unwrap();
    assert!(gone.rows_affected() > 1, "{gone:?}");
    tamper(app, &format!("DELETE FROM ledger_entries WHERE seq = {seq} AND action = 'invoice.paid'")).await;
    assert!(told().await.contains(&format!("Entry {seq} and what followed it is gone")));
    tamper(app, "DELETE FROM ledger_entries WHERE seq = 1 AND action = 'api_key.created'").await;
    assert!(told().await.contains("Entry 1 is missing"));
}
