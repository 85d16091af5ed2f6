//! So many connections on a listener and no more.
//!
//! A flood of connections on one listener then leaves descriptors for the other, for the database and for files. One too
//! many is closed at once: its client may try again, and those that say nothing are gone within the header deadline.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum_server::accept::Accept;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Lets connections in while there are places.
#[derive(Clone, Debug)]
pub struct ConnectionCap(Arc<Semaphore>);

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
            Ok(place) => Ok((Counted { stream, _place: place }, service)),
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
    _place: OwnedSemaphorePermit,
}

impl<I: AsyncRead + Unpin> AsyncRead for Counted<I> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Counted<I> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
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
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn there_are_places_whatever_the_limit() {
        let (public, private) = ConnectionCap::for_listeners();
        assert!(public.0.available_permits() >= 1 && private.0.available_permits() == PRIVATE);
    }
}
