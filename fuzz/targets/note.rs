//! Feeds any bytes to `parsers::note`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bailiwick_fuzz::parsers::note(bytes));
