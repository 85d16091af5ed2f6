//! Links to receipts in the console: those of an entry with the form for another, all of them, and the end of one.

use std::collections::BTreeSet;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use bailiwick_proof::id::{EventId, ReceiptShareId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::http::{self, ShareQuery};
use super::model::{CreatedReceiptShare, DAYS, ReceiptShare, ShareReceipt, SharedField, USUAL_DAYS};
use crate::authz::may::Needs;
use crate::authz::{Granted, may};
use crate::config::PublicUrl;
use crate::console::{Area, Desk, Field, Flash, IdChip, Listing, Moment, Noun, SENT_BEFORE, Visit};
use crate::db::Db;
use crate::http::{Changes, Code, Form, PathId, Problem, Query};
use crate::ledger::Ledger;
use crate::members::Names;
use crate::workspaces;

const NOUN: Noun = Noun { one: "link", many: "links" };
/// So many links of one entry are shown beside its form.
const SHOWN: u16 = 100;

/// `…/audit/shares` and `…/audit/{id}/shares`.
#[derive(Template)]
#[template(path = "audit/shares.html")]
struct SharesPage {
    desk: Desk,
    shares: Vec<ShareView>,
    list: Listing,
    /// The entry whose links these are; of all entries without.
    entry: Option<IdChip>,
    form: ShareForm,
}

/// A link in words.
struct ShareView {
    id: IdChip,
    entry: IdChip,
    open: String,
    by: String,
    made: Moment,
    views: u64,
    ends: Moment,
    state: Standing,
    revoke_href: String,
}

/// How a link stands.
enum Standing {
    /// It shows the receipt.
    Works,
    /// Its time is over.
    Over,
    /// It was revoked.
    Revoked(Moment),
}

impl ShareView {
    fn of(share: ReceiptShare, names: &Names, desk: &Desk, visit: &Visit) -> Self {
        let words: Vec<&str> = share.open.iter().map(|field| in_words(*field)).collect();
        let state = match share.revoked_at {
            Some(at) => Standing::Revoked(visit.moment(at)),
            None if share.works(visit.now()) => Standing::Works,
            None => Standing::Over,
        };
        Self {
            entry: IdChip::new(share.event_id, desk.path(&format!("/audit/{}", share.event_id))),
            open: if words.is_empty() { String::from("nothing") } else { words.join(", ") },
            by: names.of(share.created_by),
            made: visit.moment(share.created_at),
            views: share.views,
            ends: visit.moment(share.expires_at),
            revoke_href: desk.path(&format!("/audit/shares/{}/revoke", share.id)),
            id: IdChip::of_row(share.id),
            state,
        }
    }
}

const fn in_words(field: SharedField) -> &'static str {
    match field {
        SharedField::Actor => "actor",
        SharedField::Ip => "address",
        SharedField::Meta => "request and data",
        SharedField::Target => "target",
    }
}

/// A box of the form.
struct Choice {
    word: &'static str,
    label: &'static str,
    ticked: bool,
}

/// The form for another link.
struct ShareForm {
    idempotency_key: Uuid,
    boxes: [Choice; 4],
    days: Field,
    fault: Option<&'static str>,
}

impl ShareForm {
    fn empty(visit: &Visit) -> Self {
        Self::with(visit, &BTreeSet::new(), Field::typed(USUAL_DAYS.to_string()))
    }

    fn with(visit: &Visit, open: &BTreeSet<SharedField>, days: Field) -> Self {
        let choice = |field: SharedField, label| Choice { word: field.as_str(), label, ticked: open.contains(&field) };
        let boxes = [
            choice(SharedField::Actor, "Actor"),
            choice(SharedField::Target, "Target"),
            choice(SharedField::Ip, "Address"),
            choice(SharedField::Meta, "Request and data"),
        ];
        Self { idempotency_key: visit.form_key(), boxes, days, fault: None }
    }

    const fn has_faults(&self) -> bool {
        self.fault.is_some() || self.days.fault.is_some()
    }
}

async fn shares_page<P: Needs>(
    granted: &Granted<P>,
    visit: &Visit,
    db: &Db,
    query: ShareQuery,
    form: ShareForm,
) -> Result<SharesPage, Problem> {
    let desk = workspaces::desk(visit, granted, db, Area::Audit).await?;
    let (event, cursor) = (query.event, query.cursor.clone());
    let page = http::page(granted, db, query).await?;
    let names = Names::look_up(granted, db).await?;
    let path = desk.path("/audit/shares");
    let list = Listing::new(NOUN, page.data.len(), &path, cursor.as_deref(), page.next_cursor.as_deref());
    let entry = event.map(|event| IdChip::new(event, desk.path(&format!("/audit/{event}"))));
    let shares = page.data.into_iter().map(|share| ShareView::of(share, &names, &desk, visit)).collect();
    Ok(SharesPage { shares, list, entry, form, desk })
}

/// `GET /w/{workspace}/{environment}/audit/shares`.
///
/// # Errors
/// As the API's.
pub async fn index(
    granted: Granted<may::ReadAudit>,
    visit: Visit,
    State(db): State<Db>,
    Query(query): Query<ShareQuery>,
) -> Result<Response, Problem> {
    let form = ShareForm::empty(&visit);
    visit.page(&shares_page(&granted, &visit, &db, query, form).await?)
}

