//! Statements that stand in the server too: a benchmark that goes on measuring what the server no longer does would
//! be worse than none, so it looks into the server's source before it starts.

use std::path::Path;

use anyhow::{Context, ensure};

/// A copy of a statement, and where the original stands.
pub(crate) struct Mirror {
    /// The statement; values that the server formats into it stand as `{name}`.
    pub(crate) sql: &'static str,
    /// The file, from the crate's root.
    pub(crate) file: &'static str,
}

impl Mirror {
    /// # Errors
    /// When there is no such file, or it words the statement otherwise; line breaks, indentation and escapes do not
    /// count.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        let source = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(self.file))
            .with_context(|| format!("cannot read {}", self.file))?;
        let found = one_line(&source.replace("\\\n", " ").replace("\\\"", "\"")).contains(&one_line(self.sql));
        ensure!(found, "{} has no such statement; bring the benchmark up to it:\n{}", self.file, self.sql);
        Ok(())
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
