//! `POST /auth/device`, `POST /auth/device/token`: RFC 8628, with JSON in and problems out.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::model::{INTERVAL_SECONDS, LIVES, PickUpError};
use super::ops;
use crate::context::RequestContext;
use crate::http::{Code, Json, NoBody, Problem};
use crate::identity::{Door, Refused, SigningIn};
use crate::sessions::TokenPair;

/// Where a person types the code.
pub(super) const PAGE: &str = "/device";

/// What a program shows to its person, and what it keeps for itself.
#[derive(Serialize, utoipa::ToSchema)]
pub struct DeviceLogin {
    /// The program's own: for `POST /auth/device/token`.
    device_code: String,
    /// To be typed by the person, at `verification_uri`.
    user_code: String,
    /// Where. There is no address with the code in it: nobody is to be led to approve what they did not ask for.
    verification_uri: String,
    /// Seconds for which both codes are good.
    expires_in: i64,
    /// Seconds to wait between two questions.
    interval: i32,
}

/// `{"device_code": …}`
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceCode {
    device_code: String,
}

/// Begins a sign-in that a person approves in a browser.
///
/// # Errors
/// `invalid_request` for a body, `rate_limited`, `unavailable`.
pub async fn ask(
    context: RequestContext,
    headers: HeaderMap,
    State(door): State<Door>,
    _: NoBody,
) -> Result<Response, Problem> {
    let allowed = door.refusals.noting(Refused::RequestLimited, &context, door.limits.redeem(&context))?;
    let seen = &ops::seen(&headers, &context);
    let asked = ops::ask(SigningIn { door: &door, seen, context: &context }).await;
    let ops::Asked { device_code, user_code } = asked.map_err(|error| allowed.on(error))?;
    let login = DeviceLogin {
        device_code,
        user_code,
        verification_uri: door.public_url.join(PAGE),
        expires_in: LIVES.whole_seconds(),
        interval: INTERVAL_SECONDS,
    };
    Ok((allowed.headers(), Json(login)).into_response())
}

/// Answers the tokens once somebody has approved, and why not until then.
///
/// # Errors
/// `authorization_pending`, `slow_down`, `access_denied`, `expired_token`, `invalid_body`, `rate_limited`.
pub async fn pick_up(
    context: RequestContext,
    headers: HeaderMap,
    State(door): State<Door>,
    Json(body): Json<DeviceCode>,
) -> Result<Json<TokenPair>, Problem> {
    door.refusals.noting(Refused::RequestLimited, &context, door.limits.poll(&context))?;
    let seen = &ops::seen(&headers, &context);
    Ok(Json(ops::pick_up(SigningIn { door: &door, seen, context: &context }, &body.device_code).await?))
}

impl From<PickUpError> for Problem {
    fn from(error: PickUpError) -> Self {
        let code = match error {
            PickUpError::Pending => Code::AuthorizationPending,
            PickUpError::TooEarly => Code::SlowDown,
            PickUpError::Denied => Code::AccessDenied,
            PickUpError::Over => Code::ExpiredToken,
            PickUpError::Limited(limited) => return limited.into(),
            PickUpError::Db(error) => return error.into(),
            PickUpError::Sign(error) => return Self::internal("sign access token", &error),
        };
        // Libraries for RFC 8628 read it by that name (RFC 6749, section 5.2).
        Self::new(code).member("error", json!(code.as_str()))
    }
}
