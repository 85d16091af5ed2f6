//! The look for what nobody was woken for.

use std::time::Duration;

use bailiwick_server::jobs::Registry;
use tokio::time::{sleep, timeout};

use super::kinds::Tell;
use super::shop::Shop;
use crate::harness::process::until;

/// There is a look each second; the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(12);

#[tokio::test]
async fn after_one_that_failed_the_next_comes_as_soon_as_after_any_other() {
    let shop = Shop::open().await;
    // Enqueued by somebody who wakes nobody.
    let asleep = shop.beside_without_waking().await;
    let tell = Tell::default();
    let working = shop.workers(Registry::default().with(tell.clone()), 1).run(async {
        asleep.enqueue::<Tell>(&["first".to_owned()]).await;
        until(async || shop.left().await == 0).await;
        shop.execute("ALTER TABLE jobs_ready RENAME TO jobs_away").await;
        // At least one look falls into this.
        sleep(Duration::from_millis(2_200)).await;
        shop.execute("ALTER TABLE jobs_away RENAME TO jobs_ready").await;
        asleep.enqueue::<Tell>(&["second".to_owned()]).await;
        let done = until(async || shop.left().await == 0);
        timeout(PATIENCE, done).await.expect("it is looked for");
    });
    working.await;
    assert_eq!(tell.told(), ["first", "second"]);
}
