//! A rotation, step by step: both versions, ready, revoked, watched, receipt.

use bailiwick_proof::id::{JobId, SecretRotationId};
use bailiwick_server::authn::authenticate_key;
use bailiwick_server::authz::{Memberships, Principal, Request, grant, may};
use bailiwick_server::clock::Clock;
use bailiwick_server::context::RequestContext;
use bailiwick_server::entropy::Entropy;
use bailiwick_server::feed::Feed;
use bailiwick_server::jobs::Queue;
use bailiwick_server::ledger::{self, Entry};
use bailiwick_server::secrets::RotateSecrets;
use reqwest::Method;
use serde_json::{Value, json};
use time::Duration;

use super::{VALUE, World};
use crate::harness::app::Answer;
use crate::harness::process::until;
use crate::harness::secrets;

const NEW: &str = "the value that takes over";

impl World {
    pub(super) async fn open_rotation(&self, id: &str, watch_seconds: u32) -> String {
        secrets::record(NEW);
        let body = json!({"reason": "suspected_leak", "value": NEW, "watch_seconds": watch_seconds});
        let opened = self.post(&format!("/{id}/rotations"), body).await;
        assert_eq!(opened.status, 201, "{}", opened.text);
        assert!(!opened.text.contains(NEW));
        opened.text_of("id")
    }

    pub(super) async fn rotation(&self, rotation: &str) -> Value {
        let path = format!("/v1/workspaces/{}/secret-rotations/{rotation}", self.workspace);
        self.app.get(&path).bearer(&self.ada.access_token).send().await.json()
    }

    pub(super) async fn ready(&self, rotation: &str) -> Answer {
        let path = format!("/v1/workspaces/{}/secret-rotations/{rotation}/ready", self.workspace);
        self.app.call(Method::POST, &path).bearer(&self.ada.access_token).send().await
    }

    pub(super) async fn reaches(&self, rotation: &str, state: &str) {
        until(async || self.rotation(rotation).await["state"] == state).await;
    }

    /// Has a job look after a rotation that nothing is to be done for, and waits until it has.
    async fn look_after(&self, rotation: &str) {
        let body = json!({"name": "k", "scopes": ["management"]});
        let key = self.app.api_key(&self.ada, &self.workspace, &body).await;
        let (db, clock, entropy) = (&self.app.db, Clock::system(), Entropy::system());
        let context = RequestContext::internal(&clock, &entropy);
        let feed = Feed::new(db.clone(), self.app.notary().await, &clock, &entropy);
        let holder = authenticate_key(&feed, key["key"].as_str().unwrap(), context.received_at, None).await.unwrap();
        let request = Request { workspace: &self.workspace, environment: None, context: &context };
        let granted = grant::<may::UpdateSecret>(Principal::Key(holder), &Memberships::default(), request).unwrap();
        let mut tx = db.workspace_tx(&granted).await.unwrap();
        let queue = Queue::new(self.app.vault().await, entropy.clone());
        let rotation: SecretRotationId = rotation.parse().unwrap();
        let job: JobId = queue.enqueue::<RotateSecrets>(&mut tx, &rotation.uuid()).await.unwrap();
        let entry = Entry::told("test.asked".to_owned(), "test".to_owned(), String::new(), json!({})).unwrap();
        let recorded = ledger::stage(&mut tx, &entropy, entry);
        tx.commit(recorded).await.unwrap();
        let waits = async || -> bool {
            let sql = "SELECT EXISTS (SELECT FROM jobs_ready WHERE id = $1)";
            sqlx::query_scalar(sql).bind(job.uuid()).fetch_one(&self.app.database.owner).await.unwrap()
        };
        until(async || !waits().await).await;
    }
}

