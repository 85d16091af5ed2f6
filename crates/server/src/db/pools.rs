//! Four pools: one for the role that serves tenants, one for the operational paths, and two small ones. The feed has one
//! to itself, so that no crowd of requests keeps a node from hearing of a revocation; the vault has the other, for whoever
//! needs a key may hold a connection of each of the first two already.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tokio::sync::Notify;

use super::authority::{AccountAuthority, Authority};
use super::tx::Pool;
use super::{AccountTx, DbError, Listener, OperationalPath, RecordingTx, SystemTx, WorkspaceTx};
use crate::config::Pooler;

const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// One follows, one observes the other nodes, one loads keys.
const FEED_POOL: u32 = 3;
/// Keys are fetched and uses reserved one owner at a time.
const VAULT_POOL: u32 = 3;
/// One for each channel that a node listens on.
const LISTENERS: u32 = 4;

/// The handle to the database. It lends no connection: see the module's invariants.
#[derive(Clone)]
pub struct Db {
    runtime: Pool,
    system: Pool,
    feed: Pool,
    vault: Pool,
    recorded: Arc<Notify>,
    /// For listeners alone; none where a pooler stands between, through which nobody can listen.
    listening: Option<Pool>,
}

impl Db {
    /// Makes the pools; connections are opened when they are needed, so a database that is away for a
    /// moment does not keep the server from starting.
    ///
    /// # Errors
    /// [`DbError::Statement`] for a URL that cannot be read.
    pub fn connect(
        runtime_url: &SecretString,
        system_url: &SecretString,
        pool_size: u32,
        pooler: Pooler,
    ) -> Result<Self, DbError> {
        let system = options(system_url, pooler)?;
        // A pooler hands out another connection with each transaction: nobody can listen through it.
        let listening = (pooler == Pooler::None).then(|| pool(system.clone(), LISTENERS, pooler));
        Ok(Self {
            runtime: pool(options(runtime_url, pooler)?, pool_size, pooler),
            feed: pool(system.clone(), FEED_POOL, pooler),
            vault: pool(system.clone(), VAULT_POOL, pooler),
            system: pool(system, pool_size, pooler),
            recorded: Arc::default(),
            listening,
        })
    }

    /// A tenant's transaction.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] when no connection is to be had within five seconds.
    pub async fn workspace_tx(&self, authority: &impl Authority) -> Result<WorkspaceTx, DbError> {
        WorkspaceTx::open(&self.runtime, authority, self.recorded.clone()).await
    }

    /// A signed-in person's transaction.
    ///
    /// # Errors
    /// As [`Self::workspace_tx`].
    pub async fn account_tx(&self, authority: &impl AccountAuthority) -> Result<AccountTx, DbError> {
        AccountTx::open(&self.runtime, authority).await
    }

    /// The server's own transaction on a named path.
    ///
    /// # Errors
    /// As [`Self::workspace_tx`].
    pub async fn system_tx(&self, path: OperationalPath) -> Result<SystemTx, DbError> {
        let pool = match path {
            OperationalPath::FollowFeed => &self.feed,
            OperationalPath::OpenVault => &self.vault,
            _ => &self.system,
        };
        SystemTx::open(pool, path, self.recorded.clone()).await
    }

    /// A request's transaction that numbers what it records.
    ///
    /// # Errors
    /// As [`Self::workspace_tx`].
    pub async fn recording_tx(&self, authority: &impl Authority) -> Result<RecordingTx, DbError> {
        RecordingTx::open(&self.system, authority, self.recorded.clone()).await
    }

    /// Has the ledger look at what is staged, as a commit does.
    pub fn wake_the_ledger(&self) {
        self.recorded.notify_one();
    }

    /// How many connections each of the two large pools has at most.
    #[must_use]
    pub fn pool_size(&self) -> u32 {
        self.system.connections.options().get_max_connections()
    }

    /// Resolves when a change was committed with an entry since the last call. One waits at a time: the ledger.
    pub async fn recorded(&self) {
        self.recorded.notified().await;
    }

    /// Listens for notifications of other nodes; `None` where a pooler makes that impossible.
    ///
    /// # Errors
    /// [`DbError::Unavailable`].
    pub async fn listen(&self, channel: &str) -> Result<Option<Listener>, DbError> {
        match &self.listening {
            Some(pool) => Listener::open(&pool.connections, channel).await.map(Some),
            None => Ok(None),
        }
    }

    /// Closes every connection, waiting for those in use.
    pub async fn close(&self) {
        let served = [&self.runtime, &self.system, &self.feed, &self.vault].into_iter();
        for pool in self.listening.iter().chain(served) {
            pool.connections.close().await;
        }
    }
}

fn options(url: &SecretString, pooler: Pooler) -> Result<PgConnectOptions, DbError> {
    let mut options =
        PgConnectOptions::from_str(url.expose_secret())?.disable_statement_logging().application_name("bailiwickd");
    if pooler == Pooler::Transaction {
        options = options.statement_cache_capacity(0);
    } else {
        options = options.options([
            ("statement_timeout", "15s"),
            ("lock_timeout", "5s"),
            ("idle_in_transaction_session_timeout", "30s"),
            // On whatever the role's own settings say: off would turn every walled statement into an error.
            ("row_security", "on"),
        ]);
    }
    Ok(options)
}

fn pool(options: PgConnectOptions, size: u32, pooler: Pooler) -> Pool {
    let connections = PgPoolOptions::new()
        .max_connections(size)
        .min_connections(0)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(Duration::from_secs(300))
        .test_before_acquire(false)
        .connect_lazy_with(options);
    Pool { connections, pooler }
}
