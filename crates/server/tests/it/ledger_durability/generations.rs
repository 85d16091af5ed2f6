//! A restore that was meant: the log goes on in another generation, which cites what was signed of the one before.

use std::collections::BTreeSet;
use std::path::PathBuf;

use bailiwick_proof::checkpoint::SignedCheckpoint;
use bailiwick_proof::log::Origin;
use bailiwick_proof::receipt::Receipt;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use super::older_copy::{copy, record};
use crate::harness::app::TestApp;
use crate::harness::ledger::{anchor_of, cell_of, objects, verify};
use crate::harness::process::{DevHome, bailiwickd};
use crate::harness::recorder::{Recorded, Recorder};

const REASON: &str = "the disk of the primary failed";

/// A server whose database is older than what was signed.
struct Restored {
    home: DevHome,
    recorder: Recorder,
    /// The checkpoint that the database still knows, and the one that it does not.
    older: SignedCheckpoint,
    kept: SignedCheckpoint,
    /// An event of before the copy.
    event: Recorded,
}

impl Restored {
    async fn new() -> Self {
        let home = DevHome::temporary();
        let (original, older_copy) = (home.dir.join("postgres/data"), home.dir.with_file_name("older"));
        let server = home.start().await;
        let recorder = Recorder::on(&server).await;
        let event = recorder.record("n-first").await;
        record(&recorder, 0..2).await;
        let older = recorder.checkpoint().await;
        server.stop(Signal::SIGTERM).await;
        copy(&original, &older_copy);
        let server = home.start().await;
        record(&recorder, 3..6).await;
        let kept = recorder.checkpoint().await;
        server.stop(Signal::SIGTERM).await;
        std::fs::remove_dir_all(&original).unwrap();
        std::fs::rename(&older_copy, &original).unwrap();
        Self { home, recorder, older, kept, event }
    }

