//! Feeds any bytes to `parsers::checkpoint`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bailiwick_fuzz::parsers::checkpoint(bytes));
