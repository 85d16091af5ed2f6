//! A witness alone, with logs that are made here: what it refuses, and what it still knows after it was killed.

use bailiwick_proof::checkpoint::{Checkpoint, SignedCheckpoint};
use bailiwick_proof::consistency::{Pair, PairError};
use bailiwick_proof::cosignature::{AddCheckpoint, parse_lines};
use bailiwick_proof::merkle::{Hash, Node, consistency_proof, leaf_hash, root};
use bailiwick_proof::note::SigningKey;

use tokio::io::AsyncWriteExt as _;

use super::Witness;
use crate::harness::process::refused;

const ORIGIN: &str = "example.com/cell/1";

/// A log whose entries are numbers, other ones from `fork` on.
struct Tree(Vec<Hash>);

impl Tree {
    fn new(size: u8, fork: u8) -> Self {
        Self((0..size).map(|leaf| leaf_hash(&[leaf, u8::from(leaf >= fork)])).collect())
    }

    fn signed(&self, size: u64, origin: &str, seed: u8) -> SignedCheckpoint {
        let root = root(&self.0[..usize::try_from(size).unwrap()]);
        let checkpoint = Checkpoint { origin: origin.to_owned(), size, root, extensions: Vec::new() };
        SignedCheckpoint::sign(checkpoint, &[&SigningKey::from_seed(origin, &[seed; 32]).unwrap()]).unwrap()
    }

    fn request(&self, old: u64, size: u64) -> String {
        let node = |node: Node| {
            let width = 1usize << node.level;
            let start = usize::try_from(node.index).unwrap() * width;
            Ok::<_, std::convert::Infallible>(root(&self.0[start..start + width]))
        };
        let path = if old == 0 { None } else { consistency_proof(old, size, node).unwrap() };
        AddCheckpoint { old, path: path.unwrap_or_default(), checkpoint: self.signed(size, ORIGIN, 1) }.to_string()
    }
}

fn vkey() -> String {
    SigningKey::from_seed(ORIGIN, &[1; 32]).unwrap().verifier().to_string()
}

impl Witness {
    async fn asked(&self, request: &str) -> (u16, String) {
        self.post(request).await.unwrap()
    }

    /// The size that it has cosigned last.
    async fn size(&self, log: &Tree) -> u64 {
        match self.asked(&log.request(200, 200)).await {
            (409, size) => size.trim_end().parse().unwrap(),
            (status, text) => panic!("{status} {text}"),
        }
    }
}

#[tokio::test]
async fn what_does_not_extend_is_refused_also_after_a_kill() {
    let (log, fork) = (Tree::new(200, 200), Tree::new(200, 5));
    let mut one = Witness::init("witness.example/one").await;
    one.start(&[vkey()]).await;
    let (status, lines) = one.asked(&log.request(0, 7)).await;
    assert_eq!(status, 200);
    let cosigned = log.signed(7, ORIGIN, 1).with(&parse_lines(&lines).unwrap()).unwrap();
    assert!(one.key.has_cosigned(cosigned.note()).unwrap().is_some());
    for round in 0..2 {
        for (request, status, body) in [
            (log.request(0, 7), 409, "7\n"),
            (log.request(0, 3), 409, "7\n"),
            (log.request(3, 9), 409, "7\n"),
            (fork.request(7, 7), 409, "7\n"),
            (fork.request(7, 20), 422, ""),
            (log.request(7, 20).replacen('=', "A", 1), 400, ""),
            (log.request(7, 7).replacen("old 7", "old 8", 1), 400, ""),
            (
                log.request(7, 20).replacen("old 7\n", "old 7\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n", 1),
                422,
                "",
            ),
            (format!("old 0\n\n{}", log.signed(7, ORIGIN, 2)), 403, ""),
            (format!("old 0\n\n{}", log.signed(7, "example.com/cell/2", 1)), 404, ""),
            ("x".repeat(100_000), 413, ""),
            (String::new(), 400, ""),
        ] {
            let (got, text) = one.asked(&request).await;
            assert_eq!((got, text.as_str()), (status, body), "round {round}: {request:.200}");
        }
        one.kill_9().await;
        one.start(&[vkey()]).await;
    }
    let evidence = std::fs::read_dir(one.folder().join("logs")).unwrap().map(|file| file.unwrap().path());
    let evidence: Vec<_> = evidence.filter(|path| path.extension().is_some_and(|end| end == "two-roots")).collect();
    assert_eq!(evidence.len(), 1, "once, however often it is tried");
    let pair: Pair = std::fs::read_to_string(&evidence[0]).unwrap().parse().unwrap();
    assert_eq!(pair.verify(&[vkey().parse().unwrap()]), Err(PairError::TwoRoots { size: 7 }));
    assert_eq!(one.asked(&log.request(7, 7)).await.0, 200, "the same once more");
    assert_eq!(one.asked(&log.request(7, 20)).await.0, 200);
    assert_eq!(one.size(&log).await, 20);

    let other = refused(&mut one.command(&[vkey()])).await;
    assert!(other.contains("is taken") || other.contains("another witness may run"), "{other}");
    one.kill_9().await;
    let strange = SigningKey::from_seed(ORIGIN, &[9; 32]).unwrap().verifier().to_string();
    let strange = refused(&mut one.command(&[strange])).await;
    assert!(strange.contains("is no checkpoint of example.com/cell/1 by the keys given"), "{strange}");
    let record = std::fs::read_dir(one.folder().join("logs")).unwrap().map(|file| file.unwrap().path());
    let record = record.into_iter().find(|path| path.extension().is_some_and(|end| end == "checkpoint")).unwrap();
    let kept = std::fs::read(&record).unwrap();
    std::fs::write(&record, "").unwrap();
    let empty = refused(&mut one.command(&[vkey()])).await;
    assert!(empty.contains("is no checkpoint"), "it does not begin anew by itself: {empty}");
    std::fs::remove_file(&record).unwrap();
    let gone = refused(&mut one.command(&[vkey()])).await;
    assert!(gone.contains("is gone"), "nor without a record: {gone}");
    let (is_added, again) = one.add(&vkey()).await;
    assert!(!is_added && again.contains("has begun with example.com/cell/1 before"), "nor is it told to: {again}");
    std::fs::write(&record, kept).unwrap();
    one.start(&[vkey()]).await;
    assert_eq!(one.size(&log).await, 20);
}

