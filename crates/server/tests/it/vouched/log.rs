//! Logs that are made to say something else together with a row that is put back.

use bailiwick_proof::id::WorkspaceId;
use bailiwick_server::reconciliation::Reconciler;
use bailiwick_server::vault::Alerts;
use reqwest::Method;
use serde_json::json;

use super::{Intruder, raised, reconciler};
use crate::harness::app::TestApp;

/// A key that was revoked, which the log says and somebody has signed; and one that has not read the log yet.
struct Revoked {
    app: TestApp,
    intruder: Intruder,
    reconciler: Reconciler,
    alerts: Alerts,
    /// Of its workspace's log, as a condition.
    log: String,
}

impl Revoked {
    async fn found() -> Self {
        let app = TestApp::start().await;
        let (ada, acme) = app.founder("ada@example.com", "acme").await;
        let key = app.api_key(&ada, &acme, &json!({"name": "k", "scopes": ["read"]})).await;
        let mut intruder = Intruder::enter(&app).await;
        intruder.does("CREATE TABLE kept AS SELECT * FROM api_keys").await;
        let path = format!("/v1/workspaces/{acme}/api-keys/{}", key["id"].as_str().unwrap());
        assert_eq!(app.delete(&path).bearer(&ada.access_token).send().await.status, 204);
        app.numbered().await;
        let checkpoint = app.get(&format!("/v1/workspaces/{acme}/audit/checkpoint")).bearer(&ada.access_token);
        assert_eq!(checkpoint.send().await.status, 200);
        let (reconciler, alerts) = reconciler(&app).await;
        let workspace = acme.parse::<WorkspaceId>().unwrap().uuid();
        let log = format!("workspace_id = '{workspace}' AND environment = 'live'");
        Self { app, intruder, reconciler, alerts, log }
    }

    /// The key is as it was before, and so is whatever else is changed.
    async fn is_put_back_with(&mut self, changes: &[&str]) {
        for change in changes {
            let change = change.replace("{log}", &self.log);
            assert_eq!(self.intruder.does(&change).await, 1, "{change}");
        }
        let row = "UPDATE api_keys k SET revoked_at = o.revoked_at, version = o.version, mac = o.mac FROM kept o
            WHERE k.id = o.id";
        assert_eq!(self.intruder.does(row).await, 1);
    }

    /// A first look at it all raises this, whatever the server's own has found meanwhile.
    async fn is_told_as(&self, what: &str) {
        let look = self.reconciler.look().await.unwrap();
        assert!(look.rows > 0 && look.fenced == 0, "{look:?}");
        let raised = raised(&self.alerts).await;
        assert!(raised.contains(&("ledger_entries", what)), "{raised:?}");
    }
}

#[tokio::test]
async fn a_log_that_was_cut_is_shorter_than_it_was_signed() {
    let mut revoked = Revoked::found().await;
    let cut = "DELETE FROM ledger_entries WHERE action = 'api_key.revoked' AND {log}";
    let wind_back = "UPDATE ledger_heads SET size = size - 1 WHERE {log}";
    revoked.is_put_back_with(&[cut, wind_back]).await;
    revoked.is_told_as("log_broken").await;
}

/// Nothing is linked to the last entry: that it is another one is known by what was signed alone.
#[tokio::test]
async fn a_log_with_another_end_is_not_the_one_that_was_signed() {
    let mut revoked = Revoked::found().await;
    let rewrite = "UPDATE ledger_entries SET action = 'api_key.updated',
            entry = convert_to(replace(convert_from(entry, 'UTF8'), 'api_key.revoked', 'api_key.updated'), 'UTF8')
        WHERE action = 'api_key.revoked' AND {log}";
    revoked.is_put_back_with(&[rewrite]).await;
    revoked.is_told_as("log_broken").await;
}

#[tokio::test]
async fn an_entry_of_a_change_that_no_longer_says_of_what_is_found() {
    for rows in [
        // Nothing; what another entry says of the same key; the same with a byte changed.
        "NULL",
        "(SELECT rows FROM ledger_openings JOIN ledger_entries USING (workspace_id, environment, generation, seq)
          WHERE action = 'api_key.created' AND {log})",
        "set_byte(rows, octet_length(rows) - 1, get_byte(rows, octet_length(rows) - 1) # 1)",
    ] {
        let mut revoked = Revoked::found().await;
        let change = format!(
            "UPDATE ledger_openings SET rows = {rows} WHERE {{log}}
                 AND seq = (SELECT seq FROM ledger_entries WHERE action = 'api_key.revoked' AND {{log}})"
        );
        revoked.is_put_back_with(&[&change]).await;
        revoked.is_told_as("entry_silent").await;
    }
}

/// Before an entry has its number, what it says of rows stands there for whoever owns the database to change.
#[tokio::test]
async fn an_entry_that_was_changed_before_it_was_numbered_says_nothing() {
    let Revoked { app, mut intruder, reconciler, alerts, .. } = Revoked::found().await;
    let (bob, other) = app.founder("bob@example.com", "other").await;
    let key = app.api_key(&bob, &other, &json!({"name": "k", "scopes": ["read"]})).await;
    app.numbered().await;
    reconciler.look().await.unwrap();
    assert_eq!(raised(&alerts).await, []);
    // The last byte of the serial: kind 1, workspace 16, length 1, id 16, serial 8.
    for statement in [
        "CREATE FUNCTION alters() RETURNS trigger LANGUAGE plpgsql AS
             'BEGIN NEW.rows := set_byte(NEW.rows, 41, 9); RETURN NEW; END'",
        "GRANT EXECUTE ON FUNCTION alters() TO PUBLIC",
        "CREATE TRIGGER alters BEFORE INSERT ON ledger_staged FOR EACH ROW WHEN (NEW.rows IS NOT NULL)
             EXECUTE FUNCTION alters()",
    ] {
        intruder.does(statement).await;
    }
    let patch = app.call(Method::PATCH, &format!("/v1/workspaces/{other}/api-keys/{}", key["id"].as_str().unwrap()));
    let patched = patch.json(&json!({"name": "renamed"})).bearer(&bob.access_token).send().await;
    assert_eq!(patched.status, 200, "{}", patched.text);
    app.numbered().await;
    let look = reconciler.look().await.unwrap();
    assert!(look.rows > 0, "{look:?}");
    let raised = raised(&alerts).await;
    assert!(raised.contains(&("ledger_entries", "entry_silent")), "{raised:?}");
    assert!(!raised.contains(&("api_keys", "row_rolled_back")), "{raised:?}");
}
