//! The server's own secrets get successors while it runs, each with an entry in the cell's log: the receipt.
//!
//! 1. The successor is added, and both serve: within [`POLL`](crate::server_secrets::POLL) every node knows it.
//! 2. A token key signs [`LEAD`] later, when no node is without it.
//! 3. The older one is refused when the last token that it signed has ended; at once when somebody may have it.
//! 4. Its value is destroyed, by the job `server_secrets.destroy`, with an entry. What is signed with it afterwards is
//!    counted (`bailiwick_tokens_of_ended_keys_total`).

use std::fmt;

use bailiwick_proof::id::EventId;
use secrecy::ExposeSecret as _;
use serde_json::json;
use time::{Duration, OffsetDateTime};
use zeroize::Zeroizing;

use crate::authn::{ACCESS_TOKEN_TTL, make_token_key};
use crate::authz::PermissionSet;
use crate::clock::Clock;
use crate::config::SmtpUrl;
use crate::context::RequestContext;
use crate::db::{DbError, OperationalPath, Unrecorded};
use crate::entropy::Entropy;
use crate::jobs::{Claimed, Done, Failure, InCell, Job, Policy};
use crate::ledger::{self, Action, Entry, OPERATOR};
use crate::secrets::Reason;
use crate::server_secrets::{Known, Purpose, SecretsError, ServerSecrets, Version};

/// So long a new token key is known before it signs: to every node, and to whoever fetches the published keys, keeps them as
/// long as they were told to, and fetches no more than twice a minute.
pub const LEAD: Duration = Duration::minutes(1);
/// So long an older way to the mail server may be in use: a node that looks late, and the mail that it is sending.
const MAIL_OVERLAP: Duration = Duration::minutes(2);

/// Why nothing was rotated.
#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    /// See [`SecretsError`].
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
    /// Two at once: the other one is in effect.
    #[error("another rotation of the same secret was made at this moment; see `bailiwickd rotate status`")]
    Overtaken,
    /// The generator failed.
    #[error("no key can be made")]
    Make,
    /// The database has token keys, and none of them opens.
    #[error("no token key opens: was it sealed by another cell's key? `bailiwickd rotate token-key` makes a new one")]
    NoneOpens,
}

/// What a rotation has done.
#[derive(Clone, Debug)]
pub struct Rotated {
    /// The entry in the cell's log.
    pub event: EventId,
    /// The new version.
    pub number: u32,
    /// Serves since then.
    pub used_from: OffsetDateTime,
    /// Those before it are taken until then.
    pub older_until: OffsetDateTime,
}

/// Who rotates what is in the house: the secrets, the time and the chance.
#[derive(Clone)]
pub struct Rotation {
    secrets: ServerSecrets,
    clock: Clock,
    entropy: Entropy,
}

impl fmt::Debug for Rotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rotation")
    }
}

impl Rotation {
    /// Of these secrets.
    #[must_use]
    pub const fn new(secrets: ServerSecrets, clock: Clock, entropy: Entropy) -> Self {
        Self { secrets, clock, entropy }
    }

    /// Everything that opens, after a first token key was made if there was none.
    ///
    /// # Errors
    /// See [`RotationError`].
    pub async fn establish(&self) -> Result<Known, RotationError> {
        for _ in 0..2 {
            if let Some(known) = self.secrets.look().await?.filter(|known| !known.of(Purpose::TokenKey).is_empty()) {
                return Ok(known);
            }
            match self.first_token_key().await {
                // Another node was first.
                Ok(()) | Err(RotationError::Overtaken) => {}
                Err(error) => return Err(error),
            }
        }
        Err(RotationError::NoneOpens)
    }

    async fn first_token_key(&self) -> Result<(), RotationError> {
        if self.secrets.list().await?.iter().any(|listed| listed.purpose == Purpose::TokenKey.as_str()) {
            return Err(RotationError::NoneOpens);
        }
        let (_, value) = make_token_key().map_err(|_| RotationError::Make)?;
        let now = self.clock.now();
        let version = Version { number: 1, value, used_from: now, older_until: now };
        let mut tx = self.secrets.db().system_tx(OperationalPath::RotateServerSecrets).await?;
        self.secrets.add(&mut tx, Purpose::TokenKey, &version, now).await.map_err(overtaken)?;
        Ok(tx.commit_unrecorded(Unrecorded::Keyed).await?)
    }

