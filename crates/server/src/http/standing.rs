//! Whoever is let in at the headers may have been put out by the end of the body.
//!
//! Rights are judged when the headers are there, so that nobody unknown makes the server wait for a body. A body may take
//! its time, and meanwhile a key may be revoked, a person signed out or demoted: whoever made the server wait is judged
//! once more, by the same code and at the later time, before anything is made of the body.

use std::time::{Duration, Instant};

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use futures_util::future::BoxFuture;

use super::edge::Edge;
use super::problem::Problem;
use crate::context::RequestContext;

/// What has come within that time of the judgement has made nobody wait; a revocation takes longer to be answered.
pub(super) const AT_ONCE: Duration = Duration::from_millis(1);

type Judge<S> = for<'a> fn(&'a mut Parts, &'a S) -> BoxFuture<'a, Result<(), Problem>>;

/// Judges once more what was judged at the headers, which began at that moment.
struct Again<S>(Instant, Judge<S>);

impl<S> Clone for Again<S> {
    fn clone(&self) -> Self {
        Self(self.0, self.1)
    }
}

/// Leaves word, before it is judged, that the request is let in as a `T`.
pub(super) fn let_in<T, S>(parts: &mut Parts)
where
    S: Send + Sync + 'static,
    T: FromRequestParts<S, Rejection = Problem> + Send,
{
    parts.extensions.insert(Again::<S>(Instant::now(), again::<T, S>));
}

fn again<'a, T, S>(parts: &'a mut Parts, state: &'a S) -> BoxFuture<'a, Result<(), Problem>>
where
    S: Send + Sync,
    T: FromRequestParts<S, Rejection = Problem> + Send,
{
    Box::pin(async move { T::from_request_parts(parts, state).await.map(drop) })
}

/// Whether the request would be let in now, if that was not settled just now.
///
/// # Errors
/// What it would be answered.
pub(super) async fn still_holds<S>(parts: &mut Parts, state: &S) -> Result<(), Problem>
where
    S: Send + Sync + 'static,
    Edge: FromRef<S>,
{
    let Some(Again(began, judge)) = parts.extensions.get::<Again<S>>().cloned() else { return Ok(()) };
    if began.elapsed() <= AT_ONCE {
        return Ok(());
    }
    if let Some(context) = parts.extensions.get_mut::<RequestContext>() {
        context.received_at = Edge::from_ref(state).clock.now();
    }
    judge(parts, state).await
}
