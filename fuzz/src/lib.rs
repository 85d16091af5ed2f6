//! Fuzzing of every parser in `crates/proof`; `README.md` says how to run it.

pub mod parsers;
