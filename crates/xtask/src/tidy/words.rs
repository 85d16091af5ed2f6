//! Words that have no place in a finished file: stubs, leftovers of debugging, and the names of package hosts.

use super::tree::{Finding, Tree};

/// What is refused in which files, and why. Written in halves, or this file would be the first finding.
const WORDS: [(&str, Files, &str); 14] = [
    (concat!("todo", "!"), Files::Rust, "a stub"),
    (concat!("unimplemented", "!("), Files::Rust, "a stub"),
    (concat!("dbg", "!("), Files::Rust, "left over from debugging"),
    (concat!("#[", "ignore"), Files::Rust, "a test that does not run holds nothing"),
    (concat!("FIX", "ME"), Files::All, "mend it, or write down the limit where its reader will find it"),
    (concat!("TO", "DO"), Files::All, "do it, or write down the limit where its reader will find it"),
    (concat!("index.", "crates.io"), Files::All, HOST),
    (concat!("static.", "crates.io"), Files::All, HOST),
    (concat!("registry.", "npmjs.org"), Files::All, HOST),
    (concat!("files.", "pythonhosted.org"), Files::All, HOST),
    (concat!("//", "pypi.org"), Files::All, HOST),
    (concat!("deb.", "debian.org"), Files::All, HOST),
    (concat!("archive.", "ubuntu.com"), Files::All, HOST),
    (concat!("proxy.", "golang.org"), Files::All, HOST),
];

const HOST: &str = "which host packages come from is the machine's business";

/// Written by a program, word for word.
const GENERATED: [&str; 1] = ["Cargo.lock"];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Files {
    All,
    Rust,
}

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.files().filter(|(path, _)| !GENERATED.contains(path)) {
        for (number, line) in text.lines().enumerate() {
            for (word, files, reason) in WORDS {
                let applies = files == Files::All || path.ends_with(".rs");
                if applies && has_word(line, word) {
                    findings.push(Finding::at(path, number + 1, format!("{word}: {reason}")));
                }
            }
        }
    }
    findings
}

/// Whether `line` has `word` standing alone: not inside a longer name.
fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(start, _)| {
        let before = line.get(..start).and_then(|text| text.chars().next_back());
        let after = line.get(start + word.len()..).and_then(|text| text.chars().next());
        let name = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        !(name(before) || word.ends_with(char::is_alphanumeric) && name(after))
    })
}

#[cfg(test)]
mod tests {
    use super::{WORDS, check};
    use crate::tidy::tree::found;

    #[test]
    fn every_word_is_refused() {
        for (word, _, _) in WORDS {
            let line = format!("    {word} and more");
            assert_eq!(found(check, &[("crates/proof/src/id.rs", &line)]).len(), 1, "{word}");
        }
    }

    #[test]
    fn longer_names_and_other_files_pass() {
        let stub = concat!("todo", "!()");
        for (path, text) in [
            ("docs/style.md", stub),
            ("Cargo.toml", "todo = \"warn\""),
            ("Cargo.lock", concat!("registry.", "npmjs.org")),
            ("a.rs", concat!("fn my_", "todo", "!")),
            ("a.rs", concat!("NO", "TO", "DOS")),
        ] {
            assert_eq!(found(check, &[(path, text)]), [""; 0], "{path} {text}");
        }
    }
}
