//! Retention in the console: the setting with what would go now, the holds, and the way to release one.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use bailiwick_proof::id::LegalHoldId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::http::{self, HoldQuery};
use super::model::{DAYS, LegalHold, OpenLegalHold, Retention, StoppedBy, is_reason};
use crate::authz::may::Needs;
use crate::authz::{Granted, may};
use crate::console::{Area, Desk, Field, Flash, IdChip, Moment, SENT_BEFORE, Visit};
use crate::db::Authority as _;
use crate::http::{Changes, Code, Form, Idempotency, PathId, Problem};
use crate::ledger::Ledger;
use crate::members::Names;
use crate::workspaces;

/// So many holds are shown: those that are open are far fewer.
const SHOWN: u16 = 100;

/// `/w/{workspace}/{environment}/audit/retention`.
#[derive(Template)]
#[template(path = "retention/index.html")]
struct IndexPage {
    desk: Desk,
    retention: Retention,
    pending_at: Option<Moment>,
    cut_at: Option<Moment>,
    before: Option<Moment>,
    holds: Vec<HoldView>,
    form: Forms,
}

/// What was typed, and what is wrong with it.
#[derive(Default)]
struct Forms {
    idempotency_key: Uuid,
    days: Field,
    confirm: Field,
    reason: Field,
    fault: Option<&'static str>,
    must_sign_in: bool,
}

impl Forms {
    const fn has_faults(&self) -> bool {
        self.days.fault.is_some() || self.confirm.fault.is_some() || self.reason.fault.is_some() || self.fault.is_some()
    }
}

/// A hold in words.
struct HoldView {
    id: IdChip,
    reason: String,
    by: String,
    opened: Moment,
    released: Option<(Moment, String)>,
    release_href: String,
}

impl HoldView {
    fn of(hold: LegalHold, names: &Names, desk: &Desk, visit: &Visit) -> Self {
        let href = desk.path(&format!("/legal-holds/{}/release", hold.id));
        let released = hold.released_at.zip(hold.released_by);
        Self {
            id: IdChip::new(hold.id, href.clone()),
            reason: hold.reason,
            by: names.of(hold.opened_by),
            opened: visit.moment(hold.opened_at),
            released: released.map(|(at, by)| (visit.moment(at), names.of(by))),
            release_href: href,
        }
    }
}

impl IndexPage {
    /// What would go now, or why nothing does.
    fn due(&self) -> String {
        let due = &self.retention.due;
        match due.stopped_by {
            Some(StoppedBy::KeptForEver) => "Nothing goes: entries are kept for ever.".to_owned(),
            Some(StoppedBy::LegalHold) => "Nothing goes while a legal hold is open.".to_owned(),
            Some(StoppedBy::Altered) => "Nothing goes: the setting is not the one that was decided.".to_owned(),
            Some(StoppedBy::NothingOld) => {
                "Nothing is old enough yet. Entries go 256 at a time, the oldest first.".to_owned()
            }
            None => format!("With the next run {} entries go, all below {}.", due.entries, due.to),
        }
    }
}

async fn index_page<P: Needs>(
    granted: &Granted<P>,
    visit: &Visit,
    (changes, ledger): (&Changes, &Ledger),
    form: Forms,
) -> Result<IndexPage, Problem> {
    let desk = workspaces::desk(visit, granted, &changes.db, Area::Audit).await?;
    let retention = http::look(granted, changes, ledger).await?;
    let holds = http::page(granted, changes, HoldQuery { limit: Some(SHOWN), cursor: None }).await?.data;
    let names = Names::look_up(granted, &changes.db).await?;
    Ok(IndexPage {
        pending_at: retention.pending.map(|pending| visit.moment(pending.effective_at)),
        cut_at: retention.cut.as_ref().map(|cut| visit.moment(cut.pruned_at)),
        before: retention.due.recorded_before.map(|at| visit.moment(at)),
        holds: holds.into_iter().map(|hold| HoldView::of(hold, &names, &desk, visit)).collect(),
        retention,
        form,
        desk,
    })
}

