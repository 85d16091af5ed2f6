//! The customer's bucket: objects that are created once, and two that are replaced from what was seen.
//!
//! # Invariants
//! - Names are resolved by [`Reach`]; no proxy, no redirect. An answer is read up to a bound, and its text is told to nobody.
//! - A request has five seconds, and one more for each 100 kB. What may pass is tried again within the operation, twice.
//! - An object that is there already is success if it is the same: an attempt that seemed to fail may have had its effect.

use std::error::Error as _;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use axum::body::Bytes;
use futures_util::future::BoxFuture;
use http_body_util::{BodyExt as _, Limited};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody, HttpService,
};
use object_store::path::Path;
use object_store::{
    ClientOptions, Error, ObjectStore as _, ObjectStoreExt as _, PutMode, PutOptions, RetryConfig, UpdateVersion,
};
use tokio::time::{sleep, timeout};

use super::fault::{Code, Fault};
use super::model::Settings;
use super::reach::{OutOfReach, Reach};

const CONNECT_LIMIT: Duration = Duration::from_secs(4);
const REQUEST_LIMIT: Duration = Duration::from_secs(5);
const BYTES_PER_SECOND: usize = 100_000;
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_millis(800)];
/// 256 entries of 64 KiB, with their lengths.
const MAX_OBJECT_BYTES: usize = 256 * (2 + 65_535);
/// What is read of any answer at most.
const MAX_ANSWER_BYTES: usize = MAX_OBJECT_BYTES + 65_536;

/// A bucket, below one log's path.
pub(super) struct Bucket {
    store: AmazonS3,
    below: String,
    /// The status of the last answer; 0 when there was none, [`OUT_OF_REACH`] when it was not asked for.
    answered: Arc<AtomicU16>,
}

/// No status: the address may not be reached.
const OUT_OF_REACH: u16 = 1;

/// An object, and by what it is replaced.
pub(super) struct Seen {
    pub(super) bytes: Bytes,
    version: UpdateVersion,
}

/// What came of replacing an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Replaced {
    /// It is there.
    Done,
    /// Somebody else was quicker.
    Raced,
}

impl Bucket {
    /// The bucket of these settings, below this log's path.
    pub(super) fn open(settings: &Settings, origin: &str, reach: &Reach) -> Result<Self, Fault> {
        let answered = Arc::new(AtomicU16::new(0));
        let endpoint = match &settings.endpoint {
            // Once more: the operator may have changed what is allowed, and a literal gets to no resolver.
            Some(endpoint) => reach.endpoint(endpoint).map_err(|_| Fault::of(Code::EndpointRefused))?,
            None => format!("https://s3.{}.amazonaws.com", settings.region),
        };
        let store = AmazonS3Builder::new()
            .with_bucket_name(&settings.bucket)
            .with_region(&settings.region)
            .with_access_key_id(&settings.access_key_id)
            .with_secret_access_key(settings.secret_access_key.expose())
            .with_allow_http(endpoint.starts_with("http://"))
            .with_endpoint(endpoint)
            .with_retry(RetryConfig { max_retries: 0, ..RetryConfig::default() })
            .with_http_connector(Guarded { reach: reach.clone(), answered: answered.clone() })
            .build()
            .map_err(|_| Fault::of(Code::BucketUnfit))?;
        Ok(Self { store, below: settings.below(origin), answered })
    }

    /// The name of an object in the bucket.
    pub(super) fn name(&self, object: &str) -> String {
        format!("{}/{object}", self.below)
    }

    /// A small object, if it is there.
    pub(super) async fn read(&self, object: &str) -> Result<Option<Seen>, Fault> {
        self.tried(0, || self.get(object)).await
    }

    /// Creates an object; the same one that is there already is success.
    ///
    /// # Errors
    /// [`Code::StreamConflict`] for another one, and those of the bucket.
    pub(super) async fn create(&self, object: &str, bytes: &Bytes) -> Result<(), Fault> {
        let put = || async {
            match self.put(object, bytes, PutMode::Create).await {
                Err(Error::AlreadyExists { path, source }) => match self.get(object).await? {
                    Some(seen) if seen.bytes == *bytes => Ok(true),
                    Some(_) => Ok(false),
                    // Somebody's write is under way.
                    None => Err(Error::AlreadyExists { path, source }),
                },
                put => put.map(|()| true),
            }
        };
        if self.tried(bytes.len(), put).await? {
            Ok(())
        } else {
            Err(Fault::at(Code::StreamConflict, self.name(object)))
        }
    }

