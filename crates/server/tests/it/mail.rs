//! Mail by a real SMTP conversation with a server in the test.

use std::sync::{Arc, Mutex};

use bailiwick_server::clock::Clock;
use bailiwick_server::config::{Log, LogFormat, Mail, MailTransport, Pooler};
use bailiwick_server::db::{Db, OperationalPath, Unrecorded};
use bailiwick_server::entropy::Entropy;
use bailiwick_server::jobs::{self, Queue, Registry, Workers};
use bailiwick_server::mail::{self, Mailer, sign_in};
use bailiwick_server::telemetry;
use sqlx::AssertSqlSafe;

use crate::harness::cluster::TestDatabase;
use crate::harness::process::until;
use crate::harness::sink::Sink;
use crate::harness::vault::vault;

const LINK: &str = "https://bailiwick.example/auth/link?token=b0d7ccf5";
const CODE: &str = "K7MQ-2WXD";

/// Enqueues the sign-in mail to `to` and has it sent through the sink, until the queue is empty; answers what was logged
/// meanwhile.
async fn sent(sink: &Sink, to: &str) -> String {
    let page = Arc::new(Mutex::new(Vec::new()));
    let log = Log { format: LogFormat::Json, filter: "trace".to_owned() };
    let writer = Page(page.clone());
    let _logging = tracing::subscriber::set_default(telemetry::subscriber(&log, move || writer.clone()));
    let post = PostOffice::open().await;
    post.enqueue(to).await;
    post.work(&sink.url, async || post.count("jobs_ready").await == 0).await;
    assert_eq!(post.count("job_payloads").await, 0, "nothing is kept of a mail that was sent or given up");
    String::from_utf8(page.lock().unwrap().clone()).unwrap()
}

/// A cell's queue, with workers that come and go.
struct PostOffice {
    database: TestDatabase,
    db: Db,
    queue: Queue,
}

impl PostOffice {
    async fn open() -> Self {
        let database = TestDatabase::create().await;
        let db = Db::connect(&database.urls.runtime, &database.urls.system, 4, Pooler::None).unwrap();
        let queue = Queue::new(vault(&database, &db).await, Entropy::system());
        Self { database, db, queue }
    }

    async fn enqueue(&self, to: &str) {
        let now = Clock::system().now();
        let message = sign_in(to, LINK, CODE, now + time::Duration::minutes(15));
        let mut tx = self.db.system_tx(OperationalPath::RequestSignIn).await.unwrap();
        mail::send(&self.queue, &mut tx, &message, now).await.unwrap();
        tx.commit_unrecorded(Unrecorded::Queued).await.unwrap();
    }

    /// Has workers deliver to this server until something holds.
    async fn work(&self, url: &str, until_it_holds: impl AsyncFnMut() -> bool) {
        let from = "Bailiwick <no-reply@bailiwick.example>".to_owned();
        let mail = Mail { from, transport: MailTransport::Smtp { url: url.parse().unwrap() } };
        let mailer = Mailer::new(&mail, Clock::system()).unwrap();
        assert!(mailer.mailbox().is_none());
        let parts = jobs::Parts {
            db: self.db.clone(),
            queue: self.queue.clone(),
            registry: Registry::default().with(mailer),
            schedules: Vec::new(),
            clock: Clock::system(),
            slots: 2,
        };
        Workers::new(parts).run(until(until_it_holds)).await;
    }

    async fn count(&self, table: &str) -> i64 {
        let sql = AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
        sqlx::query_scalar(sql).fetch_one(&self.database.owner).await.unwrap()
    }

    async fn error(&self) -> Option<String> {
        let error = "SELECT last_error FROM jobs_ready UNION ALL SELECT error FROM jobs_dead";
        sqlx::query_scalar(error).fetch_one(&self.database.owner).await.unwrap()
    }
}

/// What the client said, without the quoted-printable encoding (RFC 2045, 6.7) that a long line asks for.
fn readable(lines: &[String]) -> String {
    lines.join("\n").replace("=\n", "").replace("=3D", "=")
}

#[derive(Clone)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Page {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        std::io::Write::write(&mut *self.0.lock().unwrap(), bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_mail_arrives_after_a_refusal_for_the_moment() {
    let sink = Sink::start(&["450 4.2.0 <ada@example.com>: greylisted", "250 welcome"]).await;
    let log = sent(&sink, "ada@example.com").await;
    let conversations = sink.conversations();
    assert_eq!(conversations.len(), 2);
    let said = readable(&conversations[1]);
    for expected in [
        "MAIL FROM:<no-reply@bailiwick.example>",
        "RCPT TO:<ada@example.com>",
        "Subject: Sign in to Bailiwick",
        "Auto-Submitted: auto-generated",
        LINK,
        CODE,
    ] {
        assert!(said.lines().any(|line| line == expected), "{expected}: {said}");
    }
    assert!(log.contains("job.failed") && log.contains("transient 450"), "{log}");
    for hidden in ["example.com", "auth/link", "b0d7ccf5", CODE] {
        assert!(!log.contains(hidden), "{hidden}: {log}");
    }
}

#[tokio::test]
async fn a_refusal_for_good_is_not_tried_again() {
    let sink = Sink::start(&["550 5.1.1 <bob@example.com>: no such user"]).await;
    let log = sent(&sink, "bob@example.com").await;
    assert_eq!(sink.conversations().len(), 1);
    assert!(log.contains("job.dead") && log.contains("permanent 550"), "{log}");
    assert!(!log.contains("example.com"), "{log}");
}

#[tokio::test]
async fn an_address_cannot_smuggle_a_header() {
    let sink = Sink::start(&["250 welcome"]).await;
    let log = sent(&sink, "eve@example.com\r\nBcc: all@example.com").await;
    assert!(sink.conversations().is_empty());
    assert!(log.contains("job.dead") && log.contains("malformed"), "{log}");
}

#[tokio::test]
async fn a_mail_waits_for_a_server_that_is_away_and_outlives_the_worker() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let post = PostOffice::open().await;
    post.enqueue("ada@example.com").await;
    post.work(&format!("smtp://{nobody}"), async || post.error().await.is_some()).await;
    assert_eq!(post.error().await.as_deref(), Some("connection"));
    let sink = Sink::start(&["250 welcome"]).await;
    post.work(&sink.url, async || post.count("jobs_ready").await == 0).await;
    assert!(readable(&sink.conversations()[0]).contains("RCPT TO:<ada@example.com>"));
}

#[tokio::test]
async fn a_mail_whose_link_has_expired_is_not_sent() {
    let post = PostOffice::open().await;
    let now = Clock::system().now();
    let message = sign_in("ada@example.com", LINK, CODE, now - time::Duration::seconds(1));
    let mut tx = post.db.system_tx(OperationalPath::RequestSignIn).await.unwrap();
    mail::send(&post.queue, &mut tx, &message, now).await.unwrap();
    tx.commit_unrecorded(Unrecorded::Queued).await.unwrap();
    let sink = Sink::start(&["250 welcome"]).await;
    post.work(&sink.url, async || post.count("jobs_dead").await == 1).await;
    assert_eq!((post.error().await.as_deref(), post.count("job_payloads").await), (Some("expired"), 0));
    assert!(sink.conversations().is_empty());
}
