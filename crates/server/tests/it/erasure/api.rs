//! Asking for an erasure over the API: who may, what it leaves, and what the certificate shows.

use std::fs;
use std::path::{Path, PathBuf};

use bailiwick_proof::commitment::{Field, erased_subject};
use bailiwick_proof::receipt::Receipt;
use bailiwick_server::config::AnchorPlace;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};
use time::Duration;

use super::{damages, eraser, found_by_actor, shown, told};
use crate::harness::app::{Answer, Person, TestApp};
use crate::harness::process::until;
use crate::harness::recorder::Recorder;

/// A workspace with its founder.
struct World {
    app: TestApp,
    ada: Person,
    recorder: Recorder,
}

impl World {
    async fn found() -> Self {
        let app = TestApp::start().await;
        let recorder = Recorder::of(&app).await;
        let ada = app.sign_in("acme@example.com").await;
        Self { app, ada, recorder }
    }

    fn path(&self, rest: &str) -> String {
        format!("/v1/workspaces/{}/{rest}", self.recorder.workspace)
    }

    async fn erase(&self, subject: &str) -> Answer {
        let body = json!({"subject": subject, "confirm": subject});
        self.app.post(&self.path("erasures"), &body).bearer(&self.ada.access_token).send().await
    }

    async fn get(&self, path: &str) -> Answer {
        self.app.get(&self.path(path)).bearer(&self.ada.access_token).send().await
    }

    async fn finished(&self, asked: &Answer) -> Value {
        assert_eq!(asked.status, 200, "{}", asked.text);
        let path = format!("erasures/{}", asked.json()["erasure"]["id"].as_str().unwrap());
        until(async || self.get(&path).await.json()["state"] == "finished").await;
        self.get(&path).await.json()
    }

    async fn actions(&self) -> Vec<String> {
        self.app.actions(Some(&self.recorder.workspace)).await
    }
}

#[tokio::test]
async fn an_owner_erases_and_the_certificate_shows_of_whom_to_whoever_has_the_opening() {
    let world = World::found().await;
    let by_jane = told(&world.app, &world.recorder, "jane", "door-1").await;
    let to_jane = told(&world.app, &world.recorder, "bob", "jane").await;

    let before = world.actions().await;
    let dry = json!({"subject": "jane", "dry_run": true});
    let dry = world.app.post(&world.path("erasures"), &dry).bearer(&world.ada.access_token).send().await;
    assert_eq!(dry.json()["fields"], json!({"actor": 1, "ip": 1, "meta": 1, "target": 1}), "{}", dry.text);
    assert_eq!((&dry.json()["erasure"], &dry.json()["subject_opening"]), (&Value::Null, &Value::Null));
    assert_eq!(world.actions().await, before, "a look leaves nothing");
    assert_eq!(shown(&world.app, &world.recorder, &by_jane).await["actor"], "jane");

    let asked = world.erase("jane").await;
    let erasure = world.finished(&asked).await;
    assert_eq!((&erasure["fields_found"], &erasure["fields_erased"]), (&json!(4), &json!(4)), "{erasure}");
    let first = shown(&world.app, &world.recorder, &by_jane).await;
    assert_eq!((&first["actor"], &first["meta"], &first["client_ip"]), (&Value::Null, &Value::Null, &Value::Null));
    assert_eq!((&first["target"], &first["intact"]), (&json!("door-1"), &json!(true)));
    let second = shown(&world.app, &world.recorder, &to_jane).await;
    assert_eq!((&second["actor"], &second["target"], &second["intact"]), (&json!("bob"), &Value::Null, &json!(true)));
    assert_eq!(found_by_actor(&world.app, &world.recorder, "jane").await, 0);
    assert_eq!(damages(&world.app).await, [""; 0]);

    let event = erasure["certificate_event_id"].as_str().unwrap();
    let certificate = world.get(&format!("audit/events/{event}/receipt?open=actor,meta")).await.text;
    let receipt: Receipt = certificate.parse().unwrap();
    receipt.verify(&world.recorder.keys().await).unwrap();
    let opened = |field| receipt.openings.get(&field).unwrap().value.clone();
    assert_eq!(opened(Field::Actor), erasure["requested_by"].as_str().unwrap());
    let meta: Value = serde_json::from_str(&opened(Field::Meta)).unwrap();
    let r = STANDARD.decode(asked.json()["subject_opening"].as_str().unwrap()).unwrap().try_into().unwrap();
    assert_eq!(meta["data"]["subject_commitment"], erased_subject(&r, "jane").to_hex());
    assert_eq!(meta["data"]["fields"], 4);
    assert_ne!(meta["data"]["subject_commitment"], erased_subject(&r, "joan").to_hex());
    for text in [certificate, erasure.to_string(), world.get("erasures").await.text] {
        assert!(!text.contains("jane"), "{text}");
    }
    let mut after = world.actions().await;
    // That somebody looked at events, and had a receipt opened, is told too, in between.
    after.retain(|action| !matches!(action.as_str(), "audit.read" | "audit.receipt_opened"));
    assert_eq!(after.split_off(after.len() - 2), ["subject.erasure_requested", "subject.erased"]);

    let again = told(&world.app, &world.recorder, "jane", "door-3").await;
    assert_eq!(
        shown(&world.app, &world.recorder, &again).await["actor"],
        "jane",
        "whoever comes again is somebody new"
    );
    world.finished(&world.erase("jane").await).await;
    assert_eq!(shown(&world.app, &world.recorder, &again).await["actor"], Value::Null);
}

