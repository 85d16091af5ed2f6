//! Of the one stylesheet, what a page needs that has few of its parts: for readers who come once, by a link, and have nothing of ours yet.

/// The rules of a stylesheet whose selectors name no class but these, without comments. Their order stays, so that what is left weighs as it did. A
/// selector in parentheses is read as if it stood alone, which keeps a rule too many and none too few.
pub(super) fn extract(css: &str, classes: &[&str]) -> String {
    let mut kept = String::with_capacity(css.len() / 2);
    for (prelude, body) in rules(&without_comments(css)) {
        if prelude.starts_with("@media") || prelude.starts_with("@supports") || prelude.starts_with("@container") {
            let inner = extract(body, classes);
            if !inner.is_empty() {
                kept.extend([prelude, " {\n", inner.as_str(), "}\n"]);
            }
        } else if prelude.starts_with('@') || prelude.split(',').any(|selector| names_only(selector, classes)) {
            kept.extend([prelude, " {", body.trim_end(), " }\n"]);
        }
    }
    kept
}

fn without_comments(css: &str) -> String {
    let mut parts = css.split("/*");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once("*/").map_or("", |(_, rest)| rest))
}

/// Each rule of the outermost level: what stands before its braces, and between them.
fn rules(css: &str) -> Vec<(&str, &str)> {
    let (mut found, mut rest) = (Vec::new(), css);
    while let Some((prelude, after)) = rest.split_once('{') {
        let mut depth = 1_u32;
        let end = after.char_indices().find(|(_, letter)| {
            match letter {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            depth == 0
        });
        let Some((body, behind)) = end.and_then(|(at, _)| after.split_at_checked(at)) else { break };
        found.push((prelude.trim(), body));
        rest = behind.strip_prefix('}').unwrap_or_default();
    }
    found
}

fn names_only(selector: &str, classes: &[&str]) -> bool {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let mut named = selector.split('.').skip(1).map(|part| part.split(|c| !is_of_name(c)).next().unwrap_or_default());
    named.all(|name| classes.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::extract;

    #[test]
    fn what_names_another_class_goes_and_the_rest_keeps_its_order() {
        let css = "/* a { } */ p { margin: 0; }\n.used > .other, .used b { color: red; }\n.other { color: blue; }
            @media (width < 40em) { .other { x: y; } .used { z: 0; } }\n@media print { .other { x: y; } }
            :is(.other, .used) i { a: b; }\n.used-not { c: d; }\n#id[data-x=\"1\"] { e: f; }";
        assert_eq!(
            extract(css, &["used"]),
            "p { margin: 0; }\n.used > .other, .used b { color: red; }\n@media (width < 40em) {\n.used { z: 0; }\n}\n\
             :is(.other, .used) i { a: b; }\n#id[data-x=\"1\"] { e: f; }\n"
        );
        assert_eq!(extract("p { margin: 0;", &[]), "", "cut");
    }
}
