//! The keeper of the KEK is away, hangs, refuses, is dead: what is remembered serves for its lifetime, then nothing that
//! needs a key does, nobody else waits, and nothing is lost.

use std::time::{Duration, Instant};

use bailiwick_server::config;
use bailiwick_server::jobs::Registry;
use bailiwick_server::vault::{JOB_PAYLOAD, Place, RowId, VaultError};

use super::keeper::{Cell, Keeper, LONG, alerts, both, workspace};
use super::load::Served;
use crate::harness::app::TestApp;
use crate::harness::process::until;
use crate::jobs::kinds::Tell;
use crate::jobs::shop::Shop;

const LIFETIME: Duration = Duration::from_secs(2);
/// A request that needs no key takes milliseconds; on a busy machine, more.
const AT_ONCE: Duration = Duration::from_millis(1500);
/// The keeper is given up after three seconds.
const GIVEN_UP: Duration = Duration::from_millis(4500);

async fn serve(keeper: &Keeper) -> (Cell, Served) {
    let cell = Cell::by(keeper).await;
    let settings = config::Vault { key_lifetime: LIFETIME, ..cell.settings.clone() };
    let served = Served::by(TestApp::keeping(cell.database.clone(), settings).await).await;
    (cell, served)
}

#[tokio::test]
async fn remembered_keys_serve_for_their_lifetime_and_then_it_says_unavailable() {
    for keeper in both().await {
        let name = keeper.name();
        let (cell, served) = serve(&keeper).await;
        let projects = async || -> i64 {
            sqlx::query_scalar("SELECT count(*) FROM projects").fetch_one(&cell.database.owner).await.unwrap()
        };
        assert_eq!(served.make("before").await.status, 201, "{name}");
        keeper.go_away(&cell.database).await;
        let gone_at = Instant::now();
        let mut served_by_memory = 0;
        while gone_at.elapsed() < LIFETIME / 3 {
            assert_eq!(served.make(&format!("during-{served_by_memory}")).await.status, 201, "{name}");
            served_by_memory += 1;
        }
        assert!(served_by_memory > 0);
        tokio::time::sleep((LIFETIME * 3 / 2).saturating_sub(gone_at.elapsed())).await;
        let before = projects().await;
        // What was made is not made again, what is new is not made, and nothing is kept or shown in the clear.
        for key in ["before", "after"] {
            let refused = served.make(key).await;
            assert_eq!(refused.problem(), (503, "unavailable".to_owned()), "{name}, {key}");
            assert!(refused.headers.contains_key("retry-after"), "{name}");
        }
        assert_eq!(served.events("").await.problem(), (503, "unavailable".to_owned()), "{name}");
        assert_eq!(projects().await, before, "{name}");
        let listed = served.app.get("/v1/workspaces").bearer(&served.person.access_token).send().await;
        assert_eq!(listed.status, 200, "{name}: what needs no key goes on");
        assert_eq!(served.make_at_once("without").await.status, 201, "{name}: so do changes whose answer is not kept");
        keeper.come_back(&cell.database).await;
        until(async || served.make("after").await.status == 201).await;
        assert_eq!(served.events("").await.status, 200, "{name}");
    }
}