/// `GET /w/{workspace}/{environment}/audit/retention`.
///
/// # Errors
/// As the API's.
pub async fn index(
    granted: Granted<may::ReadRetention>,
    visit: Visit,
    State(changes): State<Changes>,
    State(ledger): State<Ledger>,
) -> Result<Response, Problem> {
    let form = Forms { idempotency_key: visit.form_key(), ..Forms::default() };
    let mut page = index_page(&granted, &visit, (&changes, &ledger), form).await?;
    page.form.days = Field::typed(page.retention.days.map(|days| days.to_string()).unwrap_or_default());
    visit.page(&page)
}

/// What was typed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetInput {
    idempotency_key: Uuid,
    days: String,
    confirm: String,
}

/// `POST /w/{workspace}/{environment}/audit/retention`.
///
/// # Errors
/// As the API's.
pub async fn set(
    granted: Granted<may::ManageRetention>,
    visit: Visit,
    State(changes): State<Changes>,
    State(ledger): State<Ledger>,
    Form(input): Form<SetInput>,
) -> Result<Response, Problem> {
    let parts = (&changes, &ledger);
    let mut page = index_page(&granted, &visit, parts, Forms::default()).await?;
    let once = visit.once(input.idempotency_key, &input)?;
    let mut form =
        Forms { idempotency_key: visit.form_key(), days: Field::typed(input.days.clone()), ..Forms::default() };
    let wanted = match typed_days(&input.days) {
        Ok(wanted) => wanted,
        Err(fault) => {
            page.form = Forms { days: Field::typed(input.days).with_fault(fault), ..form };
            return visit.form_again(&page);
        }
    };
    let is_shorter = wanted.is_some_and(|wanted| page.retention.days.is_none_or(|days| wanted < days));
    let (name, id) = (page.desk.workspace.named.clone(), granted.workspace().to_string());
    if is_shorter && ![&name, &id].contains(&&input.confirm) {
        let fault = format!("This makes entries go: type “{name}”, exactly.");
        form.confirm = Field::typed(input.confirm).with_fault(fault);
        page.form = form;
        return visit.form_again(&page);
    }
    let changed = http::keep_for(&granted, &changes, &ledger, wanted, once).await.map(drop);
    settled(&visit, page, form, changed, Flash::RetentionSet)
}

/// Back to the page, or the form once more.
fn settled(
    visit: &Visit,
    mut page: IndexPage,
    form: Forms,
    changed: Result<(), Problem>,
    flash: Flash,
) -> Result<Response, Problem> {
    let problem = match changed {
        Ok(()) => return Ok(visit.done(&page.desk.path("/audit/retention"), flash)),
        Err(problem) => problem,
    };
    match problem.code() {
        Code::StepUpRequired => {
            page.form = Forms { must_sign_in: true, ..form };
            visit.page_with(StatusCode::FORBIDDEN, &page)
        }
        Code::IdempotencyKeyReused => {
            page.form = Forms { fault: Some(SENT_BEFORE), ..form };
            visit.form_again(&page)
        }
        _ => Err(problem),
    }
}

fn typed_days(text: &str) -> Result<Option<u16>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let days = text.parse().ok().filter(|days| DAYS.contains(days));
    days.map(Some).ok_or_else(|| {
        format!("Days are a number from {} to {}; leave it empty to keep entries for ever.", DAYS.start(), DAYS.end())
    })
}

/// What was typed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoldInput {
    idempotency_key: Uuid,
    reason: String,
}

