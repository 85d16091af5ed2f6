//! What a line of text may not hold if it is to be shown as it is.

/// Whether a character breaks a line, steers a terminal, or reorders or hides others: control characters (C0, DEL, C1), line separators,
/// bidirectional marks, embeddings, overrides and isolates (UAX #9), zero width spaces, the byte-order mark, tag characters.
#[must_use]
pub fn is_deceptive(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}
