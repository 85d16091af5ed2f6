//! Bad input: a code of its own, and nothing recorded.

use serde_json::{Value, json};

use super::Acme;
use crate::harness::recorder::recorded;

#[tokio::test]
async fn what_cannot_be_an_event_is_refused_and_leaves_nothing() {
    let acme = Acme::found().await;
    let deep = (0..40).fold(json!(1), |inner, _| json!([inner]));
    let with = |member: &str, value: Value| {
        let mut body = json!({"action": "door.opened", "actor": "ada"});
        body[member] = value;
        body
    };
    let field = |member: &str| ("invalid_body", 422, Some(format!("/events/0{member}")));
    let code = |code: &'static str, status: u16| (code, status, None);
    for (body, (expected, status, pointer)) in [
        (json!({"actor": "ada"}), ("invalid_body", 422, None)),
        (json!({"action": "door.opened"}), ("invalid_body", 422, None)),
        (with("colour", json!("red")), ("invalid_body", 422, None)),
        (with("action", json!("ada@example.com")), field("/action")),
        (with("action", json!("door.opened.by_ada@example.com")), field("/action")),
        (with("action", json!("Door.Opened")), field("/action")),
        (with("action", json!("door")), field("/action")),
        (with("action", json!("door..opened")), field("/action")),
        (with("action", json!("door.4711")), field("/action")),
        (with("action", json!(format!("door.{}", "o".repeat(96)))), field("/action")),
        (with("action", json!("api_key.created")), code("action_reserved", 422)),
        (with("action", json!("ledger.anything")), code("action_reserved", 422)),
        (with("actor", json!("")), field("/actor")),
        (with("actor", json!(7)), field("/actor")),
        (with("actor", json!("a\nb")), field("/actor")),
        (with("actor", json!("a".repeat(257))), field("/actor")),
        (with("actor", json!("ada\u{202e}moc.elpmaxe@bob")), field("/actor")),
        (with("target", json!("")), field("/target")),
        (with("target", json!("one line\u{2028}another")), field("/target")),
        (with("meta", json!("text")), field("/meta")),
        (with("meta", json!({"n": 1.5})), field("/meta")),
        (with("meta", json!({"n": 9_007_199_254_740_992_u64})), field("/meta")),
        (with("meta", json!({"text": "x".repeat(16 * 1024)})), code("event_too_large", 413)),
        (with("meta", json!({"text": "x".repeat(2 * 1024 * 1024)})), code("body_too_large", 413)),
        (with("trace", json!("ada@example.com")), field("/trace")),
        (with("trace", json!("0AF7651916CD43DD8448EB211C80319C")), field("/trace")),
        (with("meta", json!({"deep": deep})), code("malformed_json", 400)),
    ] {
        let answer = acme.record(&body).await;
        let said: String = answer.text.chars().take(400).collect();
        assert_eq!(answer.problem(), (status, expected.to_owned()), "{:.200} {said}", body.to_string());
        if let Some(pointer) = pointer {
            assert_eq!(answer.json()["errors"][0]["pointer"], pointer, "{said}");
        }
    }
    assert_eq!(acme.listed("").await, ["workspace.created"]);
}

#[tokio::test]
async fn questions_that_make_no_sense_are_told_so() {
    let acme = Acme::found().await;
    for (path, code) in [
        ("audit/events?colour=red", (400, "invalid_parameter")),
        ("audit/events?from=yesterday", (400, "invalid_parameter")),
        ("audit/events?to=9999-12-31T23:59:59-23:59", (400, "invalid_parameter")),
        ("audit/events?actor=%00", (400, "invalid_parameter")),
        ("audit/events?limit=0", (400, "invalid_parameter")),
        ("audit/events?cursor=x", (400, "invalid_cursor")),
        ("audit/events/evt_nonsense", (404, "not_found")),
        ("audit/events/evt_01m7v9a0q4f9hrj3k2m1p0n6zc", (404, "not_found")),
        ("audit/events/evt_01m7v9a0q4f9hrj3k2m1p0n6zc/receipt", (404, "not_found")),
        ("audit/consistency", (400, "invalid_parameter")),
        ("audit/consistency?from=-1", (400, "invalid_parameter")),
        ("audit/consistency?from=18446744073709551615", (404, "no_checkpoint")),
        ("audit/checkpoint?size=1", (400, "invalid_parameter")),
    ] {
        let answer = acme.get(path).await;
        assert_eq!(answer.problem(), (code.0, code.1.to_owned()), "{path}: {}", answer.text);
    }
    // A cursor whose event is not in this log: the list must not look as if it ended.
    acme.record(&json!({"action": "door.opened", "actor": "ada"})).await;
    let page = acme.get("audit/events?limit=1").await.json();
    let elsewhere = acme.in_test(&format!("audit/events?cursor={}", page["next_cursor"].as_str().unwrap())).await;
    assert_eq!(elsewhere.problem(), (400, "invalid_cursor".into()));
    for path in ["/w/acme/.well-known/jwks.json", "/w/ws_01m7v9a0q4f9hrj3k2m1p0n6zc/.well-known/jwks.json"] {
        assert_eq!(acme.app.get(path).send().await.problem(), (404, "not_found".into()), "{path}");
    }
}

/// A null character in what a customer tells could not be stored.
#[tokio::test]
async fn a_null_character_is_refused() {
    let acme = Acme::found().await;
    for body in [
        json!({"action": "door.opened", "actor": "a\0b"}),
        json!({"action": "door.opened", "actor": "ada", "meta": {"a\0": 1}}),
    ] {
        assert_eq!(acme.record(&body).await.status.as_u16() / 100, 4, "{body}");
    }
    assert_eq!(acme.listed("").await, ["workspace.created"]);
}

/// Only the database's owner can stage such a row. It must not hold up the log, and must not vanish either.
#[tokio::test]
async fn a_staged_row_that_nobody_could_have_staged_is_refused_and_told_of() {
    let acme = Acme::found().await;
    for (action, trace, meta) in [
        ("Not An Action", "0".repeat(32), "{}"),
        ("door.opened", "no trace".to_owned(), "{}"),
        ("door.opened", "0".repeat(32), r#"{"n": 1.5}"#),
    ] {
        sqlx::query(
            "INSERT INTO ledger_staged (workspace_id, environment, event_id, action, actor, target, recorded_by, meta,
                 trace_id, request_id, staged_at)
             SELECT workspace_id, 'live', gen_random_uuid(), $1, 'a', '', 'a', $3::jsonb, $2, gen_random_uuid(), now()
             FROM workspaces",
        )
        .bind(action)
        .bind(trace)
        .bind(meta)
        .execute(&acme.app.database.owner)
        .await
        .unwrap();
    }
    assert_eq!(recorded(&acme.record(&json!({"action": "door.closed", "actor": "ada"})).await).seq, 4);
    let refused = "ledger.row_refused";
    assert_eq!(acme.listed("").await, ["door.closed", refused, refused, refused, "workspace.created"]);
    let event = acme.get("audit/events?action=ledger.row_refused").await.json()["data"][0].clone();
    assert_eq!((&event["actor"], &event["intact"]), (&json!("system"), &json!(true)));
    assert_eq!(event["meta"]["fault"], "has meta without a canonical form");
}
