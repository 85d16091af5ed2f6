//! What handlers share: the parts of the house, put together from the configuration.

use std::ops::Deref;
use std::sync::Arc;

use axum::extract::FromRef;
use metrics_exporter_prometheus::PrometheusHandle;

use crate::anchor::{AnchorError, AnchorStore};
use crate::audit::page::Parts as AuditParts;
use crate::audit::{Publisher, Readings, Streams};
use crate::authn::cookie::CookieStyle;
use crate::authn::{AccessTokens, InternalCredentials, TokenKeyError};
use crate::authz::Notary;
use crate::clock::Clock;
use crate::config::{Config, InternalKey, PublicUrl};
use crate::db::{Db, DbError};
use crate::entropy::Entropy;
use crate::erasure::Eraser;
use crate::factors::http::Toolbox;
use crate::feed::Feed;
use crate::http::health::{Draining, Overdue};
use crate::http::{Changes, Edge, Hosts};
use crate::identity::{Door, MailBudget, Refusals};
use crate::jobs::Queue;
use crate::ledger::{self, Ledger, LedgerError};
use crate::limits::Limits;
use crate::mail::Mailer;
use crate::members::invitations::http::Post as InvitationPost;
use crate::networks::Networks;
use crate::passkeys::{Bench, RelyingParty};
use crate::schema_watch::SchemaWatch;
use crate::server_rotation::{Rotation, RotationError};
use crate::server_secrets::{Known, ServerSecrets};
use crate::vault::{self, KekError, Keks, Vault, VaultError};

impl FromRef<AppState> for AuditParts {
    fn from_ref(state: &AppState) -> Self {
        Self::new(state.0.changes.clone(), state.0.ledger.clone())
    }
}

impl FromRef<AppState> for InvitationPost {
    fn from_ref(state: &AppState) -> Self {
        let Shared { queue, public_url, limits, .. } = &*state.0;
        Self { queue: queue.clone(), public_url: public_url.clone(), limits: limits.clone() }
    }
}

/// What handlers share; each takes the parts that it needs. One handle, for it is cloned with every request.
#[derive(Clone)]
pub struct AppState(Arc<Shared>);

/// The parts.
pub struct Shared {
    pub(crate) db: Db,
    pub(crate) schema_watch: SchemaWatch,
    pub(crate) server_secrets: ServerSecrets,
    tokens: AccessTokens,
    pub(crate) internal_credentials: InternalCredentials,
    pub(crate) vault: Vault,
    pub(crate) notary: Notary,
    changes: Changes,
    pub(crate) feed: Feed,
    pub(crate) ledger: Ledger,
    pub(crate) eraser: Eraser,
    pub(crate) queue: Queue,
    pub(crate) publisher: Publisher,
    readings: Readings,
    pub(crate) toolbox: Toolbox,
    pub(crate) streams: Streams,
    pub(crate) mailer: Mailer,
    limits: Limits,
    pub(crate) door: Door,
    bench: Bench,
    public_url: PublicUrl,
    pub(crate) draining: Draining,
    overdue: Overdue,
    pub(crate) metrics: PrometheusHandle,
    pub(crate) edge: Edge,
    pub(crate) private_edge: Edge,
}

