//! Settings and holds: who may, when they take effect, and what they stop.

use bailiwick_proof::checkpoint::{Checkpoint, SignedCheckpoint};
use bailiwick_server::anchor::Head;
use bailiwick_server::ledger::{Lost, Sanction, open_generation};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgPool};

use super::{DAY, World};
use crate::harness::ledger::{commit_waits, hold_commits, report, to_restore, watch_commits};
use crate::harness::process::until;

#[tokio::test]
async fn what_is_shorter_waits_a_week_and_can_be_taken_back() {
    let world = World::found().await;
    let now = world.retention().await;
    assert_eq!((&now["days"], &now["due"]["stopped_by"]), (&Value::Null, &json!("kept_for_ever")));
    let set = world.set(Some(30)).await.json();
    assert_eq!((&set["days"], &set["pending"]["days"]), (&Value::Null, &json!(30)), "{set}");
    assert_eq!(world.prune().await, 0, "not yet");
    world.sql("UPDATE ledger_retention SET effective_at = effective_at - interval '6 days'").await;
    world.app.vouch().await;
    assert_eq!(world.prune().await, 0, "not yet");
    let set = world.set(None).await.json();
    assert_eq!((&set["days"], &set["pending"]), (&Value::Null, &Value::Null), "taken back at once");
    world.keeps(365).await;
    assert_eq!(world.prune().await, 0, "nothing is a year old");
    assert_eq!(world.retention().await["due"]["stopped_by"], "nothing_old");
    for wrong in
        [json!({}), json!({"days": 29}), json!({"days": 3651}), json!({"days": "30"}), json!({"days": 90, "now": true})]
    {
        let answer = world.send(Method::PUT, "retention", Some(&wrong)).await;
        assert_eq!(answer.status, 422, "{wrong}: {}", answer.text);
    }
    let actions = world.events("action=retention.changed").await;
    assert_eq!(actions.len(), 3);
    assert_eq!(actions[2]["meta"]["next_days"], 30);
}

/// A clock that is ahead on the node that prunes.
#[tokio::test]
async fn a_clock_that_is_ahead_prunes_nothing_early() {
    let world = World::found().await;
    world.keeps(365).await;
    let mut pruner = world.pruner().await;
    let system = pruner.clock.clone();
    pruner.clock = bailiwick_server::clock::Clock::from_fn(move || system.now() + DAY * 400);
    assert_eq!(pruner.prune(world.log()).await.unwrap(), 0);
    let system = world.pruner().await.clock;
    world.keeps(90).await;
    pruner.clock = bailiwick_server::clock::Clock::from_fn(move || system.now() - DAY * 20);
    assert_eq!(pruner.prune(world.log()).await.unwrap(), 0, "one that is behind, too late");
}

/// Requirement 22: a hold together with retention gives no false alarm.
#[tokio::test]
async fn while_a_hold_is_open_nothing_goes_and_nobody_is_erased() {
    let world = World::found().await;
    world.keeps(90).await;
    let (one, other) = (world.hold("2026-0117").await, world.hold("2026-0118").await);
    assert_eq!(world.retention().await["due"]["stopped_by"], "legal_hold");
    assert_eq!(world.prune().await, 0);
    let erase = async |confirm: &str| {
        let path = format!("/v1/workspaces/{}/erasures", world.workspace);
        let body = json!({"subject": "customer-1", "confirm": confirm});
        world.app.post(&path, &body).bearer(&world.ada.access_token).send().await
    };
    assert_eq!(erase("customer-1").await.problem(), (409, "legal_hold".to_owned()));
    let aside = take_away(&world.app.database.owner).await;
    assert_eq!(erase("customer-1").await.problem(), (409, "retention_altered".to_owned()), "no row says nothing");
    put_back(&world.app.database.owner, aside).await;

    let wrong = json!({"confirm": "2026-0118"});
    let answer = world.send(Method::POST, &format!("legal-holds/{one}/release"), Some(&wrong)).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["errors"][0]["pointer"]), (422, &json!("/confirm")));
    assert_eq!(world.release(&one).await.json()["id"], one.as_str());
    assert_eq!(world.release(&one).await.status, 404, "once");
    assert_eq!(world.prune().await, 0, "another one is open");
    let listed = world.get("legal-holds").await.json();
    let open: Vec<&Value> = listed["data"].as_array().unwrap().iter().map(|hold| &hold["released_at"]).collect();
    assert!(open[0].is_null() && open[1].is_string(), "{listed}");
    let by_reason = json!({"confirm": "2026-0118"});
    assert_eq!(world.send(Method::POST, &format!("legal-holds/{other}/release"), Some(&by_reason)).await.status, 200);
    assert_eq!(world.prune().await, 256);
    assert_eq!(erase("customer-1").await.status, 200);
    let report = report(&world.app).await;
    assert!(report.is_good(), "{report:?}");
}

/// Of a hold and an erasure at one moment the second sees the first: what is held is not taken in for erasure any more.
#[tokio::test]
async fn a_hold_and_an_erasure_come_one_after_the_other() {
    let world = World::found().await;
    let owner = &world.app.database.owner;
    watch_commits(owner, "legal_holds").await;
    let held = hold_commits(owner).await;
    let bearer = &world.ada.access_token;
    let call = |path: &str, body: &Value| {
        world.app.post(&format!("/v1/workspaces/{}/{path}", world.workspace), body).bearer(bearer).send()
    };
    let opening = call("audit/legal-holds", &json!({"reason": "2026-0117"}));
    let erasing = async {
        commit_waits(owner).await;
        call("erasures", &json!({"subject": "customer-1", "confirm": "customer-1"})).await
    };
    let waits = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND locktype = 'advisory' AND objid <> 7007
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))";
    let going_on = async {
        until(async || sqlx::query_scalar(waits).fetch_one(owner).await.unwrap()).await;
        held.rollback().await.unwrap();
    };
    let (opened, erased, ()) = tokio::join!(opening, erasing, going_on);
    assert_eq!(opened.status, 201, "{}", opened.text);
    assert_eq!(erased.problem(), (409, "legal_hold".to_owned()));
}

