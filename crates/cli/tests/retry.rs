//! Bad days on the network: what the program sends again, what it does not, and what it says when
//! it cannot know. The other side is a bare socket, since no real server can be made to fail so.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Command, Output, Stdio};
use std::thread::JoinHandle;

const KEY: &str = "bw_live_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcde1dg76K";
const MADE: &str = r#"{"id":"key_01h455vb4pex5vsknk084sn02q","key":"bw_live_secret","name":"n"}"#;
const HANG_UP: &str = "";

/// Takes one connection for each answer, reads a whole request, gives the answer and hangs up.
/// Gives the requests' heads back.
fn network(answers: &'static [&'static str]) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let serve = move || {
        let answer = |answer: &&str| {
            let (mut stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut head = String::new();
            while reader.read_line(&mut head).unwrap() > 2 {}
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
            reader.read_exact(&mut body).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            head
        };
        answers.iter().map(answer).collect()
    };
    (address, std::thread::spawn(serve))
}

fn create_key(server: &str, more: &[&str]) -> Output {
    let config = tempfile::tempdir().unwrap();
    Command::new(env!("CARGO_BIN_EXE_bailiwick"))
        .args(["keys", "create", "n", "--scope", "read", "-w", "acme"])
        .args(more)
        .env_clear()
        .env("XDG_CONFIG_HOME", config.path())
        .env("BAILIWICK_SERVER", server)
        .env("BAILIWICK_TOKEN", KEY)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn idempotency_keys(heads: &[String]) -> Vec<&str> {
    heads.iter().flat_map(|head| head.lines()).filter_map(|line| line.strip_prefix("idempotency-key: ")).collect()
}

fn made() -> &'static str {
    let length = MADE.len();
    Box::leak(format!("HTTP/1.1 201 Created\r\ncontent-length: {length}\r\n\r\n{MADE}").into_boxed_str())
}

fn answers<const N: usize>(answers: [&'static str; N]) -> &'static [&'static str] {
    Box::leak(Box::new(answers))
}

#[test]
fn a_change_is_sent_again_under_one_idempotency_key() {
    let unavailable = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nretry-after: 0\r\n\r\n";
    let (server, network) = network(answers([HANG_UP, unavailable, made()]));
    let output = create_key(&server, &["-o", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("bw_live_secret"));

    let heads = network.join().unwrap();
    let keys = idempotency_keys(&heads);
    assert_eq!(keys.len(), 3);
    assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    assert!(heads.iter().all(|head| head.contains(concat!("user-agent: bailiwick/", env!("CARGO_PKG_VERSION")))));
}

#[test]
fn a_change_still_in_flight_is_waited_for() {
    const IN_FLIGHT: &str = r#"{"title":"In flight","status":409,"code":"idempotency_in_flight"}"#;
    let length = IN_FLIGHT.len();
    let head = "HTTP/1.1 409 Conflict\r\ncontent-type: application/problem+json";
    let in_flight = Box::leak(format!("{head}\r\ncontent-length: {length}\r\n\r\n{IN_FLIGHT}").into_boxed_str());
    let (server, network) = network(answers([in_flight, made()]));
    assert_eq!(create_key(&server, &[]).status.code(), Some(0));
    assert_eq!(network.join().unwrap().len(), 2);
}

#[test]
fn when_nobody_knows_it_says_how_to_ask_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ci.key");
    let (server, network) = network(answers([HANG_UP, HANG_UP, HANG_UP]));
    let output = create_key(&server, &["--expires-in", "1d", "--secret-file", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));

    let heads = network.join().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let again = format!("--idempotency-key {} --expires-at 2", idempotency_keys(&heads)[0]);
    assert!(stderr.contains(&again), "{stderr}");
    assert!(!file.exists(), "an empty file would be in the repetition's way");
}

#[test]
fn a_redirect_is_not_followed_with_the_token() {
    let moved = "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.1:9/\r\ncontent-length: 0\r\n\r\n";
    let (server, network) = network(answers([moved]));
    let output = create_key(&server, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("check --server"));
    assert_eq!(network.join().unwrap().len(), 1);
}

#[test]
fn a_secret_file_takes_the_secret_and_keeps_it_off_the_screen() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ci.key");
    let (server, _network) = network(answers([made()]));
    let output = create_key(&server, &["-o", "id", "--secret-file", file.to_str().unwrap()]);
    assert_eq!(output.stdout, b"key_01h455vb4pex5vsknk084sn02q\n");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "bw_live_secret\n");

    let taken = create_key(&server, &["-o", "id", "--secret-file", file.to_str().unwrap()]);
    assert_eq!(taken.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&taken.stderr).contains("could not create"));
}

#[cfg(target_os = "linux")]
#[test]
fn a_key_that_could_not_be_shown_can_be_had_again() {
    let (server, network) = network(answers([made()]));
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_bailiwick"))
        .args(["keys", "create", "n", "--scope", "read", "-w", "acme"])
        .env_clear()
        .env("BAILIWICK_SERVER", server)
        .env("BAILIWICK_TOKEN", KEY)
        .stdout(full)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
        .wait_with_output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let heads = network.join().unwrap();
    let again = format!("--idempotency-key {}", idempotency_keys(&heads)[0]);
    assert!(String::from_utf8_lossy(&output.stderr).contains(&again));
}
