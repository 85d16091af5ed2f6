//! What was erased is gone for good, and what is proved of the rest holds.

mod api;
mod forged;
mod pages;

use std::time::Duration;

use bailiwick_proof::receipt::Receipt;
use bailiwick_server::clock::Clock;
use bailiwick_server::entropy::Entropy;
use bailiwick_server::erasure::{EraseError, Eraser};
use bailiwick_server::vault::{Owner, VaultError};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::harness::app::TestApp;
use crate::harness::ledger::report;
use crate::harness::process::{DevHome, bailiwickd, output};
use crate::harness::recorder::{Recorder, events, recorded};
use crate::harness::vault::ledger;

async fn eraser(app: &TestApp) -> Eraser {
    let (vault, ledger) = (app.vault().await, ledger(&app.database, &app.db).await.unwrap());
    let notary = app.notary().await;
    Eraser { db: app.db.clone(), vault, ledger, notary, clock: Clock::system(), entropy: Entropy::system() }
}

async fn told(app: &TestApp, recorder: &Recorder, actor: &str, target: &str) -> String {
    let event =
        json!({"action": "door.opened", "actor": actor, "target": target, "meta": {"note": format!("{actor} came")}});
    let body = events([event]);
    let path = format!("/v1/workspaces/{}/audit/events", recorder.workspace);
    let answer = app.post(&path, &body).bearer(recorder.key()).send().await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    recorded(&answer).id
}

