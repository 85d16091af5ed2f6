//! Whether a key is good, asked of memory in this process, against the SHA-256 of the key alone.
//!
//! All that `authn::authenticate_key` does for a hot key: its checksum, its digest, the search under its public index, the
//! comparison, the expiry. One task asks, so that a rate is the inverse of a cost.

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use aws_lc_rs::digest::{SHA256, digest};
use bailiwick_proof::api_key::PlainApiKey;
use bailiwick_proof::environment::Environment;
use bailiwick_server::authn::{TokenDigest, authenticate_key};
use bailiwick_server::authz::Notary;
use bailiwick_server::authz::vouched::rows;
use bailiwick_server::clock::Clock;
use bailiwick_server::entropy::Entropy;
use bailiwick_server::feed::Feed;
use sqlx::postgres::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::harness::{Comparison, Options, Sample, Server, Side, block_on};

/// A thousand hot keys, as the report names it.
pub(crate) const THOUSAND: &str = "verify_in_process_1000_keys";
/// A hundred thousand: what their loading costs is told beside.
pub(crate) const HUNDRED_THOUSAND: &str = "verify_in_process_100000_keys";
/// A million of them.
pub(crate) const MILLION: &str = "verify_in_process_1000000_keys";

const ROUND: Duration = Duration::from_secs(1);
/// Keys that are written at once.
const PAGE: usize = 20_000;
const LOADED: Duration = Duration::from_secs(180);

/// # Errors
/// When the server does not come up, or a key is not found.
pub(crate) fn thousand(options: &Options) -> anyhow::Result<()> {
    run(options, THOUSAND, 1_000, Some(1.0 / 5.0))
}

/// # Errors
/// As [`thousand`].
pub(crate) fn hundred_thousand(options: &Options) -> anyhow::Result<()> {
    run(options, HUNDRED_THOUSAND, 100_000, None)
}

/// # Errors
/// As [`thousand`].
pub(crate) fn million(options: &Options) -> anyhow::Result<()> {
    run(options, MILLION, 1_000_000, Some(1.0 / 20.0))
}

fn run(options: &Options, name: &'static str, count: usize, at_least: Option<f64>) -> anyhow::Result<()> {
    block_on(async {
        let server = Server::start().await?;
        let comparison = Comparison { name, at_least, unit: "keys/s", rounds: options.rounds };
        let compared = compare(&server, comparison, count).await;
        let stopped = server.stop().await;
        compared.and(stopped)
    })
}

