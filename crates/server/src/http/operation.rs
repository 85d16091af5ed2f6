//! The route table: method, path, who may, handler; and what the contract says about it.
//!
//! A route enters the router and the OpenAPI document by the same line, so they cannot differ. Its
//! [`Access`] is no option: a route without one does not compile, and a handler that asks for another
//! than was declared answers nothing (see `extract`).

use std::sync::Arc;

use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{MethodFilter, MethodRouter, any, on};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::Code;
use super::json::MAX_BODY_BYTES;
use super::route::{Layer, Route, Surface};
use super::traffic::Traffic;
use crate::authz::Permission;

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody; the handler decides by what is sent.
    Anyone,
    /// A person with a session.
    SignedIn,
    /// The holder of any API key.
    AnyKey,
    /// Whoever has this permission in the workspace that the path names.
    Permission(Permission),
    /// A service of the operator's, by its internal credential in `Authorization`.
    InternalCredential,
    /// The same, with the credential in a header of its own: `Authorization` is somebody else's.
    ForwardedRequest,
}

/// Named schemas that a body needs.
pub(super) type Schemas = Vec<(String, RefOr<Schema>)>;

/// A body's schema, and those it refers to.
#[derive(Clone, Copy)]
pub(super) struct Body {
    pub(super) name: fn() -> String,
    pub(super) schema: fn() -> RefOr<Schema>,
    pub(super) referred: fn(&mut Schemas),
}

impl Body {
    fn of<T: ToSchema>() -> Self {
        Self { name: || T::name().into_owned(), schema: <T as PartialSchema>::schema, referred: T::schemas }
    }
}

/// One operation of the API, as the contract describes it.
pub struct Operation {
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    pub(super) access: Access,
    pub(super) takes: Option<Body>,
    pub(super) status: u16,
    pub(super) answers: Option<Body>,
    /// What is answered instead of JSON of our own: the media type.
    pub(super) media: Option<&'static str>,
    pub(super) query: &'static [(&'static str, &'static str)],
    pub(super) changes: bool,
    pub(super) codes: &'static [Code],
    any_method: bool,
    most_body_bytes: usize,
}

impl Operation {
    fn new(method: Method, path: &'static str, id: &'static str, access: Access, summary: &'static str) -> Self {
        let changes = method != Method::GET;
        Self {
            method,
            path,
            id,
            summary,
            access,
            takes: None,
            status: 200,
            answers: None,
            media: None,
            query: &[],
            changes,
            codes: &[],
            any_method: false,
            most_body_bytes: MAX_BODY_BYTES,
        }
    }

    /// A reading operation.
    #[must_use]
    pub fn get(path: &'static str, id: &'static str, access: Access, summary: &'static str) -> Self {
        Self::new(Method::GET, path, id, access, summary)
    }

    /// A changing operation.
    #[must_use]
    pub fn post(path: &'static str, id: &'static str, access: Access, summary: &'static str) -> Self {
        Self::new(Method::POST, path, id, access, summary)
    }

    /// An operation that sets a thing as a whole.
    #[must_use]
    pub fn put(path: &'static str, id: &'static str, access: Access, summary: &'static str) -> Self {
        Self::new(Method::PUT, path, id, access, summary)
    }

    /// An operation that changes parts of a thing.
    #[must_use]
    pub fn patch(path: &'static str, id: &'static str, access: Access, summary: &'static str) -> Self {
        Self::new(Method::PATCH, path, id, access, summary)
    }

    /// A removing operation.
    #[must_use]
    pub fn delete(path: &'static str, id: &'static str, access: Access, summary: &'static str) -> Self {
        Self::new(Method::DELETE, path, id, access, summary)
    }

    /// With this body.
    #[must_use]
    pub fn takes<T: ToSchema>(mut self) -> Self {
        self.takes = Some(Body::of::<T>());
        self
    }

    /// Answered so.
    #[must_use]
    pub fn answers<T: ToSchema>(mut self, status: u16) -> Self {
        (self.status, self.answers) = (status, Some(Body::of::<T>()));
        self
    }

    /// Answered with 200 in another format than JSON of our own.
    #[must_use]
    pub fn answers_as(mut self, media: &'static str) -> Self {
        self.media = Some(media);
        self
    }

    /// Answered without a body.
    #[must_use]
    pub fn answers_nothing(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// With these query parameters: name and meaning.
    #[must_use]
    pub fn query(mut self, parameters: &'static [(&'static str, &'static str)]) -> Self {
        self.query = parameters;
        self
    }

    /// A POST that takes no idempotency key: it changes nothing, or must never be replayed.
    #[must_use]
    pub fn without_idempotency(mut self) -> Self {
        self.changes = false;
        self
    }

    /// Answered alike whatever the method: that is the forwarded request's.
    #[must_use]
    pub fn by_any_method(mut self) -> Self {
        self.any_method = true;
        self
    }

    /// With bodies of up to so many bytes.
    #[must_use]
    pub fn with_room_for(mut self, bytes: usize) -> Self {
        self.most_body_bytes = bytes;
        self
    }

    /// With these codes beside those that every operation can answer.
    #[must_use]
    pub fn problems(mut self, codes: &'static [Code]) -> Self {
        self.codes = codes;
        self
    }
}

/// Routes that enter the router and the contract together.
pub struct Routes<S> {
    surface: Surface,
    router: Router<S>,
    operations: Vec<Operation>,
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    /// None yet; those that come are for this surface.
    #[must_use]
    pub fn of(surface: Surface) -> Self {
        Self { surface, router: Router::new(), operations: Vec::new() }
    }

    /// An operation of the API.
    #[must_use]
    pub fn operation<H, T>(mut self, operation: Operation, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        let handled = if operation.any_method { any(handler) } else { on(filter(&operation.method), handler) };
        let (takes_query, most_body_bytes) = (!operation.query.is_empty(), operation.most_body_bytes);
        self = self.route(operation.path, operation.access, takes_query, most_body_bytes, handled);
        self.operations.push(operation);
        self
    }

    /// A page or asset, which the contract does not describe.
    #[must_use]
    pub fn page<H, T>(self, method: &Method, path: &'static str, access: Access, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        self.route(path, access, true, MAX_BODY_BYTES, on(filter(method), handler))
    }

    /// A page whose form may have so many bytes.
    #[must_use]
    pub fn roomy_page<H, T>(
        self,
        method: &Method,
        path: &'static str,
        access: Access,
        most_body_bytes: usize,
        handler: H,
    ) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        self.route(path, access, true, most_body_bytes, on(filter(method), handler))
    }

    fn route(
        mut self,
        path: &'static str,
        access: Access,
        takes_query: bool,
        most_body_bytes: usize,
        handled: MethodRouter<S>,
    ) -> Self {
        let traffic = Traffic::of(path);
        let route = Route { access, surface: self.surface, takes_query, most_body_bytes, traffic };
        self.router = self.router.route(path, handled.layer(Layer(Arc::new(route))));
        self
    }

    /// The router and the operations in it.
    pub fn into_parts(self) -> (Router<S>, Vec<Operation>) {
        (self.router, self.operations)
    }
}

const fn filter(method: &Method) -> MethodFilter {
    match *method {
        Method::POST => MethodFilter::POST,
        Method::PUT => MethodFilter::PUT,
        Method::PATCH => MethodFilter::PATCH,
        Method::DELETE => MethodFilter::DELETE,
        _ => MethodFilter::GET,
    }
}
