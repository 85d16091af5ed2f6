//! Canonical JSON (RFC 8785, the JSON Canonicalization Scheme), without fractions.
//!
//! ```text
//! no space between tokens; members sorted by the UTF-16 code units of their names
//! strings: \" \\ \b \t \n \f \r, other characters below U+0020 as \u00xx, everything else as it is
//! numbers: integers n with |n| < 2^53, in decimal, without a sign for zero
//! ```
//!
//! What a verifier hashes is bytes, never a value that it printed again. This form is for what must have
//! one spelling *before* it is hashed.
//!
//! # Invariants
//! [`parse`] accepts exactly what [`to_string`] writes. Numbers with a fraction or an exponent are
//! refused in both directions, since the scheme prints them by the rules of one language.

use serde_json::{Map, Value};

use crate::decimal;

/// Nested arrays and objects, at most.
pub const MAX_DEPTH: usize = 32;

/// Why something is not canonical JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotCanonical {
    /// Not JSON at all: the column and line say how far it could be read.
    #[error("not JSON, from line {line}, column {column}")]
    Syntax {
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
    },
    /// A fraction, an exponent, a negative zero, or an integer of 2^53 or more.
    #[error("a number that is not an integer of less than 2^53")]
    Number,
    /// More than [`MAX_DEPTH`] arrays and objects inside one another.
    #[error("nested deeper than {MAX_DEPTH}")]
    Depth,
    /// JSON, but not in the one canonical spelling: order, spaces, escapes, or a doubled member.
    #[error("not in canonical form")]
    Form,
}

impl NotCanonical {
    /// The stable word for this reason, as in `vectors/`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Syntax { .. } => "not_json",
            Self::Number => "number",
            Self::Depth => "depth",
            Self::Form => "not_canonical",
        }
    }
}

/// Writes `value` in its canonical form.
///
/// # Errors
/// [`NotCanonical::Number`] or [`NotCanonical::Depth`].
pub fn to_string(value: &Value) -> Result<String, NotCanonical> {
    let mut text = String::new();
    write_value(value, 0, &mut text)?;
    Ok(text)
}

/// Reads a value that is in its canonical form already.
///
/// # Errors
/// [`NotCanonical`], also for a canonical value with anything before or behind it.
pub fn parse(bytes: &[u8]) -> Result<Value, NotCanonical> {
    let value: Value = serde_json::from_slice(bytes)
        .map_err(|error| NotCanonical::Syntax { line: error.line(), column: error.column() })?;
    if to_string(&value)?.as_bytes() == bytes { Ok(value) } else { Err(NotCanonical::Form) }
}

/// Writes a string with its quotes.
pub(crate) fn write_string(value: &str, text: &mut String) {
    text.push('"');
    let mut rest = value;
    // What is escaped is ASCII, so it is a character of its own wherever it stands.
    while let Some(at) = rest.bytes().position(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
        let (plain, from) = rest.split_at(at);
        text.push_str(plain);
        let mut from = from.chars();
        match from.next() {
            Some('"') => text.push_str("\\\""),
            Some('\\') => text.push_str("\\\\"),
            Some('\u{8}') => text.push_str("\\b"),
            Some('\t') => text.push_str("\\t"),
            Some('\n') => text.push_str("\\n"),
            Some('\u{c}') => text.push_str("\\f"),
            Some('\r') => text.push_str("\\r"),
            Some(c) => text.push_str(&format!("\\u{:04x}", u32::from(c))),
            None => {}
        }
        rest = from.as_str();
    }
    text.push_str(rest);
    text.push('"');
}

fn write_value(value: &Value, depth: usize, text: &mut String) -> Result<(), NotCanonical> {
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
        Value::String(value) => write_string(value, text),
        Value::Number(number) => {
            let small = match (number.as_u64(), number.as_i64()) {
                (Some(value), _) => value < decimal::BOUND,
                (None, Some(value)) => value.unsigned_abs() < decimal::BOUND,
                (None, None) => false,
            };
            if !small {
                return Err(NotCanonical::Number);
            }
            text.push_str(&number.to_string());
        }
        Value::Array(_) | Value::Object(_) if depth >= MAX_DEPTH => return Err(NotCanonical::Depth),
        Value::Array(values) => {
            text.push('[');
            for (position, value) in values.iter().enumerate() {
                if position > 0 {
                    text.push(',');
                }
                write_value(value, depth + 1, text)?;
            }
            text.push(']');
        }
        Value::Object(members) => write_object(members, depth, text)?,
    }
    Ok(())
}

