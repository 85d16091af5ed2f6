//! Lower-case hex, the one spelling that the formats know.

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Two lower-case digits for each byte.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let digit = |value: u8| DIGITS.get(usize::from(value)).copied().map_or('0', char::from);
    let mut text = String::with_capacity(2 * bytes.len());
    text.extend(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]));
    text
}

/// Exactly `N` bytes, or nothing: upper case and other lengths are refused. Nothing branches on a digit: which of the two kinds comes
/// next cannot be foreseen, and a log is mostly such digits.
pub(crate) fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N {
        return None;
    }
    let (mut bytes, mut all_known) = ([0; N], true);
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let [high, low] = pair else { return None };
        let ((high, knows_high), (low, knows_low)) = (value(*high), value(*low));
        *byte = high << 4 | low;
        all_known &= knows_high & knows_low;
    }
    all_known.then_some(bytes)
}

/// What a digit stands for, and whether it is one.
const fn value(digit: u8) -> (u8, bool) {
    let (number, letter) = (digit.wrapping_sub(b'0'), digit.wrapping_sub(b'a'));
    let (is_number, is_letter) = (number < 10, letter < 6);
    (if is_number { number } else { letter.wrapping_add(10) }, is_number | is_letter)
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
