//! Every parser on some 20,000 spoilt golden cases, always the same ones: a small and bounded part of what `fuzz/` does.

use std::fs;

use crate::golden;
use crate::parsers::{ALL, Parser};

const CASES: usize = 20_000;

/// What formats are made of, to be put where it does not belong.
const PIECES: [&str; 16] = [
    "\n",
    "\n\n",
    "— ",
    "+",
    " ",
    "=",
    "\"",
    "{}",
    "0",
    "00",
    "9007199254740992",
    "18446744073709551615",
    "/",
    "\\u0000",
    "\u{a0}",
    ".",
];

/// A xorshift generator (Marsaglia): the point is that it never changes.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(sides.max(1)).unwrap()).unwrap()
    }

    fn spoil(&mut self, bytes: &mut Vec<u8>, other: &[u8]) {
        let (at, length) = (self.roll(bytes.len() + 1), self.roll(40));
        let end = (at + length).min(bytes.len());
        match self.roll(7) {
            0 if at < bytes.len() => bytes[at] ^= 1 << self.roll(8),
            1 if at < bytes.len() => bytes[at] = u8::try_from(self.roll(256)).unwrap(),
            2 => drop(bytes.drain(at..end)),
            3 => {
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
            4 => {
                let piece = PIECES[self.roll(PIECES.len())];
                bytes.splice(at..at, piece.bytes());
            }
            5 => {
                let from = self.roll(other.len() + 1);
                bytes.splice(at..end, other[from..].iter().take(length).copied());
            }
            _ => {
                let from = self.roll(other.len() + 1);
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
        }
    }
}

fn seeds(parser: &Parser) -> Vec<Vec<u8>> {
    let file = golden::read(&format!("{}.json", parser.file));
    let texts = golden::good(&file).chain(golden::bad(&file)).filter_map(|case| case["input"][parser.member].as_str());
    texts.map(|text| parser.bytes(text)).filter(|bytes| bytes.len() < 10_000).collect()
}

#[test]
fn no_parser_panics_and_what_parses_prints_back() {
    for parser in &ALL {
        let mut dice = Dice(0x2545_f491_4f6c_dd1d);
        let seeds = seeds(parser);
        for seed in &seeds {
            (parser.feed)(seed);
        }
        for _ in 0..CASES {
            let mut bytes = seeds[dice.roll(seeds.len())].clone();
            for _ in 0..=dice.roll(3) {
                let other = &seeds[dice.roll(seeds.len())];
                dice.spoil(&mut bytes, other);
            }
            (parser.feed)(&bytes);
        }
    }
}

#[test]
fn every_parser_has_a_fuzz_target() {
    let fuzz = golden::folder().join("../fuzz");
    let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
    let targets = fs::read_dir(fuzz.join("targets")).unwrap().count();
    assert_eq!(targets, ALL.len());
    for parser in &ALL {
        let target = fs::read_to_string(fuzz.join(format!("targets/{}.rs", parser.name))).unwrap();
        assert!(target.contains(&format!("parsers::{}(bytes)", parser.name)), "{}", parser.name);
        assert!(manifest.contains(&format!("name = \"{}\"", parser.name)), "{}", parser.name);
    }
}