fn write_object(members: &Map<String, Value>, depth: usize, text: &mut String) -> Result<(), NotCanonical> {
    let mut sorted: Vec<(&String, &Value)> = members.iter().collect();
    sorted.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
    text.push('{');
    for (position, (name, value)) in sorted.into_iter().enumerate() {
        if position > 0 {
            text.push(',');
        }
        write_string(name, text);
        text.push(':');
        write_value(value, depth + 1, text)?;
    }
    text.push('}');
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// RFC 8785 section 3.2.3: the order of UTF-16 code units is not that of code points.
    #[test]
    fn the_specification_s_order_of_members() {
        let value = json!({
            "\u{20ac}": "Euro Sign", "\r": "Carriage Return", "\u{fb33}": "Hebrew Letter Dalet With Dagesh",
            "1": "One", "\u{1f600}": "Emoji: Grinning Face", "\u{80}": "Control",
            "\u{f6}": "Latin Small Letter O With Diaeresis",
        });
        assert_eq!(
            to_string(&value).unwrap(),
            "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u{80}\":\"Control\",\
             \"\u{f6}\":\"Latin Small Letter O With Diaeresis\",\"\u{20ac}\":\"Euro Sign\",\
             \"\u{1f600}\":\"Emoji: Grinning Face\",\"\u{fb33}\":\"Hebrew Letter Dalet With Dagesh\"}"
        );
    }

    #[test]
    fn strings_are_escaped_no_more_than_needed() {
        let value = json!("\u{20ac}$\u{f}\nA'B\"\\\\\"/\u{7f}\u{8}\t\u{c}\r\0");
        assert_eq!(to_string(&value).unwrap(), "\"\u{20ac}$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\u{7f}\\b\\t\\f\\r\\u0000\"");
    }

    #[test]
    fn one_spelling_only() {
        for (text, expected) in [
            ("{}", Ok(())),
            ("[1,-2,9007199254740991,-9007199254740991,true,false,null,\"\"]", Ok(())),
            ("{\"a\":{\"b\":[]},\"c\":0}", Ok(())),
            ("", Err("not_json")),
            ("{} x", Err("not_json")),
            ("{\"a\":1", Err("not_json")),
            ("\"\\ud800\"", Err("not_json")),
            ("01", Err("not_json")),
            ("{ }", Err("not_canonical")),
            ("{}\n", Err("not_canonical")),
            ("{\"b\":1,\"a\":2}", Err("not_canonical")),
            ("{\"a\":1,\"a\":1}", Err("not_canonical")),
            ("\"\\u0041\"", Err("not_canonical")),
            ("\"\\/\"", Err("not_canonical")),
            ("\"\\u000F\"", Err("not_canonical")),
            ("1.0", Err("number")),
            ("1e2", Err("number")),
            ("-0", Err("number")),
            ("9007199254740992", Err("number")),
            ("-9007199254740992", Err("number")),
            ("18446744073709551616", Err("number")),
            ("1e400", Err("not_json")),
        ] {
            assert_eq!(parse(text.as_bytes()).map(|_| ()).map_err(NotCanonical::word), expected, "{text}");
        }
        assert!(parse(b"\"\xff\"").is_err());
        assert!(parse(b"\xef\xbb\xbf{}").is_err());
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(nested(MAX_DEPTH).as_bytes()).is_ok());
        assert_eq!(parse(nested(MAX_DEPTH + 1).as_bytes()), Err(NotCanonical::Depth));
        assert!(parse(nested(100_000).as_bytes()).is_err());
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-(1i64 << 53) + 1..1 << 53).prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn text_and_back(value in any_value()) {
            let text = to_string(&value).unwrap();
            prop_assert_eq!(parse(text.as_bytes()).unwrap(), value);
        }

        #[test]
        fn whatever_parses_prints_back(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(value) = parse(&bytes) {
                prop_assert_eq!(to_string(&value).unwrap().into_bytes(), bytes);
            }
        }
    }
}
