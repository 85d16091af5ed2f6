//! `bailiwickd ledger`: checks every log against everything that vouches for it, and rotates keys.
//!
//! It works on the database of a running server as well as on that of one that has stopped.

use std::path::PathBuf;

use anyhow::Context;
use bailiwick_proof::environment::Environment as LogEnvironment;
use bailiwick_proof::id::WorkspaceId;
use bailiwick_proof::log::Log;
use bailiwick_server::anchor::AnchorStore;
use bailiwick_server::clock::Clock;
use bailiwick_server::config::{AnchorPlace, Environment, SealingKey};
use bailiwick_server::entropy::Entropy;
use bailiwick_server::ledger::{self, Ledger, LogReport, Report};
use bailiwick_server::vault::LocalSeal;
use clap::{Args, Subcommand};
use secrecy::{ExposeSecret, SecretString};

use super::dev::anchor_beside;
use super::place::{FoundIn, Opened, Place};
use super::{NotVerified, print};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Check every log against its rows, links, roots, signatures and the journal; exit 6 when one is bad
    Verify(Verify),
    /// Give a log another key; the old one signs beside it for 30 days
    RotateKey(RotateKey),
}

#[derive(Debug, Args)]
pub(super) struct Verify {
    /// Every log of the cell
    #[arg(long, required = true)]
    all: bool,
    #[command(flatten)]
    places: Places,
}

#[derive(Debug, Args)]
pub(super) struct RotateKey {
    /// Whose log: a workspace's id; the cell's own if nothing is said
    #[arg(long, value_name = "ID")]
    workspace: Option<WorkspaceId>,
    /// Every log of the cell, as after the loss of the sealing key
    #[arg(long, conflicts_with = "workspace")]
    all: bool,
    /// Which of the workspace's logs: live or test
    #[arg(long, value_name = "ENVIRONMENT", default_value = "live")]
    environment: LogEnvironment,
    #[command(flatten)]
    places: Places,
}

/// Where database and anchor store are.
#[derive(Debug, Args)]
pub(super) struct Places {
    #[command(flatten)]
    database: Place,
    /// The anchor store [default: the setting anchor_dir, or the folder beside the data directory]
    #[arg(long, value_name = "DIR")]
    anchor_dir: Option<PathBuf>,
}

/// What a command works on.
struct Found {
    opened: Opened,
    anchor: AnchorPlace,
    sealing_key: Option<SealingKey>,
}

/// Runs the command.
pub(super) async fn run(command: Command, environment: &Environment) -> anyhow::Result<()> {
    match command {
        Command::Verify(Verify { places, .. }) => {
            let found = places.open(environment).await?;
            let report = ledger::inspect(&found.opened.db, &AnchorStore::at(&found.anchor, &Entropy::system())?)
                .await
                .context("cannot read the ledger");
            found.opened.close().await?;
            tell(&report?)
        }
        Command::RotateKey(RotateKey { workspace, all, environment: of, places }) => {
            let log = workspace.map_or(Log::Cell, |workspace| Log::Workspace { workspace, environment: of });
            let found = places.open(environment).await?;
            let rotated = found.rotate((!all).then_some(log)).await;
            found.opened.close().await?;
            rotated
        }
    }
}

impl Places {
    async fn open(self, environment: &Environment) -> anyhow::Result<Found> {
        let opened = self.database.open(environment).await?;
        let (default, sealing_key) = match &opened.found_in {
            FoundIn::DataDir(data_dir) => {
                let key = std::fs::read_to_string(data_dir.join("secrets/sealing_key")).map(SecretString::from);
                let key = key.ok().and_then(|text| SealingKey::parse(text.expose_secret().trim_end()).ok());
                (Some(AnchorPlace::Folder(anchor_beside(data_dir))), key)
            }
            FoundIn::Settings(draft) => (draft.anchor().cloned(), draft.sealing_key().cloned()),
        };
        let anchor = self
            .anchor_dir
            .map(AnchorPlace::Folder)
            .or(default)
            .context("neither anchor_dir nor anchor.s3_url is set")?;
        Ok(Found { opened, anchor, sealing_key })
    }
}

impl Found {
    /// One line with the new key for each log.
    async fn rotate(&self, log: Option<Log>) -> anyhow::Result<()> {
        let (clock, entropy) = (Clock::system(), Entropy::system());
        let key = self.sealing_key.as_ref().context("secrets.sealing_key is not set: it opens the ledger's keys")?;
        let db = self.opened.db.clone();
        let facts = ledger::establish(&db, &clock, &entropy, None, "").await?;
        let anchor = AnchorStore::open(&self.anchor, &entropy).await?;
        let seal = LocalSeal::new(key.bytes(), entropy.clone())?;
        let parts = ledger::Parts { db, seal, clock, entropy, anchor, facts };
        let ledger = Ledger::open(parts).await?;
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
}

/// One line for each log on stdout; fails when one is bad.
fn tell(report: &Report) -> anyhow::Result<()> {
    let width = report.logs.iter().map(|log| log.origin.len()).max().unwrap_or_default();
    for log in &report.logs {
        let origin = &log.origin;
        match log.damages.as_slice() {
            [] => print(&format!("ok   {origin:width$}  {}", sound(log)))?,
            damages => {
                for damage in damages {
                    let seq = damage.seq.map_or_else(|| "unknown".to_owned(), |seq| seq.to_string());
                    print(&format!("BAD  {origin:width$}  first bad seq {seq}: {}", damage.what))?;
                }
            }
        }
    }
    if let Some(fault) = &report.journal_fault {
        print(&format!("BAD  the journal cannot be read: {fault}"))?;
    }
    if report.journal_is_missing {
        print("BAD  the anchor store has no journal of this cell, though checkpoints were signed")?;
    }
    if report.staged > 0 {
        eprintln!("{} staged entries are not numbered yet: nothing protects them so far.", report.staged);
    }
    if report.is_good() {
        eprintln!("{} logs are what was recorded.", report.logs.len());
        return Ok(());
    }
    Err(NotVerified("a log is not what was recorded; see docs/runbooks/ledger-mismatch.md").into())
}

fn sound(log: &LogReport) -> String {
    let (times, furthest_ms) = log.clock_went_back;
    let clock = if times == 0 {
        String::new()
    } else {
        format!("; the clock stood behind the entry before {times} times, by {furthest_ms} ms at most")
    };
    format!("{} entries, {} checkpoints{clock}", log.good, log.checkpoints)
}
