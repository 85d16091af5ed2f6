//! The export: a stretch of a log, streamed as NDJSON, as CSV, or under the names of OCSF.
//!
//! # Invariants
//! - The entry `audit.exported` is committed before the first byte: no entry, no bytes.
//! - A page is read when the one before has been taken, in a transaction that ends with it: memory is bounded, a reader that
//!   is slow holds no connection, and whoever loses the permission gets no further page.
//! - What cannot be read to its end is cut off without the end of the transfer, so that nobody takes a part for the whole.
//! - A cell of CSV is quoted and never begins a formula (CWE-1236).

mod csv;
mod ocsf;

use std::str::FromStr;

use axum::body::{Body, Bytes};
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use bailiwick_proof::log::Log;
use futures_util::{Stream, TryStreamExt as _, stream};
use serde::{Deserialize, Deserializer};
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::model::AuditEvent;
use super::ops::{ReadError, log_of, opened, settle_if_possible};
use super::sql;
use crate::authz::{Denied, Granted, may};
use crate::db::{Authority as _, Db, DbError};
use crate::http::{Changes, Problem, moment_in_utc};
use crate::ledger::{self, Action, Entry, Ledger};

/// Entries in one transaction: of the largest there are, some megabytes.
const PAGE: u16 = 100;

/// How an export is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, utoipa::ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum Format {
    /// An event of the API in JSON on each line.
    Ndjson,
    /// RFC 4180 with a heading; each cell quoted.
    Csv,
    /// An event under the names of OCSF on each line, for a SIEM.
    Ocsf,
}

/// The word names no format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a format is ndjson, csv or ocsf")]
pub struct UnknownFormat;

impl Format {
    /// In the order in which they are shown.
    pub const ALL: [Self; 3] = [Self::Ndjson, Self::Csv, Self::Ocsf];

    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
            Self::Ocsf => "ocsf",
        }
    }

    /// How the name of a file ends.
    const fn ending(self) -> &'static str {
        match self {
            Self::Ndjson | Self::Csv => self.as_str(),
            Self::Ocsf => "ocsf.ndjson",
        }
    }

    const fn media(self) -> &'static str {
        match self {
            Self::Ndjson | Self::Ocsf => "application/x-ndjson",
            Self::Csv => "text/csv; charset=utf-8",
        }
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(word: &str) -> Result<Self, UnknownFormat> {
        Self::ALL.into_iter().find(|format| format.as_str() == word).ok_or(UnknownFormat)
    }
}

impl<'de> Deserialize<'de> for Format {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What is exported.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExportEvents {
    /// How it is written.
    pub format: Format,
    /// Recorded at this moment or later; from the first one on if nothing is said.
    #[serde(default, deserialize_with = "moment_in_utc")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub from: Option<OffsetDateTime>,
    /// Recorded before this moment; up to the request if nothing is said.
    #[serde(default, deserialize_with = "moment_in_utc")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub to: Option<OffsetDateTime>,
}

/// The stretch that is exported.
#[derive(Clone, Copy)]
pub(super) struct Stretch {
    pub(super) from: Option<OffsetDateTime>,
    pub(super) to: OffsetDateTime,
}

/// Why an export ends before its end.
#[derive(Debug, thiserror::Error)]
enum Cut {
    /// The permission is gone.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The log is not to be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// An event has no JSON.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

impl From<DbError> for Cut {
    fn from(error: DbError) -> Self {
        Self::Read(error.into())
    }
}

/// How far an export is.
struct Walk {
    granted: Granted<may::ExportAudit>,
    changes: Changes,
    ledger: Ledger,
    log: Log,
    format: Format,
    stretch: Stretch,
    after: Option<(u32, u64)>,
}

/// Records that the log is exported, and then streams it.
///
/// # Errors
/// Those of settling and of every change: then nothing was sent.
pub(super) async fn export(
    granted: Granted<may::ExportAudit>,
    changes: Changes,
    ledger: Ledger,
    wanted: &ExportEvents,
) -> Result<Response, Problem> {
    let (log, format) = (log_of(&granted), wanted.format);
    settle_if_possible(&ledger, log).await?;
    let mut tx = changes.db.workspace_tx(&granted).await?;
    let now = tx.context().received_at;
    // What is below was pruned, and whoever reads the export is told so.
    let first = ledger::cut_of(&mut tx, &ledger).await.map_err(ReadError::from)?.map_or(0, |cut| cut.to);
    let stretch = Stretch { from: wanted.from, to: wanted.to.map_or(now, |to| to.min(now)) };
    let meta = json!({
        "format": format.as_str(), "from_ms": stretch.from.map(millis), "to_ms": millis(stretch.to),
        "first_seq": first,
    });
    let entry = Entry::about(Action::AuditExported, granted.workspace()).with(meta);
    let recorded = ledger::stage(&mut tx, &changes.entropy, entry);
    tx.commit(recorded).await?;
    let name = format!("audit-{}-{}.{}", granted.environment(), millis(stretch.to), format.ending());
    let walk = Walk { granted, changes, ledger, log, format, stretch, after: None };
    let mut response = Body::from_stream(walk.stream()).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.media()));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(HeaderName::from_static("bailiwick-first-seq"), HeaderValue::from(first));
    let disposition = HeaderValue::try_from(format!("attachment; filename=\"{name}\""));
    headers
        .insert(header::CONTENT_DISPOSITION, disposition.map_err(|error| Problem::internal("name an export", &error))?);
    Ok(response)
}

impl Walk {
    fn stream(self) -> impl Stream<Item = Result<Bytes, Cut>> + Send + 'static {
        let pages = stream::try_unfold(Some(self), |walk| async move {
            let Some(mut walk) = walk else { return Ok(None) };
            let (page, is_last) = walk.page().await?;
            Ok(Some((page, (!is_last).then_some(walk))))
        });
        pages.inspect_err(|cut: &Cut| tracing::warn!(event = "audit.export_cut", cause = %cut))
    }

    /// The next page as text, and whether it is the last.
    async fn page(&mut self) -> Result<(Bytes, bool), Cut> {
        let db: &Db = &self.changes.db;
        let mut tx = db.workspace_tx(&self.granted).await?;
        self.granted.ceiling(&mut tx, &self.changes.notary).await?;
        let rows = sql::stretch(&mut tx, self.stretch, self.after, PAGE).await?;
        let places: Vec<(u32, u64)> = rows.iter().map(|found| found.row.place()).collect();
        let leaves = ledger::leaves(&mut tx, &places).await.map_err(ReadError::from)?;
        tx.finish_reading().await?;
        let is_first = self.after.is_none();
        let is_last = rows.len() < usize::from(PAGE);
        self.after = places.last().copied().or(self.after);
        let mut text = String::new();
        if is_first && self.format == Format::Csv {
            csv::head(&mut text);
        }
        for (row, leaf) in rows.into_iter().zip(leaves) {
            self.write(&opened(&self.ledger, self.log, row).await?.show(self.log, leaf), &mut text)?;
        }
        metrics::counter!("bailiwick_audit_exported_events_total").increment(u64::try_from(places.len()).unwrap_or(0));
        Ok((text.into(), is_last))
    }

    fn write(&self, event: &AuditEvent, text: &mut String) -> Result<(), Cut> {
        match self.format {
            Format::Ndjson => {
                text.push_str(&serde_json::to_string(event)?);
                text.push('\n');
            }
            Format::Csv => csv::line(event, text)?,
            Format::Ocsf => ocsf::line(event, text)?,
        }
        Ok(())
    }
}

fn millis(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or_default()
}

/// As CSV and file names have it.
fn moment(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_default()
}
