//! Jobs behind PgBouncer in transaction mode: nobody listens, and each transaction may have another connection.

use bailiwick_server::jobs::Registry;

use super::kinds::{Note, Tell};
use super::shop::Shop;
use super::{ends, killed, leases, schedules};

/// Fewer than there are workers and helpers.
const CONNECTIONS: usize = 3;
const KILLS: usize = 10;

#[tokio::test]
async fn what_was_enqueued_is_done_once_by_one_of_two_nodes() {
    let (shop, _pooler) = Shop::behind_a_pooler(CONNECTIONS).await;
    let words: Vec<String> = (0..60).map(|n| n.to_string()).collect();
    shop.enqueue::<Note>(&words).await;
    shop.enqueue::<Tell>(&words).await;
    let tell = Tell::default();
    let node = || {
        shop.work(Registry::default().with(Note(shop.db.clone())).with(tell.clone()), 8, async || {
            shop.left().await == 0
        })
    };
    tokio::join!(node(), node());
    let numbers = |words: Vec<String>| {
        let mut numbers: Vec<usize> = words.iter().map(|word| word.parse().unwrap()).collect();
        numbers.sort_unstable();
        numbers
    };
    let all: Vec<usize> = (0..60).collect();
    assert_eq!(numbers(shop.targets("test.noted").await), all);
    assert_eq!(numbers(tell.told()), all);
}

#[tokio::test]
async fn a_failure_is_tried_again_and_given_up() {
    let (shop, _pooler) = Shop::behind_a_pooler(CONNECTIONS).await;
    ends::tried_again_and_given_up(&shop).await;
}

#[tokio::test]
async fn a_schedule_runs_once_and_catches_up_once() {
    let (shop, _pooler) = Shop::behind_a_pooler(CONNECTIONS).await;
    schedules::run_once_and_caught_up_once(&shop).await;
}

#[tokio::test]
async fn a_change_under_a_lost_lease_is_not_committed() {
    let (shop, _pooler) = Shop::behind_a_pooler(CONNECTIONS).await;
    let shop = leases::overtaken_in(shop, "notes", async |shop: &Shop| leases::still_the_seconds(shop).await).await;
    assert_eq!(shop.targets("test.noted").await, ["2"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_is_killed_loses_and_doubles_nothing() {
    let (shop, _pooler) = Shop::behind_a_pooler(CONNECTIONS).await;
    killed::killed_again_and_again(&shop, KILLS).await;
}
