//! `bailiwickd ledger`: checks every log against everything that vouches for it, and rotates keys.
//!
//! It works on the database of a running server as well as on that of one that has stopped: with `--data-dir` it starts
//! the embedded database itself when nobody else has.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use bailiwick_proof::environment::Environment as LogEnvironment;
use bailiwick_proof::id::WorkspaceId;
use bailiwick_proof::log::Log;
use bailiwick_server::clock::Clock;
use bailiwick_server::config::{Draft, Environment, Faults, Mode, Pooler, SealingKey};
use bailiwick_server::db::Db;
use bailiwick_server::db::embedded::{self, DataDir, Embedded, EmbeddedError, Search, Tuning};
use bailiwick_server::entropy::Entropy;
use bailiwick_server::ledger::{self, Ledger, LogReport, Report};
use bailiwick_server::vault::LocalSeal;
use clap::{Args, Subcommand};
use secrecy::{ExposeSecret, SecretString};

use super::dev::anchor_beside;
use super::{Layers, NotVerified, print};

/// Connections that such a command needs.
const POOL_SIZE: u32 = 2;

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
    place: Place,
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
    place: Place,
}

/// Where database and anchor store are.
#[derive(Debug, Args)]
pub(super) struct Place {
    /// The directory of a `bailiwickd dev`, running or not; without it the settings of `serve` count
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The anchor store [default: the setting anchor_dir, or the folder beside the data directory]
    #[arg(long, value_name = "DIR")]
    anchor_dir: Option<PathBuf>,
    #[command(flatten)]
    layers: Layers,
}

/// What a command works on.
struct Opened {
    db: Db,
    anchor_dir: PathBuf,
    sealing_key: Option<SealingKey>,
    /// Started for this command, and stopped after it.
    database: Option<Embedded>,
}

/// Runs the command.
pub(super) async fn run(command: Command, environment: &Environment) -> anyhow::Result<()> {
    match command {
        Command::Verify(Verify { place, .. }) => {
            let opened = place.open(environment).await?;
            let report = ledger::inspect(&opened.db, &opened.anchor_dir).await.context("cannot read the ledger");
            opened.close().await?;
            tell(&report?)
        }
        Command::RotateKey(RotateKey { workspace, all, environment: of, place }) => {
            let log = workspace.map_or(Log::Cell, |workspace| Log::Workspace { workspace, environment: of });
            let opened = place.open(environment).await?;
            let rotated = opened.rotate((!all).then_some(log)).await;
            opened.close().await?;
            rotated
        }
    }
}

impl Place {
    async fn open(self, environment: &Environment) -> anyhow::Result<Opened> {
        match self.data_dir {
            Some(data_dir) => of_data_dir(&data_dir, self.anchor_dir, environment).await,
            None => of_settings(self.layers, self.anchor_dir, environment),
        }
    }
}

impl Opened {
    /// One line with the new key for each log.
    async fn rotate(&self, log: Option<Log>) -> anyhow::Result<()> {
        let (clock, entropy) = (Clock::system(), Entropy::system());
        let key = self.sealing_key.as_ref().context("secrets.sealing_key is not set: it opens the ledger's keys")?;
        let parts = ledger::Parts {
            db: self.db.clone(),
            seal: LocalSeal::new(key.bytes(), entropy.clone())?,
            clock,
            entropy,
            anchor_dir: self.anchor_dir.clone(),
            chosen_name: None,
            default_name: String::new(),
        };
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

    async fn close(self) -> anyhow::Result<()> {
        self.db.close().await;
        match self.database {
            Some(database) => database.stop().await.context("cannot stop the database"),
            None => Ok(()),
        }
    }
}

async fn of_data_dir(
    data_dir: &Path,
    anchor_dir: Option<PathBuf>,
    environment: &Environment,
) -> anyhow::Result<Opened> {
    if !data_dir.join("postgres").exists() {
        bail!("{} is no directory of a bailiwickd dev", data_dir.display());
    }
    let data_dir = data_dir.canonicalize().context("cannot resolve the data directory")?;
    let (urls, database) = match DataDir::open(&data_dir) {
        Err(EmbeddedError::InUse { .. }) => (embedded::urls_of_running(&data_dir)?, None),
        Err(error) => return Err(error.into()),
        Ok(dir) => {
            let search = Search::new(environment.get("PG_BIN"), environment.get("PATH"));
            let database = Embedded::start(dir, &search, Tuning::DEV, &Entropy::system()).await?;
            (database.urls(), Some(database))
        }
    };
    let sealing_key = std::fs::read_to_string(data_dir.join("secrets/sealing_key")).map(SecretString::from);
    let sealing_key = sealing_key.ok().and_then(|text| SealingKey::parse(text.expose_secret().trim_end()).ok());
    Ok(Opened {
        db: Db::connect(&urls.runtime, &urls.system, POOL_SIZE, Pooler::None)?,
        anchor_dir: anchor_dir.unwrap_or_else(|| anchor_beside(&data_dir)),
        sealing_key,
        database,
    })
}

fn of_settings(layers: Layers, anchor_dir: Option<PathBuf>, environment: &Environment) -> anyhow::Result<Opened> {
    let mut faults = Vec::new();
    let draft = Draft::parse(&layers.settings(environment), Mode::Serve, &mut faults);
    if !faults.is_empty() {
        return Err(Faults(faults).into());
    }
    let (runtime, system) = draft.databases().context("database.runtime_url and database.system_url are not set")?;
    let anchor_dir = anchor_dir.or_else(|| draft.anchor_dir().map(Path::to_path_buf));
    Ok(Opened {
        db: Db::connect(runtime, system, POOL_SIZE, draft.pooler())?,
        anchor_dir: anchor_dir.context("anchor_dir is not set")?,
        sealing_key: draft.sealing_key().cloned(),
        database: None,
    })
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