#[tokio::test]
async fn nobody_but_an_owner_who_signed_in_a_moment_ago() {
    let world = World::found().await;
    let by_jane = told(&world.app, &world.recorder, "jane", "door-1").await;
    let body = json!({"subject": "jane", "confirm": "jane"});
    let ask = async |body: &Value, token: &str| {
        world.app.post(&world.path("erasures"), body).bearer(token).send().await.problem()
    };
    let admin = world.app.join(&world.recorder.workspace, "eve@example.com", "admin").await;
    let forbidden = (403, "forbidden".to_owned());
    assert_eq!(ask(&body, &admin.access_token).await, forbidden);
    assert_eq!(ask(&body, world.recorder.key()).await, forbidden, "no key, whatever it may else");
    let (stranger, _) = world.app.founder("bob@example.com", "other").await;
    assert_eq!(ask(&body, &stranger.access_token).await.0, 404);
    let ada = &world.ada.access_token;
    let wrong = json!({"subject": "jane", "confirm": "Jane"});
    assert_eq!(ask(&wrong, ada).await, (422, "invalid_body".to_owned()));
    assert_eq!(ask(&json!({"subject": "jane"}), ada).await.0, 422);
    assert_eq!(ask(&json!({"subject": "joan", "confirm": "joan"}), ada).await, (404, "not_found".to_owned()));
    let call = world.app.call(Method::POST, &world.path("erasures")).json(&body).bearer(ada);
    let in_test = call.header("bailiwick-environment", "test").send().await;
    assert_eq!(in_test.problem(), (403, "environment_mismatch".to_owned()));
    let refresh =
        async |token: &str| world.app.post("/auth/refresh", &json!({"refresh_token": token})).send().await.person();
    world.app.advance(Duration::minutes(9));
    let ada = refresh(&world.ada.refresh_token).await;
    assert_eq!(ask(&wrong, &ada.access_token).await.0, 422, "in time");
    world.app.advance(Duration::seconds(61));
    assert_eq!(ask(&body, &ada.access_token).await, (403, "step_up_required".to_owned()));
    let shown = shown(&world.app, &world.recorder, &by_jane).await;
    assert_eq!(shown["actor"], "jane", "nothing was erased");
    assert!(!world.actions().await.iter().any(|action| action.starts_with("subject.")));
}

#[tokio::test]
async fn sent_twice_it_is_one_erasure_and_one_opening() {
    let world = World::found().await;
    told(&world.app, &world.recorder, "jane", "door-1").await;
    let body = json!({"subject": "jane", "confirm": "jane"});
    let send = async || {
        let call = world.app.post(&world.path("erasures"), &body).bearer(&world.ada.access_token);
        call.header("idempotency-key", "erase-1").send().await
    };
    let first = send().await;
    world.finished(&first).await;
    let again = send().await;
    assert_eq!((again.status, &again.json()), (first.status, &first.json()), "after the name is gone, too");
    assert_eq!(world.get("erasures").await.json()["data"].as_array().unwrap().len(), 1);
    assert_eq!(world.erase("jane").await.status, 404);
}

