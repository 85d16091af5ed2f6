//! Numbers as the C2SP formats write them: ASCII decimal, no sign, no leading zero.

/// No size, index, number or time of the formats reaches this: up to here a reader that knows doubles only is exact.
pub(crate) const BOUND: u64 = 1 << 53;

/// The number, or nothing for another spelling and beyond 64 bits.
pub(crate) fn parse(text: &str) -> Option<u64> {
    let is_padded = text.len() > 1 && text.starts_with('0');
    if text.is_empty() || is_padded {
        return None;
    }
    // A log is read with it, so it is read once.
    text.bytes().try_fold(0_u64, |number, byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit < 10 { number.checked_mul(10)?.checked_add(u64::from(digit)) } else { None }
    })
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
