//! An authenticator app, written from RFC 6238 alone.

use aws_lc_rs::hmac;
use time::OffsetDateTime;

use super::secrets;

/// What has read a secret.
#[derive(Clone)]
pub struct Otp(hmac::Key);

impl Otp {
    /// Reads the secret as it is shown.
    pub fn reading(secret: &str) -> Self {
        secrets::record(secret);
        let mut bits = String::new();
        for letter in secret.bytes().filter(|letter| *letter != b' ') {
            let value = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".iter().position(|known| *known == letter).unwrap();
            bits.push_str(&format!("{value:05b}"));
        }
        let bytes = bits.as_bytes().chunks_exact(8);
        let bytes: Vec<u8> = bytes.map(|byte| u8::from_str_radix(str::from_utf8(byte).unwrap(), 2).unwrap()).collect();
        assert_eq!(bytes.len(), 20);
        Self(hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &bytes))
    }

    /// What it shows at this moment.
    pub fn at(&self, moment: OffsetDateTime) -> String {
        let step = moment.unix_timestamp() / 30;
        let tag = hmac::sign(&self.0, &step.to_be_bytes());
        let tag = tag.as_ref();
        let at = usize::from(tag[19] & 15);
        let number = u32::from_be_bytes([tag[at] & 127, tag[at + 1], tag[at + 2], tag[at + 3]]);
        format!("{:06}", number % 1_000_000)
    }
}
