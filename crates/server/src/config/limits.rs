//! How often may be tried, and whose word is taken for who tries.

use super::Parser;
use crate::networks::{Network, Networks};

/// How often may be tried, within ten minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Mails to one address that one network asks for.
    pub sign_in_requests: u32,
    /// Links, codes and invitations that one network shows.
    pub sign_ins: u32,
    /// Sign-in mails that one address gets at once, whoever asks.
    pub sign_in_mails: u32,
}

impl Limits {
    /// What is in force when nobody says otherwise.
    pub const DEFAULT: Self = Self { sign_in_requests: 5, sign_ins: 20, sign_in_mails: 5 };
}

impl Parser<'_> {
    /// Nobody, unless somebody is named.
    pub(super) fn trusted_proxies(&mut self) -> Networks {
        let named = self.networks("trusted_proxies").or_nowhere();
        if named.named().iter().copied().any(Network::is_everything) {
            let what = "trusts everybody to say where they come from";
            self.fault("config.value", "trusted_proxies", what, "Name the networks of your own proxies");
        }
        named
    }

    pub(super) fn limits(&mut self) -> Option<Limits> {
        let mut most = |key| {
            let wanted = "a number from 1 to 10000";
            self.parsed(key, wanted, |text| text.parse().ok().filter(|most| (1..=10_000).contains(most)))
        };
        Some(Limits {
            sign_in_requests: most("limits.sign_in_requests")?,
            sign_ins: most("limits.sign_ins")?,
            sign_in_mails: most("limits.sign_in_mails")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Limits;
    use crate::config::{Draft, Environment, Mode, Settings};

    fn draft(environment: &Environment) -> (Draft, Vec<&'static str>) {
        let mut faults = Vec::new();
        let draft = Draft::parse(&Settings::defaults().environment(environment), Mode::Dev, &mut faults);
        (draft, faults.iter().map(|fault| fault.code).collect())
    }

    #[test]
    fn limits_have_the_defaults_of_the_table_and_proxies_have_none() {
        let (draft, faults) = draft(&Environment::default());
        assert_eq!((draft.limits, faults), (Some(Limits::DEFAULT), vec![]));
        assert!(!draft.trusted_proxies.admit(Some("127.0.0.1".parse().unwrap())));
    }

    #[test]
    fn no_limit_is_none_and_nobody_trusts_everybody() {
        for (variable, value) in [
            ("BAILIWICK_LIMITS_SIGN_INS", "0"),
            ("BAILIWICK_LIMITS_SIGN_IN_REQUESTS", "10001"),
            ("BAILIWICK_LIMITS_SIGN_IN_MAILS", "-1"),
            ("BAILIWICK_TRUSTED_PROXIES", "10.0.0.0/8,0.0.0.0/0"),
            ("BAILIWICK_TRUSTED_PROXIES", "::/0"),
            ("BAILIWICK_TRUSTED_PROXIES", "proxy.example"),
        ] {
            assert_eq!(draft(&Environment::from([(variable, value)])).1, ["config.value"], "{variable}={value}");
        }
        let (draft, faults) = draft(&Environment::from([("BAILIWICK_TRUSTED_PROXIES", "10.0.0.0/8, 2001:db8::1")]));
        assert_eq!(
            (draft.trusted_proxies.words(), faults),
            (vec!["10.0.0.0/8".to_owned(), "2001:db8::1/128".to_owned()], vec![])
        );
    }
}
