//! Rows that grant something, held against the ledger: an older row put back, or a revocation taken back, is found.
//!
//! A MAC says that a row was ours once, and not that it still is. Each entry of a change says which serial its rows have
//! from then on (`authz::vouched::stamp`), so the log knows the present one, and the log is held by its chain and the
//! anchor store. Every half minute all of it is compared:
//!
//! | found | because |
//! |---|---|
//! | `row_unvouched` | nobody vouches for the row: it grants nothing anyway |
//! | `row_rolled_back` | the log knows a later one |
//! | `row_forked` | the log tells of one serial twice: an older row was put back, and changed |
//! | `row_without_entry` | the log knows no such row, or none so late |
//! | `row_gone` | the log knows it, and it is not there |
//! | `row_came_back` | it was one of the above, and is as the log last knew it: what was to happen to it meanwhile did not |
//! | `entry_silent` | an entry of a change does not say of which rows |
//! | `log_broken` | a log is not what it was, or is not there any more |
//! | `not_reconciled` | rows of this kind, or the logs, cannot be read: what stands there is not held against anything |
//!
//! Who looks is decided by the queue, once in the cell; but whoever owns the database owns the queue. So a process that has
//! not looked for two minutes looks without being told ([`crate::housekeeping::stand_by`]).
//!
//! # Invariants
//! - A row that is rolled back, forked or without an entry loses its MAC: every node drops it, and it stays so until the
//!   product makes it anew. It counts on from the last that the log knows, so what comes next has a serial of its own.
//! - No change of the product's own is ever taken for a finding. Logs are read before rows: what a log knows by then is in
//!   the rows. What rows know and the log does not is looked for among what has no number yet, and then in the logs again.
//! - Nothing is fenced by a log that is broken.

mod known;

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bailiwick_proof::log::Log;
use futures_util::FutureExt as _;
use serde_json::json;
use time::OffsetDateTime;
use tokio::sync::Mutex;
use tokio::time::Instant;
use uuid::Uuid;

use known::{Known, Standing as Verdict};

use crate::authz::vouched::standing::{self, At, Standing};
use crate::authz::vouched::{Kind, stamp};
use crate::authz::{Notary, PermissionSet};
use crate::clock::Clock;
use crate::context::RequestContext;
use crate::db::{Db, DbError, OperationalPath};
use crate::entropy::Entropy;
use crate::jobs::{Claimed, DeadPayload, Done, Failure, InCell, Job, Policy};
use crate::ledger::{self, Action, Entry, Ledger, LedgerError, Told};
use crate::vault::{Alert, Alerts};

/// What a look has found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Rows that were looked at.
    pub rows: u64,
    /// Rows that nobody vouches for.
    pub unvouched: u64,
    /// Rows that grant nothing any more.
    pub fenced: u64,
    /// Rows that are not there any more.
    pub gone: u64,
    /// Rows that were gone or changed past the server, and are as they were.
    pub back: u64,
}

/// What a look is made with. Cheap to clone; what it has read of the logs it keeps.
#[derive(Clone)]
pub struct Reconciler {
    db: Db,
    notary: Notary,
    ledger: Ledger,
    alerts: Alerts,
    clock: Clock,
    entropy: Entropy,
    known: Arc<Mutex<Known>>,
    /// When this process ended its last good look.
    looked: Arc<std::sync::Mutex<Instant>>,
}

/// Why a look came to no end.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// The rows cannot be read.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The logs cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// A row that is not the one that the log knows.
struct Finding {
    what: &'static str,
    kind: Kind,
    row: Standing,
    /// The last serial that the log knows of it.
    last: u64,
}

/// What a look has seen so far.
#[derive(Default)]
struct Seen {
    findings: Vec<Finding>,
    /// Rows that the logs do not know, or not so late.
    unknown: Vec<(Kind, Standing)>,
}

impl Reconciler {
    /// One that has read nothing yet.
    #[must_use]
    pub fn new(db: Db, notary: Notary, ledger: Ledger, alerts: Alerts, clock: Clock, entropy: Entropy) -> Self {
        let looked = Arc::new(std::sync::Mutex::new(Instant::now()));
        Self { db, notary, ledger, alerts, clock, entropy, known: Arc::default(), looked }
    }

