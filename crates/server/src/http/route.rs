//! What the route table says of a route, brought to whoever handles a request of it.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use axum::extract::Request;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use futures_util::future::Either;
use tower_service::Service;

use super::operation::Access;
use super::problem::{Code, Problem};
use super::traffic::Traffic;

/// Whom a route is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surface {
    /// Programs: the `Authorization` header, JSON.
    Api,
    /// People in a browser: the session's cookie, pages.
    Console,
}

/// A route, as the table has it.
pub(super) struct Route {
    pub(super) access: Access,
    pub(super) surface: Surface,
    /// Whether it looks at the query; otherwise one that was sent is refused, as unknown parameters are.
    pub(super) takes_query: bool,
    /// The largest body that it reads.
    pub(super) most_body_bytes: usize,
    pub(super) traffic: Traffic,
}

impl Route {
    /// The route that a request has come to.
    pub(super) fn of(parts: &Parts) -> Option<&Self> {
        parts.extensions.get::<Arc<Self>>().map(AsRef::as_ref)
    }
}

/// Where a request leaves word of the route that it came to.
#[derive(Clone, Default)]
pub(super) struct Reached(Arc<OnceLock<Arc<Route>>>);

impl Reached {
    pub(super) fn route(&self) -> Option<&Route> {
        self.0.get().map(AsRef::as_ref)
    }
}

/// Makes a handler one of a route.
#[derive(Clone)]
pub(super) struct Layer(pub(super) Arc<Route>);

impl<S> tower_layer::Layer<S> for Layer {
    type Service = OfRoute<S>;

    fn layer(&self, inner: S) -> OfRoute<S> {
        OfRoute { inner, route: Arc::clone(&self.0) }
    }
}

/// A handler of a route.
#[derive(Clone)]
pub(super) struct OfRoute<S> {
    inner: S,
    route: Arc<Route>,
}

impl<S> Service<Request> for OfRoute<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Either<S::Future, Ready<Result<Response, Infallible>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        if let Some(Reached(reached)) = request.extensions().get() {
            let _first_time = reached.set(Arc::clone(&self.route));
        }
        if !self.route.takes_query && request.uri().query().is_some_and(|query| !query.is_empty()) {
            return Either::Right(ready(Ok(Problem::new(Code::InvalidParameter).into_response())));
        }
        request.extensions_mut().insert(Arc::clone(&self.route));
        Either::Left(self.inner.call(request))
    }
}
