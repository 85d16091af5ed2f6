//! `bailiwickd rotate`: the server's own secrets get successors while it runs. Each rotation leaves an entry in the
//! cell's log, whose id is the receipt.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use bailiwick_proof::environment::Environment as LogEnvironment;
use bailiwick_proof::id::{InternalCredentialId, WorkspaceId};
use bailiwick_proof::log::Log;
use bailiwick_server::clock::Clock;
use bailiwick_server::config::{Environment, SmtpUrl};
use bailiwick_server::entropy::Entropy;
use bailiwick_server::secrets::Reason;
use bailiwick_server::server_rotation::{Rotated, Rotation};
use bailiwick_server::server_secrets::{POLL, ServerSecrets};
use bailiwick_server::{internal_credentials, ledger, mail};
use clap::{Args, Subcommand};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use zeroize::Zeroizing;

use super::cell::{Cell, Places};
use super::place::FoundIn;
use super::print;

/// By then every node that reaches the database has looked.
const KNOWN: Duration = POLL.saturating_add(Duration::from_secs(1));

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Another key signs access tokens; people notice nothing
    TokenKey(TokenKey),
    /// A service's credential gets a successor, printed this once; both are taken for a while
    InternalKey(InternalKey),
    /// A log gets another key; the old one signs beside it for 30 days
    LedgerKey(LedgerKey),
    /// Mail goes to its server by another URL, with another user or password
    Mail(Mail),
    /// List what can be rotated: secret, version, when it was made, when its value was destroyed
    Status(Status),
}

#[derive(Debug, Args)]
pub(super) struct TokenKey {
    /// Somebody may have the old key: refuse it at once. Every client has to refresh its access token, which it does by
    /// itself
    #[arg(long)]
    exposed: bool,
    #[command(flatten)]
    why: Why,
    #[command(flatten)]
    places: Places,
}

#[derive(Debug, Args)]
pub(super) struct InternalKey {
    /// The credential's id, `int_…`
    #[arg(value_name = "ID")]
    id: InternalCredentialId,
    /// For how many hours the old one is taken beside its successor
    #[arg(long, value_name = "HOURS", default_value_t = 24, value_parser = clap::value_parser!(u16).range(0..=720))]
    overlap: u16,
    #[command(flatten)]
    places: Places,
}

#[derive(Debug, Args)]
pub(super) struct LedgerKey {
    /// Whose log: a workspace's id; the cell's own if nothing is said
    #[arg(long, value_name = "ID")]
    workspace: Option<WorkspaceId>,
    /// Every log of the cell, as after the loss of the key that sealed theirs
    #[arg(long, conflicts_with = "workspace")]
    all: bool,
    /// Which of the workspace's logs: live or test
    #[arg(long, value_name = "ENVIRONMENT", default_value = "live")]
    environment: LogEnvironment,
    #[command(flatten)]
    places: Places,
}

#[derive(Debug, Args)]
pub(super) struct Mail {
    /// A file with the URL, such as smtps://user:password@host:465; - for standard input
    #[arg(long, value_name = "FILE", required_unless_present = "configured")]
    smtp_url_file: Option<PathBuf>,
    /// Go back to the setting mail.smtp_url
    #[arg(long, conflicts_with = "smtp_url_file")]
    configured: bool,
    /// Take the URL although the mail server cannot be reached from here, or does not take user and password
    #[arg(long)]
    unchecked: bool,
    #[command(flatten)]
    why: Why,
    #[command(flatten)]
    places: Places,
}

#[derive(Debug, Args)]
pub(super) struct Status {
    #[command(flatten)]
    places: Places,
}

#[derive(Debug, Args)]
pub(super) struct Why {
    /// For the entry: suspected_leak, offboarding, failed_secret_scan, public_exposure, provider_incident or scheduled
    #[arg(long, value_name = "REASON", default_value = "scheduled")]
    reason: Reason,
}

/// Runs the command.
pub(super) async fn run(command: Command, environment: &Environment) -> anyhow::Result<()> {
    match command {
        Command::TokenKey(TokenKey { exposed, why, places }) => {
            let cell = places.open(environment).await?;
            let rotated = token_key(&cell, exposed, why.reason).await;
            cell.close().await?;
            rotated
        }
        Command::InternalKey(InternalKey { id, overlap, places }) => {
            let cell = places.open(environment).await?;
            let rotated = internal_key(&cell, id, time::Duration::hours(overlap.into())).await;
            cell.close().await?;
            rotated
        }
        Command::LedgerKey(LedgerKey { workspace, all, environment: of, places }) => {
            let log = workspace.map_or(Log::Cell, |workspace| Log::Workspace { workspace, environment: of });
            let cell = places.open(environment).await?;
            let rotated = ledger_key(&cell, (!all).then_some(log)).await;
            cell.close().await?;
            rotated
        }
        Command::Mail(Mail { smtp_url_file, unchecked, why, places, .. }) => {
            let url = smtp_url_file.as_deref().map(read_url).transpose()?;
            let cell = places.open(environment).await?;
            let rotated = mail(&cell, url.as_ref(), unchecked, why.reason).await;
            cell.close().await?;
            rotated
        }
        Command::Status(Status { places }) => {
            let cell = places.open(environment).await?;
            let shown = status(&cell).await;
            cell.close().await?;
            shown
        }
    }
}

