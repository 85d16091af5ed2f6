//! The audit log in the console: the list with its filter, an entry with its proof, the checkpoint and the key.
//!
//! # Invariants
//! - The server never says “verified” here: that is for the browser, or for a program that trusts neither.
//! - What the list marks as broken was found by the server's own check; the proof of it is on the entry's page.

mod checkpoint;
mod damage;
mod export;
mod filter;
mod party;
mod show;
mod timeline;

use askama::Template;
use axum::extract::State;
use axum::response::Response;

pub use self::checkpoint::checkpoint;
pub use self::export::{ExportInput, ask_export, export};
use self::filter::FilterForm;
pub use self::filter::PageQuery;
use self::party::{Names, Party};
pub use self::show::{Opened, receipt, show};
pub(in crate::audit) use self::timeline::Published;
use super::filters::page::{SaveForm, SavedRow};
use super::model::AuditEvent;
use super::{filters, http};
use crate::authz::{Granted, may};
use crate::console::{Area, Desk, Listing, Moment, Noun, Visit};
use crate::db::Authority as _;
use crate::http::{Changes, Problem, Query};
use crate::ledger::{self, Action, Ledger};
use crate::workspaces;

/// What the page of the log is put together from.
#[derive(Clone)]
pub struct Parts {
    pub(in crate::audit) changes: Changes,
    pub(in crate::audit) ledger: Ledger,
}

impl Parts {
    /// Of changes and logs.
    #[must_use]
    pub const fn new(changes: Changes, ledger: Ledger) -> Self {
        Self { changes, ledger }
    }
}

const NOUN: Noun = Noun { one: "entry", many: "entries" };
/// What stands in the cell's log is no use as a filter here.
const NOT_OF_WORKSPACES: [&str; 3] = ["sign_in", "session", "cell"];

/// `/w/{workspace}/{environment}/audit`.
#[derive(Template)]
#[template(path = "audit/index.html")]
struct IndexPage {
    desk: Desk,
    filter: FilterForm,
    actions: Vec<&'static str>,
    entries: Vec<EntryRow>,
    /// What is wrong with the log, as far as this page can tell.
    damages: Vec<String>,
    list: Listing,
    call: String,
    saved: Vec<SavedRow>,
    save: SaveForm,
}

struct EntryRow {
    href: String,
    action: String,
    actor: Option<Party>,
    target: Option<Party>,
    at: Moment,
    seq: u64,
    intact: bool,
}

impl IndexPage {
    /// Nothing was ever recorded here.
    fn is_untouched(&self) -> bool {
        self.entries.is_empty() && !self.filter.is_set() && self.list.first_href().is_none()
    }
}

impl EntryRow {
    fn of(event: AuditEvent, names: &Names, desk: &Desk, visit: &Visit) -> Self {
        Self {
            href: entry_path(desk, &event),
            actor: event.actor.map(|id| names.party(id)),
            target: event.target.map(|id| names.party(id)),
            at: visit.moment(event.recorded_at),
            seq: event.seq,
            intact: event.intact,
            action: event.action,
        }
    }
}

fn entry_path(desk: &Desk, event: &AuditEvent) -> String {
    desk.path(&format!("/audit/{}", event.id))
}

/// `GET /w/{workspace}/{environment}/audit`.
///
/// # Errors
/// As the API's; what the filter cannot mean stands beside its field.
pub async fn index(
    granted: Granted<may::ReadAudit>,
    visit: Visit,
    State(parts): State<Parts>,
    Query(query): Query<PageQuery>,
) -> Result<Response, Problem> {
    let desk = workspaces::desk(&visit, &granted, &parts.changes.db, Area::Audit).await?;
    let save = SaveForm::empty(&visit);
    let (page, refused) = page_of(&granted, &visit, &parts, desk, (query, save)).await?;
    if refused { visit.form_again(&page) } else { visit.page(&page) }
}

/// The page as it was, with what is wrong with the filter that was to be saved.
///
/// # Errors
/// As [`index`].
pub(in crate::audit) async fn again(
    granted: &Granted<may::ReadAudit>,
    visit: Visit,
    parts: &Parts,
    desk: Desk,
    typed: (PageQuery, SaveForm),
) -> Result<Response, Problem> {
    let (page, _) = page_of(granted, &visit, parts, desk, typed).await?;
    visit.form_again(&page)
}

/// `?action=…` of a filter, or nothing.
pub(in crate::audit) fn query_string(query: &PageQuery) -> String {
    FilterForm::typed(query).query_string()
}

/// The page, and whether the filter cannot be meant.
async fn page_of(
    granted: &Granted<may::ReadAudit>,
    visit: &Visit,
    parts: &Parts,
    desk: Desk,
    (query, save): (PageQuery, SaveForm),
) -> Result<(IndexPage, bool), Problem> {
    let (db, ledger) = (&parts.changes.db, &parts.ledger);
    let mut filter = FilterForm::typed(&query);
    let path = desk.path(&format!("/audit{}", filter.query_string()));
    let asked = filter.read(query.cursor.clone());
    let refused = asked.is_none();
    let (events, next) = match asked {
        Some(asked) => {
            let page = http::page(granted, db, ledger, asked).await?;
            (page.data, page.next_cursor)
        }
        None => (Vec::new(), None),
    };
    let mut tx = db.workspace_tx(granted).await?;
    let end = ledger::tail_is_missing(&mut tx, ledger).await?;
    tx.finish_reading().await?;
    let names = Names::look_up(granted, db, &desk).await?;
    let saved = filters::page::rows(filters::http::all(granted, &parts.changes).await?, &desk, visit);
    let list = Listing::new(NOUN, events.len(), &path, query.cursor.as_deref(), next.as_deref());
    let page = IndexPage {
        damages: damage::seen_in(&events, !filter.is_set(), end.as_ref()),
        filter,
        actions: actions(),
        entries: events.into_iter().map(|event| EntryRow::of(event, &names, &desk, visit)).collect(),
        list,
        saved,
        save,
        call: format!(
            "curl -H \"Authorization: Bearer $BAILIWICK_KEY\" -H \"Content-Type: application/json\" -d \
             '{{\"events\":[{{\"action\":\"invoice.paid\",\"actor\":\"customer-42\",\"target\":\"invoice-7\"}}]}}' \
             {}/v1/workspaces/{}/audit/events",
            visit.origin(),
            granted.workspace()
        ),
        desk,
    };
    Ok((page, refused))
}

/// The actions of ours that a workspace's log can have.
fn actions() -> Vec<&'static str> {
    let words = Action::ALL.into_iter().map(Action::as_str);
    words.filter(|word| !NOT_OF_WORKSPACES.iter().any(|first| word.split('.').next() == Some(first))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workspace_s_filter_proposes_no_action_of_the_cell() {
        assert!(actions().contains(&"api_key.created"));
        assert!(!actions().contains(&"sign_in.requested") && !actions().contains(&"cell.established"));
    }
}
