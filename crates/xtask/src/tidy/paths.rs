//! The paths that a Rust file speaks of: `use crate::a::{b, c::d};` and `crate::a::b()` alike, from its text.

/// A path from the crate's root, without the `crate`, and the line it stands in.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct CratePath {
    pub(super) line: usize,
    pub(super) segments: Vec<String>,
}

/// Every path in `source` that begins at the crate's root: by `crate::`, or by as many `super::` as the file is deep.
///
/// `depth` is the number of modules between the file and the root, so 2 for `src/a/b.rs`.
pub(super) fn crate_paths(source: &str, depth: usize) -> Vec<CratePath> {
    let code = blank_comments_and_text(source);
    let supers = "super::".repeat(depth);
    let mut paths = Vec::new();
    for root in ["crate::", supers.as_str()] {
        for start in starts_of(&code, root) {
            let line = line_of(&code, start);
            let rest = code.get(start + root.len()..).unwrap_or_default();
            let mut trees = Vec::new();
            read_tree(rest, &mut Vec::new(), &mut trees);
            paths.extend(trees.into_iter().map(|segments| CratePath { line, segments }));
        }
    }
    paths
}

/// Where `root` begins a path: not as the end of a longer name or path.
fn starts_of<'a>(code: &'a str, root: &'a str) -> impl Iterator<Item = usize> + 'a {
    code.match_indices(root).map(|(start, _)| start).filter(|start| {
        let before = code.get(..*start).and_then(|text| text.chars().next_back());
        !root.is_empty() && !before.is_some_and(|c| is_name(c) || c == ':' || c == '$')
    })
}

pub(super) fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

/// Reads `a::{b, c::d}` into `a::b` and `a::c::d`; returns what follows it.
fn read_tree<'a>(text: &'a str, prefix: &mut Vec<String>, found: &mut Vec<Vec<String>>) -> &'a str {
    let text = text.trim_start();
    if let Some(list) = text.strip_prefix('{') {
        let mut rest = list;
        loop {
            rest = rest.trim_start();
            if let Some(after) = rest.strip_prefix('}') {
                return after;
            }
            let (before, length) = (rest.len(), prefix.len());
            rest = read_tree(rest, prefix, found);
            prefix.truncate(length);
            rest = skip_alias(rest).trim_start();
            rest = rest.strip_prefix(',').unwrap_or(rest);
            if rest.len() == before {
                return rest;
            }
        }
    }
    let end = text.find(|c| !is_name(c)).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    if name.is_empty() {
        found.push(prefix.clone());
        return rest.strip_prefix('*').unwrap_or(rest);
    }
    prefix.push(name.to_owned());
    match rest.trim_start().strip_prefix("::") {
        Some(rest) => read_tree(rest, prefix, found),
        None => {
            found.push(prefix.clone());
            rest
        }
    }
}

/// Skips the `as name` after an imported name.
fn skip_alias(text: &str) -> &str {
    match text.trim_start().strip_prefix("as ") {
        Some(rest) => rest.trim_start().trim_start_matches(is_name),
        None => text,
    }
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The same text with comments and string literals blanked, so that positions and lines stay.
///
/// Raw strings with hashes and nested block comments are read well enough for our own sources.
pub(super) fn blank_comments_and_text(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(c) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if rest.starts_with("r#\"") {
            rest.find("\"#").map_or(rest.len(), |end| end + 2)
        } else if c == '"' {
            string_length(rest)
        } else if rest.starts_with("'\"'") || rest.starts_with("'\\\"'") {
            rest.find("\"'").map_or(rest.len(), |end| end + 2)
        } else {
            code.push(c);
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
            continue;
        };
        let (blanked, after) = rest.split_at(skipped);
        code.extend(blanked.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }));
        rest = after;
    }
    code
}

/// Bytes of the string literal that `text` begins with, both quotes included.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (position, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return position + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::{blank_comments_and_text, crate_paths};

    fn check(source: &str, depth: usize, expected: &[&str]) {
        let paths: Vec<String> = crate_paths(source, depth)
            .into_iter()
            .map(|path| format!("{} {}", path.line, path.segments.join("::")))
            .collect();
        assert_eq!(paths, expected, "{source}");
    }

    #[test]
    fn reads_imports_and_inline_paths() {
        check("use crate::db::WorkspaceTx;", 1, &["1 db::WorkspaceTx"]);
        check("\nuse crate::{a, b::{self, c as d}, e::*};", 1, &["2 a", "2 b::self", "2 b::c", "2 e"]);
        check("fn f() { crate::a::b::<u8>(crate::c) }", 1, &["1 a::b", "1 c"]);
        check("pub(in crate::a) use super::super::b::C;", 2, &["1 a", "1 b::C"]);
        check("use super::model::Key;", 2, &[]);
        check("use other_crate::a; $crate::b!()", 1, &[]);
    }

    #[test]
    fn passes_over_comments_and_text() {
        check("// crate::a\n/* crate::b */ let x = \"crate::c \\\" crate::d\"; r#\"crate::e\"#", 1, &[]);
        check("let quote = '\"'; crate::a", 1, &["1 a"]);
        assert_eq!(blank_comments_and_text("a // ü\nb").lines().count(), 2);
    }
}
