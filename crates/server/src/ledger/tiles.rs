//! A log as C2SP tlog-tiles: what a reader needs to fetch all of it, or a proof, with nothing but GET.
//!
//! A tile is read from the stored runs of hashes, an entry bundle from 256 rows at most: what a request costs does not depend on how
//! long the log is. Only what a published checkpoint covers is handed out, so that a full tile never changes.

mod sql;

use bailiwick_proof::merkle::Hash;
use bailiwick_proof::tile::{self, Kind, Run, Tile};

use super::cell::FIRST_GENERATION;
use super::prove::{Mismatch, ProveError};
use super::reader::LogTx;
use super::sign::Signed;
use super::tree;

/// Generation and size of the newest published checkpoint; the first and 0 where there is none yet.
///
/// # Errors
/// [`ProveError::Ledger`].
pub async fn published_size<'t>(tx: impl Into<LogTx<'t>>) -> Result<(u32, u64), ProveError> {
    Ok(sql::newest_size(&mut tx.into()).await?.unwrap_or((FIRST_GENERATION, 0)))
}

/// A published checkpoint to which a copy of `from` entries goes on: the largest that is at most `stride` further, else the next
/// one there is; `None` when the copy is as far as any.
///
/// # Errors
/// [`ProveError::Ledger`].
pub async fn next_checkpoint<'t>(
    tx: impl Into<LogTx<'t>>,
    from: u64,
    stride: u64,
) -> Result<Option<Signed>, ProveError> {
    let mut tx = tx.into();
    let (generation, _) = sql::newest_size(&mut tx).await?.unwrap_or((FIRST_GENERATION, 0));
    match sql::largest_within(&mut tx, generation, (from, from.saturating_add(stride))).await? {
        Some(found) => Ok(Some(found)),
        None => Ok(sql::smallest_after(&mut tx, generation, from).await?),
    }
}

/// The most hashes of one run.
const HALF: u64 = tile::WIDTH / 2;

/// The bytes of a tile; `None` where the newest checkpoint does not cover it. Entries are shown to principals that no project confines:
/// a tile holds those of all projects, and one with gaps proves nothing.
///
/// # Errors
/// [`ProveError::Mismatch`] when hashes or entries are gone that a checkpoint covers.
pub async fn read_tile<'t>(tx: impl Into<LogTx<'t>>, tile: Tile) -> Result<Option<Vec<u8>>, ProveError> {
    let mut tx = tx.into();
    if tile.kind == Kind::Entries && !tx.is_unconfined() {
        return Ok(None);
    }
    let log = tx.log();
    let Some((generation, size)) = sql::newest_size(&mut tx).await? else { return Ok(None) };
    if !tile.is_within(size) {
        return Ok(None);
    }
    match tile.kind {
        Kind::Hashes(tile_level) => {
            let ends = tile.first() + tile.width;
            let run = |start: u64| Run { tile_level, start, len: HALF.min(ends - start) };
            let runs: Vec<Run> =
                [tile.first(), tile.first() + HALF].into_iter().filter(|at| *at < ends).map(run).collect();
            let hashes = tree::stored(tx.connection()?, log, generation, &runs).await?.map_err(Mismatch::from)?;
            Ok(Some(hashes.iter().flat_map(Hash::as_bytes).copied().collect()))
        }
        Kind::Entries => {
            let entries = sql::entries(&mut tx, generation, tile.first(), tile.width).await?;
            let gone = |seq| Mismatch { seq, what: "is gone", receipt: None };
            for (expected, (seq, _)) in (tile.first()..).zip(&entries) {
                if *seq != expected {
                    return Err(gone(expected).into());
                }
            }
            let count = u64::try_from(entries.len()).unwrap_or_default();
            if count < tile.width {
                return Err(gone(tile.first() + count).into());
            }
            Ok(tile::bundle(entries.iter().map(|(_, entry)| entry.as_slice())))
        }
    }
}