impl Deref for AppState {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// Lets handlers ask for a part by its type.
macro_rules! parts {
    ($($field:ident: $part:ty),+ $(,)?) => {
        $(impl FromRef<AppState> for $part {
            fn from_ref(state: &AppState) -> Self {
                state.0.$field.clone()
            }
        })+
    };
}

parts! {
    db: Db,
    tokens: AccessTokens,
    internal_credentials: InternalCredentials,
    vault: Vault,
    notary: Notary,
    changes: Changes,
    feed: Feed,
    ledger: Ledger,
    eraser: Eraser,
    queue: Queue,
    readings: Readings,
    toolbox: Toolbox,
    streams: Streams,
    mailer: Mailer,
    limits: Limits,
    door: Door,
    bench: Bench,
    public_url: PublicUrl,
    draining: Draining,
    overdue: Overdue,
    metrics: PrometheusHandle,
    edge: Edge,
}

/// What the composition is made of besides the configuration.
pub struct Parts {
    /// Delivers mail.
    pub mailer: Mailer,
    /// Tells the time.
    pub clock: Clock,
    /// Gives randomness.
    pub entropy: Entropy,
    /// Renders metrics.
    pub metrics: PrometheusHandle,
}

/// Why the parts do not fit together.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The server's own secrets are not to be had.
    #[error(transparent)]
    Secrets(#[from] RotationError),
    /// See [`TokenKeyError`].
    #[error(transparent)]
    TokenKey(#[from] TokenKeyError),
    /// The KEK's keeper is not to be had.
    #[error(transparent)]
    Kek(#[from] KekError),
    /// The cell's own keys do not open.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// A database URL cannot be read.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The anchor store does not serve.
    #[error(transparent)]
    Anchor(#[from] AnchorError),
    /// See [`LedgerError`]: among others, the database is older than what was signed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl AppState {
    /// Puts the parts together, and compares the database with the journal of what was signed.
    ///
    /// # Errors
    /// See [`BuildError`].
    pub async fn build(config: &Config, parts: Parts) -> Result<Self, BuildError> {
        let Parts { mailer, clock, entropy, metrics } = parts;
        let database = &config.database;
        let cookies = CookieStyle { secure: config.public_url.is_https() };
        let edge = |hosts: Hosts, proxies, for_browsers| Edge {
            clock: clock.clone(),
            entropy: entropy.clone(),
            hosts,
            cookies,
            proxies,
            for_browsers,
        };
        let db = Db::connect(&database.runtime_url, &database.system_url, database.pool_size, database.pooler)?;
        let default_name = config.public_url.authority();
        let facts = ledger::establish(&db, &clock, &entropy, config.log_name.as_deref(), default_name).await?;
        let anchor = AnchorStore::open(&config.anchor, &entropy).await?;
        let vault = Vault::open(vault::Parts {
            db: db.clone(),
            keks: Keks::configured(&config.vault, config.vault.keeper, &entropy)?,
            anchor: anchor.clone(),
            cell: facts.id,
            lifetime: config.vault.key_lifetime,
            clock: clock.clone(),
            entropy: entropy.clone(),
        })
        .await?;
        let notary = Notary::open(&vault).await?;
        let schema_watch = SchemaWatch::new(db.clone(), anchor.clone(), facts.id, vault.alerts().clone());
        let feed = Feed::new(db.clone(), notary.clone(), &clock, &entropy);
        let ledger = Ledger::open(ledger::Parts {
            db: db.clone(),
            vault: vault.clone(),
            clock: clock.clone(),
            entropy: entropy.clone(),
            anchor,
            facts,
        })
        .await?
        .witnessed(config.witness_policy.clone());
        let configured = config.secrets.internal_key.as_ref();
        let internal_credentials = InternalCredentials::new(
            db.clone(),
            notary.clone(),
            clock.clone(),
            configured.map(InternalKey::secret),
            config.internal_networks.clone(),
        );
        let server_secrets = ServerSecrets::new(db.clone(), vault.clone());
        let known = Rotation::new(server_secrets.clone(), clock.clone(), entropy.clone()).establish().await?;
        let tokens = AccessTokens::new(config.public_url.origin());
        tokens.learn(&known)?;
        mailer.learn(&known);
        let changes = Changes {
            db: db.clone(),
            entropy: entropy.clone(),
            vault: vault.clone(),
            notary: notary.clone(),
            feed: feed.clone(),
        };
        let eraser = Eraser {
            db: db.clone(),
            vault: vault.clone(),
            ledger: ledger.clone(),
            notary: notary.clone(),
            clock: clock.clone(),
            entropy: entropy.clone(),
        };
        let limits = Limits::new(config.limits, &entropy, clock.now());
        let overdue = ledger.pulse().overdue().clone();
        let queue = Queue::new(vault.clone(), entropy.clone());
        let published = config.publish.as_ref().map(|place| AnchorStore::at(place, &entropy)).transpose()?;
        let alerts = vault.alerts().clone();
        let publisher = Publisher::new(db.clone(), ledger.clone(), clock.clone(), alerts, published);
        let refusals = Refusals::new(db.clone(), clock.clone(), entropy.clone());
        let door = Door {
            refusals,
            db: db.clone(),
            notary: notary.clone(),
            queue: queue.clone(),
            tokens: tokens.clone(),
            entropy: entropy.clone(),
            public_url: config.public_url.clone(),
            mails: MailBudget::of(config.limits),
            limits: limits.clone(),
        };
        let bench = Bench {
            changes: changes.clone(),
            party: RelyingParty::of(&config.public_url),
            tokens: tokens.clone(),
            queue: queue.clone(),
            refusals: door.refusals.clone(),
        };
        let toolbox = Toolbox::new(changes.clone(), tokens.clone(), queue.clone(), limits.clone());
        let streams = Streams {
            db: db.clone(),
            vault: vault.clone(),
            ledger: ledger.clone(),
            queue: queue.clone(),
            clock: clock.clone(),
            entropy: entropy.clone(),
            networks: config.stream_networks.clone(),
        };
        Ok(Self(Arc::new(Shared {
            ledger,
            eraser,
            queue,
            publisher,
            readings: Readings::new(db.clone(), entropy.clone()),
            toolbox,
            streams,
            changes,
            feed,
            db,
            vault,
            notary,
            schema_watch,
            server_secrets,
            tokens,
            internal_credentials,
            public_url: config.public_url.clone(),
            draining: Draining::default(),
            overdue,
            limits,
            door,
            bench,
            edge: edge(Hosts::of(config.allowed_hosts.clone()), config.trusted_proxies.clone(), true),
            // Who asks there is known by the socket alone.
            private_edge: edge(Hosts::of(private_hosts(config)), Networks::default().or_nowhere(), false),
            mailer,
            metrics,
        })))
    }
}

impl Shared {
    /// What is new of the server's own secrets goes to those that use them.
    pub(crate) fn learn(&self, known: &Known) {
        if self.tokens.learn(known).is_err() {
            tracing::error!(event = "server_secrets.no_token_key");
        }
        self.mailer.learn(known);
    }

    /// Who gives the server's own secrets successors.
    pub(crate) fn rotation(&self) -> Rotation {
        Rotation::new(self.server_secrets.clone(), self.edge.clock.clone(), self.edge.entropy.clone())
    }
}

/// The private listener answers to its own address, to the names that it was given, and to `localhost` where it listens
/// there.
fn private_hosts(config: &Config) -> Vec<String> {
    let port = config.private_listen.port();
    let mut hosts = vec![config.private_listen.to_string()];
    hosts.extend(config.private_hosts.iter().cloned());
    if config.private_listen.ip().is_loopback() || config.private_listen.ip().is_unspecified() {
        hosts.extend([format!("localhost:{port}"), format!("127.0.0.1:{port}"), format!("[::1]:{port}")]);
    }
    hosts
}
