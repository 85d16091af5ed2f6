//! Recovery codes: what a person keeps on paper for the day on which they lose the rest.
//!
//! Eighty random bits each. They are stored as MACs under a key that the database does not have, bound to their person.

use bailiwick_proof::id::UserId;

use crate::authz::Notary;
use crate::entropy::Entropy;
use crate::vault::Meaning;

/// So many are made at once.
pub(super) const CODES: usize = 10;
/// With so few left their person is told to make new ones.
pub(super) const FEW: usize = 3;
/// Crockford's base 32: no I, L, O and U, which are mistaken for others.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const CHARS: usize = 16;
const GROUP: usize = 4;

/// A fresh set, as it is shown.
pub(super) fn new_codes(entropy: &Entropy) -> Vec<String> {
    (0..CODES).map(|_| new_code(entropy)).collect()
}

fn new_code(entropy: &Entropy) -> String {
    let mut code = String::with_capacity(CHARS + CHARS / GROUP);
    for (at, byte) in entropy.bytes::<CHARS>().into_iter().enumerate() {
        if at > 0 && at % GROUP == 0 {
            code.push('-');
        }
        code.push(ALPHABET.get(usize::from(byte % 32)).copied().map_or('0', char::from));
    }
    code
}

/// The letters of what somebody typed, if it can be such a code: in lower case, without hyphens, with look-alikes.
pub(super) fn as_made(typed: &str) -> Option<String> {
    let letters: String = typed
        .chars()
        .filter(|c| !c.is_whitespace() && *c != '-')
        .map(|c| match c.to_ascii_uppercase() {
            'I' | 'L' => '1',
            'O' => '0',
            c => c,
        })
        .collect();
    (letters.len() == CHARS && letters.bytes().all(|letter| ALPHABET.contains(&letter))).then_some(letters)
}

/// What is stored of a code: of no use to anybody else, whatever row it is written into.
pub(super) fn stored(notary: &Notary, user: UserId, code: &str) -> Vec<u8> {
    notary.sign_code(&meaning(user, &as_made(code).unwrap_or_default()))
}

/// What a code means; as it was made, without its hyphens.
pub(super) fn meaning(user: UserId, as_made: &str) -> Meaning {
    // No address is compared under these words: a sign-in's code has one in this place.
    Meaning::new().uuid(user.uuid()).text("recovery code").text(as_made)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_typed_as_people_type() {
        let codes = new_codes(&Entropy::system());
        let mut each = codes.clone();
        each.sort();
        each.dedup();
        assert_eq!((codes.len(), each.len()), (CODES, CODES));
        for code in codes {
            assert_eq!(code.len(), 19, "{code}");
            assert_eq!(as_made(&code), Some(code.replace('-', "")));
            assert_eq!(as_made(&format!(" {} ", code.to_lowercase().replace('-', " "))), as_made(&code));
        }
        assert_eq!(as_made("olil-0000-0000-000O").as_deref(), Some("0111000000000000"));
        for other in ["", "123456", "0000-0000-0000-000", "UUUU-0000-0000-0000", "0000000000000000\u{0}"] {
            assert_eq!(as_made(other), None, "{other:?}");
        }
    }
}
