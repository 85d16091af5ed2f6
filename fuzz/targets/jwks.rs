//! Feeds any bytes to `parsers::jwks`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bailiwick_fuzz::parsers::jwks(bytes));
