//! Where somebody was on their way to when they had to prove who they are.

use axum::http::HeaderValue;
use time::Duration;

use super::Visit;
use crate::authn::cookie::Cookie;

/// As long as a sign-in may take.
const REMEMBERED: Duration = Duration::minutes(30);
const LONGEST: usize = 300;

/// A path of ours, and nothing else: whatever could lead to another site, or could not stand in a header or a cookie, is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WayBack(String);

impl WayBack {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"/_.-".contains(&b);
        let local = text.starts_with('/') && !text.starts_with("//") && text.len() <= LONGEST;
        // What a browser would fold away is not needed, and could begin with two slashes afterwards.
        let folded = text.split('/').any(|part| part == "." || part == "..");
        (local && !folded && text.bytes().all(plain)).then(|| Self(text.to_owned()))
    }

    /// That which this browser remembers.
    pub(crate) fn remembered(visit: &Visit) -> Option<Self> {
        Self::parse(&visit.cookie(Cookie::WayBack)?)
    }

    /// Where everybody may go.
    pub(crate) fn home() -> Self {
        Self("/workspaces".to_owned())
    }

    /// Where a sign-in leads to: whoever was on the way to an invitation goes on with it.
    pub(crate) fn after_sign_in(visit: &Visit) -> Self {
        if visit.cookie(Cookie::Invitation).is_some() {
            return Self("/auth/invitation".to_owned());
        }
        Self::remembered(visit).unwrap_or_else(Self::home)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// `Set-Cookie` by which this browser remembers it.
    pub(crate) fn cookie(&self, visit: &Visit) -> HeaderValue {
        visit.cookies().set(Cookie::WayBack, &self.0, REMEMBERED)
    }

    /// `Set-Cookie` by which it forgets.
    pub(crate) fn forgotten(visit: &Visit) -> HeaderValue {
        visit.cookies().clear(Cookie::WayBack)
    }
}

#[cfg(test)]
mod tests {
    use super::WayBack;

    #[test]
    fn only_a_path_of_ours_is_a_way_back() {
        for good in ["/", "/workspaces", "/w/acme/live/secrets/sec_01h455vb4pex5vsknk084sn02q/reveal", "/a-b_c.d"] {
            assert_eq!(WayBack::parse(good).unwrap().as_str(), good);
        }
        for bad in [
            "",
            "workspaces",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\/evil.example",
            "https://evil.example",
            "/..//evil.example",
            "/.//evil.example",
            "/w/acme?x=1",
            "/w/acme#x",
            "/w/a b",
            "/%2f/evil.example",
            "/\r\nset-cookie: x=1",
            "/\t/evil.example",
            "javascript:alert(1)",
            "/@evil.example:80",
        ] {
            assert_eq!(WayBack::parse(bad), None, "{bad:?}");
        }
        assert!(WayBack::parse(&format!("/{}", "a".repeat(300))).is_none());
    }
}
