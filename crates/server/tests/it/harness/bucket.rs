//! A server that speaks S3, in this process and over HTTP: `s3s-fs` in a temporary folder, with faults on request.
//!
//! `s3s-fs` looks at `If-None-Match` and `If-Match` before it writes and not while it does, so two conditional writes at
//! once could both pass; and an answer to a read may have the content from before a write with the tag from after it.
//! [`Objects`] lets one write pass at a time, and no read beside it: what a store that honours the conditions does.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bailiwick_server::config::{AnchorPlace, Bucket};
use futures_util::future::BoxFuture;
use hyper::StatusCode;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::dto::{
    GetObjectInput, GetObjectOutput, ListObjectsV2Input, ListObjectsV2Output, PutObjectInput, PutObjectOutput,
};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result, s3_error};
use s3s_fs::FileSystem;
use secrecy::SecretString;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

const BUCKET: &str = "anchors";
const ACCESS_KEY_ID: &str = "bailiwick";
const SLOWNESS: Duration = Duration::from_millis(40);
const SECRET_ACCESS_KEY: &str = "the-key-of-the-bucket-in-tests";

/// How the server behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// As it should.
    Serving,
    /// It answers 503.
    Away,
    /// It answers nothing.
    Hanging,
    /// The next write has its effect and is answered 500.
    LosingAnAnswer,
    /// The next request is answered 500.
    FailingOnce,
    /// It ignores the conditions of writes.
    Unconditional,
    /// It takes checkpoints and has none.
    Forgetful,
    /// It keeps the versions of objects.
    Versioned,
    /// It has no room: writes are answered 507.
    Full,
    /// Each write takes a while.
    Slow,
}

/// The server, with one empty bucket, until it is dropped.
pub struct ObjectStore {
    address: SocketAddr,
    behaviour: Arc<Mutex<Behaviour>>,
    written: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
    dir: TempDir,
}

impl ObjectStore {
    /// Starts it.
    pub async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join(BUCKET)).unwrap();
        let behaviour = Arc::new(Mutex::new(Behaviour::Serving));
        let files = FileSystem::new(dir.path()).unwrap();
        let written = Arc::new(Mutex::new(Vec::new()));
        let objects = Objects {
            files: Arc::new(files),
            behaviour: behaviour.clone(),
            written: written.clone(),
            writing: Arc::default(),
        };
        let mut service = S3ServiceBuilder::new(objects);
        service.set_auth(SimpleAuth::from_single(ACCESS_KEY_ID, SECRET_ACCESS_KEY));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        super::secrets::record(SECRET_ACCESS_KEY);
        Self { address, behaviour, written, task: tokio::spawn(serve(listener, service.build())), dir }
    }

    /// From now on it behaves so.
    pub fn behave(&self, behaviour: Behaviour) {
        *self.behaviour.lock().unwrap() = behaviour;
    }

    /// The names of all writes that had their effect, in their order.
    pub fn written(&self) -> Vec<String> {
        self.written.lock().unwrap().clone()
    }

    /// The objects, as files below this folder.
    pub fn folder(&self) -> PathBuf {
        self.dir.path().join(BUCKET)
    }

    /// The bucket, with this before each name.
    pub fn bucket(&self, prefix: &str) -> Bucket {
        Bucket {
            name: BUCKET.to_owned(),
            prefix: Some(prefix.to_owned()).filter(|prefix| !prefix.is_empty()),
            endpoint: Some(format!("http://{}", self.address)),
            region: "us-east-1".to_owned(),
            access_key_id: ACCESS_KEY_ID.to_owned(),
            secret_access_key: SecretString::from(SECRET_ACCESS_KEY),
        }
    }

    /// The same for the server.
    pub fn place(&self, prefix: &str) -> AnchorPlace {
        AnchorPlace::Bucket(self.bucket(prefix))
    }
}

impl Drop for ObjectStore {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, service: S3Service) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let service = service.clone();
        connections.spawn(async move {
            // Whoever asked may have gone away.
            let _ended = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// The objects, in files.
struct Objects {
    files: Arc<FileSystem>,
    behaviour: Arc<Mutex<Behaviour>>,
    written: Arc<Mutex<Vec<String>>>,
    writing: Arc<tokio::sync::RwLock<()>>,
}

impl Objects {
    async fn behaviour(&self) -> S3Result<Behaviour> {
        let behaviour = *self.behaviour.lock().unwrap();
        match behaviour {
            Behaviour::Away => Err(s3_error!(ServiceUnavailable)),
            Behaviour::Hanging => std::future::pending().await,
            Behaviour::FailingOnce => {
                self.recover();
                Err(s3_error!(InternalError))
            }
            other => Ok(other),
        }
    }

    fn recover(&self) {
        *self.behaviour.lock().unwrap() = Behaviour::Serving;
    }

    async fn put(&self, mut request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let alone = self.writing.clone().write_owned().await;
        let behaviour = self.behaviour().await?;
        if [Behaviour::Unconditional, Behaviour::Forgetful].contains(&behaviour) {
            (request.input.if_match, request.input.if_none_match) = (None, None);
        }
        if behaviour == Behaviour::Full {
            let mut full = S3Error::new(S3ErrorCode::Custom("XMinioStorageFull".into()));
            full.set_status_code(StatusCode::INSUFFICIENT_STORAGE);
            return Err(full);
        }
        if behaviour == Behaviour::Slow {
            tokio::time::sleep(SLOWNESS).await;
        }
        let (name, files) = (request.input.key.clone(), self.files.clone());
        // Whoever asked may die meanwhile: what was begun is done all the same, as a whole.
        let putting = tokio::spawn(async move {
            let _alone = alone;
            files.put_object(request).await
        });
        let mut written = putting.await.unwrap()?;
        self.written.lock().unwrap().push(name);
        match behaviour {
            Behaviour::Versioned => written.output.version_id = Some("1".to_owned()),
            Behaviour::LosingAnAnswer => {
                self.recover();
                return Err(s3_error!(InternalError));
            }
            _ => {}
        }
        Ok(written)
    }
}

impl S3 for Objects {
    fn put_object<'a, 'f>(
        &'a self,
        request: S3Request<PutObjectInput>,
    ) -> BoxFuture<'f, S3Result<S3Response<PutObjectOutput>>>
    where
        'a: 'f,
        Self: 'f,
    {
        Box::pin(self.put(request))
    }

    fn get_object<'a, 'f>(
        &'a self,
        request: S3Request<GetObjectInput>,
    ) -> BoxFuture<'f, S3Result<S3Response<GetObjectOutput>>>
    where
        'a: 'f,
        Self: 'f,
    {
        Box::pin(async move {
            let _whole = self.writing.read().await;
            if self.behaviour().await? == Behaviour::Forgetful && request.input.key.ends_with("/checkpoint") {
                return Err(s3_error!(NoSuchKey));
            }
            self.files.get_object(request).await
        })
    }

    fn list_objects_v2<'a, 'f>(
        &'a self,
        request: S3Request<ListObjectsV2Input>,
    ) -> BoxFuture<'f, S3Result<S3Response<ListObjectsV2Output>>>
    where
        'a: 'f,
        Self: 'f,
    {
        Box::pin(async move {
            self.behaviour().await?;
            self.files.list_objects_v2(request).await
        })
    }
}
