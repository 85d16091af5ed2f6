//! What is sealed opens at its place and nowhere else, and what was altered not at all; each attempt is an alert.

use bailiwick_server::vault::{
    Column, JOB_PAYLOAD, Keks, OPENING_ACTOR, Owner, Parts, Place, REPLAY, RowId, Vault, VaultError,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::time::Duration;
use uuid::Uuid;

use super::keeper::{Cell, Keeper, LONG, alerts, both, workspace};
use crate::harness::cluster::TestDatabase;
use bailiwick_server::entropy::Entropy;

const SECRET: &[u8] = b"the-secret-that-is-sealed";

fn at<'a>(column: &'static Column, row: &'a RowId, subject: Option<u32>) -> Place<'a> {
    Place { column, row: row.as_bytes(), subject }
}

#[tokio::test]
async fn elsewhere_it_does_not_open_and_is_reported() {
    for keeper in both().await {
        let cell = Cell::by(&keeper).await;
        let vault = cell.vault(LONG).await;
        let mine = workspace(1);
        // A column and a subject, where it is sealed and where it is opened.
        let (plain, personal) = ((&JOB_PAYLOAD, None), (&OPENING_ACTOR, Some(7)));
        for (what, owner, sealed_at, opened_at) in [
            ("row", mine, plain, plain),
            ("label", mine, plain, (&REPLAY, None)),
            ("workspace", workspace(2), plain, plain),
            ("cell", Owner::Cell, plain, plain),
            ("subject", mine, personal, (&OPENING_ACTOR, Some(8))),
            ("nobody", mine, personal, (&OPENING_ACTOR, None)),
            ("somebody", mine, plain, (&JOB_PAYLOAD, Some(7))),
        ] {
            let row = RowId::new().text(what).text("a").text("bc");
            let other_row = if what == "row" { RowId::new().text(what).text("ab").text("c") } else { row.clone() };
            let (here, there) = (at(sealed_at.0, &row, sealed_at.1), at(opened_at.0, &other_row, opened_at.1));
            let sealed = vault.seal(mine, &here, SECRET).await.unwrap();
            assert_eq!(vault.unseal(mine, &here, &sealed).await.unwrap()[..], *SECRET);
            assert_eq!(alerts(&vault).await, []);
            let refused = vault.unseal(owner, &there, &sealed).await.unwrap_err();
            assert!(refused.is_tampering(), "{}, another {what}: {refused}", keeper.name());
            let raised = alerts(&vault).await;
            assert_eq!(raised.len(), 1, "{}, another {what}", keeper.name());
            assert_eq!((raised[0].of, raised[0].workspace), (there.column.label, owner.uuid()), "{what}");
        }
    }
}

#[tokio::test]
async fn no_altered_byte_no_cut_and_no_other_version_opens() {
    let cell = Cell::by(&Keeper::Local).await;
    let vault = cell.vault(LONG).await;
    for subject in [None, Some(7)] {
        let row = |what: &str, n: usize| RowId::new().text(&format!("{what} {subject:?}")).text(&n.to_string());
        let length = vault.seal(workspace(1), &at(&JOB_PAYLOAD, &row("", 0), subject), SECRET).await.unwrap().len();
        for n in 0..length {
            let flipped = row("flipped", n);
            let place = at(&JOB_PAYLOAD, &flipped, subject);
            let mut sealed = vault.seal(workspace(1), &place, SECRET).await.unwrap();
            sealed[n] ^= 1;
            let refused = vault.unseal(workspace(1), &place, &sealed).await.unwrap_err();
            assert!(refused.is_tampering(), "byte {n}: {refused}");
            sealed[n] ^= 1;
            let refused = vault.unseal(workspace(1), &place, &sealed[..n]).await.unwrap_err();
            assert!(refused.is_tampering(), "cut at {n}: {refused}");
            assert!(vault.unseal(workspace(1), &place, &sealed).await.is_ok());
            assert!(!alerts(&vault).await.is_empty(), "byte {n}");
        }
    }
}

/// A wrapped key with one byte changed after another, then cut after each; in a text of the engine, what is beneath its
/// base64.
fn altered(wrapped: &[u8]) -> Vec<Vec<u8>> {
    let (prefix, bytes) = match std::str::from_utf8(wrapped).ok().and_then(|text| text.rsplit_once(':')) {
        Some((prefix, base64)) => (format!("{prefix}:"), STANDARD.decode(base64).unwrap()),
        None => (String::new(), wrapped.to_vec()),
    };
    let spelled = |bytes: &[u8]| match prefix.as_str() {
        "" => bytes.to_vec(),
        prefix => format!("{prefix}{}", STANDARD.encode(bytes)).into_bytes(),
    };
    let flipped = (0..bytes.len()).map(|at| {
        let mut bytes = bytes.clone();
        bytes[at] ^= 1;
        spelled(&bytes)
    });
    let cut = (0..bytes.len()).map(|length| spelled(&bytes[..length]));
    let of_prefix = (0..prefix.len()).map(|at| {
        let mut text = wrapped.to_vec();
        text[at] ^= 1;
        text
    });
    flipped.chain(cut).chain(of_prefix).collect()
}

#[tokio::test]
async fn a_wrapped_key_that_was_altered_unwraps_nowhere() {
    for keeper in both().await {
        let cell = Cell::by(&keeper).await;
        let vault = cell.vault(LONG).await;
        let (owner, row) = (workspace(1), RowId::new().text("a"));
        let place = at(&JOB_PAYLOAD, &row, None);
        let sealed = vault.seal(owner, &place, SECRET).await.unwrap();
        // Remembers nothing of this owner.
        let impatient = cell.vault(Duration::ZERO).await;
        let put = async |wrapped: &[u8]| {
            let put = sqlx::query("UPDATE vault_deks SET wrapped = $1 WHERE workspace_id = $2");
            put.bind(wrapped).bind(owner.uuid()).execute(&cell.database.owner).await.unwrap();
        };
        let wrapped: Vec<u8> = sqlx::query_scalar("SELECT wrapped FROM vault_deks WHERE workspace_id = $1")
            .bind(owner.uuid())
            .fetch_one(&cell.database.owner)
            .await
            .unwrap();
        for (n, other) in altered(&wrapped).into_iter().enumerate() {
            put(&other).await;
            let refused = impatient.unseal(owner, &place, &sealed).await.unwrap_err();
            assert!(matches!(refused, VaultError::WrapRefused), "{}, {n}: {refused}", keeper.name());
        }
        let raised = alerts(&impatient).await;
        assert!(raised.iter().any(|alert| alert.of == "vault_deks" && alert.workspace == owner.uuid()), "{raised:?}");
        // Another owner's, and another version's, are as good as altered.
        vault.keys(workspace(2)).await.unwrap();
        let of_other: Vec<u8> = sqlx::query_scalar("SELECT wrapped FROM vault_deks WHERE workspace_id = $1")
            .bind(workspace(2).uuid())
            .fetch_one(&cell.database.owner)
            .await
            .unwrap();
        put(&of_other).await;
        assert!(matches!(impatient.keys(owner).await.unwrap_err(), VaultError::WrapRefused));
        put(&wrapped).await;
        assert_eq!(impatient.unseal(owner, &place, &sealed).await.unwrap()[..], *SECRET, "{}", keeper.name());
    }
}

#[tokio::test]
async fn one_region_s_kek_opens_nothing_of_another() {
    for keeper in both().await {
        let (here, there) = (Cell::by(&keeper).await, Cell::by(&keeper).await);
        // The other cell has a KEK of its own, in the same keeper.
        let there = match &keeper {
            Keeper::Local => there,
            Keeper::Transit(bao, _) => {
                let key = bao.key("elsewhere").await;
                Cell { settings: bailiwick_server::config::Vault { transit: Some(key), ..there.settings }, ..there }
            }
        };
        let (vault, other) = (here.vault(LONG).await, there.vault(Duration::ZERO).await);
        let (owner, row) = (workspace(1), RowId::new().text("a"));
        let place = at(&JOB_PAYLOAD, &row, None);
        let sealed = vault.seal(owner, &place, SECRET).await.unwrap();
        other.keys(owner).await.unwrap();
        assert!(other.unseal(owner, &place, &sealed).await.is_err(), "{}", keeper.name());

        copy_keys(&here, &there, owner).await;
        let refused = other.unseal(owner, &place, &sealed).await.unwrap_err();
        assert!(
            matches!(refused, VaultError::KekMissing { .. } | VaultError::DoesNotOpen | VaultError::UnknownKey),
            "{}: {refused}",
            keeper.name()
        );
        // Not even by a KEK that both regions were given by mistake: the cell is bound into each wrap.
        let keks = Keks::configured(&here.settings, here.settings.keeper, &Entropy::system()).unwrap();
        let refused = Vault::open(Parts { keks, ..there.parts(LONG).await }).await.unwrap_err();
        assert!(matches!(refused, VaultError::WrapRefused), "{}: {refused}", keeper.name());
    }
}

/// Has one cell hold what another's database and anchor store hold of its own keys and of an owner's.
async fn copy_keys(from: &Cell, to: &Cell, owner: Owner) {
    type Row = (Uuid, i32, Uuid, Vec<u8>, String, i32, i64, time::OffsetDateTime);
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT workspace_id, version, dek_id, wrapped, kek, kek_version, uses, created_at FROM vault_deks",
    )
    .fetch_all(&from.database.owner)
    .await
    .unwrap();
    assert_eq!(rows.len(), 2);
    sqlx::query("DELETE FROM vault_deks").execute(&to.database.owner).await.unwrap();
    for (workspace, version, dek, wrapped, kek, kek_version, uses, created_at) in rows {
        sqlx::query("INSERT INTO vault_deks VALUES ($1, $2, $3, $4, $5, $6, $7, $8)")
            .bind(workspace)
            .bind(version)
            .bind(dek)
            .bind(wrapped)
            .bind(kek)
            .bind(kek_version)
            .bind(uses)
            .bind(created_at)
            .execute(&to.database.owner)
            .await
            .unwrap();
    }
    let (from_id, to_id) = (from.parts(LONG).await.cell, to.parts(LONG).await.cell);
    for whose in [Uuid::nil(), owner.uuid()] {
        let object = |database: &TestDatabase, cell: Uuid| database.anchor_dir.join(format!("{cell}/vault/{whose}"));
        std::fs::copy(object(&from.database, from_id), object(&to.database, to_id)).unwrap();
    }
}
