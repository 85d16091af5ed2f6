//! Something that keeps the server from starting.

use std::fmt;

/// One fault of a configuration: what is wrong, and how to mend it. It never holds a secret's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Stable, dotted words.
    pub code: &'static str,
    /// What is wrong, naming the setting or the fact.
    pub what: String,
    /// What to do.
    pub mend: String,
}

impl Fault {
    /// A fault.
    pub fn new(code: &'static str, what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { code, what: what.into(), mend: mend.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}. {}.", self.code, self.what, self.mend)
    }
}

/// All faults of a start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Faults(pub Vec<Fault>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        write!(f, "{count} fault{} in the configuration:", if count == 1 { "" } else { "s" })?;
        self.0.iter().try_for_each(|fault| write!(f, "\n  - {fault}"))
    }
}
