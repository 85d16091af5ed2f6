//! Kinds of jobs that do what a test asks for.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bailiwick_server::authz::{Permission, PermissionSet, may};
use bailiwick_server::db::Db;
use bailiwick_server::entropy::Entropy;
use bailiwick_server::jobs::{Claimed, DeadPayload, Done, Failure, InWorkspace, Job, Policy};
use bailiwick_server::ledger::{self, Entry};
use serde_json::json;
use tokio::sync::Semaphore;

/// So fast that a test need not wait.
pub const AT_ONCE: Policy = Policy { attempts: 3, first_pause: Duration::from_millis(1), ..Policy::QUICK };

/// Leaves an entry `test.noted` about its payload, in a transaction that ends the job.
pub struct Note(pub Db);

impl Job for Note {
    const KIND: &'static str = "test.note";
    const POLICY: Policy = Policy { attempts: 10_000, ..AT_ONCE };
    const PERMISSIONS: PermissionSet = PermissionSet::of(&[Permission::RecordEvent]);
    type Place = InWorkspace;
    type Payload = String;

    async fn run(&self, claimed: Claimed<Self>, target: String) -> Result<Done, Failure> {
        claimed.needs::<may::RecordEvent>();
        note(&self.0, claimed, target).await
    }
}

/// The entry, and the end of the job with it.
pub async fn note<J: Job<Place = InWorkspace>>(db: &Db, claimed: Claimed<J>, target: String) -> Result<Done, Failure> {
    let mut tx = db.workspace_tx(&claimed).await?;
    let actor = claimed.id().to_string();
    let entry = Entry::told("test.noted".to_owned(), actor, target, json!({})).unwrap();
    let recorded = ledger::stage(&mut tx, &Entropy::system(), entry);
    claimed.commit(tx, recorded).await
}

/// Does nothing in the database: tells in memory what it was about.
#[derive(Clone, Default)]
pub struct Tell(pub Arc<Mutex<Vec<String>>>);

impl Tell {
    pub fn told(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl Job for Tell {
    const KIND: &'static str = "test.tell";
    const POLICY: Policy = AT_ONCE;
    const PERMISSIONS: PermissionSet = PermissionSet::NONE;
    type Place = InWorkspace;
    type Payload = String;

    async fn run(&self, claimed: Claimed<Self>, word: String) -> Result<Done, Failure> {
        self.0.lock().unwrap().push(word);
        Ok(claimed.done())
    }
}

/// As [`Tell`], but only a few at once: claims are small, and many.
#[derive(Clone, Default)]
pub struct Narrow(pub Tell);

impl Job for Narrow {
    const KIND: &'static str = "test.narrow";
    const POLICY: Policy = Policy { per_lane: 4, ..AT_ONCE };
    const PERMISSIONS: PermissionSet = PermissionSet::NONE;
    type Place = InWorkspace;
    type Payload = String;

    async fn run(&self, claimed: Claimed<Self>, word: String) -> Result<Done, Failure> {
        self.0.0.lock().unwrap().push(word);
        Ok(claimed.done())
    }
}

/// Ends as its payload says, and keeps it when it is given up.
pub struct Moody;

impl Job for Moody {
    const KIND: &'static str = "test.moody";
    const POLICY: Policy = Policy { time_limit: Duration::from_millis(200), ..AT_ONCE };
    const PERMISSIONS: PermissionSet = PermissionSet::NONE;
    type Place = InWorkspace;
    type Payload = String;

    async fn run(&self, claimed: Claimed<Self>, mood: String) -> Result<Done, Failure> {
        moody(claimed, &mood).await
    }
}

/// As [`Moody`], and of no use to anybody once it is given up.
pub struct Secretive;

impl Job for Secretive {
    const KIND: &'static str = "test.secretive";
    const POLICY: Policy = Policy { dead_payload: DeadPayload::Scrubbed, ..Moody::POLICY };
    const PERMISSIONS: PermissionSet = PermissionSet::NONE;
    type Place = InWorkspace;
    type Payload = String;

    async fn run(&self, claimed: Claimed<Self>, mood: String) -> Result<Done, Failure> {
        moody(claimed, &mood).await
    }
}

async fn moody<J: Job>(claimed: Claimed<J>, mood: &str) -> Result<Done, Failure> {
    match mood.split(' ').next().unwrap() {
        "fine" => Ok(claimed.done()),
        "once" if claimed.attempt() > 1 => Ok(claimed.done()),
        "once" | "never" => Err(Failure::again("not_today").with_code(Some(503))),
        "refused" => Err(Failure::for_good("refused")),
        "hangs" => std::future::pending().await,
        _ => panic!("{mood}"),
    }
}

/// Waits at the gate of its attempt, then notes, or just ends.
#[derive(Clone)]
pub struct Held {
    pub db: Db,
    /// Permits to pass, by attempt.
    pub gates: Arc<BTreeMap<u16, Semaphore>>,
    /// One for each that has arrived.
    pub arrived: Arc<Semaphore>,
}

impl Held {
    pub fn new(db: &Db) -> Self {
        let gates = (1..=3).map(|attempt| (attempt, Semaphore::new(0))).collect();
        Self { db: db.clone(), gates: Arc::new(gates), arrived: Arc::new(Semaphore::new(0)) }
    }

    pub async fn one_has_arrived(&self) {
        self.arrived.acquire().await.unwrap().forget();
    }

    pub fn let_pass(&self, attempt: u16) {
        self.gates[&attempt].add_permits(1);
    }
}

impl Job for Held {
    const KIND: &'static str = "test.held";
    // It waits for the test, however little time the machine has.
    const POLICY: Policy = Policy { time_limit: Duration::from_secs(3_600), ..AT_ONCE };
    const PERMISSIONS: PermissionSet = PermissionSet::of(&[Permission::RecordEvent]);
    type Place = InWorkspace;
    type Payload = String;

    async fn run(&self, claimed: Claimed<Self>, word: String) -> Result<Done, Failure> {
        let attempt = claimed.attempt();
        self.arrived.add_permits(1);
        self.gates[&attempt].acquire().await.unwrap().forget();
        match word.as_str() {
            "notes" => note(&self.db, claimed, attempt.to_string()).await,
            "ends" => Ok(claimed.done()),
            "fails" if attempt == 1 => Err(Failure::again("late")),
            "gives up" if attempt == 1 => Err(Failure::for_good("late")),
            _ => Ok(claimed.done()),
        }
    }
}
