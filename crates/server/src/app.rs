//! The composition root: puts the parts together and serves them on two listeners.

use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use axum::http::Request;
use axum_server::Handle;
use axum_server::service::MakeService;
use hyper::body::Incoming;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::audit::{FindBehind, PublishLogs, StreamLog};
use crate::config::Config;
use crate::db::Db;
use crate::erasure::{EraseSubjects, RepeatErasures};
use crate::housekeeping::{CheckLogs, MakeDailyRoots, PublishManifest, RotateKeys};
use crate::http::{ConnectionCap, LookedAt};
use crate::jobs::{self, Registry, Workers};
use crate::members::MailMember;
use crate::reconciliation::Reconciler;
use crate::retention::{PruneLogs, Pruner};
use crate::secrets::{ForgetVersions, RotateSecrets};
use crate::server_rotation::DestroyEnded;
use crate::state::AppState;
pub use crate::state::{BuildError, Parts};
use crate::supervise::supervise;
use crate::{alerts, housekeeping, router};

/// How long requests may take to end once the server stops.
const DRAIN: Duration = Duration::from_secs(10);
/// How long a client may take to send its headers.
const HEADER_DEADLINE: Duration = Duration::from_secs(10);

/// The server, ready to serve.
pub struct App {
    state: AppState,
    slots: usize,
}

impl App {
    /// Puts the parts together, and compares the database with the journal of what was signed.
    ///
    /// # Errors
    /// See [`BuildError`].
    pub async fn build(config: &Config, parts: Parts) -> Result<Self, BuildError> {
        let state = AppState::build(config, parts).await?;
        Ok(Self { state, slots: config.jobs.workers })
    }

    /// The database, for start-up checks.
    #[must_use]
    pub fn db(&self) -> &Db {
        &self.state.db
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
        let Self { state, slots } = self;
        let handles = [Handle::new(), Handle::new()];
        let mut listeners = JoinSet::new();
        let (public_cap, private_cap) = ConnectionCap::for_listeners();
        let [public_handle, private_handle] = handles.clone();
        listeners.spawn(listen(
            public,
            public_cap,
            router::public(&state).into_make_service_with_connect_info::<SocketAddr>(),
            public_handle,
        )?);
        listeners.spawn(listen(private, private_cap, router::private(&state).for_each_peer(), private_handle)?);
        let feed = state.feed.clone();
        let following = tokio::spawn(async move { feed.run().await });
        let upkeep = tokio::spawn(housekeeping::tend_metrics(state.metrics.clone()));
        let (db, alerts) = (state.db.clone(), state.vault.alerts().clone());
        let alerting = tokio::spawn(alerts::keep(db, alerts, state.edge.clock.clone(), state.edge.entropy.clone()));
        let refusals = state.door.refusals.clone();
        let counting = tokio::spawn(async move { refusals.keep().await });
        let learning = state.clone();
        let learning = tokio::spawn(async move {
            supervise("server_secrets", || learning.server_secrets.follow(|known| learning.learn(known))).await;
        });
        let reconciler = reconciler(&state);
        let (standing_by, schema) = (reconciler.clone(), state.schema_watch.clone());
        let standing_by = tokio::spawn(async move {
            supervise("stand_by", || housekeeping::stand_by(&standing_by, &schema, housekeeping::PATIENCE)).await;
        });
        let (stop_workers, workers_stop) = oneshot::channel::<()>();
        let workers = tokio::spawn(workers(&state, slots, reconciler).run(async move {
            let _told = workers_stop.await;
        }));
        let ledger = state.ledger.clone();
        let ledger = tokio::spawn(async move { ledger.run().await });
        let ended = tokio::select! {
            () = shutdown => None,
            ended = listeners.join_next() => ended,
        };
        state.draining.begin();
        for handle in &handles {
            handle.graceful_shutdown(Some(DRAIN));
        }
        upkeep.abort();
        let mut outcome = ended.map_or(Ok(()), |ended| ended.unwrap_or_else(|error| Err(std::io::Error::other(error))));
        while let Some(ended) = listeners.join_next().await {
            outcome = outcome.and(ended.unwrap_or_else(|error| Err(std::io::Error::other(error))));
        }
        counting.abort();
        if let Err(error) = state.door.refusals.flush().await {
            tracing::warn!(event = "sign_in.refusals_not_recorded", cause = %error);
        }
        // Requests have ended, so nothing more is enqueued here; what a job changes is numbered while it can be.
        let _workers_died = stop_workers.send(());
        let _panicked = workers.await;
        standing_by.abort();
        alerting.abort();
        learning.abort();
        ledger.abort();
        // Last, for until then revocations have to reach this node.
        following.abort();
        state.feed.leave().await;
        state.db.close().await;
        outcome
    }
}

