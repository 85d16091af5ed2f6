//! Feeds any bytes to `parsers::pair`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bailiwick_fuzz::parsers::pair(bytes));
