//! The database crashes: what was acknowledged is on the disk.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::join_all;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sqlx::PgPool;

use crate::harness::ledger::{has_all_once, verify};
use crate::harness::process::{DevHome, until};
use crate::harness::recorder::{Recorded, Recorder, recorded};

const WRITERS: usize = 6;
/// So many are acknowledged to each writer before the blow.
const BEFORE: usize = 5;

/// SIGQUIT is what `pg_ctl stop -m immediate` sends: no checkpoint is made, recovery follows.
#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_crash_of_the_database() {
    let home = DevHome::temporary();
    let server = home.start().await;
    let pool = PgPool::connect_lazy(&home.read("postgres.url")).unwrap();
    for setting in ["fsync", "full_page_writes", "synchronous_commit"] {
        let shown: String =
            sqlx::query_scalar("SELECT current_setting($1)").bind(setting).fetch_one(&pool).await.unwrap();
        assert_eq!(shown, "on", "{setting}");
    }
    let recorder = Recorder::on(&server).await;
    let mut kept = recorder.checkpoint().await;
    let mut acknowledged: BTreeMap<String, Recorded> = BTreeMap::new();
    for (round, blow) in [Signal::SIGQUIT, Signal::SIGKILL, Signal::SIGQUIT].into_iter().enumerate() {
        let postmaster = home.postmaster().unwrap();
        let fallen = &AtomicBool::new(false);
        let writers = (0..WRITERS).map(|writer| {
            let recorder = recorder.clone();
            async move {
                let mut done = Vec::new();
                for n in 0.. {
                    let target = format!("d-{round}-{writer}-{n}");
                    match recorder.try_record(&target).await {
                        Some(answer) if answer.status == 201 => done.push((target, recorded(&answer))),
                        answer => assert!(answer.is_none_or(|answer| answer.status.is_server_error())),
                    }
                    // The server waits for its database: an answer may well come after the blow.
                    if fallen.load(Ordering::SeqCst) {
                        break;
                    }
                    if writer == 0 && n + 1 == BEFORE {
                        kill(Pid::from_raw(postmaster), blow).unwrap();
                        fallen.store(true, Ordering::SeqCst);
                        break;
                    }
                }
                done
            }
        });
        acknowledged.extend(join_all(writers).await.into_iter().flatten());
        until(async || home.postmaster().is_some_and(|pid| pid != postmaster) && server.readyz().await == 200).await;
        let pool = PgPool::connect_lazy(&home.read("postgres.url")).unwrap();
        // What was committed and not numbered when the blow fell is numbered now, by itself.
        until(async || {
            let staged = "SELECT count(*) FROM ledger_staged";
            sqlx::query_scalar::<_, i64>(staged).fetch_one(&pool).await.is_ok_and(|staged| staged == 0)
        })
        .await;
        has_all_once(&pool, recorder.uuid(), &acknowledged).await;
        pool.close().await;
        kept = recorder.extends(&kept).await;
    }
    assert!(acknowledged.len() >= 3 * BEFORE);
    server.stop(Signal::SIGTERM).await;
    let (code, told) = verify(&home).await;
    assert_eq!(code, 0, "{told}");
}
