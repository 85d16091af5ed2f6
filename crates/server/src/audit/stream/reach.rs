//! Where a customer's endpoint may be: at public addresses, and in the private networks that the operator names.
//!
//! Names are resolved here, for the very connection that is made, so that no second answer of the name's server is used; an address
//! that is written in a URL never gets to a resolver, and is looked at by itself. No proxy, no redirect.
//!
//! It says nothing about ports, and does not keep a public address from being one of the operator's own: what must not be reached from
//! here needs a firewall.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::networks::Networks;

/// The address is none at which a bucket may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no bucket may be at this address")]
pub(super) struct OutOfReach;

/// The text names no endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadEndpoint {
    #[error("an endpoint is a URL such as https://s3.example:9000, without path, user or query")]
    Form,
    #[error("an endpoint speaks https")]
    Plain,
    #[error("no bucket may be at this address: it is private, and the operator has not allowed it")]
    Address,
}

/// Where endpoints may be.
#[derive(Clone, Debug)]
pub(super) struct Reach(pub(super) Networks);

impl Reach {
    fn admits(&self, address: IpAddr) -> bool {
        is_public(address) || self.0.admit(Some(address))
    }

    /// The endpoint's origin in one spelling, if it may be there as far as its text tells.
    ///
    /// # Errors
    /// [`BadEndpoint`].
    pub(super) fn endpoint(&self, text: &str) -> Result<String, BadEndpoint> {
        let url: Url = text.trim().parse().map_err(|_| BadEndpoint::Form)?;
        let is_bare = url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        let host = url.host_str().filter(|_| is_bare).ok_or(BadEndpoint::Form)?;
        let literal: Option<IpAddr> = host.trim_start_matches('[').trim_end_matches(']').parse().ok();
        match url.scheme() {
            "https" => {}
            // Only where nothing crosses a network, and only where the operator wants that.
            "http" if literal.is_some_and(|address| address.is_loopback()) => {}
            "http" => return Err(BadEndpoint::Plain),
            _ => return Err(BadEndpoint::Form),
        }
        if literal.is_some_and(|address| !self.admits(address)) {
            return Err(BadEndpoint::Address);
        }
        Ok(url.origin().ascii_serialization())
    }
}

impl Resolve for Reach {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let admitted: Vec<SocketAddr> = found.filter(|address| reach.admits(address.ip())).collect();
            if admitted.is_empty() {
                return Err(OutOfReach.into());
            }
            Ok(Box::new(admitted.into_iter()) as Addrs)
        })
    }
}

fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_multicast()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (18..20).contains(&b));
    !special
}

/// Global unicast alone (2000::/3), without what only carries an IPv4 address along, and without what is for documentation.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    let is_global = first & 0xe000 == 0x2000;
    let carries_v4 = first == 0x2002 || (first == 0x2001 && second == 0);
    let is_documentation = (first == 0x2001 && second == 0x0db8) || (first == 0x3fff && second < 0x1000);
    is_global && !carries_v4 && !is_documentation
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(networks: &[&str]) -> Reach {
        Reach(Networks::Within(networks.iter().map(|text| text.parse().unwrap()).collect()))
    }

    #[test]
    fn private_addresses_are_out_of_reach_unless_the_operator_allows_them() {
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "::ffff:10.0.0.1",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "64:ff9b::a00:1",
            "2002:a00:1::",
            "2001:0:1::",
        ] {
            assert!(!reach(&[]).admits(private.parse().unwrap()), "{private}");
        }
        for public in ["1.1.1.1", "52.95.110.1", "2606:4700::1111", "2a00:1450::1"] {
            assert!(reach(&[]).admits(public.parse().unwrap()), "{public}");
        }
        assert!(reach(&["10.0.0.0/8"]).admits("10.1.2.3".parse().unwrap()));
    }

    #[test]
    fn an_endpoint_is_bare_https_and_its_literal_is_looked_at() {
        let none = reach(&[]);
        assert_eq!(none.endpoint("https://S3.example:443/").unwrap(), "https://s3.example");
        assert_eq!(none.endpoint("https://s3.example:9000").unwrap(), "https://s3.example:9000");
        for (text, why) in [
            ("s3.example", BadEndpoint::Form),
            ("ftp://s3.example", BadEndpoint::Form),
            ("https://user@s3.example", BadEndpoint::Form),
            ("https://s3.example/path", BadEndpoint::Form),
            ("https://s3.example?x", BadEndpoint::Form),
            ("http://s3.example", BadEndpoint::Plain),
            ("http://localhost", BadEndpoint::Plain),
            ("https://10.0.0.1", BadEndpoint::Address),
            ("https://0x7f.1", BadEndpoint::Address),
            ("https://2130706433", BadEndpoint::Address),
            ("https://[::ffff:127.0.0.1]", BadEndpoint::Address),
            ("http://127.0.0.1:9000", BadEndpoint::Address),
        ] {
            assert_eq!(none.endpoint(text), Err(why), "{text}");
        }
        assert_eq!(reach(&["127.0.0.0/8"]).endpoint("http://127.0.0.1:9000").unwrap(), "http://127.0.0.1:9000");
    }

    #[tokio::test]
    async fn a_name_that_means_a_private_address_is_not_resolved() {
        let resolved = reach(&[]).resolve("localhost".parse().unwrap()).await;
        assert!(resolved.err().unwrap().to_string().contains("no bucket may be"));
        assert!(reach(&["127.0.0.0/8", "::1"]).resolve("localhost".parse().unwrap()).await.is_ok());
    }
}
