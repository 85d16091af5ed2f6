//! An id as it stands in a page: short to read, whole to hover and copy, and a link.

use std::fmt::Display;

/// Characters kept at the end: a UUIDv7 begins with its time, so the end tells ids apart.
const TAIL_CHARS: usize = 6;

/// An id chip.
pub(crate) struct IdChip {
    whole: String,
    href: String,
}

impl IdChip {
    pub(crate) fn new(id: impl Display, href: impl Into<String>) -> Self {
        Self { whole: id.to_string(), href: href.into() }
    }

    /// Whose link leads to its own row, where that is the only page it has.
    pub(crate) fn of_row(id: impl Display) -> Self {
        let whole = id.to_string();
        Self { href: format!("#{whole}"), whole }
    }

    pub(crate) fn whole(&self) -> &str {
        &self.whole
    }

    pub(crate) fn href(&self) -> &str {
        &self.href
    }

    /// `key_…9x2f4q`.
    pub(crate) fn short(&self) -> String {
        let prefix = self.whole.split_inclusive('_').next().unwrap_or_default();
        let tail = self.whole.len().saturating_sub(TAIL_CHARS);
        format!("{prefix}…{}", self.whole.get(tail..).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_keeps_the_kind_and_the_end() {
        assert_eq!(IdChip::new("usr_01h455vb4pex5vsknk084sn02q", "/").short(), "usr_…4sn02q");
    }
}