#[tokio::test]
async fn the_five_steps_and_their_receipt() {
    let mut world = World::found().await;
    let id = world.secret("token").await;
    let rotation = world.open_rotation(&id, 3_600).await;
    assert_eq!(world.rotation(&rotation).await["state"], "awaiting_ready");
    assert_eq!(world.reveal(&id, json!({})).await.text_of("value"), NEW, "the new one is there");
    assert_eq!(world.reveal(&id, json!({"version": 1})).await.text_of("value"), VALUE, "and the old one");
    let other = world.post(&format!("/{id}/rotations"), json!({"reason": "offboarding", "value": "x"})).await;
    assert_eq!(other.problem(), (409, "rotation_open".to_owned()));
    assert_eq!(other.text_of("rotation_id"), rotation);

    assert_eq!(world.ready(&rotation).await.status, 200);
    world.reaches(&rotation, "watching").await;
    assert_eq!(world.ready(&rotation).await.json()["state"], "watching", "again changes nothing");
    assert_eq!(world.reveal(&id, json!({})).await.text_of("value"), NEW);
    for _ in 0..2 {
        let refused = world.reveal(&id, json!({"version": 1})).await;
        assert_eq!(refused.problem(), (409, "secret_version_gone".to_owned()));
        assert_eq!(refused.json()["version"], 1);
    }
    let shown = world.get(&format!("/{id}")).await.json();
    assert_eq!((&shown["versions"][1]["refused_uses"], &shown["versions"][0]["refused_uses"]), (&json!(2), &json!(0)));
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM secret_versions WHERE value_sealed IS NOT NULL")
        .fetch_one(&world.app.database.owner)
        .await
        .unwrap();
    assert_eq!(left, 1, "what was revoked is gone");

    world.app.advance(Duration::minutes(59));
    world.refresh().await;
    assert_eq!(world.rotation(&rotation).await["state"], "watching", "the watch is not over");
    world.app.advance(Duration::minutes(2));
    world.reaches(&rotation, "finished").await;
    let told = world.rotation(&rotation).await;
    assert_eq!((&told["refused_uses"], &told["reason"]), (&json!(2), &json!("suspected_leak")));
    let event = told["receipt_event_id"].as_str().unwrap();
    let path = format!("/v1/workspaces/{}/audit/events/{event}", world.workspace);
    let receipt = world.app.get(&path).bearer(&world.ada.access_token).send().await.json();
    assert_eq!((&receipt["action"], &receipt["target"]), (&json!("secret.rotated"), &json!(id)));
    let steps = ["opened_at_ms", "ready_at_ms", "revoked_at_ms", "finished_at_ms"];
    let times = steps.map(|step| receipt["meta"][step].as_i64().unwrap());
    assert!(times.is_sorted() && times[3] - times[2] >= 3_600_000, "{times:?}");
    assert_eq!((&receipt["meta"]["refused_uses"], &receipt["meta"]["watched_seconds"]), (&json!(2), &json!(3_600)));
    assert!(!receipt.to_string().contains(NEW) && !receipt.to_string().contains(VALUE));

    let (read, refused) = ("secret.revealed", "secret.reveal_refused");
    let (opened, ready) = ("secret.rotation_opened", "secret.rotation_ready");
    let all = [
        "secret.created",
        opened,
        read,
        read,
        ready,
        "secret.version_revoked",
        read,
        refused,
        refused,
        "secret.rotated",
        // The look at the receipt, above.
        "audit.read",
    ];
    assert_eq!(world.actions().await, all);
    let listed = world.get(&format!("/{id}/rotations")).await.json();
    assert_eq!((&listed["data"][0], &listed["next_cursor"]), (&told, &json!(null)));
    world.open_rotation(&id, 0).await;
}

#[tokio::test]
async fn nothing_is_revoked_before_somebody_says_that_it_is_deployed() {
    let mut world = World::found().await;
    let id = world.secret("token").await;
    let rotation = world.open_rotation(&id, 0).await;
    world.app.advance(Duration::days(40));
    world.ada = world.app.sign_in("ada@example.com").await;
    assert_eq!(world.rotation(&rotation).await["state"], "awaiting_ready");
    assert_eq!(world.reveal(&id, json!({"version": 1})).await.text_of("value"), VALUE);
    world.ready(&rotation).await;
    world.reaches(&rotation, "finished").await;
    assert_eq!(world.reveal(&id, json!({"version": 1})).await.problem().1, "secret_version_gone");
}

