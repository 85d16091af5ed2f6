//! The pages of formats against the golden files: their examples are theirs, byte for byte.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::page::root;

/// The good case of this name in a golden file.
fn good(file: &str, name: &str) -> Value {
    let text = std::fs::read_to_string(root().join("vectors").join(file)).unwrap();
    let cases: Value = serde_json::from_str(&text).unwrap();
    let case = cases["good"].as_array().unwrap().iter().find(|case| case["name"] == name);
    case.unwrap_or_else(|| panic!("{file} has no {name}")).clone()
}

#[test]
fn the_examples_of_the_format_are_golden() {
    let page = std::fs::read_to_string(root().join("docs/reference/ledger-format.md")).unwrap();
    let (receipt, pair) = (good("receipt.json", "2 of 5, 2 opened"), good("pair.json", "3 to 5"));
    let text = receipt["input"]["receipt"].as_str().unwrap();
    let extra = text.lines().find_map(|line| line.strip_prefix("extra ")).unwrap();
    let extra = String::from_utf8(STANDARD.decode(extra).unwrap()).unwrap();
    let inner: Value = serde_json::from_str(&extra).unwrap();
    let (jwk, jws) = (good("jwk.json", "seed 1"), good("jws.json", "one key"));
    let checkpoint = good("checkpoint.json", "size 5");
    for example in [
        text,
        &extra,
        inner["entry"].as_str().unwrap(),
        inner["openings"]["actor"]["r"].as_str().unwrap(),
        receipt["expect"]["origin"].as_str().unwrap(),
        receipt["expect"]["leaf_hash"].as_str().unwrap(),
        receipt["input"]["known"][0].as_str().unwrap(),
        pair["input"]["pair"].as_str().unwrap(),
        checkpoint["input"]["checkpoint"].as_str().unwrap(),
        jwk["input"]["jwk"].as_str().unwrap(),
        jws["input"]["jws"].as_str().unwrap(),
        good("manifest.json", "1 logs")["expect"]["manifest"].as_str().unwrap(),
    ] {
        stands_in(&page, example);
    }
}

#[test]
fn the_examples_of_the_vault_s_formats_are_golden() {
    let page = std::fs::read_to_string(root().join("docs/reference/vault-formats.md")).unwrap();
    let state = good("puncturable.json", "nobody is punctured");
    let keys = state["expect"]["keys"].as_array().unwrap();
    let (envelope, wrapped) = (good("envelope.json", "some bytes"), good("wrapped.json", "the cell's"));
    for example in [
        &state["expect"]["state"],
        &keys[0],
        &keys[keys.len() - 1],
        &wrapped["input"]["kek_file"],
        &wrapped["input"]["row"]["wrapped"],
        &envelope["input"]["envelope"],
        &envelope["expect"]["associated_data"],
        &good("blind_index.json", "under the newest")["input"]["index"],
    ] {
        stands_in(&page, example.as_str().unwrap());
    }
    for named in [
        &wrapped["input"]["cell"],
        &wrapped["input"]["row"]["dek"],
        &envelope["input"]["label"],
        &envelope["input"]["row"][1],
    ] {
        assert!(page.contains(named.as_str().unwrap()), "{named}");
    }
}

fn stands_in(page: &str, example: &str) {
    let example = example.trim_end();
    assert!(page.contains(&format!("\n{example}\n")) || page.contains(&format!(" {example}\n")), "{example}");
}
