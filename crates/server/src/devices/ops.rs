//! Ask, look, decide, pick up.

use bailiwick_proof::id::{Id, SessionId, UserId};
use serde_json::json;

use super::model::{Asking, DEVICE_CODE_BYTES, DecideError, INTERVAL_SECONDS, LIVES, PickUpError, code_meaning, pace};
use super::sql::{self, Row};
use crate::authz::SignedIn;
use crate::context::RequestContext;
use crate::db::{DbError, OperationalPath, SystemTx, Unrecorded};
use crate::identity::{Door, NOBODY, Opaque, Refused, SigningIn, new_code};
use crate::ledger::{self, Action, Entry};
use crate::sessions::{self, Living, Opening, Seen, SignInMethod, TokenPair};

/// What a program has in hand after asking: its own code, and the person's.
pub(super) struct Asked {
    pub(super) device_code: String,
    pub(super) user_code: String,
}

/// Makes a login that waits for somebody's word.
///
/// # Errors
/// [`DbError`].
pub(super) async fn ask(with: SigningIn<'_>) -> Result<Asked, DbError> {
    let SigningIn { door: Door { db, notary, entropy, .. }, seen, context } = with;
    let now = context.received_at;
    let code = Opaque::new::<DEVICE_CODE_BYTES>(entropy.uuid_v7(now), entropy);
    let user_code = new_code(entropy);
    let row = Row {
        id: code.row,
        device_digest: code.digest().bytes().to_vec(),
        code_digest: notary.sign_code(&code_meaning(&user_code)),
        device: seen.device().to_owned(),
        network: seen.network().map(str::to_owned),
        created_at: now,
        expires_at: now + LIVES,
        decided_at: None,
        decided_by: None,
        by_session: None,
        approved: false,
        strong: false,
        picked_up_at: None,
        polled_at: None,
        interval_seconds: INTERVAL_SECONDS,
        mac: Vec::new(),
    };
    let mut tx = db.system_tx(OperationalPath::RequestDeviceLogin).await?;
    let stamp = sql::insert(&mut tx, notary, &row).await?;
    let entry = Entry::about(Action::DeviceLoginRequested, row.id).changing([stamp]);
    let recorded = ledger::stage_in_cell(&mut tx, entropy, context, NOBODY, &entry).await?;
    tx.commit(recorded).await?;
    Ok(Asked { device_code: code.text, user_code })
}

/// The login that waits for a decision under this code, locked.
async fn waiting(tx: &mut SystemTx, door: &Door, context: &RequestContext, code: &str) -> Result<Row, DecideError> {
    let now = context.received_at;
    let digests = door.notary.code_under_each_key(&code_meaning(code));
    let named = sql::named(tx, &digests, now).await?;
    let row = match named {
        Some(id) => sql::lock(tx, &door.notary, id).await?,
        None => None,
    };
    row.filter(|row| row.waits(now) && digests.contains(&row.code_digest)).ok_or(DecideError::NoSuchCode)
}

/// What asks under this code; nothing is used up.
pub(super) async fn look(door: &Door, context: &RequestContext, code: &str) -> Result<Asking, DecideError> {
    let mut tx = door.db.system_tx(OperationalPath::RedeemDeviceLogin).await?;
    let found = waiting(&mut tx, door, context, code).await;
    tx.finish_reading().await?;
    let Row { device, network, created_at, expires_at, .. } = found.inspect_err(|error| note(door, context, error))?;
    Ok(Asking { device, network, since: created_at, until: expires_at })
}

/// Says yes or no, once.
pub(super) async fn decide(
    door: &Door,
    context: &RequestContext,
    person: &SignedIn,
    (code, approved): (&str, bool),
) -> Result<(), DecideError> {
    let now = context.received_at;
    if approved && !person.is_fresh(now) {
        return Err(DecideError::NotFresh);
    }
    let mut tx = door.db.system_tx(OperationalPath::RedeemDeviceLogin).await?;
    let of = (person.user(), person.session());
    sessions::hold_living(&mut tx, &door.notary, of, now).await?.ok_or(DecideError::NotFresh)?;
    let found = waiting(&mut tx, door, context, code).await;
    let mut row = found.inspect_err(|error| note(door, context, error))?;
    row.decided_at = Some(now);
    row.decided_by = Some(person.user().uuid());
    row.by_session = Some(person.session().uuid());
    row.approved = approved;
    row.strong = approved && person.is_strong();
    let stamp = sql::keep(&mut tx, &door.notary, &row).await?;
    let action = if approved { Action::DeviceLoginApproved } else { Action::DeviceLoginDenied };
    let told = json!({"by": person.session(), "device": row.device, "network": row.network, "strong": row.strong});
    let entry = Entry::about(action, row.id).with(told).changing([stamp]);
    let actor = person.user().to_string();
    let recorded = ledger::stage_in_cell(&mut tx, &door.entropy, context, &actor, &entry).await?;
    Ok(tx.commit(recorded).await?)
}

