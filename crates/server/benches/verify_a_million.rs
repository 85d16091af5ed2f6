//! What it costs a customer to verify a log of a million entries offline: `bailiwick audit check --dir` over a copy on disk, against hashing
//! the entries' bytes once with the same library.
//!
//! The entries are as long as a server's own, their commitments of random bytes; what they commit to is no part of such a copy.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use bailiwick_proof::checkpoint::{Checkpoint, SignedCheckpoint};
use bailiwick_proof::commitment::Commitments;
use bailiwick_proof::entry::{Entry, TraceId};
use bailiwick_proof::environment::Environment;
use bailiwick_proof::id::WorkspaceId;
use bailiwick_proof::log::{Log, Origin};
use bailiwick_proof::merkle::{self, Frontier, Hash, leaf_hash};
use bailiwick_proof::note::SigningKey;
use bailiwick_proof::tile::{self, Kind, Tile, WIDTH};
use bailiwick_server::entropy::Entropy;
use uuid::Uuid;

use crate::harness::{Comparison, Options, Sample, Side, block_on};

pub(crate) const NAME: &str = "verify_a_million_offline";

const ENTRIES: u64 = 1_000_000;
/// Twice the time of hashing.
const AT_LEAST: f64 = 0.5;
const SERVER: &str = env!("CARGO_BIN_EXE_bailiwickd");
const LOOK: Duration = Duration::from_millis(10);

/// A copy of a log, as a stream leaves it in a bucket.
struct Copy {
    folder: tempfile::TempDir,
    bundles: Vec<PathBuf>,
    key: PathBuf,
}

/// # Errors
/// When the copy cannot be written, or the program is not there or finds a fault.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    block_on(async {
        let program = Path::new(SERVER).with_file_name("bailiwick");
        if !program.exists() {
            bail!("{} is not there: build the workspace's programs first", program.display());
        }
        let copy = Copy::write()?;
        let comparison = Comparison { name: NAME, at_least: Some(AT_LEAST), unit: "entries/s", rounds: options.rounds };
        comparison
            .run(async |side| match side {
                Side::Baseline => copy.hash(),
                Side::Subject => copy.verify(&program),
            })
            .await?;
        Comparison::note(&format!(
            "{ENTRIES} entries on disk, read from the page cache; hashed by one thread, verified by one for each processor"
        ));
        Ok(())
    })
}

impl Copy {
    fn write() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        let log =
            Log::Workspace { workspace: WorkspaceId::from_uuid(Uuid::from_u128(7)), environment: Environment::Live };
        let origin = Origin::new("bench.example/log".parse()?, log, 1)?;
        let mut writer = Writer { folder: folder.path(), levels: Vec::new(), bundles: Vec::new() };
        let root = writer.write_all(log)?;
        let key = SigningKey::from_seed(&origin.to_string(), &Entropy::system().bytes())?;
        let signed = SignedCheckpoint::sign(Checkpoint::new(&origin, ENTRIES, root), &[&key])?;
        fs::write(folder.path().join("checkpoint"), signed.to_string())?;
        let bundles = writer.bundles;
        let path = folder.path().join("key");
        fs::write(&path, format!("{}\n", key.verifier()))?;
        Ok(Self { folder, bundles, key: path })
    }

    /// The entries' bytes, read and hashed once.
    fn hash(&self) -> anyhow::Result<Sample> {
        let begun = Instant::now();
        for path in &self.bundles {
            std::hint::black_box(Hash::of(&fs::read(path)?));
        }
        Ok(sample(begun, Vec::new()))
    }

    fn verify(&self, program: &Path) -> anyhow::Result<Sample> {
        let begun = Instant::now();
        let mut check = Command::new(program)
            .args(["audit", "check", "--dir"])
            .arg(self.folder.path())
            .arg("--key")
            .arg(format!("@{}", self.key.display()))
            .env("HOME", self.folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let mut most_bytes = 0.0;
        let status = loop {
            if let Some(status) = check.try_wait()? {
                break status;
            }
            most_bytes = resident_bytes(check.id()).unwrap_or(most_bytes);
            std::thread::sleep(LOOK);
        };
        if !status.success() {
            bail!("the copy was refused: {status}");
        }
        Ok(sample(begun, vec![("most_resident_bytes", most_bytes)]))
    }
}