#[tokio::test]
async fn a_job_that_comes_too_early_or_twice_finds_nothing_to_do() {
    let mut world = World::found().await;
    let id = world.secret("token").await;
    let rotation = world.open_rotation(&id, 3_600).await;
    world.look_after(&rotation).await;
    assert_eq!(world.rotation(&rotation).await["state"], "awaiting_ready", "nobody has said that it is deployed");
    assert_eq!(world.reveal(&id, json!({"version": 1})).await.text_of("value"), VALUE);
    world.ready(&rotation).await;
    world.reaches(&rotation, "watching").await;
    world.look_after(&rotation).await;
    assert_eq!(world.rotation(&rotation).await["state"], "watching", "the watch is not over");
    world.app.advance(Duration::minutes(61));
    world.ada = world.app.sign_in("ada@example.com").await;
    world.reaches(&rotation, "finished").await;
    world.look_after(&rotation).await;
    let told = world.actions().await;
    for once in ["secret.rotation_ready", "secret.version_revoked", "secret.rotated"] {
        assert_eq!(told.iter().filter(|action| *action == once).count(), 1, "{once}");
    }
    let dead: i64 =
        sqlx::query_scalar("SELECT count(*) FROM jobs_dead").fetch_one(&world.app.database.owner).await.unwrap();
    assert_eq!(dead, 0, "each such job ends well");
}

#[tokio::test]
async fn the_next_rotation_ends_a_watch_with_its_receipt() {
    let world = World::found().await;
    let id = world.secret("token").await;
    let first = world.open_rotation(&id, 3_600).await;
    world.ready(&first).await;
    world.reaches(&first, "watching").await;
    let second = world.open_rotation(&id, 3_600).await;
    let ended = world.rotation(&first).await;
    assert_eq!(ended["state"], "finished", "{ended}");
    assert_eq!(world.rotation(&second).await["state"], "awaiting_ready");
    let actions = world.actions().await;
    assert_eq!(actions.iter().filter(|action| *action == "secret.rotated").count(), 1, "{actions:?}");
    world.ready(&second).await;
    world.reaches(&second, "watching").await;
    assert_eq!(world.rotation(&first).await["receipt_event_id"], ended["receipt_event_id"]);
}

#[tokio::test]
async fn a_secret_that_is_deleted_takes_its_rotation_along() {
    let world = World::found().await;
    let id = world.secret("token").await;
    let rotation = world.open_rotation(&id, 3_600).await;
    world.ready(&rotation).await;
    world.reaches(&rotation, "watching").await;
    assert_eq!(world.send(Method::DELETE, &format!("/{id}"), None).await.status, 204);
    assert_eq!(world.ready(&rotation).await.problem(), (404, "not_found".to_owned()));
    world.app.advance(Duration::hours(2));
    let waiting = async || -> i64 {
        let sql = "SELECT count(*) FROM jobs_ready WHERE kind = 'secrets.rotate'";
        sqlx::query_scalar(sql).fetch_one(&world.app.database.owner).await.unwrap()
    };
    until(async || waiting().await == 0).await;
    let dead: i64 =
        sqlx::query_scalar("SELECT count(*) FROM jobs_dead").fetch_one(&world.app.database.owner).await.unwrap();
    assert_eq!(dead, 0, "the job finds nothing and ends well");
}

#[tokio::test]
async fn a_rotation_that_cannot_be_opened_stores_no_version() {
    let world = World::found().await;
    let id = world.secret("token").await;
    for body in [
        json!({"reason": "boredom", "value": "x"}),
        json!({"reason": "scheduled", "value": ""}),
        json!({"reason": "scheduled", "value": "x", "watch_seconds": 2_592_001}),
        json!({"value": "x"}),
    ] {
        let refused = world.post(&format!("/{id}/rotations"), body).await;
        assert_eq!(refused.problem(), (422, "invalid_body".to_owned()));
    }
    assert_eq!(world.get(&format!("/{id}")).await.json()["newest_version"], 1);
    let rotation = world.open_rotation(&id, 0).await;
    world.post(&format!("/{id}/rotations"), json!({"reason": "scheduled", "value": "third"})).await;
    assert_eq!(world.get(&format!("/{id}")).await.json()["newest_version"], 2, "one that is refused stores nothing");
    assert_eq!(world.rotation(&rotation).await["new_version"], 2);
}
