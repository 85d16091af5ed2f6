//! `audit check`: reads the whole log, entry by entry, and checks it against the signed checkpoint and the pin.
//!
//! # Invariants
//! Memory is that of one tile, however long the log is. What the server says of the log is believed nowhere: bytes are hashed here, and the
//! root that they come to is compared with what was signed.

mod pruned;

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use bailiwick_proof::chain::{BadEntry, ChainVerifier};
use bailiwick_proof::checkpoint::Checkpoint;
use bailiwick_proof::merkle::Hash;
use bailiwick_proof::tile::{self, Kind, Tile, WIDTH};
use serde_json::{Value, json};

use self::pruned::Pruned;
use super::Log;
use crate::args::KeyOptions;
use crate::failure::{Exit, Failure};
use crate::output::Answer;
use crate::proof_file::ProofFile;
use crate::refusal::Refusal;
use crate::trusted_keys::Voucher;

/// A person at a terminal is told how far it is so often.
const TELL: Duration = Duration::from_millis(500);

/// Reads and checks the log up to its newest checkpoint.
pub(super) async fn check(log: &Log, keys: &KeyOptions) -> Result<Answer, Failure> {
    let text = log.client.get_text(&log.path(&["log", "checkpoint"]), &[]).await?;
    let (mut statement, voucher, checkpoint) = signed(log, keys, &text).await?;
    let pinned = log.pins().ok().map(|pins| pins.load()).transpose()?.flatten();
    let pinned = pinned.map(|pin| pin.checkpoint.unverified().clone()).filter(|pin| pin.origin == checkpoint.origin);
    if let Some(pin) = pinned.as_ref().filter(|pin| pin.size > checkpoint.size) {
        let reason = format!("the log shrank from {} entries, which you pinned, to {}", pin.size, checkpoint.size);
        return Err(Refusal::new("shrank", reason).at(Some(checkpoint.size)).into());
    }
    let origin = log.own_origin(&checkpoint.origin)?;
    let verifier = ChainVerifier::new(origin.log(), origin.generation());
    let mut walk =
        Walk { log, verifier, size: checkpoint.size, pinned, progress: Progress::new(), pruned: Pruned::default() };
    let root = walk.finish().await.map_err(|failure| log.keep_damaged(failure, Some(&text), "checkpoint", None))?;
    if root != checkpoint.root {
        let reason = "the entries fit together, and have another root than the checkpoint: they were rewritten";
        return Err(log.keep_damaged(Refusal::new("other_root", reason).into(), Some(&text), "checkpoint", None));
    }
    let pruned = walk.pruned.certified(log, walk.size).await;
    let gone = pruned.map_err(|failure| log.keep_damaged(failure, Some(&text), "checkpoint", None))?;
    if let Some(members) = statement.as_object_mut() {
        members.insert("kind".to_owned(), json!("log"));
        members.insert("key_from".to_owned(), json!(voucher.as_str()));
        members.insert("pruned".to_owned(), json!(gone));
    }
    let note = match gone {
        0 => format!("every entry was read and holds; {voucher}"),
        gone => format!(
            "entries below {gone} were pruned by retention, as the log itself says; every other was read and holds; {voucher}"
        ),
    };
    Ok(Answer::one_by(statement, "origin").note(note))
}

/// The newest checkpoint, verified.
async fn signed(log: &Log, keys: &KeyOptions, text: &str) -> Result<(Value, Voucher, Checkpoint), Failure> {
    let file = ProofFile::parse(text.as_bytes())?;
    let ProofFile::Checkpoint(checkpoint) = &file else {
        return Err(Refusal::new("not_a_checkpoint", "the server gave something else than a checkpoint").into());
    };
    let told = checkpoint.unverified().clone();
    let (statement, voucher) = log.verify(&file, &told.origin, &keys.keys).await?;
    Ok((statement, voucher, told))
}

/// Reading on, a tile at a time.
struct Walk<'a> {
    log: &'a Log,
    verifier: ChainVerifier,
    size: u64,
    pinned: Option<Checkpoint>,
    progress: Progress,
    pruned: Pruned,
}

