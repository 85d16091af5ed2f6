//! `POST /auth/refresh` over HTTP, against the same transaction by `pgbench`: the same rows in the same tables, without a
//! server, a signature or a sealed successor.
//!
//! `pgbench` prepares its statements and connects as the owner of the database, so no policy asks it anything. Its clients each
//! go on from the token that they made last, as those of the server do.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use sqlx::postgres::PgConnection;
use tokio::task::spawn_blocking;

use crate::harness::{Comparison, Options, Person, Sample, Server, Side, block_on, for_a_while};

/// As the report names it.
pub(crate) const NAME: &str = "refresh_session";

const CLIENTS: usize = 16;
const LEAD: Duration = Duration::from_secs(1);
const ROUND: Duration = Duration::from_secs(4);

/// What the server asks of the database for a refresh; MAC and sealed successor are of their sizes and mean nothing.
const SCRIPT: &str = r"
\set n :n + 1
BEGIN;
SELECT r.session_id AS session FROM refresh_tokens r JOIN sessions s ON s.id = r.session_id JOIN users u ON u.id = s.user_id
    WHERE r.digest = sha256(convert_to(concat_ws('-', :round::text, :client_id::text, (:n - 1)::text), 'UTF8')) FOR UPDATE OF r, s
\gset
UPDATE refresh_tokens SET used_at = clock_timestamp(), successor_sealed = decode(repeat('ab', 80), 'hex'), mac = decode(repeat('cd', 36), 'hex')
    WHERE digest = sha256(convert_to(concat_ws('-', :round::text, :client_id::text, (:n - 1)::text), 'UTF8'));
INSERT INTO refresh_tokens (digest, session_id, issued_at, expires_at, mac, network)
    VALUES (sha256(convert_to(concat_ws('-', :round::text, :client_id::text, :n::text), 'UTF8')), :session::uuid, clock_timestamp(),
        clock_timestamp() + interval '14 days', decode(repeat('cd', 36), 'hex'), '127.0.0.0/24');
INSERT INTO cell_ledger_staged (event_id, action, actor, target, recorded_by, meta, trace_id, request_id, client_ip, staged_at, rows)
    VALUES (gen_random_uuid(), 'session.refreshed', :session::text, :session::text, :session::text, '{}', repeat('0', 32),
        gen_random_uuid(), '127.0.0.1', clock_timestamp(), decode(repeat('ef', 100), 'hex'));
COMMIT;
";

/// # Errors
/// When the server does not come up, refuses, or `pgbench` cannot be run.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    block_on(async {
        let server = Arc::new(Server::start().await?);
        let compared = compare(&server, options.rounds).await;
        let server = Arc::into_inner(server).context("a client has not ended")?;
        let stopped = server.stop().await;
        compared.and(stopped)
    })
}

/// One who keeps a session alive.
struct Client {
    server: Arc<Server>,
    person: Person,
}

impl Client {
    async fn refresh(self) -> anyhow::Result<Self> {
        let person = self.server.refresh(&self.person).await?;
        Ok(Self { person, ..self })
    }
}

async fn compare(server: &Arc<Server>, rounds: u32) -> anyhow::Result<()> {
    let mut clients = Vec::with_capacity(CLIENTS);
    for n in 0..CLIENTS {
        let person = server.sign_in(&format!("bench-{n}@example.com")).await?;
        clients.push(Client { server: Arc::clone(server), person });
    }
    let mut owner = server.connect_owner().await?;
    let url = server.owner_url()?;
    let script = tempfile::NamedTempFile::new()?;
    std::fs::write(script.path(), SCRIPT)?;
    let comparison = Comparison { name: NAME, at_least: Some(0.50), unit: "refreshes/s", rounds };
    let mut round = 0_u32;
    comparison
        .run(async |side| match side {
            Side::Subject => {
                for_a_while(&mut clients, LEAD, Client::refresh).await?;
                let (sample, refreshed) = for_a_while(&mut clients, ROUND, Client::refresh).await?;
                ensure!(refreshed > CLIENTS, "hardly anything was refreshed");
                Ok(sample)
            }
            Side::Baseline => {
                round += 1;
                first_tokens(&mut owner, round).await?;
                let (url, path) = (url.clone(), script.path().to_owned());
                spawn_blocking(move || pgbench(&url, &path, round)).await?
            }
        })
        .await?;
    Comparison::note(&format!(
        "{CLIENTS} connections on either side, {} s each round; {}",
        ROUND.as_secs(),
        server.durable().await?
    ));
    Ok(())
}

/// The tokens that the clients of `pgbench` begin with, of sessions that are there.
async fn first_tokens(owner: &mut PgConnection, round: u32) -> anyhow::Result<()> {
    let made = sqlx::query(
        "INSERT INTO refresh_tokens (digest, session_id, issued_at, expires_at, mac)
         SELECT sha256(convert_to(concat_ws('-', $1::text, (row_number() OVER (ORDER BY id) - 1)::text, '0'), 'UTF8')), id, created_at,
             expires_at, decode(repeat('cd', 36), 'hex') FROM sessions ORDER BY id LIMIT $2",
    )
    .bind(round.to_string())
    .bind(i64::try_from(CLIENTS)?)
    .execute(owner)
    .await?;
    ensure!(made.rows_affected() == u64::try_from(CLIENTS)?, "too few sessions");
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "`cargo xtask bench` says so where PostgreSQL's programs are")]
fn pgbench(url: &str, script: &std::path::Path, round: u32) -> anyhow::Result<Sample> {
    let program =
        std::env::var_os("PG_BIN").map_or_else(|| "pgbench".into(), |bin| std::path::Path::new(&bin).join("pgbench"));
    let output = Command::new(&program)
        .args(["--no-vacuum", "--protocol=prepared", "--jobs=2", "-D", "n=0", "-D", &format!("round={round}")])
        .args([format!("--client={CLIENTS}"), format!("--time={}", ROUND.as_secs())])
        .arg("--file")
        .arg(script)
        .arg(url)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {}", program.display()))?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "pgbench: {said}{}", String::from_utf8_lossy(&output.stderr));
    let figure =
        |begins: &str| said.lines().find_map(|line| line.strip_prefix(begins)?.split(' ').next()?.parse().ok());
    let rate = figure("tps = ").context("pgbench told no rate")?;
    let mean = figure("latency average = ").context("pgbench told no latency")?;
    Ok(Sample { rate, also: vec![("mean_ms", mean)] })
}
