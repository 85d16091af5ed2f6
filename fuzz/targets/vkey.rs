//! Feeds any bytes to `parsers::vkey`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bailiwick_fuzz::parsers::vkey(bytes));
