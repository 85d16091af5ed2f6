//! One lane's load is not another's wait.

use bailiwick_server::jobs::Registry;

use super::kinds::{Moody, Narrow, Tell};
use super::shop::Shop;
use crate::harness::cluster::options;
use crate::harness::process::until;

/// Ten thousand wait in one workspace; what another one hands over is not behind them.
#[tokio::test]
async fn ten_thousand_of_one_workspace_delay_nobody_else() {
    let shop = Shop::open().await;
    let many: Vec<String> = (0..10_000).map(|n| format!("many {n}")).collect();
    shop.enqueue::<Tell>(&many).await;
    let other = shop.beside("globex").await;
    let few: Vec<String> = (0..20).map(|n| format!("few {n}")).collect();
    let tell = Tell::default();
    let (told, mut handed_over) = (tell.clone(), false);
    shop.work(Registry::default().with(tell.clone()), 4, async || {
        if !handed_over && told.told().len() > 100 {
            handed_over = true;
            other.enqueue::<Tell>(&few).await;
        }
        handed_over && told.told().iter().filter(|word| word.starts_with("few")).count() == few.len()
    })
    .await;
    let order = tell.told();
    let last = order.iter().rposition(|word| word.starts_with("few")).unwrap();
    assert!(last < 6_000, "the few were done after {last} of the many");
}

/// A thousand that fail again and again have a lane of their own.
#[tokio::test]
async fn retries_starve_nobody() {
    let shop = Shop::open().await;
    shop.enqueue::<Moody>(&vec!["never".to_owned(); 1_000]).await;
    shop.execute("UPDATE jobs_ready SET retrying = true, attempts = 1 WHERE kind = 'test.moody'").await;
    shop.enqueue::<Moody>(&["fine".to_owned()]).await;
    let fresh = "SELECT count(*) FROM jobs_ready WHERE kind = 'test.moody' AND NOT retrying";
    shop.work(Registry::default().with(Moody), 2, async || shop.number(fresh).await == 0).await;
    assert!(shop.left().await > 200, "the new one did not wait for the retries");
}

/// With a transaction held open elsewhere, nothing that is done can be cleaned up. Some 750 claims that each stepped over
/// all of it would read a million entries of the index.
#[tokio::test]
async fn a_claim_does_not_step_over_what_is_done() {
    const JOBS: usize = 3_000;
    let shop = Shop::open().await;
    let mut held = sqlx::ConnectOptions::connect(&options(&shop.app.database.urls.owner)).await.unwrap();
    sqlx::raw_sql("BEGIN; SELECT pg_current_xact_id()").execute(&mut held).await.unwrap();
    shop.enqueue::<Narrow>(&(0..JOBS).map(|n| n.to_string()).collect::<Vec<_>>()).await;
    let narrow = Narrow::default();
    let told = || narrow.0.told().len();
    shop.work(Registry::default().with(narrow.clone()), 8, async || told() == JOBS && shop.left().await == 0).await;
    // Statistics are told by a backend once it has been idle for a while.
    let read = "SELECT coalesce(sum(idx_tup_read), 0)::bigint FROM pg_stat_user_indexes WHERE indexrelname = 'jobs_ready_by_lane'";
    until(async || shop.number(read).await >= i64::try_from(JOBS).unwrap()).await;
    let read = shop.number(read).await;
    sqlx::raw_sql("ROLLBACK").execute(&mut held).await.unwrap();
    assert!(read < 400_000, "{read} index entries were read for {JOBS} jobs");
}
