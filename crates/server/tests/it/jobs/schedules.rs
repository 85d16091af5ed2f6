//! What comes again and again comes once, however many nodes there are, and catches up after a pause.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bailiwick_server::authz::PermissionSet;
use bailiwick_server::clock::Clock;
use bailiwick_server::jobs::{Claimed, Done, Every, Failure, InCell, Job, Policy, Registry, Schedule};
use futures_util::future::join_all;

use super::shop::Shop;
use crate::harness::process::until;

/// Counts how often it was run.
#[derive(Clone, Default)]
struct Tick(Arc<AtomicUsize>);

impl Job for Tick {
    const KIND: &'static str = "test.tick";
    const POLICY: Policy = Policy::QUICK;
    const PERMISSIONS: PermissionSet = PermissionSet::NONE;
    type Place = InCell;
    type Payload = ();

    async fn run(&self, claimed: Claimed<Self>, (): ()) -> Result<Done, Failure> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(claimed.done())
    }
}

#[tokio::test]
async fn several_nodes_run_it_once_and_it_catches_up_once() {
    run_once_and_caught_up_once(&Shop::open().await).await;
}

pub async fn run_once_and_caught_up_once(shop: &Shop) {
    let tick = Tick::default();
    let every = Every::Interval(Duration::from_secs(3_600));
    let node = || shop.scheduled(Registry::default().with(tick.clone()), 2, vec![Schedule { kind: Tick::KIND, every }]);
    let ran = || tick.0.load(Ordering::SeqCst);
    let next = "SELECT extract(epoch FROM next_run_at - now())::bigint FROM job_schedules WHERE kind = 'test.tick'";
    let settled = async |times: usize| {
        until(async || ran() >= times && shop.left().await == 0).await;
    };
    join_all((0..4).map(|_| node().run(settled(1)))).await;
    assert_eq!(ran(), 1, "a new schedule is due at once, for one of four nodes");
    assert!((3_500..=3_600).contains(&shop.number(next).await));

    // Everybody was away for ten hours.
    shop.execute("UPDATE job_schedules SET next_run_at = now() - interval '10 hours' WHERE kind = 'test.tick'").await;
    join_all((0..4).map(|_| node().run(settled(2)))).await;
    assert_eq!(ran(), 2, "once, and not ten times");
    assert!((3_500..=3_600).contains(&shop.number(next).await));
    let last = "SELECT extract(epoch FROM now() - last_run_at)::bigint FROM job_schedules WHERE kind = 'test.tick'";
    assert!(shop.number(last).await < 120);
}

#[tokio::test]
async fn while_the_last_one_is_not_done_no_other_is_added() {
    let shop = Shop::open().await;
    let schedules = vec![Schedule { kind: Tick::KIND, every: Every::Interval(Duration::from_secs(3_600)) }];
    // A node that cannot do it and one that has no time for it: the job stays in the queue.
    for _ in 0..3 {
        let idle = shop.scheduled(Registry::default(), 1, schedules.clone());
        let moved = "SELECT count(*) FROM job_schedules WHERE kind = 'test.tick' AND next_run_at > now()";
        idle.run(until(async || shop.number(moved).await == 1)).await;
        shop.execute("UPDATE job_schedules SET next_run_at = now() WHERE kind = 'test.tick'").await;
    }
    assert_eq!(shop.left().await, 1);
}

#[tokio::test]
async fn the_house_is_kept_by_jobs() {
    let shop = Shop::open().await;
    let kept = "SELECT count(*) FROM job_schedules WHERE last_run_at IS NOT NULL AND kind LIKE 'housekeeping.%'";
    until(async || shop.number(kept).await == 3).await;
    until(async || shop.number("SELECT count(*) FROM jobs_ready").await == 0).await;
    assert_eq!(shop.number("SELECT count(*) FROM jobs_dead").await, 0);
}

/// What a clock that is wrong takes for due would be put off for everybody until its time has come.
#[tokio::test]
async fn a_node_whose_clock_is_wrong_schedules_nothing_and_what_one_has_put_off_comes() {
    let shop = Shop::open().await;
    let tick = Tick::default();
    let schedules = || vec![Schedule { kind: Tick::KIND, every: Every::Interval(Duration::from_secs(3_600)) }];
    let next = "SELECT extract(epoch FROM next_run_at - now())::bigint FROM job_schedules WHERE kind = 'test.tick'";
    let node = |ahead: time::Duration| {
        let clock = Clock::from_fn(move || Clock::system().now() + ahead);
        shop.by_clock(clock, Registry::default().with(tick.clone()), schedules())
    };
    let ran = || tick.0.load(Ordering::SeqCst);
    node(time::Duration::ZERO).run(until(async || ran() == 1 && shop.left().await == 0)).await;
    for ahead in [time::Duration::days(30), time::Duration::days(-30)] {
        node(ahead).run(tokio::time::sleep(Duration::from_secs(3))).await;
        assert!((3_500..=3_600).contains(&shop.number(next).await), "{ahead}");
    }
    assert_eq!(ran(), 1);

    shop.execute("UPDATE job_schedules SET next_run_at = now() + interval '30 days' WHERE kind = 'test.tick'").await;
    node(time::Duration::ZERO).run(until(async || ran() == 2 && shop.left().await == 0)).await;
    assert!((3_500..=3_600).contains(&shop.number(next).await));
}