#[tokio::test]
async fn a_keeper_that_hangs_is_given_up_and_blocks_nobody() {
    let keeper = Keeper::transit().await;
    let (_cell, served) = serve(&keeper).await;
    let Keeper::Transit(bao, _) = &keeper else { unreachable!() };
    assert_eq!(served.make("before").await.status, 201);
    bao.hang();
    tokio::time::sleep(LIFETIME + Duration::from_millis(100)).await;
    // More than there are connections, all of which need a key; beside them those who need none.
    let need = futures_util::future::join_all((0..30).map(|n| {
        let served = &served;
        async move {
            let begun = Instant::now();
            let refused = served.make(&format!("hang-{n}")).await;
            (refused.problem(), begun.elapsed())
        }
    }));
    let need_none = async {
        let mut longest = Duration::ZERO;
        for _ in 0..20 {
            let begun = Instant::now();
            let listed = served.app.get("/v1/workspaces").bearer(&served.person.access_token).send().await;
            assert_eq!(listed.status, 200);
            longest = longest.max(begun.elapsed());
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        longest
    };
    let (needed, longest) = tokio::join!(need, need_none);
    for (problem, took) in needed {
        assert_eq!(problem, (503, "unavailable".to_owned()));
        assert!(took < GIVEN_UP, "{took:?}");
    }
    // Known to be silent, it costs nobody its patience any more.
    let begun = Instant::now();
    for n in 0..5 {
        assert_eq!(served.make(&format!("later-{n}")).await.status, 503);
    }
    let later = begun.elapsed();
    bao.go_on();
    assert!(later < GIVEN_UP, "{later:?}");
    assert!(longest < AT_ONCE, "{longest:?}");
    until(async || served.make("after").await.status == 201).await;
}

#[tokio::test]
async fn jobs_wait_for_the_keeper_and_no_try_is_counted() {
    for keeper in both().await {
        let shop = Shop::open().await;
        let cell = Cell::on(shop.app.database.clone(), &keeper);
        let tell = Tell::default();
        shop.enqueue::<Tell>(&["one".to_owned(), "two".to_owned()]).await;
        if let Keeper::Transit(..) = keeper {
            let settings = config::Vault { kek_file: Some(cell.database.kek_file.clone()), ..cell.settings.clone() };
            let both = Cell { settings, ..Cell::on(cell.database.clone(), &keeper) };
            both.vault(LONG).await.rewrap(|_| {}).await.unwrap();
        }
        // What works from here on remembers no key.
        let shop = shop.sealing_by(cell.vault(Duration::ZERO).await);
        keeper.go_away(&cell.database).await;
        let claimed = "SELECT coalesce(max(fence), 0) FROM jobs_ready WHERE kind = 'test.tell'";
        shop.work(Registry::default().with(tell.clone()), 2, async || shop.number(claimed).await >= 1).await;
        assert_eq!(tell.told(), [""; 0], "{}", keeper.name());
        let waiting = "SELECT count(*) FROM jobs_ready WHERE kind = 'test.tell' AND attempts = 0";
        until(async || shop.number(waiting).await == 2).await;
        assert_eq!(shop.number("SELECT count(*) FROM jobs_dead").await, 0);
        keeper.come_back(&cell.database).await;
        let due = "UPDATE jobs_ready SET due_at = now() WHERE kind = 'test.tell'";
        shop.work(Registry::default().with(tell.clone()), 2, async || {
            shop.execute(due).await;
            shop.left().await == 0
        })
        .await;
        let mut told = tell.told();
        told.sort();
        assert_eq!(told, ["one", "two"], "{}", keeper.name());
    }
}

#[tokio::test]
async fn once_the_credential_is_taken_back_reads_stop_within_the_lifetime() {
    let keeper = Keeper::transit().await;
    let (_cell, served) = serve(&keeper).await;
    assert_eq!(served.make("before").await.status, 201);
    keeper.revoke().await;
    tokio::time::sleep(LIFETIME).await;
    for key in ["before", "after"] {
        assert_eq!(served.make(key).await.problem(), (503, "unavailable".to_owned()), "{key}");
    }
    assert_eq!(served.events("").await.problem().0, 503);
}

#[tokio::test]
async fn a_keeper_that_is_dead_or_refuses_raises_no_alert() {
    let keeper = Keeper::transit().await;
    let Keeper::Transit(bao, _) = &keeper else { unreachable!() };
    let cell = Cell::by(&keeper).await;
    let vault = cell.vault(Duration::ZERO).await;
    let row = RowId::new().text("a");
    let place = Place { column: &JOB_PAYLOAD, row: row.as_bytes(), subject: None };
    let sealed = vault.seal(workspace(1), &place, b"sealed").await.unwrap();
    keeper.revoke().await;
    let refused = vault.unseal(workspace(1), &place, &sealed).await.unwrap_err();
    assert!(matches!(refused, VaultError::KekRefused(_)), "{refused}");
    bao.die();
    let unavailable = async || {
        let refused = vault.unseal(workspace(1), &place, &sealed).await.unwrap_err();
        matches!(refused, VaultError::KekUnavailable(_))
    };
    assert!(unavailable().await && unavailable().await);
    assert!(matches!(cell.try_vault(LONG).await, Err(VaultError::KekUnavailable(_))));
    assert_eq!(alerts(&vault).await, []);
}