async fn compare(server: &Server, comparison: Comparison, count: usize) -> anyhow::Result<()> {
    let notary = server.notary().await?;
    let keys = make_keys(server, &notary, count).await?;
    let before = resident_bytes()?;
    let (clock, entropy) = (Clock::system(), Entropy::system());
    let feed = Feed::new(server.db().await?, notary.clone(), &clock, &entropy);
    let following = feed.clone();
    let following = tokio::spawn(async move { following.run().await });
    let begun = Instant::now();
    // A key that does not exist is asked of the database until all are loaded, and of memory from then on.
    while !feed.has_all_keys() {
        ensure!(begun.elapsed() < LOADED, "the keys are not in memory after {LOADED:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (loaded, held) = (begun.elapsed(), resident_bytes()?.saturating_sub(before));
    let mut turn = 0;
    comparison
        .run(async |side| {
            // By a stride that is prime to every count, so that a key's neighbours are not asked for after it.
            let next = |turn: &mut usize| {
                *turn = (*turn + 7_919) % keys.len();
                keys.get(*turn).map(String::as_str).unwrap_or_default()
            };
            let begun = Instant::now();
            let mut done = 0_u32;
            while begun.elapsed() < ROUND {
                let now = clock.now();
                for _ in 0..1_000 {
                    let key = next(&mut turn);
                    match side {
                        Side::Baseline => {
                            black_box(digest(&SHA256, black_box(key.as_bytes())));
                        }
                        Side::Subject => {
                            black_box(authenticate_key(&feed, black_box(key), now, None).await?);
                        }
                    }
                }
                done += 1_000;
            }
            let seconds = begun.elapsed().as_secs_f64();
            let nanoseconds = seconds * 1e9 / f64::from(done);
            Ok(Sample { rate: f64::from(done) / seconds, also: vec![("ns_each", nanoseconds)] })
        })
        .await?;
    following.abort();
    feed.leave().await;
    Comparison::note(&format!(
        "{count} keys in memory: {} MiB, {} bytes each; loaded in {:.1} s, {:.2} s of it to see that each is vouched for",
        held >> 20,
        held / u64::try_from(count)?.max(1),
        loaded.as_secs_f64(),
        look_at(&notary, count).await?.as_secs_f64()
    ));
    Ok(())
}

/// Makes keys by SQL, as a restored backup would have them.
async fn make_keys(server: &Server, notary: &Notary, count: usize) -> anyhow::Result<Vec<String>> {
    let founder = server.sign_in("bench@example.com").await?;
    let workspace = server.found(&founder, "bench").await?;
    let mut owner = server.connect_owner().await?;
    let person: Uuid = sqlx::query_scalar("SELECT id FROM users LIMIT 1").fetch_one(&mut owner).await?;
    // The server at hand has nothing to do with these keys.
    sqlx::query("ALTER TABLE api_keys DISABLE TRIGGER USER").execute(&mut owner).await?;
    let (entropy, now) = (Entropy::system(), Clock::system().now());
    let mut keys = Vec::with_capacity(count);
    while keys.len() < count {
        let page: Vec<PlainApiKey> =
            std::iter::repeat_with(|| PlainApiKey::from_entropy(Environment::Live, &entropy.bytes()))
                .flatten()
                .take(PAGE.min(count - keys.len()))
                .collect();
        insert(&mut owner, notary, (workspace.uuid(), person), &page, &entropy, now).await?;
        keys.extend(page.iter().map(|key| key.reveal().to_owned()));
    }
    sqlx::query("ALTER TABLE api_keys ENABLE TRIGGER USER").execute(&mut owner).await?;
    Ok(keys)
}

async fn insert(
    owner: &mut PgConnection,
    notary: &Notary,
    (workspace, person): (Uuid, Uuid),
    page: &[PlainApiKey],
    entropy: &Entropy,
    now: OffsetDateTime,
) -> anyhow::Result<()> {
    let ids: Vec<Uuid> = page.iter().map(|_| entropy.uuid_v7(now)).collect();
    let lookups: Vec<String> = page.iter().map(|key| key.lookup().to_owned()).collect();
    let digests: Vec<Vec<u8>> =
        page.iter().map(|key| TokenDigest::of(key.reveal().as_bytes()).bytes().to_vec()).collect();
    let rows = ids.iter().zip(&lookups).zip(&digests);
    let macs: Vec<Vec<u8>> = rows
        .map(|((id, lookup), digest)| {
            let imprint = rows::imprint(digest);
            notary.sign(&row(workspace, *id, lookup, &imprint, &scopes(), now))
        })
        .collect();
    sqlx::query(
        "INSERT INTO api_keys (workspace_id, environment, id, name, lookup, digest, scopes, created_by_user, created_at,
             mac)
         SELECT $1, 'live', k.id, 'bench', k.lookup, k.digest, $8, $2, $3, k.mac
         FROM UNNEST($4::uuid[], $5::text[], $6::bytea[], $7::bytea[]) AS k (id, lookup, digest, mac)",
    )
    .bind(workspace)
    .bind(person)
    .bind(now)
    .bind(ids)
    .bind(lookups)
    .bind(digests)
    .bind(macs)
    .bind(scopes())
    .execute(owner)
    .await?;
    Ok(())
}

fn scopes() -> [String; 2] {
    ["read", "write"].map(str::to_owned)
}

/// What the row of a key of the bench grants.
fn row<'a>(
    workspace: Uuid,
    id: Uuid,
    lookup: &'a str,
    imprint: &'a [u8],
    scopes: &'a [String],
    created_at: OffsetDateTime,
) -> rows::KeyRow<'a> {
    rows::KeyRow {
        workspace,
        environment: "live",
        project: None,
        id,
        version: 1,
        name: "bench",
        lookup,
        imprint,
        scopes,
        audiences: &[],
        networks: &[],
        created_at,
        expires_at: None,
        revoked_at: None,
    }
}

/// How long it takes to see of so many keys whether somebody vouches for them.
async fn look_at(notary: &Notary, count: usize) -> anyhow::Result<Duration> {
    let (id, digest, scopes, now) = (Uuid::from_u128(1), [7; 32], scopes(), Clock::system().now());
    let mac = notary.sign(&row(id, id, "AbCdEfGh", &rows::imprint(&digest), &scopes, now));
    let begun = Instant::now();
    for _ in 0..count {
        let imprint = rows::imprint(black_box(&digest));
        ensure!(notary.vouches(&row(id, id, "AbCdEfGh", &imprint, &scopes, now), &mac).await?, "nobody vouches");
    }
    Ok(begun.elapsed())
}

/// What this process has in memory (proc(5)).
fn resident_bytes() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib * 1_024)
}
