//! Where a command of the operator's finds the cell's database: at the settings of `serve`, or in the directory of a
//! `bailiwickd dev`, whose database it starts itself when nobody else has.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use bailiwick_server::config::{Draft, Environment, Faults, Mode, Pooler};
use bailiwick_server::db::Db;
use bailiwick_server::db::embedded::{self, DataDir, Embedded, EmbeddedError, Search, Tuning};
use bailiwick_server::entropy::Entropy;
use clap::Args;

use super::Layers;

/// Connections that such a command needs.
const POOL_SIZE: u32 = 2;

/// Where the database is.
#[derive(Debug, Args)]
pub(super) struct Place {
    /// The directory of a `bailiwickd dev`, running or not; without it the settings of `serve` count
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    #[command(flatten)]
    layers: Layers,
}

/// What a command works on.
pub(super) struct Opened {
    pub(super) db: Db,
    pub(super) found_in: FoundIn,
    /// Started for this command, and stopped after it.
    database: Option<Embedded>,
}

/// What told where the database is.
pub(super) enum FoundIn {
    DataDir(PathBuf),
    Settings(Box<Draft>),
}

impl Place {
    pub(super) async fn open(self, environment: &Environment) -> anyhow::Result<Opened> {
        match self.data_dir {
            Some(data_dir) => of_data_dir(&data_dir, environment).await,
            None => of_settings(self.layers, environment),
        }
    }
}

impl Opened {
    pub(super) async fn close(self) -> anyhow::Result<()> {
        self.db.close().await;
        match self.database {
            Some(database) => database.stop().await.context("cannot stop the database"),
            None => Ok(()),
        }
    }
}

async fn of_data_dir(data_dir: &Path, environment: &Environment) -> anyhow::Result<Opened> {
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
    let db = Db::connect(&urls.runtime, &urls.system, POOL_SIZE, Pooler::None)?;
    Ok(Opened { db, found_in: FoundIn::DataDir(data_dir), database })
}

fn of_settings(layers: Layers, environment: &Environment) -> anyhow::Result<Opened> {
    let mut faults = Vec::new();
    let draft = Draft::parse(&layers.settings(environment), Mode::Serve, &mut faults);
    if !faults.is_empty() {
        return Err(Faults(faults).into());
    }
    let (runtime, system) = draft.databases().context("database.runtime_url and database.system_url are not set")?;
    let db = Db::connect(runtime, system, POOL_SIZE, draft.pooler())?;
    Ok(Opened { db, found_in: FoundIn::Settings(Box::new(draft)), database: None })
}
