//! `POST /add-checkpoint`, on a listener of its own.

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::{Router, routing};
use axum_server::Handle;
use bailiwick_proof::consistency::Pair;
use bailiwick_proof::cosignature::{AddCheckpoint, CosigningKey, MAX_REQUEST_BYTES, WitnessKey};
use bailiwick_proof::note::VerifierKey;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::judge::{Verdict, judge};
use super::key_file::{self, KeyFileError};
use super::record::{Record, RecordError};
use crate::clock::Clock;
use crate::http::{ConnectionCap, LookedAt};

/// A log's request has a few kilobytes; who is slower than this has something else in mind.
const BODY_DEADLINE: Duration = Duration::from_secs(10);
const HEADER_DEADLINE: Duration = Duration::from_secs(10);
const DRAIN: Duration = Duration::from_secs(5);
/// Connections at once, and requests that are judged.
const CONNECTIONS: usize = 256;
const AT_ONCE: usize = 32;
const SIZE: &str = "text/x.tlog.size";

/// Why a witness does not serve.
#[derive(Debug, thiserror::Error)]
pub enum Served {
    /// See [`KeyFileError`].
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// See [`RecordError`].
    #[error(transparent)]
    Record(#[from] RecordError),
    /// Another process serves from this folder, or the lock cannot be taken.
    #[error("cannot lock {}: another witness may run on this folder ({source})", path.display())]
    Locked {
        /// The lock.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The listener failed.
    #[error("the listener failed: {0}")]
    Listener(io::Error),
}

struct Witness {
    key: CosigningKey,
    logs: HashMap<String, Log>,
    clock: Clock,
    places: Semaphore,
    /// Held for as long as it serves.
    _lock: File,
}

struct Log {
    known: Vec<VerifierKey>,
    record: Mutex<Record>,
}

/// Has the witness of a folder begin with a log: once, before it serves it.
///
/// # Errors
/// [`Served`], also when it has begun with it before.
pub fn add(folder: &Path, origin: &str) -> Result<(), Served> {
    key_file::read(folder)?;
    let _lock = lock(folder)?;
    Ok(Record::begin(folder, origin)?)
}

fn lock(folder: &Path) -> Result<File, Served> {
    let path = folder.join("lock");
    let locked = |source| Served::Locked { path: path.clone(), source };
    let lock = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(locked)?;
    lock.try_lock().map_err(|error| match error {
        TryLockError::Error(source) => locked(source),
        TryLockError::WouldBlock => locked(io::Error::from(io::ErrorKind::WouldBlock)),
    })?;
    Ok(lock)
}

/// Serves from a folder that [`super::make`] has made, with logs that were [added](add), for the logs of these keys, until `shutdown` resolves. `ready` is told
/// the witness's own key.
///
/// # Errors
/// [`Served`].
pub async fn serve(
    folder: &Path,
    logs: &[VerifierKey],
    listener: TcpListener,
    clock: Clock,
    ready: impl FnOnce(&WitnessKey),
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Served> {
    let witness = Witness::open(folder, logs, clock)?;
    listener.set_nonblocking(true).map_err(Served::Listener)?;
    let handle: Handle<SocketAddr> = Handle::new();
    let cap = ConnectionCap::of(CONNECTIONS);
    let mut server =
        axum_server::from_tcp(listener).map_err(Served::Listener)?.handle(handle.clone()).acceptor(cap).http1_only();
    server.http_builder().http1().timer(LookedAt).header_read_timeout(HEADER_DEADLINE);
    ready(witness.key.witness());
    let routes = Router::new().route("/add-checkpoint", routing::post(add_checkpoint)).with_state(Arc::new(witness));
    let stop = tokio::spawn(async move {
        shutdown.await;
        handle.graceful_shutdown(Some(DRAIN));
    });
    let served = server.serve(routes.into_make_service()).await;
    stop.abort();
    served.map_err(Served::Listener)
}

impl Witness {
    fn open(folder: &Path, keys: &[VerifierKey], clock: Clock) -> Result<Self, Served> {
        let key = key_file::read(folder)?;
        let lock = lock(folder)?;
        let mut by_origin: HashMap<String, Vec<VerifierKey>> = HashMap::new();
        for key in keys {
            by_origin.entry(key.name().to_owned()).or_default().push(key.clone());
        }
        let mut logs = HashMap::new();
        for (origin, known) in by_origin {
            let record = Record::open(folder, &origin, &known)?;
            let size = record.cosigned().map_or(0, |cosigned| cosigned.unverified().size);
            tracing::info!(event = "witness.log", origin, keys = known.len(), size);
            logs.insert(origin, Log { known, record: Mutex::new(record) });
        }
        Ok(Self { key, logs, clock, places: Semaphore::new(AT_ONCE), _lock: lock })
    }

    /// Judges one request, keeps what it cosigns, and answers. It waits for the disk.
    fn answer(&self, body: &[u8]) -> Response {
        let Some(request) = std::str::from_utf8(body).ok().and_then(|text| text.parse::<AddCheckpoint>().ok()) else {
            return StatusCode::BAD_REQUEST.into_response();
        };
        let origin = request.checkpoint.unverified().origin.as_str();
        let Some(log) = self.logs.get(origin) else { return StatusCode::NOT_FOUND.into_response() };
        if let Err(error) = request.checkpoint.verify(&log.known) {
            tracing::warn!(event = "witness.not_signed", origin, reason = error.word());
            return StatusCode::FORBIDDEN.into_response();
        }
        let size = request.checkpoint.unverified().size;
        let mut record = log.record.lock().unwrap_or_else(PoisonError::into_inner);
        match judge(&request, record.cosigned()) {
            Verdict::Cosign => self.cosign(&mut record, &request),
            Verdict::OldIsBeyond => StatusCode::BAD_REQUEST.into_response(),
            Verdict::Stale(last) => conflict(last),
            Verdict::TwoRoots => {
                tell_of_two_roots(&record, &request);
                conflict(size)
            }
            Verdict::DoesNotExtend => {
                tracing::error!(event = "witness.does_not_extend", origin, old = request.old, size);
                StatusCode::UNPROCESSABLE_ENTITY.into_response()
            }
        }
    }

    fn cosign(&self, record: &mut Record, request: &AddCheckpoint) -> Response {
        let checkpoint = request.checkpoint.unverified();
        let is_new = record.cosigned().is_none_or(|last| last.unverified() != checkpoint);
        if is_new && let Err(error) = record.keep(&request.checkpoint) {
            tracing::error!(event = "witness.not_kept", origin = checkpoint.origin, cause = %error);
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
        let now = u64::try_from(self.clock.now().unix_timestamp()).unwrap_or_default();
        let line = self.key.cosign(request.checkpoint.note().text(), now);
        tracing::info!(event = "witness.cosigned", origin = checkpoint.origin, size = checkpoint.size);
        ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], format!("{line}\n")).into_response()
    }
}

/// The log has signed two roots of one size: loudly, and kept for whoever is to see it.
fn tell_of_two_roots(record: &Record, request: &AddCheckpoint) {
    let Some(older) = record.cosigned() else { return };
    let newer = request.checkpoint.unverified();
    tracing::error!(
        event = "witness.two_roots",
        origin = newer.origin,
        size = newer.size,
        cosigned = %older.unverified().root,
        submitted = %newer.root,
    );
    let pair = Pair { path: Vec::new(), older: older.clone(), newer: request.checkpoint.clone() };
    match record.convict(&pair) {
        Ok(Some(path)) => tracing::error!(event = "witness.evidence_kept", path = %path.display()),
        Ok(None) => {}
        Err(error) => tracing::error!(event = "witness.evidence_not_kept", cause = %error),
    }
}

fn conflict(size: u64) -> Response {
    (StatusCode::CONFLICT, [(header::CONTENT_TYPE, SIZE)], format!("{size}\n")).into_response()
}

async fn add_checkpoint(State(witness): State<Arc<Witness>>, body: Body) -> Response {
    let read = tokio::time::timeout(BODY_DEADLINE, axum::body::to_bytes(body, MAX_REQUEST_BYTES)).await;
    let body = match read {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => return StatusCode::PAYLOAD_TOO_LARGE.into_response(),
        Err(_) => return StatusCode::REQUEST_TIMEOUT.into_response(),
    };
    // Only now: whoever sends slowly would keep others out for nothing.
    let Ok(_place) = witness.places.try_acquire() else { return StatusCode::SERVICE_UNAVAILABLE.into_response() };
    // A client that goes away does not stop it: what was begun is written to its end.
    let answering = witness.clone();
    let answered = spawn_blocking(move || answering.answer(&body)).await;
    answered.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}
