//! What the vault costs beside bare AES-256-GCM: a value sealed and opened at its place, and fields of subjects opened.
//!
//! Both sides draw a nonce for each seal, and make what they answer in memory of its own. The vault moreover counts the
//! use, finds keys and place, and derives what it has not derived lately. One task asks.

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use bailiwick_proof::id::WorkspaceId;
use bailiwick_server::entropy::Entropy;
use bailiwick_server::vault::{JOB_PAYLOAD, OPENING_ACTOR, Owner, Place, RowId, Vault};
use uuid::Uuid;

use crate::harness::{Comparison, Options, Sample, Server, Side, block_on};

pub(crate) const SMALL: &str = "seal_and_open_64_bytes";
pub(crate) const MIDDLE: &str = "seal_and_open_256_bytes";
pub(crate) const LARGE: &str = "seal_and_open_1024_bytes";
/// Of one subject, over and over.
pub(crate) const WARM: &str = "open_a_subjects_field_warm";
/// Of so many subjects that each key is derived anew.
pub(crate) const COLD: &str = "open_a_subjects_field_cold";

const ROUND: Duration = Duration::from_secs(1);
/// The ratio that sealing and opening should keep.
const AT_LEAST: f64 = 0.70;
const FIELD: usize = 64;
/// More than are remembered.
const SUBJECTS: u32 = 5_000;
const NONCE: usize = 12;

/// # Errors
/// When the server does not come up, or something does not open.
pub(crate) fn small(options: &Options) -> anyhow::Result<()> {
    seal_and_open(options, SMALL, 64)
}

/// # Errors
/// As [`small`].
pub(crate) fn middle(options: &Options) -> anyhow::Result<()> {
    seal_and_open(options, MIDDLE, 256)
}

/// # Errors
/// As [`small`].
pub(crate) fn large(options: &Options) -> anyhow::Result<()> {
    seal_and_open(options, LARGE, 1024)
}

/// # Errors
/// As [`small`].
pub(crate) fn warm(options: &Options) -> anyhow::Result<()> {
    open_fields(options, WARM, 1)
}

/// # Errors
/// As [`small`].
pub(crate) fn cold(options: &Options) -> anyhow::Result<()> {
    open_fields(options, COLD, SUBJECTS)
}

/// AES-256-GCM and nothing else.
struct Bare {
    key: LessSafeKey,
    entropy: Entropy,
}

impl Bare {
    fn new() -> anyhow::Result<Self> {
        let entropy = Entropy::system();
        let key = UnboundKey::new(&AES_256_GCM, &entropy.bytes::<32>()).map_err(|_| anyhow!("no key"))?;
        Ok(Self { key: LessSafeKey::new(key), entropy })
    }

    /// Nonce, ciphertext and tag.
    fn seal(&self, plaintext: &[u8]) -> anyhow::Result<Vec<u8>> {
        let nonce = self.entropy.bytes::<NONCE>();
        let mut sealed = Vec::with_capacity(NONCE + plaintext.len() + 16);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plaintext);
        let text = sealed.get_mut(NONCE..).unwrap_or_default();
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self.key.seal_in_place_separate_tag(nonce, Aad::empty(), text).map_err(|_| anyhow!("not sealed"))?;
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed)
    }

    fn open(&self, sealed: &[u8]) -> anyhow::Result<Vec<u8>> {
        let (nonce, rest) = sealed.split_first_chunk::<NONCE>().context("no nonce")?;
        let mut text = rest.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let length = self.key.open_in_place(nonce, Aad::empty(), &mut text).map_err(|_| anyhow!("not opened"))?.len();
        text.truncate(length);
        Ok(text)
    }
}

fn owner() -> Owner {
    Owner::Workspace(WorkspaceId::from_uuid(Uuid::from_u128(7)))
}

fn sample(begun: Instant, done: u32) -> Sample {
    let seconds = begun.elapsed().as_secs_f64();
    Sample { rate: f64::from(done) / seconds, also: vec![("ns_each", seconds * 1e9 / f64::from(done))] }
}

fn seal_and_open(options: &Options, name: &'static str, bytes: usize) -> anyhow::Result<()> {
    block_on(async {
        let server = Server::start().await?;
        let comparison = Comparison { name, at_least: Some(AT_LEAST), unit: "round trips/s", rounds: options.rounds };
        let compared = async {
            let (vault, bare, plaintext) = (server.vault().await?, Bare::new()?, vec![0x5a; bytes]);
            let row = RowId::new().uuid(Uuid::from_u128(1)).uuid(Uuid::from_u128(2));
            let place = Place { column: &JOB_PAYLOAD, row: row.as_bytes(), subject: None };
            let round = async |side| {
                let (begun, mut done) = (Instant::now(), 0_u32);
                while begun.elapsed() < ROUND {
                    for _ in 0..1_000 {
                        match side {
                            Side::Baseline => {
                                black_box(bare.open(&bare.seal(black_box(&plaintext))?)?);
                            }
                            Side::Subject => {
                                let sealed = vault.seal(owner(), &place, black_box(&plaintext)).await?;
                                black_box(vault.unseal(owner(), &place, &sealed).await?);
                            }
                        }
                    }
                    done += 1_000;
                }
                Ok(sample(begun, done))
            };
            comparison.run(round).await
        };
        let compared = compared.await;
        let stopped = server.stop().await;
        compared.and(stopped)
    })
}

fn open_fields(options: &Options, name: &'static str, subjects: u32) -> anyhow::Result<()> {
    block_on(async {
        let server = Server::start().await?;
        let comparison = Comparison { name, at_least: None, unit: "fields/s", rounds: options.rounds };
        let compared = compare_fields(&server, comparison, subjects).await;
        let stopped = server.stop().await;
        compared.and(stopped)
    })
}

async fn compare_fields(server: &Server, comparison: Comparison, subjects: u32) -> anyhow::Result<()> {
    let (vault, bare, plaintext) = (server.vault().await?, Bare::new()?, [0x5a; FIELD]);
    let row = RowId::new().uuid(Uuid::from_u128(1)).text("live").text("1").text("41");
    let place = |subject| Place { column: &OPENING_ACTOR, row: row.as_bytes(), subject: Some(subject) };
    let sealed = seal_for_all(&vault, place, &plaintext, subjects).await?;
    let barely = bare.seal(&plaintext)?;
    comparison
        .run(async |side| {
            let (begun, mut done) = (Instant::now(), 0_u32);
            while begun.elapsed() < ROUND {
                let turns = subjects.max(1_000);
                for (subject, sealed) in (0..subjects).zip(&sealed).cycle().take(turns.try_into()?) {
                    match side {
                        Side::Baseline => drop(black_box(bare.open(black_box(&barely))?)),
                        Side::Subject => drop(black_box(vault.unseal(owner(), &place(subject), sealed).await?)),
                    }
                }
                done += turns;
            }
            Ok(sample(begun, done))
        })
        .await
}

/// A field of each.
async fn seal_for_all<'a>(
    vault: &Vault,
    place: impl Fn(u32) -> Place<'a>,
    plaintext: &[u8],
    subjects: u32,
) -> anyhow::Result<Vec<Vec<u8>>> {
    let mut sealer = vault.sealer(owner(), subjects).await?;
    let sealed = (0..subjects).map(|subject| sealer.seal(&place(subject), plaintext));
    Ok(sealed.collect::<Result<_, _>>()?)
}
