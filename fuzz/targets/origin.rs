//! Feeds any bytes to `parsers::origin`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bailiwick_fuzz::parsers::origin(bytes));
