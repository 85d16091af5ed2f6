//! Links to receipts: what they show and to whom, how they end, and what whoever owns the database makes of them.

use bailiwick_proof::commitment::Field;
use bailiwick_proof::id::WorkspaceId;
use bailiwick_proof::receipt::Receipt;
use bailiwick_server::clock::Clock;
use bailiwick_server::entropy::Entropy;
use bailiwick_server::ledger;
use bailiwick_server::reconciliation::Reconciler;
use bailiwick_server::vault::Owner;
use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use super::Acme;
use crate::harness::app::{Answer, Person, TestApp};
use crate::harness::process::until;
use crate::harness::recorder::recorded;
use crate::harness::{secrets, vault};

/// A link that was made.
struct Link {
    id: String,
    path: String,
}

impl Acme {
    /// An event of Jane's on a door.
    async fn opened_by_jane(&self) -> String {
        let told = json!({"action": "door.opened", "actor": "jane-doe", "target": "door-77", "meta": {"note": "late"}});
        recorded(&self.record(&told).await).id
    }

    async fn ask(&self, event: &str, body: &Value) -> Answer {
        let path = self.path(&format!("audit/events/{event}/shares"));
        self.app.post(&path, body).bearer(&self.person.access_token).send().await
    }

    async fn share(&self, event: &str, body: &Value) -> Link {
        let made = self.ask(event, body).await;
        assert_eq!(made.status, 201, "{}", made.text);
        let url = made.text_of("url");
        let path = url.strip_prefix(&self.app.url).unwrap().to_owned();
        secrets::record(path.strip_prefix("/share/r/").unwrap());
        Link { id: made.text_of("id"), path }
    }

    async fn revoke(&self, share: &str) -> Answer {
        let path = self.path(&format!("audit/shares/{share}"));
        self.app.delete(&path).bearer(&self.person.access_token).send().await
    }

    async fn shares(&self, query: &str) -> Vec<Value> {
        let listed = self.get(&format!("audit/shares{query}")).await;
        assert_eq!(listed.status, 200, "{}", listed.text);
        listed.json()["data"].as_array().unwrap().clone()
    }

    /// As a stranger's browser asks for it.
    async fn look(&self, path: &str) -> Answer {
        self.app.get(path).header("accept", "text/html").send().await
    }

    /// The file that a link hands out, which verifies by the key that everybody gets.
    async fn receipt(&self, link: &Link) -> Receipt {
        let file = self.look(&format!("{}/receipt", link.path)).await;
        assert_eq!(file.status, 200, "{}", file.text);
        assert_eq!(file.headers["content-disposition"], "attachment; filename=\"receipt.tlog-proof\"");
        let receipt: Receipt = file.text.parse().unwrap();
        receipt.verify(&self.keys().await).unwrap();
        receipt
    }

    async fn sql(&self, statement: &str) {
        let done = sqlx::query(AssertSqlSafe(statement.to_owned())).execute(&self.app.database.owner).await;
        let done = done.unwrap_or_else(|error| panic!("{error}: {statement}"));
        assert!(done.rows_affected() >= 1, "{statement}");
    }

    /// Page and file say what they say of a link that never was.
    async fn shows_nothing(&self, link: &str, why: &str) {
        for rest in ["", "/receipt"] {
            let never = self.look(&format!("/share/r/AAAAAAAAAAAAAAAAAAAAAA{rest}")).await;
            let answer = self.look(&format!("{link}{rest}")).await;
            assert_eq!(told(&answer), told(&never), "{why}{rest}");
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{why}{rest}");
            assert!(answer.text.contains("This link shows nothing"), "{why}{rest}: {}", answer.text);
        }
    }
}

/// Everything of an answer but what differs from each to the next.
fn told(answer: &Answer) -> (StatusCode, Vec<(String, String)>, String) {
    let volatile = ["x-request-id", "traceparent", "date"];
    let headers = answer.headers.iter().filter(|(name, _)| !volatile.contains(&name.as_str()));
    let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    (answer.status, headers.collect(), answer.text.clone())
}

fn assert_private(answer: &Answer) {
    for (name, value) in [
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-store"),
        ("x-robots-tag", "noindex, nofollow, noarchive"),
    ] {
        assert_eq!(answer.headers[name], value, "{name}");
        assert_eq!(answer.headers.get_all(name).iter().count(), 1, "{name}");
    }
    assert!(!answer.headers.contains_key("set-cookie"));
}

