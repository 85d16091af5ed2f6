//! Many events in one request: numbered in their order, all of them or none.

use serde_json::{Value, json};

use super::Acme;
use crate::harness::recorder::{all_recorded, batch, events};

const MOST: usize = 1_000;

#[tokio::test]
async fn a_batch_gets_its_numbers_in_its_order_behind_what_was_done_before() {
    let acme = Acme::found().await;
    let made = acme.app.post(&acme.path("projects"), &json!({"name": "One"})).bearer(&acme.person.access_token);
    assert_eq!(made.send().await.status, 201, "staged, and perhaps not numbered yet");
    let answer = acme.record_all(&batch("n", MOST)).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    assert!(answer.headers["location"].to_str().unwrap().ends_with("/audit/events"));
    let recorded = all_recorded(&answer);
    let seqs: Vec<u64> = recorded.iter().map(|event| event.seq).collect();
    assert_eq!(seqs, (2..1_002).collect::<Vec<u64>>(), "after the workspace and its project");
    for n in [0, 499, 500, 999] {
        let event = acme.get(&format!("audit/events/{}", recorded[n].id)).await.json();
        assert_eq!((&event["seq"], &event["target"]), (&json!(recorded[n].seq), &json!(format!("n-{n}"))));
        assert_eq!(event["intact"], true);
        assert!(event["recorded_by"].as_str().unwrap().starts_with("usr_"), "whoever asked, whatever they say");
    }
    let receipt = acme.get(&format!("audit/events/{}/receipt", recorded[999].id)).await;
    receipt.text.parse::<bailiwick_proof::receipt::Receipt>().unwrap().verify(&acme.keys().await).unwrap();
}

#[tokio::test]
async fn one_bad_event_refuses_all_and_is_pointed_at() {
    let acme = Acme::found().await;
    let good = json!({"action": "door.opened", "actor": "ada"});
    let among = |at: usize, member: &str, value: Value| {
        let mut told = vec![good.clone(); 5];
        told[at][member] = value;
        events(told)
    };
    for (body, code, pointer) in [
        (among(3, "meta", json!({"n": 1.5})), "invalid_body", "/events/3/meta"),
        (among(3, "meta", json!("text")), "invalid_body", "/events/3/meta"),
        (among(2, "meta", json!({"text": "x".repeat(16 * 1024)})), "event_too_large", "/events/2/meta"),
        (among(4, "action", json!("ada@example.com")), "invalid_body", "/events/4/action"),
        (among(1, "action", json!("api_key.created")), "action_reserved", "/events/1/action"),
        (among(0, "trace", json!("ada@example.com")), "invalid_body", "/events/0/trace"),
        (events([]), "invalid_body", "/events"),
        (batch("n", MOST + 1), "invalid_body", "/events"),
        (good.clone(), "invalid_body", "/action"),
    ] {
        let answer = acme.record_all(&body).await;
        assert_eq!(answer.problem().1, code, "{:.200}", answer.text);
        assert_eq!(answer.json()["errors"][0]["pointer"], pointer, "{:.200}", answer.text);
    }
    assert_eq!(acme.listed("").await, ["workspace.created"]);
}

#[tokio::test]
async fn an_event_belongs_to_the_trace_that_it_names_or_to_the_request_s() {
    let acme = Acme::found().await;
    let (own, request) = ("0af7651916cd43dd8448eb211c80319c", "4bf92f3577b34da6a3ce929d0e0e4736");
    let told =
        [json!({"action": "door.opened", "actor": "a", "trace": own}), json!({"action": "door.opened", "actor": "b"})];
    let call = acme.app.post(&acme.path("audit/events"), &events(told)).bearer(&acme.person.access_token);
    let answer = call.header("traceparent", &format!("00-{request}-00f067aa0ba902b7-01")).send().await;
    for (event, trace) in all_recorded(&answer).iter().zip([own, request]) {
        assert_eq!(acme.get(&format!("audit/events/{}", event.id)).await.json()["trace_id"], trace);
    }
}
