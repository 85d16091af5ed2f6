//! So many connections on a listener and no more.
//!
//! A flood of connections on one listener then leaves descriptors for the other, for the database and for files. One too
//! many is closed at once, and its client may try again. One that says nothing is closed after [`FIRST_BYTE`], and one on
//! which nothing moves, in either direction, after [`STILL`]. hyper has a deadline of its own for headers; it was seen to
//! miss silent connections, so these are kept where the bytes pass.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum_server::accept::Accept;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};

/// Lets connections in while there are places.
#[derive(Clone, Debug)]
pub struct ConnectionCap(Arc<Semaphore>);

/// How long a new connection may say nothing.
const FIRST_BYTE: Duration = Duration::from_secs(10);
/// How long nothing may move on a connection: longer than a request may take to be answered.
const STILL: Duration = Duration::from_secs(40);
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
                let patience = Box::pin(tokio::time::sleep(FIRST_BYTE));
                Ok((Counted { stream, patience, _place: place }, service))
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
    /// Begins anew with everything that moves.
    patience: Pin<Box<Sleep>>,
    _place: OwnedSemaphorePermit,
}

impl<I> Counted<I> {
    fn moved(&mut self) {
        self.patience.as_mut().reset(Instant::now() + STILL);
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Counted<I> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if read.is_ready() {
            self.moved();
        } else if self.patience.as_mut().poll(cx).is_ready() {
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

#[cfg(test)]
mod tests {
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
        let later = tokio::time::timeout(STILL - Duration::from_secs(1), speaking.read_u8()).await;
        assert!(later.is_err(), "while a request is answered, nothing may come for long");
        let closed = tokio::time::timeout(STILL, speaking.read_u8()).await.unwrap();
        assert_eq!(closed.unwrap_err().kind(), io::ErrorKind::TimedOut, "but not for ever");
    }

    #[test]
    fn there_are_places_whatever_the_limit() {
        let (public, private) = ConnectionCap::for_listeners();
        assert!(public.0.available_permits() >= 1 && private.0.available_permits() == PRIVATE);
    }
}
