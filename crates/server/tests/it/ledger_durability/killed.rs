//! `kill -9` of a server at every step of sequencing and publishing, and at random moments.
//!
//! The test stops the server at a step by holding the lock that the step needs, kills it there, and lets go.

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bailiwick_proof::checkpoint::SignedCheckpoint;
use bailiwick_server::entropy::Entropy;
use futures_util::future::join_all;
use nix::sys::signal::{Signal, kill};
use serde_json::json;
use sqlx::PgPool;

use crate::harness::ledger::{
    anchor_of, cell_of, commit_waits, has_all_once, hold, hold_commits, journaled, objects, rows, verify, waited_for,
    watch_commits,
};
use crate::harness::process::{DevHome, DevServer, gone, until};
use crate::harness::recorder::{Recorded, Recorder, all_recorded};

/// The random moments.
const ROUNDS: usize = 10;
/// Events in a request that is killed.
const BATCH: usize = 3;
/// So many writers keep the server busy.
const WRITERS: usize = 8;

/// A server that is killed again and again, and what it has promised so far.
struct Story<'a> {
    home: &'a DevHome,
    recorder: Recorder,
    acknowledged: BTreeMap<String, Recorded>,
    /// Requests that were sent and not answered.
    lost: Vec<String>,
    checkpoint: SignedCheckpoint,
    next: usize,
}

impl<'a> Story<'a> {
    async fn begin(home: &'a DevHome) -> Self {
        let server = home.start().await;
        let recorder = Recorder::on(&server).await;
        recorder.record("first").await;
        let checkpoint = recorder.checkpoint().await;
        server.kill_9().await;
        Self { home, recorder, acknowledged: BTreeMap::new(), lost: Vec::new(), checkpoint, next: 0 }
    }

    fn owner(&self) -> PgPool {
        PgPool::connect_lazy(&self.home.read("postgres.url")).unwrap()
    }

    fn target(&mut self) -> String {
        self.next += 1;
        format!("n-{}", self.next)
    }

    async fn acknowledge(&mut self) -> u64 {
        let target = self.target();
        let recorded = self.recorder.record(&target).await;
        let seq = recorded.seq;
        self.acknowledged.insert(target, recorded);
        seq
    }

    /// Nothing acknowledged is lost, nothing is there twice, what was not answered is answered now, and the checkpoint
    /// extends the one before. Answers the server.
    async fn restart(&mut self) -> DevServer<'a> {
        let server = self.home.start().await;
        let (pool, workspace) = (self.owner(), self.recorder.uuid());
        has_all_once(&pool, workspace, &self.acknowledged).await;
        for name in std::mem::take(&mut self.lost) {
            let recorded = self.recorder.batch(&name, BATCH).await;
            let numbers: Vec<u64> = recorded.iter().map(|event| event.seq).collect();
            assert!(numbers.is_sorted_by(|one, next| one + 1 == *next), "together: {numbers:?}");
            let named = recorded.into_iter().enumerate().map(|(n, event)| (format!("{name}-{n}"), event));
            self.acknowledged.extend(named);
        }
        self.acknowledge().await;
        has_all_once(&pool, workspace, &self.acknowledged).await;
        self.checkpoint = self.recorder.extends(&self.checkpoint).await;
        pool.close().await;
        server
    }

    /// Ends the server while it waits with events that it has not answered.
    async fn kill_amid(&mut self, server: DevServer<'_>, stopped: impl AsyncFnOnce()) {
        let target = self.target();
        let sent = tokio::spawn({
            let (recorder, target) = (self.recorder.clone(), target.clone());
            async move { recorder.try_batch(&target, BATCH).await }
        });
        stopped().await;
        server.kill_9().await;
        assert!(sent.await.unwrap().is_none(), "no answer came");
        self.lost.push(target);
    }

    async fn end(mut self) {
        let server = self.restart().await;
        server.stop(Signal::SIGTERM).await;
        let (code, told) = verify(self.home).await;
        assert_eq!(code, 0, "{told}\n{}", self.home.log());
    }
}

