//! How often a route may be called: by whom, within ten minutes or an hour, counted exactly, in memory of a fixed size.
//!
//! # Invariants
//! - What counts at the door is the pair of address and network, or the network, or who is signed in: never an address alone, or whoever knows
//!   it could lock its owner out. A network is an IPv4 address, or the 64 bits of an IPv6 address that one customer has to themselves.
//! - There a limit is asked before anything is looked up, and answers alike whatever would be found.
//! - Invitations are counted where their mail would go out, by person and address, and by address: that keeps a mailbox from being flooded and
//!   nobody from signing in.
//! - Waiting for as long as `Retry-After` says is enough; what a limit refuses it does not count.
//! - No address stands in the tables: keys are hashes under a secret of this process.
//!
//! Each node counts for itself. The fields are those of draft-ietf-httpapi-ratelimit-headers-11.

mod windows;

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use axum::http::{HeaderName, HeaderValue, header};
use bailiwick_proof::id::UserId;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use self::windows::{Standing, Windows};
use crate::config;
use crate::context::RequestContext;
use crate::entropy::Entropy;
use crate::http::{Code, Problem};

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// The window of most limits.
const TEN_MINUTES: u32 = 600;
/// The window of invitations.
const HOUR: u32 = 3_600;
/// The most that each table takes: some five million hits within a window, so ten thousand in a second.
const TABLE_BYTES: usize = 32 << 20;
/// The page of the door asks for a challenge before anybody presses anything.
const CHALLENGES_A_SIGN_IN: u32 = 5;
const MOST_CHALLENGES: u32 = 10_000;
/// What a person begins on their own account: each one is a row, and some are a mail.
const MOST_CHANGES: u32 = 60;
/// Invitations that a person has sent to one address within an hour, whatever the workspace.
const MOST_INVITATIONS: u32 = 3;
/// The same of all persons: more than one of them can use up.
const MOST_INVITATIONS_TO_ONE: u32 = 6;
/// A program asks every five seconds.
const POLLS_A_SIGN_IN: u32 = 120;
const MOST_POLLS: u32 = 10_000;
/// Of an IPv6 address, what names a network.
const NETWORK_BITS: u32 = 64;

/// The limits of this process. A clone counts with it.
#[derive(Clone)]
pub struct Limits(Arc<Tables>);

struct Tables {
    requests: Limit,
    sign_ins: Limit,
    passkey_challenges: Limit,
    device_polls: Limit,
    account_changes: Limit,
    invitations: Limit,
    invited_addresses: Limit,
}

struct Limit {
    name: &'static str,
    most: u32,
    span: u32,
    windows: Windows,
}

/// How it stands with a limit, for whoever is within it.
#[derive(Clone, Copy, Debug)]
pub struct Allowance {
    name: &'static str,
    most: u32,
    span: u32,
    left: u32,
    more_in: u32,
}

/// A limit is reached. Nothing was counted.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the limit {} is reached for {} s", .0.name, .0.more_in)]
pub struct Limited(Allowance);

impl Limits {
    /// With nothing counted yet.
    #[must_use]
    pub fn new(most: config::Limits, entropy: &Entropy, now: OffsetDateTime) -> Self {
        let within = |span, name, most| {
            let windows = Windows::new(most, span, TABLE_BYTES, entropy, now);
            Limit { name, most, span, windows }
        };
        let limit = |name, most| within(TEN_MINUTES, name, most);
        Self(Arc::new(Tables {
            requests: limit("sign-in-requests", most.sign_in_requests),
            sign_ins: limit("sign-ins", most.sign_ins),
            passkey_challenges: limit(
                "passkey-challenges",
                most.sign_ins.saturating_mul(CHALLENGES_A_SIGN_IN).min(MOST_CHALLENGES),
            ),
            device_polls: limit("device-polls", most.sign_ins.saturating_mul(POLLS_A_SIGN_IN).min(MOST_POLLS)),
            account_changes: limit("account-changes", MOST_CHANGES),
            invitations: within(HOUR, "invitations", MOST_INVITATIONS),
            invited_addresses: within(HOUR, "invited-addresses", MOST_INVITATIONS_TO_ONE),
        }))
    }

    /// Somebody asks for a mail to this address, which is given as addresses are compared.
    ///
    /// # Errors
    /// [`Limited`] when this network has asked for it too often.
    pub fn ask(&self, context: &RequestContext, email_key: &str) -> Result<Allowance, Limited> {
        let mut key = network(context.client_ip).to_vec();
        key.extend_from_slice(email_key.as_bytes());
        self.0.requests.hit(&key, context.received_at)
    }

    /// Somebody asks to be challenged for a passkey.
    ///
    /// # Errors
    /// [`Limited`] when this network has asked too often.
    pub fn challenge(&self, context: &RequestContext) -> Result<Allowance, Limited> {
        self.0.passkey_challenges.hit(&network(context.client_ip), context.received_at)
    }

    /// A program asks whether it was let in.
    ///
    /// # Errors
    /// [`Limited`] when this network has asked too often.
    pub fn poll(&self, context: &RequestContext) -> Result<Allowance, Limited> {
        self.0.device_polls.hit(&network(context.client_ip), context.received_at)
    }

