//! `/v1/workspaces/{workspace}/audit/retention` and `…/audit/legal-holds`.

use axum::extract::State;
use bailiwick_proof::id::LegalHoldId;
use bailiwick_proof::log::Log;
use serde::Deserialize;
use serde_json::json;
use time::Duration;

use super::change::{ChangeError, Changing};
use super::model::{Due, LegalHold, OpenLegalHold, ReleaseLegalHold, Retention, RetentionCut, SetRetention, StoppedBy};
use super::{Held, sql};
use crate::authz::may::Needs;
use crate::authz::{Granted, may};
use crate::db::{Authority as _, WorkspaceTx};
use crate::http::{Begun, Changes, Code, Idempotency, Json, ListQuery, Mutation, Page, PathId, Problem, Query, Reply};
use crate::ledger::{self, Cut, Ledger};

/// Tells this list's cursors from others'.
const LIST: u8 = 11;
/// Entries in a tile, which go together.
const TILE: u64 = 256;

/// `?limit=&cursor=`
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoldQuery {
    /// See [`ListQuery`].
    pub limit: Option<u16>,
    /// See [`ListQuery`].
    pub cursor: Option<String>,
}

/// For how long the log is kept, and what would go now.
///
/// # Errors
/// Those of the database.
pub async fn get(
    granted: Granted<may::ReadRetention>,
    State(changes): State<Changes>,
    State(ledger): State<Ledger>,
) -> Result<Json<Retention>, Problem> {
    look(&granted, &changes, &ledger).await.map(Json)
}

/// The same; for the API and the console.
///
/// # Errors
/// As [`get`].
pub async fn look<P: Needs>(granted: &Granted<P>, changes: &Changes, ledger: &Ledger) -> Result<Retention, Problem> {
    let mut tx = changes.db.workspace_tx(granted).await?;
    let shown = shown(&mut tx, changes, ledger).await?;
    tx.finish_reading().await?;
    Ok(shown)
}

/// What the row of the log at hand says, and what it comes to.
async fn shown(tx: &mut WorkspaceTx, changes: &Changes, ledger: &Ledger) -> Result<Retention, Problem> {
    let now = tx.context().received_at.min(sql::clock(tx).await?);
    let standing = sql::standing(tx).await?;
    let intact = match &standing {
        Some((state, mac)) => changes.notary.vouches(&state.row(), mac).await?,
        None => true,
    };
    let state = standing.map(|(state, _)| state);
    let days = state.as_ref().and_then(|state| state.in_effect(now));
    let open_holds = state.as_ref().map_or(0, |state| state.holds.len());
    let cut = ledger::cut_of(tx, ledger).await?;
    let from = cut.as_ref().map_or(0, |cut| cut.to);
    let recorded_before = days.and_then(|days| now.checked_sub(Duration::days(days.into())));
    let to = match recorded_before {
        Some(before) => (sql::first_young(tx, from, before).await? / TILE * TILE).max(from),
        None => from,
    };
    let stopped_by = match (intact, open_holds, days) {
        (false, ..) => Some(StoppedBy::Altered),
        (_, 1.., _) => Some(StoppedBy::LegalHold),
        (_, _, None) => Some(StoppedBy::KeptForEver),
        _ if to == from => Some(StoppedBy::NothingOld),
        _ => None,
    };
    let entries = if stopped_by.is_none() { to - from } else { 0 };
    let to = if stopped_by.is_none() { to } else { from };
    Ok(Retention {
        days,
        pending: state.as_ref().and_then(|state| state.pending(now)),
        open_holds,
        intact,
        cut: cut.map(RetentionCut::from),
        due: Due { entries, to, recorded_before, stopped_by },
    })
}

impl From<Cut> for RetentionCut {
    fn from(cut: Cut) -> Self {
        Self { pruned_to: cut.to, root: cut.root.to_hex(), pruned_at: cut.at, event_id: cut.event }
    }
}

/// Says for how long the log is kept.
///
/// # Errors
/// `step_up_required`, `invalid_body`, `retention_altered`, `ledger_frozen`.
pub async fn set(
    granted: Granted<may::ManageRetention>,
    State(changes): State<Changes>,
    State(ledger): State<Ledger>,
    request: Mutation<SetRetention>,
) -> Result<Reply, Problem> {
    keep_for(&granted, &changes, &ledger, request.body.days, request.idempotency).await
}

/// The same; for the API and the console.
///
/// # Errors
/// As [`set`].
pub async fn keep_for(
    granted: &Granted<may::ManageRetention>,
    changes: &Changes,
    ledger: &Ledger,
    days: Option<u16>,
    idempotency: Idempotency,
) -> Result<Reply, Problem> {
    refuse_stale(granted)?;
    let mut change = match changes.begin(granted, idempotency).await? {
        Begun::Replay(reply) => return Ok(reply),
        Begun::Fresh(change) => change,
    };
    let recorded = Changing::begin(&mut change.tx, changes, ledger).await?.set(&mut change.tx, days).await?;
    let reply = Reply::ok(&shown(&mut change.tx, changes, ledger).await?)?;
    let reply = change.commit(recorded, reply).await?;
    number(granted, ledger).await;
    Ok(reply)
}

/// Opens a legal hold.
///
/// # Errors
/// `invalid_body`, `ledger_frozen`.
pub async fn open(
    granted: Granted<may::ManageRetention>,
    State(changes): State<Changes>,
    State(ledger): State<Ledger>,
    request: Mutation<OpenLegalHold>,
) -> Result<Reply, Problem> {
    hold(&granted, &changes, &ledger, request.body, request.idempotency).await
}

