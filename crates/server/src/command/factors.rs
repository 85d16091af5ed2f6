//! `bailiwickd factors`: for somebody who has lost what they sign in with.

use anyhow::bail;
use bailiwick_server::clock::Clock;
use bailiwick_server::config::Environment;
use bailiwick_server::context::RequestContext;
use bailiwick_server::entropy::Entropy;
use bailiwick_server::factors::{self, Reset, Resetting};
use bailiwick_server::identity::EmailAddress;
use bailiwick_server::jobs::Queue;
use clap::{Args, Subcommand};

use super::cell::{Cell, Places};
use super::people::told_everywhere;

/// Of a reason.
const MOST_CHARS: usize = 500;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Take all second factors and sessions of a person away, who is told by mail; the mail alone signs them in from then on
    Reset(Change),
}

#[derive(Debug, Args)]
pub(super) struct Change {
    /// Whose: their address
    #[arg(long, value_name = "EMAIL")]
    user: EmailAddress,
    /// Why, and how you know that it is them, for the installation's log
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    places: Places,
}

/// Runs the command.
pub(super) async fn run(command: Command, environment: &Environment) -> anyhow::Result<()> {
    let Command::Reset(Change { user, reason, places }) = command;
    let reason = reason.trim().to_owned();
    if reason.is_empty() || reason.chars().count() > MOST_CHARS {
        bail!("a reason has 1 to {MOST_CHARS} characters");
    }
    let cell = places.open(environment).await?;
    let done = reset(&cell, &user, &reason).await;
    cell.close().await?;
    done
}

async fn reset(cell: &Cell, user: &EmailAddress, reason: &str) -> anyhow::Result<()> {
    let (notary, clock, entropy) = (cell.notary().await?, Clock::system(), Entropy::system());
    let queue = Queue::new(cell.vault(None).await?, entropy.clone());
    let context = RequestContext::internal(&clock, &entropy);
    let with = Resetting { db: cell.db(), notary: &notary, entropy: &entropy, queue: &queue, context: &context };
    let Some(done) = factors::reset(&with, &user.key(), reason).await? else {
        bail!("nobody has the address {}", user.as_str());
    };
    told_everywhere(cell, &notary, done.changed).await?;
    let Reset { user, authenticators, passkeys, sessions, .. } = done;
    eprintln!(
        "{user} has no second factor any more: {authenticators} authenticators and {passkeys} passkeys are gone, {sessions} sessions ended. \
         The mail alone signs them in until they add one."
    );
    Ok(())
}
