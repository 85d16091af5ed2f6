//! An older copy of the data directory is put back: the server refuses, and says why.

use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;

use crate::harness::ledger::{anchor_of, cell_of, objects, verify};
use crate::harness::process::DevHome;
use crate::harness::recorder::Recorder;

pub(super) fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
}

pub(super) async fn record(recorder: &Recorder, targets: std::ops::Range<u32>) {
    for n in targets {
        recorder.record(&format!("n-{n}")).await;
    }
}

/// Puts an older copy of this part of the data directory back.
async fn an_older_copy_is_refused(part: &str) {
    let home = DevHome::temporary();
    let original = if part.is_empty() { home.dir.clone() } else { home.dir.join(part) };
    let (older_copy, newer_copy) = (home.dir.with_file_name("older"), home.dir.with_file_name("newer"));

    let server = home.start().await;
    let recorder = Recorder::on(&server).await;
    record(&recorder, 0..3).await;
    let older = recorder.checkpoint().await.unverified().clone();
    server.stop(Signal::SIGTERM).await;
    copy(&original, &older_copy);

    let server = home.start().await;
    record(&recorder, 3..6).await;
    let kept = recorder.checkpoint().await;
    let newer = kept.unverified();
    server.stop(Signal::SIGTERM).await;
    assert_eq!(newer.size, older.size + 3);
    let (code, told) = verify(&home).await;
    assert_eq!(code, 0, "{told}");

    std::fs::rename(&original, &newer_copy).unwrap();
    std::fs::rename(&older_copy, &original).unwrap();
    for _ in 0..2 {
        let said = home.refused().await;
        let reason =
            format!("{} was signed at size {}, and the database has {} entries", newer.origin, newer.size, older.size);
        assert!(said.contains(&reason), "{said}");
        let runbook = said.split_whitespace().find(|word| word.starts_with("docs/runbooks/")).unwrap();
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        assert!(repository.join(runbook.trim_end_matches(['.', ','])).is_file(), "{runbook} is there");
    }
    let (code, told) = verify(&home).await;
    assert_eq!(code, 6, "{told}");
    let bad: Vec<&str> = told.lines().filter(|line| line.starts_with("BAD")).collect();
    assert!(bad.len() == 1 && bad[0].contains(&format!("{}  first bad seq {}: ", newer.origin, older.size)), "{told}");

    std::fs::remove_dir_all(&original).unwrap();
    std::fs::rename(&newer_copy, &original).unwrap();
    let server = home.start().await;
    record(&recorder, 6..7).await;
    recorder.extends(&kept).await;
    server.stop(Signal::SIGTERM).await;
}

#[tokio::test]
async fn a_database_from_before_the_last_checkpoint_is_refused() {
    an_older_copy_is_refused("postgres/data").await;
}

#[tokio::test]
async fn a_data_directory_from_before_the_last_checkpoint_is_refused() {
    an_older_copy_is_refused("").await;
}

#[tokio::test]
async fn a_journal_that_was_altered_or_has_a_gap_is_refused() {
    let home = DevHome::temporary();
    let server = home.start().await;
    let recorder = Recorder::on(&server).await;
    for n in 0..3 {
        recorder.record(&format!("n-{n}")).await;
        recorder.checkpoint().await;
    }
    server.stop(Signal::SIGTERM).await;
    let objects = objects(&cell_of(&anchor_of(&home)));
    assert!(objects.len() >= 3, "{objects:?}");
    let (middle, last) = (&objects[1], &objects[objects.len() - 1]);
    let altered = |path: &Path| {
        let text = std::fs::read_to_string(path).unwrap();
        let (before, after) = text.split_once("\"at\":1").unwrap();
        format!("{before}\"at\":2{after}")
    };
    let whole = std::fs::read(last).unwrap();
    let other_root = String::from_utf8(whole.clone()).unwrap().replace("\"root\":\"", "\"root\":\"AAAA");
    let cases = [
        (middle, Some(altered(middle).into_bytes()), "does not follow the object before it"),
        (middle, None, "objects before it are missing"),
        (last, Some(whole[..whole.len() - 1].to_vec()), "is no journal object"),
        (last, Some(other_root.into_bytes()), "holds a root that is not 32 bytes"),
    ];
    for (path, tampered, reason) in cases {
        let original = std::fs::read(path).unwrap();
        match tampered {
            Some(bytes) => std::fs::write(path, bytes).unwrap(),
            None => std::fs::remove_file(path).unwrap(),
        }
        let said = home.refused().await;
        assert!(said.contains(reason) && said.contains(cell_of(&anchor_of(&home)).to_str().unwrap()), "{said}");
        let (code, told) = verify(&home).await;
        assert_ne!(code, 0, "{told}");
        assert!(told.contains(reason), "{told}");
        std::fs::write(path, original).unwrap();
    }
    home.start().await.stop(Signal::SIGTERM).await;
}
