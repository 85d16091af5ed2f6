//! `/share/r/{token}`: the receipt behind a link, for whoever has it.
//!
//! Whatever shows nothing is answered by one page, with one status and the same headers. Neither the address nor where the
//! reader goes from here is told to anybody: no referrer, nothing stored, nothing indexed.

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use bailiwick_proof::commitment::Field;
use bailiwick_proof::entry::Entry;
use bailiwick_proof::receipt::Receipt;
use time::OffsetDateTime;

use super::model::ShareToken;
use super::ops::{self, HiddenError, Shown};
use super::witnessed::{FILE, WitnessedView, witnessed};
use crate::audit::ops::ReadError;
use crate::authz::SharedReceipt;
use crate::console::{Moment, Visit};
use crate::db::{Authority as _, Db};
use crate::http::{Changes, PathId, Problem};
use crate::ledger::{self, Ledger, Mismatch};

/// The query of a file with what witnesses say.
const WITNESSED: &str = "witnessed";

/// The page of a link.
#[derive(Template)]
#[template(path = "audit/shared.html")]
struct SharedPage {
    receipt: Option<ReceiptView>,
    /// What witnesses say of it.
    witnessed: Option<WitnessedView>,
    /// Why it cannot be good.
    trouble: Option<String>,
    /// Where the file is.
    href: String,
    /// What verifies it.
    verify: String,
    /// The key, and where it is published beside the daily roots.
    vkey: String,
    jwks: String,
    ends: Moment,
}

/// The page of a link that shows nothing.
#[derive(Template)]
#[template(path = "audit/shared_gone.html")]
struct GonePage;

/// A receipt in words.
struct ReceiptView {
    entry: Option<EntryView>,
    opened: Vec<OpenedView>,
    /// What it does not open.
    hidden: String,
    /// The bytes that are hashed.
    stored: String,
    leaf: String,
    /// Which log: name, workspace, environment and generation.
    origin: String,
    /// The whole file.
    file: String,
}

/// What stands in the entry for everybody.
struct EntryView {
    action: String,
    seq: u64,
    generation: u32,
    environment: &'static str,
    at: Moment,
    trace: String,
}

struct OpenedView {
    word: &'static str,
    label: &'static str,
    value: String,
    /// Whether it is JSON, which has a place of its own.
    is_long: bool,
}

const fn label(field: Field) -> &'static str {
    match field {
        Field::Actor => "Actor",
        Field::Ip => "Address",
        Field::Meta => "Request and data",
        Field::Target => "Target",
    }
}

impl ReceiptView {
    fn of(receipt: &Receipt, visit: &Visit) -> Self {
        let checkpoint = receipt.checkpoint.unverified();
        let hidden = Field::ALL.into_iter().filter(|field| !receipt.openings.contains_key(field));
        let hidden: Vec<String> = hidden.map(|field| label(field).to_lowercase()).collect();
        let opened = receipt.openings.iter().map(|(field, opening)| OpenedView {
            word: field.as_str(),
            label: label(*field),
            value: opening.value.clone(),
            is_long: *field == Field::Meta,
        });
        Self {
            entry: Entry::parse(receipt.entry.as_bytes()).ok().map(|entry| EntryView::of(&entry, visit)),
            opened: opened.collect(),
            hidden: hidden.join(", "),
            stored: receipt.entry.clone(),
            leaf: bailiwick_proof::merkle::leaf_hash(receipt.entry.as_bytes()).to_hex(),
            origin: checkpoint.origin.clone(),
            file: receipt.to_string(),
        }
    }
}

impl EntryView {
    fn of(entry: &Entry, visit: &Visit) -> Self {
        let at = i64::try_from(entry.recorded_at_ms / 1_000).ok();
        let at = at.and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
        Self {
            action: entry.action.to_string(),
            seq: entry.seq,
            generation: entry.generation,
            environment: match entry.log {
                bailiwick_proof::log::Log::Workspace { environment, .. } => environment.as_str(),
                bailiwick_proof::log::Log::Cell => "live",
            },
            at: visit.moment(at.unwrap_or(OffsetDateTime::UNIX_EPOCH)),
            trace: entry.trace.to_string(),
        }
    }
}

/// What a link leads to.
enum Led {
    /// To a receipt, good or broken.
    To(Box<SharedReceipt>, Shown),
    /// To nothing.
    Nowhere,
}

/// `GET /share/r/{token}`.
pub async fn show(
    visit: Visit,
    State(changes): State<Changes>,
    State(ledger): State<Ledger>,
    token: Result<PathId<ShareToken>, Problem>,
) -> Response {
    let led = follow(&visit, &changes, &ledger, token.as_ref().ok().map(|PathId(token)| token)).await;
    let page = match (led, token) {
        (Ok(Led::To(shared, shown)), Ok(PathId(token))) => {
            ops::count(&shared, &changes.db).await;
            page(&visit, (&changes.db, &ledger), &shared, &shown, &token).await
        }
        (Ok(_), _) => gone(&visit),
        (Err(problem), _) => Err(problem),
    };
    private(page)
}

