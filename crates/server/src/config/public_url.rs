//! Where the server is reached: an origin (RFC 6454), without path, query or user.

use axum::http::uri::{Authority, Uri};

/// An `http` or `https` origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl {
    https: bool,
    /// Lower case, without the scheme's default port.
    authority: String,
    origin: String,
}

/// The text is no origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not of the form https://host or https://host:port")]
pub struct PublicUrlError;

impl PublicUrl {
    /// Parses `scheme://host[:port]`, a single slash at the end allowed.
    ///
    /// # Errors
    /// [`PublicUrlError`] for any other scheme, and for a path, query, fragment or user.
    pub fn parse(text: &str) -> Result<Self, PublicUrlError> {
        let uri: Uri = text.parse().map_err(|_| PublicUrlError)?;
        let https = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(PublicUrlError),
        };
        let authority = uri.authority().ok_or(PublicUrlError)?;
        let bare = uri.path() == "/" && uri.query().is_none() && !text.contains(['#', '?', '@']);
        if !bare || authority.host().is_empty() {
            return Err(PublicUrlError);
        }
        let authority = normal(authority, if https { 443 } else { 80 })?;
        let origin = format!("{}://{authority}", if https { "https" } else { "http" });
        Ok(Self { https, authority, origin })
    }

    /// `https://host[:port]`, as a browser's `Origin` header has it.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// `host[:port]`, as a `Host` header has it.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The host, where it is a name and no address.
    #[must_use]
    pub fn domain(&self) -> Option<&str> {
        // An address of IPv6 stands in brackets; what ends in a number is read as one of IPv4, or refused.
        let host = self.authority.split(':').next()?;
        let last = host.trim_end_matches('.').rsplit('.').next()?;
        let is_name = !host.starts_with('[') && !last.starts_with(|first: char| first.is_ascii_digit());
        is_name.then_some(host)
    }

    /// Whether the scheme is https.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.https
    }

    /// The URL of a path on this origin; a missing slash at its beginning is added.
    #[must_use]
    pub fn join(&self, path: &str) -> String {
        format!("{}/{}", self.origin, path.trim_start_matches('/'))
    }
}

impl std::fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.origin)
    }
}

fn normal(authority: &Authority, default_port: u16) -> Result<String, PublicUrlError> {
    let host = authority.host().to_ascii_lowercase();
    let after_host = authority.as_str().get(authority.host().len()..).unwrap_or_default();
    match (after_host, authority.port_u16()) {
        ("", _) => Ok(host),
        (_, Some(port)) if port == default_port => Ok(host),
        (_, Some(port)) => Ok(format!("{host}:{port}")),
        (_, None) => Err(PublicUrlError),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_normal() {
        for (given, origin, authority) in [
            ("https://Bailiwick.Example", "https://bailiwick.example", "bailiwick.example"),
            ("https://a.example:443/", "https://a.example", "a.example"),
            ("http://localhost:8080", "http://localhost:8080", "localhost:8080"),
            ("http://[::1]:80", "http://[::1]", "[::1]"),
        ] {
            let url = PublicUrl::parse(given).unwrap();
            assert_eq!((url.origin(), url.authority()), (origin, authority));
        }
        let url = PublicUrl::parse("https://a.example").unwrap();
        assert!(url.is_https());
        assert_eq!(url.join("/auth/link?token=x"), "https://a.example/auth/link?token=x");
        assert_eq!(url.join("w"), "https://a.example/w");
    }

    #[test]
    fn a_host_is_a_name_or_an_address() {
        for (given, domain) in [
            ("https://a.example:8443", Some("a.example")),
            ("http://localhost:8080", Some("localhost")),
            ("http://127.0.0.1:8080", None),
            ("http://[::1]:8080", None),
            ("http://[2001:db8::1]", None),
        ] {
            assert_eq!(PublicUrl::parse(given).unwrap().domain(), domain, "{given}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "a.example",
            "ftp://a.example",
            "https://",
            "https://a.example/path",
            "https://a.example?q",
            "https://a.example#f",
            "https://user@a.example",
            "https://a.example:99999",
            "https://a b",
            "//a.example",
        ] {
            assert_eq!(PublicUrl::parse(text), Err(PublicUrlError), "{text}");
        }
    }
}
