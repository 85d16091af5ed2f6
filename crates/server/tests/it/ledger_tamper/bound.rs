//! A proof is bound to its entry, its log and its signed root.

use std::slice::from_ref;

use bailiwick_proof::checkpoint::SignedCheckpoint;
use bailiwick_proof::note::VerifierKey;
use bailiwick_proof::receipt::Receipt;

use crate::harness::app::TestApp;
use crate::harness::recorder::{Recorder, event, events, recorded};

async fn receipt(recorder: &Recorder, target: &str) -> Receipt {
    let event = recorder.record(target).await;
    recorder.opened_receipt(&event).await.text.parse().unwrap()
}

#[tokio::test]
async fn two_identical_bodies_give_different_leaves() {
    let app = TestApp::start().await;
    let recorder = Recorder::of(&app).await;
    let mut told = Vec::new();
    for _ in 0..2 {
        let answer = recorder.try_post("/audit/events", &events([event("same")])).await.unwrap();
        let recorded = recorded(&answer);
        told.push(recorder.get(&format!("/audit/events/{}", recorded.id)).await.json());
    }
    let [one, other] = told.try_into().unwrap();
    let (first, second) = (one["seq"].as_u64().unwrap(), other["seq"].as_u64().unwrap());
    assert_eq!(first + 2, second, "between them is that the first was looked at");
    assert_ne!(one["leaf_hash"], other["leaf_hash"]);
    let parse = |told: &serde_json::Value| serde_json::from_str::<serde_json::Value>(told["entry"].as_str().unwrap());
    let (one_entry, other_entry) = (parse(&one).unwrap(), parse(&other).unwrap());
    for field in ["actor", "ip", "meta", "target"] {
        assert_ne!(one_entry["c"][field], other_entry["c"][field], "{field}: the commitment tells nothing");
        assert_ne!(one["openings"][field]["r"], other["openings"][field]["r"], "{field}");
    }
    assert_eq!(one["openings"]["target"]["value"], other["openings"]["target"]["value"]);
}

#[tokio::test]
async fn another_logs_key_or_checkpoint_proves_nothing() {
    let app = TestApp::start().await;
    let acme = Recorder::of(&app).await;
    let other = Recorder::in_workspace(&app, "other").await;
    let [live, test] = acme.keys().await.try_into().unwrap();
    let [other_live, other_test] = other.keys().await.try_into().unwrap();

    let first = receipt(&acme, "n-1").await;
    let early = first.checkpoint.clone();
    let second = receipt(&acme, "n-2").await;
    let late = second.checkpoint.clone();
    for n in 0..3 {
        other.record(&format!("n-{n}")).await;
    }
    let foreign = other.checkpoint().await;
    assert!(first.verify(from_ref(&live)).is_ok() && second.verify(from_ref(&live)).is_ok());

    for keys in [&[][..], from_ref(&test), from_ref(&other_live), from_ref(&other_test)] {
        assert!(first.verify(keys).is_err() && early.verify(keys).is_err(), "{keys:?}");
    }
    // The right key under another log's name, and another's key under this log's name.
    let renamed = |name: &VerifierKey, key: &VerifierKey| VerifierKey::new(name.name(), *key.public()).unwrap();
    for key in [renamed(&test, &live), renamed(&other_live, &live), renamed(&live, &test), renamed(&live, &other_live)]
    {
        assert!(first.verify(&[key]).is_err());
    }

    let with = |checkpoint: &SignedCheckpoint| Receipt { checkpoint: checkpoint.clone(), ..second.clone() };
    let all = [live.clone(), test, other_live, other_test];
    assert!(with(&early).verify(&all).is_err(), "the earlier checkpoint does not cover it");
    assert!(with(&foreign).verify(&all).is_err(), "another workspace's checkpoint");
    assert!(Receipt { checkpoint: late, ..first.clone() }.verify(&all).is_err(), "a path is one to one root");
    let swapped = Receipt { entry: first.entry.clone(), openings: first.openings.clone(), ..second.clone() };
    assert!(swapped.verify(&all).is_err(), "another entry");

    // The server itself gives no proof of another workspace's event, and no event by another's id.
    let event = acme.record("n-3").await;
    assert_eq!(other.opened_receipt(&event).await.problem(), (404, "not_found".into()));
    let mut crossed = other.clone();
    crossed.workspace.clone_from(&acme.workspace);
    assert_eq!(crossed.opened_receipt(&event).await.problem().0, 404);
    assert_eq!(crossed.get("/audit/checkpoint").await.problem().0, 404);
}

/// The two environments of a workspace are two logs.
#[tokio::test]
async fn the_other_environment_is_another_log() {
    let app = TestApp::start().await;
    let (person, workspace) = app.founder("ada@example.com", "acme").await;
    let path = format!("/v1/workspaces/{workspace}/audit");
    let mut checkpoints = Vec::new();
    for environment in ["live", "test"] {
        let call = app.post(&format!("{path}/events"), &events([event("same")])).bearer(&person.access_token);
        let made = call.header("bailiwick-environment", environment).send().await;
        assert_eq!(made.status, 201, "{}", made.text);
        let call = app.get(&format!("{path}/checkpoint")).bearer(&person.access_token);
        let told = call.header("bailiwick-environment", environment).send().await;
        checkpoints.push(told.text.parse::<SignedCheckpoint>().unwrap());
        let id = recorded(&made).id;
        for (asked, expected) in [("live", environment == "live"), ("test", environment == "test")] {
            let call = app.get(&format!("{path}/events/{id}/receipt")).bearer(&person.access_token);
            let answer = call.header("bailiwick-environment", asked).send().await;
            assert_eq!(answer.status == 200, expected, "{asked} {environment}: {}", answer.text);
        }
    }
    let [live, test] = checkpoints.try_into().unwrap();
    assert_ne!(live.unverified().origin, test.unverified().origin);
    let jwks = app.get(&format!("/w/{workspace}/.well-known/jwks.json")).send().await;
    let keys = bailiwick_proof::jose::Jwks::parse(&jwks.text).unwrap();
    let [live_key, test_key]: [VerifierKey; 2] =
        keys.keys.iter().map(|jwk| jwk.verifier().clone()).collect::<Vec<_>>().try_into().unwrap();
    assert!(live.verify(from_ref(&live_key)).is_ok() && live.verify(from_ref(&test_key)).is_err());
    assert!(test.verify(from_ref(&test_key)).is_ok() && test.verify(from_ref(&live_key)).is_err());
}