#[tokio::test]
async fn at_every_step_of_sequencing() {
    let home = DevHome::temporary();
    let mut story = Story::begin(&home).await;
    let steps = [
        ("ledger_heads", "EXCLUSIVE"),
        ("ledger_entries", "SHARE"),
        ("ledger_openings", "SHARE"),
        ("ledger_hashes", "SHARE"),
        ("ledger_heads", "SHARE"),
    ];
    for (table, mode) in steps {
        let server = story.restart().await;
        let pool = story.owner();
        let held = hold(&pool, table, mode).await;
        story.kill_amid(server, async || waited_for(&pool, table).await).await;
        held.rollback().await.unwrap();
        pool.close().await;
    }

    // A change is staged before, and taken away after the entries were written.
    let server = story.restart().await;
    let pool = story.owner();
    let head = hold(&pool, "ledger_heads", "EXCLUSIVE").await;
    story.recorder.change("/projects", &json!({"name": "staged"}), "staged").await;
    let staged = async {
        waited_for(&pool, "ledger_heads").await;
        let staged = hold(&pool, "ledger_staged", "SHARE").await;
        head.rollback().await.unwrap();
        waited_for(&pool, "ledger_staged").await;
        staged
    };
    let mut held = None;
    story.kill_amid(server, async || held = Some(staged.await)).await;
    held.unwrap().rollback().await.unwrap();
    pool.close().await;

    // The commit went out, and its answer came to nobody.
    let server = story.restart().await;
    let pool = story.owner();
    watch_commits(&pool, "ledger_heads").await;
    let before = rows(&pool, story.recorder.uuid()).await.len();
    let held = hold_commits(&pool).await;
    story.kill_amid(server, async || commit_waits(&pool).await).await;
    held.rollback().await.unwrap();
    until(async || rows(&pool, story.recorder.uuid()).await.len() == before + BATCH).await;
    pool.close().await;
    story.end().await;
}

#[tokio::test]
async fn at_every_step_of_publishing() {
    let home = DevHome::temporary();
    let mut story = Story::begin(&home).await;
    let cell = cell_of(&anchor_of(&home));
    let origin = story.checkpoint.unverified().origin.clone();

    // Before the journal: the lock is somebody else's.
    let server = story.restart().await;
    let lock = File::options().write(true).open(cell.join("lock")).unwrap();
    lock.lock().unwrap();
    let seq = story.acknowledge().await;
    let asked = ask(&story.recorder);
    until(async || opened(server.pid().as_raw(), &cell.join("lock"))).await;
    server.kill_9().await;
    lock.unlock().unwrap();
    assert!(asked.await.unwrap().is_none());
    assert!(journaled(&cell, &origin) <= seq, "not in the journal");

    // The root is in the journal, and no checkpoint was stored.
    let server = story.restart().await;
    let pool = story.owner();
    let held = hold(&pool, "ledger_checkpoints", "SHARE").await;
    let seq = story.acknowledge().await;
    let asked = ask(&story.recorder);
    waited_for(&pool, "ledger_checkpoints").await;
    server.kill_9().await;
    held.rollback().await.unwrap();
    assert!(asked.await.unwrap().is_none());
    assert_eq!((journaled(&cell, &origin), newest(&pool, &story).await), (seq + 1, seq), "written down, not published");
    pool.close().await;

    // The checkpoint is committed, and nobody heard.
    let server = story.restart().await;
    let pool = story.owner();
    watch_commits(&pool, "ledger_checkpoints").await;
    let held = hold_commits(&pool).await;
    let seq = story.acknowledge().await;
    let asked = ask(&story.recorder);
    commit_waits(&pool).await;
    server.kill_9().await;
    held.rollback().await.unwrap();
    assert!(asked.await.unwrap().is_none());
    until(async || newest(&pool, &story).await == seq + 1).await;
    pool.close().await;

    // A temporary file was written in part; another was linked and not taken away.
    let last = objects(&cell).pop().unwrap();
    std::fs::write(cell.join("journal/00000000000000009999.1.tmp"), "{\"v\":1,").unwrap();
    std::fs::hard_link(&last, last.with_extension("1.tmp")).unwrap();
    story.restart().await.kill_9().await;

    // The database dies between the journal and the checkpoint; the server goes on.
    let server = story.restart().await;
    let pool = story.owner();
    let held = hold(&pool, "ledger_checkpoints", "SHARE").await;
    let seq = story.acknowledge().await;
    let asked = ask(&story.recorder);
    waited_for(&pool, "ledger_checkpoints").await;
    let postmaster = home.postmaster().unwrap();
    kill(nix::unistd::Pid::from_raw(postmaster), Signal::SIGKILL).unwrap();
    gone(postmaster).await;
    drop(held);
    // Whether it heard of it, or waited behind the signer that did and was answered when the database was back.
    asked.await.unwrap();
    assert_eq!(journaled(&cell, &origin), seq + 1);
    until(async || home.postmaster().is_some_and(|now| now != postmaster) && server.readyz().await == 200).await;
    until(async || story.recorder.get("/audit/checkpoint").await.status == 200).await;
    story.checkpoint = story.recorder.extends(&story.checkpoint).await;
    assert_eq!(story.checkpoint.unverified().size, seq + 1);
    server.kill_9().await;
    story.end().await;
}

