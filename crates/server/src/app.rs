//! The composition root: puts the parts together and serves them on two listeners.

use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use axum::Router;
use axum::extract::FromRef;
use axum_server::Handle;
use hyper_util::rt::TokioTimer;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::task::JoinSet;

use crate::authn::cookie::CookieStyle;
use crate::authn::{AccessTokens, InternalKey, TokenKeyError};
use crate::clock::Clock;
use crate::config::{Config, PublicUrl};
use crate::db::{Db, DbError};
use crate::entropy::Entropy;
use crate::http::health::Draining;
use crate::http::{Edge, Hosts};
use crate::mail::Mailer;
use crate::vault::{LocalSeal, SealError};
use crate::{housekeeping, router};

/// How long requests may take to end once the server stops.
const DRAIN: Duration = Duration::from_secs(10);
/// How long a client may take to send its headers.
const HEADER_DEADLINE: Duration = Duration::from_secs(10);

/// What handlers share. Cheap to clone; each takes the parts that it needs.
#[derive(Clone, FromRef)]
pub struct App {
    db: Db,
    entropy: Entropy,
    tokens: AccessTokens,
    internal_key: InternalKey,
    seal: LocalSeal,
    mailer: Mailer,
    public_url: PublicUrl,
    draining: Draining,
    metrics: PrometheusHandle,
    pub(crate) edge: Edge,
    #[from_ref(skip)]
    pub(crate) private_edge: Edge,
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
    /// See [`TokenKeyError`].
    #[error(transparent)]
    TokenKey(#[from] TokenKeyError),
    /// The sealing key has not 32 bytes.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// A database URL cannot be read.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl App {
    /// Puts the parts together; opens no connection yet.
    ///
    /// # Errors
    /// See [`BuildError`].
    pub fn build(config: &Config, parts: Parts) -> Result<Self, BuildError> {
        let Parts { mailer, clock, entropy, metrics } = parts;
        let database = &config.database;
        let cookies = CookieStyle { secure: config.public_url.is_https() };
        let edge = |hosts: Hosts| Edge { clock: clock.clone(), entropy: entropy.clone(), hosts, cookies };
        Ok(Self {
            db: Db::connect(&database.runtime_url, &database.system_url, database.pool_size, database.pooler)?,
            tokens: AccessTokens::new(config.secrets.token_key.pem(), config.public_url.origin())?,
            internal_key: InternalKey::new(config.secrets.internal_key.secret()),
            seal: LocalSeal::new(config.secrets.sealing_key.bytes(), entropy.clone())?,
            public_url: config.public_url.clone(),
            draining: Draining::default(),
            edge: edge(Hosts::of(config.allowed_hosts.clone())),
            private_edge: edge(Hosts::of(private_hosts(config))),
            mailer,
            metrics,
            entropy,
        })
    }

    /// The database, for start-up checks.
    #[must_use]
    pub const fn db(&self) -> &Db {
        &self.db
    }

    /// Serves until `shutdown` resolves; then `/readyz` turns red, requests drain, and connections close.
    ///
    /// # Errors
    /// When a listener fails.
    pub async fn serve(
        self,
        public: TcpListener,
        private: TcpListener,
        shutdown: impl Future<Output = ()> + Send,
    ) -> std::io::Result<()> {
        let handles = [Handle::new(), Handle::new()];
        let mut listeners = JoinSet::new();
        let routers = [(public, router::public(&self)), (private, router::private(&self))];
        for ((listener, router), handle) in routers.into_iter().zip(handles.clone()) {
            listeners.spawn(listen(listener, router, handle)?);
        }
        let housekeeping =
            tokio::spawn(housekeeping::run(self.db.clone(), self.edge.clock.clone(), self.metrics.clone()));
        let ended = tokio::select! {
            () = shutdown => None,
            ended = listeners.join_next() => ended,
        };
        self.draining.begin();
        for handle in &handles {
            handle.graceful_shutdown(Some(DRAIN));
        }
        housekeeping.abort();
        let mut outcome = ended.map_or(Ok(()), |ended| ended.unwrap_or_else(|error| Err(std::io::Error::other(error))));
        while let Some(ended) = listeners.join_next().await {
            outcome = outcome.and(ended.unwrap_or_else(|error| Err(std::io::Error::other(error))));
        }
        self.db.close().await;
        outcome
    }
}

fn listen(
    listener: TcpListener,
    router: Router,
    handle: Handle<SocketAddr>,
) -> std::io::Result<impl Future<Output = std::io::Result<()>> + Send + 'static> {
    listener.set_nonblocking(true)?;
    let mut server = axum_server::from_tcp(listener)?.handle(handle);
    server.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(HEADER_DEADLINE);
    server.http_builder().http2().timer(TokioTimer::new()).keep_alive_interval(Some(HEADER_DEADLINE));
    Ok(server.serve(router.into_make_service_with_connect_info::<SocketAddr>()))
}

/// The private listener answers to its own address, and to `localhost` where it listens there.
fn private_hosts(config: &Config) -> Vec<String> {
    let port = config.private_listen.port();
    let mut hosts = vec![config.private_listen.to_string()];
    if config.private_listen.ip().is_loopback() || config.private_listen.ip().is_unspecified() {
        hosts.extend([format!("localhost:{port}"), format!("127.0.0.1:{port}"), format!("[::1]:{port}")]);
    }
    hosts
}
