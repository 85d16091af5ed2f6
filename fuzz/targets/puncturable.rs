//! Feeds any bytes to `parsers::puncturable`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bailiwick_fuzz::parsers::puncturable(bytes));
