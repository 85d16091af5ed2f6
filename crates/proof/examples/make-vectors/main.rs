//! Writes the golden files of `vectors/`: `cargo run -p bailiwick-proof --example make-vectors`.
//!
//! The files are committed and frozen: what is in them has been handed out. A test compares them with what this writes,
//! so a run changes nothing unless a format grew.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "it runs on a developer's machine and fails where it stands"
)]

// By its path, as the tests have it: so both find the modules beside it.
#[path = "vectors.rs"]
mod vectors;

fn main() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors");
    for (name, file) in vectors::all() {
        std::fs::write(folder.join(name), vectors::to_text(&file)).unwrap();
    }
}
