//! Feeds any bytes to `parsers::entry`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bailiwick_fuzz::parsers::entry(bytes));