    /// Puts an object in the place of the one that was seen, or of none.
    pub(super) async fn replace(&self, object: &str, bytes: &Bytes, seen: Option<&Seen>) -> Result<Replaced, Fault> {
        let put = || async {
            let mode = match seen {
                Some(seen) => PutMode::Update(seen.version.clone()),
                None => PutMode::Create,
            };
            match self.put(object, bytes, mode).await {
                // An attempt before may have had its effect.
                Err(Error::Precondition { .. } | Error::AlreadyExists { .. }) => {
                    let is_ours = self.get(object).await?.is_some_and(|seen| seen.bytes == *bytes);
                    Ok(if is_ours { Replaced::Done } else { Replaced::Raced })
                }
                put => put.map(|()| Replaced::Done),
            }
        };
        self.tried(bytes.len(), put).await
    }

    async fn put(&self, object: &str, bytes: &Bytes, mode: PutMode) -> Result<(), Error> {
        let options = PutOptions { mode, ..PutOptions::default() };
        self.store.put_opts(&self.path(object), bytes.clone().into(), options).await.map(drop)
    }

    async fn get(&self, object: &str) -> Result<Option<Seen>, Error> {
        let found = match self.store.get(&self.path(object)).await {
            Ok(found) => found,
            Err(Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let version = UpdateVersion { e_tag: found.meta.e_tag.clone(), version: None };
        Ok(Some(Seen { bytes: found.bytes().await?, version }))
    }

    fn path(&self, object: &str) -> Path {
        Path::from(self.name(object))
    }

    /// Tries an operation a few times, each time as long as so many bytes take.
    async fn tried<T, F>(&self, bytes: usize, operation: impl Fn() -> F) -> Result<T, Fault>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let seconds = u64::try_from(bytes / BYTES_PER_SECOND).unwrap_or_default();
        let limit = REQUEST_LIMIT + Duration::from_secs(seconds);
        let mut pauses = PAUSES.iter();
        loop {
            self.answered.store(0, Ordering::Relaxed);
            let code = match timeout(limit, operation()).await {
                Ok(Ok(done)) => return Ok(done),
                Ok(Err(error)) => self.judge(&error),
                Err(_) => return Err(Fault::of(Code::BucketAway)),
            };
            match pauses.next() {
                Some(pause) if matches!(code, Code::BucketAway | Code::BucketBusy) => sleep(*pause).await,
                _ => return Err(Fault::of(code)),
            }
        }
    }

    fn judge(&self, error: &Error) -> Code {
        let status = self.answered.load(Ordering::Relaxed);
        let code = match status {
            OUT_OF_REACH => Code::EndpointRefused,
            401 | 403 => Code::AccessRefused,
            404 => Code::BucketMissing,
            409 | 429 | 503 => Code::BucketBusy,
            507 => Code::BucketFull,
            // An answer that was begun and cut, too.
            0 | 200..=299 | 408 | 500..=599 if status != 501 => Code::BucketAway,
            _ if matches!(error, Error::AlreadyExists { .. }) => Code::BucketBusy,
            _ => Code::BucketUnfit,
        };
        tracing::debug!(event = "audit.stream_request_failed", status, code = code.as_str());
        code
    }
}

/// Makes the client of requests.
#[derive(Debug)]
struct Guarded {
    reach: Reach,
    answered: Arc<AtomicU16>,
}

impl HttpConnector for Guarded {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_LIMIT)
            .dns_resolver(Arc::new(self.reach.clone()))
            .build()
            .map_err(|error| Error::Generic { store: "S3", source: Box::new(error) })?;
        Ok(HttpClient::new(Watched { client, answered: self.answered.clone() }))
    }
}

/// A client that notes what was answered, and reads no more of it than there can be.
#[derive(Debug)]
struct Watched {
    client: reqwest::Client,
    answered: Arc<AtomicU16>,
}

impl Watched {
    async fn ask(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        match self.client.call(request).await {
            Ok(response) => {
                self.answered.store(response.status().as_u16(), Ordering::Relaxed);
                let (parts, body) = response.into_parts();
                let body = Limited::new(body, MAX_ANSWER_BYTES)
                    .map_err(|error| HttpError::new(HttpErrorKind::Interrupted, std::io::Error::other(error)));
                Ok(HttpResponse::from_parts(parts, HttpResponseBody::new(body)))
            }
            Err(error) => {
                if is_out_of_reach(&error) {
                    self.answered.store(OUT_OF_REACH, Ordering::Relaxed);
                }
                Err(error)
            }
        }
    }
}

impl HttpService for Watched {
    fn call<'a, 'f>(&'a self, request: HttpRequest) -> BoxFuture<'f, Result<HttpResponse, HttpError>>
    where
        'a: 'f,
        Self: 'f,
    {
        Box::pin(self.ask(request))
    }
}

fn is_out_of_reach(error: &HttpError) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.is::<OutOfReach>() {
            return true;
        }
        cause = error.source();
    }
    false
}
