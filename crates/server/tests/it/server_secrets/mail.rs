//! The way to the mail server.

use bailiwick_server::db::Db;
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};

use super::{handle, rotate, rotated};
use crate::harness::cluster::TestDatabase;
use crate::harness::process::{bailiwickd, free_port, log_file, refused, until};
use crate::harness::sink::Sink;
use crate::harness::vault::vault;

/// A server that sends mail by this URL, in a process of its own; ends with the test.
async fn serve(database: &TestDatabase, smtp_url: &str) -> (String, Child) {
    let (port, private_port) = (free_port(), free_port());
    let mut command = rotate(database, &[]);
    let mut serve = bailiwickd(["serve"]);
    serve
        .envs(command.as_std_mut().get_envs().filter_map(|(key, value)| Some((key, value?))))
        .env("BAILIWICK_LISTEN", format!("127.0.0.1:{port}"))
        .env("BAILIWICK_PRIVATE_LISTEN", format!("127.0.0.1:{private_port}"))
        .env("BAILIWICK_ALLOWED_HOSTS", format!("127.0.0.1:{port}"))
        .env("BAILIWICK_PUBLIC_URL", "https://bailiwick.example")
        .env("BAILIWICK_MAIL_FROM", "no-reply@bailiwick.example")
        .env("BAILIWICK_MAIL_SMTP_URL", smtp_url);
    let child = serve.stderr(log_file()).kill_on_drop(true).spawn().unwrap();
    let ready = format!("http://127.0.0.1:{private_port}/readyz");
    until(async || reqwest::get(&ready).await.is_ok_and(|answer| answer.status() == 200)).await;
    (format!("http://127.0.0.1:{port}"), child)
}

/// Somebody asks for a link.
async fn ask(url: &str, email: &str) {
    let call = crate::harness::http::http().post(format!("{url}/auth/request")).json(&json!({"email": email}));
    assert!(call.send().await.unwrap().status().is_success());
}

fn got(sink: &Sink, email: &str) -> bool {
    sink.conversations().iter().flatten().any(|line| *line == format!("RCPT TO:<{email}>"))
}

/// Rotates to the URL in a file, and says in which.
async fn rotate_to(database: &TestDatabase, url: &str, more: &[&str]) -> (Command, String) {
    let file = database.kek_file.with_file_name("smtp.url");
    tokio::fs::File::create(&file).await.unwrap().write_all(url.as_bytes()).await.unwrap();
    let path = file.to_str().unwrap().to_owned();
    (rotate(database, &[&["mail", "--smtp-url-file", &path], more].concat()), path)
}

async fn versions(db: &Db) -> i64 {
    let mut tx = db.system_tx(bailiwick_server::db::OperationalPath::OpenServerSecrets).await.unwrap();
    let count = sqlx::query_scalar("SELECT count(*) FROM server_secrets WHERE purpose = 'mail'");
    let count = count.fetch_one(tx.connection().unwrap()).await.unwrap();
    tx.finish_reading().await.unwrap();
    count
}

#[tokio::test]
async fn mail_goes_another_way_without_a_restart_and_back() {
    let database = TestDatabase::create().await;
    let (first, second) = (Sink::start(&["250 welcome"]).await, Sink::start(&["250 welcome"]).await);
    let (url, _server) = serve(&database, &first.url).await;
    ask(&url, "ada@example.com").await;
    until(async || got(&first, "ada@example.com")).await;

    let (mut command, _) = rotate_to(&database, &format!("{}\n", second.url), &[]).await;
    let (receipt, said) = rotated(&mut command).await;
    assert!(receipt.starts_with("evt_") && said.contains("by the URL that was given"), "{receipt} {said}");
    ask(&url, "bob@example.com").await;
    until(async || got(&second, "bob@example.com")).await;
    assert!(!got(&first, "bob@example.com"));

    let (_, said) = rotated(&mut rotate(&database, &["mail", "--configured"])).await;
    assert!(said.contains("by the setting mail.smtp_url"), "{said}");
    ask(&url, "eve@example.com").await;
    until(async || got(&first, "eve@example.com")).await;
}

#[tokio::test]
async fn a_way_that_does_not_work_is_not_taken() {
    let database = TestDatabase::create().await;
    let db = handle(&database);
    // The cell has to be there.
    vault(&database, &db).await;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (url, why) in [
        (format!("smtp://{nobody}"), "cannot be reached"),
        ("smtp://mail.example".to_owned(), "in plain text"),
        ("mail.example".to_owned(), "not a URL like"),
    ] {
        let (mut command, path) = rotate_to(&database, &url, &[]).await;
        let said = refused(&mut command).await;
        assert!(said.contains(why) && !said.contains("mail.example"), "{said} {path}");
        assert_eq!(versions(&db).await, 0);
    }
    let (mut command, _) = rotate_to(&database, &format!("smtp://{nobody}"), &["--unchecked"]).await;
    rotated(&mut command).await;
    assert_eq!(versions(&db).await, 1);
}
