//! The journal in a folder, by itself.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::config::AnchorPlace;
use crate::entropy::Entropy;

fn head(size: u64) -> Head {
    Head { size, root: Hash::new([u8::try_from(size).unwrap(); 32]) }
}

fn heads(of: &[(&str, u64)]) -> BTreeMap<String, Head> {
    of.iter().map(|(origin, size)| ((*origin).to_owned(), head(*size))).collect()
}

/// The journal of the cell `nil` in this folder.
pub(super) async fn open(dir: &Path) -> Result<Journal, JournalError> {
    let store = AnchorStore::open(&AnchorPlace::Folder(dir.to_owned()), &Entropy::system()).await.unwrap();
    Journal::open(store, Uuid::nil()).await
}

/// Where object n lies.
pub(super) fn path(dir: &Path, n: u64) -> PathBuf {
    let journal = dir.join(Uuid::nil().to_string()).join(OBJECTS);
    fs::create_dir_all(&journal).unwrap();
    journal.join(format!("{n:020}.json"))
}

#[tokio::test]
async fn what_was_written_is_read_again_also_by_others() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path()).await.unwrap();
    let other = open(dir.path()).await.unwrap();
    journal.lock().await.unwrap().append(SNAPSHOT_EVERY_MS, &heads(&[("a", 1), ("b", 2)])).await.unwrap();
    journal.lock().await.unwrap().append(SNAPSHOT_EVERY_MS + 1, &heads(&[("a", 3)])).await.unwrap();
    assert_eq!(other.head("a"), None);
    drop(other.lock().await.unwrap());
    assert_eq!(other.head("a"), Some(head(3)));
    other.lock().await.unwrap().append(2 * SNAPSHOT_EVERY_MS, &heads(&[("c", 1)])).await.unwrap();
    let again = open(dir.path()).await.unwrap();
    assert_eq!(again.heads(), heads(&[("a", 3), ("b", 2), ("c", 1)]).into_iter().collect::<Vec<_>>());
    let store = AnchorStore::open(&AnchorPlace::Folder(dir.path().to_owned()), &Entropy::system()).await.unwrap();
    assert_eq!(Journal::open(store, Uuid::max()).await.unwrap().heads(), []);
}

#[tokio::test]
async fn a_signer_with_a_stale_state_loses_and_a_gap_or_an_altered_object_is_seen() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path()).await.unwrap();
    let stale = journal.lock().await.unwrap();
    stale.append(1, &heads(&[("a", 1)])).await.unwrap();
    fs::copy(path(dir.path(), 1), path(dir.path(), 2)).unwrap();
    assert!(matches!(stale.append(2, &heads(&[("a", 2)])).await, Err(JournalError::AnotherSigner { n: 2 })));
    assert!(matches!(open(dir.path()).await, Err(JournalError::Malformed { .. })));
    fs::remove_file(path(dir.path(), 2)).unwrap();
    stale.append(2, &heads(&[("a", 2)])).await.unwrap();
    stale.append(3, &heads(&[("a", 3)])).await.unwrap();
    let second = fs::read(path(dir.path(), 2)).unwrap();
    fs::remove_file(path(dir.path(), 2)).unwrap();
    assert!(open(dir.path()).await.is_err());
    fs::write(path(dir.path(), 2), String::from_utf8(second).unwrap().replace(r#""at":2"#, r#""at":5"#)).unwrap();
    assert!(open(dir.path()).await.is_err());
}

/// A cell grows beyond what a snapshot could hold: it goes without, and is read all the same.
#[tokio::test]
async fn a_cell_with_more_logs_than_fit_into_a_snapshot_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path()).await.unwrap();
    let many = |from: usize, to: usize| -> BTreeMap<String, Head> {
        (from..to).map(|n| (format!("{}/w/ws_{n:026}/live/1", "x".repeat(128)), head(7))).collect()
    };
    let half = SNAPSHOT_MAX_HEADS / 2;
    let lock = journal.lock().await.unwrap();
    lock.append(SNAPSHOT_EVERY_MS, &many(0, half)).await.unwrap();
    lock.append(2 * SNAPSHOT_EVERY_MS, &many(half, 2 * half)).await.unwrap();
    lock.append(3 * SNAPSHOT_EVERY_MS, &many(2 * half, 2 * half + 1)).await.unwrap();
    let snapshots = [1, 2, 3].map(|n| fs::read_to_string(path(dir.path(), n)).unwrap().contains(r#""snapshot":true"#));
    assert_eq!(snapshots, [true, true, false], "the second is as large as one can be");
    assert_eq!(open(dir.path()).await.unwrap().heads().len(), 2 * half + 1);
}
