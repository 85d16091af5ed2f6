//! A PostgreSQL of a test's own, durable, which the test may stop, start again, and replace by an older copy of itself.

use super::vault::make_kek;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use bailiwick_server::db::MIGRATOR;
use bailiwick_server::db::embedded::{DataDir, Embedded, Search, Tuning};
use bailiwick_server::entropy::Entropy;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sqlx::postgres::PgPoolOptions;
use sqlx::{ConnectOptions as _, Connection as _};

use super::cluster::{TestDatabase, options};
use super::reaper::reaper;
use super::run_dir::variable;

const TUNING: Tuning =
    Tuning { cluster_name: "bailiwick-tests", max_connections: 120, prepared_transactions: 0, durable: true };

/// The cluster, which ends with the test.
pub struct OwnCluster {
    /// Its migrated database.
    pub database: TestDatabase,
    embedded: Embedded,
    root: PathBuf,
    _reaper: Child,
}

impl OwnCluster {
    /// A new one.
    pub async fn start() -> Self {
        let root = tempfile::tempdir().unwrap().keep();
        let path = root.join("data");
        let dir = DataDir::open(&path).unwrap();
        let reaper = reaper(&path, Some(&root));
        let search = Search::new(variable("PG_BIN"), variable("PATH"));
        let embedded = Embedded::start(dir, &search, TUNING, &Entropy::system()).await.unwrap();
        let urls = embedded.urls();
        let mut owner = options(&urls.owner).connect().await.unwrap();
        MIGRATOR.run(&mut owner).await.unwrap();
        let name = options(&urls.owner).get_database().unwrap().to_owned();
        owner.close().await.unwrap();
        let owner = PgPoolOptions::new().max_connections(4).connect_lazy_with(options(&urls.owner));
        let (anchor_dir, kek_file) = (root.join("anchor"), root.join("keys/kek.json"));
        make_kek(&kek_file);
        let superuser_url = embedded.superuser_url(&name);
        let database = TestDatabase { superuser_url, owner, anchor_dir, bucket: None, kek_file, urls };
        Self { database, embedded, root, _reaper: reaper }
    }

    /// Stops it hard, as `pg_ctl stop -m immediate` does: no checkpoint is made, recovery follows.
    pub async fn stop_hard(&mut self) {
        self.stop(Signal::SIGQUIT).await;
    }

    /// Stops it in good order; connections are cut.
    pub async fn stop_in_order(&mut self) {
        self.stop(Signal::SIGINT).await;
    }

    async fn stop(&mut self, signal: Signal) {
        kill(Pid::from_raw(self.embedded.pid().unwrap()), signal).unwrap();
        self.embedded.died().await;
    }

    /// Starts it again, at the same place.
    pub async fn start_again(&mut self) {
        self.embedded.restart().await.unwrap();
    }

    /// While it is stopped: a copy of all that it holds.
    pub fn copy(&self) -> PathBuf {
        let copy = self.root.join("copy");
        let copied = Command::new("cp").arg("-a").arg(self.data()).arg(&copy).status().unwrap();
        assert!(copied.success());
        copy
    }

    /// While it is stopped: has it hold what it held when the copy was made.
    pub fn put_back(&self, copy: &Path) {
        std::fs::remove_dir_all(self.data()).unwrap();
        std::fs::rename(copy, self.data()).unwrap();
    }

    fn data(&self) -> PathBuf {
        self.root.join("data/postgres/data")
    }
}
