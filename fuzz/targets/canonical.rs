//! Feeds any bytes to `parsers::canonical`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bailiwick_fuzz::parsers::canonical(bytes));