#[tokio::test]
async fn a_link_shows_a_receipt_to_whoever_has_it_until_it_is_revoked_or_over() {
    let acme = Acme::found().await;
    let event = acme.opened_by_jane().await;
    let bare = acme.share(&event, &json!({})).await;
    let named = acme.share(&event, &json!({"open": ["target", "actor"], "days": 1})).await;
    assert_eq!(bare.path.len(), "/share/r/".len() + 22, "128 bits");
    assert_ne!(bare.path, named.path);

    // What strangers see: what was ticked, and nothing else of what is committed to.
    let page = acme.look(&bare.path).await;
    assert_eq!(page.status, 200, "{}", page.text);
    assert_private(&page);
    assert!(page.text.contains("door.opened") && page.text.contains("data-auto"), "{}", page.text);
    for hidden in ["jane-doe", "door-77", "late", &event, "acme@", "ada@"] {
        assert!(!page.text.contains(hidden), "{hidden}: {}", page.text);
    }
    assert!(acme.receipt(&bare).await.openings.is_empty());
    let page = acme.look(&named.path).await;
    assert!(page.text.contains("jane-doe") && page.text.contains("door-77") && !page.text.contains("late"));
    let receipt = acme.receipt(&named).await;
    assert_eq!(receipt.openings.keys().copied().collect::<Vec<_>>(), [Field::Actor, Field::Target]);
    assert_eq!(receipt.openings[&Field::Actor].value, "jane-doe");
    // One byte of the file changed, wherever: no verifier takes it.
    let (text, keys) = (receipt.to_string(), acme.keys().await);
    for at in [40, text.len() / 2, text.len() - 5] {
        let mut bytes = text.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8_lossy(&bytes).parse::<Receipt>();
        assert!(!changed.is_ok_and(|changed| changed.verify(&keys).is_ok()), "byte {at}");
    }

    // What members see, and what stands nowhere.
    let listed = acme.shares(&format!("?event={event}")).await;
    let of = |link: &Link| listed.iter().find(|share| share["id"] == json!(link.id)).unwrap().clone();
    assert_eq!((&of(&named)["open"], &of(&named)["views"]), (&json!(["actor", "target"]), &json!(1)));
    assert_eq!((&of(&bare)["open"], &of(&bare)["event_id"]), (&json!([]), &json!(event)));
    assert!(of(&named)["url"].is_null() && acme.shares("?event=evt_01h455vb4pex5vsknk084sn02q").await.is_empty());
    let token = named.path.strip_prefix("/share/r/").unwrap();
    let stands = format!("SELECT count(*) FROM receipt_shares s WHERE s::text LIKE '%{token}%'");
    let rows: i64 = sqlx::query_scalar(AssertSqlSafe(stands)).fetch_one(&acme.app.database.owner).await.unwrap();
    assert_eq!(rows, 0);
    let made = acme.listed("?action=receipt.shared").await;
    assert_eq!(made.len(), 2, "what is shown leaves no entry, what was made does");

    // Nothing leads anywhere else.
    acme.shows_nothing("/share/r/x", "malformed").await;
    acme.shows_nothing("/share/r/%FF%FE", "not text").await;
    acme.shows_nothing(&bare.path.to_lowercase(), "another spelling").await;
    assert_eq!(acme.revoke(&bare.id).await.status, 204);
    acme.shows_nothing(&bare.path, "revoked").await;
    assert_eq!(acme.revoke(&bare.id).await.status, 404, "once");
    assert_eq!(acme.look(&named.path).await.status, 200);
    acme.app.advance(time::Duration::hours(25));
    acme.shows_nothing(&named.path, "over").await;
    let mut actions = acme.app.actions(Some(&acme.workspace)).await;
    assert_eq!(actions.split_off(actions.len() - 3), ["receipt.shared", "receipt.shared", "receipt.share_revoked"]);
}

