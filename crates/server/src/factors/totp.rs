//! Codes from a secret and the time (RFC 6238, over RFC 4226): SHA-1, six digits, thirty seconds, as every authenticator does.
//!
//! Pure. What is a code's own, and whether it was used, is settled by `prove`.

use aws_lc_rs::hmac;
use subtle::ConstantTimeEq as _;
use time::OffsetDateTime;

/// RFC 4226, section 4, R6: as long as the hash.
pub(super) const SECRET_BYTES: usize = 20;
const STEP_SECONDS: i64 = 30;
/// A clock may be so many steps early or late, and somebody may be that slow to type.
const SKEW: i64 = 1;
const DIGITS: usize = 6;
/// RFC 4648, section 6.
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The number of the step at this moment.
const fn step_at(now: OffsetDateTime) -> i64 {
    now.unix_timestamp().div_euclid(STEP_SECONDS)
}

/// The code of a step.
fn code(secret: &[u8], step: i64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let tag = tag.as_ref();
    let offset = usize::from(tag.last().copied().unwrap_or_default() & 0xf);
    let four = tag.get(offset..).and_then(|rest| rest.first_chunk::<4>()).copied().unwrap_or_default();
    format!("{:06}", (u32::from_be_bytes(four) & 0x7fff_ffff) % 1_000_000)
}

/// The step whose code was typed, if it is later than the last one that was accepted and no further from now than clocks are.
pub(super) fn accepted(secret: &[u8], typed: &str, now: OffsetDateTime, last: i64) -> Option<i64> {
    let present = step_at(now);
    let mut found = None;
    for step in present - SKEW..=present + SKEW {
        let is_it = bool::from(code(secret, step).as_bytes().ct_eq(typed.as_bytes()));
        if is_it && step > last && found.is_none() {
            found = Some(step);
        }
    }
    found
}

/// The digits of what somebody typed, if it can be such a code: authenticators show it in two groups.
pub(super) fn as_made(typed: &str) -> Option<String> {
    let typed: String = typed.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
    (typed.len() == DIGITS && typed.bytes().all(|digit| digit.is_ascii_digit())).then_some(typed)
}

/// A secret as authenticators take it.
pub(super) fn base32(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(5) * 8);
    let (mut held, mut bits) = (0_u32, 0_u32);
    for byte in bytes {
        held = (held << 8) | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(letter(held >> bits));
        }
        held &= (1 << bits) - 1;
    }
    if bits > 0 {
        text.push(letter(held << (5 - bits)));
    }
    text
}

fn letter(five_bits: u32) -> char {
    let at = usize::try_from(five_bits & 31).unwrap_or_default();
    BASE32.get(at).copied().map_or('A', char::from)
}

/// The address that an authenticator reads, from a QR code or a press (the format of Google Authenticator's key URIs).
pub(super) fn otpauth_url(secret: &str, account: &str) -> String {
    let account = percent(account);
    format!("otpauth://totp/Bailiwick:{account}?secret={secret}&issuer=Bailiwick&algorithm=SHA1&digits=6&period=30")
}

fn percent(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::with_capacity(text.len() + 8), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _infallible = write!(out, "%{byte:02X}");
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(seconds).unwrap()
    }

    /// RFC 6238, appendix B, the last six of its eight digits.
    #[test]
    fn the_codes_are_those_of_the_rfc() {
        let secret = b"12345678901234567890";
        for (seconds, expected) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(code(secret, step_at(at(seconds))), expected, "{seconds}");
        }
    }

    #[test]
    fn a_code_is_good_a_step_early_and_a_step_late_and_never_after_a_later_one() {
        let secret = b"12345678901234567890";
        let now = at(1_111_111_111);
        let step = step_at(now);
        for (off, good) in [(-2, false), (-1, true), (0, true), (1, true), (2, false)] {
            let typed = code(secret, step + off);
            assert_eq!(accepted(secret, &typed, now, 0), good.then_some(step + off), "{off}");
        }
        assert_eq!(accepted(secret, &code(secret, step), now, step), None, "used");
        assert_eq!(accepted(secret, &code(secret, step - 1), now, step), None, "older than one that was used");
        assert_eq!(accepted(secret, &code(secret, step + 1), now, step), Some(step + 1));
        assert_eq!(accepted(secret, "", now, 0), None);
    }

    #[test]
    fn codes_are_typed_as_people_type() {
        assert_eq!(as_made(" 123 456 ").as_deref(), Some("123456"));
        assert_eq!(as_made("123-456").as_deref(), Some("123456"));
        for other in ["", "12345", "1234567", "12345a", "١٢٣٤٥٦"] {
            assert_eq!(as_made(other), None, "{other}");
        }
    }

    /// RFC 4648, section 10, without its padding.
    #[test]
    fn secrets_are_written_in_base32() {
        for (bytes, text) in [
            ("", ""),
            ("f", "MY"),
            ("fo", "MZXQ"),
            ("foo", "MZXW6"),
            ("foob", "MZXW6YQ"),
            ("fooba", "MZXW6YTB"),
            ("foobar", "MZXW6YTBOI"),
        ] {
            assert_eq!(base32(bytes.as_bytes()), text);
        }
        assert_eq!(base32(&[0xff; SECRET_BYTES]).len(), 32);
    }

    #[test]
    fn an_authenticator_reads_the_address() {
        let url = otpauth_url("MZXW6", "ada+x@example.com");
        assert_eq!(
            url,
            "otpauth://totp/Bailiwick:ada%2Bx%40example.com?secret=MZXW6&issuer=Bailiwick&algorithm=SHA1&digits=6&period=30"
        );
    }
}
