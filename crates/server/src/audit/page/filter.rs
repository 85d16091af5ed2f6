//! The filter of the list: a GET form, so that what is looked at has an address. Days are those of UTC.

use serde::{Deserialize, Serialize};
use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, OffsetDateTime, Time, UtcOffset};

use crate::audit::http::EventQuery;
use crate::console::Field;

const DAY: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");
const NO_DAY: &str = "Choose a day, as in 2030-12-31.";

/// The query of the page, as a form sends it: what is empty was not filled in.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PageQuery {
    #[serde(default)]
    action: String,
    #[serde(default)]
    actor: String,
    #[serde(default)]
    target: String,
    #[serde(default)]
    from: String,
    #[serde(default)]
    to: String,
    pub(super) cursor: Option<String>,
}

impl PageQuery {
    /// Action, actor, target and the two days.
    pub(in crate::audit) fn of([action, actor, target, from, to]: [String; 5]) -> Self {
        Self { action, actor, target, from, to, cursor: None }
    }

    /// Days alone.
    pub(super) fn of_days(from: &str, to: &str) -> Self {
        Self { from: from.to_owned(), to: to.to_owned(), ..Self::default() }
    }
}

/// What was filled in.
#[derive(Default)]
pub(super) struct FilterForm {
    pub(super) action: Field,
    pub(super) actor: Field,
    pub(super) target: Field,
    /// The first day that is shown.
    pub(super) from: Field,
    /// The last day that is shown.
    pub(super) to: Field,
}

/// What is filled in, for addresses.
#[derive(Serialize)]
struct Set<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    action: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    actor: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    target: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    from: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    to: &'a str,
}

impl FilterForm {
    pub(super) fn typed(query: &PageQuery) -> Self {
        let field = |text: &str| Field::typed(text.trim());
        Self {
            action: field(&query.action),
            actor: field(&query.actor),
            target: field(&query.target),
            from: field(&query.from),
            to: field(&query.to),
        }
    }

    fn fields(&self) -> [&Field; 5] {
        [&self.action, &self.actor, &self.target, &self.from, &self.to]
    }

    pub(super) fn is_set(&self) -> bool {
        self.fields().into_iter().any(|field| !field.value.is_empty())
    }

    pub(super) fn has_faults(&self) -> bool {
        self.fields().into_iter().any(|field| field.fault.is_some())
    }

    /// `?action=…`, or nothing.
    pub(super) fn query_string(&self) -> String {
        let Self { action, actor, target, from, to } = self;
        let set =
            Set { action: &action.value, actor: &actor.value, target: &target.value, from: &from.value, to: &to.value };
        match serde_html_form::to_string(&set) {
            Ok(query) if !query.is_empty() => format!("?{query}"),
            _ => String::new(),
        }
    }

    /// What the API is asked; `None` when a field cannot be meant, which then stands beside it.
    pub(super) fn read(&mut self, cursor: Option<String>) -> Option<EventQuery> {
        let from = day(&mut self.from);
        let to = day(&mut self.to);
        if let (Some(Some(from)), Some(Some(to))) = (from, to)
            && to < from
        {
            self.to.fault = Some("This is before the first day.".to_owned());
            return None;
        }
        let text = |field: &Field| Some(field.value.clone()).filter(|text| !text.is_empty());
        // A last day is shown to its end.
        let after = to?.map(|day| day.next_day().unwrap_or(day));
        Some(EventQuery {
            limit: None,
            cursor,
            action: text(&self.action),
            actor: text(&self.actor),
            target: text(&self.target),
            from: from?.and_then(midnight),
            to: after.and_then(midnight),
        })
    }
}

/// `Some(None)` for a field that was left empty, `None` for what is no day.
fn day(field: &mut Field) -> Option<Option<Date>> {
    if field.value.is_empty() {
        return Some(None);
    }
    match Date::parse(&field.value, DAY) {
        Ok(day) => Some(Some(day)),
        Err(_) => {
            field.fault = Some(NO_DAY.to_owned());
            None
        }
    }
}

fn midnight(day: Date) -> Option<String> {
    OffsetDateTime::new_in_offset(day, Time::MIDNIGHT, UtcOffset::UTC).format(&Rfc3339).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(query: &str) -> FilterForm {
        FilterForm::typed(&serde_html_form::from_str(query).unwrap())
    }

    #[test]
    fn days_are_whole_and_in_utc() {
        let asked = form("from=2026-11-22&to=2026-11-22&action=&actor=+usr_1+").read(None).unwrap();
        assert_eq!(asked.from.as_deref(), Some("2026-11-22T00:00:00Z"));
        assert_eq!(asked.to.as_deref(), Some("2026-11-23T00:00:00Z"));
        assert_eq!(asked.action, None);
        assert_eq!(asked.actor.as_deref(), Some("usr_1"));
    }

    #[test]
    fn what_cannot_be_meant_stands_beside_its_field() {
        for (query, of_from) in [("from=x", true), ("to=2026-13-01", false), ("from=2026-02-02&to=2026-02-01", false)] {
            let mut form = form(query);
            assert!(form.read(None).is_none() && form.has_faults(), "{query}");
            assert_eq!(form.from.fault.is_some(), of_from, "{query}");
        }
    }

    #[test]
    fn an_address_holds_what_is_set() {
        assert_eq!(form("").query_string(), "");
        assert_eq!(form("actor=a%26b&from=2026-01-01&to=").query_string(), "?actor=a%26b&from=2026-01-01");
        assert!(serde_html_form::from_str::<PageQuery>("seq=1").is_err());
    }
}
