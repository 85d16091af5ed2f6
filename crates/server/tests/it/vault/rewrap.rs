//! The KEK is rotated, and another keeper takes over: no request fails, and nothing is left behind.

use std::time::Duration;

use bailiwick_server::vault::{Keks, Owner, Parts, Rewrapped, Vault};
use tokio::sync::Notify;

use super::keeper::{Cell, Keeper, LONG, both, workspace};
use super::load::Served;
use crate::harness::app::TestApp;
use crate::harness::cluster::TestDatabase;
use bailiwick_server::config;
use bailiwick_server::entropy::Entropy;

/// Data keys are rewrapped by the hundred: so many take two pages and some.
const OWNERS: u128 = 230;
/// So short that keys are unwrapped all the while.
const BRIEF: Duration = Duration::from_millis(100);

/// Rewraps until the first page is done, and is cut off there.
async fn cut_off(vault: &Vault) {
    let a_page = Notify::new();
    tokio::select! {
        biased;
        () = a_page.notified() => {}
        done = vault.rewrap(|_| a_page.notify_one()) => panic!("not cut off: {done:?}"),
    }
}

#[tokio::test]
async fn after_a_rotation_nothing_needs_the_version_before() {
    for keeper in both().await {
        let name = keeper.name();
        let cell = Cell::by(&keeper).await;
        let settings = config::Vault { key_lifetime: BRIEF, ..cell.settings.clone() };
        let served = Served::by(TestApp::keeping(cell.database.clone(), settings).await).await;
        let vault = cell.vault(LONG).await;
        for number in 0..OWNERS {
            vault.keys(workspace(number)).await.unwrap();
        }
        let all = vault.status().await.unwrap().wraps[0].2;
        assert_eq!((vault.status().await.unwrap().left_behind(), vault.status().await.unwrap().version), (0, 1));
        served
            .while_serving(async {
                assert_eq!(vault.rotate_kek().await.unwrap(), 2);
                assert_eq!(vault.status().await.unwrap().left_behind(), all, "{name}");
                cut_off(&vault).await;
                let left = vault.status().await.unwrap().left_behind();
                assert!(left > 0 && left < all, "{name}: {left} of {all}");
                // Another process takes it up.
                let rewrapped = cell.vault(LONG).await.rewrap(|_| {}).await.unwrap();
                assert_eq!(rewrapped, Rewrapped { done: left, refused: Vec::new() }, "{name}");
                let status = vault.status().await.unwrap();
                assert_eq!((status.left_behind(), status.version), (0, 2), "{name}");
                keeper.forget_versions_before(&cell.database, 2).await;
                tokio::time::sleep(BRIEF * 3).await;
            })
            .await;
        let restarted = cell.vault(LONG).await;
        for number in 0..OWNERS {
            restarted.keys(workspace(number)).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_version_that_is_gone_too_early_is_missed_and_the_others_are_done() {
    for keeper in both().await {
        let cell = Cell::by(&keeper).await;
        let vault = cell.vault(LONG).await;
        vault.rotate_kek().await.unwrap();
        // Wrapped by the second; the cell's own by the first.
        vault.keys(workspace(1)).await.unwrap();
        keeper.forget_versions_before(&cell.database, 2).await;
        let rewrapped = vault.rewrap(|_| {}).await.unwrap();
        assert_eq!((rewrapped.done, rewrapped.refused.len()), (0, 1), "{}", keeper.name());
        assert_eq!(rewrapped.refused[0].0, Owner::Cell.uuid());
        assert_eq!(vault.status().await.unwrap().left_behind(), 1);
    }
}

/// The first of them wraps from now on; both unwrap.
fn moving(to: &config::Vault, from: &config::Vault) -> config::Vault {
    let (kek_file, transit) =
        (to.kek_file.clone().or(from.kek_file.clone()), to.transit.clone().or(from.transit.clone()));
    config::Vault { keeper: to.keeper, kek_file, transit, key_lifetime: BRIEF }
}

#[tokio::test]
async fn a_cell_moves_from_one_keeper_to_the_other_and_back() {
    let keeper = Keeper::transit().await;
    let database = TestDatabase::create().await;
    let (local, transit) = (Keeper::Local.settings(&database), keeper.settings(&database));
    let before = Cell::on(database.clone(), &Keeper::Local).vault(LONG).await;
    for number in 0..30 {
        before.keys(workspace(number)).await.unwrap();
    }
    let mut before_it: Option<Served> = None;
    for (name, to, from) in [("to transit", &transit, &local), ("back", &local, &transit)] {
        let cell = Cell { settings: moving(to, from), ..Cell::on(database.clone(), &Keeper::Local) };
        let vault = cell.vault(LONG).await;
        assert!(vault.status().await.unwrap().left_behind() > 20, "{name}");
        // A node with both, whose own upkeep wraps anew too; the one before goes on beside it.
        let served = match &before_it {
            None => Served::by(TestApp::keeping(database.clone(), moving(to, from)).await).await,
            Some(before) => before.at(before.app.another_node_keeping(moving(to, from)).await).await,
        };
        served
            .while_serving(async {
                let rewrapped = vault.rewrap(|_| {}).await.unwrap();
                assert_eq!(rewrapped.refused, [], "{name}");
                tokio::time::sleep(BRIEF * 3).await;
            })
            .await;
        let status = vault.status().await.unwrap();
        assert_eq!((status.left_behind(), status.wraps.len()), (0, 1), "{name}");
        // Without the keeper that it came from.
        let keks = Keks::configured(to, to.keeper, &Entropy::system()).unwrap();
        let alone = Vault::open(Parts { keks, ..cell.parts(LONG).await }).await.unwrap();
        alone.keys(workspace(1)).await.unwrap();
        before_it = Some(served);
    }
}