async fn shown(app: &TestApp, recorder: &Recorder, event: &str) -> Value {
    let path = format!("/v1/workspaces/{}/audit/events/{event}", recorder.workspace);
    let answer = app.get(&path).bearer(recorder.key()).send().await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

async fn found_by_actor(app: &TestApp, recorder: &Recorder, actor: &str) -> usize {
    let path = format!("/v1/workspaces/{}/audit/events?actor={actor}", recorder.workspace);
    app.get(&path).bearer(recorder.key()).send().await.json()["data"].as_array().unwrap().len()
}

async fn damages(app: &TestApp) -> Vec<String> {
    let report = report(app).await;
    report.logs.iter().flat_map(|log| &log.damages).map(|damage| damage.what.clone()).collect()
}

#[tokio::test]
async fn an_erased_subject_is_gone_and_every_proof_holds() {
    let app = TestApp::start().await;
    let recorder = Recorder::of(&app).await;
    let by_jane = told(&app, &recorder, "jane", "door-1").await;
    let to_jane = told(&app, &recorder, "bob", "jane").await;
    let by_bob = told(&app, &recorder, "bob", "door-2").await;
    let keys = recorder.keys().await;
    let workspace = recorder.workspace.parse().unwrap();

    let eraser = eraser(&app).await;
    assert_eq!(
        eraser.subject(workspace, "jane").await.unwrap().fields,
        4,
        "actor, address and meta of one, target of another"
    );
    assert!(
        matches!(eraser.subject(workspace, "jane").await, Err(EraseError::NoSuchSubject)),
        "nobody is left to erase"
    );

    let first = shown(&app, &recorder, &by_jane).await;
    assert_eq!((&first["actor"], &first["meta"], &first["client_ip"]), (&Value::Null, &Value::Null, &Value::Null));
    assert_eq!((&first["target"], &first["intact"]), (&json!("door-1"), &json!(true)), "a door is nobody: {first}");
    let second = shown(&app, &recorder, &to_jane).await;
    assert_eq!((&second["actor"], &second["target"]), (&json!("bob"), &Value::Null));
    assert_eq!(shown(&app, &recorder, &by_bob).await["meta"]["note"], "bob came");
    assert_eq!((found_by_actor(&app, &recorder, "jane").await, found_by_actor(&app, &recorder, "bob").await), (0, 2));

    let path = format!("/v1/workspaces/{}/audit/events/{by_jane}/receipt?open=actor,target", recorder.workspace);
    let receipt: Receipt = app.get(&path).bearer(recorder.key()).send().await.text.parse().unwrap();
    receipt.verify(&keys).unwrap();
    assert_eq!(receipt.openings.len(), 1, "what is left");
    assert_eq!(damages(&app).await, [""; 0]);

    let again = told(&app, &recorder, "jane", "door-3").await;
    assert_eq!(shown(&app, &recorder, &again).await["actor"], "jane", "whoever comes again is somebody new");
    assert_eq!(shown(&app, &recorder, &by_jane).await["actor"], Value::Null);
}

/// The rows of before, and the keys of today.
#[tokio::test]
async fn an_erased_subject_stays_erased_when_the_rows_are_put_back() {
    let app = TestApp::start().await;
    let recorder = Recorder::of(&app).await;
    let by_jane = told(&app, &recorder, "jane", "door-1").await;
    let by_bob = told(&app, &recorder, "bob", "door-1").await;
    let copy = "CREATE TABLE yesterday_openings AS TABLE ledger_openings; CREATE TABLE yesterday_subjects AS TABLE vault_subjects";
    sqlx::raw_sql(copy).execute(&app.database.owner).await.unwrap();
    eraser(&app).await.subject(recorder.workspace.parse().unwrap(), "jane").await.unwrap();
    let back = "TRUNCATE ledger_openings, vault_subjects;
        INSERT INTO ledger_openings SELECT * FROM yesterday_openings; INSERT INTO vault_subjects SELECT * FROM yesterday_subjects";
    sqlx::raw_sql(back).execute(&app.database.owner).await.unwrap();
    let restarted = app.another_node().await;
    assert_eq!(shown(&restarted, &recorder, &by_jane).await["actor"], Value::Null);
    assert_eq!(shown(&restarted, &recorder, &by_bob).await["actor"], "bob");
}

#[tokio::test]
async fn a_shredded_workspace_is_unreadable_and_the_others_are_not() {
    let app = TestApp::start().await;
    let (acme, other) = (Recorder::of(&app).await, Recorder::in_workspace(&app, "other").await);
    let events = [told(&app, &acme, "jane", "door-1").await, told(&app, &other, "jane", "door-1").await];
    sqlx::raw_sql("CREATE TABLE yesterday AS TABLE vault_deks").execute(&app.database.owner).await.unwrap();
    assert_eq!(eraser(&app).await.workspace(acme.workspace.parse().unwrap()).await.unwrap(), 1);

    let restarted = app.another_node().await;
    for put_back in [false, true] {
        if put_back {
            let back = "INSERT INTO vault_deks SELECT * FROM yesterday ON CONFLICT DO NOTHING";
            sqlx::raw_sql(back).execute(&app.database.owner).await.unwrap();
        }
        let vault = restarted.vault().await;
        assert!(matches!(vault.keys(Owner::of(acme.uuid())).await, Err(VaultError::Shredded)), "{put_back}");
        let gone = shown(&restarted, &acme, &events[0]).await;
        assert_eq!((&gone["actor"], &gone["target"], &gone["meta"]), (&Value::Null, &Value::Null, &Value::Null));
        assert_eq!(shown(&restarted, &other, &events[1]).await["actor"], "jane");
    }
    let path = format!("/v1/workspaces/{}/projects", acme.workspace);
    let change = restarted.post(&path, &json!({"name": "p"})).bearer(acme.key()).header("idempotency-key", "p");
    assert_eq!(change.send().await.problem(), (410, "workspace_shredded".into()), "nothing more is sealed for it");
    let path = format!("/v1/workspaces/{}/audit/events/{}/receipt", acme.workspace, events[0]);
    let receipt: Receipt = restarted.get(&path).bearer(acme.key()).send().await.text.parse().unwrap();
    receipt.verify(&acme.at(&restarted.url).keys().await).unwrap();
    assert_eq!(damages(&app).await, [""; 0]);
}

/// An opening that somebody took away without erasing anybody, by pointing it at nobody or at somebody who is there.
#[tokio::test]
async fn what_was_taken_away_by_hand_is_not_erased() {
    let app = TestApp::start().await;
    let recorder = Recorder::of(&app).await;
    let event = told(&app, &recorder, "jane", "door-1").await;
    for change in [
        "actor_sealed = NULL",
        "actor_sealed = NULL, actor_subject = NULL",
        "actor_sealed = NULL, actor_subject = 5000000000",
    ] {
        let change =
            format!("UPDATE ledger_openings SET {change} WHERE actor_subject IS NOT NULL OR actor_sealed IS NULL");
        sqlx::raw_sql(sqlx::AssertSqlSafe(change)).execute(&app.database.owner).await.unwrap();
        assert_eq!(shown(&app, &recorder, &event).await["intact"], false);
        assert!(!damages(&app).await.is_empty());
    }
}

#[tokio::test]
async fn the_commands_ask_twice_and_say_what_they_did() {
    let home = DevHome::temporary();
    let server = home.start().await;
    let recorder = Recorder::on(&server).await;
    recorder.record("n-1").await;
    let run = async |arguments: &[&str]| {
        let mut command = bailiwickd(["erase"]);
        let done = output(command.args(arguments).arg("--data-dir").arg(&home.dir)).await;
        let said = [done.stdout, done.stderr].concat();
        (done.status.success(), String::from_utf8(said).unwrap())
    };
    let own = recorder.workspace.as_str();
    let (done, said) = run(&["subject", "n-1", "--workspace", own, "--confirm", "n-2"]).await;
    assert!(!done && said.contains("nothing was erased"), "{said}");
    let (done, said) = run(&["subject", "nobody", "--workspace", own, "--confirm", "nobody"]).await;
    assert!(!done && said.contains("nothing is recorded of this subject"), "{said}");
    let (done, said) = run(&["subject", "n-1", "--workspace", own, "--confirm", "n-1"]).await;
    assert!(done && said.contains("1 fields were erased"), "{said}");
    let stranger = "ws_01h455vb4pex5vsknk084sn02q";
    let (done, said) = run(&["workspace", stranger, "--confirm", stranger]).await;
    assert!(!done && said.contains("there is no such workspace"), "{said}");
    let (done, said) = run(&["workspace", own, "--confirm", own]).await;
    assert!(done && said.contains("was shredded"), "{said}");
    server.stop(Signal::SIGTERM).await;
}

#[tokio::test]
async fn the_kek_rotates_beside_a_running_server() {
    let home = DevHome::temporary();
    let server = home.start().await;
    let recorder = Recorder::on(&server).await;
    let load = tokio::spawn({
        let recorder = recorder.clone();
        async move {
            let mut recorded = 0;
            let begun = std::time::Instant::now();
            while begun.elapsed() < Duration::from_secs(6) {
                let answer = recorder.try_record(&format!("n-{recorded}")).await.unwrap();
                assert_eq!(answer.status, 201, "{}", answer.text);
                recorded += 1;
            }
            recorded
        }
    });
    let kek = async |arguments: &[&str]| {
        let mut command = bailiwickd(["kek"]);
        let done = output(command.args(arguments).arg("--data-dir").arg(&home.dir)).await;
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    };
    let before = kek(&["status"]).await;
    assert!(before.contains("version 1: 2 data keys, wraps now"), "{before}");
    let after = kek(&["rotate"]).await;
    assert!(after.contains("version 2: 2 data keys, wraps now") && !after.contains("version 1"), "{after}");
    assert!(after.ends_with("nothing is under another key or an older version\n"), "{after}");
    let resealed = kek(&["reseal", "--all"]).await;
    assert!(!resealed.starts_with("0 values"), "{resealed}");
    assert!(load.await.unwrap() > 0, "no request failed");
    server.stop(Signal::SIGTERM).await;

    let server = home.start().await;
    assert_eq!(
        recorder.record("n-0").await.seq,
        3,
        "kept answers open, under whatever key: founding, the key, the action, then this"
    );
    server.stop(Signal::SIGTERM).await;
}

#[tokio::test]
async fn a_subject_whose_number_was_changed_is_not_said_to_be_erased_and_nobody_else_is() {
    let app = TestApp::start().await;
    let recorder = Recorder::of(&app).await;
    let by_jane = told(&app, &recorder, "jane", "door-1").await;
    let by_bob = told(&app, &recorder, "bob", "door-1").await;
    let shift = "UPDATE vault_subjects SET number = number + $1";
    for by in [1_000_000_i64, -1_000_000] {
        sqlx::query(shift).bind(by).execute(&app.database.owner).await.unwrap();
        let erased = eraser(&app).await.subject(recorder.workspace.parse().unwrap(), "jane").await;
        // The second time all is as it was.
        assert_eq!(erased.is_ok(), by < 0, "{erased:?}");
        let shown = [shown(&app, &recorder, &by_jane).await, shown(&app, &recorder, &by_bob).await];
        assert_eq!((shown[0]["actor"] == "jane", &shown[1]["actor"]), (by > 0, &json!("bob")));
    }
}