    /// `bailiwickd ledger new-generation`: the exit code and what it told.
    async fn new_generation(&self, arguments: &[&str]) -> (i32, String) {
        let mut command = bailiwickd(["ledger", "new-generation", "--data-dir"]);
        let output = command.arg(&self.home.dir).args(arguments).output().await.unwrap();
        (output.status.code().unwrap(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    }

    async fn sanction(&self) -> (i32, String) {
        self.new_generation(&["--confirm", "--reason", REASON]).await
    }

    fn journal(&self) -> BTreeSet<PathBuf> {
        objects(&cell_of(&anchor_of(&self.home))).into_iter().collect()
    }

    fn origin(&self) -> Origin {
        self.kept.unverified().origin.parse().unwrap()
    }
}

/// Requirement 8.
#[tokio::test]
async fn a_sanctioned_restore_opens_a_generation_that_cites_what_was_signed() {
    let restored = Restored::new().await;
    let Restored { home, recorder, older, kept, event } = &restored;
    home.refused().await;
    let before = restored.journal();

    // Asked without a word, it says what would be lost, and does nothing.
    let (code, told) = restored.new_generation(&[]).await;
    let (origin, sizes) = (&kept.unverified().origin, (kept.unverified().size, older.unverified().size));
    assert_eq!(code, 0, "{told}");
    let line = format!("{origin}\tsigned at {}\tthe database has {} of generation 1", sizes.0, sizes.1);
    assert!(told.contains(&line), "{told}");
    assert_eq!(restored.journal(), before);
    let (code, told) = restored.new_generation(&["--confirm"]).await;
    assert_eq!(code, 2, "a reason is wanted: {told}");
    assert_eq!(verify(home).await.0, 6);

    let (code, told) = restored.sanction().await;
    assert_eq!(code, 0, "{told}");
    let (code, told) = verify(home).await;
    assert_eq!(code, 0, "{told}");
    let (code, told) = restored.sanction().await;
    assert!(code == 0 && told.contains("nothing is to be done"), "{told}");

    // It goes on under another origin, with a key of its own, from an entry that cites the checkpoint that is kept.
    let server = home.start().await;
    let recorder = recorder.at(&server.url);
    let recorded = recorder.record("n-after").await;
    let newest = recorder.checkpoint().await;
    let now: Origin = newest.unverified().origin.parse().unwrap();
    assert_eq!((now.log(), now.generation()), (restored.origin().log(), 2));
    assert!(newest.unverified().size == recorded.seq + 1 && recorded.seq >= 1);
    let first = first_of_generation(&recorder, 2).await;
    assert_eq!((&first["action"], &first["meta"]["reason"]), (&json!("ledger.generation_opened"), &json!(REASON)));
    let cited = &first["meta"]["closed"];
    assert_eq!((cited["size"].as_u64(), cited["generation"].as_u64()), (Some(sizes.0), Some(1)), "{first}");
    assert_eq!(cited["root"].as_str(), Some(kept.unverified().root.to_base64().as_str()));
    assert_eq!(first["meta"]["restored"]["size"].as_u64(), Some(sizes.1));

    // What was recorded before proves itself by what was signed before; nothing smaller is signed under that origin.
    let receipt: Receipt = recorder.receipt(event).await.text.parse().unwrap();
    receipt.verify(&recorder.keys().await).unwrap();
    assert_eq!(receipt.checkpoint.to_string(), older.to_string());
    let receipt: Receipt = recorder.receipt(&recorded).await.text.parse().unwrap();
    receipt.verify(&recorder.keys().await).unwrap();
    server.stop(Signal::SIGTERM).await;
    let (code, told) = verify(home).await;
    assert_eq!(code, 0, "{told}");
}

async fn first_of_generation(recorder: &Recorder, generation: u64) -> Value {
    let page = recorder.get("/audit/events?limit=100&action=ledger.generation_opened").await.json();
    let events = page["data"].as_array().unwrap().clone();
    let id = events.iter().map(|event| event["id"].as_str().unwrap().to_owned()).next().unwrap();
    let event = recorder.get(&format!("/audit/events/{id}")).await.json();
    assert_eq!((event["seq"].as_u64(), event["generation"].as_u64()), (Some(0), Some(generation)), "{event}");
    event
}

/// Requirement 10, of this command: killed between the commit and the journal.
#[tokio::test]
async fn a_generation_that_was_begun_and_not_signed_is_made_up_for() {
    let restored = Restored::new().await;
    let before = restored.journal();
    let (code, told) = restored.sanction().await;
    assert_eq!(code, 0, "{told}");
    for object in restored.journal().difference(&before) {
        std::fs::remove_file(object).unwrap();
    }
    restored.home.refused().await;
    let (_, told) = restored.new_generation(&[]).await;
    assert!(told.contains("its next generation is begun, and not signed yet"), "{told}");
    let (code, told) = restored.sanction().await;
    assert_eq!(code, 0, "{told}");
    let (code, told) = verify(&restored.home).await;
    assert_eq!(code, 0, "{told}");
    let server = restored.home.start().await;
    let recorder = restored.recorder.at(&server.url);
    recorder.record("n-after").await;
    assert!(recorder.checkpoint().await.unverified().origin.ends_with("/live/2"));
    server.stop(Signal::SIGTERM).await;
}

/// A generation is in the journal, or it is none.
#[tokio::test]
async fn a_generation_that_the_database_alone_names_is_refused() {
    let app = TestApp::start().await;
    let recorder = Recorder::of(&app).await;
    recorder.record("n-0").await;
    recorder.checkpoint().await;
    let sql = async |statement: &str| {
        let own = format!("workspace_id = '{}' AND environment = 'live'", recorder.uuid());
        let statement = statement.replace("OWN", &own);
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&app.database.owner).await.unwrap();
    };
    let move_head = "UPDATE ledger_heads SET generation = 2, size = 0, frontier = '', last_leaf = decode(repeat('00', 32), 'hex') WHERE OWN";
    sql(move_head).await;
    let refused = recorder.try_record("n-1").await.unwrap();
    assert_eq!(refused.problem(), (503, "ledger_frozen".into()));
    assert_eq!(recorder.get("/audit/checkpoint").await.problem(), (503, "ledger_frozen".into()));
}
