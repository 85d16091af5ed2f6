//! The anchor store in a bucket of an object store that speaks S3.
//!
//! Whether an object is created or replaced is decided by the store, by the conditions of RFC 9110: `If-None-Match: *`
//! creates, `If-Match` with the entity tag that was seen replaces. There are no locks.
//!
//! # Invariants
//! - A store that ignores the conditions, or a bucket that keeps versions, is refused at the start: see [`Bucket::probe`].
//! - An attempt that failed may have had its effect. So each operation leaves a mark of its own with what it writes, and a
//!   later attempt that is refused looks for it, before it says that somebody else was quicker.
//! - Requests go to the endpoint itself: no proxy of the environment, no redirect.

use std::borrow::Cow;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::TryStreamExt;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::client::{HttpClient, HttpConnector};
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, ClientOptions, Error, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutResult,
    RetryConfig, UpdateVersion,
};
use secrecy::ExposeSecret;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, sleep, timeout_at};
use zeroize::Zeroizing;

use super::name::ObjectName;
use super::store::{AnchorError, MAX_OBJECT_BYTES, OPERATION_LIMIT, Object, Tag};
use crate::config;
use crate::entropy::Entropy;

const CONNECT_LIMIT: Duration = Duration::from_secs(2);
/// A request and its answer; a second attempt fits into the limit of the operation.
const REQUEST_LIMIT: Duration = Duration::from_secs(4);
const ATTEMPTS: u32 = 4;
/// After the first attempt; three times as long after each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// The metadata of an object in which the mark of the operation stands that wrote it.
const MARK: Attribute = Attribute::Metadata(Cow::Borrowed("bailiwick-operation"));
/// What Amazon answers as the version of an object in a bucket that keeps none any more.
const NO_VERSION: &str = "null";

/// A store in a bucket. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Bucket {
    store: Arc<AmazonS3>,
    entropy: Entropy,
    /// What stands before each name, with the slash, if anything does.
    prefix: Arc<str>,
    /// The URL of that, for messages.
    url: Arc<str>,
}

/// What came of an attempt.
enum Attempt<T> {
    Over(Result<T, AnchorError>),
    /// It failed, and may be made again.
    Failed(Error),
}

/// A write: the same in each of its attempts.
struct Write<'a> {
    name: &'a ObjectName,
    bytes: &'a [u8],
    mark: String,
}

/// An object beside the mark of the operation that wrote it.
struct Found {
    object: Object,
    mark: Option<String>,
}

/// What a successful write tells.
struct Written {
    tag: Tag,
    version: Option<String>,
}

