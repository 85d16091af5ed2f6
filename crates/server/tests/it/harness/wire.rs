//! A wire between a node and the database of a test. It can be cut: no byte passes any more, and nobody is told.

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, UnixStream};
use tokio::sync::watch;

use super::cluster::TestDatabase;
use super::pooler::Login;

/// The wire, which is whole at first.
pub struct Wire {
    /// The serving role's URL through it.
    pub runtime_url: String,
    /// The system role's URL through it.
    pub system_url: String,
    is_whole: watch::Sender<bool>,
}

impl Wire {
    /// To this database.
    pub async fn to(database: &TestDatabase) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let [runtime, system] = [&database.urls.runtime, &database.urls.system].map(Login::of);
        let socket = format!("{}/.s.PGSQL.5432", runtime.socket);
        let (is_whole, whole) = watch::channel(true);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let Ok(far) = UnixStream::connect(&socket).await else { continue };
                let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
                tokio::spawn(carry(near_in, far_out, whole.clone()));
                tokio::spawn(carry(far_in, near_out, whole.clone()));
            }
        });
        Self { runtime_url: runtime.url(port), system_url: system.url(port), is_whole }
    }

    /// From now on nothing passes.
    pub fn cut(&self) {
        self.is_whole.send_replace(false);
    }

    /// What was held up passes, and all that comes.
    pub fn mend(&self) {
        self.is_whole.send_replace(true);
    }
}

/// Until one side has ended.
async fn carry(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, mut whole: watch::Receiver<bool>) {
    let mut bytes = [0; 8_192];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        if whole.wait_for(|whole| *whole).await.is_err() || to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}
