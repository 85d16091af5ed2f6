//! The golden files of the vault's formats, in both directions: we write them out of fixed keys and nonces, and we judge
//! them as they say. They are frozen: what a cell once sealed is opened by whatever comes after.

mod made;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use bailiwick_proof::puncturable::PuncturableKey;
use serde_json::{Value, json};
use time::OffsetDateTime;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::anchored::{Found, Shelf};
use super::column::{COLUMNS, Column, RowId};
use super::envelope::{Envelope, associated_data};
use super::error::VaultError;
use super::kek::{self, Kek, LocalFile, Wrapped};
use super::keys::{Dek, Keys, Place};
use super::mac::{Meaning, RowKeys};
use crate::anchor::AnchorStore;
use crate::config::AnchorPlace;
use crate::entropy::Entropy;

fn path(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors").join(file)
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn hex(value: &Value) -> Vec<u8> {
    let (pairs, rest) = value.as_str().unwrap().as_bytes().as_chunks::<2>();
    assert!(rest.is_empty(), "{value}");
    let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    pairs.iter().map(byte).collect()
}

fn uuid(value: &Value) -> Uuid {
    value.as_str().unwrap().parse().unwrap()
}

fn number(value: &Value) -> u32 {
    value.as_u64().unwrap().try_into().unwrap()
}

fn column(value: &Value) -> &'static Column {
    COLUMNS.into_iter().find(|column| value == column.label).unwrap()
}

fn row(value: &Value) -> RowId {
    value.as_array().unwrap().iter().fold(RowId::new(), |id, part| id.text(part.as_str().unwrap()))
}

/// An owner's keys, as the file has them: versions, and the state of the subjects' keys if there is one.
fn keys(input: &Value) -> Keys {
    let dek = |(version, key): (&String, &Value)| {
        Dek::new(version.parse().unwrap(), Zeroizing::new(hex(key).try_into().unwrap()))
    };
    let versions = input["data_keys"].as_object().unwrap().iter();
    let subjects = input.get("state").map(|state| PuncturableKey::decode(&hex(state)).unwrap());
    let dek_id = input.get("dek").map(uuid).unwrap_or_default();
    let owner = input.get("owner").map(uuid).unwrap_or_default();
    Keys::new(owner, dek_id, versions.map(dek).collect(), subjects, Entropy::counted())
}

fn envelope(input: &Value) -> Result<Value, &'static str> {
    let (row, sealed) = (row(&input["row"]), hex(&input["envelope"]));
    let place =
        Place { column: column(&input["label"]), row: row.as_bytes(), subject: input.get("subject").map(number) };
    let opened = keys(input).open(&place, &sealed).map_err(|error| error.word())?;
    let header = Envelope::parse(&sealed).unwrap().header;
    let data = associated_data(&header.bound(uuid(&input["owner"]), place.column.label), place.row);
    Ok(json!({ "plaintext": to_hex(&opened), "version": header.version, "associated_data": to_hex(&data) }))
}

/// What unwraps a data key without the help of the anchor store.
async fn unwrap(kek: &Kek, cell: Uuid, owner: Uuid, row: &Value) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    let version = number(&row["kek_version"]);
    let wrapped = Wrapped { kek: row["kek"].as_str().unwrap().to_owned(), version, bytes: hex(&row["wrapped"]) };
    kek.unwrap(&kek::about(cell, owner, uuid(&row["dek"]), number(&row["version"])), &wrapped).await
}

fn dek(row: &Value, key: &[u8]) -> Dek {
    Dek::new(number(&row["version"]), Zeroizing::new(key.try_into().unwrap()))
}