impl Walk<'_> {
    /// The root over all entries.
    async fn finish(&mut self) -> Result<Hash, Failure> {
        self.compare_with_pin()?;
        while self.verifier.seq() < self.size {
            self.read_tile().await?;
            self.progress.tell(self.verifier.seq(), self.size);
        }
        self.progress.end();
        Ok(self.verifier.frontier().root())
    }

    async fn read_tile(&mut self) -> Result<(), Failure> {
        let first = self.verifier.seq();
        let (index, width) = (first / WIDTH, WIDTH.min(self.size - first));
        let hashes = self.get(Tile { kind: Kind::Hashes(0), index, width }).await?;
        let entries = match self.get(Tile { kind: Kind::Entries, index, width }).await {
            Err(failure) if self.pruned.told(first, &failure) => None,
            entries => Some(entries?),
        };
        let count = usize::try_from(width).unwrap_or(usize::MAX);
        let cut =
            || Failure::new(Exit::Failure, format!("the server's tile {index} is cut: it should have {width} entries"));
        let Some(entries) = entries else {
            return if hashes.len() == count.saturating_mul(32) { self.pass_over(&hashes) } else { Err(cut()) };
        };
        let entries = tile::unbundle(&entries).filter(|entries| entries.len() == count);
        let (Some(entries), true) = (entries, hashes.len() == count.saturating_mul(32)) else {
            return Err(cut());
        };
        for (entry, leaf) in entries.into_iter().zip(hashes.chunks_exact(32)) {
            let leaf = Hash::try_from(leaf).map_err(|err| Failure::local("a hash of a tile", &err))?;
            let entry = self.verifier.push_known(entry, leaf, |_, _| {}).map_err(|entry| bad(&entry))?;
            self.pruned.hear(&self.verifier, &entry, leaf);
            self.compare_with_pin()?;
        }
        Ok(())
    }

    /// A tile of which the hashes are left.
    fn pass_over(&mut self, hashes: &[u8]) -> Result<(), Failure> {
        for leaf in hashes.chunks_exact(32) {
            self.verifier.skip(Hash::try_from(leaf).map_err(|err| Failure::local("a hash of a tile", &err))?);
            self.compare_with_pin()?;
        }
        self.pruned.passed(&self.verifier);
        Ok(())
    }

    async fn get(&self, tile: Tile) -> Result<Vec<u8>, Failure> {
        let path = tile.to_string();
        let parts: Vec<&str> = ["log"].into_iter().chain(path.split('/')).collect();
        self.log.client.get_bytes(&self.log.path(&parts)).await
    }

    /// What was pinned must be what these entries come to, at its size.
    fn compare_with_pin(&self) -> Result<(), Refusal> {
        let Some(pin) = self.pinned.as_ref().filter(|pin| pin.size == self.verifier.seq()) else { return Ok(()) };
        if self.verifier.frontier().root() == pin.root {
            return Ok(());
        }
        let reason = format!("the first {} entries are not those that you pinned: they were rewritten", pin.size);
        Err(Refusal::new("not_the_older_root", reason))
    }
}

pub(super) fn bad(entry: &BadEntry) -> Refusal {
    Refusal::new(entry.reason.word(), entry.to_string()).at(Some(entry.seq))
}

/// How far it is, for a person at a terminal.
pub(super) struct Progress {
    told: Instant,
    is_shown: bool,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self { told: Instant::now(), is_shown: std::io::stderr().is_terminal() }
    }

    pub(super) fn tell(&mut self, done: u64, size: u64) {
        if self.is_shown && self.told.elapsed() >= TELL {
            self.told = Instant::now();
            let percent = done.saturating_mul(100) / size.max(1);
            // Nobody is there to be told when standard error is closed.
            let _ = write!(std::io::stderr(), "\r{done} of {size} entries ({percent} %)");
        }
    }

    pub(super) fn end(&self) {
        if self.is_shown {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}
