//! Base-62 text that ends in its own checksum: what API keys and internal credentials are made of.
//!
//! The checksum is CRC-32 (ISO-HDLC) of all that stands before it, as 6 base-62 digits, big endian.

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Characters of a checksum.
pub(crate) const CHECKSUM_CHARS: usize = 6;

/// Appends so many random characters, skipping bytes that would favour some; `None` when too few were usable.
pub(crate) fn push_random(text: &mut String, count: usize, entropy: &[u8]) -> Option<()> {
    let wanted = text.len() + count;
    let unbiased = entropy.iter().filter(|byte| **byte < 248).map(|byte| usize::from(byte % 62));
    for digit in unbiased.take(count) {
        text.push(char::from(*BASE62.get(digit)?));
    }
    (text.len() == wanted).then_some(())
}

/// Appends the checksum of what is there.
pub(crate) fn push_checksum(text: &mut String) {
    let checksum = checksum_digits(text.as_bytes());
    text.extend(checksum.iter().map(|digit| char::from(*digit)));
}

/// Whether the last [`CHECKSUM_CHARS`] are the checksum of all before them.
pub(crate) fn has_good_checksum(text: &str) -> bool {
    let split = text.len().checked_sub(CHECKSUM_CHARS).and_then(|at| text.split_at_checked(at));
    split.is_some_and(|(body, checksum)| checksum_digits(body.as_bytes()) == checksum.as_bytes())
}

fn checksum_digits(body: &[u8]) -> [u8; CHECKSUM_CHARS] {
    let mut rest = crc32fast::hash(body);
    let mut digits = [b'0'; CHECKSUM_CHARS];
    for digit in digits.iter_mut().rev() {
        *digit = usize::try_from(rest % 62).ok().and_then(|i| BASE62.get(i)).copied().unwrap_or(b'0');
        rest /= 62;
    }
    digits
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_checksum_is_the_standard_one() {
        assert_eq!(crc32fast::hash(b"123456789"), 0xCBF4_3926);
    }
}