    /// A person who is signed in changes what they sign in with, proves themselves once more, or invites somebody.
    ///
    /// # Errors
    /// [`Limited`] when they have done so too often, from wherever.
    pub fn change(&self, context: &RequestContext, person: UserId) -> Result<Allowance, Limited> {
        self.0.account_changes.hit(person.uuid().as_bytes(), context.received_at)
    }

    /// An invitation is about to be sent to this address, which is given as addresses are compared.
    ///
    /// # Errors
    /// [`Limited`] when this person, or all together, have sent it too many.
    pub fn invite(&self, context: &RequestContext, by: Uuid, email_key: &str) -> Result<(), Limited> {
        let mut pair = by.as_bytes().to_vec();
        pair.extend_from_slice(email_key.as_bytes());
        self.0.invitations.hit(&pair, context.received_at)?;
        self.0.invited_addresses.hit(email_key.as_bytes(), context.received_at).map(drop)
    }

    /// Somebody shows a link, a code, a passkey or an invitation.
    ///
    /// # Errors
    /// [`Limited`] when this network has shown too many.
    pub fn redeem(&self, context: &RequestContext) -> Result<Allowance, Limited> {
        self.0.sign_ins.hit(&network(context.client_ip), context.received_at)
    }
}

impl Limit {
    fn hit(&self, key: &[u8], at: OffsetDateTime) -> Result<Allowance, Limited> {
        let Standing { taken, left, more_in } = self.windows.hit(key, at);
        let allowance = Allowance { name: self.name, most: self.most, span: self.span, left, more_in };
        if taken {
            return Ok(allowance);
        }
        metrics::counter!("bailiwick_rate_limited_total", "limit" => self.name).increment(1);
        Err(Limited(allowance))
    }
}

/// Who is counted together.
fn network(address: Option<IpAddr>) -> [u8; 16] {
    let address = match address.map(|address| address.to_canonical()) {
        // Those of whom nobody knows where they are share one.
        None => Ipv6Addr::UNSPECIFIED,
        Some(IpAddr::V4(v4)) => v4.to_ipv6_mapped(),
        Some(IpAddr::V6(v6)) => Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << (u128::BITS - NETWORK_BITS))),
    };
    address.octets()
}

impl Allowance {
    /// What every answer of the route tells.
    #[must_use]
    pub fn headers(self) -> [(HeaderName, HeaderValue); 2] {
        let Self { name, most, span, left, more_in } = self;
        let value = |text: String| HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""));
        [
            (RATE_LIMIT_POLICY, value(format!("\"{name}\";q={most};w={span}"))),
            (RATE_LIMIT, value(format!("\"{name}\";r={left};t={more_in}"))),
        ]
    }

    /// The same on a problem.
    #[must_use]
    pub fn on(self, problem: impl Into<Problem>) -> Problem {
        self.headers().into_iter().fold(problem.into(), |problem, (name, value)| problem.header(name, value))
    }
}

impl Limited {
    /// After which time it may be tried again.
    #[must_use]
    pub fn wait(self) -> Duration {
        Duration::seconds(self.0.more_in.into())
    }

    /// What the answer tells, on a page as on a problem.
    #[must_use]
    pub fn headers(self) -> [(HeaderName, HeaderValue); 3] {
        let [policy, limit] = self.0.headers();
        [policy, limit, (header::RETRY_AFTER, HeaderValue::from(self.0.more_in))]
    }

    /// The wait, as a person reads it: rounded up to whole minutes where there are several.
    #[must_use]
    pub fn in_words(self) -> String {
        match self.0.more_in {
            1 => "a second".to_owned(),
            seconds @ 2..=90 => format!("{seconds} seconds"),
            // A window of ten minutes ends within the second after them: nobody is told of eleven.
            seconds => format!("{} minutes", seconds.saturating_sub(1).div_ceil(60)),
        }
    }
}

impl From<Limited> for Problem {
    fn from(limited: Limited) -> Self {
        let within = if limited.0.span == HOUR { "an hour" } else { "ten minutes" };
        let detail = format!("Too often within {within}. Try again in {}.", limited.in_words());
        let problem = Self::new(Code::RateLimited).detail(detail);
        limited.headers().into_iter().fold(problem, |problem, (name, value)| problem.header(name, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_counted_together() {
        let of = |text: &str| network(Some(text.parse().unwrap()));
        assert_eq!(of("192.0.2.1"), of("::ffff:192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_ne!(network(None), of("0.0.0.0"));
    }

    #[test]
    fn what_is_told_is_structured_fields() {
        let allowance = Allowance { name: "sign-ins", most: 20, span: TEN_MINUTES, left: 0, more_in: 100 };
        let told = Limited(allowance).headers().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()));
        assert_eq!(
            told,
            ["ratelimit-policy: \"sign-ins\";q=20;w=600", "ratelimit: \"sign-ins\";r=0;t=100", "retry-after: 100"]
        );
        let words = |more_in| Limited(Allowance { more_in, ..allowance }).in_words();
        let told = [1, 59, 91, 600, 601].map(words);
        assert_eq!(told, ["a second", "59 seconds", "2 minutes", "10 minutes", "10 minutes"]);
    }
}
