//! `bailiwickd internal-key`: credentials of the operator's own services, which ask at `/internal`.

use anyhow::{Context, bail};
use bailiwick_proof::id::InternalCredentialId;
use bailiwick_server::authz::Audience;
use bailiwick_server::clock::Clock;
use bailiwick_server::config::Environment;
use bailiwick_server::entropy::Entropy;
use bailiwick_server::internal_credentials::{self, InternalCredential, NewCredential, RevokeOutcome};
use clap::{Args, Subcommand};
use time::format_description::well_known::Rfc3339;

use super::cell::{Cell, Places};
use super::place::Place;
use super::print;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a credential for a service; prints the secret, this once, and its id on stderr
    Create(Create),
    /// List credentials, the revoked ones too: id, service, audiences, when it was made, when it was revoked or ends
    List(List),
    /// Revoke a credential; ends when no node takes it any more
    Revoke(Revoke),
}

#[derive(Debug, Args)]
pub(super) struct Create {
    /// Whose it is: your word for the service
    #[arg(long, value_name = "NAME")]
    service: Audience,
    /// What it may ask about; several times for several
    #[arg(long, value_name = "NAME", required = true)]
    audience: Vec<Audience>,
    #[command(flatten)]
    places: Places,
}

#[derive(Debug, Args)]
pub(super) struct List {
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Args)]
pub(super) struct Revoke {
    /// The credential's id, `int_…`
    #[arg(value_name = "ID")]
    id: InternalCredentialId,
    #[command(flatten)]
    places: Places,
}

/// Runs the command.
pub(super) async fn run(command: Command, environment: &Environment) -> anyhow::Result<()> {
    match command {
        Command::Create(Create { service, audience, places }) => {
            let cell = places.open(environment).await?;
            let made = create(&cell, NewCredential { service, audiences: audience }).await;
            cell.close().await?;
            made
        }
        Command::List(List { place }) => {
            let opened = place.open(environment).await?;
            let credentials = internal_credentials::list(&opened.db).await;
            opened.close().await?;
            credentials?.iter().try_for_each(|credential| print(&line(credential)?))
        }
        Command::Revoke(Revoke { id, places }) => {
            let cell = places.open(environment).await?;
            let revoked = revoke(&cell, id).await;
            cell.close().await?;
            revoked
        }
    }
}

async fn create(cell: &Cell, new: NewCredential) -> anyhow::Result<()> {
    let service = new.service.clone();
    let (notary, clock, entropy) = (cell.notary().await?, Clock::system(), Entropy::system());
    let made = internal_credentials::create(cell.db(), &notary, &clock, &entropy, new).await?;
    eprintln!("{} is a credential of {service}. The secret is shown this once.", made.id);
    print(made.key.reveal())
}

async fn revoke(cell: &Cell, id: InternalCredentialId) -> anyhow::Result<()> {
    let (notary, clock, entropy) = (cell.notary().await?, Clock::system(), Entropy::system());
    match internal_credentials::revoke(cell.db(), &notary, &clock, &entropy, id).await? {
        RevokeOutcome::Revoked => eprintln!("{id} is revoked; no node takes it any more."),
        RevokeOutcome::RevokedBefore => eprintln!("{id} had been revoked before."),
        RevokeOutcome::NotFound => bail!("there is no internal credential {id}"),
    }
    Ok(())
}

/// Fields are parted by tabs, so that scripts can cut them.
fn line(credential: &InternalCredential) -> anyhow::Result<String> {
    let moment = |at: time::OffsetDateTime| at.format(&Rfc3339).context("cannot write a time");
    let over = credential.revoked_at.or(credential.ends_at).map(moment).transpose()?.unwrap_or_else(|| "-".to_owned());
    let InternalCredential { id, service, audiences, created_at, .. } = credential;
    Ok(format!("{id}\t{service}\t{}\t{}\t{over}", audiences.join(","), moment(*created_at)?))
}
