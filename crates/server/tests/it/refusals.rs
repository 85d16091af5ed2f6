//! A flood of sign-ins that come to nothing is a few counted entries of the cell's log.

use std::sync::Arc;

use bailiwick_proof::commitment::Field;
use bailiwick_server::clock::Clock;
use bailiwick_server::context::RequestContext;
use bailiwick_server::entropy::Entropy;
use bailiwick_server::identity::{Refusals, Refused};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::app::TestApp;
use crate::harness::node::Node;
use crate::harness::openings::openings;

const FLOOD: u32 = 1_000_000;

async fn counted(app: &TestApp) -> Vec<Value> {
    app.numbered().await;
    let entries = openings(app, Uuid::nil(), Some("sign_in.refused")).await;
    entries
        .into_iter()
        .map(|fields| serde_json::from_str::<Value>(&fields[&Field::Meta].value).unwrap()["data"].clone())
        .collect()
}

/// Requirement 30.
#[tokio::test]
async fn a_million_failed_sign_ins_are_one_entry_and_no_tenant_s_log_moves() {
    let app = TestApp::start().await;
    let (_, workspace) = app.founder("ada@example.com", "acme").await;
    let (clock, entropy) = (Clock::system(), Entropy::system());
    let refusals = Refusals::new(app.db.clone(), clock.clone(), entropy.clone());
    let (before, of_acme) = (app.actions(None).await, app.actions(Some(&workspace)).await);
    let context = Arc::new(RequestContext::internal(&clock, &entropy));
    let flood = (0..4_u8).map(|net| {
        let (refusals, mut context) = (refusals.clone(), RequestContext::clone(&context));
        context.client_ip = Some([203, 0, net, 7].into());
        std::thread::spawn(move || (0..FLOOD / 4).for_each(|_| refusals.note(Refused::Proof, &context)))
    });
    flood.collect::<Vec<_>>().into_iter().for_each(|thread| thread.join().unwrap());

    // Nothing is lost while the database takes no entry.
    sqlx::raw_sql("REVOKE INSERT ON cell_ledger_staged FROM bailiwick_system")
        .execute(&app.database.owner)
        .await
        .unwrap();
    assert!(refusals.flush().await.is_err());
    sqlx::raw_sql("GRANT INSERT ON cell_ledger_staged TO bailiwick_system").execute(&app.database.owner).await.unwrap();
    refusals.flush().await.unwrap();
    refusals.flush().await.unwrap();
    let told = counted(&app).await;
    assert_eq!(told.len(), 1, "where nothing was refused there is no entry");
    assert_eq!(told[0]["count"], FLOOD);
    assert_eq!(told[0]["by_network"]["proof"]["203.0.2.0/24"], FLOOD / 4, "{}", told[0]);
    assert_eq!(app.actions(None).await.len(), before.len() + 1);
    assert_eq!(app.actions(Some(&workspace)).await, of_acme);
}

/// By the routes themselves, and what was counted when the server stops is not lost.
#[tokio::test]
async fn what_the_routes_refuse_is_counted_until_the_end() {
    let app = TestApp::start().await;
    let mut node = Node::with(&app, &[("BAILIWICK_LIMITS_SIGN_INS", "5")]).await;
    let client = crate::harness::http::http();
    for n in 0..12 {
        let body = json!({"challenge": "x", "code": "AAAA-AAAA"});
        let answer = client.post(format!("{}/auth/verify", node.url)).json(&body).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), if n < 5 { 401 } else { 429 });
    }
    node.signal(Signal::SIGTERM);
    node.ended().await;
    let told = counted(&app).await;
    let [told] = told.as_slice() else { panic!("{told:?}") };
    let of =
        |kind: &str| told["by_network"][kind].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum::<u64>();
    assert_eq!((&told["count"], of("proof"), of("proof_limited")), (&json!(12), 5, 7), "{told}");
}
