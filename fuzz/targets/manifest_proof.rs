//! Feeds any bytes to `parsers::manifest_proof`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bailiwick_fuzz::parsers::manifest_proof(bytes));
