//! Tables for people: aligned columns, one thing a line, or one thing with a line for each member.

use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use unicode_width::UnicodeWidthStr;

use crate::lifetime;
use crate::output::printable;

const GAP: &str = "  ";

/// A heading and a line for each value; nothing at all for none.
pub(crate) fn rows(values: &[Value], columns: &[&str]) -> String {
    if values.is_empty() {
        return String::new();
    }
    let heading = columns.iter().map(|member| member.replace('_', " ").to_uppercase()).collect();
    let lines = values.iter().map(|value| columns.iter().map(|member| cell(member, value.get(member))).collect());
    align(&std::iter::once(heading).chain(lines).collect::<Vec<_>>())
}

/// A line for each member of an object, and of the objects in it.
pub(crate) fn record(value: &Value) -> String {
    let mut lines = Vec::new();
    collect("", value, &mut lines);
    align(&lines)
}

fn collect(before: &str, value: &Value, lines: &mut Vec<Vec<String>>) {
    for (member, value) in value.as_object().into_iter().flatten() {
        match value {
            Value::Object(inner) if !inner.is_empty() => collect(&format!("{before}{member}_"), value, lines),
            _ => lines.push(vec![title(&format!("{before}{member}")), cell(member, Some(value))]),
        }
    }
}

/// `created_at` is "Created at".
fn title(member: &str) -> String {
    let words = printable(&member.replace('_', " "));
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// One value as text; `-` stands for nothing.
pub(crate) fn cell(member: &str, value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::Bool(true)) => "yes".to_owned(),
        Some(Value::Bool(false)) => "no".to_owned(),
        Some(Value::String(text)) if text.is_empty() => "-".to_owned(),
        Some(Value::String(text)) if member.ends_with("_at") => moment(text),
        Some(Value::String(text)) => printable(text),
        Some(Value::Array(items)) if items.is_empty() => "-".to_owned(),
        Some(Value::Object(members)) if members.is_empty() => "-".to_owned(),
        Some(Value::Array(items)) => items.iter().map(|item| cell("", Some(item))).collect::<Vec<_>>().join(","),
        Some(other) => printable(&other.to_string()),
    }
}

/// Times without the fractions of a second that nobody reads.
fn moment(text: &str) -> String {
    let parsed = OffsetDateTime::parse(text, &Rfc3339).ok().and_then(lifetime::format_moment);
    parsed.unwrap_or_else(|| printable(text))
}

/// Pads every column but the last to its widest cell.
fn align(lines: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = Vec::new();
    for line in lines {
        widths.resize(widths.len().max(line.len()), 0);
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(cell.width());
        }
    }
    let mut text = String::new();
    for line in lines {
        let mut padding = 0;
        for (cell, width) in line.iter().zip(&widths) {
            text.extend(std::iter::repeat_n(' ', padding));
            text.push_str(cell);
            padding = width.saturating_sub(cell.width()) + GAP.len();
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_are_aligned_by_what_the_eye_sees() {
        let values = [
            json!({ "id": "key_1", "name": "日本", "last_used_at": null }),
            json!({ "id": "key_22", "name": "é", "last_used_at": "2026-01-02T03:04:05.678901+01:00" }),
        ];
        let expected = "\
ID      NAME  LAST USED AT
key_1   日本  -
key_22  é     2026-01-02T02:04:05Z
";
        assert_eq!(rows(&values, &["id", "name", "last_used_at"]), expected);
    }

    #[test]
    fn a_record_has_a_line_for_each_member() {
        let value = json!({ "id": "key_1", "scopes": ["read", "write"], "project_id": null, "current": true, "n": 3, "l": [], "o": { "a": 1, "b_c": {} } });
        let expected = "\
Id          key_1
Scopes      read,write
Project id  -
Current     yes
N           3
L           -
O a         1
O b c       -
";
        assert_eq!(record(&value), expected);
    }

    #[test]
    fn control_characters_are_shown_and_not_obeyed() {
        let table = rows(&[json!({ "name": "a\u{1b}[2J\nb", "seen_at": "\u{9b}c" })], &["name", "seen_at"]);
        assert_eq!(table, "NAME              SEEN AT\na\\u{1b}[2J\\u{a}b  \\u{9b}c\n");
    }

    #[test]
    fn what_is_not_an_object_has_no_lines() {
        assert_eq!(record(&json!(null)), "");
        assert_eq!(rows(&[json!(1)], &["id"]), "ID\n-\n");
    }
}
