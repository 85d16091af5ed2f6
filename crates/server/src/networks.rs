//! From where something may be done: networks in CIDR notation (RFC 4632, RFC 4291 section 2.3).

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The most networks of one list.
pub const MAX_NETWORKS: usize = 32;
/// Where IPv4 begins within IPv4-mapped IPv6 (`::ffff:0:0/96`).
const MAPPED_BITS: u8 = 96;

/// A network, without host bits; an IPv4-mapped one is the IPv4 network that it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Network(IpNet);

/// The text is no network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a network is an address, or an address and a prefix length, such as 192.0.2.0/24 or 2001:db8::/32")]
pub struct InvalidNetwork;

impl Network {
    /// The network of so many bits around an address, by its kind: as much of where somebody is as is to be kept.
    #[must_use]
    pub fn around(address: IpAddr, v4_bits: u8, v6_bits: u8) -> Self {
        let address = address.to_canonical();
        let bits = if address.is_ipv4() { v4_bits } else { v6_bits };
        Self(IpNet::new(address, bits).map_or(IpNet::from(address), |network| network.trunc()))
    }

    fn contains(self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }

    /// Is every address of its kind in it?
    #[must_use]
    pub fn is_everything(self) -> bool {
        self.0.prefix_len() == 0
    }

    fn includes(self, other: Self) -> bool {
        self.0.contains(&other.0)
    }
}

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        let network = parsed.map_err(|_| InvalidNetwork)?.trunc();
        let mapped = match network {
            IpNet::V6(v6) => v6.addr().to_ipv4_mapped().zip(v6.prefix_len().checked_sub(MAPPED_BITS)),
            IpNet::V4(_) => None,
        };
        match mapped {
            Some((address, prefix)) => {
                Ipv4Net::new(address, prefix).map(|v4| Self(IpNet::V4(v4))).map_err(|_| InvalidNetwork)
            }
            None => Ok(Self(network)),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Serialize for Network {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// From where something may be done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Networks {
    /// Anywhere.
    #[default]
    Anywhere,
    /// From these alone; perhaps from none.
    Within(Vec<Network>),
}

impl Networks {
    /// As they are stored: no text means anywhere. A text that is no network admits nobody.
    #[must_use]
    pub fn from_words(words: &[String]) -> Self {
        if words.is_empty() {
            return Self::Anywhere;
        }
        Self::Within(words.iter().filter_map(|word| word.parse().ok()).collect())
    }

    /// These, each once and in order; none means anywhere.
    #[must_use]
    pub fn of(mut named: Vec<Network>) -> Self {
        if named.is_empty() {
            return Self::Anywhere;
        }
        named.sort_unstable();
        named.dedup();
        Self::Within(named)
    }

    /// The same where nothing said means nowhere.
    #[must_use]
    pub fn or_nowhere(self) -> Self {
        match self {
            Self::Anywhere => Self::Within(Vec::new()),
            named @ Self::Within(_) => named,
        }
    }

    /// Does it come from there? From an address that nobody knows: only if it may come from anywhere.
    #[must_use]
    pub fn admit(&self, from: Option<IpAddr>) -> bool {
        match self {
            Self::Anywhere => true,
            Self::Within(networks) => from.is_some_and(|from| networks.iter().any(|network| network.contains(from))),
        }
    }

    /// Is all of the other within this?
    #[must_use]
    pub fn include(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Anywhere, _) => true,
            (Self::Within(_), Self::Anywhere) => false,
            (Self::Within(own), Self::Within(other)) => {
                other.iter().all(|inner| own.iter().any(|outer| outer.includes(*inner)))
            }
        }
    }

    /// Those that are named.
    #[must_use]
    pub fn named(&self) -> &[Network] {
        match self {
            Self::Anywhere => &[],
            Self::Within(networks) => networks,
        }
    }

    /// As they are stored.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        self.named().iter().map(ToString::to_string).collect()
    }
}

impl Serialize for Networks {
    /// The list of networks.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.named().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Networks {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let networks = Self::of(Vec::deserialize(deserializer)?);
        if networks.named().len() > MAX_NETWORKS {
            return Err(serde::de::Error::custom(format!("at most {MAX_NETWORKS} networks")));
        }
        Ok(networks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(words: &[&str]) -> Networks {
        Networks::of(words.iter().map(|word| word.parse().unwrap()).collect())
    }

    #[test]
    fn one_spelling_for_each_network() {
        for (text, spelled) in [
            ("192.0.2.7/24", "192.0.2.0/24"),
            ("192.0.2.7", "192.0.2.7/32"),
            ("2001:DB8::1/32", "2001:db8::/32"),
            ("::1", "::1/128"),
            ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
            ("::ffff:192.0.2.9", "192.0.2.9/32"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("::/0", "::/0"),
        ] {
            assert_eq!(text.parse::<Network>().unwrap().to_string(), spelled, "{text}");
        }
        for bad in
            ["", "192.0.2.0/33", "192.0.2/24", "192.0.2.0/-1", "example.com", "::1/129", "fe80::1%eth0", "1.2.3.4/ 8"]
        {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
    }

    #[test]
    fn who_comes_from_where() {
        let check = |of: &[&str], from: &str, admitted: bool| {
            assert_eq!(networks(of).admit(Some(from.parse().unwrap())), admitted, "{from} of {of:?}");
        };
        check(&["192.0.2.0/24"], "192.0.2.255", true);
        check(&["192.0.2.0/24"], "192.0.3.0", false);
        check(&["192.0.2.0/24"], "::ffff:192.0.2.1", true);
        check(&["::ffff:192.0.2.0/120"], "192.0.2.1", true);
        check(&["2001:db8::/32", "198.51.100.7"], "2001:db8:ffff::1", true);
        check(&["2001:db8::/32", "198.51.100.7"], "198.51.100.8", false);
        check(&["::/0"], "192.0.2.1", false);
        check(&[], "192.0.2.1", true);
        assert!(!networks(&["0.0.0.0/0"]).admit(None), "an address that nobody knows is in no network");
        assert!(networks(&[]).admit(None));
        assert!(!Networks::from_words(&["nonsense".to_owned()]).admit(Some("192.0.2.1".parse().unwrap())));
    }

    #[test]
    fn nothing_is_within_what_is_narrower() {
        let office = networks(&["192.0.2.0/24", "2001:db8::/48"]);
        assert!(office.include(&networks(&["192.0.2.128/25", "2001:db8::1"])));
        assert!(!office.include(&networks(&["192.0.0.0/16"])));
        assert!(!office.include(&Networks::Anywhere) && Networks::Anywhere.include(&office));
    }
}
