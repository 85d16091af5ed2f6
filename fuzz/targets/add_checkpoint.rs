//! Feeds any bytes to `parsers::add_checkpoint`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bailiwick_fuzz::parsers::add_checkpoint(bytes));
