//! The golden files of `vectors/`, through the program: each good one is verified, each bad one refused for its reason.

use std::path::Path;

use serde_json::Value;

use crate::desk::Desk;
use crate::forger::key;

#[test]
fn every_golden_file_is_judged_as_it_says() {
    let desk = Desk::at("http://localhost:1");
    let mut judged = 0;
    for kind in ["receipt", "checkpoint", "pair"] {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../vectors/{kind}.json"));
        let cases: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        for good in cases["good"].as_array().unwrap() {
            let said = verify(&desk, kind, good).json();
            let facts = good["expect"].as_object().unwrap();
            for member in ["origin", "seq", "size", "older_size", "leaf_hash", "opened"] {
                let fact = facts.get(member);
                assert!(fact.is_none_or(|fact| *fact == said[member]), "{kind}, {}: {member}: {said}", good["name"]);
            }
            judged += 1;
        }
        for bad in cases["bad"].as_array().unwrap() {
            // What is empty does not tell which kind it is not.
            let empty = bad["input"][kind] == "";
            let code = if empty { "note_shape" } else { bad["detail"].as_str().unwrap() };
            let run = verify(&desk, kind, bad);
            assert_eq!(run.code, 6, "{kind}, {}: {}", bad["name"], run.stderr);
            assert_eq!(run.refused(code)["seq"], bad["seq"], "{kind}, {}", bad["name"]);
            judged += 1;
        }
    }
    assert!(judged > 100, "{judged}");
}

fn verify(desk: &Desk, kind: &str, case: &Value) -> crate::desk::Run {
    std::fs::write(desk.file("case"), case["input"][kind].as_str().unwrap()).unwrap();
    // Where no key is known, one of another log stands for none, without which the command is not complete.
    let unknown = key("nobody.example/cell/1", 7).verifier().to_string();
    let known = case["input"]["known"].as_array().unwrap().iter().map(|vkey| vkey.as_str().unwrap());
    let keys = known.chain([unknown.as_str()]).flat_map(|vkey| ["--key", vkey]);
    desk.run(&["verify", "case", "-o", "json"].into_iter().chain(keys).collect::<Vec<_>>())
}

/// Policies, over the checkpoints that they are asked about.
#[test]
fn every_policy_is_judged_as_its_file_says() {
    let desk = Desk::at("http://localhost:1");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors/policy.json");
    let cases: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let vkey = key("bailiwick.example.com/cell/1", 1).verifier().to_string();
    let some = cases["good"][0]["input"]["checkpoint"].as_str().unwrap();
    let verify = |case: &Value| {
        std::fs::write(desk.file("case"), case["input"]["checkpoint"].as_str().unwrap_or(some)).unwrap();
        std::fs::write(desk.file("policy"), case["input"]["policy"].as_str().unwrap()).unwrap();
        desk.run(&["verify", "case", "--key", &vkey, "--policy", "policy", "-o", "json"])
    };
    for good in cases["good"].as_array().unwrap() {
        let said = verify(good).json();
        let names = said["witnesses"].as_array().unwrap().iter().map(|witness| witness["name"].clone());
        assert_eq!(Value::from_iter(names), good["expect"]["cosigned"], "{}", good["name"]);
    }
    for bad in cases["bad"].as_array().unwrap() {
        let run = verify(bad);
        if bad["input"].get("checkpoint").is_some() {
            run.refused(bad["detail"].as_str().unwrap());
        } else {
            assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{}: {}", bad["name"], run.stderr);
            assert!(run.stderr.contains("holds no policy"), "{}", run.stderr);
        }
    }
    verify(&cases["good"][0]);
    let unchecked = desk.run(&["verify", "case", "--key", &vkey]);
    assert!(unchecked.stderr.contains("nobody has checked the cosignatures in the name of witness.example/"));
}
