//! The operator's own services, by their internal credential.
//!
//! # Invariants
//! - A credential that is not well made is refused without a lookup.
//! - What was looked up is believed for [`LIFETIME`], counted from before the question was asked, and not a moment
//!   longer: a credential that was revoked, or has ended, is refused by every node after that time, and so is every
//!   credential while the database is away.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bailiwick_proof::internal_key::{INTERNAL_KEY_PREFIX, PlainInternalKey};
use secrecy::{ExposeSecret, SecretString};

use super::{TokenDigest, sql};
use crate::authz::{Audience, Audiences, Notary};
use crate::clock::Clock;
use crate::db::{Db, DbError, OperationalPath};
use crate::networks::Networks;

/// How long a node believes what it has looked up.
pub const LIFETIME: Duration = Duration::from_secs(1);
/// Credentials that a node remembers at once.
const REMEMBERED: usize = 1024;
/// Who the configured credential is, in metrics and log lines.
const CONFIGURED: &str = "configured";

/// A service of the operator's whose credential was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    pub(super) name: Arc<str>,
    pub(super) audiences: Audiences,
}

/// Why a service is not let in.
#[derive(Debug, thiserror::Error)]
pub enum ServiceRefusal {
    /// No credential of ours.
    #[error("unknown")]
    Unknown,
    /// Nobody may ask from there.
    #[error("not from this address")]
    Address,
    /// The lookup failed, so the answer is no.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// Why a service may not ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AudienceRefusal {
    /// It named an audience that its credential does not have.
    NotIts,
    /// It named none, and its credential has several.
    Unnamed,
}

impl Service {
    /// The operator's word for it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// For which audience it asks: the one that it names, or the only one that it has.
    ///
    /// # Errors
    /// See [`AudienceRefusal`].
    pub fn asks_for(&self, named: Option<Audience>) -> Result<Option<Audience>, AudienceRefusal> {
        match (&self.audiences, named) {
            (Audiences::All, named) => Ok(named),
            (Audiences::Only(own), None) => match own.as_slice() {
                [only] => Ok(Some(only.clone())),
                _ => Err(AudienceRefusal::Unnamed),
            },
            (audiences @ Audiences::Only(_), Some(named)) => {
                if audiences.admit(Some(&named)) {
                    Ok(Some(named))
                } else {
                    Err(AudienceRefusal::NotIts)
                }
            }
        }
    }
}

/// The credentials of the operator's services: those in the database, and the one of the configuration, if there is one.
#[derive(Clone)]
pub struct InternalCredentials(Arc<Inner>);

struct Inner {
    db: Db,
    notary: Notary,
    clock: Clock,
    configured: Option<(TokenDigest, Service)>,
    networks: Networks,
    known: Mutex<HashMap<[u8; 32], Known>>,
}

struct Known {
    service: Service,
    asked: Instant,
    /// Somebody is asking again; the others go on with this until its time is over.
    renewed: bool,
}

impl InternalCredentials {
    /// With the configured credential, which has every audience, and the networks from which anybody may ask.
    #[must_use]
    pub fn new(db: Db, notary: Notary, clock: Clock, configured: Option<&SecretString>, networks: Networks) -> Self {
        let service = || Service { name: CONFIGURED.into(), audiences: Audiences::All };
        let configured = configured.map(|key| (TokenDigest::of(key.expose_secret().as_bytes()), service()));
        Self(Arc::new(Inner { db, notary, clock, configured, networks, known: Mutex::default() }))
    }

    /// Whose credential is this, shown by this peer of our socket?
    ///
    /// # Errors
    /// See [`ServiceRefusal`].
    pub async fn authenticate(&self, text: &str, peer: Option<IpAddr>) -> Result<Service, ServiceRefusal> {
        if !self.0.networks.admit(peer) {
            return Err(ServiceRefusal::Address);
        }
        let digest = TokenDigest::of(text.as_bytes());
        if let Some((configured, service)) = &self.0.configured
            && configured.matches(digest.bytes())
        {
            return Ok(service.clone());
        }
        if !text.starts_with(INTERNAL_KEY_PREFIX) || text.parse::<PlainInternalKey>().is_err() {
            return Err(ServiceRefusal::Unknown);
        }
        match self.remembered(&digest) {
            Some((service, false)) => Ok(service),
            // Whoever asks early has what is still believed to fall back on.
            Some((service, true)) => match Box::pin(self.look_up(&digest)).await {
                Err(ServiceRefusal::Db(_)) if self.remembered(&digest).is_some() => Ok(service),
                answer => answer,
            },
            None => Box::pin(self.look_up(&digest)).await,
        }
    }

    /// The same, where memory can tell and nobody has to ask again.
    #[must_use]
    pub fn at_hand(&self, text: &str, peer: Option<IpAddr>) -> Option<Service> {
        if !self.0.networks.admit(peer) {
            return None;
        }
        let digest = TokenDigest::of(text.as_bytes());
        if let Some((configured, service)) = &self.0.configured
            && configured.matches(digest.bytes())
        {
            return Some(service.clone());
        }
        let known = self.0.known.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known.get(digest.bytes())?;
        let age = found.asked.elapsed();
        (age < LIFETIME / 2 || (found.renewed && age < LIFETIME)).then(|| found.service.clone())
    }

    /// What is still believed, and whether the caller is to ask again: of those who come in the second half of its time
    /// the first.
    fn remembered(&self, digest: &TokenDigest) -> Option<(Service, bool)> {
        let mut known = self.0.known.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known.get_mut(digest.bytes()).filter(|found| found.asked.elapsed() < LIFETIME)?;
        let renew = found.asked.elapsed() >= LIFETIME / 2 && !std::mem::replace(&mut found.renewed, true);
        Some((found.service.clone(), renew))
    }

    async fn look_up(&self, digest: &TokenDigest) -> Result<Service, ServiceRefusal> {
        let asked = Instant::now();
        let mut tx = self.0.db.system_tx(OperationalPath::AuthenticateService).await?;
        let found = sql::service_by_digest(&mut tx, &self.0.notary, digest, self.0.clock.now()).await?;
        tx.finish_reading().await?;
        let mut known = self.0.known.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(service) = found else {
            known.remove(digest.bytes());
            return Err(ServiceRefusal::Unknown);
        };
        if known.len() >= REMEMBERED {
            known.retain(|_, other| other.asked.elapsed() < LIFETIME);
        }
        // An answer that was overtaken by a later one is not the newest.
        let newest = known.get(digest.bytes()).is_none_or(|other| other.asked <= asked);
        if newest && known.len() < REMEMBERED {
            known.insert(*digest.bytes(), Known { service: service.clone(), asked, renewed: false });
        }
        Ok(service)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_asks_for_its_own_audiences_alone() {
        let service = |audiences: &[&str]| Service {
            name: "gateway".into(),
            audiences: Audiences::of(audiences.iter().map(|word| word.parse().unwrap()).collect()),
        };
        let billing: Audience = "billing".parse().unwrap();
        assert_eq!(service(&["billing"]).asks_for(None), Ok(Some(billing.clone())));
        assert_eq!(service(&["billing", "mail"]).asks_for(None), Err(AudienceRefusal::Unnamed));
        assert_eq!(service(&["billing", "mail"]).asks_for(Some(billing.clone())), Ok(Some(billing.clone())));
        assert_eq!(service(&["mail"]).asks_for(Some(billing.clone())), Err(AudienceRefusal::NotIts));
        assert_eq!(service(&[]).asks_for(None), Ok(None), "the configured one");
        assert_eq!(service(&[]).asks_for(Some(billing.clone())), Ok(Some(billing)));
    }
}