#[tokio::test]
async fn a_log_is_begun_with_by_a_command_and_slow_senders_keep_nobody_out() {
    let log = Tree::new(200, 200);
    let mut one = Witness::init("witness.example/one").await;
    let strange = refused(&mut one.command(&[vkey()])).await;
    assert!(strange.contains("has not begun with example.com/cell/1"), "{strange}");
    one.start(&[vkey()]).await;
    let address = one.url.trim_start_matches("http://");
    let mut slow = Vec::new();
    for _ in 0..40 {
        let mut connection = tokio::net::TcpStream::connect(address).await.unwrap();
        let begun = b"POST /add-checkpoint HTTP/1.1\r\nhost: witness\r\ncontent-length: 4000\r\n\r\nold 0\n";
        connection.write_all(begun).await.unwrap();
        slow.push(connection);
    }
    assert_eq!(one.asked(&log.request(0, 7)).await.0, 200);
    drop(slow);
}

#[tokio::test]
async fn two_at_once_do_not_make_it_cosign_a_fork() {
    let (log, fork) = (Tree::new(200, 200), Tree::new(200, 5));
    let mut one = Witness::init("witness.example/one").await;
    one.start(&[vkey()]).await;
    assert_eq!(one.asked(&log.request(0, 5)).await.0, 200);
    let asked = (0..10u64).flat_map(|n| [log.request(5, 6 + n), fork.request(5, 6 + n)]);
    let asked: Vec<String> = asked.collect();
    let answers = futures_util::future::join_all(asked.iter().map(|request| one.post(request))).await;
    let good: Vec<usize> =
        answers.iter().enumerate().filter(|(_, got)| got.as_ref().unwrap().0 == 200).map(|(at, _)| at).collect();
    assert_eq!(good.len(), 1, "all go on from 5, and one alone did: {good:?}");
}

#[tokio::test]
async fn whenever_it_is_killed_it_forgets_nothing_that_it_cosigned() {
    let log = Tree::new(200, 200);
    let mut one = Witness::init("witness.example/one").await;
    let mut promised = 0;
    for round in 0..12u64 {
        one.start(&[vkey()]).await;
        let known = one.size(&log).await;
        assert!(known >= promised, "{known} after {promised}");
        assert_eq!(one.asked(&log.request(known, known + 1)).await.0, 200, "round {round}");
        promised = known + 1;
        // One more, of which the answer may never come: it is killed some hundred microseconds later.
        let (url, request) = (format!("{}/add-checkpoint", one.url), log.request(promised, promised + 1));
        let asking = tokio::spawn(async move {
            let answer = crate::harness::http::http().post(url).body(request).send().await;
            answer.is_ok_and(|answer| answer.status() == 200)
        });
        for _ in 0..round * 40 {
            tokio::task::yield_now().await;
        }
        one.kill_9().await;
        if asking.await.unwrap() {
            promised += 1;
        }
    }
    assert!(one.folder().join("key").exists());
}
