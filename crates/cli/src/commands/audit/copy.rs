//! `audit check --dir`: a copy of the bucket that a log is streamed to, or of the operator's store, rebuilt and checked entry by entry, and nobody is asked.
//!
//! # Invariants
//! Memory is that of a few tiles. What the copy says of itself is believed nowhere but for its keys, and for those only where
//! the user names none and has pinned none, which is said.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;

use bailiwick_proof::chain::{ChainVerifier, Segment};
use bailiwick_proof::checkpoint::Checkpoint;
use bailiwick_proof::log::{Log as LogName, Origin};
use bailiwick_proof::merkle::{HASH_BYTES, Hash, Node};
use bailiwick_proof::note::VerifierKey;
use bailiwick_proof::tile::{self, Kind, Tile, WIDTH};
use serde_json::{Value, json};

use super::check::{Progress, bad};
use crate::args::KeySource;
use crate::failure::Failure;
use crate::output::Answer;
use crate::pins::Pins;
use crate::proof_file::ProofFile;
use crate::refusal::Refusal;
use crate::trusted_keys::{self, TrustedKeys, Voucher};

const CHECKPOINT: &str = "checkpoint";
const KEYS: &str = "keys.json";
/// Folders below the one that was named in which a log is looked for: a prefix, and an origin's path.
const DEPTH: usize = 24;
/// Levels of the tree that a tile of hashes stands for.
const LEVELS_OF_A_TILE: u8 = 8;
/// Tiles of each reader that wait to be looked at.
const READ_AHEAD: usize = 4;
/// So many readers keep whoever puts their tiles together busy.
const MOST_READERS: usize = 8;
/// The largest object is a tile of entries.
const MAX_BYTES: u64 = 256 * (2 + 65_535);

/// Checks the copy in this folder up to its checkpoint.
pub(super) fn check(folder: &Path, keys: &[KeySource]) -> Result<Answer, Failure> {
    let copy = Copy::find(folder)?;
    let text = copy.text(CHECKPOINT)?;
    let file = ProofFile::parse(text.as_bytes())?;
    let ProofFile::Checkpoint(signed) = &file else {
        return Err(Refusal::new("not_a_checkpoint", "the file checkpoint is something else").into());
    };
    let checkpoint = signed.unverified().clone();
    let origin: Origin = checkpoint
        .origin
        .parse()
        .map_err(|_| Refusal::new("other_log", format!("it is no log: {}", checkpoint.origin)))?;
    // No home directory, no pin; and nobody pins the cell's own log.
    let pin = match origin.log() {
        LogName::Workspace { workspace, environment } => {
            Pins::of(workspace, environment).ok().map(|pins| pins.load()).transpose()?.flatten()
        }
        LogName::Cell => None,
    };
    let TrustedKeys { keys, voucher } = copy.trusted_keys(keys, pin.as_ref().map(|pin| &pin.key), &checkpoint)?;
    let mut statement = file.verify(&keys)?;
    let pinned = pin.map(|pin| pin.checkpoint.unverified().clone()).filter(|pin| pin.origin == checkpoint.origin);
    if let Some(pin) = pinned.as_ref().filter(|pin| pin.size > checkpoint.size) {
        let (there, seen) = (checkpoint.size, pin.size);
        let reason =
            format!("the copy covers {there} entries, and you pinned {seen}: it is older, or something was taken away");
        return Err(Refusal::new("shrank", reason).at(Some(there)).into());
    }
    let verifier = ChainVerifier::new(origin.log(), origin.generation());
    let mut walk =
        Walk { copy: &copy, origin: &origin, verifier, levels: BTreeMap::new(), pinned, progress: Progress::new() };
    walk.read_all(&checkpoint)?;
    if let Some(members) = statement.as_object_mut() {
        members.insert("kind".to_owned(), json!("log"));
        members.insert("key_from".to_owned(), json!(voucher.as_str()));
    }
    Ok(Answer::one_by(statement, "origin").note(format!("every entry was read from the copy and holds; {voucher}")))
}

/// The folder of one log.
struct Copy(PathBuf);

impl Copy {
    /// The log in this folder, or the only one below it.
    fn find(folder: &Path) -> Result<Self, Failure> {
        let mut found = Vec::new();
        logs_below(folder, DEPTH, &mut found)
            .map_err(|err| Failure::local(format!("could not read {}", folder.display()), &err))?;
        match <[PathBuf; 1]>::try_from(found) {
            Ok([one]) => Ok(Self(one)),
            Err(found) if found.is_empty() => {
                Err(Failure::usage(format!("there is no log in {}: no file named checkpoint", folder.display())))
            }
            Err(found) => {
                let names: Vec<String> = found.iter().map(|path| path.display().to_string()).collect();
                Err(Failure::usage(format!("there are several logs in {}", folder.display()))
                    .hint(format!("name one of {}", names.join(", "))))
            }
        }
    }