/// `GET /share/r/{token}/receipt`: the file; with `?witnessed` that with the line of the manifest, if there is one.
pub async fn file(
    visit: Visit,
    State(changes): State<Changes>,
    State(ledger): State<Ledger>,
    token: Result<PathId<ShareToken>, Problem>,
    RawQuery(query): RawQuery,
) -> Response {
    let token = token.as_ref().ok().map(|PathId(token)| token);
    let file = match follow(&visit, &changes, &ledger, token).await {
        Ok(Led::To(shared, Shown::Good(receipt))) => {
            let wanted = query.as_deref() == Some(WITNESSED);
            let with = if wanted { witnessed(&shared, &changes.db, &ledger).await } else { None };
            Ok(match with {
                Some(with) => attachment(FILE, with.proof.to_string()),
                None => attachment("receipt.tlog-proof", receipt.to_string()),
            })
        }
        Ok(Led::To(_, Shown::Broken(Mismatch { receipt: Some(damaged), .. }))) => {
            Ok(attachment("receipt.damaged.tlog-proof", damaged))
        }
        Ok(_) => gone(&visit),
        Err(problem) => Err(problem),
    };
    private(file)
}

async fn follow(visit: &Visit, changes: &Changes, ledger: &Ledger, token: Option<&ShareToken>) -> Result<Led, Problem> {
    let Some(token) = token else { return Ok(nowhere()) };
    let digest = token.digest();
    let shared = SharedReceipt::find(&changes.db, &changes.notary, digest.bytes(), visit.context().clone()).await;
    let Some(shared) = shared.inspect_err(|_| seen("failed"))? else { return Ok(nowhere()) };
    match ops::shown(&shared, &changes.db, &changes.vault, ledger).await {
        Ok(shown) => {
            if let Shown::Broken(mismatch) = &shown {
                metrics::counter!("bailiwick_ledger_mismatches_total").increment(1);
                tracing::error!(event = "ledger_mismatch", seq = mismatch.seq, what = mismatch.what, at = "share");
                seen("broken");
            } else {
                seen("shown");
            }
            Ok(Led::To(Box::new(shared), shown))
        }
        Err(HiddenError::Gone) => Ok(nowhere()),
        Err(HiddenError::Read(error)) => {
            seen("failed");
            Err(error.into())
        }
    }
}

fn nowhere() -> Led {
    seen("hidden");
    Led::Nowhere
}

/// Counts what links led to; of whom and of which link nothing is said.
fn seen(outcome: &'static str) {
    metrics::counter!("bailiwick_receipt_shares_opened_total", "outcome" => outcome).increment(1);
}

async fn page(
    visit: &Visit,
    (db, ledger): (&Db, &Ledger),
    shared: &SharedReceipt,
    shown: &Shown,
    token: &ShareToken,
) -> Result<Response, Problem> {
    let (receipt, witnessed, trouble) = match shown {
        Shown::Good(receipt) => {
            let with = witnessed(shared, db, ledger).await;
            let receipt = with.as_ref().map_or(&**receipt, |with| &with.receipt);
            (Some(ReceiptView::of(receipt, visit)), with, None)
        }
        Shown::Broken(mismatch) => {
            let damaged = mismatch.receipt.as_deref().and_then(|text| text.parse::<Receipt>().ok());
            (
                damaged.map(|receipt| ReceiptView::of(&receipt, visit)),
                None,
                Some(format!("What is stored of this entry was altered: {mismatch}.")),
            )
        }
    };
    let origin = receipt.as_ref().map(|receipt| receipt.origin.as_str()).unwrap_or_default();
    let keys = ledger::published_keys(ledger, shared.workspace()).await.map_err(ReadError::from)?.keys;
    let key = keys.iter().map(|jwk| jwk.verifier()).find(|key| key.name() == origin);
    let vkey = key.map(ToString::to_string).unwrap_or_default();
    visit.page(&SharedPage {
        href: format!("{}/receipt", token.path()),
        verify: format!("bailiwick verify receipt.tlog-proof --key '{vkey}'"),
        jwks: format!("{}/w/{}/.well-known/jwks.json", visit.origin(), shared.workspace()),
        ends: visit.moment(shared.expires_at()),
        witnessed: witnessed.map(|with| WitnessedView::of(with, visit, &vkey)),
        receipt,
        trouble,
        vkey,
    })
}

fn gone(visit: &Visit) -> Result<Response, Problem> {
    visit.page_with(StatusCode::NOT_FOUND, &GonePage)
}

fn attachment(name: &'static str, text: String) -> Response {
    let disposition = HeaderValue::try_from(format!("attachment; filename=\"{name}\""));
    crate::audit::http::text(text, disposition.ok())
}

/// Keeps the address between the reader and us.
fn private(answer: Result<Response, Problem>) -> Response {
    let mut response = answer.unwrap_or_else(|problem| problem.into_response());
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("x-robots-tag"), "noindex, nofollow, noarchive"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
