//! `bailiwickd people`: look at a person, keep them out, let them in again.

use anyhow::Context as _;
use bailiwick_server::account::operator::{self, Desk, Done, Shown, Who};
use bailiwick_server::authz::Notary;
use bailiwick_server::clock::Clock;
use bailiwick_server::config::Environment;
use bailiwick_server::db::Xid;
use bailiwick_server::entropy::Entropy;
use bailiwick_server::feed::Feed;
use clap::{Args, Subcommand};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::cell::{Cell, Places};
use super::print;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show a person: id, address, since when, since when suspended, sessions that live, workspaces
    Show(Show),
    /// Keep a person out: ends all their sessions, on every node, and no sign-in of theirs succeeds any more
    Suspend(Change),
    /// Let a person in again
    Restore(Change),
}

#[derive(Debug, Args)]
pub(super) struct Show {
    /// Their address or id
    #[arg(value_name = "EMAIL|ID")]
    who: Who,
    #[command(flatten)]
    places: Places,
}

#[derive(Debug, Args)]
pub(super) struct Change {
    /// Their address or id
    #[arg(value_name = "EMAIL|ID")]
    who: Who,
    /// Why, for the installation's log
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    places: Places,
}

/// Runs the command.
pub(super) async fn run(command: Command, environment: &Environment) -> anyhow::Result<()> {
    let (places, task) = match command {
        Command::Show(Show { who, places }) => (places, Task::Show(who)),
        Command::Suspend(Change { who, reason, places }) => (places, Task::Suspend(who, reason)),
        Command::Restore(Change { who, reason, places }) => (places, Task::Restore(who, reason)),
    };
    let cell = places.open(environment).await?;
    let done = carry_out(&cell, task).await;
    cell.close().await?;
    done
}

/// What is to be done.
enum Task {
    Show(Who),
    Suspend(Who, String),
    Restore(Who, String),
}

async fn carry_out(cell: &Cell, task: Task) -> anyhow::Result<()> {
    let (notary, clock, entropy) = (cell.notary().await?, Clock::system(), Entropy::system());
    let desk = Desk { db: cell.db(), notary: &notary, clock: &clock, entropy: &entropy };
    match task {
        Task::Show(who) => print(&line(&operator::show(&desk, &who).await?)?),
        Task::Suspend(who, reason) => {
            let done = operator::suspend(&desk, &who, &reason).await?;
            told_everywhere(cell, &notary, done.changed).await?;
            let Done { user, sessions_ended, .. } = done;
            eprintln!(
                "{user} is suspended, and let in by no node; {sessions_ended} sessions ended. Keys that they have made go on."
            );
            Ok(())
        }
        Task::Restore(who, reason) => {
            let done = operator::restore(&desk, &who, &reason).await?;
            told_everywhere(cell, &notary, done.changed).await?;
            eprintln!("{} may sign in again.", done.user);
            Ok(())
        }
    }
}

/// Waits until no running node decides by what was true before.
pub(super) async fn told_everywhere(cell: &Cell, notary: &Notary, changed: Xid) -> anyhow::Result<()> {
    let feed = Feed::new(cell.db().clone(), notary.clone(), &Clock::system(), &Entropy::system());
    let told = tokio::select! {
        told = feed.barrier(Some(changed)) => told,
        () = feed.watch_others() => Ok(()),
    };
    told.context(
        "it is done, and not every node has said that it knows: run `bailiwickd people show`, and look at the nodes",
    )
}

/// Fields are parted by tabs, so that scripts can cut them.
fn line(person: &Shown) -> anyhow::Result<String> {
    let moment = |at: OffsetDateTime| at.format(&Rfc3339).context("cannot write a time");
    let Shown { user, email, created_at, suspended_at, sessions, workspaces } = person;
    let email = email.as_deref().unwrap_or("-");
    let suspended = suspended_at.map(moment).transpose()?.unwrap_or_else(|| "-".to_owned());
    Ok(format!("{user}\t{email}\t{}\t{suspended}\t{sessions}\t{workspaces}", moment(*created_at)?))
}
