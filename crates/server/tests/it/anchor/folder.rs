//! In a folder: who may read it, what else lies there, and what is said when it does not serve.

use std::error::Error;
use std::fs;
use std::path::Path;

use bailiwick_server::anchor::{AnchorError, AnchorStore, MAX_OBJECT_BYTES};
use bailiwick_server::config::AnchorPlace;
use bailiwick_server::entropy::Entropy;

use super::promises::{self, content, name};
use crate::harness::process::mode;

async fn try_open(path: &Path) -> Result<AnchorStore, AnchorError> {
    AnchorStore::open(&AnchorPlace::Folder(path.to_owned()), &Entropy::system()).await
}

pub async fn open(path: &Path) -> AnchorStore {
    try_open(path).await.unwrap()
}

#[tokio::test]
async fn it_keeps_what_a_store_promises() {
    let dir = tempfile::tempdir().unwrap();
    promises::are_kept(&open(dir.path()).await, &open(dir.path()).await).await;
}

#[tokio::test]
async fn it_is_for_its_own_account_alone() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("some/where");
    open(&root).await.create(&name("a/b/c"), b"").await.unwrap();
    for folder in ["", "a", "a/b"] {
        assert_eq!(mode(&root.join(folder)), 0o700, "{folder}");
    }
    for file in ["a/b/c", "a/b/lock"] {
        assert_eq!(mode(&root.join(file)), 0o600, "{file}");
    }
}

/// What a crash leaves: the next content in part; a second name of an object, which must not be written over and must
/// not outlive what is replaced.
#[tokio::test]
async fn what_was_left_half_written_is_neither_seen_nor_kept() {
    let dir = tempfile::tempdir().unwrap();
    let (object, temporary) = (name("a/b"), dir.path().join("a/tmp"));
    let store = open(dir.path()).await;
    let tag = store.create(&object, b"old").await.unwrap();

    fs::hard_link(dir.path().join("a/b"), &temporary).unwrap();
    assert_eq!(store.list(&name("a")).await.unwrap(), std::slice::from_ref(&object));
    store.replace(&object, b"new", &tag).await.unwrap();
    assert!(!temporary.exists(), "the old content has no name left");
    fs::hard_link(dir.path().join("a/b"), &temporary).unwrap();
    store.create(&name("a/c"), b"other").await.unwrap();
    assert_eq!(content(&store, &object).await.unwrap(), b"new", "written beside it and not over it");

    fs::write(&temporary, b"in pa").unwrap();
    open(dir.path()).await;
    assert!(!temporary.exists());
    let lock = fs::File::options().write(true).open(dir.path().join("a/lock")).unwrap();
    lock.lock().unwrap();
    fs::write(&temporary, b"by somebody who lives").unwrap();
    open(dir.path()).await;
    assert!(temporary.exists());
}

#[tokio::test]
async fn what_else_lies_there_is_not_listed() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    store.create(&name("a/b"), b"").await.unwrap();
    for other in ["a/B", "a/.b.swp", "a/lost+found"] {
        fs::write(dir.path().join(other), b"").unwrap();
    }
    fs::create_dir(dir.path().join("a/empty")).unwrap();
    assert_eq!(store.list(&name("a")).await.unwrap(), [name("a/b")]);
}

#[tokio::test]
async fn a_store_that_does_not_serve_says_what_failed_and_where() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    let tag = store.create(&name("a/b"), b"").await.unwrap();
    fs::write(dir.path().join("file"), b"").unwrap();
    let (inside, file) = (name("file/b"), dir.path().join("file"));
    let failed = [
        (try_open(&file.join("x")).await.map(|_| ()), "make the folder"),
        (store.create(&inside, b"").await.map(|_| ()), "make the folder"),
        (store.read(&inside).await.map(|_| ()), "read"),
        (store.read(&name("a")).await.map(|_| ()), "read"),
    ];
    for (failed, operation) in failed {
        let error = failed.unwrap_err();
        let AnchorError::Unavailable { what, at, .. } = &error else { panic!("{error}") };
        assert_eq!(*what, operation, "{error}");
        assert!(at.starts_with(dir.path().to_str().unwrap()) && error.source().is_some(), "{error}");
    }

    let larger = fs::File::create(dir.path().join("a/b")).unwrap();
    larger.set_len(u64::try_from(MAX_OBJECT_BYTES).unwrap() + 1).unwrap();
    let malformed = store.read(&name("a/b")).await.unwrap_err();
    assert!(matches!(&malformed, AnchorError::Malformed { at, .. } if at.ends_with("a/b")), "{malformed}");
    assert!(matches!(store.replace(&name("a/b"), b"", &tag).await, Err(AnchorError::Malformed { .. })));
}
