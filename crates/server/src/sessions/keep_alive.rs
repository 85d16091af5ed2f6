//! The console's session outlives its access token: pages refresh it on the way in.

use axum::extract::{Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::http::{clear_cookies, set_cookies};
use super::model::RefreshRefusal;
use super::ops::{self, Refreshing};
use crate::authn::AccessTokens;
use crate::authn::cookie::Cookie;
use crate::context::RequestContext;
use crate::http::{Changes, Edge, Problem};
use crate::jobs::Queue;

/// Refreshes a session whose access token is gone or over, before the page asks who is there. Pages that
/// do so at once get the same successor.
pub async fn keep_alive(
    State(changes): State<Changes>,
    State(tokens): State<AccessTokens>,
    State(queue): State<Queue>,
    State(edge): State<Edge>,
    context: RequestContext,
    mut request: Request,
    next: Next,
) -> Response {
    let (access, refresh) = {
        let cookie = |cookie| edge.cookies.get(request.headers(), cookie);
        (cookie(Cookie::Access), cookie(Cookie::Refresh))
    };
    let good = access.is_some_and(|token| tokens.is_good(&token, context.received_at));
    let Some(refresh) = refresh.filter(|_| !good) else { return next.run(request).await };
    let with = Refreshing::new(&changes, &tokens, &queue, &context);
    match ops::refresh(with, &refresh).await {
        Ok(pair) => {
            edge.cookies.replace(request.headers_mut(), Cookie::Access, &pair.access_token);
            edge.cookies.replace(request.headers_mut(), Cookie::Refresh, &pair.refresh_token);
            let response = next.run(request).await;
            if sets_cookies(&response) {
                response
            } else {
                (set_cookies(edge.cookies, &pair), response).into_response()
            }
        }
        Err(RefreshRefusal::Invalid | RefreshRefusal::Reused) => {
            let response = next.run(request).await;
            if sets_cookies(&response) { response } else { (clear_cookies(edge.cookies), response).into_response() }
        }
        // Nobody can tell: the page must not say that the session is over.
        Err(refusal) => Problem::from(refusal).into_response(),
    }
}

/// A page that signs in or out has the last word on the session's cookies.
fn sets_cookies(response: &Response) -> bool {
    let lines = response.headers().get_all(header::SET_COOKIE).iter();
    lines.filter_map(|line| line.to_str().ok()).any(|line| line.contains("bw_access="))
}
