//! What the server's own check finds is frozen, told of, and stays frozen until an operator has looked.

use bailiwick_proof::id::WorkspaceId;
use bailiwick_server::ledger::{self, Checked, Unfrozen};
use futures_util::future::join;
use serde_json::json;
use sqlx::AssertSqlSafe;
use time::Duration;
use uuid::Uuid;

use crate::harness::app::{Answer, Person, TestApp};
use crate::harness::ledger::{beside, beside_that_tells, hold};
use crate::harness::process::until;

struct Two {
    app: TestApp,
    acme: (Person, String),
    globex: (Person, String),
}

impl Two {
    async fn found() -> Self {
        let app = TestApp::start().await;
        let acme = app.founder("ada@example.com", "acme").await;
        let globex = app.founder("gus@example.org", "globex").await;
        let two = Self { app, acme, globex };
        for _ in 0..4 {
            assert_eq!(record(&two.app, &two.acme).await.status, 201);
            assert_eq!(record(&two.app, &two.globex).await.status, 201);
        }
        assert_eq!(checkpoint(&two.app, &two.acme).await.status, 200);
        two.app.numbered().await;
        two
    }

    fn acme_id(&self) -> Uuid {
        self.acme.1.parse::<WorkspaceId>().unwrap().uuid()
    }

    /// Turns a byte of acme's fourth entry over, or back.
    async fn flip(&self) {
        let statement = format!(
            "UPDATE ledger_entries SET entry = set_byte(entry, 40, get_byte(entry, 40) # 1)
             WHERE workspace_id = '{}' AND environment = 'live' AND seq = 3",
            self.acme_id()
        );
        self.sql(&statement).await;
    }

    async fn sql(&self, statement: &str) {
        let changed = sqlx::query(AssertSqlSafe(statement)).execute(&self.app.database.owner).await.unwrap();
        assert!(changed.rows_affected() > 0, "{statement}");
    }

    async fn alerts(&self) -> Vec<(String, Uuid, String)> {
        let alerts = "SELECT what, workspace_id, row_name FROM alerts WHERE what LIKE 'ledger_%'";
        sqlx::query_as(alerts).fetch_all(&self.app.database.owner).await.unwrap()
    }
}

async fn record(app: &TestApp, (person, workspace): &(Person, String)) -> Answer {
    let body = json!({"events": [{"action": "door.opened", "actor": "ada", "target": "door-1"}]});
    let path = format!("/v1/workspaces/{workspace}/audit/events");
    app.post(&path, &body).bearer(&person.access_token).send().await
}

async fn checkpoint(app: &TestApp, (person, workspace): &(Person, String)) -> Answer {
    app.get(&format!("/v1/workspaces/{workspace}/audit/checkpoint")).bearer(&person.access_token).send().await
}

/// Requirement 24.
#[tokio::test]
async fn an_altered_log_is_frozen_told_of_and_attributed_until_an_operator_has_looked() {
    let two = Two::found().await;
    let ledger = beside_that_tells(&two.app).await;
    let good = ledger::self_check(&ledger).await.unwrap();
    assert_eq!((good.altered, good.logs), (0, 5), "two of each workspace, and the cell's");
    two.flip().await;
    assert_eq!(ledger::self_check(&ledger).await.unwrap(), Checked { altered: 1, ..good });

    // What is recorded is kept; it is not signed, on no node. Nobody else is concerned.
    assert_eq!(record(&two.app, &two.acme).await.status, 201);
    assert_eq!(record(&two.app, &two.globex).await.status, 201);
    assert_eq!(checkpoint(&two.app, &two.acme).await.problem(), (503, "ledger_frozen".into()));
    assert_eq!(checkpoint(&two.app, &two.globex).await.status, 200);
    until(async || !two.alerts().await.is_empty()).await;
    let [(what, workspace, row)] = &two.alerts().await[..] else { panic!("one alert") };
    assert_eq!((what.as_str(), *workspace), ("ledger_altered", two.acme_id()));
    assert!(row.contains(&format!("/w/{}/live/1 seq 3: entry 3", two.acme.1)), "{row}");
    assert!(two.app.actions(Some(&two.acme.1)).await.contains(&"alert.raised".to_owned()));
    assert!(two.app.actions(None).await.contains(&"alert.raised".to_owned()));

    // Whoever owns the database does not end it, nor does a restart.
    two.sql("DELETE FROM alerts").await;
    let other = two.app.another_node().await;
    // It issues tokens in its own name.
    let person = other.sign_in("ada@example.com").await;
    let asked = (person, two.acme.1.clone());
    assert_eq!(checkpoint(&other, &asked).await.problem(), (503, "ledger_frozen".into()));

    // Nor does an operator, before the true bytes are back.
    let refused = ledger::unfreeze(&ledger, two.acme_id()).await.unwrap();
    assert!(matches!(&refused, Unfrozen::StillAltered(logs) if logs[0].damages[0].seq == Some(3)), "{refused:?}");
    two.flip().await;
    assert_eq!(ledger::self_check(&ledger).await.unwrap(), good);
    assert_eq!(checkpoint(&two.app, &two.acme).await.problem(), (503, "ledger_frozen".into()));
    assert!(matches!(ledger::unfreeze(&ledger, two.acme_id()).await.unwrap(), Unfrozen::Done));
    assert_eq!(checkpoint(&two.app, &two.acme).await.status, 200);
    assert!(matches!(ledger::unfreeze(&ledger, two.acme_id()).await.unwrap(), Unfrozen::WasNot));
    assert_eq!(two.app.actions(None).await.last().unwrap(), "ledger.unfrozen");
}