#[tokio::test]
async fn who_may_share_and_what_nobody_shares() {
    let acme = Acme::found().await;
    let event = acme.opened_by_jane().await;
    let link = acme.share(&event, &json!({})).await;
    for (body, pointer) in [(json!({"days": 0}), "/days"), (json!({"days": 366}), "/days")] {
        let refused = acme.ask(&event, &body).await;
        assert_eq!(refused.problem(), (422, "invalid_body".into()));
        assert_eq!(refused.json()["errors"][0]["pointer"], pointer);
    }
    assert_eq!(acme.ask(&event, &json!({"open": ["everything"]})).await.problem(), (422, "invalid_body".into()));
    assert_eq!(acme.ask("evt_01h455vb4pex5vsknk084sn02q", &json!({})).await.problem(), (404, "not_found".into()));

    // Asked for twice under one key, it is one link, told twice.
    let path = acme.path(&format!("audit/events/{event}/shares"));
    let once = async || {
        let call = acme.app.post(&path, &json!({"days": 7})).header("idempotency-key", "one");
        call.bearer(&acme.person.access_token).send().await
    };
    let (first, again) = (once().await, once().await);
    assert_eq!((first.status, &first.text), (again.status, &again.text));
    assert_eq!(acme.shares("").await.len(), 2);

    // Another tenant's event, and another tenant's link.
    let (bob, globex) = acme.app.founder("bob@example.com", "globex").await;
    let foreign = format!("/v1/workspaces/{globex}/audit/events/{event}/shares");
    let foreign = acme.app.post(&foreign, &json!({})).bearer(&bob.access_token).send().await;
    assert_eq!(foreign.problem(), (404, "not_found".into()));
    let foreign = acme.app.delete(&format!("/v1/workspaces/{globex}/audit/shares/{}", link.id));
    assert_eq!(foreign.bearer(&bob.access_token).send().await.problem(), (404, "not_found".into()));
    let other = acme.app.delete(&acme.path(&format!("audit/shares/{}", link.id)));
    let other = other.bearer(&acme.person.access_token).header("bailiwick-environment", "test").send().await;
    assert_eq!(other.problem(), (404, "not_found".into()));

    // Whoever reads the log sees the links, and makes none.
    let eve = acme.app.join(&acme.workspace, "eve@example.com", "developer").await;
    let as_eve = |person: &Person| person.access_token.clone();
    let listed = acme.app.get(&acme.path("audit/shares")).bearer(&as_eve(&eve)).send().await;
    assert_eq!(listed.json()["data"].as_array().unwrap().len(), 2);
    let made = acme.app.post(&path, &json!({})).bearer(&as_eve(&eve)).send().await;
    assert_eq!((made.problem(), made.text_of("permission")), ((403, "forbidden".into()), "audit.share".to_owned()));
    assert_eq!(acme.look(&link.path).await.status, 200);
}

/// Each statement of whoever owns the database, and what it must not bring about.
#[tokio::test]
async fn whoever_owns_the_database_makes_no_link_and_widens_none() {
    let acme = Acme::found().await;
    let (event, other) = (acme.opened_by_jane().await, acme.opened_by_jane().await);
    let [revoked, link, ended] = [
        acme.share(&event, &json!({})).await,
        acme.share(&event, &json!({})).await,
        acme.share(&event, &json!({})).await,
    ];
    acme.sql("CREATE TABLE kept AS SELECT * FROM receipt_shares").await;
    assert_eq!(acme.revoke(&revoked.id).await.status, 204);
    let other = other.parse::<bailiwick_proof::id::EventId>().unwrap().uuid();
    let (_, globex) = acme.app.founder("bob@example.com", "globex").await;
    let globex = globex.parse::<WorkspaceId>().unwrap().uuid();
    let share = |link: &Link| link.id.parse::<bailiwick_proof::id::ReceiptShareId>().unwrap().uuid();

    for (change, why) in [
        ("open = '{actor}'".to_owned(), "widened"),
        ("expires_at = expires_at + interval '1 day'".to_owned(), "longer"),
        (format!("event_id = '{other}'"), "of another entry"),
        (format!("workspace_id = '{globex}'"), "of another workspace"),
        ("environment = 'test'".to_owned(), "of another environment"),
        ("digest = sha256(decode('00112233445566778899aabbccddeeff', 'hex'))".to_owned(), "with another token"),
        ("mac = ''".to_owned(), "vouched for by nobody"),
    ] {
        assert_eq!(acme.look(&link.path).await.status, 200, "{why}: before");
        acme.sql(&format!("UPDATE receipt_shares SET {change} WHERE id = '{}'", share(&link))).await;
        acme.shows_nothing("/share/r/ABEiM0RVZneImaq7zN3u_w", why).await;
        if !why.contains("token") {
            acme.shows_nothing(&link.path, why).await;
        }
        acme.sql(&format!("DELETE FROM receipt_shares WHERE id = '{}'", share(&link))).await;
        let columns = "workspace_id, environment, project_id, id, event_id, digest, open, created_by, created_at, expires_at, mac";
        acme.sql(&format!(
            "INSERT INTO receipt_shares ({columns}) SELECT {columns} FROM kept WHERE id = '{}'",
            share(&link)
        ))
        .await;
    }
    acme.sql(&format!("UPDATE receipt_shares SET revoked_at = NULL WHERE id = '{}'", share(&revoked))).await;
    acme.shows_nothing(&revoked.path, "not revoked any more").await;

    // A row of before, with its MAC: the log knows the later one, and whoever holds the two together takes the MAC away.
    // That it was revoked already, nobody believes the row alone.
    acme.app.numbered().await;
    acme.sql(&format!("UPDATE receipt_shares SET revoked_at = now() WHERE id = '{}'", share(&ended))).await;
    assert_eq!(acme.revoke(&ended.id).await.status, 204);
    acme.app.numbered().await;
    let back = "UPDATE receipt_shares s SET revoked_at = NULL, version = k.version, mac = k.mac FROM kept k
        WHERE s.id = k.id AND s.id =";
    acme.sql(&format!("{back} '{}'", share(&ended))).await;
    until(async || {
        reconciler(&acme.app).await.look().await.unwrap();
        acme.look(&ended.path).await.status == StatusCode::NOT_FOUND
    })
    .await;
    acme.shows_nothing(&ended.path, "put back").await;
    assert_eq!(acme.look(&link.path).await.status, 200, "and no other");
}

