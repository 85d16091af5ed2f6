//! Canaries: every kind of secret is planted through the public surface of a real `bailiwickd`, and then looked for wherever a
//! secret could come to lie, in each spelling that it could have there.
//!
//! `cargo xtask leaks` looks for whatever all other tests happened to see, in logs and in the database's files. This goes
//! further for a few: into what PostgreSQL writes at its most talkative, with every parameter of every statement; into what
//! it shows of statements while they run and afterwards; into a dump.
//!
//! In each place there is a *control* to be found, which may be there in the clear, or the search would prove nothing.

mod places;
mod planted;
mod search;

use nix::sys::signal::Signal;

use self::places::{Kind, Watch};
use self::planted::{NAME, Planted};
use crate::harness::process::DevHome;

/// A server at its most talkative.
const TALKATIVE: &str = "BAILIWICK_LOG_FILTER=trace exec";
/// The same with a queue that stands still, so that mail waits in it.
const WITHOUT_WORKERS: &str = "BAILIWICK_JOBS_WORKERS=0 BAILIWICK_LOG_FILTER=trace exec";

#[tokio::test]
async fn no_secret_lies_anywhere_in_the_clear() {
    let home = DevHome::temporary();
    let server = home.start().await;
    places::have_postgres_tell_everything(&home).await;
    server.stop(Signal::SIGTERM).await;

    let server = home.start_by(TALKATIVE).await;
    let mut watch = Watch::over(&home).await;
    let mut planted = Planted::through(&server).await;
    watch.until_seen("INSERT INTO api_keys", planted.another_key(&server)).await;
    let mut places = vec![watch.seen().await, places::metrics(&home).await];
    server.stop(Signal::SIGTERM).await;

    let server = home.start_by(WITHOUT_WORKERS).await;
    planted.have_a_mail_wait(&server).await;
    planted.ledger_seeds(&home).await;
    planted.token_key(&home).await;
    places.extend([places::dump(&home).await, places::statements(&home).await]);
    server.stop(Signal::SIGTERM).await;
    // It has stopped in good order: all that the database had in memory is in its files.
    places.extend(places::files(&home));

    // Only now does anybody learn what stands in the mail that waited.
    let server = home.start().await;
    planted.mail_that_waited(&server).await;
    server.stop(Signal::SIGTERM).await;

    for kind in Kind::ALL {
        let control = match kind {
            Kind::Dump | Kind::Wal | Kind::Data | Kind::PostgresLog => NAME,
            Kind::Statements | Kind::Activity => "INSERT INTO api_keys",
            Kind::ServerLog => planted.request_id(),
            Kind::Metrics => "/api-keys\"",
            Kind::Anchor => planted.workspace(),
        };
        let mut of_kind = places.iter().filter(|place| place.kind == kind);
        assert!(of_kind.any(|place| search::has(&place.bytes, control)), "{kind:?} has no {control}: is it looked at?");
    }
    let found = search::find(planted.canaries(), &places);
    assert!(found.is_empty(), "secrets in the clear:\n  {}", found.into_iter().collect::<Vec<_>>().join("\n  "));
}
