//! An answer, and its four forms on standard output.
//!
//! JSON and YAML show what the server said, member for member, so that a newer server's members are
//! not lost; a table shows what a person looks for; `id` is for the next command's argument.

use std::io::{self, Write};

use bailiwick_proof::shown::is_deceptive;
use serde_json::Value;

use crate::args::Format;
use crate::failure::Failure;
use crate::table;

/// How a list of one kind of thing is shown.
pub(crate) struct Listing {
    /// The word for an empty list, as in "no keys".
    pub(crate) noun: &'static str,
    /// The member that `-o id` prints.
    pub(crate) id: &'static str,
    /// The members that a table shows.
    pub(crate) columns: &'static [&'static str],
}

/// What a command found out or did.
pub(crate) struct Answer {
    content: Content,
    note: Option<String>,
    if_lost: Option<String>,
}

enum Content {
    One { value: Value, id: &'static str },
    Many { values: Vec<Value>, listing: &'static Listing },
    Text { text: String, document: Value, id: &'static str },
    Nothing,
}

impl Answer {
    /// One thing, known by its `id`.
    pub(crate) const fn one(value: Value) -> Self {
        Self::one_by(value, "id")
    }

    /// One thing, known by another member.
    pub(crate) const fn one_by(value: Value, id: &'static str) -> Self {
        Self { content: Content::One { value, id }, note: None, if_lost: None }
    }

    /// A list.
    pub(crate) fn many(values: Vec<Value>, listing: &'static Listing) -> Self {
        let note = values.is_empty().then(|| format!("no {}", listing.noun));
        Self { content: Content::Many { values, listing }, note, if_lost: None }
    }

    /// A text that is written as it is where a table would be, and is a member of `document` elsewhere.
    pub(crate) const fn text(text: String, document: Value, id: &'static str) -> Self {
        Self { content: Content::Text { text, document, id }, note: None, if_lost: None }
    }

    /// Nothing more than was written before.
    pub(crate) const fn nothing() -> Self {
        Self { content: Content::Nothing, note: None, if_lost: None }
    }

    /// Adds a sentence for standard error, or one on each line.
    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    /// Says what to do when this answer cannot be written, which then is a failure even if only a
    /// pipe was closed.
    pub(crate) fn if_lost(mut self, advice: impl Into<String>) -> Self {
        self.if_lost = Some(advice.into());
        self
    }

    /// Writes the answer to standard output and its note to standard error.
    ///
    /// # Errors
    /// When standard output does not take it; a reader that has seen enough is no error.
    pub(crate) fn write(self, format: Format) -> Result<(), Failure> {
        let text = self.content.render(format)?;
        let mut stdout = io::stdout().lock();
        if let Err(err) = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            let failure = || Failure::local("the answer could not be written", &err);
            return match self.if_lost {
                Some(advice) => Err(failure().hint(advice)),
                None if err.kind() == io::ErrorKind::BrokenPipe => Ok(()),
                None => Err(failure()),
            };
        }
        if let Some(note) = self.note {
            for line in note.lines() {
                let _ = writeln!(io::stderr(), "{}", printable(line));
            }
        }
        Ok(())
    }
}

impl Content {
    fn render(&self, format: Format) -> Result<String, Failure> {
        if matches!(self, Self::Nothing) {
            return Ok(String::new());
        }
        match format {
            Format::Json => Ok(json(&self.document())),
            Format::Yaml => yaml(&self.document()),
            Format::Id => Ok(self.ids()),
            Format::Table => Ok(match self {
                Self::One { value, .. } => table::record(value),
                Self::Many { values, listing } => table::rows(values, listing.columns),
                Self::Text { text, .. } => text.clone(),
                Self::Nothing => String::new(),
            }),
        }
    }

    fn document(&self) -> Value {
        match self {
            Self::One { value, .. } | Self::Text { document: value, .. } => value.clone(),
            Self::Many { values, .. } => Value::Array(values.clone()),
            Self::Nothing => Value::Null,
        }
    }

    fn ids(&self) -> String {
        let line = |value: &Value, id: &str| {
            let text = value.get(id).and_then(Value::as_str).unwrap_or_default();
            format!("{}\n", printable(text))
        };
        match self {
            Self::One { value, id } | Self::Text { document: value, id, .. } => line(value, id),
            Self::Many { values, listing } => values.iter().map(|value| line(value, listing.id)).collect(),
            Self::Nothing => String::new(),
        }
    }
}

/// An answer that is for programs alone: nothing in the forms for people.
pub(crate) fn for_programs(value: &Value, format: Format) -> Option<String> {
    match format {
        Format::Json => Some(json(value)),
        Format::Yaml => yaml(value).ok(),
        Format::Table | Format::Id => None,
    }
}

fn yaml(value: &Value) -> Result<String, Failure> {
    serde_saphyr::to_string(value).map_err(|err| Failure::local("the answer cannot be written as YAML", &err))
}

/// Text with everything that could steer a terminal or hide its order written as `\u{…}`.
pub(crate) fn printable(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        if is_deceptive(letter) {
            safe.extend(letter.escape_unicode());
        } else {
            safe.push(letter);
        }
    }
    safe
}

/// Indented JSON with a newline at its end, which is also safe to show on a terminal.
pub(crate) fn json(value: &Value) -> String {
    let mut safe = String::new();
    // The newlines are the indentation's: inside a string JSON writes `\n`.
    for letter in format!("{value:#}\n").chars() {
        if letter == '\n' || !is_deceptive(letter) {
            safe.push(letter);
        } else {
            for unit in letter.encode_utf16(&mut [0; 2]) {
                safe.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const HOSTILE: &str = "a\u{1b}]0;x\u{7}\u{9b}2J\u{202e}b\u{7f}\n\u{e0041}ç日本";

    static LISTING: Listing = Listing { noun: "things", id: "id", columns: &["id", "name"] };

    fn render(content: &Content) -> [String; 4] {
        [Format::Table, Format::Json, Format::Yaml, Format::Id].map(|format| content.render(format).unwrap())
    }

    #[test]
    fn no_form_lets_a_server_steer_the_terminal() {
        let value = json!({ "id": HOSTILE, HOSTILE: HOSTILE, "list": [HOSTILE] });
        let one = render(&Content::One { value: value.clone(), id: "id" });
        let many = render(&Content::Many { values: vec![value], listing: &LISTING });
        for text in one.iter().chain(&many) {
            let controls = text.chars().filter(|letter| *letter != '\n' && letter.is_control()).count();
            assert_eq!(controls, 0, "{text:?}");
        }
        for text in [&one[0], &one[1], &one[3]] {
            assert!(!text.contains('\u{202e}'), "{text:?}");
            assert!(text.contains("ç日本"), "{text:?}");
        }
    }

    #[test]
    fn json_and_yaml_say_the_same_as_the_server() {
        let value =
            json!({ "id": HOSTILE, "a": [1, null, true, "yes", "0x1f", "2026-01-01", ""], "n": { "m": {}, "l": [] } });
        let [_, as_json, as_yaml, _] = render(&Content::One { value: value.clone(), id: "id" });
        assert_eq!(serde_json::from_str::<Value>(&as_json).unwrap(), value);
        assert_eq!(serde_saphyr::from_str::<Value>(&as_yaml).unwrap(), value);
    }

    #[test]
    fn a_list_is_one_array_and_a_line_for_each_id() {
        let many = Content::Many { values: vec![json!({ "id": "a" }), json!({ "id": "b" })], listing: &LISTING };
        let [_, as_json, as_yaml, ids] = render(&many);
        assert_eq!(serde_json::from_str::<Value>(&as_json).unwrap(), json!([{ "id": "a" }, { "id": "b" }]));
        assert_eq!(serde_saphyr::from_str::<Value>(&as_yaml).unwrap(), json!([{ "id": "a" }, { "id": "b" }]));
        assert_eq!(ids, "a\nb\n");
    }

    #[test]
    fn an_empty_list_is_still_a_list() {
        let none = Content::Many { values: Vec::new(), listing: &LISTING };
        let [table, as_json, as_yaml, ids] = render(&none);
        assert_eq!((table.as_str(), as_json.as_str(), ids.as_str()), ("", "[]\n", ""));
        assert_eq!(serde_saphyr::from_str::<Value>(&as_yaml).unwrap(), json!([]));
    }
}