fn note(door: &Door, context: &RequestContext, error: &DecideError) {
    if matches!(error, DecideError::NoSuchCode) {
        door.refusals.note(Refused::DeviceCode, context);
    }
}

/// The program asks whether it may come in; if so its session is opened, once.
///
/// # Errors
/// See [`PickUpError`].
pub(super) async fn pick_up(with: SigningIn<'_>, device_code: &str) -> Result<TokenPair, PickUpError> {
    let SigningIn { door: Door { db, notary, .. }, context, .. } = with;
    let now = context.received_at;
    let Some(code) = Opaque::parse::<DEVICE_CODE_BYTES>(device_code) else { return Err(never_handed_out(&with)) };
    let mut tx = db.system_tx(OperationalPath::RedeemDeviceLogin).await?;
    let found = sql::lock(&mut tx, notary, code.row).await?;
    let Some(row) = found.filter(|row| code.digest().matches(&row.device_digest)) else {
        tx.finish_reading().await?;
        return Err(never_handed_out(&with));
    };
    if row.picked_up_at.is_some() || row.expires_at <= now {
        tx.finish_reading().await?;
        return Err(PickUpError::Over);
    }
    let (early, interval_seconds) = pace(row.polled_at, row.interval_seconds, now);
    let refusal = match (early, row.decided_at, row.approved) {
        (true, ..) => PickUpError::TooEarly,
        (false, None, _) => PickUpError::Pending,
        (false, Some(_), false) => PickUpError::Denied,
        (false, Some(_), true) => return open(with, tx, row).await,
    };
    sql::note_poll(&mut tx, row.id, now, interval_seconds).await?;
    tx.commit_unrecorded(Unrecorded::Asked).await?;
    Err(refusal)
}

/// Counts it; tells no more of it than of one that is over.
fn never_handed_out(with: &SigningIn<'_>) -> PickUpError {
    let SigningIn { door, context, .. } = with;
    door.refusals.note(Refused::DeviceCode, context);
    door.limits.redeem(context).map_or_else(PickUpError::Limited, |_| PickUpError::Over)
}

async fn open(with: SigningIn<'_>, mut tx: SystemTx, mut row: Row) -> Result<TokenPair, PickUpError> {
    let SigningIn { door: Door { notary, tokens, entropy, .. }, seen, context } = with;
    let now = context.received_at;
    let (Some(user), Some(approver)) = (row.decided_by, row.by_session) else { return Err(PickUpError::Over) };
    let (user, approver): (UserId, SessionId) = (Id::from_uuid(user), Id::from_uuid(approver));
    let Some(approving) = sessions::hold_living(&mut tx, notary, (user, approver), now).await? else {
        tx.finish_reading().await?;
        return Err(PickUpError::Over);
    };
    let Living { person, expires_at } = &approving;
    row.picked_up_at = Some(now);
    let picked_up = sql::keep(&mut tx, notary, &row).await?;
    let opening = Opening { person, by: SignInMethod::Device, strong: row.strong, seen, now };
    let opened = sessions::open_beside(&mut tx, notary, entropy, &opening, (approver, *expires_at)).await?;
    let entry = Entry::about(Action::SignedIn, opened.session)
        .with(json!({"by": "device", "login": row.id, "first": false}))
        .changing([picked_up].into_iter().chain(opened.stamps.clone()));
    let recorded = ledger::stage_in_cell(&mut tx, entropy, context, &user.to_string(), &entry).await?;
    tx.commit(recorded).await?;
    opened.tokens(tokens, now).map_err(PickUpError::Sign)
}

/// What asks, and from where, as the request tells.
pub(super) fn seen(headers: &axum::http::HeaderMap, context: &RequestContext) -> Seen {
    Seen::of(headers, context.client_ip)
}