#[tokio::test]
async fn nobody_but_an_owner_who_signed_in_a_moment_ago() {
    let world = World::found().await;
    let admin = world.app.join(&world.workspace, "eve@example.com", "admin").await;
    let viewer = world.app.join(&world.workspace, "vera@example.com", "viewer").await;
    let key = world.app.api_key(&world.ada, &world.workspace, &json!({"name": "k", "scopes": ["management"]})).await;
    let key = key["key"].as_str().unwrap();
    let hold = world.hold("2026-0117").await;
    let ask = async |token: &str, method: Method, rest: &str, body: Value| {
        let call = world.app.call(method, &world.path(rest)).bearer(token).json(&body);
        call.send().await.problem()
    };
    let release = format!("legal-holds/{hold}/release");
    for token in [admin.access_token.as_str(), key] {
        for (method, rest, body) in [
            (Method::PUT, "retention", json!({"days": 90})),
            (Method::POST, "legal-holds", json!({"reason": "r"})),
            (Method::POST, release.as_str(), json!({"confirm": hold})),
        ] {
            let (status, code) = ask(token, method, rest, body).await;
            assert!(status == 403 && ["forbidden", "insufficient_scope"].contains(&code.as_str()), "{rest}: {code}");
        }
        let read = world.app.get(&world.path("retention")).bearer(token).send().await;
        assert_eq!(read.status, 200, "{}", read.text);
    }
    assert_eq!(world.app.get(&world.path("retention")).bearer(&viewer.access_token).send().await.status, 403);
    let (stranger, _) = world.app.founder("mallory@example.com", "other").await;
    let read = world.app.get(&world.path("retention")).bearer(&stranger.access_token).send().await;
    assert_eq!(read.status, 404);
    assert_eq!(
        world
            .send(Method::POST, "legal-holds/hld_01h455vb4pex5vsknk084sn02q/release", Some(&json!({"confirm": "x"})))
            .await
            .status,
        404
    );

    world.app.advance(time::Duration::minutes(9));
    let refreshed =
        world.app.post("/auth/refresh", &json!({"refresh_token": world.ada.refresh_token})).send().await.person();
    world.app.advance(time::Duration::minutes(2));
    let token = refreshed.access_token.as_str();
    assert_eq!(ask(token, Method::PUT, "retention", json!({"days": 90})).await, (403, "step_up_required".to_owned()));
    let call = world.app.post(&world.path(&release), &json!({"confirm": hold})).bearer(token);
    assert_eq!(
        call.header("bailiwick-environment", "test").send().await.problem(),
        (403, "step_up_required".to_owned())
    );
    let call = world.app.post(&world.path("legal-holds"), &json!({"reason": "in haste"})).bearer(token);
    assert_eq!(call.send().await.status, 201, "who keeps something needs no fresh sign-in");
}

/// What a restore that was meant does not undo.
#[tokio::test]
async fn what_was_decided_before_a_new_generation_stands_and_can_be_changed() {
    let world = World::found().await;
    assert_eq!(world.set(Some(400)).await.status, 200);
    let hold = world.hold("2026-0117").await;
    let ledger = to_restore(&world.app).await;
    let newest: SignedCheckpoint = ledger.checkpoint(world.log()).await.unwrap().note.parse().unwrap();
    let Checkpoint { origin, size, root, .. } = newest.unverified().clone();
    let origin = origin.parse().unwrap();
    let lost = Lost { origin, journal: Head { size, root }, database: (1, size), is_begun: false };
    open_generation(&ledger, &lost, Sanction { reason: "a test", is_forked: false }).await.unwrap();
    // The server reads on in the journal when it signs next.
    let path = format!("/v1/workspaces/{}", world.workspace);
    let made = world.app.post(&format!("{path}/projects"), &json!({"name": "p"})).bearer(&world.ada.access_token);
    assert_eq!(made.send().await.status, 201);
    let signed = world.app.get(&format!("{path}/audit/checkpoint")).bearer(&world.ada.access_token).send().await;
    assert_eq!(signed.status, 200, "{}", signed.text);

    let stands = world.retention().await;
    assert_eq!((&stands["pending"]["days"], &stands["open_holds"]), (&json!(400), &json!(1)), "{stands}");
    assert_eq!(world.release(&hold).await.status, 200);
    assert_eq!(world.set(Some(500)).await.status, 200);
}

const TABLES: [&str; 2] = ["ledger_retention", "legal_holds"];

/// What whoever owns the database can do to holds: away with them, and with the row that vouches for them.
async fn take_away(owner: &PgPool) -> Vec<Value> {
    let mut aside = Vec::new();
    for table in TABLES {
        let all = format!("SELECT coalesce(jsonb_agg(to_jsonb(t)), '[]') FROM {table} t");
        aside.push(sqlx::query_scalar(AssertSqlSafe(all)).fetch_one(owner).await.unwrap());
        sqlx::raw_sql(AssertSqlSafe(format!("DELETE FROM {table}"))).execute(owner).await.unwrap();
    }
    aside
}

async fn put_back(owner: &PgPool, aside: Vec<Value>) {
    for (table, rows) in TABLES.into_iter().zip(aside) {
        let back = format!("INSERT INTO {table} SELECT * FROM jsonb_populate_recordset(NULL::{table}, $1)");
        sqlx::query(AssertSqlSafe(back)).bind(rows).execute(owner).await.unwrap();
    }
}
