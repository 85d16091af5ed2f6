//! Everything is sealed anew, column by column of the registry, while it is used.

use bailiwick_server::authz::Notary;
use bailiwick_server::authz::vouched::standing;
use bailiwick_server::clock::Clock;
use bailiwick_server::vault::{COLUMNS, Owner, Resealed, Vault};
use reqwest::Method;
use serde_json::json;
use sqlx::{AssertSqlSafe, PgPool};
use tokio::sync::Notify;

use super::keeper::{Cell, Keeper, LONG};
use super::load::Served;
use crate::harness::authenticator::{Authenticator, Lie};
use crate::jobs::kinds::Tell;
use crate::jobs::shop::Shop;
use crate::passkeys;

/// How many values of each column are not sealed by the newest version of their owner's key.
async fn left(pool: &PgPool) -> Vec<(String, i64, i64)> {
    let mut left = Vec::new();
    for stand in COLUMNS.iter().filter_map(|column| column.stand.as_ref()) {
        let (table, column) = (stand.table, stand.column);
        let of_cell = "'00000000-0000-0000-0000-000000000000'::uuid";
        let owner = if stand.owner == bailiwick_server::vault::OwnedBy::Cell { of_cell } else { "s.workspace_id" };
        let statement = format!(
            "SELECT count(*) FILTER (WHERE substring(s.{column} from 21 for 4) <> int4send(
                (SELECT max(version) FROM vault_deks d WHERE d.workspace_id = {owner}))), count(*)
             FROM {table} s WHERE s.{column} IS NOT NULL"
        );
        let (old, all) = sqlx::query_as(AssertSqlSafe(statement)).fetch_one(pool).await.unwrap();
        left.push((format!("{table}.{column}"), old, all));
    }
    left
}

/// Something in each column that a row can stand in without a feature that is not there yet.
async fn filled() -> (Served, Shop) {
    let shop = Shop::open().await;
    shop.enqueue::<Tell>(&(0..450).map(|n| n.to_string()).collect::<Vec<_>>()).await;
    let app = shop.app.another_node().await;
    let served = Served::by(app).await;
    assert_eq!(served.make("first").await.status, 201);
    let body = json!({"name": "kept", "slug": "kept"});
    let founding = served.app.call(Method::POST, "/v1/workspaces").json(&body).bearer(&served.person.access_token);
    assert_eq!(founding.header("idempotency-key", "founding").send().await.status, 201);
    let path = format!("/v1/workspaces/{}/secrets", served.workspace);
    let secret = json!({"name": "kept", "kind": "generic", "value": "a secret that is kept"});
    assert_eq!(served.app.post(&path, &secret).bearer(&served.person.access_token).send().await.status, 201);
    let path = format!("/v1/workspaces/{}/audit/filters", served.workspace);
    let filter = json!({"name": "kept", "actor": "jane", "target": "bob"});
    assert_eq!(served.app.post(&path, &filter).bearer(&served.person.access_token).send().await.status, 201);
    let path = format!("/v1/workspaces/{}/audit/stream", served.workspace);
    let stream = json!({
        "endpoint": "https://bucket.invalid", "region": "eu-1", "bucket": "acme", "access_key_id": "id",
        "secret_access_key": "the-key-of-a-bucket-that-is-nowhere",
    });
    let call = served.app.call(Method::PUT, &path).json(&stream).bearer(&served.person.access_token);
    assert_eq!(call.send().await.status, 200);
    let proof = json!({"refresh_token": served.person.refresh_token});
    assert_eq!(served.app.post("/auth/refresh", &proof).send().await.status, 200);
    let grace = served.app.sign_in("grace@example.com").await;
    let mut device = Authenticator::new(&served.app.url);
    assert_eq!(passkeys::register(&served.app, &grace, &mut device, &Lie::default()).await.status, 201);
    passkeys::challenge(&served.app).await;
    let heidi = served.app.sign_in("heidi@example.com").await;
    crate::factors::begin(&served.app, &heidi, "Telephone").await;
    served.app.numbered().await;
    (served, shop)
}

async fn renew_all(vault: &Vault) {
    for owner in vault.everybody().await.unwrap() {
        vault.renew(owner).await.unwrap();
    }
}

async fn reseal_all(vault: &Vault) -> Resealed {
    let mut all = Resealed::default();
    for owner in vault.everybody().await.unwrap() {
        let of_owner = vault.reseal(owner, |_| {}).await.unwrap();
        all.done += of_owner.done;
        all.refused += of_owner.refused;
        all.erased += of_owner.erased;
    }
    all
}

#[tokio::test]
async fn nothing_is_left_under_an_older_key_and_all_of_it_is_used_meanwhile() {
    let (served, shop) = filled().await;
    let database = served.app.database.clone();
    let vault = Cell::on(database.clone(), &Keeper::Local).vault(LONG).await;
    let owner = database.superuser();
    for (column, old, all) in left(&owner).await {
        assert!(old == 0 && all > 0, "{column}: {old} of {all}");
    }
    let me = served.events("?limit=1").await.json()["data"][0]["actor"].as_str().unwrap().to_owned();
    let by_me = format!("?actor={me}&limit=100");
    let found = async || served.events(&by_me).await.json()["data"].as_array().unwrap().len();
    let before = found().await;
    assert!(before > 0);
    renew_all(&vault).await;
    assert!(left(&owner).await.iter().all(|(_, old, all)| old == all), "{:?}", left(&owner).await);
    assert_eq!(found().await, before, "what stands under an older index is found");
    served
        .while_serving(async {
            let jobs = Owner::of(shop.workspace);
            let a_page = Notify::new();
            tokio::select! {
                biased;
                () = a_page.notified() => {}
                done = vault.reseal(jobs, |_| a_page.notify_one()) => panic!("not cut off: {done:?}"),
            }
            let of_jobs = left(&owner).await.into_iter().find(|(column, ..)| column == "job_payloads.payload_sealed");
            assert!(of_jobs.is_some_and(|(_, old, all)| old > 0 && old < all), "cut off in the middle");
            let restarted = Cell::on(database.clone(), &Keeper::Local).vault(LONG).await;
            let resealed = reseal_all(&restarted).await;
            assert!(resealed.done > 250 && resealed.refused == 0 && resealed.erased == 0, "{resealed:?}");
            assert!(found().await >= before);
        })
        .await;
    // What was made meanwhile by whoever had not heard of the successor is found by a second run.
    reseal_all(&vault).await;
    served.app.numbered().await;
    let after = left(&owner).await;
    assert!(after.iter().all(|(_, old, _)| *old == 0), "{after:?}");
    assert_eq!(reseal_all(&vault).await, Resealed::default());
    assert!(found().await >= before, "and under the newest");
    let notary = Notary::open(&vault).await.unwrap();
    let vouched = standing::vouch_anew(&served.app.db, &notary, Clock::system().now()).await.unwrap();
    assert!(vouched > 0, "rows are vouched for under the newest key");
    // The older keys are not needed any more: nothing opens by them, and everything opens without them.
    sqlx::query("DELETE FROM vault_deks d WHERE version < (SELECT max(version) FROM vault_deks n WHERE n.workspace_id = d.workspace_id)")
        .execute(&owner)
        .await
        .unwrap();
    let served = served.at(served.app.another_node().await).await;
    assert!(served.events(&by_me).await.json()["data"].as_array().is_some_and(|events| events.len() >= before));
    assert_eq!(served.make("first").await.status, 201, "the kept answer");
}
