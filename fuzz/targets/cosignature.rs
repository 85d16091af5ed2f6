//! Feeds any bytes to `parsers::cosignature`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bailiwick_fuzz::parsers::cosignature(bytes));
