//! `kill -9` of a real worker process, again and again: nothing lost, nothing done under a lost lease.
//!
//! The process is this very test binary, started with the test [`a_worker_process`] alone and told by its environment what
//! to work on.

use bailiwick_server::anchor::AnchorStore;
use bailiwick_server::config::AnchorPlace;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use bailiwick_server::authz::{Permission, PermissionSet};
use bailiwick_server::clock::Clock;
use bailiwick_server::config::Pooler;
use bailiwick_server::db::Db;
use bailiwick_server::entropy::Entropy;
use bailiwick_server::jobs::{self, Claimed, Done, Failure, InWorkspace, Job, Policy, Queue, Registry, Workers};
use bailiwick_server::vault::{Keks, Parts, Vault};
use secrecy::ExposeSecret as _;
use tokio::process::{Child, Command};
use tokio::time::sleep;

use super::kinds::Note;
use super::shop::Shop;
use crate::harness::process::until;
use crate::harness::run_dir::variable;
use crate::harness::vault::settings;

const RUNTIME_URL: &str = "BAILIWICK_WORKER_RUNTIME_URL";
const SYSTEM_URL: &str = "BAILIWICK_WORKER_SYSTEM_URL";
const KEK_FILE: &str = "BAILIWICK_WORKER_KEK_FILE";
const ANCHOR_DIR: &str = "BAILIWICK_WORKER_ANCHOR_DIR";
const CELL: &str = "BAILIWICK_WORKER_CELL";
const POOLED: &str = "BAILIWICK_WORKER_POOLED";
const JOURNAL: &str = "BAILIWICK_WORKER_JOURNAL";
/// `cargo xtask test --crash-rounds N` sets it.
const ROUNDS: &str = "BAILIWICK_CRASH_ROUNDS";
const PER_ROUND: usize = 20;

/// Writes its payload to a file that outlives the process, then ends: done at least once.
struct Outside(PathBuf);

impl Job for Outside {
    const KIND: &'static str = "test.outside";
    const POLICY: Policy = Policy { attempts: 10_000, ..Policy::QUICK };
    const PERMISSIONS: PermissionSet = PermissionSet::of(&[Permission::RecordEvent]);
    type Place = InWorkspace;
    type Payload = String;

    async fn run(&self, claimed: Claimed<Self>, word: String) -> Result<Done, Failure> {
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(&self.0).unwrap();
        file.write_all(format!("{word}\n").as_bytes()).unwrap();
        Ok(claimed.done())
    }
}

/// A worker process, where the environment asks for one; otherwise nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_process() {
    let told = |name| variable(name).map(|value| value.into_string().unwrap());
    let Some(runtime_url) = told(RUNTIME_URL) else { return };
    let system_url = told(SYSTEM_URL).unwrap();
    let pooler = told(POOLED).map_or(Pooler::None, |_| Pooler::Transaction);
    let db = Db::connect(&runtime_url.into(), &system_url.into(), 6, pooler).unwrap();
    let settings = settings(told(KEK_FILE).unwrap().as_ref());
    let place = AnchorPlace::Folder(told(ANCHOR_DIR).unwrap().into());
    let parts = Parts {
        db: db.clone(),
        keks: Keks::configured(&settings, settings.keeper, &Entropy::system()).unwrap(),
        anchor: AnchorStore::open(&place, &Entropy::system()).await.unwrap(),
        cell: told(CELL).unwrap().parse().unwrap(),
        lifetime: settings.key_lifetime,
        clock: Clock::system(),
        entropy: Entropy::system(),
    };
    let queue = Queue::new(Vault::open(parts).await.unwrap(), Entropy::system());
    let registry = Registry::default().with(Note(db.clone())).with(Outside(told(JOURNAL).unwrap().into()));
    let parts = jobs::Parts { db, queue, registry, schedules: Vec::new(), clock: Clock::system(), slots: 4 };
    Workers::new(parts).run(std::future::pending()).await;
}

fn worker(shop: &Shop, journal: &Path) -> Child {
    let way = &shop.way;
    let mut command = Command::new(std::env::current_exe().unwrap());
    if way.pooler == Pooler::Transaction {
        command.env(POOLED, "yes");
    }
    command
        .args(["--exact", "jobs::killed::a_worker_process", "--nocapture"])
        .env(RUNTIME_URL, way.runtime_url.expose_secret())
        .env(SYSTEM_URL, way.system_url.expose_secret())
        .env(KEK_FILE, &shop.app.database.kek_file)
        .env(ANCHOR_DIR, &shop.app.database.anchor_dir)
        .env(CELL, shop.cell.to_string())
        .env(JOURNAL, journal)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killing_the_worker_again_and_again_loses_and_doubles_nothing() {
    let rounds: usize = variable(ROUNDS).map_or(200, |rounds| rounds.to_str().unwrap().parse().unwrap());
    killed_again_and_again(&Shop::open().await, rounds).await;
}

pub async fn killed_again_and_again(shop: &Shop, rounds: usize) {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("journal");
    let mut all = Vec::new();
    let mut blows_amid = 0;
    for round in 0..rounds {
        let words: Vec<String> = (0..PER_ROUND).map(|n| format!("{round}-{n}")).collect();
        shop.enqueue::<Note>(&words).await;
        shop.enqueue::<Outside>(&words).await;
        all.extend(words);
        // Whoever was killed holds its leases for a minute; here it is as if that had passed.
        shop.expire_leases().await;
        let mut process = worker(shop, &journal);
        let before = shop.left().await;
        // The blow falls at a random moment of the work: after so many jobs have ended, and a little while.
        let [ended, pause, ..] = Entropy::system().bytes::<8>();
        let left = before - i64::from(ended) % (i64::try_from(PER_ROUND).unwrap() * 2);
        until(async || shop.left().await <= left.max(1)).await;
        sleep(Duration::from_micros(u64::from(pause) * 20)).await;
        process.kill().await.unwrap();
        blows_amid += usize::from(shop.left().await > 0);
    }
    assert!(blows_amid * 10 >= rounds * 9, "the blow fell amid the work {blows_amid} times of {rounds}");

    shop.expire_leases().await;
    let mut process = worker(shop, &journal);
    until(async || shop.left().await == 0).await;
    process.kill().await.unwrap();
    assert_eq!(shop.number("SELECT count(*) FROM jobs_dead").await, 0);
    let counted = |words: Vec<String>| {
        let mut counts = BTreeMap::new();
        for word in words {
            *counts.entry(word).or_insert(0_usize) += 1;
        }
        counts
    };
    let noted = counted(shop.targets("test.noted").await);
    let outside = counted(std::fs::read_to_string(&journal).unwrap().lines().map(str::to_owned).collect());
    for word in &all {
        assert_eq!(noted.get(word), Some(&1), "{word} is noted exactly once");
        assert!(outside.contains_key(word), "{word} was written at least once");
    }
    assert_eq!((noted.len(), outside.len()), (all.len(), all.len()), "and nothing else");
    let payloads = "SELECT count(*) FROM job_payloads p WHERE workspace_id <> '00000000-0000-0000-0000-000000000000'";
    assert_eq!(shop.number(payloads).await, 0, "no payload is left");
}