    /// How long ago this process ended its last good look, or began.
    #[must_use]
    pub fn idle_for(&self) -> Duration {
        self.looked.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }

    /// Looks at every row that grants something.
    ///
    /// # Errors
    /// See [`LookError`]. What was found by then is reported.
    pub async fn look(&self) -> Result<Look, LookError> {
        let now = self.clock.now();
        let mut known = self.known.lock().await;
        known.begin(stamp::milliseconds(now));
        let mut broken = self.follow(&mut known).await?;
        known.judge();
        let (mut look, mut seen, mut blind) = (Look::default(), Seen::default(), Vec::new());
        for kind in Kind::ALL {
            // A row that cannot be read blinds for rows of its kind, and for no other.
            let sweep = AssertUnwindSafe(self.sweep(kind, now, &mut known, &mut look, &mut seen));
            let swept = sweep.catch_unwind().await;
            if !matches!(swept, Ok(Ok(()))) {
                self.raise("not_reconciled", kind.table(), Uuid::nil(), String::new());
                blind.push(kind);
            }
            if let Ok(Err(error @ DbError::Unavailable(_))) = swept {
                return Err(error.into());
            }
        }
        let Seen { mut findings, mut unknown } = seen;
        if !unknown.is_empty() {
            let staged = ledger::staged_rows(&self.ledger, &self.notary).await?;
            broken.extend(self.follow(&mut known).await?);
            let told: HashSet<_> = staged.into_iter().map(|row| (row.kind, row.at, row.serial)).collect();
            unknown.retain(|(kind, row)| {
                !told.contains(&(*kind, row.at.clone(), row.serial)) && known.see(*kind, row) != Verdict::Current
            });
            findings.extend(unknown.into_iter().map(|(kind, row)| {
                let last = known.serial(kind, &row.at);
                Finding { what: "row_without_entry", kind, row, last }
            }));
        }
        findings.retain(|finding| !broken.contains(&finding.row.at.workspace));
        let missed = self.fence(&findings).await?;
        findings.iter().for_each(|finding| known.lose(finding.kind, &finding.row.at));
        look.fenced = (findings.len() - missed.len()) as u64;
        look.gone = self.report_gone(&mut known, &broken, &blind);
        metrics::counter!("bailiwick_rows_fenced_total").increment(look.fenced);
        metrics::gauge!("bailiwick_rows_unvouched").set(f64::from(u32::try_from(look.unvouched).unwrap_or(u32::MAX)));
        known.end(|kind, at| {
            blind.contains(&kind) || broken.contains(&at.workspace) || missed.contains(&(kind, at.clone()))
        });
        if blind.is_empty() {
            *self.looked.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        }
        Ok(look)
    }

    /// Looks at the rows of a kind.
    async fn sweep(
        &self,
        kind: Kind,
        now: OffsetDateTime,
        known: &mut Known,
        look: &mut Look,
        seen: &mut Seen,
    ) -> Result<(), DbError> {
        let mut after = At::default();
        loop {
            let page = standing::page(&self.db, kind, &after, now).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.at.clone();
            look.rows += page.len() as u64;
            for row in page {
                let verdict = known.see(kind, &row);
                if !self.notary.vouches_standing(kind, &row).await? {
                    look.unvouched += 1;
                    known.lose(kind, &row.at);
                    continue;
                }
                let what = match verdict {
                    Verdict::Current => {
                        if known.is_back(kind, &row) {
                            look.back += 1;
                            self.notary.report("row_came_back", kind, row.at.workspace, row.row);
                        }
                        continue;
                    }
                    Verdict::Unknown => {
                        seen.unknown.push((kind, row));
                        continue;
                    }
                    Verdict::Older => "row_rolled_back",
                    Verdict::Forked => "row_forked",
                };
                let last = known.serial(kind, &row.at);
                seen.findings.push(Finding { what, kind, row, last });
            }
        }
    }

