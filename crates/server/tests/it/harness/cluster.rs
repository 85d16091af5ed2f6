//! One PostgreSQL for the whole test process, and a database of its own for each test.
//!
//! The cluster is made by the embedded database's own code, without fsync. A template is migrated once; a test's
//! database is a copy of it (some 20 ms). The databases are not dropped: a scan of the cluster's files after the run
//! looks for secrets.
//!
//! The cluster stops when the test process ends: see `reaper`.

use std::path::PathBuf;
use std::process::Child;
use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};

use bailiwick_server::config::{AnchorPlace, Bucket};
use bailiwick_server::db::MIGRATOR;
use bailiwick_server::db::embedded::{DataDir, Embedded, Search, Tuning, Urls};
use bailiwick_server::entropy::Entropy;
use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgPool};
use tokio::sync::OnceCell;

use super::reaper::reaper;
use super::run_dir::{run_dir, variable};
use super::vault::make_kek;

const TEMPLATE: &str = "bailiwick_template";
const TUNING: Tuning =
    Tuning { cluster_name: "bailiwick-tests", max_connections: 300, prepared_transactions: 4, durable: false };

static CLUSTER: OnceCell<Cluster> = OnceCell::const_new();
static NEXT: AtomicU32 = AtomicU32::new(1);

struct Cluster {
    embedded: Embedded,
    /// Holds the pipe that the reaper waits on.
    _reaper: Child,
}

/// A migrated, empty database that no other test sees.
#[derive(Clone)]
pub struct TestDatabase {
    /// The URLs of the three roles.
    pub urls: Urls,
    /// The superuser's URL, for looking behind every wall.
    pub superuser_url: SecretString,
    /// A pool of the owner's, who sees all rows.
    pub owner: PgPool,
    /// Where the journal of what was signed in it lies.
    pub anchor_dir: PathBuf,
    /// The file of its KEK.
    pub kek_file: PathBuf,
    /// In which bucket it lies instead.
    pub bucket: Option<Bucket>,
}

impl TestDatabase {
    /// Makes the database; the first call of the process makes the cluster too.
    pub async fn create() -> Self {
        Self::copy_of(Some(TEMPLATE)).await
    }

    /// An empty database without any migration.
    pub async fn create_unmigrated() -> Self {
        Self::copy_of(None).await
    }

    async fn copy_of(template: Option<&str>) -> Self {
        let cluster = CLUSTER.get_or_init(Cluster::start).await;
        let name = format!("t_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        cluster.embedded.create_database(&name, template).await.unwrap();
        let urls = cluster.embedded.urls_of(&name);
        let superuser_url = cluster.embedded.superuser_url(&name);
        let owner = PgPoolOptions::new().max_connections(4).connect_lazy_with(options(&urls.owner));
        let anchor_dir = cluster.embedded.dir().path().join("anchors").join(&name);
        let kek_file = cluster.embedded.dir().path().join("keks").join(format!("{name}.json"));
        make_kek(&kek_file);
        Self { urls, superuser_url, owner, anchor_dir, bucket: None, kek_file }
    }

    /// Where its anchor store is.
    pub fn anchor(&self) -> AnchorPlace {
        match &self.bucket {
            Some(bucket) => AnchorPlace::Bucket(bucket.clone()),
            None => AnchorPlace::Folder(self.anchor_dir.clone()),
        }
    }

    /// The same as environment variables.
    pub fn anchor_variables(&self) -> Vec<(&'static str, String)> {
        let Some(bucket) = &self.bucket else {
            return vec![("BAILIWICK_ANCHOR_DIR", self.anchor_dir.to_str().unwrap().to_owned())];
        };
        vec![
            ("BAILIWICK_ANCHOR_S3_URL", self.anchor().to_string()),
            ("BAILIWICK_ANCHOR_S3_ENDPOINT", bucket.endpoint.clone().unwrap()),
            ("BAILIWICK_ANCHOR_S3_ACCESS_KEY_ID", bucket.access_key_id.clone()),
            ("BAILIWICK_ANCHOR_S3_SECRET_ACCESS_KEY", bucket.secret_access_key.expose_secret().to_owned()),
        ]
    }

    /// A pool of the superuser's, for whom row-level security does not hold.
    pub fn superuser(&self) -> PgPool {
        PgPoolOptions::new().max_connections(2).connect_lazy_with(options(&self.superuser_url))
    }
}

impl Cluster {
    async fn start() -> Self {
        let (path, keep) = place();
        let dir = DataDir::open(&path).unwrap();
        let search = Search::new(variable("PG_BIN"), variable("PATH"));
        let reaper = reaper(&path, (!keep).then_some(path.as_path()));
        let embedded = Embedded::start(dir, &search, TUNING, &Entropy::system()).await.unwrap();
        embedded.create_database(TEMPLATE, None).await.unwrap();
        let mut owner = options(&embedded.urls_of(TEMPLATE).owner).connect().await.unwrap();
        MIGRATOR.run(&mut owner).await.unwrap();
        owner.close().await.unwrap();
        Self { embedded, _reaper: reaper }
    }
}

/// Connection options for a URL, without statement logging.
pub fn options(url: &SecretString) -> PgConnectOptions {
    PgConnectOptions::from_str(url.expose_secret()).unwrap().disable_statement_logging()
}

/// Where the cluster lives, and whether it stays after the run.
fn place() -> (PathBuf, bool) {
    match run_dir() {
        Some(dir) => (dir.join("clusters").join(std::process::id().to_string()), true),
        None => (tempfile::tempdir().unwrap().keep(), false),
    }
}
