//! The fields for labels and networks, which the making of a key and its change share.

use crate::api_keys::labels::Labels;
use crate::console::Field;
use crate::networks::{MAX_NETWORKS, Network, Networks};

/// As they are typed: a label or a network on each line.
#[derive(Default)]
pub(super) struct ConfinementFields {
    pub(super) labels: Field,
    pub(super) allowed_networks: Field,
}

/// As they are meant.
pub(super) struct Confinement {
    pub(super) labels: Labels,
    pub(super) allowed_networks: Networks,
}

impl ConfinementFields {
    pub(super) fn typed(labels: &str, allowed_networks: &str) -> Self {
        Self { labels: Field::typed(labels), allowed_networks: Field::typed(allowed_networks) }
    }

    pub(super) fn of(labels: &Labels, allowed_networks: &Networks) -> Self {
        let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        Self::typed(&labels.join("\n"), &allowed_networks.words().join("\n"))
    }

    pub(super) fn has_faults(&self) -> bool {
        self.labels.fault.is_some() || self.allowed_networks.fault.is_some()
    }

    /// Reads what was sent; notes beside its field what cannot be.
    pub(super) fn read(&mut self, labels: &str, networks: &str) -> Option<Confinement> {
        let labels = Labels::from_lines(labels);
        if let Err(why) = &labels {
            self.labels.fault = Some(format!("Write name=value, one on a line: {why}."));
        }
        let words = networks.split([',', ' ', '\n', '\r']).filter(|word| !word.is_empty());
        let networks: Option<Vec<Network>> = words.map(|word| word.parse().ok()).collect();
        let networks = networks.map(Networks::of).filter(|networks| networks.named().len() <= MAX_NETWORKS);
        if networks.is_none() {
            self.allowed_networks.fault =
                Some("Write up to 32 addresses or networks, such as 192.0.2.0/24, one on a line.".to_owned());
        }
        Some(Confinement { labels: labels.ok()?, allowed_networks: networks? })
    }
}