    /// Reads on in the logs; answers whose are broken.
    async fn follow(&self, known: &mut Known) -> Result<HashSet<Uuid>, LedgerError> {
        let mut silent = Vec::new();
        let (follower, rows) = known.parts();
        let followed = follower
            .read_on(&self.ledger, &self.notary, |told| match told {
                Told::Changed(stamped) => rows.learn(stamped),
                Told::Silent { log, seq } => silent.push((log, seq)),
            })
            .await;
        for (log, seq) in silent {
            let (workspace, environment) = whose(log);
            self.raise("entry_silent", "ledger_entries", workspace, format!("{environment}/{seq}"));
        }
        let broken = followed?.broken;
        for (log, why) in &broken {
            let (workspace, environment) = whose(*log);
            self.raise("log_broken", "ledger_entries", workspace, format!("{environment}: {why}"));
        }
        Ok(broken.into_iter().map(|(log, _)| whose(log).0).collect())
    }

    /// Takes the MACs of these rows away, with an entry for each, and answers which of them have changed meanwhile: those are
    /// judged by the next look.
    async fn fence(&self, findings: &[Finding]) -> Result<HashSet<(Kind, At)>, DbError> {
        let mut missed = HashSet::new();
        for Finding { what, kind, row, last } in findings {
            let context = RequestContext::internal(&self.clock, &self.entropy);
            let mut tx = self.db.system_tx(OperationalPath::VouchForRows).await?;
            if !standing::fence(&mut tx, *kind, row, *last).await? {
                tx.finish_reading().await?;
                missed.insert((*kind, row.at.clone()));
                continue;
            }
            let entry = Entry::about(Action::RowFenced, "")
                .with(json!({"what": what, "of": kind.table(), "row": row.row, "workspace": row.at.workspace}));
            let recorded = ledger::stage_by_system(&mut tx, &self.entropy, &context, Log::Cell, &entry).await?;
            tx.commit(recorded).await?;
            self.notary.report(what, *kind, row.at.workspace, row.row.clone());
        }
        Ok(missed)
    }

    fn report_gone(&self, known: &mut Known, broken: &HashSet<Uuid>, blind: &[Kind]) -> u64 {
        let gone = known.gone().filter(|(kind, at)| !broken.contains(&at.workspace) && !blind.contains(kind));
        let gone: Vec<_> = gone.map(|(kind, at)| (kind, at.clone())).collect();
        for (kind, at) in &gone {
            known.lose(*kind, at);
            self.notary.report("row_gone", *kind, at.workspace, at.words());
        }
        gone.len() as u64
    }

    fn raise(&self, what: &'static str, of: &'static str, workspace: Uuid, row: String) {
        self.alerts.raise(Alert { what, of, workspace, row });
    }
}

/// The workspace of a log, nil for the cell's, and the environment.
fn whose(log: Log) -> (Uuid, &'static str) {
    match log {
        Log::Cell => (Uuid::nil(), "cell"),
        Log::Workspace { workspace, environment } => (workspace.uuid(), environment.as_str()),
    }
}

impl Job for Reconciler {
    const KIND: &'static str = "reconciliation.look";
    const POLICY: Policy = Policy {
        attempts: 3,
        per_lane: 1,
        // The first look of a process reads every log from its beginning.
        time_limit: Duration::from_secs(900),
        dead_payload: DeadPayload::Scrubbed,
        ..Policy::QUICK
    };
    const PERMISSIONS: PermissionSet = PermissionSet::NONE;
    type Place = InCell;
    type Payload = ();

    async fn run(&self, claimed: Claimed<Self>, (): ()) -> Result<Done, Failure> {
        match self.look().await {
            Ok(look) => {
                tracing::debug!(
                    event = "reconciled",
                    rows = look.rows,
                    unvouched = look.unvouched,
                    fenced = look.fenced
                );
                Ok(claimed.done())
            }
            Err(LookError::Db(error)) => Err(error.into()),
            Err(LookError::Ledger(error)) => {
                self.raise("not_reconciled", "ledger_entries", Uuid::nil(), String::new());
                tracing::warn!(event = "reconciliation_failed", cause = %error);
                Err(Failure::again("ledger_unread"))
            }
        }
    }
}
