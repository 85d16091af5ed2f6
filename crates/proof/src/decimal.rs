//! Numbers as the C2SP formats write them: ASCII decimal, no sign, no leading zero.

/// No size, index, number or time of the formats reaches this: up to here a reader that knows doubles only is exact.
pub(crate) const BOUND: u64 = 1 << 53;

/// The number, or nothing for another spelling and beyond 64 bits.
pub(crate) fn parse(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let padded = text.len() > 1 && text.starts_with('0');
    if digits && !padded { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn there_is_one_spelling() {
        for (text, expected) in [
            ("0", Some(0)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("", None),
            ("00", None),
            ("01", None),
            ("+1", None),
            ("-1", None),
            (" 1", None),
            ("1_0", None),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
    }
}
