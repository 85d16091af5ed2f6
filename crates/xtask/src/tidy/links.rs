//! Relative links in the documentation: each must lead to a file or folder of the repository.

use super::tree::{Finding, Tree};

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.ending(".md") {
        let mut fenced = false;
        for (number, line) in text.lines().enumerate() {
            if line.trim_start().starts_with("```") {
                fenced = !fenced;
            }
            if fenced {
                continue;
            }
            for target in targets(line).filter(|target| !tree.has(&resolve(path, target))) {
                findings.push(Finding::at(path, number + 1, format!("leads nowhere: {target}")));
            }
        }
    }
    findings
}

/// The relative link targets of a line: `[text](target)` and `[label]: target`.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    let code = line.split('`').step_by(2);
    let inline = code.flat_map(|text| text.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next()));
    let definition = line
        .strip_prefix('[')
        .and_then(|rest| rest.split_once("]: "))
        .and_then(|(_, target)| target.split_whitespace().next());
    inline.chain(definition).filter_map(|target| {
        let target = target.trim_matches(['<', '>']);
        let elsewhere = target.contains("://") || target.starts_with("mailto:") || target.starts_with('#');
        let file = target.split('#').next().unwrap_or(target);
        (!elsewhere && !file.is_empty()).then_some(file)
    })
}

/// `target` as seen from the file at `path`, as a path from the root; a leading `/` means the root.
fn resolve(path: &str, target: &str) -> String {
    let mut segments: Vec<&str> = if target.starts_with('/') { Vec::new() } else { path.split('/').collect() };
    segments.pop();
    for segment in target.split('/') {
        match segment {
            "" | "." => {}
            ".." if segments.pop().is_none() => return format!("outside the repository: {target}"),
            ".." => {}
            name => segments.push(name),
        }
    }
    segments.join("/")
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::tree::found;

    fn findings(text: &str) -> Vec<String> {
        found(check, &[("README.md", ""), ("docs/guide/keys.md", ""), ("docs/guide/start.md", text)])
    }

    #[test]
    fn links_that_lead_somewhere_pass() {
        for text in [
            "[a](keys.md) and [b](../../README.md#top), [c](../guide), [d](/docs/guide/keys.md)",
            "[a](https://example.com/x.md) [b](#here) [c](mailto:a@example.com)",
            "`[a](gone.md)`",
            "```\n[a](gone.md)\n```",
            "[a]: keys.md",
        ] {
            assert_eq!(findings(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn links_that_lead_nowhere_are_refused() {
        for text in ["[a](gone.md)", "[a]: gone.md", "`x` [a](../keys.md)", "[a](../../../out.md)", "[a](gone.md#b)"] {
            assert_eq!(findings(text).len(), 1, "{text}");
        }
    }
}
