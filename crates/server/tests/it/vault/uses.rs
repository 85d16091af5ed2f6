//! Data keys get successors before they have sealed too often or for too long.

use bailiwick_server::vault::{JOB_PAYLOAD, KEY_AGE, MOST_USES, Place, RowId};

use super::keeper::{Cell, Keeper, LONG, workspace};

const SECRET: &[u8] = b"sealed";

/// The version of the data key, which stands in the header.
pub fn version(sealed: &[u8]) -> u32 {
    u32::from_be_bytes(sealed[20..24].try_into().unwrap())
}

async fn uses(cell: &Cell, version: i32) -> i64 {
    let uses = sqlx::query_scalar("SELECT uses FROM vault_deks WHERE workspace_id = $1 AND version = $2");
    uses.bind(workspace(1).uuid()).bind(version).fetch_one(&cell.database.owner).await.unwrap()
}

#[tokio::test]
async fn uses_are_counted_ahead_and_no_restart_forgets_them() {
    let cell = Cell::by(&Keeper::Local).await;
    let row = RowId::new().text("a");
    let place = Place { column: &JOB_PAYLOAD, row: row.as_bytes(), subject: None };
    let mut counted = 0;
    for restart in 0..3 {
        let vault = cell.vault(LONG).await;
        assert_eq!(if restart == 0 { 0 } else { uses(&cell, 1).await }, counted);
        vault.seal(workspace(1), &place, SECRET).await.unwrap();
        let reserved = uses(&cell, 1).await;
        assert!(reserved > counted, "{reserved} after {counted}: counted before it was made");
        // As many as one process reserved, and not one of them again by the next.
        for _ in 0..100 {
            vault.seal(workspace(1), &place, SECRET).await.unwrap();
        }
        assert_eq!(uses(&cell, 1).await, reserved);
        counted = reserved;
    }
    // More at once than are reserved at a time.
    let vault = cell.vault(LONG).await;
    let mut sealer = vault.sealer(workspace(1), 100_000).await.unwrap();
    assert!(uses(&cell, 1).await >= counted + 100_000);
    for _ in 0..100_000 {
        sealer.seal(&place, b"").unwrap();
    }
    assert!(sealer.seal(&place, b"").is_err());
}

#[tokio::test]
async fn a_key_that_is_used_up_seals_no_more() {
    let cell = Cell::by(&Keeper::Local).await;
    let row = RowId::new().text("a");
    let place = Place { column: &JOB_PAYLOAD, row: row.as_bytes(), subject: None };
    let (one, other) = (cell.vault(LONG).await, cell.vault(LONG).await);
    let first = one.seal(workspace(1), &place, SECRET).await.unwrap();
    assert_eq!(version(&first), 1);
    // Another process is about to reserve the last of them.
    let most = i64::try_from(MOST_USES).unwrap();
    let wind = sqlx::query("UPDATE vault_deks SET uses = $1 WHERE workspace_id = $2 AND version = 1");
    wind.bind(most - 65_536).bind(workspace(1).uuid()).execute(&cell.database.owner).await.unwrap();
    assert_eq!(version(&other.seal(workspace(1), &place, SECRET).await.unwrap()), 1);
    assert_eq!(uses(&cell, 1).await, most);
    let restarted = cell.vault(LONG).await;
    let second = restarted.seal(workspace(1), &place, SECRET).await.unwrap();
    assert_eq!(version(&second), 2);
    // Nobody but those who had reserved seals under the first any more, and all that it sealed opens.
    assert!(other.sealer(workspace(1), 65_536).await.is_ok());
    assert_eq!(version(&other.seal(workspace(1), &place, SECRET).await.unwrap()), 2);
    for sealed in [&first, &second] {
        assert_eq!(one.unseal(workspace(1), &place, sealed).await.unwrap()[..], *SECRET);
    }
}

#[tokio::test]
async fn after_ninety_days_a_key_gets_a_successor() {
    let cell = Cell::by(&Keeper::Local).await;
    let row = RowId::new().text("a");
    let place = Place { column: &JOB_PAYLOAD, row: row.as_bytes(), subject: None };
    let vault = cell.vault(LONG).await;
    let first = vault.seal(workspace(1), &place, SECRET).await.unwrap();
    assert_eq!(vault.renew_old_keys(KEY_AGE).await.unwrap(), 0);
    let almost = cell.vault_ahead(KEY_AGE - time::Duration::minutes(1)).await;
    assert_eq!(almost.renew_old_keys(KEY_AGE).await.unwrap(), 0);
    let later = cell.vault_ahead(KEY_AGE + time::Duration::minutes(1)).await;
    assert_eq!(later.renew_old_keys(KEY_AGE).await.unwrap(), 2, "the cell's and the workspace's");
    assert_eq!(later.renew_old_keys(KEY_AGE).await.unwrap(), 0);
    let second = later.seal(workspace(1), &place, SECRET).await.unwrap();
    assert_eq!((version(&first), version(&second)), (1, 2));
    // A process that has not heard of the successor opens by it all the same.
    for sealed in [&first, &second] {
        assert_eq!(vault.unseal(workspace(1), &place, sealed).await.unwrap()[..], *SECRET);
    }
}
