//! The browser's verifier, with the browser's own cryptography, on the golden files in `vectors/`.

use std::path::Path;

use bailiwick_proof::merkle::Hash;
use serde_json::{Map, Value};

use crate::harness::app::TestApp;
use crate::harness::browser::Tab;

/// What it implements; the others are formats that no browser needs to read.
const FILES: [&str; 12] = [
    "vkey",
    "note",
    "checkpoint",
    "receipt",
    "pair",
    "inclusion",
    "consistency",
    "entry",
    "commitment",
    "manifest_proof",
    "witness_key",
    "cosignature",
];
/// At least so many cases are in them: an empty folder agrees with everything.
const AT_LEAST: u64 = 350;

#[tokio::test]
async fn the_browser_agrees_on_good_and_bad_vectors() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let read =
        |path: String| std::fs::read_to_string(root.join(&path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    let files: Map<String, Value> =
        FILES.iter().map(|name| ((*name).to_owned(), read(format!("vectors/{name}.json")).into())).collect();
    let hash = Hash::of(read("crates/server/static/verify.js".to_owned()).as_bytes()).to_hex();
    let check = read("crates/server/tests/it/browser/vectors.js".to_owned());

    let app = TestApp::start().await;
    let tab = Tab::open(&app.url).await;
    tab.go("/sign-in").await;
    let run = async |verifier: &str| {
        let module = format!("import('/static/verify.{}.js')", &hash[..12]);
        let files = Value::Object(files.clone());
        tab.evaluate(&format!("{module}.then((verifier) => ({check})({verifier}, {files}))")).await
    };
    let told = run("verifier").await;
    assert_eq!(told["disagreements"], Value::Array(vec![]));
    assert!(told["count"].as_u64().unwrap() >= AT_LEAST, "{}", told["count"]);
    // The check itself goes red.
    let careless = run("{ ...verifier, opens: async () => true }").await;
    assert_eq!(careless["disagreements"].as_array().unwrap().len(), 5);
    tab.close();
}
