//! A filter, as it is saved and shown.

use bailiwick_proof::entry::ActionName;
use bailiwick_proof::id::FilterId;
use serde::{Deserialize, Deserializer, Serialize};
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{Date, OffsetDateTime};

use crate::audit::model::Subject;
use crate::name::Name;

const DAY: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");

/// What saves a filter. It narrows to one thing at least.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SaveFilter {
    /// What it is called: 80 characters at most. It is not erased with anybody, so it names nobody.
    #[schema(value_type = String, max_length = 80, example = "Unpaid in spring")]
    pub name: Name,
    /// This action alone.
    #[serde(default, deserialize_with = "action")]
    #[schema(value_type = Option<String>, example = "invoice.paid")]
    pub action: Option<ActionName>,
    /// This actor's alone.
    #[schema(value_type = Option<String>)]
    pub actor: Option<Subject>,
    /// About this target alone.
    #[schema(value_type = Option<String>)]
    pub target: Option<Subject>,
    /// The first day, UTC.
    #[serde(default, deserialize_with = "day")]
    #[schema(value_type = Option<String>, format = Date)]
    pub from: Option<Date>,
    /// The last day, UTC.
    #[serde(default, deserialize_with = "day")]
    #[schema(value_type = Option<String>, format = Date)]
    pub to: Option<Date>,
    /// For everybody who reads the log, which takes the permission `filters.share`; one's own if nothing is said.
    #[serde(default)]
    pub shared: bool,
}

impl SaveFilter {
    /// Whether it narrows to nothing at all.
    pub(super) const fn is_empty(&self) -> bool {
        self.action.is_none()
            && self.actor.is_none()
            && self.target.is_none()
            && self.from.is_none()
            && self.to.is_none()
    }
}

/// A saved filter.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SavedFilter {
    /// Its id.
    #[schema(value_type = String)]
    pub id: FilterId,
    /// What it is called.
    pub name: String,
    /// This action alone.
    pub action: Option<String>,
    /// This actor's alone.
    pub actor: Option<String>,
    /// About this target alone.
    pub target: Option<String>,
    /// The first day, UTC.
    pub from: Option<String>,
    /// The last day, UTC.
    pub to: Option<String>,
    /// Whether it is for everybody who reads the log.
    pub shared: bool,
    /// Whether it named somebody who was erased: it finds nothing any more.
    pub erased: bool,
    /// Who saved it.
    pub saved_by: String,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub saved_at: OffsetDateTime,
}

/// The filters that the caller has.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct SavedFilters {
    /// One's own first, each in the order of the alphabet.
    pub filters: Vec<SavedFilter>,
}

/// As the API and forms write a day.
pub(super) fn day_text(day: Date) -> String {
    day.format(DAY).unwrap_or_default()
}

/// The day of such a text.
pub(super) fn parse_day(text: &str) -> Option<Date> {
    Date::parse(text, DAY).ok()
}

fn day<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Date>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    let not_a_day = || serde::de::Error::custom("a day is like 2026-01-31");
    text.map(|text| parse_day(&text).ok_or_else(not_a_day)).transpose()
}

fn action<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<ActionName>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| text.parse()).transpose().map_err(serde::de::Error::custom)
}