/// Whoever holds rows against the ledger.
fn reconciler(state: &AppState) -> Reconciler {
    Reconciler::new(
        state.db.clone(),
        state.notary.clone(),
        state.ledger.clone(),
        state.vault.alerts().clone(),
        state.edge.clock.clone(),
        state.edge.entropy.clone(),
    )
}

/// Whoever prunes logs.
fn pruner(state: &AppState) -> Pruner {
    Pruner {
        db: state.db.clone(),
        ledger: state.ledger.clone(),
        notary: state.notary.clone(),
        vault: state.vault.clone(),
        clock: state.edge.clock.clone(),
    }
}

/// Every kind of job that there is, and who runs them.
fn workers(state: &AppState, slots: usize, reconciler: Reconciler) -> Workers {
    let (db, clock) = (&state.db, &state.edge.clock);
    let (queue, schedules) = (state.queue.clone(), housekeeping::SCHEDULES.to_vec());
    let registry = housekeeping::register(Registry::default(), db, clock, reconciler)
        .with(RotateKeys {
            vault: state.vault.clone(),
            notary: state.notary.clone(),
            db: db.clone(),
            clock: clock.clone(),
        })
        .with(state.schema_watch.clone())
        .with(EraseSubjects(state.eraser.clone()))
        .with(RepeatErasures(state.eraser.clone()))
        .with(StreamLog(state.streams.clone()))
        .with(FindBehind(state.streams.clone()))
        .with(PublishLogs(state.publisher.clone()))
        .with(DestroyEnded(state.rotation()))
        .with(MakeDailyRoots(state.ledger.clone()))
        .with(PublishManifest(state.ledger.clone()))
        .with(PruneLogs(pruner(state)))
        .with(CheckLogs(state.ledger.clone()))
        .with(state.mailer.clone())
        .with(MailMember(state.mailer.clone()))
        .with(ForgetVersions::new(state.vault.clone()))
        .with(RotateSecrets::new(db.clone(), queue.clone(), state.edge.entropy.clone()));
    Workers::new(jobs::Parts { db: db.clone(), queue, registry, schedules, clock: clock.clone(), slots })
}

fn listen<M>(
    listener: TcpListener,
    cap: ConnectionCap,
    each: M,
    handle: Handle<SocketAddr>,
) -> std::io::Result<impl Future<Output = std::io::Result<()>> + Send + 'static>
where
    M: MakeService<SocketAddr, Request<Incoming>, MakeFuture: Send, Service: Send> + Send + 'static,
{
    listener.set_nonblocking(true)?;
    // HTTP/1 alone: whether a client speaks HTTP/2 without TLS is found out by waiting for its first bytes, and that
    // wait has no deadline. Browsers do not; a proxy that ends TLS need not. Said last: an acceptor begins with a server
    // that speaks both.
    let mut server = axum_server::from_tcp(listener)?.handle(handle).acceptor(cap).http1_only();
    server.http_builder().http1().timer(LookedAt).header_read_timeout(HEADER_DEADLINE);
    Ok(server.serve(each))
}
