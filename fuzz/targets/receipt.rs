//! Feeds any bytes to `parsers::receipt`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bailiwick_fuzz::parsers::receipt(bytes));
