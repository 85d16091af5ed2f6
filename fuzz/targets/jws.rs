//! Feeds any bytes to `parsers::jws`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bailiwick_fuzz::parsers::jws(bytes));
