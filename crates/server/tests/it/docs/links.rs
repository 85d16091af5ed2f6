//! Relative links lead to files that are there, and to headings that are there.

use super::page::{self, Page};

/// `docs/a.md` and `../README.md#b` give `README.md` and `b`.
fn resolve(from: &str, link: &str) -> (String, Option<String>) {
    let (file, heading) = link.split_once('#').map_or((link, None), |(file, heading)| (file, Some(heading.to_owned())));
    if file.is_empty() {
        return (from.to_owned(), heading);
    }
    let mut path: Vec<&str> = from.split('/').collect();
    path.pop();
    for part in file.split('/') {
        match part {
            "." => {}
            ".." => drop(path.pop()),
            name => path.push(name),
        }
    }
    (path.join("/"), heading)
}

/// The targets of `[text](target)` outside code, without those on other hosts.
fn links(page: &Page) -> Vec<String> {
    let mut fenced = false;
    let mut links = Vec::new();
    for line in page.text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        let prose = line.split('`').step_by(2).filter(|_| !fenced);
        links.extend(prose.flat_map(|text| text.split("](").skip(1)).filter_map(|rest| rest.split(')').next()));
    }
    let here = links.into_iter().filter(|link| !link.contains("://") && !link.starts_with("mailto:"));
    here.map(str::to_owned).collect()
}

/// A heading's anchor, as the hosts of repositories make it.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

fn anchors(text: &str) -> Vec<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings.map(|line| anchor(line.trim_start_matches('#'))).collect()
}

#[test]
fn links_lead_somewhere() {
    let pages = page::all();
    let mut faults = Vec::new();
    for from in &pages {
        for link in links(from) {
            let (file, heading) = resolve(&from.path, &link);
            let exists = page::root().join(&file).exists();
            let there = pages.iter().find(|page| page.path == file);
            let headed = heading.is_none_or(|name| there.is_some_and(|page| anchors(&page.text).contains(&name)));
            if !exists || !headed {
                faults.push(format!("{}: {link} leads nowhere", from.path));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn anchors_are_as_hosts_make_them() {
    assert_eq!(anchor(" 2. Revoke it"), "2-revoke-it");
    assert_eq!(anchor(" What is there"), "what-is-there");
    assert_eq!(anchor(" `bailiwickd dev`"), "bailiwickd-dev");
    assert_eq!(resolve("docs/adr/1.md", "../../README.md#a"), ("README.md".to_owned(), Some("a".to_owned())));
    assert_eq!(resolve("docs/adr/1.md", "#a"), ("docs/adr/1.md".to_owned(), Some("a".to_owned())));
}
