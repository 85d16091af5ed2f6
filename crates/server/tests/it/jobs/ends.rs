//! What becomes of a job that fails, panics, hangs, or takes its process down.

use bailiwick_server::jobs::Registry;

use super::kinds::{Moody, Note};
use super::shop::Shop;

#[tokio::test]
async fn a_failure_is_tried_again_and_given_up_after_the_last_try() {
    tried_again_and_given_up(&Shop::open().await).await;
}

pub async fn tried_again_and_given_up(shop: &Shop) {
    shop.enqueue::<Moody>(&["once", "never", "refused", "hangs", "panics"].map(str::to_owned)).await;
    shop.work(Registry::default().with(Moody), 4, async || shop.left().await == 0).await;
    let dead: Vec<(String, i16)> = sqlx::query_as("SELECT error, attempts FROM jobs_dead ORDER BY error")
        .fetch_all(&shop.app.database.owner)
        .await
        .unwrap();
    let expected = [("not_today 503", 3), ("panicked", 3), ("refused", 1), ("timed_out", 3)];
    assert_eq!(dead, expected.map(|(error, tries)| (error.to_owned(), tries)));
}

#[tokio::test]
async fn a_job_that_takes_its_process_down_each_time_is_given_up_and_the_others_go_on() {
    let shop = Shop::open().await;
    shop.enqueue::<Moody>(&["fine".to_owned()]).await;
    // As a node leaves it that died with its last try under way.
    shop.execute("UPDATE jobs_ready SET attempts = 3, fence = 3, leased_until = now() - interval '1 minute' WHERE kind = 'test.moody'").await;
    shop.enqueue::<Moody>(&["fine".to_owned()]).await;
    shop.work(Registry::default().with(Moody), 2, async || shop.left().await == 0).await;
    assert_eq!(shop.text("SELECT string_agg(error, ',') FROM jobs_dead").await.as_deref(), Some("lease_expired"));
}

#[tokio::test]
async fn a_payload_that_was_tampered_with_or_belongs_to_another_job_is_not_run() {
    let shop = Shop::open().await;
    shop.enqueue::<Note>(&["a".to_owned(), "b".to_owned()]).await;
    shop.execute("UPDATE jobs_ready SET attempts = 9999 WHERE kind = 'test.note'").await;
    shop.execute(
        "UPDATE job_payloads p SET payload_sealed = o.payload_sealed FROM job_payloads o
         WHERE p.workspace_id = o.workspace_id AND p.id <> o.id",
    )
    .await;
    let registry = Registry::default().with(Note(shop.app.db.clone()));
    shop.work(registry, 2, async || shop.left().await == 0).await;
    assert_eq!(shop.number("SELECT count(*) FROM jobs_dead WHERE error = 'payload_does_not_open'").await, 2);
    assert!(shop.targets("test.noted").await.is_empty());
}
