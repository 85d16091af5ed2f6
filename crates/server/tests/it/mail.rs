//! Mail by a real SMTP conversation with a server in the test.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bailiwick_server::clock::Clock;
use bailiwick_server::config::{Log, LogFormat, Mail, MailTransport};
use bailiwick_server::mail::{Mailer, sign_in};
use bailiwick_server::telemetry;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

const LINK: &str = "https://bailiwick.example/auth/link?token=b0d7ccf5";
const CODE: &str = "K7MQ-2WXD";
const PATIENCE: Duration = Duration::from_secs(20);

/// An SMTP server that answers the recipients of its conversations by these lines, the last one for ever.
struct Sink {
    url: String,
    taken: Arc<Mutex<Vec<Vec<String>>>>,
}

impl Sink {
    async fn start(answers: &'static [&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("smtp://{}", listener.local_addr().unwrap());
        let taken = Arc::new(Mutex::new(Vec::new()));
        let kept = taken.clone();
        tokio::spawn(async move {
            for number in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                let answer = answers.get(number).or(answers.last()).unwrap();
                kept.lock().unwrap().push(Vec::new());
                converse(stream, answer, |line| kept.lock().unwrap()[number].push(line)).await;
            }
        });
        Self { url, taken }
    }

    fn conversations(&self) -> Vec<Vec<String>> {
        self.taken.lock().unwrap().clone()
    }
}

/// One conversation; each line that the client said is noted before it is answered.
async fn converse(stream: TcpStream, to_recipient: &str, note: impl Fn(String)) {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    let mut in_data = false;
    write.write_all(b"220 sink.example\r\n").await.unwrap();
    while let Ok(Some(line)) = lines.next_line().await {
        let answer = match line.as_str() {
            "." if in_data => {
                in_data = false;
                "250 taken"
            }
            _ if in_data => "",
            "DATA" => {
                in_data = true;
                "354 go on"
            }
            "QUIT" => "221 bye",
            line if line.starts_with("RCPT") => to_recipient,
            _ => "250 sink.example",
        };
        note(line);
        if !answer.is_empty() && write.write_all(format!("{answer}\r\n").as_bytes()).await.is_err() {
            break;
        }
    }
}

/// Sends the sign-in mail to `to` through the sink, waits for the end, and answers what was logged meanwhile.
async fn sent(sink: &Sink, to: &str) -> String {
    let page = Arc::new(Mutex::new(Vec::new()));
    let log = Log { format: LogFormat::Json, filter: "trace".to_owned() };
    let writer = Page(page.clone());
    let _logging = tracing::subscriber::set_default(telemetry::subscriber(&log, move || writer.clone()));
    let from = "Bailiwick <no-reply@bailiwick.example>".to_owned();
    let mail = Mail { from, transport: MailTransport::Smtp { url: sink.url.clone().into() } };
    let (mailer, delivery) = Mailer::start(&mail, Clock::system()).unwrap();
    assert!(mailer.mailbox().is_none());
    mailer.send(sign_in(to, LINK, CODE));
    delivery.drain(PATIENCE).await;
    String::from_utf8(page.lock().unwrap().clone()).unwrap()
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
    assert!(log.contains("mail.retry") && log.contains("\"code\":450"), "{log}");
    for hidden in ["example.com", "auth/link", "b0d7ccf5", CODE] {
        assert!(!log.contains(hidden), "{hidden}: {log}");
    }
}

#[tokio::test]
async fn a_refusal_for_good_is_not_tried_again() {
    let sink = Sink::start(&["550 5.1.1 <bob@example.com>: no such user"]).await;
    let log = sent(&sink, "bob@example.com").await;
    assert_eq!(sink.conversations().len(), 1);
    assert!(log.contains("mail.failed") && log.contains("\"code\":550"), "{log}");
    assert!(!log.contains("example.com"), "{log}");
}

#[tokio::test]
async fn an_address_cannot_smuggle_a_header() {
    let sink = Sink::start(&["250 welcome"]).await;
    let log = sent(&sink, "eve@example.com\r\nBcc: all@example.com").await;
    assert!(sink.conversations().is_empty());
    assert!(log.contains("mail.malformed"), "{log}");
}

#[tokio::test]
async fn a_full_queue_drops_and_goes_on() {
    // Nobody answers there: a listener that never accepts.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("smtp://{}", listener.local_addr().unwrap());
    let from = "no-reply@bailiwick.example".to_owned();
    let mail = Mail { from, transport: MailTransport::Smtp { url: url.into() } };
    let (mailer, delivery) = Mailer::start(&mail, Clock::system()).unwrap();
    for _ in 0..3_000 {
        mailer.send(sign_in("ada@example.com", LINK, CODE));
    }
    let begin = std::time::Instant::now();
    delivery.drain(Duration::from_millis(200)).await;
    assert!(begin.elapsed() < Duration::from_secs(5), "the end waits for its patience and no longer");
}
