//! Cancelling a future at a chosen point, and looking at what it leaves in the database.

use std::future::{Future, poll_fn};
use std::task::Poll;
use std::time::{Duration, Instant};

use sqlx::PgPool;

use crate::harness::cluster::TestDatabase;

/// How long a transaction may take to be rolled back after its request has gone.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long nothing is to be seen before it counts: what was cut may not have begun yet.
const QUIET: Duration = Duration::from_millis(40);

/// What was left behind, and by which cut.
#[derive(Debug, PartialEq, Eq)]
pub struct Leak {
    /// The suspension at which the future was dropped, from 0.
    pub at: usize,
    /// `role: state` of each connection with a transaction.
    pub open: Vec<String>,
}

/// Drops the future when it waits for the `nth` time, from 0; what it gives if it gets to its end before.
pub async fn cut<F: Future>(future: F, nth: usize) -> Option<F::Output> {
    let (mut future, mut waits) = (Box::pin(future), 0);
    poll_fn(move |context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if waits == nth => Poll::Ready(None),
        Poll::Pending => {
            waits += 1;
            Poll::Pending
        }
    })
    .await
}

/// Cuts a future at its first wait, another one at its second, and so on until one gets to its end; the first that
/// leaves a transaction open for good is what is answered. After each cut comes `then`.
pub async fn first_leak<F: Future>(
    database: &TestDatabase,
    make: impl Fn() -> F,
    mut then: impl AsyncFnMut(),
) -> Option<Leak> {
    let watcher = database.superuser();
    for at in 0.. {
        if cut(make(), at).await.is_some() {
            break;
        }
        let open = settled(&watcher).await;
        if !open.is_empty() {
            return Some(Leak { at, open });
        }
        then().await;
    }
    None
}

/// The transactions of the serving roles that are open at this moment: `role: state`.
pub async fn open_transactions(database: &TestDatabase) -> Vec<String> {
    look(&database.superuser()).await
}

/// The same, once there has been time for what runs to end.
pub async fn settle(database: &TestDatabase) -> Vec<String> {
    settled(&database.superuser()).await
}

async fn settled(watcher: &PgPool) -> Vec<String> {
    let quiet = async {
        let mut quiet_since = Instant::now();
        while quiet_since.elapsed() < QUIET {
            if !look(watcher).await.is_empty() {
                quiet_since = Instant::now();
            }
        }
    };
    match tokio::time::timeout(PATIENCE, quiet).await {
        Ok(()) => Vec::new(),
        Err(_) => look(watcher).await,
    }
}

async fn look(watcher: &PgPool) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT usename || ': ' || state FROM pg_stat_activity
         WHERE datname = current_database() AND usename IN ('bailiwick_runtime', 'bailiwick_system')
           AND (xact_start IS NOT NULL OR state <> 'idle') ORDER BY 1",
    )
    .fetch_all(watcher)
    .await
    .unwrap()
}
