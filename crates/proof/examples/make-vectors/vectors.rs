//! All golden files, made out of fixed seeds.

mod case;
mod files;
pub(crate) mod log_on_paper;
pub(crate) mod manifests;
mod names;
mod signed;
mod trees;
mod vault;
mod witnesses;

use serde_json::Value;

/// Name and content of each file.
pub(crate) fn all() -> Vec<(&'static str, Value)> {
    vec![
        ("canonical.json", names::canonical()),
        ("origin.json", names::origin()),
        ("entry.json", names::entry()),
        ("chain.json", names::chain()),
        ("commitment.json", trees::commitment()),
        ("tree.json", trees::tree()),
        ("inclusion.json", trees::inclusion()),
        ("consistency.json", trees::consistency()),
        ("tile.json", trees::tile()),
        ("manifest.json", trees::manifest()),
        ("manifest_proof.json", manifests::manifest_proof()),
        ("vkey.json", signed::vkey()),
        ("note.json", signed::note()),
        ("checkpoint.json", signed::checkpoint()),
        ("jwk.json", signed::jwk()),
        ("jws.json", signed::jws()),
        ("receipt.json", files::receipt()),
        ("pair.json", files::pair()),
        ("journal.json", files::journal()),
        ("puncturable.json", vault::puncturable()),
        ("witness_key.json", witnesses::witness_key()),
        ("cosignature.json", witnesses::cosignature()),
        ("add_checkpoint.json", witnesses::add_checkpoint()),
        ("policy.json", witnesses::policy()),
    ]
}

/// As the file has it.
pub(crate) fn to_text(file: &Value) -> String {
    format!("{}\n", serde_json::to_string_pretty(file).unwrap())
}
