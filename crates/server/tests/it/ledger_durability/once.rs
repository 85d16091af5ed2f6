//! Once and no more: keys of idempotency, sequencers that are cut off, changes that fail.

use serde_json::{Value, json};

use crate::harness::app::{Answer, TestApp};
use crate::harness::ledger::{commit_waits, hold, hold_commits, report, rows, waited_for, waiting_for, watch_commits};
use crate::harness::openings::target_index;
use crate::harness::process::until;
use crate::harness::recorder::{Recorder, event, events};

async fn about(app: &TestApp, recorder: &Recorder, target: &str) -> usize {
    let index = target_index(app, recorder.uuid(), target).await;
    rows(&app.database.owner, recorder.uuid()).await.iter().filter(|row| row.target_index == index).count()
}

#[tokio::test]
async fn an_idempotency_key_gives_one_event_and_one_number() {
    let app = TestApp::start().await;
    let recorder = Recorder::of(&app).await;
    let first = recorder.record("n-1").await;
    recorder.record("n-2").await;
    assert_eq!(recorder.record("n-1").await, first, "again");
    let restarted = app.another_node().await;
    assert_eq!(recorder.at(&restarted.url).record("n-1").await, first, "on a node that was started later");
    assert_eq!(about(&app, &recorder, "n-1").await, 1);

    let other = app
        .post(&format!("/v1/workspaces/{}/audit/events", recorder.workspace), &events([event("another body")]))
        .bearer(recorder.key())
        .header("idempotency-key", "n-1")
        .send()
        .await;
    assert_eq!(other.problem(), (422, "idempotency_key_reused".into()));
    assert_eq!(about(&app, &recorder, "another body").await, 0);
}

/// On one node the second waits for its turn and gets the first one's answer; another node knows of the key alone.
#[tokio::test]
async fn a_request_in_flight_is_a_conflict_and_its_event_is_recorded_once() {
    let app = TestApp::start().await;
    let recorder = Recorder::of(&app).await;
    let other_node = app.another_node().await;
    // A request finds the log behind while something of before is to be numbered, and lets go of its key to wait for that.
    app.numbered().await;
    watch_commits(&app.database.owner, "idempotency_records").await;
    let held = hold_commits(&app.database.owner).await;
    let send = || {
        let recorder = recorder.clone();
        tokio::spawn(async move { recorder.record("n-1").await })
    };
    let first = send();
    // It alone keeps an answer: it is the first that has the key's lock, and has it until it may commit.
    commit_waits(&app.database.owner).await;
    let same_node = send();
    let second = recorder.at(&other_node.url).try_record("n-1").await.unwrap();
    assert_eq!(second.problem(), (409, "idempotency_in_flight".into()));
    held.rollback().await.unwrap();
    let first = first.await.unwrap();
    assert_eq!(same_node.await.unwrap(), first);
    assert_eq!(recorder.record("n-1").await, first);
    assert_eq!(about(&app, &recorder, "n-1").await, 1);
}

#[tokio::test]
async fn a_lost_answer_is_given_again() {
    let app = TestApp::start().await;
    let recorder = Recorder::of(&app).await;
    app.numbered().await;
    watch_commits(&app.database.owner, "ledger_heads").await;
    let held = hold_commits(&app.database.owner).await;
    let first = tokio::spawn({
        let recorder = recorder.clone();
        async move { recorder.try_record("n-1").await }
    });
    commit_waits(&app.database.owner).await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled(), "the caller is gone, the commit is under way");
    held.rollback().await.unwrap();
    let again = recorder.record("n-1").await;
    assert_eq!(recorder.record("n-1").await, again);
    assert_eq!(about(&app, &recorder, "n-1").await, 1);
}

/// A statement that waits, and the lock by which it is held up.
const STATEMENTS: [(&str, &str); 5] = [
    ("ledger_entries", "SHARE"),
    ("ledger_openings", "SHARE"),
    ("ledger_hashes", "SHARE"),
    ("ledger_heads", "SHARE"),
    ("ledger_heads", "EXCLUSIVE"),
];

/// Cuts the connection that waits for a table.
async fn cut(app: &TestApp, table: &str) {
    waited_for(&app.database.owner, table).await;
    let backend = waiting_for(&app.database.owner, table).await.unwrap();
    let superuser = app.database.superuser();
    let cut: bool =
        sqlx::query_scalar("SELECT pg_terminate_backend($1)").bind(backend).fetch_one(&superuser).await.unwrap();
    assert!(cut);
    until(async || waiting_for(&app.database.owner, table).await != Some(backend)).await;
}

/// At each statement of a sequencer its connection is cut: another one does all of it, once.
#[tokio::test]
async fn a_sequencer_that_is_cut_off_commits_nothing() {
    let app = TestApp::start().await;
    let recorder = Recorder::of(&app).await;
    let statements = STATEMENTS.into_iter().filter(|statement| *statement != ("ledger_heads", "SHARE"));
    for (n, (table, mode)) in statements.chain([("ledger_staged", "SHARE")]).enumerate() {
        app.numbered().await;
        let before = rows(&app.database.owner, recorder.uuid()).await.len();
        // Staged while nobody can number it.
        let head = hold(&app.database.owner, "ledger_heads", "EXCLUSIVE").await;
        recorder.change("/projects", &json!({"name": format!("n-{n}")}), &format!("n-{n}")).await;
        waited_for(&app.database.owner, "ledger_heads").await;
        let held = if table == "ledger_heads" {
            head
        } else {
            let held = hold(&app.database.owner, table, mode).await;
            head.rollback().await.unwrap();
            held
        };
        cut(&app, table).await;
        assert_eq!(rows(&app.database.owner, recorder.uuid()).await.len(), before, "nothing was committed");
        held.rollback().await.unwrap();
        app.numbered().await;
        assert_eq!(rows(&app.database.owner, recorder.uuid()).await.len(), before + 1);
    }
    let report = report(&app).await;
    assert!(report.is_good(), "{report:?}");
}