/// `POST /w/{workspace}/{environment}/legal-holds`.
///
/// # Errors
/// As the API's.
pub async fn open(
    granted: Granted<may::ManageRetention>,
    visit: Visit,
    State(changes): State<Changes>,
    State(ledger): State<Ledger>,
    Form(input): Form<HoldInput>,
) -> Result<Response, Problem> {
    let mut page = index_page(&granted, &visit, (&changes, &ledger), Forms::default()).await?;
    let once = visit.once(input.idempotency_key, &input)?;
    let form =
        Forms { idempotency_key: visit.form_key(), reason: Field::typed(input.reason.clone()), ..Forms::default() };
    if !is_reason(&input.reason) {
        let fault = "A reason has 1 to 200 characters on one line.".to_owned();
        page.form = Forms { reason: Field::typed(input.reason).with_fault(fault), ..form };
        return visit.form_again(&page);
    }
    let opened = http::hold(&granted, &changes, &ledger, OpenLegalHold { reason: input.reason }, once).await.map(drop);
    settled(&visit, page, form, opened, Flash::HoldOpened)
}

/// `…/legal-holds/{id}/release`.
#[derive(Template)]
#[template(path = "retention/release.html")]
struct ReleasePage {
    desk: Desk,
    idempotency_key: Uuid,
    hold: HoldView,
    confirm: Field,
    must_sign_in: bool,
    fault: Option<&'static str>,
}

/// `GET /w/{workspace}/{environment}/legal-holds/{id}/release`.
///
/// # Errors
/// `not_found`, `forbidden`.
pub async fn ask_release(
    granted: Granted<may::ManageRetention>,
    visit: Visit,
    State(changes): State<Changes>,
    PathId(id): PathId<LegalHoldId>,
) -> Result<Response, Problem> {
    let mut page = release_page(&granted, &visit, &changes, id).await?;
    page.must_sign_in = !granted.is_stepped_up();
    visit.page(&page)
}

async fn release_page<P: Needs>(
    granted: &Granted<P>,
    visit: &Visit,
    changes: &Changes,
    id: LegalHoldId,
) -> Result<ReleasePage, Problem> {
    let desk = workspaces::desk(visit, granted, &changes.db, Area::Audit).await?;
    let hold = http::find(granted, changes, id).await?;
    let names = Names::look_up(granted, &changes.db).await?;
    Ok(ReleasePage {
        idempotency_key: visit.form_key(),
        hold: HoldView::of(hold, &names, &desk, visit),
        confirm: Field::default(),
        must_sign_in: false,
        fault: None,
        desk,
    })
}

/// What was typed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseInput {
    idempotency_key: Uuid,
    confirm: String,
}

/// `POST /w/{workspace}/{environment}/legal-holds/{id}/release`.
///
/// # Errors
/// As the API's.
pub async fn release(
    granted: Granted<may::ManageRetention>,
    visit: Visit,
    State(changes): State<Changes>,
    State(ledger): State<Ledger>,
    PathId(id): PathId<LegalHoldId>,
    Form(input): Form<ReleaseInput>,
) -> Result<Response, Problem> {
    let mut page = release_page(&granted, &visit, &changes, id).await?;
    let once: Idempotency = visit.once(input.idempotency_key, &input)?;
    if input.confirm != page.hold.reason && input.confirm != id.to_string() {
        let fault = format!("That is another hold. Type “{}”, exactly.", page.hold.reason);
        page.confirm = Field::typed(input.confirm).with_fault(fault);
        return visit.form_again(&page);
    }
    let problem = match http::let_go(&granted, &changes, &ledger, (id, &input.confirm), once).await {
        Ok(_) => return Ok(visit.done(&page.desk.path("/audit/retention"), Flash::HoldReleased)),
        Err(problem) => problem,
    };
    match problem.code() {
        Code::StepUpRequired => {
            page.must_sign_in = true;
            visit.page_with(StatusCode::FORBIDDEN, &page)
        }
        Code::IdempotencyKeyReused => {
            page.fault = Some(SENT_BEFORE);
            visit.form_again(&page)
        }
        _ => Err(problem),
    }
}
