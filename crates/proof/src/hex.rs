//! Lower-case hex, the one spelling that the formats know.

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Two lower-case digits for each byte.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let digit = |value: u8| DIGITS.get(usize::from(value)).copied().map_or('0', char::from);
    let mut text = String::with_capacity(2 * bytes.len());
    text.extend(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]));
    text
}

/// Exactly `N` bytes, or nothing: upper case and other lengths are refused. A log is mostly such digits, so nothing branches on one, and
/// what each stands for is found before they are put together: the compiler makes vectors of both.
pub(crate) fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N {
        return None;
    }
    let (mut values, mut unknown) = ([[0; 2]; N], 0);
    for (value, digit) in values.as_flattened_mut().iter_mut().zip(text.bytes()) {
        let (number, letter) = (digit.wrapping_sub(b'0'), digit.wrapping_sub(b'a'));
        *value = if number < 10 { number } else { letter.wrapping_add(10) };
        unknown |= u8::from(number >= 10) & u8::from(letter >= 6);
    }
    let mut bytes = [0; N];
    for (byte, [high, low]) in bytes.iter_mut().zip(values) {
        *byte = high << 4 | low;
    }
    (unknown == 0).then_some(bytes)
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
