//! From where a request comes: one address for entries, limits and lists of networks alike.
//!
//! It is the socket's peer, unless that is a proxy which the operator trusts. A proxy appends the address that it saw to
//! `X-Forwarded-For`, so the header is read from its right end: what trusted proxies wrote is passed over, and the first that is
//! none of theirs is the client. Whatever stands further left the client may have made up, and nobody looks at it.
//!
//! `Forwarded` (RFC 7239) is not read: of two headers a proxy sets one, and would pass on the other as the client sent it.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderName};

use crate::networks::Networks;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// Proxies in a row; more is no chain of anybody's.
const MAX_HOPS: usize = 16;

/// The client's address; `None` when a trusted proxy tells something that is no address, for then nobody knows.
pub(super) fn of(peer: Option<IpAddr>, headers: &HeaderMap, proxies: &Networks) -> Option<IpAddr> {
    let mut nearest = peer?.to_canonical();
    if !proxies.admit(Some(nearest)) {
        return Some(nearest);
    }
    // Several lines are one list (RFC 9110, 5.3), and empty elements are none (5.6.1.2).
    let lines = headers.get_all(X_FORWARDED_FOR).iter().collect::<Vec<_>>();
    let elements = lines.iter().rev().flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
    let told = elements.map(<[u8]>::trim_ascii).filter(|element| !element.is_empty());
    for (hop, element) in told.enumerate() {
        if hop == MAX_HOPS {
            return None;
        }
        nearest = parse(element)?;
        if !proxies.admit(Some(nearest)) {
            return Some(nearest);
        }
    }
    // None but proxies: the furthest of them asks for itself.
    Some(nearest)
}

/// An address, perhaps with a port, perhaps in brackets.
fn parse(element: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(element).ok()?;
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let bracketed = bare.and_then(|inner| inner.parse().ok()).map(IpAddr::V6);
    let address = text.parse::<IpAddr>().ok().or(bracketed);
    let address = address.or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()));
    address.map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn proxies(words: &[&str]) -> Networks {
        Networks::Within(words.iter().map(|word| word.parse().unwrap()).collect())
    }

    fn check(peer: &str, lines: &[&str], client: Option<&str>) {
        let trusted = proxies(&["10.0.0.0/8", "2001:db8:1::/48", "203.0.113.7"]);
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(X_FORWARDED_FOR, HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        let found = of(Some(peer.parse().unwrap()), &headers, &trusted);
        assert_eq!(found, client.map(|text| text.parse().unwrap()), "{peer} {lines:?}");
    }

    #[test]
    fn whoever_is_no_proxy_is_not_believed() {
        check("192.0.2.1", &["198.51.100.1"], Some("192.0.2.1"));
        check("::ffff:192.0.2.1", &["198.51.100.1"], Some("192.0.2.1"));
        assert_eq!(of(None, &HeaderMap::new(), &proxies(&[])), None);
        let headers = HeaderMap::from_iter([(X_FORWARDED_FOR, HeaderValue::from_static("198.51.100.1"))]);
        let peer = "127.0.0.1".parse().unwrap();
        assert_eq!(of(Some(peer), &headers, &proxies(&[])), Some(peer), "unless they are named there are no proxies");
    }

    #[test]
    fn the_rightmost_that_is_no_proxy_is_the_client() {
        check("10.0.0.1", &["192.0.2.9"], Some("192.0.2.9"));
        check("10.0.0.1", &["1.2.3.4, 192.0.2.9"], Some("192.0.2.9"));
        check("10.0.0.1", &["1.2.3.4,192.0.2.9 , 203.0.113.7,10.3.2.1"], Some("192.0.2.9"));
        check("10.0.0.1", &["1.2.3.4, 192.0.2.9", "10.0.0.2"], Some("192.0.2.9"));
        check("10.0.0.1", &["10.0.0.2", "1.2.3.4, 192.0.2.9"], Some("192.0.2.9"));
        check("2001:db8:1::5", &["2001:db8:2::9"], Some("2001:db8:2::9"));
        check("::ffff:10.0.0.1", &["::ffff:192.0.2.9"], Some("192.0.2.9"));
        check("10.0.0.1", &["10.0.0.3, 10.0.0.2"], Some("10.0.0.3"));
        check("10.0.0.1", &[], Some("10.0.0.1"));
        check("10.0.0.1", &["", " , "], Some("10.0.0.1"));
        check("10.0.0.1", &["192.0.2.9, ,", ","], Some("192.0.2.9"));
    }

    #[test]
    fn ports_and_brackets_are_left_away() {
        check("10.0.0.1", &["192.0.2.9:55120"], Some("192.0.2.9"));
        check("10.0.0.1", &["[2001:db8:2::9]:443"], Some("2001:db8:2::9"));
        check("10.0.0.1", &["[2001:db8:2::9]"], Some("2001:db8:2::9"));
        check("10.0.0.1", &["[::ffff:192.0.2.9]:1"], Some("192.0.2.9"));
    }

    #[test]
    fn what_a_proxy_tells_and_nobody_can_read_is_nobodys_address() {
        for unreadable in
            ["unknown", "_hidden", "192.0.2", "192.0.2.9.1", "192.0.2.9:x", "[192.0.2.9]", "fe80::1%eth0", "a b", "ä"]
        {
            check("10.0.0.1", &[&format!("198.51.100.1, {unreadable}")], None);
            check("10.0.0.1", &[&format!("{unreadable}, 192.0.2.9")], Some("192.0.2.9"));
        }
        check("10.0.0.1", &["192.0.2.9; for=1.2.3.4"], None);
    }

    #[test]
    fn no_header_is_too_long() {
        check("10.0.0.1", &[&format!("{}192.0.2.9", "1.2.3.4, ".repeat(100_000))], Some("192.0.2.9"));
        check("10.0.0.1", &[&format!("192.0.2.9{}", ", 10.0.0.2".repeat(MAX_HOPS - 1))], Some("192.0.2.9"));
        check("10.0.0.1", &[&format!("192.0.2.9{}", ", 10.0.0.2".repeat(MAX_HOPS))], None);
    }
}
