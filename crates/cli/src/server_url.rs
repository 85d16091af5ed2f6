//! A server's address: where a token may go.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use reqwest::Url;
use serde::{Deserialize, Serialize};

/// An `http` or `https` address without user, query or fragment, and without a trailing slash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct ServerUrl(Url);

impl ServerUrl {
    /// Whether a token can be sent there without being read on the way: TLS, or this machine.
    pub(crate) fn is_private(&self) -> bool {
        self.0.scheme() == "https" || self.is_loopback()
    }

    /// Whether the name can only mean this machine (RFC 6761, section 6.3).
    pub(crate) fn is_loopback(&self) -> bool {
        let host = self.0.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let address = host.parse::<IpAddr>().map(|address| address.is_loopback());
        address.unwrap_or_else(|_| host == "localhost" || host.ends_with(".localhost"))
    }

    /// The address of a resource; each segment is encoded, none can leave its place.
    pub(crate) fn join<'a>(&self, segments: impl IntoIterator<Item = &'a str>) -> Url {
        let mut url = self.0.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

impl FromStr for ServerUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut url =
            Url::parse(text).map_err(|err| format!("expected an address as in https://example.com: {err}"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err("the address has to begin with https:// or http://".to_owned());
        }
        if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
            return Err("the address may have a host, a port and a path, and nothing else".to_owned());
        }
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        Ok(Self(url))
    }
}

impl TryFrom<String> for ServerUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ServerUrl> for String {
    fn from(url: ServerUrl) -> Self {
        url.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> ServerUrl {
        text.parse().unwrap()
    }

    #[test]
    fn one_spelling_for_one_server() {
        assert_eq!(url("https://Example.com:443/"), url("https://example.com"));
        assert_eq!(url("https://example.com/b//").to_string(), "https://example.com/b");
        assert_eq!(url("http://localhost:8080/").to_string(), "http://localhost:8080");
    }

    #[test]
    fn addresses_that_hide_something_are_refused() {
        for text in
            ["example.com", "localhost:80", "ftp://a", "https://u@a", "https://u:p@a", "https://a?b", "https://a#b", ""]
        {
            assert!(text.parse::<ServerUrl>().is_err(), "{text}");
        }
    }

    #[test]
    fn only_this_machine_is_trusted_without_tls() {
        for text in
            ["https://a.example", "http://localhost:1", "http://x.localhost", "http://127.9.9.9", "http://[::1]:80"]
        {
            assert!(url(text).is_private(), "{text}");
        }
        for text in
            ["http://a.example", "http://10.0.0.1", "http://localhost.example", "http://[::2]", "http://notlocalhost"]
        {
            assert!(!url(text).is_private(), "{text}");
        }
    }

    #[test]
    fn segments_stay_in_their_place() {
        let joined = url("https://a/b").join(["v1", "workspaces", "x/../y?z#"]);
        assert_eq!(joined.as_str(), "https://a/b/v1/workspaces/x%2F..%2Fy%3Fz%23");
    }
}