    /// What the user states, else the pinned key, else what lies beside the log.
    fn trusted_keys(
        &self,
        given: &[KeySource],
        pinned: Option<&VerifierKey>,
        checkpoint: &Checkpoint,
    ) -> Result<TrustedKeys, Failure> {
        let given = trusted_keys::given(given)?;
        if !given.is_empty() {
            return Ok(TrustedKeys { keys: given, voucher: Voucher::User });
        }
        match pinned {
            Some(key) if key.name() == checkpoint.origin => {
                return Ok(TrustedKeys { keys: vec![key.clone()], voucher: Voucher::Pin });
            }
            // Whoever has pinned a key does not believe another for the asking.
            Some(key) => {
                let reason = format!("you pinned a key of {}, and the copy is of {}", key.name(), checkpoint.origin);
                let hint = "if that is meant, give the key of the log that the copy is of: --key";
                return Err(Failure::from(Refusal::new("other_generation", reason)).hint(hint));
            }
            None => {}
        }
        let set: Value = serde_json::from_str(&self.text(KEYS)?)
            .map_err(|err| Failure::local(format!("{KEYS} is no JSON"), &err))?;
        let keys = set.get("keys").and_then(Value::as_array).into_iter().flatten();
        let keys = keys.filter_map(|key| key.get("vkey")?.as_str()?.parse::<VerifierKey>().ok());
        let keys = keys.filter(|key| key.name() == checkpoint.origin).collect();
        Ok(TrustedKeys { keys, voucher: Voucher::Copy })
    }

    fn text(&self, name: &str) -> Result<String, Failure> {
        let path = self.0.join(name);
        let bytes = read(&path).map_err(|err| Failure::local(format!("could not read {}", path.display()), &err))?;
        String::from_utf8(bytes).map_err(|err| Failure::local(format!("{} is no text", path.display()), &err))
    }

    /// The bytes of a tile in memory of its own.
    fn tile(&self, tile: Tile, seq: u64) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        self.read_tile(tile, seq, &mut bytes)?;
        Ok(bytes)
    }

    /// The bytes of a tile; an object that is not there is a fault of the copy, named by the first entry that it would hold.
    fn read_tile(&self, tile: Tile, seq: u64, bytes: &mut Vec<u8>) -> Result<(), Failure> {
        let path = self.0.join(tile.to_string());
        match read_into(&path, bytes) {
            Ok(()) => Ok(()),
            Err(err) if err.kind() == io::ErrorKind::NotFound => {
                Err(Refusal::new("missing", format!("{tile} is not in the copy")).at(Some(seq)).into())
            }
            Err(err) => Err(Failure::local(format!("could not read {}", path.display()), &err)),
        }
    }
}

fn logs_below(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> io::Result<()> {
    if folder.join(CHECKPOINT).is_file() {
        found.push(folder.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if depth > 0 && entry.file_type()?.is_dir() {
            logs_below(&entry.path(), depth - 1, found)?;
        }
    }
    found.sort_unstable();
    Ok(())
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    read_into(path, &mut bytes)?;
    Ok(bytes)
}

/// Reads a file in the place of what is there.
fn read_into(path: &Path, bytes: &mut Vec<u8>) -> io::Result<()> {
    bytes.clear();
    File::open(path)?.take(MAX_BYTES + 1).read_to_end(bytes)?;
    Ok(())
}

/// Reads every so manieth tile of a copy and checks it for itself, ahead of whoever puts them together. That is nearly all of the
/// work, so there is a reader for each processor. Its memory is that of the largest tile, whatever the log.
struct Reader<'a> {
    copy: &'a Copy,
    origin: &'a Origin,
    size: u64,
    entries: Vec<u8>,
    leaves: Vec<u8>,
}

impl<'a> Reader<'a> {
    const fn new(copy: &'a Copy, origin: &'a Origin, size: u64) -> Self {
        Self { copy, origin, size, entries: Vec::new(), leaves: Vec::new() }
    }

    /// One tile after the other, for as long as somebody takes them.
    fn read(mut self, tiles: impl Iterator<Item = u64>, to: &SyncSender<Result<Segment, Failure>>) {
        for index in tiles {
            let read = self.segment(index);
            let is_last = read.is_err();
            if to.send(read).is_err() || is_last {
                return;
            }
        }
    }

    fn segment(&mut self, index: u64) -> Result<Segment, Failure> {
        let first = index * WIDTH;
        let width = WIDTH.min(self.size - first);
        let of = |kind| Tile { kind, index, width };
        self.copy.read_tile(of(Kind::Hashes(0)), first, &mut self.leaves)?;
        self.copy.read_tile(of(Kind::Entries), first, &mut self.entries)?;
        let count = usize::try_from(width).unwrap_or(usize::MAX);
        match tile::unbundle(&self.entries).filter(|entries| entries.len() == count) {
            Some(entries) if self.leaves.len() == count.saturating_mul(HASH_BYTES) => {
                let leaves = self.leaves.chunks_exact(HASH_BYTES).flat_map(Hash::try_from);
                Ok(Segment::check(self.origin.log(), self.origin.generation(), first, entries.into_iter().zip(leaves)))
            }
            _ => {
                let reason = format!("tile {index} is cut: it should have {width} entries");
                Err(Refusal::new("cut", reason).at(Some(first)).into())
            }
        }
    }
}

/// Reading on, a tile at a time.
struct Walk<'a> {
    copy: &'a Copy,
    origin: &'a Origin,
    verifier: ChainVerifier,
    /// Of each level above the lowest, the hashes of the tile that is being filled, and which one that is.
    levels: BTreeMap<u8, (u64, Vec<Hash>)>,
    pinned: Option<Checkpoint>,
    progress: Progress,
}

