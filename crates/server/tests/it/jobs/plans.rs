//! A batch costs what is in it, whatever PostgreSQL last counted in the queue.

use bailiwick_server::clock::Clock;
use bailiwick_server::config::Pooler;
use bailiwick_server::db::Db;
use bailiwick_server::jobs::{self, Registry, Workers};

use super::kinds::Tell;
use super::shop::Shop;
use crate::harness::process::until;

const JOBS: usize = 5_000;

/// Entries read of the index by key, which each job is found in once: when it is ended. As far as it has been told.
const READS: &str = "SELECT idx_tup_read FROM pg_stat_user_indexes WHERE indexrelname = 'jobs_ready_pkey'";

/// Has a node of its own do what there is; what its connections have read is told when they are closed.
async fn work(shop: &Shop) {
    let urls = &shop.app.database.urls;
    let db = Db::connect(&urls.runtime, &urls.system, 4, Pooler::None).unwrap();
    let registry = Registry::default().with(Tell::default());
    let (queue, clock) = (shop.queue.clone(), Clock::system());
    let parts = jobs::Parts { db: db.clone(), queue, registry, schedules: Vec::new(), clock, slots: 8 };
    Workers::new(parts).run(until(async || shop.left().await == 0)).await;
    db.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_that_was_counted_while_it_was_empty_is_not_read_whole_for_each_batch() {
    let shop = Shop::open().await;
    let words: Vec<String> = (0..JOBS).map(|n| n.to_string()).collect();
    // Pages that were full once, with nothing in them.
    shop.enqueue::<Tell>(&words).await;
    work(&shop).await;
    shop.execute("VACUUM (ANALYZE) jobs_ready").await;
    let jobs = i64::try_from(JOBS).unwrap();
    until(async || shop.number(READS).await >= jobs / 2).await;
    let before = shop.number(READS).await;

    shop.enqueue::<Tell>(&words).await;
    work(&shop).await;
    until(async || shop.number(READS).await - before >= jobs / 2).await;
    let reads = shop.number(READS).await - before;
    assert!(reads < 4 * jobs, "{reads} index entries read for {jobs} jobs");
}
