//! RFC 9457: the one type of error that becomes an answer.

mod code;

use std::borrow::Cow;
use std::fmt::Write as _;

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bailiwick_proof::id::RequestId;
use serde_json::{Map, Value, json};

pub use code::Code;

use crate::authz::Denied;
use crate::db::DbError;
use crate::feed::Unconfirmed;
use crate::vault::VaultError;

/// What went wrong with one field of the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// Where: a JSON pointer (RFC 6901), or a form field's name.
    pub pointer: String,
    /// What, in a word that does not change.
    pub code: &'static str,
    /// What, for a person, with what would be right.
    pub detail: String,
}

/// An answer that says no, and why.
#[derive(Clone, Debug)]
pub struct Problem(Box<Facts>);

#[derive(Clone, Debug)]
struct Facts {
    code: Code,
    detail: Cow<'static, str>,
    errors: Vec<FieldError>,
    members: Map<String, Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    /// A problem with the code's own explanation.
    #[must_use]
    pub fn new(code: Code) -> Self {
        Self(Box::new(Facts {
            code,
            detail: Cow::Borrowed(code.advice()),
            errors: Vec::new(),
            members: Map::new(),
            headers: Vec::new(),
        }))
    }

    /// With an explanation of this very case. Never the text of an inner error.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.0.detail = detail.into();
        self
    }

    /// One wrong field.
    #[must_use]
    pub fn field(pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Self {
        Self::fields(vec![FieldError { pointer: pointer.into(), code, detail: detail.into() }])
    }

    /// Several wrong fields.
    #[must_use]
    pub fn fields(errors: Vec<FieldError>) -> Self {
        Self::new(Code::InvalidBody).naming(errors)
    }

    /// With the fields that are the reason.
    #[must_use]
    pub fn naming(mut self, errors: Vec<FieldError>) -> Self {
        self.0.errors = errors;
        self
    }

    /// With an extension member (RFC 9457, section 3.2).
    #[must_use]
    pub fn member(mut self, name: &str, value: Value) -> Self {
        self.0.members.insert(name.to_owned(), value);
        self
    }

    /// With a header on the answer.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    /// A fault of ours: logged here with its cause, answered without.
    #[must_use]
    pub fn internal(operation: &'static str, cause: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(event = "internal_error", operation, cause = %chain(cause));
        Self::new(Code::Internal)
    }

    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> Code {
        self.0.code
    }

    /// What happened, for a person.
    #[must_use]
    pub fn explanation(&self) -> &str {
        &self.0.detail
    }

    /// What its answer tells besides.
    #[must_use]
    pub fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.0.headers
    }

    /// The wrong fields, if that is what happened.
    #[must_use]
    pub fn field_errors(&self) -> &[FieldError] {
        &self.0.errors
    }

    /// The document of RFC 9457.
    #[must_use]
    pub fn to_json(&self, request: Option<RequestId>) -> Value {
        let mut document = json!({
            "type": format!("urn:bailiwick:problem:{}", self.0.code.as_str()),
            "title": self.0.code.title(),
            "status": self.0.code.status().as_u16(),
            "code": self.0.code.as_str(),
            "detail": self.0.detail,
        });
        if let Some(object) = document.as_object_mut() {
            if let Some(request) = request {
                object.insert("request_id".to_owned(), json!(request.to_string()));
            }
            if !self.0.errors.is_empty() {
                let errors = self
                    .0
                    .errors
                    .iter()
                    .map(|error| json!({"pointer": error.pointer, "code": error.code, "detail": error.detail}));
                object.insert("errors".to_owned(), errors.collect());
            }
            object.extend(self.0.members.clone());
        }
        document
    }

    /// The answer as JSON, with the request's id in it.
    #[must_use]
    pub fn render(self, request: Option<RequestId>) -> Response {
        let body = self.to_json(request).to_string();
        let mut response = (self.0.code.status(), body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        for (name, value) in &self.0.headers {
            headers.append(name.clone(), value.clone());
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl IntoResponse for Problem {
    /// Renders without the request's id; the outermost layer, which knows it, renders once more.
    fn into_response(self) -> Response {
        self.render(None)
    }
}

impl From<DbError> for Problem {
    fn from(error: DbError) -> Self {
        match error {
            DbError::Unavailable(cause) => {
                tracing::warn!(event = "database_unavailable", cause = %cause);
                Self::new(Code::Unavailable).header(header::RETRY_AFTER, HeaderValue::from_static("1"))
            }
            error => Self::internal("database", &error),
        }
    }
}

impl From<Unconfirmed> for Problem {
    fn from(_: Unconfirmed) -> Self {
        Self::new(Code::RevocationUnconfirmed).header(header::RETRY_AFTER, HeaderValue::from_static("1"))
    }
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::NotFound => Self::new(Code::NotFound),
            Denied::Forbidden(permission) => Self::new(Code::Forbidden)
                .detail(format!("This needs the permission {}.", permission.name()))
                .member("permission", json!(permission.name())),
            Denied::AmbiguousSlug(ids) => Self::new(Code::AmbiguousSlug)
                .member("workspaces", ids.iter().map(|id| json!(id.to_string())).collect()),
            Denied::OtherEnvironment(own) => {
                Self::new(Code::EnvironmentMismatch).detail(format!("This key belongs to the environment {own}."))
            }
            Denied::FactorDemanded => Self::new(Code::MfaRequired),
            Denied::Db(error) => error.into(),
        }
    }
}

impl From<VaultError> for Problem {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Db(error) => error.into(),
            VaultError::Shredded => Self::new(Code::WorkspaceShredded),
            error if error.passes() => {
                tracing::warn!(event = "vault_unavailable", cause = %error);
                Self::new(Code::Unavailable).header(header::RETRY_AFTER, HeaderValue::from_static("5"))
            }
            error => Self::internal("vault", &error),
        }
    }
}

/// The status alone, for answers that a library made: the nearest code of ours.
pub(super) fn of_status(status: StatusCode) -> Problem {
    let code = Code::ALL.into_iter().find(|code| code.status() == status && code.is_general());
    Problem::new(code.unwrap_or(if status.is_server_error() { Code::Internal } else { Code::InvalidRequest }))
}

fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let _ = write!(text, ": {cause}");
        source = cause.source();
    }
    text
}

/// `docs/reference/problem-codes.md`, generated.
#[must_use]
pub fn reference_markdown() -> String {
    let mut page = String::from(
        "# Problem codes\n\nGenerated by `cargo xtask generate`. The list is closed: an answer that is an error carries \
         one of these.\n\nErrors are `application/problem+json` (RFC 9457) with `type`, `title`, `status`, `code`, `detail`, \
         `request_id` and, where single fields are wrong, `errors` (each a JSON `pointer`, a `code` and a `detail`). \
         Programs decide by `code`, which does not change; `title` and `detail` are for people.\n\n\
         | code | status | title | what to do |\n|---|---|---|---|\n",
    );
    for code in Code::ALL {
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {} |",
            code.as_str(),
            code.status().as_u16(),
            code.title(),
            code.advice()
        );
    }
    page
}