async fn reconciler(app: &TestApp) -> Reconciler {
    let (keys, ledger) = (app.vault().await, vault::ledger(&app.database, &app.db).await.unwrap());
    let (notary, alerts) = (app.notary().await, keys.alerts().clone());
    Reconciler::new(app.db.clone(), notary, ledger, alerts, Clock::system(), Entropy::system())
}

#[tokio::test]
async fn what_is_erased_altered_frozen_or_shredded_is_shown_no_more() {
    let acme = Acme::found().await;
    let (event, second) = (acme.opened_by_jane().await, acme.opened_by_jane().await);
    let link = acme.share(&event, &json!({"open": ["actor", "ip", "meta", "target"]})).await;
    let gone = acme.share(&second, &json!({})).await;
    assert!(acme.look(&link.path).await.text.contains("jane-doe"));
    assert_eq!(acme.receipt(&link).await.openings.len(), 4);

    // Erased: what was said of her is not there any more; the proof is.
    let body = json!({"subject": "jane-doe", "confirm": "jane-doe"});
    let asked = acme.app.post(&acme.path("erasures"), &body).bearer(&acme.person.access_token).send().await;
    assert_eq!(asked.status, 200, "{}", asked.text);
    let finished = format!("erasures/{}", asked.json()["erasure"]["id"].as_str().unwrap());
    until(async || acme.get(&finished).await.json()["state"] == "finished").await;
    let page = acme.look(&link.path).await;
    assert_eq!(page.status, 200);
    assert!(!page.text.contains("jane-doe") && !page.text.contains("late") && page.text.contains("door-77"));
    assert_eq!(acme.receipt(&link).await.openings.keys().copied().collect::<Vec<_>>(), [Field::Target]);

    // Not there, as after retention.
    acme.sql("DELETE FROM ledger_entries WHERE action = 'door.opened' AND seq = 2").await;
    acme.shows_nothing(&gone.path, "gone").await;

    // Altered: the page says so and hands out what fails in every verifier. Once that was found, nothing is shown.
    acme.sql("UPDATE ledger_entries SET entry = convert_to(replace(convert_from(entry, 'UTF8'), 'opened', 'closed'), 'UTF8') WHERE seq = 1 AND action = 'door.opened'").await;
    let broken = acme.look(&link.path).await;
    assert_eq!(broken.status, 200);
    assert_private(&broken);
    assert!(broken.text.contains("What is stored of this entry was altered"), "{}", broken.text);
    let file = acme.look(&format!("{}/receipt", link.path)).await;
    assert_eq!(file.headers["content-disposition"], "attachment; filename=\"receipt.damaged.tlog-proof\"");
    let damaged: Receipt = file.text.parse().unwrap();
    assert!(damaged.verify(&acme.keys().await).is_err());
    let ledger = vault::ledger(&acme.app.database, &acme.app.db).await.unwrap();
    assert_eq!(ledger::self_check(&ledger).await.unwrap().altered, 1);
    acme.shows_nothing(&link.path, "frozen").await;

    // A workspace that was shredded.
    let (bob, globex) = acme.app.founder("bob@example.com", "globex").await;
    let events = format!("/v1/workspaces/{globex}/audit/events");
    let founding = acme.app.get(&events).bearer(&bob.access_token).send().await.json();
    let founding = founding["data"][0]["id"].as_str().unwrap().to_owned();
    let made = acme.app.post(&format!("{events}/{founding}/shares"), &json!({})).bearer(&bob.access_token).send().await;
    let path = made.text_of("url").strip_prefix(&acme.app.url).unwrap().to_owned();
    assert_eq!(acme.look(&path).await.status, 200);
    acme.app.vault().await.shred(Owner::Workspace(globex.parse().unwrap())).await.unwrap();
    until(async || acme.look(&path).await.status == StatusCode::NOT_FOUND).await;
    acme.shows_nothing(&path, "shredded").await;
}