/// The same; for the API and the console.
///
/// # Errors
/// As [`open`].
pub async fn hold(
    granted: &Granted<may::ManageRetention>,
    changes: &Changes,
    ledger: &Ledger,
    wanted: OpenLegalHold,
    idempotency: Idempotency,
) -> Result<Reply, Problem> {
    let mut change = match changes.begin(granted, idempotency).await? {
        Begun::Replay(reply) => return Ok(reply),
        Begun::Fresh(change) => change,
    };
    let changing = Changing::begin(&mut change.tx, changes, ledger).await?;
    let (hold, recorded) = changing.open(&mut change.tx, wanted.reason).await?;
    let location = format!("/v1/workspaces/{}/audit/legal-holds/{}", granted.workspace(), hold.id);
    let reply = change.commit(recorded, Reply::created(location, &hold)?).await?;
    number(granted, ledger).await;
    Ok(reply)
}

/// Releases a legal hold.
///
/// # Errors
/// `not_found`, `step_up_required`, `invalid_body`, `retention_altered`, `ledger_frozen`.
pub async fn release(
    granted: Granted<may::ManageRetention>,
    State(changes): State<Changes>,
    State(ledger): State<Ledger>,
    PathId(hold): PathId<LegalHoldId>,
    request: Mutation<ReleaseLegalHold>,
) -> Result<Reply, Problem> {
    let_go(&granted, &changes, &ledger, (hold, &request.body.confirm), request.idempotency).await
}

/// The same; for the API and the console.
///
/// # Errors
/// As [`release`].
pub async fn let_go(
    granted: &Granted<may::ManageRetention>,
    changes: &Changes,
    ledger: &Ledger,
    (hold, confirm): (LegalHoldId, &str),
    idempotency: Idempotency,
) -> Result<Reply, Problem> {
    refuse_stale(granted)?;
    let mut change = match changes.begin(granted, idempotency).await? {
        Begun::Replay(reply) => return Ok(reply),
        Begun::Fresh(change) => change,
    };
    let changing = Changing::begin(&mut change.tx, changes, ledger).await?;
    let (hold, recorded) = changing.release(&mut change.tx, hold, confirm).await?;
    let reply = change.commit(recorded, Reply::ok(&hold)?).await?;
    number(granted, ledger).await;
    Ok(reply)
}

/// The newest legal holds, open or not.
///
/// # Errors
/// `invalid_parameter`, `invalid_cursor`.
pub async fn list(
    granted: Granted<may::ReadRetention>,
    State(changes): State<Changes>,
    Query(query): Query<HoldQuery>,
) -> Result<Json<Page<LegalHold>>, Problem> {
    page(&granted, &changes, query).await.map(Json)
}

/// The same; for the API and the console.
///
/// # Errors
/// As [`list`].
pub async fn page<P: Needs>(
    granted: &Granted<P>,
    changes: &Changes,
    HoldQuery { limit, cursor }: HoldQuery,
) -> Result<Page<LegalHold>, Problem> {
    let list = ListQuery::new(limit, cursor);
    let (limit, after) = (list.limit()?, list.after(LIST)?);
    let mut tx = changes.db.workspace_tx(granted).await?;
    let rows = sql::holds(&mut tx, after, limit).await?;
    tx.finish_reading().await?;
    Ok(Page::cut(rows, limit, LIST, |row| row.id.uuid()))
}

/// One hold; for the console.
///
/// # Errors
/// `not_found`.
pub async fn find<P: Needs>(granted: &Granted<P>, changes: &Changes, hold: LegalHoldId) -> Result<LegalHold, Problem> {
    let mut tx = changes.db.workspace_tx(granted).await?;
    let found = sql::hold(&mut tx, hold).await?;
    tx.finish_reading().await?;
    found.ok_or_else(|| Problem::new(Code::NotFound))
}

fn refuse_stale(granted: &Granted<may::ManageRetention>) -> Result<(), Problem> {
    if granted.is_stepped_up() { Ok(()) } else { Err(Problem::new(Code::StepUpRequired)) }
}

/// Gives the change's entry its number before it is answered: until then nothing protects it. What fails here is done by the
/// sequencer before long.
async fn number(granted: &Granted<may::ManageRetention>, ledger: &Ledger) {
    let log = Log::Workspace { workspace: granted.workspace(), environment: granted.environment() };
    if let Err(error) = ledger.settle(log).await {
        tracing::warn!(event = "retention.not_numbered_yet", cause = %error);
    }
}

impl From<ChangeError> for Problem {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Altered => Self::new(Code::RetentionAltered),
            ChangeError::NoSuchHold => Self::new(Code::NotFound),
            ChangeError::OtherHold => {
                let why = "Repeat the hold's reason here, exactly, or its id: what it kept may go afterwards.";
                Self::field("/confirm", "not_the_hold", why)
            }
            ChangeError::TooMany => Self::field("/reason", "too_many", "100 holds are open: release one first."),
            ChangeError::Ledger(error) => error.into(),
            ChangeError::Db(error) => error.into(),
        }
    }
}

impl From<Held> for Problem {
    /// The problem of whoever is kept from destroying something.
    fn from(held: Held) -> Self {
        match held {
            Held::By(hold) => Self::new(Code::LegalHold).member("legal_hold_id", json!(hold.to_string())),
            Held::Altered | Held::No => Self::new(Code::RetentionAltered),
        }
    }
}
