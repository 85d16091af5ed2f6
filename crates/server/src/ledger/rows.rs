//! What entries say of rows, bound to the entries' places.
//!
//! ```text
//! rows = mac 36 | stamps            mac over workspace, environment, generation, seq, stamps
//! ```
//!
//! Stamps are those of `authz::vouched`: each is vouched for where the row was changed, and all of an entry's once more by
//! whoever numbers it.

use bailiwick_proof::log::Log;

use super::error::LedgerError;
use super::place::columns;
use crate::vault::{MAC_BYTES, Meaning, RowKeys, Vault};

const LABEL: &str = "entry-rows/v1";

/// Where an entry stands: log, generation, number.
type Place = (Log, u32, u64);

/// The keys that bind.
pub(super) async fn keys(vault: &Vault) -> Result<RowKeys, LedgerError> {
    Ok(vault.row_keys(LABEL).await?)
}

fn meaning((log, generation, seq): Place, stamps: &[u8]) -> Meaning {
    let (workspace, environment) = columns(log);
    Meaning::new()
        .uuid(workspace)
        .text(environment)
        .bytes(&generation.to_be_bytes())
        .bytes(&seq.to_be_bytes())
        .bytes(stamps)
}

pub(super) fn bind(keys: &RowKeys, place: Place, stamps: &[u8]) -> Vec<u8> {
    [keys.sign(&meaning(place, stamps)).as_slice(), stamps].concat()
}

/// The stamps, if it is this entry that says them; `None` outside for a key that is not known here yet.
pub(super) fn release<'a>(keys: &RowKeys, place: Place, bound: &'a [u8]) -> Option<Option<&'a [u8]>> {
    let Some((mac, stamps)) = bound.split_first_chunk::<MAC_BYTES>() else { return Some(None) };
    let is_its = keys.vouches(&meaning(place, stamps), mac)?;
    Some(is_its.then_some(stamps))
}
