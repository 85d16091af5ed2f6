//! Rotation: a key gets a successor, and ends when their overlap does.
//!
//! Successor and end are one change with one entry: neither is there without the other, and the answer is kept for a retry
//! like that of any new key. When the old key ends is settled then, and is not put off by anything.

use bailiwick_proof::id::{ApiKeyId, Id};
use serde_json::json;
use time::{Duration, OffsetDateTime};

use super::model::{ApiKey, CreatedApiKey, RotateApiKey, Status};
use super::ops::{ChangeError, Reach, demand_within, draw};
use super::sql;
use crate::authn::TokenDigest;
use crate::authz::{Granted, Notary, Principal, ScopeSet, may};
use crate::db::{Recorded, WorkspaceTx};
use crate::entropy::Entropy;
use crate::ledger::{self, Action, Entry};

/// How long the old key goes on if nothing is said: a day.
pub(super) const DEFAULT_OVERLAP_SECONDS: u32 = 24 * 60 * 60;
/// The longest overlap: 30 days.
const MAX_OVERLAP_SECONDS: u32 = 30 * 24 * 60 * 60;
/// A key that rotates itself goes on at least so long: if the answer is lost, it is with the old key that one asks again.
const MIN_OVERLAP_OF_ITSELF_SECONDS: u32 = 60;

/// Gives a key that works a successor with the same scopes, project, labels, audiences and networks; `None` if there is
/// none with this id. A key that was made to last for some time gets a successor that lasts as long, counted from now; if
/// it is a key that rotates, no longer than that one.
///
/// # Errors
/// See [`ChangeError`].
pub async fn rotate(
    tx: &mut WorkspaceTx,
    granted: &Granted<may::RotateKey>,
    notary: &Notary,
    entropy: &Entropy,
    key: ApiKeyId,
    how: &RotateApiKey,
) -> Result<Option<(CreatedApiKey, Recorded)>, ChangeError> {
    let now = tx.context().received_at;
    let overlap_seconds = how.overlap_seconds.unwrap_or(DEFAULT_OVERLAP_SECONDS);
    if overlap_seconds > MAX_OVERLAP_SECONDS {
        return Err(ChangeError::OverlapTooLong);
    }
    if overlap_seconds < MIN_OVERLAP_OF_ITSELF_SECONDS && is_itself(granted, key) {
        return Err(ChangeError::OverlapTooShort);
    }
    let Some(mut held) = sql::lock(tx, notary, key).await? else { return Ok(None) };
    let old = &mut held.key;
    if let Some(successor) = old.successor_id {
        return Err(ChangeError::AlreadyRotated(successor));
    }
    if old.status != Status::Active {
        return Err(ChangeError::NotActive);
    }
    let reach = Reach {
        scopes: ScopeSet::of(&old.scopes),
        audiences: &old.audiences,
        networks: &[&old.allowed_networks],
        expires_at: None,
    };
    demand_within(tx, granted, notary, reach).await?;
    let plain = draw(tx, entropy);
    let successor = ApiKey {
        id: Id::from_uuid(entropy.uuid_v7(now)),
        lookup: plain.lookup().to_owned(),
        created_by: granted.principal().actor(),
        created_at: now,
        expires_at: end_of_successor(old, granted, now),
        last_used_at: None,
        rotated_from: Some(old.id),
        successor_id: None,
        ..old.clone()
    };
    let overlap_ends = now + Duration::seconds(overlap_seconds.into());
    old.expires_at = Some(old.expires_at.map_or(overlap_ends, |at| at.min(overlap_ends)));
    let (old_id, project) = (old.id, old.project_id);
    let old_stamp = sql::update(tx, notary, &held).await?;
    let stamp =
        sql::insert(tx, notary, &successor, &TokenDigest::of(plain.reveal().as_bytes()), granted.principal()).await?;
    let entry = Entry::about(Action::ApiKeyRotated, old_id)
        .with(json!({"successor": successor.id.to_string(), "overlap_seconds": overlap_seconds}))
        .changing([old_stamp, stamp])
        .within(project);
    let recorded = ledger::stage(tx, entropy, entry);
    Ok(Some((CreatedApiKey { key: plain.reveal().to_owned(), api_key: successor }, recorded)))
}

/// As long from now as the old key was made to last; no longer than whoever rotates it lasts, if that is a key.
fn end_of_successor(old: &ApiKey, granted: &Granted<may::RotateKey>, now: OffsetDateTime) -> Option<OffsetDateTime> {
    let as_long = old.expires_at.map(|at| now.checked_add(at - old.created_at).unwrap_or(at));
    let rotator = match granted.principal() {
        Principal::Key(holder) => holder.key().expires_at,
        Principal::Session(_) => None,
    };
    as_long.into_iter().chain(rotator).min()
}

fn is_itself(granted: &Granted<may::RotateKey>, key: ApiKeyId) -> bool {
    matches!(granted.principal(), Principal::Key(holder) if holder.key().id == key)
}
