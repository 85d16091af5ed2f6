//! Our side, in a process of its own: this program again, told so by its environment.
//!
//! The jobs are the cell's, as a sign-in mail is: added in a transaction of their own, on the path that adds mails. Those
//! of a workspace are added by the same statement's twin, in a transaction that writes an entry besides, which would be
//! measured along.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bailiwick_server::anchor::AnchorStore;
use bailiwick_server::authz::PermissionSet;
use bailiwick_server::clock::Clock;
use bailiwick_server::config::{AnchorPlace, Pooler};
use bailiwick_server::db::{Db, OperationalPath, Unrecorded};
use bailiwick_server::entropy::Entropy;
use bailiwick_server::jobs::{self, Claimed, Done, Failure, InCell, Job, Policy, Queue, Registry, Workers};
use bailiwick_server::ledger;
use bailiwick_server::vault::{self, Kek, Keks, LocalFile, Vault};
use secrecy::SecretString;
use sqlx::{Connection, PgConnection};
use tokio::sync::{Mutex, oneshot};

use super::side::{self, Message, Progress, Side, WORKERS};
use crate::harness::block_on;

pub(super) const RUNTIME_URL: &str = "BAILIWICK_BENCH_JOBS_RUNTIME_URL";
pub(super) const SYSTEM_URL: &str = "BAILIWICK_BENCH_JOBS_SYSTEM_URL";
pub(super) const OWNER_URL: &str = "BAILIWICK_BENCH_JOBS_OWNER_URL";
/// As `database.pool_size` is, unless set.
const CONNECTIONS: u32 = 16;

/// Does nothing.
struct Nothing(Arc<Progress>);

impl Job for Nothing {
    const KIND: &'static str = "bench.nothing";
    const POLICY: Policy = Policy::QUICK;
    const PERMISSIONS: PermissionSet = PermissionSet::NONE;
    type Place = InCell;
    type Payload = Message;

    async fn run(&self, claimed: Claimed<Self>, message: Message) -> Result<Done, Failure> {
        self.0.ran(&message);
        Ok(claimed.done())
    }
}

struct Own {
    db: Db,
    queue: Queue,
    /// As the owner, who sees every row.
    counting: Mutex<PgConnection>,
    progress: Arc<Progress>,
}

impl Side for Own {
    fn progress(&self) -> &Progress {
        &self.progress
    }

    async fn add(&self, message: Message) -> anyhow::Result<()> {
        self.add_many(vec![message]).await
    }

    async fn add_many(&self, messages: Vec<Message>) -> anyhow::Result<()> {
        let now = Clock::system().now();
        let mut tx = self.db.system_tx(OperationalPath::RequestSignIn).await?;
        for message in &messages {
            self.queue.enqueue_in_cell::<Nothing>(&mut tx, message, now).await?;
        }
        Ok(tx.commit_unrecorded(Unrecorded::Queued).await?)
    }

    async fn left(&self) -> anyhow::Result<i64> {
        let count = "SELECT count(*) FROM jobs_ready WHERE kind = 'bench.nothing'";
        Ok(sqlx::query_scalar(count).fetch_one(&mut *self.counting.lock().await).await?)
    }

    async fn work(&self, ready: oneshot::Sender<()>, stop: oneshot::Receiver<()>) -> anyhow::Result<()> {
        let (db, queue) = (self.db.clone(), self.queue.clone());
        let registry = Registry::default().with(Nothing(self.progress.clone()));
        let parts = jobs::Parts { db, queue, registry, schedules: Vec::new(), clock: Clock::system(), slots: WORKERS };
        let workers = Workers::new(parts);
        let _nobody_waits = ready.send(());
        workers
            .run(async {
                let _told = stop.await;
            })
            .await;
        Ok(())
    }
}

/// The vault of a cell of its own.
async fn vault(db: &Db, folder: &Path) -> anyhow::Result<Vault> {
    let (clock, entropy) = (Clock::system(), Entropy::system());
    let kek = Kek::Local(LocalFile::make(&folder.join("kek.json"), &entropy, false)?);
    let parts = vault::Parts {
        db: db.clone(),
        keks: Keks::new(kek, Vec::new()),
        anchor: AnchorStore::open(&AnchorPlace::Folder(folder.join("anchor")), &entropy).await?,
        cell: ledger::establish(db, &clock, &entropy, None, "bench").await?.id,
        lifetime: Duration::from_secs(3600),
        clock,
        entropy,
    };
    Ok(Vault::open(parts).await?)
}

/// Serves until nothing more is asked, if this process was started for that; `None` otherwise.
#[expect(clippy::disallowed_methods, reason = "a benchmark has no configuration")]
pub(crate) fn serve_if_asked() -> Option<anyhow::Result<()>> {
    let told = |name| std::env::var(name).context("not all that it takes");
    std::env::var_os(OWNER_URL).map(|_| {
        let (runtime, system, owner) = (told(RUNTIME_URL)?, told(SYSTEM_URL)?, told(OWNER_URL)?);
        block_on(async {
            let db = Db::connect(&SecretString::from(runtime), &SecretString::from(system), CONNECTIONS, Pooler::None)?;
            let entropy = Entropy::system();
            let folder = tempfile::tempdir()?;
            let queue = Queue::new(vault(&db, folder.path()).await?, entropy);
            let counting = Mutex::new(PgConnection::connect(&owner).await?);
            side::serve(Own { db, queue, counting, progress: Arc::default() }).await
        })
    })
}
