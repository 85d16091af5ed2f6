//! The page for what went wrong: what happened, what to do, and the request's id to copy.
//!
//! Handlers answer a [`Problem`] whoever asks; for a browser that wants a page, the outermost layer turns it into one.

use askama::Template;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;

use super::Flash;
use super::visit::html_response;
use crate::authn::cookie::Cookie;
use crate::http::{Code, Edge, Problem};

/// Where to go from here.
struct WayOn {
    href: &'static str,
    label: &'static str,
}

/// A problem, as a person reads it.
#[derive(Template)]
#[template(path = "console/problem.html")]
struct ProblemPage<'a> {
    status: u16,
    reason: &'a str,
    title: &'a str,
    happened: &'a str,
    remedy: &'a str,
    way_on: WayOn,
    code: &'a str,
    request_id: &'a str,
}

/// Turns problems into pages for whoever prefers HTML and did not call the API; sends who is not signed in to the door.
pub async fn problems_as_pages(State(edge): State<Edge>, request: Request, next: Next) -> Response {
    let wanted = wants_page(&request);
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let response = next.run(request).await;
    let Some(problem) = response.extensions().get::<Problem>().filter(|_| wanted).cloned() else {
        return response;
    };
    match problem.code() {
        Code::Unauthenticated if reads => to_the_door(response, &edge, None),
        Code::TokenExpired | Code::SessionEnded if reads => to_the_door(response, &edge, Some(Flash::SessionOver)),
        Code::Unauthenticated | Code::TokenExpired | Code::SessionEnded => {
            to_the_door(response, &edge, Some(Flash::NotCarriedOut))
        }
        _ => as_page(response, &problem),
    }
}

/// The same answer, its headers, as a way to the sign-in page.
fn to_the_door(mut response: Response, edge: &Edge, flash: Option<Flash>) -> Response {
    *response.status_mut() = StatusCode::SEE_OTHER;
    *response.body_mut() = Body::empty();
    let headers = response.headers_mut();
    for name in [header::CONTENT_TYPE, header::CONTENT_LENGTH, header::WWW_AUTHENTICATE] {
        headers.remove(name);
    }
    headers.insert(header::LOCATION, HeaderValue::from_static("/sign-in"));
    if let Some(flash) = flash {
        // What the browser holds signs nobody in: it was refreshed before the page, if it could be.
        for cookie in [Cookie::Access, Cookie::Refresh] {
            headers.append(header::SET_COOKIE, edge.cookies.clear(cookie));
        }
        headers.append(header::SET_COOKIE, flash.cookie(edge.cookies));
    }
    response
}

fn wants_page(request: &Request) -> bool {
    let accepted = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accepted.contains("text/html") && !request.uri().path().starts_with("/v1/")
}

/// The same answer, its status and headers, with a page for a body.
fn as_page(mut response: Response, problem: &Problem) -> Response {
    let status = response.status();
    let request_id = response.headers().get("x-request-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
    let (title, happened, remedy) = told(problem);
    let page = ProblemPage {
        status: status.as_u16(),
        reason: status.canonical_reason().unwrap_or_default(),
        title,
        happened,
        remedy,
        way_on: way_on(problem.code()),
        code: problem.code().as_str(),
        request_id,
    };
    let Ok(html) = page.render() else { return response };
    let (parts, body) = html_response(status, html).into_parts();
    for (name, value) in &parts.headers {
        response.headers_mut().insert(name.clone(), value.clone());
    }
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("Accept"));
    response.headers_mut().remove(header::CONTENT_LENGTH);
    *response.body_mut() = body;
    response
}

/// Title, what happened, what to do; where the API's own words speak to programs, words for people.
fn told(problem: &Problem) -> (&str, &str, &str) {
    let code = problem.code();
    match code {
        Code::NotFound => (
            "There is nothing here",
            "No page or thing of this name is within your reach: it does not exist, or it belongs to a workspace or an \
             environment that you are not in.",
            "Check the address, or start from your workspaces.",
        ),
        Code::Forbidden => {
            ("You may not do this here", problem.explanation(), "Ask an owner of the workspace for a role that has it.")
        }
        Code::AmbiguousSlug => (
            "Two of your workspaces share this name",
            "The address names a workspace by its slug, and you are in several with this one.",
            "Choose the one that you mean from your workspaces.",
        ),
        Code::MfaRequired => (
            "This workspace demands a second factor",
            "It lets in only those who have shown one when they signed in: an authenticator's code, a passkey or a recovery code.",
            "Add a second factor to your account. If you have one, sign in again with it.",
        ),
        Code::CrossOrigin => (
            "Refused: this came from another site",
            "Another site's page sent this form in your name, or your browser hid where it came from. Nothing was changed.",
            "Open the page here and send the form from it.",
        ),
        Code::InvalidParameter | Code::InvalidCursor => (
            "This address has a part that we do not know",
            "What follows the question mark in it is not something that this page understands.",
            "Start from the page itself, without that part.",
        ),
        Code::InvalidRequest | Code::UnsupportedMediaType => (
            "This form is not one of ours",
            "What was sent does not fit the page that it was sent to. Nothing was changed.",
            "Load the page again and fill it in once more.",
        ),
        Code::IdempotencyInFlight => (
            "It is still being worked on",
            "You sent this before, and that is not finished yet.",
            "Wait a moment, and look whether it is done before you send it again.",
        ),
        Code::Internal => (
            code.title(),
            "The request failed, and it was written to the log under the id below.",
            "Try again. If it stays, tell whoever runs this server that id.",
        ),
        Code::Unavailable => (
            code.title(),
            "Something that this server needs, most likely its database, does not answer.",
            "Try again in a moment.",
        ),
        _ => (code.title(), problem.explanation(), code.advice()),
    }
}

fn way_on(code: Code) -> WayOn {
    match code {
        Code::MfaRequired => WayOn { href: "/account/factors", label: "Your second factor" },
        Code::SignInFailed | Code::OtherBrowser => WayOn { href: "/sign-in", label: "Sign in" },
        _ => WayOn { href: "/workspaces", label: "Your workspaces" },
    }
}

impl ProblemPage<'_> {
    /// Ours is red, theirs amber.
    const fn tone(&self) -> &'static str {
        if self.status >= 500 { "broken" } else { "stale" }
    }
}
