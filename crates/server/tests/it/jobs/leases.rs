//! Whoever lost the lease does nothing any more: not the job's change, not its end.

use std::time::Duration;

use bailiwick_server::jobs::Registry;
use tokio::sync::oneshot;
use tokio::time::sleep;

use super::kinds::{Held, Tell};
use super::shop::Shop;
use crate::harness::process::until;

/// A first node is held up in a job until its lease has run out and a second one has done it; then it goes on. Answers
/// what became of the job meanwhile, just before the second one ends it.
async fn overtaken(word: &str, check: impl AsyncFn(&Shop)) -> Shop {
    overtaken_in(Shop::open().await, word, check).await
}

pub async fn overtaken_in(shop: Shop, word: &str, check: impl AsyncFn(&Shop)) -> Shop {
    let held = Held::new(&shop.db);
    shop.enqueue::<Held>(&[word.to_owned()]).await;
    let (stop, stopped) = oneshot::channel::<()>();
    let first = tokio::spawn(shop.workers(Registry::default().with(held.clone()), 1).run(async move {
        let _told = stopped.await;
    }));
    held.one_has_arrived().await;
    let (second_stop, second_stopped) = oneshot::channel::<()>();
    let second = tokio::spawn(shop.workers(Registry::default().with(held.clone()), 1).run(async move {
        let _told = second_stopped.await;
    }));
    // On a machine that has no time for us, the first node may renew its lease before the second one has looked.
    let expiring = async {
        loop {
            shop.expire_leases_under(1).await;
            sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::select! {
        () = held.one_has_arrived() => {}
        () = expiring => {}
    }
    held.let_pass(1);
    // The first node's end is written by the time that it has stopped.
    stop.send(()).unwrap();
    first.await.unwrap();
    check(&shop).await;
    held.let_pass(2);
    until(async || shop.left().await == 0).await;
    second_stop.send(()).unwrap();
    second.await.unwrap();
    shop
}

pub async fn still_the_seconds(shop: &Shop) {
    let row = "SELECT count(*) FROM jobs_ready WHERE kind = 'test.held' AND fence = 2 AND leased_until > now() AND NOT retrying";
    let there = shop.text("SELECT string_agg(j::text, ';') FROM jobs_ready j").await;
    assert_eq!(shop.number(row).await, 1, "the second node's claim stands as it was: {there:?}");
    assert_eq!(shop.number("SELECT count(*) FROM jobs_dead").await, 0);
}

#[tokio::test]
async fn a_change_under_a_lost_lease_is_not_committed() {
    let shop = overtaken("notes", async |shop: &Shop| {
        still_the_seconds(shop).await;
        assert!(shop.targets("test.noted").await.is_empty(), "the first one's change is not there");
    })
    .await;
    assert_eq!(shop.targets("test.noted").await, ["2"], "the second one's is, once");
}

#[tokio::test]
async fn a_worker_past_its_lease_cannot_end_the_job() {
    overtaken("ends", async |shop: &Shop| still_the_seconds(shop).await).await;
}

#[tokio::test]
async fn a_worker_past_its_lease_cannot_put_it_off() {
    overtaken("fails", async |shop: &Shop| still_the_seconds(shop).await).await;
}

#[tokio::test]
async fn a_worker_past_its_lease_cannot_give_it_up() {
    let shop = overtaken("gives up", async |shop: &Shop| still_the_seconds(shop).await).await;
    assert_eq!(shop.number("SELECT count(*) FROM jobs_dead").await, 0);
}

#[tokio::test]
async fn what_was_not_begun_is_given_back_at_the_end() {
    let shop = Shop::open().await;
    let held = Held::new(&shop.app.db);
    shop.enqueue::<Tell>(&(0..200).map(|n| n.to_string()).collect::<Vec<_>>()).await;
    shop.enqueue::<Held>(&["ends".to_owned(), "ends".to_owned()]).await;
    let (tell, waiting) = (Tell::default(), held.clone());
    let registry = Registry::default().with(tell.clone()).with(held.clone());
    shop.work(registry, 1, async || {
        waiting.one_has_arrived().await;
        // It may end now, and nothing else is begun.
        waiting.let_pass(1);
        true
    })
    .await;
    // The server beside it has workers of its own, who may hold jobs of other kinds.
    assert_eq!(
        shop.number("SELECT count(*) FROM jobs_ready WHERE leased_until IS NOT NULL AND kind LIKE 'test.%'").await,
        0
    );
    assert_eq!(
        shop.number("SELECT count(*) FROM jobs_ready WHERE attempts > 0 AND kind LIKE 'test.%'").await,
        0,
        "and the try does not count"
    );
    let left = usize::try_from(shop.left().await).unwrap();
    assert_eq!(tell.told().len() + 1 + left, 202, "nothing is lost");
}
