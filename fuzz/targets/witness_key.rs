//! Feeds any bytes to `parsers::witness_key`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bailiwick_fuzz::parsers::witness_key(bytes));
