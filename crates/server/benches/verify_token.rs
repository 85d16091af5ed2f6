//! Whether an access token is good and its session lives, asked of memory in this process, against the check of its signature
//! alone: ECDSA over P-256 with SHA-256.
//!
//! One task asks, so that a rate is the inverse of a cost: the measure `us_each` is the figure.

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use bailiwick_server::authn::{AccessTokens, authenticate_session};
use bailiwick_server::clock::Clock;
use bailiwick_server::context::RequestContext;
use bailiwick_server::entropy::Entropy;
use bailiwick_server::feed::Feed;
use bailiwick_server::server_secrets::ServerSecrets;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::harness::{Comparison, Options, Sample, Server, Side, block_on};

/// As the report names it.
pub(crate) const NAME: &str = "verify_access_token";

const ROUND: Duration = Duration::from_secs(1);
const FRESH: Duration = Duration::from_secs(30);

/// # Errors
/// When the server does not come up, or the token is not good.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    block_on(async {
        let server = Server::start().await?;
        let compared = compare(&server, options.rounds).await;
        let stopped = server.stop().await;
        compared.and(stopped)
    })
}

async fn compare(server: &Server, rounds: u32) -> anyhow::Result<()> {
    let (clock, entropy) = (Clock::system(), Entropy::system());
    let tokens = AccessTokens::new(server.url());
    tokens.learn(&ServerSecrets::new(server.db().await?, server.vault().await?).all().await?)?;
    let feed = Feed::new(server.db().await?, server.notary().await?, &clock, &entropy);
    let following = feed.clone();
    let following = tokio::spawn(async move { following.run().await });
    let token = server.sign_in("bench@example.com").await?.access_token;
    let begun = Instant::now();
    while !feed.has_all_keys() {
        ensure!(begun.elapsed() < FRESH, "the node's memory is not fresh after {FRESH:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let context = RequestContext::internal(&clock, &entropy);
    let (message, signature) = token.rsplit_once('.').context("no token")?;
    let signature = URL_SAFE_NO_PAD.decode(signature)?;
    let published = serde_json::to_value(tokens.published(context.received_at))?;
    let half = |at: &str| published.pointer(at).and_then(serde_json::Value::as_str).context("no key is published");
    let (x, y) = (half("/keys/0/x")?, half("/keys/0/y")?);
    // An uncompressed point (SEC 1, 2.3.3).
    let point = [vec![4], URL_SAFE_NO_PAD.decode(x)?, URL_SAFE_NO_PAD.decode(y)?].concat();
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
    let comparison = Comparison { name: NAME, at_least: None, unit: "tokens/s", rounds };
    comparison
        .run(async |side| {
            let begun = Instant::now();
            let mut done = 0_u32;
            while begun.elapsed() < ROUND {
                match side {
                    Side::Baseline => key.verify(black_box(message.as_bytes()), &signature)?,
                    Side::Subject => {
                        black_box(authenticate_session(&feed, &tokens, black_box(&token), &context).await?);
                    }
                }
                done += 1;
            }
            let seconds = begun.elapsed().as_secs_f64();
            Ok(Sample { rate: f64::from(done) / seconds, also: vec![("us_each", seconds * 1e6 / f64::from(done))] })
        })
        .await?;
    following.abort();
    feed.leave().await;
    Comparison::note("one token of one session, which the node has in memory; by one task");
    Ok(())
}
