//! JSON (RFC 8259), as far as a report needs it.

/// A text in quotes.
pub(super) fn text(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c < ' ' => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// A number; `null` for what JSON has no word for.
pub(super) fn number(number: f64) -> String {
    if number.is_finite() { number.to_string() } else { "null".to_owned() }
}

/// An object of values that are JSON already.
pub(super) fn object<K: AsRef<str>>(members: impl IntoIterator<Item = (K, String)>) -> String {
    let members = members.into_iter().map(|(name, value)| format!("{}: {value}", text(name.as_ref())));
    format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
}

/// An array of values that are JSON already, one a line.
pub(super) fn array(values: impl IntoIterator<Item = String>) -> String {
    format!("[\n{}\n]", values.into_iter().collect::<Vec<_>>().join(",\n"))
}

#[cfg(test)]
mod tests {
    use super::{array, number, object, text};

    #[test]
    fn quotes_what_must_be_quoted() {
        assert_eq!(text("a \"b\" \\ c\n\u{1f}ü"), r#""a \"b\" \\ c\u000a\u001fü""#);
        assert_eq!((number(0.5), number(7.0), number(f64::NAN)), ("0.5".into(), "7".into(), "null".into()));
        assert_eq!(
            object([("a", number(1.0)), ("b", array([text("x"), text("y")]))]),
            "{\"a\": 1, \"b\": [\n\"x\",\n\"y\"\n]}"
        );
    }
}
