//! Looks for all canaries in all places, each byte of which is looked at once.

use std::collections::{BTreeSet, HashMap};

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};

use super::places::Place;
use super::planted::Canary;

const EIGHT: usize = 8;

/// A spelling of a canary.
struct Pattern {
    bytes: Vec<u8>,
    what: String,
}

/// What was found, and where.
pub fn find(canaries: &[Canary], places: &[Place]) -> BTreeSet<String> {
    let patterns: Vec<Pattern> = canaries.iter().flat_map(spellings).collect();
    let mut by_eight: HashMap<&[u8], Vec<&Pattern>> = HashMap::new();
    let mut begins = vec![false; 1 << 16];
    for pattern in &patterns {
        by_eight.entry(&pattern.bytes[..EIGHT]).or_default().push(pattern);
        begins[two(&pattern.bytes)] = true;
    }
    let mut found = BTreeSet::new();
    for place in places {
        for (at, eight) in place.bytes.windows(EIGHT).enumerate() {
            // This turns away nearly all of them.
            if !begins[two(eight)] {
                continue;
            }
            let here = by_eight.get(eight).into_iter().flatten();
            let here = here.filter(|pattern| place.bytes[at..].starts_with(&pattern.bytes));
            found.extend(here.map(|pattern| format!("{} in {:?} {}", pattern.what, place.kind, place.name)));
        }
    }
    found
}

/// Whether a place has a text as it is.
pub fn has(bytes: &[u8], text: &str) -> bool {
    memchr::memmem::find(bytes, text.as_bytes()).is_some()
}

fn two(bytes: &[u8]) -> usize {
    usize::from(bytes[0]) << 8 | usize::from(bytes[1])
}

fn spellings(canary: &Canary) -> Vec<Pattern> {
    let Canary { what, bytes } = canary;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut spelt =
        vec![("as it is", bytes.clone()), ("in hex", hex.to_uppercase().into_bytes()), ("in hex", hex.into_bytes())];
    // As part of something longer its bytes may begin at any of the three in a group.
    for before in 0..3 {
        spelt.push(("in base64", base64_of(&GeneralPurpose::new(&STANDARD, NO_PAD), before, bytes)));
        spelt.push(("in base64url", base64_of(&GeneralPurpose::new(&URL_SAFE, NO_PAD), before, bytes)));
    }
    spelt.into_iter().map(|(how, bytes)| Pattern { bytes, what: format!("{what} ({how})") }).collect()
}

/// The characters that these bytes alone decide when so many others stand before them.
fn base64_of(engine: &GeneralPurpose, before: usize, bytes: &[u8]) -> Vec<u8> {
    let text = engine.encode([&[0; 3][..before], bytes].concat()).into_bytes();
    let whole = (before + bytes.len()) * 8 / 6;
    text[(before * 8).div_ceil(6)..whole].to_vec()
}

#[test]
fn every_spelling_is_found_wherever_it_stands() {
    let canary = Canary { what: "canary", bytes: b"K7MQ-2WXD>?".to_vec() };
    let hex = |byte: &u8| format!("{byte:02x}");
    let mut texts = vec![canary.bytes.clone(), canary.bytes.iter().map(hex).collect::<String>().into_bytes()];
    for before in ["", "a", "ab", "abc"] {
        let longer = [before.as_bytes(), &canary.bytes, b" and so on"].concat();
        texts.push(base64::engine::general_purpose::STANDARD.encode(&longer).into_bytes());
        texts.push(base64::engine::general_purpose::URL_SAFE.encode(&longer).into_bytes());
    }
    for text in texts {
        let place = |bytes: Vec<u8>| [Place { kind: super::Kind::Data, name: String::new(), bytes }];
        let there = place([b"before ", &text[..], b" behind"].concat());
        assert_eq!(find(std::slice::from_ref(&canary), &there).len().min(1), 1, "{}", String::from_utf8_lossy(&text));
        let mut other = text;
        other[9] ^= 1;
        assert!(find(std::slice::from_ref(&canary), &place(other)).is_empty());
    }
}