/// Asks for the newest checkpoint, and answers with what status it came, if it came.
fn ask(recorder: &Recorder) -> tokio::task::JoinHandle<Option<reqwest::StatusCode>> {
    let recorder = recorder.clone();
    tokio::spawn(async move { recorder.try_get("/audit/checkpoint").await.map(|answer| answer.status) })
}

/// Whether a process has a file open.
fn opened(pid: i32, file: &std::path::Path) -> bool {
    let file = file.canonicalize().unwrap();
    let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    descriptors.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok()).any(|path| path == file)
}

/// The size of the newest checkpoint that was stored.
async fn newest(pool: &PgPool, story: &Story<'_>) -> u64 {
    let newest: i64 =
        sqlx::query_scalar("SELECT max(size) FROM ledger_checkpoints WHERE workspace_id = $1 AND environment = 'live'")
            .bind(story.recorder.uuid())
            .fetch_one(pool)
            .await
            .unwrap();
    u64::try_from(newest).unwrap()
}

#[tokio::test]
async fn at_random_moments_under_load() {
    let home = DevHome::temporary();
    let mut story = Story::begin(&home).await;
    for round in 0..ROUNDS {
        let server = story.restart().await;
        let [after, ..] = Entropy::system().bytes::<8>();
        let (after, answered) = (1 + usize::from(after % 64), Arc::new(AtomicUsize::new(0)));
        let pid = server.pid();
        let writers = (0..WRITERS).map(|writer| {
            let (recorder, answered) = (story.recorder.clone(), answered.clone());
            async move {
                let (mut acknowledged, mut n) = (Vec::new(), 0);
                loop {
                    n += 1;
                    let name = format!("r-{round}-{writer}-{n}");
                    match recorder.try_batch(&name, BATCH).await {
                        Some(answer) if answer.status == 201 => {
                            let recorded = all_recorded(&answer).into_iter().enumerate();
                            acknowledged.extend(recorded.map(|(n, event)| (format!("{name}-{n}"), event)));
                        }
                        _ => return (acknowledged, name),
                    }
                    if answered.fetch_add(1, Ordering::Relaxed) + 1 == after {
                        kill(pid, Signal::SIGKILL).unwrap();
                    }
                }
            }
        });
        for (acknowledged, lost) in join_all(writers).await {
            story.acknowledged.extend(acknowledged);
            story.lost.push(lost);
        }
        // Gone for good, so that its port is free again.
        server.kill_9().await;
    }
    story.end().await;
}
