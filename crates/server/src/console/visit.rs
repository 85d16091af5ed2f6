//! One person's look at a page: what every console handler needs of the request, and how it answers.

use askama::Template;
use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Redirect, Response};
use serde::Serialize;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::flash::{CARRY_PREFIX, Flash};
use super::{Moment, assets};
use crate::authn::cookie::{Cookie, CookieStyle};
use crate::authz::Notary;
use crate::config::PublicUrl;
use crate::context::RequestContext;
use crate::entropy::Entropy;
use crate::http::{Edge, Idempotency, Problem};

/// How long something sealed waits to be seen.
const CARRY_LIVES: Duration = Duration::minutes(10);

/// What is known of a look at a page.
pub struct Visit {
    context: RequestContext,
    headers: HeaderMap,
    cookies: CookieStyle,
    entropy: Entropy,
    notary: Notary,
    origin: String,
    brought: Option<String>,
    path: String,
}

impl<S> FromRequestParts<S> for Visit
where
    S: Send + Sync,
    Edge: FromRef<S>,
    Notary: FromRef<S>,
    PublicUrl: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Edge { cookies, entropy, .. } = Edge::from_ref(state);
        Ok(Self {
            context: RequestContext::from_request_parts(parts, state).await?,
            headers: parts.headers.clone(),
            cookies,
            entropy,
            notary: Notary::from_ref(state),
            origin: PublicUrl::from_ref(state).origin().to_owned(),
            brought: cookies.get(&parts.headers, Cookie::Flash),
            path: parts.uri.path().to_owned(),
        })
    }
}

impl Visit {
    /// The request at hand.
    pub(crate) fn context(&self) -> &RequestContext {
        &self.context
    }

    /// Knows which rows are vouched for.
    pub(crate) const fn notary(&self) -> &Notary {
        &self.notary
    }

    /// When the page was asked for.
    pub(crate) fn now(&self) -> OffsetDateTime {
        self.context.received_at
    }

    /// A moment as seen from this page.
    pub(crate) fn moment(&self, at: OffsetDateTime) -> Moment {
        Moment::new(at, self.now())
    }

    /// The server's public origin, for lines to copy.
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// The request's headers.
    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// One of our cookies.
    pub(crate) fn cookie(&self, cookie: Cookie) -> Option<String> {
        self.cookies.get(&self.headers, cookie)
    }

    /// What cookies look like here.
    pub(crate) fn cookies(&self) -> CookieStyle {
        self.cookies
    }

    /// A fresh idempotency key for a form's hidden field.
    pub(crate) fn form_key(&self) -> Uuid {
        self.entropy.uuid_v7(self.now())
    }

    /// What makes a form safe to send twice: its hidden key, bound to this page and to all that was typed.
    ///
    /// # Errors
    /// `internal` when the form is no JSON, which is a fault of ours.
    pub(crate) fn once(&self, key: Uuid, typed: &impl Serialize) -> Result<Idempotency, Problem> {
        let typed = serde_json::to_vec(typed).map_err(|error| Problem::internal("form", &error))?;
        Ok(Idempotency::from_form(&key.to_string(), &format!("form {}", self.path), &typed))
    }

    /// What went well on the page before.
    pub(crate) fn flash(&self) -> Option<Flash> {
        self.brought.as_deref().and_then(Flash::parse)
    }

    /// What was sealed for this browser to bring along.
    pub(crate) fn carried(&self) -> Option<&str> {
        self.brought.as_deref()?.strip_prefix(CARRY_PREFIX)
    }

    /// A page. A flash that it shows is told once.
    ///
    /// # Errors
    /// `internal` when a template fails, which is a fault of ours.
    pub(crate) fn page(&self, page: &impl Template) -> Result<Response, Problem> {
        self.page_with(StatusCode::OK, page)
    }

    /// A form again, with what is wrong beside its fields.
    ///
    /// # Errors
    /// As [`Self::page`].
    pub(crate) fn form_again(&self, page: &impl Template) -> Result<Response, Problem> {
        self.page_with(StatusCode::UNPROCESSABLE_ENTITY, page)
    }

    /// A page under another status.
    ///
    /// # Errors
    /// As [`Self::page`].
    pub(crate) fn page_with(&self, status: StatusCode, page: &impl Template) -> Result<Response, Problem> {
        let html = page.render().map_err(|error| Problem::internal("template", &error))?;
        let mut response = html_response(status, html);
        if self.flash().is_some() {
            response.headers_mut().append(header::SET_COOKIE, self.cookies.clear(Cookie::Flash));
        }
        Ok(response)
    }

    /// After a change: see another page, which tells what went well.
    pub(crate) fn done(&self, path: &str, flash: Flash) -> Response {
        (AppendHeaders([(header::SET_COOKIE, flash.cookie(self.cookies))]), Redirect::to(path)).into_response()
    }

    /// See another page, with something sealed in the browser's keeping.
    pub(crate) fn carry(&self, path: &str, sealed: &str) -> Response {
        let value = format!("{CARRY_PREFIX}{sealed}");
        let cookie = self.cookies.set(Cookie::Flash, &value, CARRY_LIVES);
        (AppendHeaders([(header::SET_COOKIE, cookie)]), Redirect::to(path)).into_response()
    }
}

/// HTML that nobody stores: a page may show what its reader will not be allowed to see in a minute.
pub(super) fn html_response(status: StatusCode, html: String) -> Response {
    let mut response = (status, html).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Which links may be fetched ahead (on the press, before the release) stands in a file: the
    // Content-Security-Policy forbids rules in the page.
    if let Ok(rules) = HeaderValue::from_str(&format!("\"{}\"", assets::asset("speculation.json"))) {
        headers.insert("speculation-rules", rules);
    }
    response
}
