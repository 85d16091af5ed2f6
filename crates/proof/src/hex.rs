//! Lower-case hex, the one spelling that the formats know.

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Two lower-case digits for each byte.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let digit = |value: u8| DIGITS.get(usize::from(value)).copied().map_or('0', char::from);
    let mut text = String::with_capacity(2 * bytes.len());
    text.extend(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]));
    text
}

/// Exactly `N` bytes, or nothing: upper case and other lengths are refused.
pub(crate) fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    let value = |digit: &u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    if text.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = value(high)? << 4 | value(low)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};

    #[test]
    fn there_is_one_spelling() {
        assert_eq!(encode(&[0, 0x1f, 0xa0, 0xff]), "001fa0ff");
        assert_eq!(decode("001fa0ff"), Some([0, 0x1f, 0xa0, 0xff]));
        for text in ["", "001fa0f", "001fa0ff0", "001FA0FF", "001fa0fg", "00 fa0ff", "001fa0é"] {
            assert_eq!(decode::<4>(text), None, "{text}");
        }
    }
}
