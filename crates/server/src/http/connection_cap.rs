//! So many connections on a listener and no more.
//!
//! A flood of connections on one listener then leaves descriptors for the other, for the database and for files. One too
//! many is closed at once, and its client may try again. One that says nothing is closed after [`FIRST_BYTE`], and one on
//! which nothing moves, in either direction, after [`STILL`]. hyper has a deadline of its own for headers; it was seen to
//! miss silent connections, so these are kept where the bytes pass.
//!
//! A connection has one timer, which goes off each [`LOOK`] for as long as it is waited for bytes; whatever moves sets no timer
//! anew. hyper's deadline is [looked at](LookedAt) when it goes off.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum_server::accept::Accept;
use hyper::rt::{Sleep as HyperSleep, Timer};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};

/// Lets connections in while there are places.
#[derive(Clone, Debug)]
pub struct ConnectionCap(Arc<Semaphore>);

/// How often deadlines are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// So many looks a new connection may say nothing.
const FIRST_BYTE: u8 = 10;
/// So many looks nothing may move on a connection: longer than a request may take to be answered.
const STILL: u8 = 40;
/// The most connections of the public listener, where the system allows so many.
const PUBLIC: usize = 8_192;
/// The most connections of the private one.
const PRIVATE: usize = 256;
/// Descriptors that no connection takes: the database's, files, standard streams.
const KEPT_BACK: usize = 256;

impl ConnectionCap {
    /// With so many places.
    #[must_use]
    pub fn of(places: usize) -> Self {
        Self(Arc::new(Semaphore::new(places)))
    }

    /// For the public and the private listener, after raising the process's limit on descriptors as far as it may.
    #[must_use]
    pub fn for_listeners() -> (Self, Self) {
        let places = descriptors().saturating_sub(KEPT_BACK + PRIVATE).clamp(1, PUBLIC);
        (Self::of(places), Self::of(PRIVATE))
    }
}

/// How many descriptors the process may have open.
fn descriptors() -> usize {
    // Without the right to more, what there is serves.
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .map(|(soft, hard)| if setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok() { hard } else { soft });
    raised.ok().and_then(|limit| usize::try_from(limit).ok()).unwrap_or(1_024)
}

impl<I, S> Accept<I, S> for ConnectionCap {
    type Stream = Counted<I>;
    type Service = S;
    type Future = std::future::Ready<io::Result<(Counted<I>, S)>>;

    fn accept(&self, stream: I, service: S) -> Self::Future {
        let place = Arc::clone(&self.0).try_acquire_owned();
        std::future::ready(match place {
            Ok(place) => {
                let look = Box::pin(tokio::time::sleep(LOOK));
                Ok((Counted { stream, look, patience: FIRST_BYTE, _place: place }, service))
            }
            Err(_) => {
                metrics::counter!("bailiwick_connections_refused_total").increment(1);
                Err(io::Error::other("too many connections"))
            }
        })
    }
}

/// A connection that holds its place until it is closed.
#[derive(Debug)]
pub struct Counted<I> {
    stream: I,
    /// Until the next one.
    look: Pin<Box<Sleep>>,
    /// How many more looks may find that nothing has moved; begins anew with everything that moves.
    patience: u8,
    _place: OwnedSemaphorePermit,
}

impl<I> Counted<I> {
    const fn moved(&mut self) {
        self.patience = STILL;
    }