async fn wrapped(input: &Value) -> Result<Value, &'static str> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("kek.json");
    fs::write(&file, input["kek_file"].as_str().unwrap()).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let kek = Kek::Local(LocalFile::open(&file, &Entropy::counted()).unwrap());
    let (cell, owner) = (uuid(&input["cell"]), uuid(&input["owner"]));
    let word = |error: VaultError| error.word();
    if owner.is_nil() {
        return Ok(json!({ "data_key": to_hex(&unwrap(&kek, cell, owner, &input["row"]).await.map_err(word)?) }));
    }
    let of_cell = unwrap(&kek, cell, Uuid::nil(), &input["cell_row"]).await.map_err(word)?;
    let deks = vec![dek(&input["cell_row"], &of_cell)];
    let cell_keys = Keys::new(Uuid::nil(), uuid(&input["cell_row"]["dek"]), deks, None, Entropy::counted());
    let store = AnchorStore::open(&AnchorPlace::Folder(dir.path().join("anchor")), &Entropy::counted()).await.unwrap();
    let name = format!("{cell}/vault/{owner}").parse().unwrap();
    store.create(&name, &hex(&input["object"])).await.unwrap();
    let anchored = match Shelf::new(store, cell).find(owner, &cell_keys).await.map_err(word)? {
        Found::Here(anchored, _) => anchored,
        Found::Shredded => return Err(VaultError::Shredded.word()),
        Found::Nothing => return Err(VaultError::AnchorMissing.word()),
    };
    let bound = unwrap(&kek, cell, owner, &input["row"]).await.map_err(word)?;
    let about = kek::about(cell, owner, uuid(&input["row"]["dek"]), number(&input["row"]["version"]));
    let data_key = anchored.release(&about, &bound).map_err(word)?;
    Ok(json!({ "data_key": to_hex(&data_key), "state": to_hex(&anchored.subjects.encode()) }))
}

fn blind_index(input: &Value) -> Result<Value, &'static str> {
    let indexes = keys(input).blind_indexes(column(&input["label"]), &hex(&input["value"])).unwrap();
    let found = indexes.iter().any(|index| input["index"] == to_hex(index));
    if found { Ok(json!({ "newest": indexes.first().map(|index| to_hex(index)) })) } else { Err("not_found") }
}

/// What a row means, each part as `{"<kind>": …}`.
fn meaning(parts: &Value) -> Meaning {
    parts.as_array().unwrap().iter().fold(Meaning::new(), |meaning, part| {
        let (kind, part) = part.as_object().unwrap().iter().next().unwrap();
        match kind.as_str() {
            "bytes" => meaning.bytes(&hex(part)),
            "text" => meaning.text(part.as_str().unwrap()),
            "uuid" => meaning.uuid(uuid(part)),
            "maybe" => meaning.maybe(part.as_str().map(|_| hex(part)).as_deref()),
            "moment_us" => {
                meaning.moment(part.as_i64().map(|us| OffsetDateTime::UNIX_EPOCH + time::Duration::microseconds(us)))
            }
            "list" => meaning.list(part.as_array().unwrap().iter().map(|text| text.as_str().unwrap())),
            _ => panic!("{kind}"),
        }
    })
}

fn row_mac(input: &Value) -> Result<Value, &'static str> {
    let label = input["label"].as_str().unwrap();
    let keys = RowKeys::of(keys(input).mac_keys(label).unwrap()).unwrap();
    match keys.vouches(&meaning(&input["meaning"]), &hex(&input["mac"])) {
        Some(true) => Ok(json!({ "newest": keys.is_newest(&hex(&input["mac"])) })),
        Some(false) => Err("not_vouched"),
        None => Err("unknown_key"),
    }
}

async fn judge(file: &str, input: &Value) -> Result<Value, &'static str> {
    match file {
        "envelope.json" => envelope(input),
        "wrapped.json" => wrapped(input).await,
        "blind_index.json" => blind_index(input),
        "row_mac.json" => row_mac(input),
        _ => panic!("{file}"),
    }
}

#[tokio::test]
async fn the_committed_files_are_what_is_written() {
    let (dir, mut stale) = (tempfile::tempdir().unwrap(), Vec::new());
    for (name, made) in made::all().await {
        let made = format!("{}\n", serde_json::to_string_pretty(&made).unwrap());
        if made != fs::read_to_string(path(name)).unwrap_or_default() {
            fs::write(dir.path().join(name), made).unwrap();
            stale.push(name);
        }
    }
    if !stale.is_empty() {
        let dir = dir.keep();
        panic!("{stale:?}: not what is written now, in {}: a format changed, which it must not", dir.display());
    }
}

#[tokio::test]
async fn every_case_is_judged_as_its_file_says() {
    let mut judged = 0;
    for (name, _) in made::all().await {
        let file: Value = serde_json::from_slice(&fs::read(path(name)).unwrap()).unwrap();
        for case in file["good"].as_array().unwrap() {
            assert_eq!(judge(name, &case["input"]).await.as_ref(), Ok(&case["expect"]), "{name}: {}", case["name"]);
            judged += 1;
        }
        for case in file["bad"].as_array().unwrap() {
            let refused = judge(name, &case["input"]).await.expect_err(case["name"].as_str().unwrap());
            assert_eq!(case["detail"], refused, "{name}: {}", case["name"]);
            judged += 1;
        }
    }
    assert!(judged > 60, "{judged}");
}