/// At each statement of a request that records its connection is cut: nothing is there, and the next try does it once.
#[tokio::test]
async fn a_request_that_is_cut_off_commits_nothing() {
    let app = TestApp::start().await;
    let recorder = Recorder::of(&app).await;
    for (n, (table, mode)) in STATEMENTS.into_iter().enumerate() {
        app.numbered().await;
        let (name, before) = (format!("n-{n}"), rows(&app.database.owner, recorder.uuid()).await.len());
        let held = hold(&app.database.owner, table, mode).await;
        let sent = tokio::spawn({
            let (recorder, name) = (recorder.clone(), name.clone());
            async move { recorder.try_batch(&name, 3).await }
        });
        cut(&app, table).await;
        let answer = sent.await.unwrap().unwrap();
        assert!(answer.status.is_server_error(), "{}", answer.text);
        assert_eq!(rows(&app.database.owner, recorder.uuid()).await.len(), before, "nothing was committed");
        held.rollback().await.unwrap();
        let again = recorder.batch(&name, 3).await;
        assert_eq!(usize::try_from(again[0].seq).unwrap(), before);
        assert_eq!(about(&app, &recorder, &format!("{name}-2")).await, 1);
    }
    let report = report(&app).await;
    assert!(report.is_good(), "{report:?}");
}

#[tokio::test]
async fn a_failed_change_leaves_no_entry_and_a_committed_one_leaves_one() {
    let app = TestApp::start().await;
    let recorder = Recorder::of(&app).await;
    let post = async |path: &str, body: Value| recorder.try_post(path, &body).await.unwrap();
    let entries = async || {
        app.numbered().await;
        rows(&app.database.owner, recorder.uuid()).await.len()
    };
    let status = |answer: &Answer| answer.status.as_u16();

    let before = entries().await;
    let key = json!({"name": "k", "scopes": ["write"]});
    let made = [
        post("/projects", json!({"name": "one"})).await,
        post("/api-keys", key).await,
        post("/audit/events", events([event("n-1")])).await,
    ];
    assert!(made.iter().all(|answer| status(answer) == 201), "{made:?}");
    assert_eq!(entries().await, before + made.len(), "one for each");

    let before = entries().await;
    let mut big = event("n-2");
    big["meta"] = json!({"text": "x".repeat(16 * 1024)});
    let mut ours = event("n-2");
    ours["action"] = "api_key.created".into();
    let mut address = event("n-2");
    address["action"] = "ada@example.com".into();
    let mut unknown = event("n-2");
    unknown["colour"] = "red".into();
    let mut fraction = event("n-2");
    fraction["meta"] = json!({"share": 0.5});
    let refused = [
        ("/projects", json!({"name": "one"}), 409),
        ("/projects", json!({"name": ""}), 422),
        ("/api-keys", json!({"name": "k", "scopes": []}), 422),
        ("/audit/events", events([big]), 413),
        ("/audit/events", events([ours]), 422),
        ("/audit/events", events([address]), 422),
        ("/audit/events", events([unknown]), 422),
        ("/audit/events", events([fraction]), 422),
    ];
    for (path, body, expected) in refused {
        let answer = post(path, body.clone()).await;
        assert_eq!(status(&answer), expected, "{path} {body:.80}: {}", answer.text);
    }
    assert_eq!(entries().await, before, "a refusal leaves nothing");

    // The database refuses at the commit, when the entry is staged already.
    let pool = &app.database.owner;
    for statement in [
        "CREATE FUNCTION test_refuses() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'refused'; END $$",
        "CREATE CONSTRAINT TRIGGER test_refuses AFTER INSERT ON projects DEFERRABLE INITIALLY DEFERRED
         FOR EACH ROW EXECUTE FUNCTION test_refuses()",
    ] {
        sqlx::query(statement).execute(pool).await.unwrap();
    }
    let answer = post("/projects", json!({"name": "two"})).await;
    assert!(answer.status.is_server_error(), "{}", answer.text);
    let projects: i64 = sqlx::query_scalar("SELECT count(*) FROM projects").fetch_one(pool).await.unwrap();
    assert_eq!((projects, entries().await), (1, before), "neither the change nor its entry");
    sqlx::query("DROP TRIGGER test_refuses ON projects").execute(pool).await.unwrap();

    // And the other way round: without its entry there is no change.
    sqlx::query(
        "CREATE CONSTRAINT TRIGGER test_refuses AFTER INSERT ON ledger_staged DEFERRABLE INITIALLY DEFERRED
         FOR EACH ROW EXECUTE FUNCTION test_refuses()",
    )
    .execute(pool)
    .await
    .unwrap();
    let answer = post("/projects", json!({"name": "two"})).await;
    assert!(answer.status.is_server_error(), "{}", answer.text);
    let projects: i64 = sqlx::query_scalar("SELECT count(*) FROM projects").fetch_one(pool).await.unwrap();
    assert_eq!((projects, entries().await), (1, before));
    sqlx::query("DROP TRIGGER test_refuses ON ledger_staged").execute(pool).await.unwrap();
}
