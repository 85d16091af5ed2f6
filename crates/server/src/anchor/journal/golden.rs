//! The journals of `vectors/journal.json`, which are frozen: what a signer once wrote is read, and written again the same.

use std::fs;
use std::path::Path;

use super::tests::{open, path};
use super::*;

#[derive(Deserialize)]
struct Golden {
    good: Vec<Good>,
    bad: Vec<Bad>,
}

#[derive(Deserialize)]
struct Good {
    name: String,
    input: Input,
    expect: Expect,
}

#[derive(Deserialize)]
struct Bad {
    name: String,
    input: Input,
}

#[derive(Deserialize)]
struct Input {
    objects: Vec<String>,
}

#[derive(Deserialize)]
struct Expect {
    sizes: BTreeMap<String, u64>,
}

fn golden() -> Golden {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors/journal.json");
    serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
}

/// Has the objects appear one by one. Answers what a signer says who read on after each, and one who began after each.
async fn read(objects: &[String]) -> (Result<Journal, JournalError>, Result<Journal, JournalError>) {
    let dir = tempfile::tempdir().unwrap();
    let old = open(dir.path()).await.unwrap();
    let (mut reads_on, mut begins) = (Ok(old.clone()), open(dir.path()).await);
    for (n, object) in (1..).zip(objects) {
        fs::write(path(dir.path(), n), object).unwrap();
        if reads_on.is_ok() {
            reads_on = old.lock().await.map(|_| old.clone());
        }
        if begins.is_ok() {
            begins = open(dir.path()).await;
        }
    }
    (reads_on, begins)
}

#[tokio::test]
async fn golden_journals_are_read() {
    let good = golden().good;
    assert!(!good.is_empty());
    for Good { name, input, expect } in good {
        let (reads_on, begins) = read(&input.objects).await;
        for journal in [reads_on.unwrap(), begins.unwrap()] {
            let sizes: BTreeMap<_, _> = journal.heads().into_iter().map(|(origin, head)| (origin, head.size)).collect();
            assert_eq!(sizes, expect.sizes, "{name}");
        }
    }
}

#[tokio::test]
async fn damaged_golden_journals_are_refused() {
    let bad = golden().bad;
    assert!(!bad.is_empty());
    for Bad { name, input } in bad {
        let (reads_on, begins) = read(&input.objects).await;
        for refused in [reads_on, begins] {
            assert!(matches!(refused.map(|_| ()), Err(JournalError::Malformed { .. })), "{name}");
        }
    }
}

#[tokio::test]
async fn golden_journals_are_continued_byte_for_byte() {
    for Good { name, input, .. } in golden().good {
        let dir = tempfile::tempdir().unwrap();
        for (n, bytes) in (1..).zip(&input.objects) {
            let journal = open(dir.path()).await.unwrap();
            let object: Object = serde_json::from_str(bytes).unwrap();
            if object.snapshot {
                // The golden snapshots follow one another sooner than a running signer's.
                journal.known().snapshot_at = 0;
            }
            let named = object.heads.into_iter().map(|line| {
                let root = Hash::from_base64(&line.root).unwrap();
                (line.origin, Head { size: line.size, root })
            });
            // What moved alone is handed over: that a snapshot names the others too is the journal's part.
            let moved = named.filter(|(origin, head)| journal.head(origin) != Some(*head)).collect();
            journal.lock().await.unwrap().append(object.at, &moved).await.unwrap();
            let written = fs::read_to_string(path(dir.path(), n)).unwrap();
            assert_eq!(written, *bytes, "{name}, object {n}");
        }
    }
}
