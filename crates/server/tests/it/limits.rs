//! How often may be tried, from where, and that nobody can tell whom an address belongs to.

mod addresses;
mod alike;
mod mails;
mod proxies;
mod routes;

use bailiwick_server::config::{Config, Limits};
use bailiwick_server::networks::Networks;
use serde_json::json;

use crate::harness::app::{Answer, Call, TestApp};

/// With the limits of the table, behind a proxy of the same machine, which tells where a request comes from.
fn as_shipped(config: &mut Config) {
    config.limits = Limits::DEFAULT;
    behind_a_proxy(config);
}

fn behind_a_proxy(config: &mut Config) {
    config.trusted_proxies = Networks::of(["127.0.0.0/8", "::1"].map(|network| network.parse().unwrap()).to_vec());
}

/// A request as the proxy passes it on.
fn from<'a>(call: Call<'a>, network: &str) -> Call<'a> {
    call.header("x-forwarded-for", network)
}

/// Asks for a mail from there.
async fn ask(app: &TestApp, email: &str, network: &str) -> Answer {
    from(app.post("/auth/request", &json!({"email": email})), network).send().await
}

/// Shows a code from there.
async fn show(app: &TestApp, challenge: &str, code: &str, network: &str) -> Answer {
    from(app.post("/auth/verify", &json!({"challenge": challenge, "code": code})), network).send().await
}

/// A header's value, as text.
fn header<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.headers.get(name).unwrap_or_else(|| panic!("no {name}: {}", answer.text)).to_str().unwrap()
}

/// In how many seconds one may try again.
fn retry_after(answer: &Answer) -> i64 {
    assert_eq!(answer.problem(), (429, "rate_limited".into()));
    header(answer, "retry-after").parse().unwrap()
}