async fn secrets(cell: &Cell) -> anyhow::Result<ServerSecrets> {
    Ok(ServerSecrets::new(cell.db().clone(), cell.vault(None).await?))
}

async fn rotation(cell: &Cell) -> anyhow::Result<Rotation> {
    Ok(Rotation::new(secrets(cell).await?, Clock::system(), Entropy::system()))
}

async fn token_key(cell: &Cell, exposed: bool, reason: Reason) -> anyhow::Result<()> {
    let rotated = rotation(cell).await?.token_key(reason, exposed).await?;
    let Rotated { event, number, used_from, older_until } = &rotated;
    tokio::time::sleep(KNOWN).await;
    if exposed {
        eprintln!("Version {number} of the token key signs, and no node takes an older one any more.");
    } else {
        eprintln!("Version {number} of the token key is known to every node, and signs from {}.", text(*used_from)?);
        eprintln!("Older ones are taken until {}, and destroyed then.", text(*older_until)?);
    }
    print(&event.to_string())
}

async fn internal_key(cell: &Cell, id: InternalCredentialId, overlap: time::Duration) -> anyhow::Result<()> {
    let (notary, clock, entropy) = (cell.notary().await?, Clock::system(), Entropy::system());
    let rotated = internal_credentials::rotate(cell.db(), &notary, &clock, &entropy, id, overlap).await?;
    eprintln!("{} is the successor of {id}. The secret is shown this once.", rotated.successor.id);
    eprintln!("{id} is taken until {}. Receipt: {}", text(rotated.ends_at)?, rotated.event);
    print(rotated.successor.key.reveal())
}

/// One line with the new key for each log.
async fn ledger_key(cell: &Cell, log: Option<Log>) -> anyhow::Result<()> {
    let ledger = cell.ledger(cell.vault(None).await?).await?;
    let logs = match log {
        Some(log) => vec![log],
        None => ledger::logs(&ledger).await?,
    };
    for log in logs {
        let jwk = ledger::rotate_key(&ledger, log).await?;
        ledger.settle(log).await?;
        ledger.checkpoint(log).await?;
        print(&jwk.verifier().to_string())?;
    }
    Ok(())
}

async fn mail(cell: &Cell, url: Option<&SmtpUrl>, unchecked: bool, reason: Reason) -> anyhow::Result<()> {
    if let FoundIn::DataDir(_) = cell.opened.found_in {
        bail!("a development server sends no mail: it stands at /dev/mail");
    }
    if let Some(url) = url {
        if url.is_plain() {
            bail!("the URL sends links and codes over the network in plain text: use smtps://, or add ?tls=required");
        }
        if !unchecked && !mail::try_out(url, Clock::system()).await? {
            bail!(
                "the mail server cannot be reached from here, or does not take user and password: nothing was changed. \
                 --unchecked takes the URL all the same"
            );
        }
    }
    let rotated = rotation(cell).await?.mail(reason, url).await?;
    tokio::time::sleep(KNOWN).await;
    let what = if url.is_some() { "the URL that was given" } else { "the setting mail.smtp_url" };
    eprintln!("Version {}: every node sends mail by {what}.", rotated.number);
    eprintln!("Mail that is on its way goes the old one: leave that valid until {}.", text(rotated.older_until)?);
    print(&rotated.event.to_string())
}

/// Fields are parted by tabs, so that scripts can cut them.
async fn status(cell: &Cell) -> anyhow::Result<()> {
    for listed in secrets(cell).await?.list().await? {
        let destroyed = listed.destroyed_at.map(text).transpose()?.unwrap_or_else(|| "-".to_owned());
        print(&format!("{}\t{}\t{}\t{destroyed}", listed.purpose, listed.number, text(listed.created_at)?))?;
    }
    Ok(())
}

/// The URL in a file or on standard input, without the line's end.
fn read_url(file: &std::path::Path) -> anyhow::Result<SmtpUrl> {
    let read = if file.as_os_str() == "-" {
        std::io::read_to_string(std::io::stdin().lock())
    } else {
        std::fs::read_to_string(file)
    };
    let text = Zeroizing::new(read.with_context(|| format!("cannot read {}", file.display()))?);
    Ok(text.trim_end_matches(['\r', '\n']).parse()?)
}

fn text(moment: OffsetDateTime) -> anyhow::Result<String> {
    moment.replace_nanosecond(0).unwrap_or(moment).format(&Rfc3339).context("cannot write a time")
}