    /// A new key signs access tokens. The one before it is taken for as long as its tokens live, or for no moment longer
    /// when it is `exposed`: then every access token is refused, and whoever has a refresh token gets another.
    ///
    /// # Errors
    /// See [`RotationError`].
    pub async fn token_key(&self, reason: Reason, exposed: bool) -> Result<Rotated, RotationError> {
        let (kid, pkcs8) = make_token_key().map_err(|_| RotationError::Make)?;
        let used_from = self.clock.now() + LEAD;
        // Since ever: a node whose clock is behind refuses the exposed one too.
        let ever = OffsetDateTime::UNIX_EPOCH;
        let times = if exposed { (ever, ever) } else { (used_from, used_from + ACCESS_TOKEN_TTL) };
        self.add(Purpose::TokenKey, reason, pkcs8, times, Some(&kid)).await
    }

    /// Mail goes another way from now on; the configured one when nothing is given.
    ///
    /// # Errors
    /// See [`RotationError`].
    pub async fn mail(&self, reason: Reason, url: Option<&SmtpUrl>) -> Result<Rotated, RotationError> {
        let value = url.map_or_else(Vec::new, |url| url.secret().expose_secret().as_bytes().to_vec());
        let now = self.clock.now();
        self.add(Purpose::Mail, reason, Zeroizing::new(value), (now, now + MAIL_OVERLAP), None).await
    }

    async fn add(
        &self,
        purpose: Purpose,
        reason: Reason,
        value: Zeroizing<Vec<u8>>,
        (used_from, older_until): (OffsetDateTime, OffsetDateTime),
        kid: Option<&str>,
    ) -> Result<Rotated, RotationError> {
        let context = RequestContext::internal(&self.clock, &self.entropy);
        let mut tx = self.secrets.db().system_tx(OperationalPath::RotateServerSecrets).await?;
        let number = self.secrets.highest(&mut tx, purpose).await?.unwrap_or_default().saturating_add(1);
        let version = Version { number, value, used_from, older_until };
        self.secrets.add(&mut tx, purpose, &version, context.received_at).await.map_err(overtaken)?;
        let entry = Entry::about(Action::ServerSecretRotated, purpose.as_str()).with(json!({
            "version": number, "reason": reason.as_str(), "kid": kid,
            "used_from": used_from.unix_timestamp(), "older_until": older_until.unix_timestamp(),
        }));
        let (event, recorded) = ledger::stage_in_cell_told(&mut tx, &self.entropy, &context, OPERATOR, &entry).await?;
        tx.commit(recorded).await?;
        Ok(Rotated { event, number, used_from, older_until })
    }

    /// Destroys the values of versions that have ended; answers how many.
    ///
    /// # Errors
    /// See [`RotationError`].
    pub async fn destroy_ended(&self) -> Result<usize, RotationError> {
        let known = self.secrets.all().await?;
        let context = RequestContext::internal(&self.clock, &self.entropy);
        let mut destroyed = 0;
        for purpose in [Purpose::TokenKey, Purpose::Mail] {
            let has_ended = |number| known.ends_at(purpose, number).is_some_and(|end| end <= context.received_at);
            let ended = known.of(purpose).iter().map(|version| version.number).filter(|number| has_ended(*number));
            let ended: Vec<u32> = ended.collect();
            if ended.is_empty() {
                continue;
            }
            let mut tx = self.secrets.db().system_tx(OperationalPath::RotateServerSecrets).await?;
            let gone = self.secrets.destroy(&mut tx, purpose, &ended, context.received_at).await?;
            destroyed += gone.len();
            let entry = Entry::about(Action::ServerSecretDestroyed, purpose.as_str()).with(json!({"versions": gone}));
            let recorded = ledger::stage_in_cell(&mut tx, &self.entropy, &context, OPERATOR, &entry).await?;
            tx.commit(recorded).await?;
        }
        Ok(destroyed)
    }
}

fn overtaken(error: SecretsError) -> RotationError {
    match error {
        SecretsError::Db(DbError::Constraint { .. }) => RotationError::Overtaken,
        error => error.into(),
    }
}

/// The job `server_secrets.destroy`.
#[derive(Debug)]
pub struct DestroyEnded(pub Rotation);

impl Job for DestroyEnded {
    const KIND: &'static str = "server_secrets.destroy";
    const POLICY: Policy = Policy::QUICK;
    const PERMISSIONS: PermissionSet = PermissionSet::NONE;
    type Place = InCell;
    type Payload = ();

    async fn run(&self, claimed: Claimed<Self>, (): ()) -> Result<Done, Failure> {
        match self.0.destroy_ended().await {
            Ok(_) => Ok(claimed.done()),
            Err(error) => {
                tracing::warn!(event = "server_secrets.not_destroyed", cause = %error);
                Err(Failure::again("unavailable"))
            }
        }
    }
}