impl Bucket {
    pub(super) fn at(place: &config::Bucket, entropy: Entropy) -> Result<Self, AnchorError> {
        let prefix = place.prefix.as_ref().map_or_else(String::new, |prefix| format!("{prefix}/"));
        let url = format!("s3://{}/{prefix}", place.name);
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&place.name)
            .with_region(&place.region)
            .with_access_key_id(&place.access_key_id)
            .with_secret_access_key(place.secret_access_key.expose_secret())
            .with_retry(RetryConfig { max_retries: 0, ..RetryConfig::default() })
            .with_http_connector(Direct);
        if let Some(endpoint) = &place.endpoint {
            builder = builder.with_endpoint(endpoint).with_allow_http(endpoint.starts_with("http://"));
        }
        let store = builder.build().map_err(|error| unavailable("open", &url, io::Error::other(error)))?;
        Ok(Self { store: Arc::new(store), entropy, prefix: Arc::from(prefix), url: Arc::from(url) })
    }

    /// Finds out whether the store does what is relied on: creates one object twice, and replaces it by a wrong tag.
    pub(super) async fn probe(&self) -> Result<(), AnchorError> {
        let name: ObjectName = "probe".parse()?;
        match self.create(&name, b"1").await {
            Ok(_) | Err(AnchorError::Exists { .. }) => {}
            Err(error) => return Err(error),
        }
        match self.create(&name, b"2").await {
            Err(AnchorError::Exists { .. }) => {}
            Ok(_) => return Err(self.unfit("does not honour If-None-Match: an object was created over another")),
            Err(error) => return Err(error),
        }
        match self.replace(&name, b"3", &Tag("\"00000000000000000000000000000000\"".to_owned())).await {
            Err(AnchorError::Changed { .. }) => {}
            Ok(_) => return Err(self.unfit("does not honour If-Match: an object was replaced that was not seen")),
            Err(error) => return Err(error),
        }
        let Some(seen) = self.read(&name).await? else { return Err(self.unfit("has lost what was just created")) };
        match self.write_over(&name, b"1", &seen.tag).await {
            Ok(Written { version: Some(version), .. }) if version != NO_VERSION => {
                Err(self.unfit("keeps versions: what is erased in it stays. Switch its versioning off"))
            }
            // Another node that starts at the same moment finds out the same.
            Ok(_) | Err(AnchorError::Changed { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn create(&self, name: &ObjectName, bytes: &[u8]) -> Result<Tag, AnchorError> {
        let mut tries = Tries::to("create", self.at_name(name));
        let write = self.write(name, bytes);
        loop {
            let attempt = timeout_at(tries.deadline, self.try_to_create(&write)).await;
            if let Some(done) = tries.judge(attempt).await {
                return done;
            }
        }
    }

    pub(super) async fn replace(&self, name: &ObjectName, bytes: &[u8], seen: &Tag) -> Result<Tag, AnchorError> {
        Ok(self.write_over(name, bytes, seen).await?.tag)
    }

    pub(super) async fn read(&self, name: &ObjectName) -> Result<Option<Object>, AnchorError> {
        let mut tries = Tries::to("read", self.at_name(name));
        loop {
            let attempt = timeout_at(tries.deadline, self.get(name)).await;
            let attempt = attempt.map(|found| match found {
                Ok(found) => Attempt::Over(Ok(found.map(|found| found.object))),
                Err(failed) => failed,
            });
            if let Some(done) = tries.judge(attempt).await {
                return done;
            }
        }
    }

    async fn write_over(&self, name: &ObjectName, bytes: &[u8], seen: &Tag) -> Result<Written, AnchorError> {
        let mut tries = Tries::to("replace", self.at_name(name));
        let write = self.write(name, bytes);
        loop {
            let attempt = timeout_at(tries.deadline, self.try_to_replace(&write, seen)).await;
            if let Some(done) = tries.judge(attempt).await {
                return done;
            }
        }
    }

    fn write<'a>(&self, name: &'a ObjectName, bytes: &'a [u8]) -> Write<'a> {
        Write { name, bytes, mark: format!("{:032x}", u128::from_be_bytes(self.entropy.bytes())) }
    }

    async fn try_to_create(&self, write: &Write<'_>) -> Attempt<Tag> {
        match self.put(write, PutMode::Create).await {
            Ok(written) => Attempt::Over(Ok(written.tag)),
            Err(Error::AlreadyExists { path, source }) => match self.get(write.name).await {
                Ok(Some(found)) if found.mark.as_ref() == Some(&write.mark) => Attempt::Over(Ok(found.object.tag)),
                Ok(Some(_)) => Attempt::Over(Err(AnchorError::Exists { name: write.name.clone() })),
                // Somebody's write was under way, and was given up.
                Ok(None) => Attempt::Failed(Error::AlreadyExists { path, source }),
                Err(failed) => failed,
            },
            Err(error) => Attempt::Failed(error),
        }
    }

    async fn try_to_replace(&self, write: &Write<'_>, seen: &Tag) -> Attempt<Written> {
        let condition = UpdateVersion { e_tag: Some(seen.0.clone()), version: None };
        match self.put(write, PutMode::Update(condition)).await {
            Ok(written) => Attempt::Over(Ok(written)),
            Err(Error::Precondition { .. }) => match self.get(write.name).await {
                Ok(Some(found)) if found.mark.as_ref() == Some(&write.mark) => {
                    Attempt::Over(Ok(Written { tag: found.object.tag, version: None }))
                }
                Ok(_) => Attempt::Over(Err(AnchorError::Changed { name: write.name.clone() })),
                Err(failed) => failed,
            },
            Err(error) => Attempt::Failed(error),
        }
    }

    /// A thousand names cost a request, and the limit of an operation holds for each.
    pub(super) async fn list(&self, prefix: &ObjectName) -> Result<Vec<ObjectName>, AnchorError> {
        let failed = |source| unavailable("list", &self.at_name(prefix), source);
        let below = Path::from(format!("{}{prefix}", self.prefix));
        let mut listed = self.store.list(Some(&below));
        let mut names: Vec<ObjectName> = Vec::new();
        loop {
            let next = timeout_at(Instant::now() + OPERATION_LIMIT, listed.try_next()).await;
            let next = next.map_err(|_| failed(io::Error::from(io::ErrorKind::TimedOut)))?;
            let Some(object) = next.map_err(|error| failed(io::Error::other(error)))? else { break };
            // What cannot be a name is none of ours.
            let name = object.location.as_ref().strip_prefix(&*self.prefix).and_then(|name| name.parse().ok());
            names.extend(name);
        }
        names.sort_unstable();
        Ok(names)
    }

    /// The URL of an object, for messages.
    pub(super) fn at_name(&self, name: &ObjectName) -> String {
        format!("{}{name}", self.url)
    }

    async fn put(&self, write: &Write<'_>, mode: PutMode) -> Result<Written, Error> {
        let attributes = Attributes::from_iter([(MARK, write.mark.clone())]);
        let options = PutOptions { mode, attributes, ..PutOptions::default() };
        let PutResult { e_tag, version, .. } =
            self.store.put_opts(&self.path(write.name), write.bytes.to_vec().into(), options).await?;
        let tag = e_tag.map(Tag).ok_or_else(|| generic("the answer has no entity tag"))?;
        Ok(Written { tag, version })
    }

    async fn get<T>(&self, name: &ObjectName) -> Result<Option<Found>, Attempt<T>> {
        let found = match self.store.get(&self.path(name)).await {
            Ok(found) => found,
            Err(Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(Attempt::Failed(error)),
        };
        if found.meta.size > u64::try_from(MAX_OBJECT_BYTES).unwrap_or(u64::MAX) {
            let why = "is larger than any object";
            return Err(Attempt::Over(Err(AnchorError::Malformed { at: self.at_name(name), why })));
        }
        let tag = found.meta.e_tag.clone().map(Tag);
        let tag = tag.ok_or_else(|| Attempt::Failed(generic("the answer has no entity tag")))?;
        let mark = found.attributes.get(&MARK).map(|mark| mark.to_string());
        let bytes = found.bytes().await.map_err(Attempt::Failed)?;
        Ok(Some(Found { object: Object { bytes: Zeroizing::new(bytes.to_vec()), tag }, mark }))
    }

    fn path(&self, name: &ObjectName) -> Path {
        Path::from(format!("{}{name}", self.prefix))
    }

    fn unfit(&self, why: &'static str) -> AnchorError {
        AnchorError::Unfit { at: self.url.to_string(), why }
    }
}

/// The attempts at one operation.
struct Tries {
    what: &'static str,
    at: String,
    deadline: Instant,
    failed: u32,
    pause: Duration,
}

impl Tries {
    fn to(what: &'static str, at: String) -> Self {
        Self { what, at, deadline: Instant::now() + OPERATION_LIMIT, failed: 0, pause: FIRST_PAUSE }
    }

    /// What to answer; nothing when there is to be another attempt, for which it is time then.
    async fn judge<T>(&mut self, attempt: Result<Attempt<T>, Elapsed>) -> Option<Result<T, AnchorError>> {
        let (cause, last) = match attempt {
            Ok(Attempt::Over(done)) => return Some(done),
            Ok(Attempt::Failed(error)) => {
                let refused = matches!(error, Error::PermissionDenied { .. } | Error::Unauthenticated { .. });
                (io::Error::other(error), refused)
            }
            Err(_) => (io::Error::from(io::ErrorKind::TimedOut), true),
        };
        self.failed += 1;
        if last || self.failed == ATTEMPTS || Instant::now() + self.pause >= self.deadline {
            return Some(Err(unavailable(self.what, &self.at, cause)));
        }
        sleep(self.pause).await;
        self.pause *= 3;
        None
    }
}

/// Makes the client of requests: the endpoint was chosen by the operator, and nothing else is asked.
#[derive(Debug)]
struct Direct;

impl HttpConnector for Direct {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_LIMIT)
            .timeout(REQUEST_LIMIT)
            .build()
            .map_err(|error| Error::Generic { store: "S3", source: Box::new(error) })?;
        Ok(HttpClient::new(client))
    }
}

fn generic(why: &'static str) -> Error {
    Error::Generic { store: "S3", source: why.into() }
}

fn unavailable(what: &'static str, at: &str, source: io::Error) -> AnchorError {
    AnchorError::Unavailable { what, at: at.to_owned(), source }
}
