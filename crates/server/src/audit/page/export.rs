//! The form that exports: days and a format. Its answer is the file.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::filter::{FilterForm, PageQuery};
use crate::audit::export::{self, ExportEvents, Format};
use crate::authz::{Granted, may};
use crate::console::{Area, Desk, Field, Visit};
use crate::db::Db;
use crate::http::{Changes, Form, Problem};
use crate::ledger::Ledger;
use crate::workspaces;

/// `…/audit/export`.
#[derive(Template)]
#[template(path = "audit/export.html")]
struct ExportPage {
    desk: Desk,
    from: Field,
    to: Field,
    fault: Option<&'static str>,
}

/// What was filled in.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportInput {
    #[serde(default)]
    from: String,
    #[serde(default)]
    to: String,
    format: String,
}

/// `GET /w/{workspace}/{environment}/audit/export`.
///
/// # Errors
/// `forbidden`.
pub async fn ask_export(
    granted: Granted<may::ExportAudit>,
    visit: Visit,
    State(db): State<Db>,
) -> Result<Response, Problem> {
    let desk = workspaces::desk(&visit, &granted, &db, Area::Audit).await?;
    visit.page(&ExportPage { desk, from: Field::default(), to: Field::default(), fault: None })
}

/// `POST /w/{workspace}/{environment}/audit/export`: the file.
///
/// # Errors
/// As the API's; what the form cannot mean stands beside its field.
pub async fn export(
    granted: Granted<may::ExportAudit>,
    visit: Visit,
    State(db): State<Db>,
    State(changes): State<Changes>,
    State(ledger): State<Ledger>,
    Form(input): Form<ExportInput>,
) -> Result<Response, Problem> {
    let mut days = FilterForm::typed(&PageQuery::of_days(&input.from, &input.to));
    let format: Option<Format> = input.format.parse().ok();
    let Some((asked, format)) = days.read(None).zip(format) else {
        let desk = workspaces::desk(&visit, &granted, &db, Area::Audit).await?;
        let fault = format.is_none().then_some("Choose a format.");
        return visit.form_again(&ExportPage { desk, from: days.from, to: days.to, fault });
    };
    let wanted =
        ExportEvents { format, from: asked.from.as_deref().and_then(moment), to: asked.to.as_deref().and_then(moment) };
    export::export(granted, changes, ledger, &wanted).await
}

fn moment(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc3339).ok()
}
