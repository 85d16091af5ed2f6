//! How long it is from an event to the receipt that proves it, signed checkpoint and all, beside how long the event alone takes.
//!
//! Each client has a log of its own, so that each receipt wants a checkpoint that nobody has signed yet.

use std::time::Duration;

use anyhow::Context;
use serde_json::{Value, json};

use crate::harness::{Caller, Comparison, Options, Server, Side, block_on, for_a_while};

pub(crate) const NAME: &str = "commit_to_receipt";

const CLIENTS: usize = 4;
const ROUND: Duration = Duration::from_secs(3);

/// # Errors
/// When the server does not come up or refuses.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    block_on(async {
        let server = Server::start().await?;
        let compared = compare(&server, options.rounds).await;
        let stopped = server.stop().await;
        compared.and(stopped)
    })
}

async fn compare(server: &Server, rounds: u32) -> anyhow::Result<()> {
    let founder = server.sign_in("bench@example.com").await?;
    let mut clients = Vec::with_capacity(CLIENTS);
    for n in 0..CLIENTS {
        let workspace = server.found(&founder, &format!("bench-{n}")).await?;
        let caller = server.caller(workspace, &server.api_key(&founder, workspace, "live").await?);
        caller.post("/audit/actions", &json!({"action": "door.opened"})).await?;
        clients.push(caller);
    }
    let comparison = Comparison { name: NAME, at_least: None, unit: "events/s", rounds };
    comparison
        .run(async |side| {
            let is_proved = side == Side::Subject;
            let (sample, _) = for_a_while(&mut clients, ROUND, move |caller| record(caller, is_proved)).await?;
            Ok(sample)
        })
        .await?;
    Comparison::note(&format!("{CLIENTS} clients, each with a log of its own; {}", server.durable().await?));
    Ok(())
}

/// Records an event, and fetches its receipt.
async fn record(caller: Caller, is_proved: bool) -> anyhow::Result<Caller> {
    let event = json!({"action": "door.opened", "actor": "jane", "target": "door-1"});
    let told = caller.post("/audit/events", &json!({ "events": [event] })).await?;
    if is_proved {
        let told: Value = serde_json::from_str(&told)?;
        let event = told.pointer("/events/0/id").and_then(Value::as_str).context("no id of an event")?;
        caller.get(&format!("/audit/events/{event}/receipt")).await?;
    }
    Ok(caller)
}
