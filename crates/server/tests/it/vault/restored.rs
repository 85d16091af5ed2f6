//! Yesterday's data directory is put back beside today's KEK and anchor store: what was shredded or erased stays so.

use bailiwick_server::vault::{JOB_PAYLOAD, OPENING_ACTOR, Owner, Place, RowId, Vault, VaultError};

use super::keeper::{Cell, Keeper, LONG, workspace};
use crate::harness::own_cluster::OwnCluster;
use crate::harness::process::until;

const ERASED: u32 = 7;

fn subjects() -> [(Owner, Option<u32>); 5] {
    let (shredded, other) = (workspace(1), workspace(2));
    [(shredded, None), (shredded, Some(ERASED)), (other, None), (other, Some(ERASED)), (other, Some(ERASED + 1))]
}

async fn seal(cell: &Cell, vault: &Vault) {
    sqlx::query("CREATE TABLE kept (n bigint PRIMARY KEY, sealed bytea)").execute(&cell.database.owner).await.unwrap();
    for (n, (owner, subject)) in (0..).zip(subjects()) {
        let row = RowId::new().text("a");
        let column = if subject.is_some() { &OPENING_ACTOR } else { &JOB_PAYLOAD };
        let place = Place { column, row: row.as_bytes(), subject };
        let sealed = vault.seal(owner, &place, b"sealed").await.unwrap();
        let keep = sqlx::query("INSERT INTO kept VALUES ($1, $2)").bind(n).bind(sealed);
        keep.execute(&cell.database.owner).await.unwrap();
    }
}

/// What comes of opening each, a word.
async fn opened(cell: &Cell, vault: &Vault) -> Vec<&'static str> {
    let mut words = Vec::new();
    for (n, (owner, subject)) in (0_i64..).zip(subjects()) {
        let row = RowId::new().text("a");
        let column = if subject.is_some() { &OPENING_ACTOR } else { &JOB_PAYLOAD };
        let place = Place { column, row: row.as_bytes(), subject };
        let sealed: Vec<u8> = sqlx::query_scalar("SELECT sealed FROM kept WHERE n = $1")
            .bind(n)
            .fetch_one(&cell.database.owner)
            .await
            .unwrap();
        words.push(vault.unseal(owner, &place, &sealed).await.map_or_else(|error| error.word(), |_| "opens"));
    }
    words
}

#[tokio::test]
async fn an_older_database_gives_nothing_back() {
    let mut cluster = OwnCluster::start().await;
    let cell = Cell::on(cluster.database.clone(), &Keeper::Local);
    let vault = cell.vault(LONG).await;
    seal(&cell, &vault).await;
    assert_eq!(opened(&cell, &vault).await, ["opens"; 5]);
    cluster.stop_in_order().await;
    let yesterday = cluster.copy();
    cluster.start_again().await;

    let cell = Cell::on(cluster.database.clone(), &Keeper::Local);
    let vault = cell.vault(LONG).await;
    vault.shred(workspace(1)).await.unwrap();
    vault.puncture(workspace(2), &[ERASED]).await.unwrap();
    let gone = ["shredded", "shredded", "opens", "erased", "opens"];
    assert_eq!(opened(&cell, &vault).await, gone);
    cluster.stop_in_order().await;
    cluster.put_back(&yesterday);
    cluster.start_again().await;

    let cell = Cell::on(cluster.database.clone(), &Keeper::Local);
    let vault = cell.vault(LONG).await;
    assert_eq!(opened(&cell, &vault).await, gone, "yesterday's database");
    // Nor can the workspace be begun anew under its old name, which would give its rows another key.
    assert!(matches!(vault.keys(workspace(1)).await, Err(VaultError::Shredded)));
    assert_eq!(vault.shred(workspace(1)).await.map_err(|error| error.word()), Ok(()), "again");
    vault.puncture(workspace(2), &[ERASED]).await.unwrap();
    assert_eq!(opened(&cell, &vault).await, gone);
}

#[tokio::test]
async fn a_number_whose_key_is_gone_is_not_given_again() {
    let cell = Cell::by(&Keeper::Local).await;
    let vault = cell.vault(LONG).await;
    let name = |number: u32| format!("secret/{number}");
    let mut given = Vec::new();
    for number in 0..4 {
        given.push(vault.new_subject(workspace(1), &name(number)).await.unwrap());
    }
    assert_eq!(given, [0, 1, 2, 3]);
    vault.forget_subjects(workspace(1), &[1, 2, 3]).await.unwrap();
    // Yesterday's database knows the first of them alone.
    let older = "DELETE FROM vault_subjects WHERE number > 0";
    assert_eq!(sqlx::raw_sql(older).execute(&cell.database.owner).await.unwrap().rows_affected(), 3);
    let number = vault.new_subject(workspace(1), &name(4)).await.unwrap();
    assert_eq!(number, 4, "those in between can seal nothing any more");
    let row = RowId::new().text("a");
    let place = Place { column: &OPENING_ACTOR, row: row.as_bytes(), subject: Some(number) };
    let sealed = vault.seal(workspace(1), &place, b"sealed").await.unwrap();
    assert_eq!(vault.unseal(workspace(1), &place, &sealed).await.unwrap()[..], *b"sealed");
}

#[tokio::test]
async fn nobody_is_numbered_in_a_workspace_that_another_process_has_shredded() {
    let cell = Cell::by(&Keeper::Local).await;
    let (vault, other) = (cell.vault(LONG).await, cell.vault(LONG).await);
    vault.new_subject(workspace(1), "secret/1").await.unwrap();
    other.shred(workspace(1)).await.unwrap();
    // What was fetched a moment ago is taken for what is there, for a moment.
    let mut nth = 1;
    until(async || {
        nth += 1;
        matches!(vault.new_subject(workspace(1), &format!("secret/{nth}")).await, Err(VaultError::Shredded))
    })
    .await;
}
