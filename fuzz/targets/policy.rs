//! Feeds any bytes to `parsers::policy`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bailiwick_fuzz::parsers::policy(bytes));