impl Walk<'_> {
    /// Every object that the checkpoint covers, and the root of it all.
    fn read_all(&mut self, checkpoint: &Checkpoint) -> Result<(), Failure> {
        self.compare_with_pin(&[])?;
        let (size, tiles) = (checkpoint.size, checkpoint.size.div_ceil(WIDTH));
        let readers = thread::available_parallelism().map_or(1, NonZero::get).min(MOST_READERS);
        thread::scope(|scope| {
            let lanes = (0..readers).map(|lane| {
                let (to, lane_of) = mpsc::sync_channel(READ_AHEAD);
                let reader = Reader::new(self.copy, self.origin, size);
                let own = (0..tiles).skip(lane).step_by(readers);
                scope.spawn(move || reader.read(own, &to));
                lane_of
            });
            let lanes: Vec<Receiver<_>> = lanes.collect();
            // Whoever reads ends early only after a failure, which is taken before.
            for segment in lanes.iter().cycle().map_while(|lane| lane.recv().ok()) {
                self.take(&segment?, size)?;
                self.progress.tell(self.verifier.seq(), size);
            }
            Ok::<_, Failure>(())
        })?;
        self.progress.end();
        if self.verifier.frontier().root() != checkpoint.root {
            let reason = "the entries fit together, and have another root than the checkpoint: they were rewritten";
            return Err(Refusal::new("other_root", reason).into());
        }
        for (level, (index, hashes)) in std::mem::take(&mut self.levels) {
            if !hashes.is_empty() {
                self.compare(level, index, &hashes, checkpoint.size)?;
            }
        }
        Ok(())
    }

    /// The next tile's entries, at their place.
    fn take(&mut self, segment: &Segment, size: u64) -> Result<(), Failure> {
        self.compare_with_pin(segment.leaves())?;
        let mut roots = Vec::new();
        let completed = |node: Node, hash| {
            if node.level.is_multiple_of(LEVELS_OF_A_TILE) {
                roots.push((node, hash));
            }
        };
        self.verifier.append(segment, completed).map_err(|entry| bad(&entry))?;
        roots.into_iter().try_for_each(|(node, hash)| self.completed(node, hash, size))
    }

    /// A tile below is full: its root is a hash of the one above.
    fn completed(&mut self, node: Node, root: Hash, size: u64) -> Result<(), Failure> {
        let level = node.level / LEVELS_OF_A_TILE;
        let (_, hashes) = self.levels.entry(level).or_insert_with(|| (node.index / WIDTH, Vec::new()));
        hashes.push(root);
        if hashes.len() < usize::try_from(WIDTH).unwrap_or(usize::MAX) {
            return Ok(());
        }
        let (index, hashes) = self.levels.remove(&level).unwrap_or_default();
        self.compare(level, index, &hashes, size)
    }

    /// The tile of hashes in the copy must be the one that its entries make.
    fn compare(&self, level: u8, index: u64, hashes: &[Hash], size: u64) -> Result<(), Failure> {
        let width = u64::try_from(hashes.len()).unwrap_or(u64::MAX);
        let tile = Tile { kind: Kind::Hashes(level), index, width };
        let first = index.checked_shl(8 * u32::from(level) + 8).unwrap_or(size);
        let there = self.copy.tile(tile, first)?;
        if there.chunks(32).eq(hashes.iter().map(|hash| hash.as_bytes().as_slice())) {
            return Ok(());
        }
        let reason = format!("{tile} has other hashes than its entries make");
        Err(Refusal::new("other_tile", reason).at(Some(first)).into())
    }

    /// What was pinned must be what the entries come to, at its size: here, or with some of those that come next.
    fn compare_with_pin(&self, next: &[Hash]) -> Result<(), Refusal> {
        let Some(pin) = &self.pinned else { return Ok(()) };
        let Some(more) = pin.size.checked_sub(self.verifier.seq()).and_then(|more| usize::try_from(more).ok()) else {
            return Ok(());
        };
        let Some(more) = next.get(..more) else { return Ok(()) };
        let mut then = self.verifier.frontier().clone();
        more.iter().for_each(|leaf| then.push(*leaf, |_, _| {}));
        if then.root() == pin.root {
            return Ok(());
        }
        let reason = format!("the first {} entries are not those that you pinned: they were rewritten", pin.size);
        Err(Refusal::new("not_the_older_root", reason))
    }
}