const fn of_entry(event: EventId) -> ShareQuery {
    ShareQuery { limit: Some(SHOWN), cursor: None, event: Some(event) }
}

/// `GET /w/{workspace}/{environment}/audit/{id}/shares`.
///
/// # Errors
/// As the API's.
pub async fn of_event(
    granted: Granted<may::ReadAudit>,
    visit: Visit,
    State(db): State<Db>,
    PathId(event): PathId<EventId>,
) -> Result<Response, Problem> {
    let form = ShareForm::empty(&visit);
    visit.page(&shares_page(&granted, &visit, &db, of_entry(event), form).await?)
}

/// What was ticked and typed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShareInput {
    idempotency_key: Uuid,
    #[serde(default)]
    open: BTreeSet<SharedField>,
    days: String,
}

/// The answer to the form: the address, shown once.
#[derive(Template)]
#[template(path = "audit/share_made.html")]
struct MadePage {
    desk: Desk,
    url: String,
    open: String,
    ends: Moment,
    back: String,
    entry: IdChip,
}

/// `POST /w/{workspace}/{environment}/audit/{id}/shares`.
///
/// # Errors
/// As the API's.
pub async fn share(
    granted: Granted<may::ShareReceipt>,
    visit: Visit,
    State(changes): State<Changes>,
    State(ledger): State<Ledger>,
    State(public_url): State<PublicUrl>,
    PathId(event): PathId<EventId>,
    Form(input): Form<ShareInput>,
) -> Result<Response, Problem> {
    let mut form = ShareForm::with(&visit, &input.open, Field::typed(input.days.trim()));
    match read(&input) {
        Some(wanted) => {
            let once = visit.once(input.idempotency_key, &input)?;
            match http::share(&granted, (&changes, &ledger, &public_url), event, &wanted, once).await {
                Ok(reply) => return made(&granted, &visit, &changes.db, reply.read()?).await,
                Err(problem) if problem.code() == Code::IdempotencyKeyReused => form.fault = Some(SENT_BEFORE),
                Err(problem) => return Err(problem),
            }
        }
        None => {
            let fault = format!("Days are a number from {} to {}.", DAYS.start(), DAYS.end());
            form.days = form.days.with_fault(fault);
        }
    }
    visit.form_again(&shares_page(&granted, &visit, &changes.db, of_entry(event), form).await?)
}

fn read(input: &ShareInput) -> Option<ShareReceipt> {
    let days = input.days.trim().parse().ok().filter(|days| DAYS.contains(days))?;
    Some(ShareReceipt { open: input.open.clone(), days: Some(days) })
}

async fn made(
    granted: &Granted<may::ShareReceipt>,
    visit: &Visit,
    db: &Db,
    CreatedReceiptShare { share, url }: CreatedReceiptShare,
) -> Result<Response, Problem> {
    let desk = workspaces::desk(visit, granted, db, Area::Audit).await?;
    let entry = IdChip::new(share.event_id, desk.path(&format!("/audit/{}", share.event_id)));
    let words: Vec<&str> = share.open.iter().map(|field| in_words(*field)).collect();
    visit.page(&MadePage {
        back: format!("{}/shares", entry.href()),
        open: words.join(", "),
        ends: visit.moment(share.expires_at),
        entry,
        url,
        desk,
    })
}

/// `…/audit/shares/{id}/revoke`.
#[derive(Template)]
#[template(path = "audit/share_revoke.html")]
struct RevokePage {
    desk: Desk,
    share: ShareView,
    back: String,
    idempotency_key: Uuid,
}

/// `GET …/audit/shares/{id}/revoke`.
///
/// # Errors
/// `not_found`.
pub async fn ask_revoke(
    granted: Granted<may::ShareReceipt>,
    visit: Visit,
    State(db): State<Db>,
    PathId(id): PathId<ReceiptShareId>,
) -> Result<Response, Problem> {
    let desk = workspaces::desk(&visit, &granted, &db, Area::Audit).await?;
    let share = http::find(&granted, &db, id).await?;
    let back = desk.path(&format!("/audit/{}/shares", share.event_id));
    let names = Names::look_up(&granted, &db).await?;
    let idempotency_key = visit.form_key();
    visit.page(&RevokePage { share: ShareView::of(share, &names, &desk, &visit), back, idempotency_key, desk })
}

/// The button.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevokeInput {
    idempotency_key: Uuid,
}

/// `POST …/audit/shares/{id}/revoke`.
///
/// # Errors
/// As the API's.
pub async fn revoke(
    granted: Granted<may::ShareReceipt>,
    visit: Visit,
    State(db): State<Db>,
    State(changes): State<Changes>,
    PathId(id): PathId<ReceiptShareId>,
    Form(input): Form<RevokeInput>,
) -> Result<Response, Problem> {
    let desk = workspaces::desk(&visit, &granted, &db, Area::Audit).await?;
    let share = http::find(&granted, &db, id).await?;
    http::end(&granted, &changes, id, visit.once(input.idempotency_key, &input)?).await?;
    Ok(visit.done(&desk.path(&format!("/audit/{}/shares", share.event_id)), Flash::ReceiptShareRevoked))
}
