//! What a person is told of a session's device and place: words of ours for what was sent, and a network for the address.

use std::net::IpAddr;

use axum::http::{HeaderMap, header};

use crate::networks::Network;

/// What browsers and programs call themselves, and the word for it. The first that fits: most call themselves others too.
const PROGRAMS: [(&str, &str); 18] = [
    ("bailiwick/", "The bailiwick command"),
    ("Edg/", "Edge"),
    ("EdgA/", "Edge"),
    ("EdgiOS/", "Edge"),
    ("OPR/", "Opera"),
    ("Vivaldi/", "Vivaldi"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("HeadlessChrome/", "Chrome without a window"),
    ("Chrome/", "Chrome"),
    ("Chromium/", "Chromium"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
    ("python", "A Python program"),
    ("node", "A Node.js program"),
    ("Go-http-client/", "A Go program"),
];

/// What they say that they run on, and the word for it; the first that fits.
const SYSTEMS: [(&str, &str); 7] = [
    ("Windows", "Windows"),
    ("iPhone", "an iPhone"),
    ("iPad", "an iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Macintosh", "macOS"),
    ("Linux", "Linux"),
];

/// From what and from where somebody signs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Words of ours.
    pub(super) device: String,
    /// A network; unknown without an address.
    pub(super) network: Option<String>,
}

impl Seen {
    /// By the request's headers and the client's address.
    #[must_use]
    pub fn of(headers: &HeaderMap, address: Option<IpAddr>) -> Self {
        let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
        Self { device: device(agent), network: address.map(network) }
    }

    /// The browser or program, in words of ours.
    #[must_use]
    pub fn device(&self) -> &str {
        &self.device
    }

    /// The network that it is in, if its address is known.
    #[must_use]
    pub fn network(&self) -> Option<&str> {
        self.network.as_deref()
    }
}

/// The browser or program, and what it runs on. None of what was sent is repeated.
fn device(agent: &str) -> String {
    let known = |words: &[(&str, &'static str)]| words.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, is)| *is);
    match (known(&PROGRAMS), known(&SYSTEMS)) {
        (Some(program), Some(system)) => format!("{program} on {system}"),
        (Some(program), None) => program.to_owned(),
        (None, Some(system)) => format!("Something unknown on {system}"),
        (None, None) => "Something unknown".to_owned(),
    }
}

/// A /24 of IPv4 or a /64 of IPv6: about as much as a provider gives one customer, and no address of a person.
pub(super) fn network(address: IpAddr) -> String {
    Network::around(address, 24, 64).to_string()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn devices_are_told_in_plain_words() {
        for (agent, told) in [
            ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0",
                "Edge on Windows",
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15",
                "Safari on macOS",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/140.0 Mobile/15E148 Safari/604.1",
                "Chrome on an iPhone",
            ),
            (
                "Mozilla/5.0 (Linux; Android 15; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36",
                "Chrome on Android",
            ),
            ("bailiwick/0.1.0", "The bailiwick command"),
            ("curl/8.9.1", "curl"),
            ("python-requests/2.32", "A Python program"),
            ("<script>alert(1)</script> (Linux)", "Something unknown on Linux"),
            ("", "Something unknown"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::USER_AGENT, HeaderValue::from_str(agent).unwrap());
            assert_eq!(Seen::of(&headers, None).device, told, "{agent}");
        }
        assert_eq!(Seen::of(&HeaderMap::new(), None), Seen { device: "Something unknown".into(), network: None });
    }

    #[test]
    fn of_an_address_the_network_is_kept() {
        for (address, told) in [
            ("203.0.113.77", "203.0.113.0/24"),
            ("::ffff:203.0.113.77", "203.0.113.0/24"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("::1", "::/64"),
        ] {
            assert_eq!(network(address.parse().unwrap()), told);
        }
    }
}
