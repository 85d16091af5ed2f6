//! The golden files of `vectors/`, in both directions: we write them, and we judge them as they say.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::{judge, vectors};

/// What the server's own tests write and judge (`crates/server/src/vault/golden.rs`).
const OF_THE_SERVER: [&str; 4] = ["blind_index.json", "envelope.json", "row_mac.json", "wrapped.json"];

pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors")
}

pub(crate) fn read(file: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(folder().join(file)).unwrap()).unwrap()
}

pub(crate) fn good(file: &Value) -> impl Iterator<Item = &Value> {
    file["good"].as_array().unwrap().iter()
}

pub(crate) fn bad(file: &Value) -> impl Iterator<Item = &Value> {
    file["bad"].as_array().unwrap().iter()
}

fn committed() -> Vec<(String, Value)> {
    let mut files: Vec<(String, Value)> = std::fs::read_dir(folder())
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let file = read(&name);
            (name, file)
        })
        .collect();
    files.sort_by(|(a, _), (b, _)| a.cmp(b));
    files
}

#[test]
fn the_committed_files_are_what_is_written() {
    let mut made = vectors::all();
    made.sort_by_key(|(name, _)| *name);
    let names: Vec<&str> = made.iter().map(|(name, _)| *name).collect();
    let committed = committed();
    let ours = committed.iter().map(|(name, _)| name.as_str()).filter(|name| !OF_THE_SERVER.contains(name));
    assert_eq!(names, ours.collect::<Vec<_>>());
    for (name, made) in made {
        let text = std::fs::read_to_string(folder().join(name)).unwrap();
        assert!(
            text == vectors::to_text(&made),
            "{name} is not what is written now: a format changed, which it must not"
        );
    }
}

#[test]
fn every_case_is_judged_as_its_file_says() {
    let mut judged = 0;
    for (name, file) in committed() {
        let Some(judge) = judge::of(&name) else {
            assert!(name == "journal.json" || OF_THE_SERVER.contains(&name.as_str()), "no judge for {name}");
            continue;
        };
        for case in good(&file) {
            match judge(&case["input"]) {
                Ok(found) => assert_eq!(found, case["expect"], "{name}: {}", case["name"]),
                Err(refusal) => panic!("{name}: {} is refused: {}", case["name"], refusal.word),
            }
            judged += 1;
        }
        for case in bad(&file) {
            match judge(&case["input"]) {
                Ok(found) => panic!("{name}: {} is accepted: {found}", case["name"]),
                Err(refusal) => {
                    assert_eq!(refusal.word, case["detail"], "{name}: {}", case["name"]);
                    assert_eq!(refusal.seq, case["seq"].as_u64(), "{name}: {}", case["name"]);
                }
            }
            judged += 1;
        }
    }
    assert!(judged > 400, "{judged}");
}
