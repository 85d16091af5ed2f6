//! `POST /internal/v1/keys/verify`, against an axum server that answers `hello`: the same clients, the same processors,
//! one right after the other.
//!
//! The clients speak HTTP/1.1 over connections that stay open, and do as little as can be done: on a machine that serves
//! and asks at once, whatever they cost is taken from both sides. Every answer is looked at: a key that is not found to be
//! good ends the comparison.

mod client;
mod hello;

use std::time::Duration;

use anyhow::ensure;

use crate::harness::{Comparison, Options, Server, Side, block_on, for_a_while};
use client::{Asked, Client};
pub(crate) use hello::serve_if_asked;

/// As the report names it.
pub(crate) const NAME: &str = "verify_over_http";

const CLIENTS: usize = 16;
const KEYS: usize = 64;
const LEAD: Duration = Duration::from_millis(500);
const ROUND: Duration = Duration::from_secs(3);

/// # Errors
/// When a server does not come up, or an answer is another than expected.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    block_on(async {
        let server = Server::start().await?;
        let compared = compare(&server, options.rounds).await;
        let stopped = server.stop().await;
        compared.and(stopped)
    })
}

async fn compare(server: &Server, rounds: u32) -> anyhow::Result<()> {
    let hello = hello::Hello::start().await?;
    let founder = server.sign_in("bench@example.com").await?;
    let workspace = server.found(&founder, "bench").await?;
    let credential = server.internal_credential().await?;
    let mut asked = Vec::with_capacity(KEYS);
    for _ in 0..KEYS {
        let made = server.api_key(&founder, workspace, "live").await?;
        asked.push(Asked::verify(server.private_address(), &credential, &made.key));
    }
    let mut verifying = Vec::with_capacity(CLIENTS);
    let mut greeting = Vec::with_capacity(CLIENTS);
    for _ in 0..CLIENTS {
        asked.rotate_left(KEYS / CLIENTS);
        verifying.push(Client::connect(server.private_address(), asked.clone()).await?);
        greeting.push(Client::connect(hello.address(), vec![Asked::hello(hello.address())]).await?);
    }
    let comparison = Comparison { name: NAME, at_least: Some(0.80), unit: "answers/s", rounds };
    comparison
        .run(async |side| {
            let clients = if side == Side::Subject { &mut verifying } else { &mut greeting };
            for_a_while(clients, LEAD, Client::ask).await?;
            let (sample, answers) = for_a_while(clients, ROUND, Client::ask).await?;
            ensure!(answers > CLIENTS, "hardly anything was answered");
            Ok(sample)
        })
        .await?;
    Comparison::note(&format!(
        "{CLIENTS} connections that stay open, {KEYS} keys, {} s each round; the servers are processes of their own",
        ROUND.as_secs()
    ));
    Ok(())
}
