//! `cargo xtask tidy`: the rules of the house that no compiler knows.
//!
//! Each rule is a module with a function from the tree (or from what cargo says about the dependencies) to findings;
//! the rule's own tests show it going red on a made-up tree. Rules read text, not syntax: they are to catch slips, and
//! whoever wants to get around them can.

mod dependencies;
mod homes;
mod layers;
mod links;
mod naming;
mod paths;
mod shape;
mod tree;
mod words;

use anyhow::bail;

use tree::{Finding, Tree};

/// # Errors
/// When an argument is given, or a rule is broken; all findings are printed first.
pub(crate) fn main(args: &[String]) -> anyhow::Result<()> {
    if !args.is_empty() {
        bail!("usage: cargo xtask tidy");
    }
    check()
}

/// Applies every rule to the working tree: what is committed, and what could be.
///
/// # Errors
/// When a rule is broken; all findings are printed first.
pub(crate) fn check() -> anyhow::Result<()> {
    let tree = Tree::read(&crate::repo::root())?;
    let mut findings: Vec<Finding> = Vec::new();
    for rule in [layers::check, homes::check, naming::check, shape::check, words::check, links::check] {
        findings.extend(rule(&tree));
    }
    findings.extend(dependencies::check(&tree)?);
    findings.sort();
    for finding in &findings {
        eprintln!("{finding}");
    }
    if !findings.is_empty() {
        bail!("tidy found {} broken rules", findings.len());
    }
    Ok(())
}
