//! Witnesses that lie, fail or hang: nothing of theirs is stored, and what they do is told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use bailiwick_proof::checkpoint::{Checkpoint, SignedCheckpoint};
use bailiwick_proof::cosignature::{AddCheckpoint, CosigningKey};
use bailiwick_proof::merkle::Hash;
use bailiwick_server::clock::Clock;

use super::{Witness, Witnessed};
use crate::harness::process::until;

/// How one lies, and what is said of it.
const LIES: [(&str, &str); 14] = [
    ("another-key", "it answers without a line that its key made over this checkpoint"),
    ("another-root", "it answers without a line that its key made over this checkpoint"),
    ("another-name", "it answers without a line that its key made over this checkpoint"),
    ("far-future", "its clock says 2"),
    ("long-ago", "its clock says 1970"),
    ("garbage", "it answers with something else than the protocol has"),
    ("endless", "it answers with something else than the protocol has"),
    ("elsewhere", "it answers 302 Found"),
    ("unknown-log", "it does not know this log"),
    ("unknown-key", "it does not know the log's key"),
    ("no-size", "it answers with something else than the protocol has"),
    ("larger", "it has cosigned 1000000 entries, and the log has fewer"),
    ("growing", "entries, and the log has fewer"),
    ("bad-proof", "it does not find that the log extends the 0 entries that it has cosigned"),
];

/// As [`LIES`], for the one that says two sizes by turns.
const UNSTEADY: (&str, &str) = ("unsteady", "it names one size and then another");
/// And for the one that never answers.
const HANGS: (&str, &str) = ("hangs", "it did not answer in time");

fn key(lie: &str) -> CosigningKey {
    let seed = Hash::of(lie.as_bytes());
    CosigningKey::from_seed(&format!("liar.example/{lie}"), seed.as_bytes()).unwrap()
}

fn conflict(size: &str) -> Response {
    (StatusCode::CONFLICT, [(header::CONTENT_TYPE, "text/x.tlog.size")], size.to_owned()).into_response()
}

/// The number that the one names who names another one each time.
static NAMED: AtomicU64 = AtomicU64::new(1_000_000);

async fn lie(State(clock): State<Arc<Clock>>, Path(how): Path<String>, body: String) -> Response {
    let request: AddCheckpoint = body.parse().unwrap();
    let signed = &request.checkpoint;
    let (key, text) = (key(&how), signed.note().text());
    let now = u64::try_from(clock.now().unix_timestamp()).unwrap();
    let line = match how.as_str() {
        "another-key" => CosigningKey::from_seed(key.witness().name(), &[7; 32]).unwrap().cosign(text, now),
        "another-name" => {
            let seed = Hash::of(how.as_bytes());
            CosigningKey::from_seed("liar.example/x", seed.as_bytes()).unwrap().cosign(text, now)
        }
        "another-root" => key.cosign(&another_root(signed), now),
        "far-future" => key.cosign(text, now + 3_600),
        "long-ago" => key.cosign(text, 5),
        "garbage" => return "200 OK\n".into_response(),
        "endless" => return "— liar\n".repeat(1_000_000).into_response(),
        "elsewhere" => return (StatusCode::FOUND, [(header::LOCATION, "/honest/add-checkpoint")]).into_response(),
        "unknown-log" => return StatusCode::NOT_FOUND.into_response(),
        "unknown-key" => return StatusCode::FORBIDDEN.into_response(),
        "no-size" => return conflict("many\n"),
        "larger" => return conflict("1000000\n"),
        "growing" => return conflict(&format!("{}\n", NAMED.fetch_add(1, Ordering::Relaxed))),
        "unsteady" => return conflict(if request.old == 1 { "2\n" } else { "1\n" }),
        "bad-proof" => return StatusCode::UNPROCESSABLE_ENTITY.into_response(),
        "hangs" => std::future::pending().await,
        _ => key.cosign(text, now),
    };
    format!("{line}\n").into_response()
}

fn another_root(signed: &SignedCheckpoint) -> String {
    Checkpoint { root: Hash::of(b"another"), ..signed.unverified().clone() }.text()
}

#[tokio::test]
async fn nothing_of_a_liars_is_stored_and_each_is_told_of() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let routes = Router::new().route("/{how}/add-checkpoint", axum::routing::post(lie));
    let routes = routes.with_state(Arc::new(Clock::system()));
    tokio::spawn(async move { axum::serve(listener, routes).await });

    let (acme, vkey) = Witnessed::cell().await;
    let mut one = Witness::init("witness.example/one").await;
    one.start(std::slice::from_ref(&vkey)).await;
    let all: Vec<(&str, &str)> = LIES.into_iter().chain([UNSTEADY, HANGS]).collect();
    let liars: String =
        all.iter().map(|(how, _)| format!("witness {how} {} {url}/{how}\n", key(how).witness())).collect();
    let cell = Witnessed::begin(acme, &format!("{liars}{}quorum W\n", one.line("W"))).await;
    cell.cosigned_by(&[&one]).await;

    let pool = cell.acme.app.database.owner.clone();
    let faults = async || -> BTreeMap<String, String> {
        let rows = sqlx::query_as("SELECT witness, fault FROM ledger_witnesses WHERE fault IS NOT NULL");
        rows.fetch_all(&pool).await.unwrap().into_iter().collect()
    };
    until(async || faults().await.len() == all.len()).await;
    let found = faults().await;
    for (how, expected) in &all {
        let fault = &found[&key(how).witness().short()];
        assert!(fault.contains(expected), "{how}: {fault}");
    }
    let stored: Vec<String> =
        sqlx::query_scalar("SELECT DISTINCT witness FROM ledger_cosignatures").fetch_all(&pool).await.unwrap();
    assert_eq!(stored, [one.key.short()]);
    assert_eq!(cell.checkpoint().await.signatures().len(), 2);

    let objections = "SELECT row_name FROM alerts WHERE what = 'witness_objects' ORDER BY row_name";
    let raised = async || -> Vec<String> { sqlx::query_scalar(objections).fetch_all(&pool).await.unwrap() };
    // One that finds something else each time is asked again and again, and is one finding.
    let again = "SELECT failures >= 3 FROM ledger_witnesses WHERE witness = $1";
    let growing = key("growing").witness().short();
    until(async || sqlx::query_scalar(again).bind(&growing).fetch_one(&pool).await.unwrap()).await;
    until(async || raised().await.len() >= 3).await;
    let row = |how: &str, word: &str| format!("{}: {word}", key(how).witness().short());
    let objected = [row("bad-proof", "does_not_extend"), row("growing", "beyond"), row("larger", "beyond")];
    assert_eq!(raised().await, objected, "what is held against the log, and not what is wrong with a witness");
    let told = cell.told().await;
    assert_eq!(told.lines().count(), all.len() + 1, "{told}");
}
