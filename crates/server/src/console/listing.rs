//! What stands under a list: how many there are on this page, and the way to the others.

/// What is listed, for the count.
#[derive(Clone, Copy)]
pub(crate) struct Noun {
    pub(crate) one: &'static str,
    pub(crate) many: &'static str,
}

/// A page of a list by cursor.
pub(crate) struct Listing {
    noun: Noun,
    shown: usize,
    first: Option<String>,
    next: Option<String>,
}

impl Listing {
    /// `path` may carry filters; `cursor` is the one that led here, `next` the one that leads on.
    pub(crate) fn new(noun: Noun, shown: usize, path: &str, cursor: Option<&str>, next: Option<&str>) -> Self {
        let mark = if path.contains('?') { '&' } else { '?' };
        Self {
            noun,
            shown,
            first: cursor.map(|_| path.to_owned()),
            next: next.map(|next| format!("{path}{mark}cursor={next}")),
        }
    }

    /// `1 key`, `25 keys on this page`.
    pub(crate) fn count_line(&self) -> String {
        let noun = if self.shown == 1 { self.noun.one } else { self.noun.many };
        let part = if self.first.is_some() || self.next.is_some() { " on this page" } else { "" };
        format!("{} {noun}{part}", self.shown)
    }

    pub(crate) fn first_href(&self) -> Option<&str> {
        self.first.as_deref()
    }

    pub(crate) fn next_href(&self) -> Option<&str> {
        self.next.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: Noun = Noun { one: "key", many: "keys" };

    #[test]
    fn the_count_never_claims_more_than_the_page_holds() {
        assert_eq!(Listing::new(KEYS, 1, "/keys", None, None).count_line(), "1 key");
        assert_eq!(Listing::new(KEYS, 0, "/keys", None, None).count_line(), "0 keys");
        assert_eq!(Listing::new(KEYS, 25, "/keys", None, Some("c")).count_line(), "25 keys on this page");
        assert_eq!(Listing::new(KEYS, 3, "/keys", Some("c"), None).count_line(), "3 keys on this page");
    }

    #[test]
    fn the_next_page_keeps_the_filter() {
        let list = Listing::new(KEYS, 25, "/keys?status=active", None, Some("c"));
        assert_eq!(list.next_href(), Some("/keys?status=active&cursor=c"));
        assert_eq!(list.first_href(), None);
    }
}
