//! A log with some events, and what a customer kept of it before somebody laid hands on the database.

use bailiwick_proof::checkpoint::SignedCheckpoint;
use bailiwick_proof::commitment::Field;
use bailiwick_proof::note::VerifierKey;
use bailiwick_proof::receipt::Receipt;
use bailiwick_server::ledger::LogReport;
use sqlx::AssertSqlSafe;

use crate::cli::{Home, Run};
use crate::harness::app::TestApp;
use crate::harness::ledger::report_on;
use crate::harness::openings::openings;
use crate::harness::recorder::{Recorded, Recorder};

/// Entries before the first event: the workspace's, and that of the program's key.
pub const BEFORE: u64 = 2;
/// Events.
pub const EVENTS: u64 = 6;
/// Entries in all.
pub const SIZE: u64 = BEFORE + EVENTS;

/// The log and what was kept.
pub struct Kept {
    /// The server.
    pub app: TestApp,
    /// The customer's program.
    pub recorder: Recorder,
    /// Its events; number `n` of the log is number `n - BEFORE` here.
    pub events: Vec<Recorded>,
    /// The receipt of each, with actor and target opened.
    pub receipts: Vec<Receipt>,
    /// The checkpoint over all of it.
    pub checkpoint: SignedCheckpoint,
    /// The keys of the workspace's logs.
    pub keys: Vec<VerifierKey>,
}

impl Kept {
    /// Records, and keeps.
    pub async fn new() -> Self {
        let app = TestApp::start().await;
        let recorder = Recorder::of(&app).await;
        let mut events = Vec::new();
        for n in 0..EVENTS {
            events.push(recorder.record(&format!("n-{n}")).await);
        }
        let checkpoint = recorder.checkpoint().await;
        assert_eq!(checkpoint.unverified().size, SIZE);
        // Had they been asked for with openings, an entry about each would be the end of the log. So these are opened by
        // what the customer knows, and what is done to the last entries below is done to the customer's own.
        let mut receipts: Vec<Receipt> = Vec::new();
        for (event, known) in events.iter().zip(openings(&app, recorder.uuid(), Some("invoice.paid")).await) {
            let mut receipt: Receipt = recorder.receipt(event).await.text.parse().unwrap();
            let opened = |field: &Field| matches!(field, Field::Actor | Field::Target);
            receipt.openings.extend(known.into_iter().filter(|(field, _)| opened(field)));
            receipts.push(receipt);
        }
        let keys = recorder.keys().await;
        let kept = Self { app, recorder, events, receipts, checkpoint, keys };
        let report = kept.report().await;
        assert!(report.damages.is_empty() && report.good == SIZE, "{report:?}");
        kept
    }

    /// Changes the tables by the owner's URL; `$1` is the workspace.
    pub async fn change(&self, statements: &[&str]) {
        for statement in statements {
            let done = sqlx::query(AssertSqlSafe(*statement)).bind(self.recorder.uuid());
            let done = done.execute(&self.app.database.owner).await.unwrap();
            assert!(done.rows_affected() > 0, "{statement} changed nothing");
        }
    }

    /// What the server's own check says of this log.
    pub async fn report(&self) -> LogReport {
        report_on(&self.app, &self.recorder.workspace).await
    }

    /// What was kept still holds, whatever became of the database.
    pub fn still_holds(&self) {
        self.checkpoint.verify(&self.keys).unwrap();
        for receipt in &self.receipts {
            receipt.verify(&self.keys).unwrap();
        }
    }

    /// `bailiwick verify` on a text, with the keys that were kept.
    pub async fn verify_offline(&self, text: &str) -> Run {
        let home = Home::new();
        let file = home.path("file");
        std::fs::write(&file, text).unwrap();
        let keys: Vec<String> = self.keys.iter().map(ToString::to_string).collect();
        let mut args = vec!["verify", file.to_str().unwrap()];
        for key in &keys {
            args.extend(["--key", key]);
        }
        home.run(&args, "").await
    }
}
