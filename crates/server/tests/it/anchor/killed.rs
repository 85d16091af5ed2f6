//! `kill -9` of a program that writes in a folder, at random moments.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bailiwick_server::anchor::{AnchorError, AnchorStore, ObjectName};
use bailiwick_server::entropy::Entropy;

use super::folder::open;
use super::promises::name;
use crate::harness::run_dir::variable;

const ROUNDS: usize = 40;
/// Written in several calls to the system, so that a torn one would show.
const OBJECT_BYTES: usize = 256 * 1024;
/// Names the folder to the writer.
const FOLDER: &str = "TEST_ANCHOR_FOLDER";
const WRITER: &str = "anchor::killed::the_writer";

#[tokio::test]
async fn whoever_is_killed_leaves_the_old_content_or_the_new() {
    let dir = tempfile::tempdir().unwrap();
    let object = name("counted/object");
    open(dir.path()).await.create(&object, &of(0)).await.unwrap();
    let (mut acknowledged, mut left) = (0, 0);
    for _ in 0..ROUNDS {
        let mut writer = Writer::start(dir.path());
        let before = acknowledged;
        acknowledged = writer.kill_soon(before);
        left += usize::from(temporaries(dir.path()) > 0);

        let store = open(dir.path()).await;
        assert_eq!(temporaries(dir.path()), 0, "what was left is taken away");
        let found = whole(&store, &object).await;
        assert!(found == acknowledged || found == acknowledged + 1, "{found} after {acknowledged}");
        for n in before + 1..=acknowledged {
            assert_eq!(whole(&store, &name(&format!("created/{n}"))).await, n);
        }
        let created = store.list(&name("created")).await.unwrap();
        let beyond = created.iter().filter(|created| created.last().parse::<u32>().unwrap() > acknowledged);
        for created in beyond {
            assert_eq!(whole(&store, created).await, acknowledged + 1, "what was not acknowledged is whole");
        }
        acknowledged = found;
    }
    assert!(acknowledged > 0 && left > 0, "killed amid writing: {left} times, after {acknowledged}");
}

/// Runs in a process of its own, and does nothing in any other. Counts up one object, creates another for each number,
/// and says each number when both are done.
#[tokio::test]
async fn the_writer() {
    let Some(folder) = variable(FOLDER) else { return };
    let store = open(Path::new(&folder)).await;
    let object = name("counted/object");
    loop {
        let seen = store.read(&object).await.unwrap().unwrap();
        let next = number(&seen.bytes) + 1;
        match store.create(&name(&format!("created/{next}")), &of(next)).await {
            // By the one before, who was killed before the number was counted.
            Ok(_) | Err(AnchorError::Exists { .. }) => {}
            Err(error) => panic!("{error}"),
        }
        store.replace(&object, &of(next), &seen.tag).await.unwrap();
        println!("{WRITER} {next}");
        std::io::stdout().flush().unwrap();
    }
}

struct Writer {
    process: Child,
    said: BufReader<std::process::ChildStdout>,
}

impl Writer {
    fn start(folder: &Path) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", WRITER, "--nocapture"])
            .env(FOLDER, folder)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(process.stdout.take().unwrap());
        Self { process, said }
    }

    /// Kills it at a random moment after its first number. Answers the last number that it said.
    fn kill_soon(&mut self, mut last: u32) -> u32 {
        while !self.hear(&mut last) {}
        let [after, ..] = Entropy::system().bytes::<8>();
        std::thread::sleep(Duration::from_micros(u64::from(after) * 50));
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        while !self.said.fill_buf().unwrap().is_empty() {
            self.hear(&mut last);
        }
        last
    }

    /// Reads a line; whether it told a number.
    fn hear(&mut self, last: &mut u32) -> bool {
        let mut line = String::new();
        assert_ne!(self.said.read_line(&mut line).unwrap(), 0, "the writer ended by itself");
        let told = line.split_once(WRITER).and_then(|(_, number)| number.trim().parse().ok());
        *last = told.unwrap_or(*last);
        told.is_some()
    }
}

fn of(number: u32) -> Vec<u8> {
    number.to_be_bytes().repeat(OBJECT_BYTES / 4)
}

fn number(bytes: &[u8]) -> u32 {
    assert_eq!(bytes.len(), OBJECT_BYTES, "whole");
    let number = u32::from_be_bytes(bytes[..4].try_into().unwrap());
    assert!(bytes == of(number), "of one writing");
    number
}

async fn whole(store: &AnchorStore, object: &ObjectName) -> u32 {
    number(&store.read(object).await.unwrap().unwrap().bytes)
}

fn temporaries(root: &Path) -> usize {
    let folders: Vec<PathBuf> = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.iter().filter(|folder| folder.join("tmp").exists()).count()
}