#[tokio::test]
async fn of_many_at_once_one_erases() {
    let world = World::found().await;
    told(&world.app, &world.recorder, "jane", "door-1").await;
    let answers = futures_util::future::join_all((0..6).map(|_| world.erase("jane"))).await;
    let (good, bad): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert_eq!(good.len(), 1);
    for answer in bad {
        assert!(answer.status == 404 || answer.problem() == (409, "erasure_under_way".to_owned()), "{}", answer.text);
    }
    world.finished(good[0]).await;
    let certificates = world.actions().await.into_iter().filter(|action| action == "subject.erased").count();
    assert_eq!(certificates, 1);
}

/// Interrupted when the name is gone and the fields are not.
#[tokio::test]
async fn whoever_calls_again_ends_what_was_interrupted() {
    let world = World::found().await;
    let by_jane = told(&world.app, &world.recorder, "jane", "door-1").await;
    let owner = &world.app.database.owner;
    sqlx::raw_sql("CREATE TABLE before AS TABLE ledger_openings").execute(owner).await.unwrap();
    world.finished(&world.erase("jane").await).await;
    let back = "UPDATE ledger_openings o SET actor_sealed = b.actor_sealed, meta_sealed = b.meta_sealed FROM before b
            WHERE (o.workspace_id, o.environment, o.seq) = (b.workspace_id, b.environment, b.seq);
        UPDATE erasures SET finished_at = NULL, certificate_event = NULL, fields_erased = 1";
    sqlx::raw_sql(back).execute(owner).await.unwrap();
    let erased = eraser(&world.app).await.subject(world.recorder.workspace.parse().unwrap(), "jane").await.unwrap();
    assert_eq!((erased.fields, erased.repeated), (3, 0));
    let left = "SELECT count(*) FROM ledger_openings WHERE actor_subject IN (SELECT subject_number FROM erasures)
        AND workspace_id = $1 AND num_nonnulls(actor_sealed, ip_sealed, meta_sealed) > 0";
    let left = sqlx::query_scalar::<_, i64>(left).bind(world.recorder.uuid());
    assert_eq!(left.fetch_one(owner).await.unwrap(), 0);
    assert_eq!(shown(&world.app, &world.recorder, &by_jane).await["actor"], Value::Null);
    assert_eq!(world.get("erasures").await.json()["data"][0]["state"], "finished");
}

/// The rows of before, and the anchor store of before: the database that says who was erased is of today.
#[tokio::test]
async fn an_older_copy_of_the_anchor_store_brings_nobody_back_for_long() {
    let world = World::found().await;
    let by_jane = told(&world.app, &world.recorder, "jane", "door-1").await;
    let by_bob = told(&world.app, &world.recorder, "bob", "door-1").await;
    let AnchorPlace::Folder(folder) = world.app.database.anchor() else { panic!("a folder") };
    let yesterday = vault_objects(&folder);
    let owner = &world.app.database.owner;
    sqlx::raw_sql("CREATE TABLE before AS TABLE ledger_openings").execute(owner).await.unwrap();
    world.finished(&world.erase("jane").await).await;
    for (path, bytes) in &yesterday {
        fs::write(path, bytes).unwrap();
    }
    let back = "DELETE FROM ledger_openings; INSERT INTO ledger_openings SELECT * FROM before";
    sqlx::raw_sql(back).execute(owner).await.unwrap();
    let restarted = world.app.another_node().await;
    assert_eq!(shown(&restarted, &world.recorder, &by_jane).await["actor"], "jane", "it is readable again");

    let erased = eraser(&world.app).await.subject(world.recorder.workspace.parse().unwrap(), "jane").await.unwrap();
    assert_eq!((erased.fields, erased.repeated), (0, 1));
    let restarted = world.app.another_node().await;
    assert_eq!(shown(&restarted, &world.recorder, &by_jane).await["actor"], Value::Null);
    assert_eq!(shown(&restarted, &world.recorder, &by_bob).await["actor"], "bob");
    let left = "SELECT count(*) FROM ledger_openings WHERE actor_subject IN (SELECT subject_number FROM erasures)
        AND workspace_id = $1 AND actor_sealed IS NOT NULL";
    let left = sqlx::query_scalar::<_, i64>(left).bind(world.recorder.uuid());
    assert_eq!(left.fetch_one(owner).await.unwrap(), 0);
    assert!(world.app.actions(None).await.contains(&"subject.erasures_repeated".to_owned()));
}

/// The objects below `vault/`, with what is in them.
fn vault_objects(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            found.extend(vault_objects(&entry));
        } else if entry.to_string_lossy().contains("/vault/") {
            found.push((entry.clone(), fs::read(&entry).unwrap()));
        }
    }
    found
}
