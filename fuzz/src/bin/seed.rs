//! Writes the golden files' cases, good and bad, into `corpus/<target>/`, one file each, for the fuzzer to begin with.

use std::error::Error;
use std::fs;
use std::path::Path;

use bailiwick_fuzz::parsers::ALL;
use serde_json::Value;

fn main() -> Result<(), Box<dyn Error>> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    for parser in ALL {
        let corpus = here.join("corpus").join(parser.name);
        fs::create_dir_all(&corpus)?;
        let file: Value = serde_json::from_slice(&fs::read(here.join(format!("../vectors/{}.json", parser.file)))?)?;
        let cases = ["good", "bad"].into_iter().filter_map(|kind| file.get(kind)?.as_array()).flatten();
        for (number, case) in cases.enumerate() {
            if let Some(text) = case.pointer(&format!("/input/{}", parser.member)).and_then(Value::as_str) {
                fs::write(corpus.join(format!("golden-{number:03}")), parser.bytes(text))?;
            }
        }
    }
    Ok(())
}