fn sample(begun: Instant, also: Vec<(&'static str, f64)>) -> Sample {
    #[expect(clippy::cast_precision_loss, reason = "a million")]
    let entries = ENTRIES as f64;
    Sample { rate: entries / begun.elapsed().as_secs_f64(), also }
}

/// The most memory that the process had so far; `None` when it is gone.
fn resident_bytes(process: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let kib = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    kib.split_whitespace().next()?.parse::<f64>().ok().map(|kib| kib * 1024.0)
}

/// Writes tiles as they fill.
struct Writer<'a> {
    folder: &'a Path,
    /// Of each level of tiles the hashes since its last full one, and how many tiles are full.
    levels: Vec<(u64, Vec<Hash>)>,
    bundles: Vec<PathBuf>,
}

impl Writer<'_> {
    fn write_all(&mut self, log: Log) -> anyhow::Result<Hash> {
        let (mut frontier, mut prev, mut bundle) = (Frontier::new(), Hash::ZERO, Vec::new());
        for seq in 0..ENTRIES {
            let stored = entry(log, seq, prev)?;
            prev = leaf_hash(&stored);
            frontier.push(prev, |_, _| ());
            bundle.push(stored);
            if bundle.len() as u64 == WIDTH || seq + 1 == ENTRIES {
                let tile = Tile { kind: Kind::Entries, index: seq / WIDTH, width: bundle.len() as u64 };
                let bytes = tile::bundle(bundle.iter().map(Vec::as_slice)).context("an entry is too long")?;
                let path = self.put(tile, &bytes)?;
                self.bundles.push(path);
                bundle.clear();
            }
            self.push(0, prev)?;
        }
        for level in 0..self.levels.len() {
            let (index, hashes) = self.levels.get(level).cloned().unwrap_or_default();
            if !hashes.is_empty() {
                self.put_hashes(level, index, &hashes)?;
            }
        }
        Ok(frontier.root())
    }

    fn push(&mut self, level: usize, hash: Hash) -> anyhow::Result<()> {
        if self.levels.len() <= level {
            self.levels.push((0, Vec::new()));
        }
        let (index, hashes) = self.levels.get_mut(level).context("no such level")?;
        hashes.push(hash);
        if (hashes.len() as u64) < WIDTH {
            return Ok(());
        }
        let (index, hashes) = (std::mem::replace(index, *index + 1), std::mem::take(hashes));
        self.put_hashes(level, index, &hashes)?;
        self.push(level + 1, merkle::root(&hashes))
    }

    fn put_hashes(&self, level: usize, index: u64, hashes: &[Hash]) -> anyhow::Result<()> {
        let tile = Tile { kind: Kind::Hashes(u8::try_from(level)?), index, width: hashes.len() as u64 };
        let bytes: Vec<u8> = hashes.iter().flat_map(|hash| *hash.as_bytes()).collect();
        self.put(tile, &bytes).map(|_| ())
    }

    fn put(&self, tile: Tile, bytes: &[u8]) -> anyhow::Result<PathBuf> {
        let path = self.folder.join(tile.to_string());
        fs::create_dir_all(path.parent().context("a tile has a folder")?)?;
        fs::write(&path, bytes)?;
        Ok(path)
    }
}

fn entry(log: Log, seq: u64, prev: Hash) -> anyhow::Result<Vec<u8>> {
    let random = |nth: u8| Hash::of(&[seq.to_be_bytes().as_slice(), &[nth]].concat());
    let trace: [u8; 16] = random(4).as_bytes().first_chunk().copied().context("a hash has 16 bytes")?;
    let entry = Entry {
        log,
        generation: 1,
        seq,
        prev,
        recorded_at_ms: 1_763_782_979_123 + seq,
        action: "invoice.paid".parse().map_err(|_| anyhow!("no action"))?,
        trace: TraceId::new(trace),
        commitments: Commitments { actor: random(0), ip: random(1), meta: random(2), target: random(3) },
    };
    Ok(entry.to_bytes())
}