/// A check that runs while a log grows sees it at one moment.
#[tokio::test]
async fn a_log_that_grows_is_not_taken_for_an_altered_one() {
    let two = Two::found().await;
    let ledger = beside(&two.app, Duration::ZERO).await;
    let checks = async {
        for _ in 0..6 {
            assert_eq!(ledger::self_check(&ledger).await.unwrap().altered, 0);
        }
    };
    let writes = async {
        for _ in 0..40 {
            assert_eq!(record(&two.app, &two.acme).await.status, 201);
            assert_eq!(checkpoint(&two.app, &two.acme).await.status, 200);
        }
    };
    join(checks, writes).await;
}

/// Requirement 26.
#[tokio::test]
async fn entries_that_wait_too_long_are_an_alert_and_make_a_node_unready() {
    let two = Two::found().await;
    // The queue of numbers stands still.
    let held = hold(&two.app.database.owner, "ledger_heads", "EXCLUSIVE").await;
    let (person, workspace) = &two.acme;
    let body = json!({"name": "Atlas"});
    let path = format!("/v1/workspaces/{workspace}/projects");
    assert_eq!(two.app.post(&path, &body).bearer(&person.access_token).send().await.status, 201);
    two.sql("UPDATE ledger_staged SET staged_at = staged_at - interval '2 minutes'").await;
    let node = two.app.another_node().await;
    let ready = async || node.private(reqwest::Method::GET, "/readyz").send().await;
    until(async || ready().await.json()["check"] == "ledger").await;
    let metrics = node.private(reqwest::Method::GET, "/metrics").send().await.text;
    let lag = metrics.lines().find_map(|line| line.strip_prefix("bailiwick_ledger_lag_seconds ")).unwrap().to_owned();
    assert!(lag.parse::<f64>().unwrap() >= 120.0, "{lag}");
    until(async || two.alerts().await.iter().any(|(what, ..)| what == "ledger_lagging")).await;
    held.rollback().await.unwrap();
    until(async || ready().await.status == 200).await;
}

/// A log that cannot be checked, for a key is not there, keeps no other from it, and nobody is told that all is well.
#[tokio::test]
async fn a_log_that_cannot_be_checked_hides_no_other() {
    let two = Two::found().await;
    let globex = two.globex.1.parse::<WorkspaceId>().unwrap().uuid();
    two.sql(&format!("UPDATE vault_deks SET kek = 'nobody' WHERE workspace_id = '{globex}'")).await;
    two.flip().await;
    let ledger = beside_that_tells(&two.app).await;
    ledger::self_check(&ledger).await.unwrap_err();
    let frozen = ledger::frozen(&ledger).await.unwrap();
    assert_eq!(frozen.keys().copied().collect::<Vec<_>>(), [two.acme_id()]);
    let told = async |what: &str, of: Uuid| two.alerts().await.iter().any(|(told, who, _)| told == what && *who == of);
    until(async || told("ledger_unchecked", globex).await && told("ledger_altered", two.acme_id()).await).await;
    let report = crate::harness::ledger::report(&two.app).await;
    assert!(report.logs.iter().any(|log| log.damages.iter().any(|damage| damage.seq == Some(3))), "{report:?}");
    assert!(report.logs.iter().any(|log| log.damages.iter().any(|damage| damage.what.contains("cannot be checked"))));
}

/// A log whose keys were all retired by hand is not signed; those that are signed with it are.
#[tokio::test]
async fn a_log_without_a_key_holds_up_no_other() {
    let two = Two::found().await;
    let retire = format!("UPDATE ledger_keys SET retired_at = '2020-01-01' WHERE workspace_id = '{}'", two.acme_id());
    two.sql(&retire).await;
    for _ in 0..3 {
        assert_eq!(record(&two.app, &two.acme).await.status, 201);
        assert_eq!(record(&two.app, &two.globex).await.status, 201);
    }
    let globex = two.globex.1.parse::<WorkspaceId>().unwrap().uuid();
    let unsigned = "SELECT count(*) FROM ledger_heads h WHERE workspace_id = $1 AND environment = 'live' AND NOT EXISTS (
             SELECT FROM ledger_checkpoints c WHERE c.workspace_id = $1 AND c.environment = 'live' AND c.size = h.size)";
    let unsigned = async |of: Uuid| -> i64 {
        sqlx::query_scalar(unsigned).bind(of).fetch_one(&two.app.database.owner).await.unwrap()
    };
    until(async || unsigned(globex).await == 0).await;
    assert_eq!(unsigned(two.acme_id()).await, 1);
    assert_eq!(checkpoint(&two.app, &two.acme).await.problem(), (500, "internal".into()));
}