    /// Whether nothing has moved for too long; if not, the task is woken for the next look.
    fn is_still(&mut self, cx: &mut Context<'_>) -> bool {
        while self.look.as_mut().poll(cx).is_ready() {
            let Some(patience) = self.patience.checked_sub(1).filter(|left| *left > 0) else { return true };
            self.patience = patience;
            self.look.as_mut().reset(Instant::now() + LOOK);
        }
        false
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Counted<I> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if read.is_ready() {
            self.moved();
        } else if self.is_still(cx) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        read
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Counted<I> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if written.is_ready() {
            self.moved();
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        if written.is_ready() {
            self.moved();
        }
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// hyper's deadlines on a connection that is [`Counted`]: they wake nobody, for the connection does that each [`LOOK`].
#[derive(Clone, Copy, Debug)]
pub struct LookedAt;

impl Timer for LookedAt {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn HyperSleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: std::time::Instant) -> Pin<Box<dyn HyperSleep>> {
        Box::pin(Deadline(deadline))
    }

    fn now(&self) -> std::time::Instant {
        Instant::now().into_std()
    }
}

struct Deadline(std::time::Instant);

impl Future for Deadline {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if Instant::now().into_std() < self.0 { Poll::Pending } else { Poll::Ready(()) }
    }
}

impl HyperSleep for Deadline {}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::http::Response;
    use hyper::service::service_fn;
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn one_too_many_is_refused_until_another_is_closed() {
        let cap = ConnectionCap::of(2);
        let connect = async || cap.accept(tokio::io::duplex(1).0, ()).await;
        let (first, second) = (connect().await.unwrap(), connect().await.unwrap());
        assert!(connect().await.is_err());
        drop(first);
        assert!(connect().await.is_ok());
        drop(second);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_says_nothing_is_closed_and_one_that_speaks_is_not() {
        let (client, server) = tokio::io::duplex(8);
        let (mut silent, ()) = ConnectionCap::of(1).accept(server, ()).await.unwrap();
        assert_eq!(silent.read_u8().await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        drop(client);
        let (mut client, server) = tokio::io::duplex(8);
        let (mut speaking, ()) = ConnectionCap::of(1).accept(server, ()).await.unwrap();
        client.write_all(b"x").await.unwrap();
        assert_eq!(speaking.read_u8().await.unwrap(), b'x');
        let later = tokio::time::timeout(LOOK * u32::from(STILL - 2), speaking.read_u8()).await;
        assert!(later.is_err(), "while a request is answered, nothing may come for long");
        let closed = tokio::time::timeout(LOOK * u32::from(STILL), speaking.read_u8()).await.unwrap();
        assert_eq!(closed.unwrap_err().kind(), io::ErrorKind::TimedOut, "but not for ever");
    }

    #[tokio::test(start_paused = true)]
    async fn headers_that_come_byte_by_byte_are_waited_for_until_the_deadline() {
        let (mut client, server) = tokio::io::duplex(256);
        let (stream, ()) = ConnectionCap::of(1).accept(server, ()).await.unwrap();
        let (deadline, begun) = (Duration::from_secs(10), Instant::now());
        let mut http = hyper::server::conn::http1::Builder::new();
        let service = service_fn(async |_| Ok::<_, Infallible>(Response::new(String::new())));
        let connection =
            http.timer(LookedAt).header_read_timeout(deadline).serve_connection(TokioIo::new(stream), service);
        let serving = tokio::spawn(connection);
        // Of each request anew: the first one is answered.
        tokio::time::sleep(deadline / 2).await;
        client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        let answered = client.read_u8().await.unwrap();
        assert_eq!(answered, b'H');
        client.write_all(b"GET / HTTP/1.1\r\nhost: ").await.unwrap();
        while !serving.is_finished() && begun.elapsed() < deadline * 4 {
            let _closed = client.write_all(b"a").await;
            tokio::time::sleep(deadline / 4).await;
        }
        assert!(serving.is_finished(), "bytes move all the time, and that is no request");
        let waited = begun.elapsed() - deadline / 2;
        assert!(waited >= deadline && waited <= deadline + deadline / 4 + LOOK, "{waited:?}");
    }

    #[test]
    fn there_are_places_whatever_the_limit() {
        let (public, private) = ConnectionCap::for_listeners();
        assert!(public.0.available_permits() >= 1 && private.0.available_permits() == PRIVATE);
    }
}
