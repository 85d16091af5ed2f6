//! Names that people have given, as they stand in somebody else's mail.
//!
//! A mail of ours is believed because it is ours. Whoever names a workspace writes into it, and so must not be able to put a
//! link there, a line of their own, or text that is shown in another order than it is written.

use crate::name::is_hidden;

/// The most characters of a name in a mail.
const MAX_CHARS: usize = 80;

/// A name without links, line breaks and what is not seen; `otherwise` where nothing of it is left.
pub(super) fn name(text: &str, otherwise: &str) -> String {
    let seen: String = text.chars().map(|c| if is_hidden(c) || c.is_whitespace() { ' ' } else { c }).collect();
    let words = seen.split_whitespace().filter(|word| !is_link(word)).map(without_inner_dots);
    let plain: String = words.collect::<Vec<_>>().join(" ").chars().take(MAX_CHARS).collect();
    let plain = plain.trim();
    if plain.chars().any(char::is_alphanumeric) { plain.to_owned() } else { otherwise.to_owned() }
}

/// An address as it stands in a sentence: only one that no program takes for a link to somewhere.
pub(super) fn address<'a>(text: &'a str, otherwise: &'a str) -> &'a str {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._+-@".contains(c);
    if text.chars().all(plain) && !is_link(text) { text } else { otherwise }
}

/// Whether mail programs make a link of it by themselves, whatever its end: a scheme, `www.`, or a host with a path.
fn is_link(word: &str) -> bool {
    let word = word.to_lowercase();
    let has_host = word.split_once('/').is_some_and(|(host, _)| host.contains(['.', ':', '@']));
    word.contains("://") || word.contains("www.") || has_host || SCHEMES.iter().any(|scheme| word.contains(scheme))
}

const SCHEMES: [&str; 6] = ["http:", "https:", "mailto:", "tel:", "javascript:", "data:"];

/// `evil.example` is a link to many programs; `evil example` is one to none. Other characters that stand for a dot in a
/// host (RFC 3490, 3.1) are dots too.
fn without_inner_dots(word: &str) -> String {
    let is_dot = |c: char| matches!(c, '.' | '\u{3002}' | '\u{ff0e}' | '\u{ff61}' | '\u{2024}');
    let mut plain = String::with_capacity(word.len());
    let mut rest = word.chars().peekable();
    while let Some(c) = rest.next() {
        let inner = is_dot(c) && rest.peek().is_some_and(|next| next.is_alphanumeric());
        plain.push(if inner { ' ' } else { c });
    }
    plain.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_words_on_one_line_and_nothing_to_press() {
        for (given, plain) in [
            ("Acme, Inc.", "Acme, Inc."),
            ("Zweite & Söhne <b>", "Zweite & Söhne <b>"),
            ("evil.example", "evil example"),
            ("Sign in at https://evil.example/x now", "Sign in at now"),
            ("www.evil.example", "the workspace"),
            ("HTTPS:evil.example", "the workspace"),
            ("evil。example/login here", "evil example/login here"),
            ("a\r\nBcc: b@c.example", "a Bcc: b@c example"),
            ("a\u{202e}elpmaxe\u{2066}b", "a elpmaxe b"),
            ("line\u{2028}break\u{200b}", "line break"),
            ("...", "the workspace"),
            ("", "the workspace"),
        ] {
            assert_eq!(name(given, "the workspace"), plain, "{given:?}");
        }
        assert_eq!(name(&"x".repeat(200), "").len(), 80);
    }

    #[test]
    fn an_address_that_reads_like_a_link_is_not_shown() {
        for (given, shown) in [
            ("ada+x@example.com", "ada+x@example.com"),
            ("www.evil.example/x@example.com", "an owner"),
            ("www.evil.example@example.com", "an owner"),
            ("http'x@example.com", "an owner"),
        ] {
            assert_eq!(address(given, "an owner"), shown);
        }
    }
}
