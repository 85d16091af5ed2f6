//! Where a secret could come to lie.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use sqlx::postgres::PgConnection;
use sqlx::{ConnectOptions as _, Row as _};
use tokio::process::Command;
use tokio::task::JoinHandle;

use crate::harness::cluster::options;
use crate::harness::process::{DevHome, until};
use crate::harness::programs::pg_dump;

/// What sort of place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Dump,
    Wal,
    /// Any other file of the cluster.
    Data,
    PostgresLog,
    /// `pg_stat_statements`.
    Statements,
    /// `pg_stat_activity`.
    Activity,
    ServerLog,
    Metrics,
    /// The journal of what was signed.
    Anchor,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Dump,
        Self::Wal,
        Self::Data,
        Self::PostgresLog,
        Self::Statements,
        Self::Activity,
        Self::ServerLog,
        Self::Metrics,
        Self::Anchor,
    ];
}

/// One of them, as it was when it was looked at.
pub struct Place {
    pub kind: Kind,
    /// A path, for the report.
    pub name: String,
    pub bytes: Vec<u8>,
}

impl Place {
    fn new(kind: Kind, bytes: impl Into<Vec<u8>>) -> Self {
        Self { kind, name: String::new(), bytes: bytes.into() }
    }
}

fn superuser_url(home: &DevHome) -> String {
    let owner = home.read("postgres.url");
    let (_, place) = owner.split_once('@').unwrap();
    format!("postgres://postgres:{}@{place}", home.read("secrets/superuser_password"))
}

/// Into the server's database.
pub async fn superuser(home: &DevHome) -> PgConnection {
    options(&superuser_url(home).into()).connect().await.unwrap()
}

/// What `serve` refuses and more, from the next start on: every statement of everybody with all its parameters into the log, and statistics of
/// statements.
pub async fn have_postgres_tell_everything(home: &DevHome) {
    let mut superuser = superuser(home).await;
    for setting in [
        "log_statement = 'all'",
        "log_duration = on",
        "log_min_error_statement = 'debug5'",
        "log_error_verbosity = 'verbose'",
        "log_parameter_max_length = -1",
        "log_parameter_max_length_on_error = -1",
    ] {
        for database in ["bailiwick", "postgres"] {
            let statement = format!("ALTER DATABASE {database} SET {setting}");
            sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut superuser).await.unwrap();
        }
    }
    for statement in
        ["CREATE EXTENSION pg_stat_statements", "ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'"]
    {
        sqlx::raw_sql(statement).execute(&mut superuser).await.unwrap();
    }
}

/// As text, which is how most backups leave the house.
pub async fn dump(home: &DevHome) -> Place {
    let dump = Command::new(pg_dump()).args(["--inserts", &superuser_url(home)]).stdin(Stdio::null()).output().await;
    Place::new(Kind::Dump, dump.unwrap().stdout)
}

/// All statements since the first start, whoever made them.
pub async fn statements(home: &DevHome) -> Place {
    let rows = sqlx::query("SELECT s::text FROM pg_stat_statements s").fetch_all(&mut superuser(home).await).await;
    let texts: Vec<String> = rows.unwrap().iter().map(|row| row.get(0)).collect();
    Place::new(Kind::Statements, texts.join("\n"))
}

/// The metrics of the running server.
pub async fn metrics(home: &DevHome) -> Place {
    let metrics = reqwest::get(format!("{}/metrics", home.private_url())).await.unwrap();
    Place::new(Kind::Metrics, metrics.text().await.unwrap())
}

/// All files of a server that has stopped, but for those in which its secrets are meant to be.
pub fn files(home: &DevHome) -> Vec<Place> {
    let mut places = vec![Place::new(Kind::ServerLog, home.log())];
    let mut anchor = home.dir.clone().into_os_string();
    anchor.push("-anchor");
    collect(&home.dir, &mut places);
    collect(Path::new(&anchor), &mut places);
    places
}

fn collect(dir: &Path, places: &mut Vec<Place>) {
    for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        let name = path.display().to_string();
        if kind.is_dir() && !path.ends_with("secrets") {
            collect(&path, places);
        } else if kind.is_file() && !path.ends_with("postgres.url") {
            let kind = match () {
                () if name.contains("-anchor/") => Kind::Anchor,
                () if name.contains("/pg_wal/") => Kind::Wal,
                () if path.ends_with("postgres.log") => Kind::PostgresLog,
                () => Kind::Data,
            };
            places.push(Place { kind, bytes: std::fs::read(&path).unwrap(), name });
        }
    }
}

/// Reads `pg_stat_activity` over and over.
pub struct Watch {
    seen: Arc<Mutex<BTreeSet<String>>>,
    watching: JoinHandle<()>,
    lock: PgConnection,
}

impl Watch {
    /// Of this cluster, from now on.
    pub async fn over(home: &DevHome) -> Self {
        let seen = Arc::new(Mutex::new(BTreeSet::new()));
        let (mut watcher, lock, all) = (superuser(home).await, superuser(home).await, seen.clone());
        let watching = tokio::spawn(async move {
            loop {
                let rows = sqlx::query("SELECT a::text FROM pg_stat_activity a").fetch_all(&mut watcher).await.unwrap();
                all.lock().unwrap().extend(rows.iter().map(|row| row.get::<String, _>(0)));
            }
        });
        Self { seen, watching, lock }
    }

    /// Has work on API keys wait, until such a statement was seen while it ran.
    pub async fn until_seen(&mut self, statement: &str, work: impl Future<Output = ()>) {
        sqlx::raw_sql("BEGIN; LOCK TABLE api_keys IN ACCESS EXCLUSIVE MODE").execute(&mut self.lock).await.unwrap();
        let unlock = async {
            until(async || self.seen.lock().unwrap().iter().any(|row| row.contains(statement))).await;
            sqlx::raw_sql("ROLLBACK").execute(&mut self.lock).await.unwrap();
        };
        tokio::join!(work, unlock);
    }

    /// All rows that there were.
    pub async fn seen(self) -> Place {
        self.watching.abort();
        let _ended = self.watching.await;
        let rows: Vec<String> = self.seen.lock().unwrap().iter().cloned().collect();
        Place::new(Kind::Activity, rows.join("\n"))
    }
}
