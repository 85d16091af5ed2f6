//! Cells of CSV: RFC 4180, each one quoted, and none that a spreadsheet takes for a formula.

use super::moment;
use crate::audit::model::AuditEvent;

/// What a program that opens the file may take for the beginning of a formula. A quote does not keep it from that.
const FORMULA: [char; 7] = ['=', '+', '-', '@', '\t', '\r', '\n'];

const HEAD: [&str; 15] = [
    "seq",
    "generation",
    "id",
    "recorded_at",
    "action",
    "actor",
    "target",
    "recorded_by",
    "client_ip",
    "project_id",
    "request_id",
    "trace_id",
    "meta",
    "leaf_hash",
    "intact",
];

pub(super) fn head(text: &mut String) {
    row(text, &HEAD.map(str::to_owned));
}

pub(super) fn line(event: &AuditEvent, text: &mut String) -> Result<(), serde_json::Error> {
    let or_nothing = |value: &Option<String>| value.clone().unwrap_or_default();
    row(
        text,
        &[
            event.seq.to_string(),
            event.generation.to_string(),
            event.id.to_string(),
            moment(event.recorded_at),
            event.action.clone(),
            or_nothing(&event.actor),
            or_nothing(&event.target),
            or_nothing(&event.recorded_by),
            or_nothing(&event.client_ip),
            event.project_id.map(|id| id.to_string()).unwrap_or_default(),
            or_nothing(&event.request_id),
            or_nothing(&event.trace_id),
            event.meta.as_ref().map(serde_json::to_string).transpose()?.unwrap_or_default(),
            event.leaf_hash.clone(),
            event.intact.to_string(),
        ],
    );
    Ok(())
}

fn row(text: &mut String, cells: &[String; HEAD.len()]) {
    for (nth, value) in cells.iter().enumerate() {
        if nth > 0 {
            text.push(',');
        }
        cell(text, value);
    }
    text.push_str("\r\n");
}

fn cell(text: &mut String, value: &str) {
    text.push('"');
    if value.starts_with(FORMULA) {
        text.push('\'');
    }
    text.push_str(&value.replace('"', "\"\""));
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_begins_a_formula_or_leaves_its_quotes() {
        for (value, expected) in [
            ("jane", "\"jane\""),
            ("", "\"\""),
            ("=1+1", "\"'=1+1\""),
            ("+1", "\"'+1\""),
            ("-1", "\"'-1\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            ("\t=1", "\"'\t=1\""),
            ("\r=1", "\"'\r=1\""),
            ("a\",\"=1", "\"a\"\",\"\"=1\""),
            ("\"=1", "\"\"\"=1\""),
        ] {
            let mut text = String::new();
            cell(&mut text, value);
            assert_eq!(text, expected);
        }
    }
}
