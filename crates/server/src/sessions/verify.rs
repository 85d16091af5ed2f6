//! `POST /internal/v1/sessions/verify`: whose access token is this, and a token about them for the service that asks.
//!
//! For the operator's own services, on the private listener. A token that is not good is no error: the answer says so,
//! and why. What is handed out is good for one audience, the asking service's, and for a minute: it is no access token, and
//! an access token is none of these. Whether the session lives is asked here; the service token is not asked for again.

use axum::extract::State;
use bailiwick_proof::id::{SessionId, UserId, WorkspaceId};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::authn::{AccessTokens, SERVICE_TOKEN_TTL, SessionRefusal, authenticate_session};
use crate::authz::{Audience, Denied, Role, SignedIn, place_of};
use crate::context::RequestContext;
use crate::feed::Feed;
use crate::http::{InternalCaller, Json, Problem};

/// `{"token": …, "audience"?: …, "workspace"?: …}`
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifySession {
    /// The access token that somebody showed to the service.
    token: String,
    /// The service that asks; may be left out by a credential that has one audience.
    #[schema(value_type = Option<String>)]
    audience: Option<Audience>,
    /// A workspace that the person must be a member of, by id or by a slug of theirs.
    workspace: Option<String>,
}

/// Whether the token is good; whose it is, or why not.
#[derive(Default, Serialize, utoipa::ToSchema)]
pub struct SessionVerdict {
    valid: bool,
    /// invalid, expired, ended, `not_a_member`, `ambiguous_workspace` or `mfa_required`.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    user_id: Option<UserId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    session_id: Option<SessionId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    signed_in_at: Option<OffsetDateTime>,
    /// Whether a factor beyond the mail was shown then.
    #[serde(skip_serializing_if = "Option::is_none")]
    strong: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    workspace_id: Option<WorkspaceId>,
    /// In the workspace that was asked about.
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    /// A JWT for the audience, to be checked by the keys at `/.well-known/jwks.json`.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    /// Seconds until that expires.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in: Option<i64>,
}

/// Answers for one access token.
///
/// # Errors
/// `wrong_audience` for a service that asks for another's token, `unavailable` when nobody can tell: never a guess.
pub async fn verify(
    caller: InternalCaller,
    context: RequestContext,
    State(feed): State<Feed>,
    State(tokens): State<AccessTokens>,
    Json(body): Json<VerifySession>,
) -> Result<Json<SessionVerdict>, Problem> {
    let audience = caller.audience(body.audience, "/audience")?;
    let unnamed = || Problem::field("/audience", "required", "Name the audience that the token is to be for.");
    let audience = audience.ok_or_else(unnamed)?;
    let person = match authenticate_session(&feed, &tokens, &body.token, &context).await {
        Ok(person) => person,
        Err(refusal) => return bad_session(refusal).map(Json),
    };
    let place = match body.workspace.as_deref() {
        None => None,
        Some(named) => match place_of(&feed.memberships(&person, named).await?, &person, named) {
            Ok(place) => Some(place),
            Err(denied) => return bad_place(denied).map(Json),
        },
    };
    let token = tokens.issue_for_service(&person, &audience, place, context.received_at);
    let token = token.map_err(|error| Problem::internal("sign service token", &error))?;
    Ok(Json(good(&person, place, token)))
}

fn good(person: &SignedIn, place: Option<(WorkspaceId, Role)>, token: String) -> SessionVerdict {
    SessionVerdict {
        valid: true,
        code: None,
        user_id: Some(person.user()),
        session_id: Some(person.session()),
        email: Some(person.email().to_owned()),
        signed_in_at: Some(person.signed_in_at()),
        strong: Some(person.is_strong()),
        workspace_id: place.map(|(workspace, _)| workspace),
        role: place.map(|(_, role)| role.as_str()),
        token: Some(token),
        expires_in: Some(SERVICE_TOKEN_TTL.whole_seconds()),
    }
}

fn bad(code: &'static str) -> SessionVerdict {
    SessionVerdict { code: Some(code), ..SessionVerdict::default() }
}

fn bad_session(refusal: SessionRefusal) -> Result<SessionVerdict, Problem> {
    match refusal {
        SessionRefusal::Invalid => Ok(bad("invalid")),
        SessionRefusal::Expired => Ok(bad("expired")),
        SessionRefusal::Ended => Ok(bad("ended")),
        SessionRefusal::Db(error) => Err(error.into()),
    }
}

fn bad_place(denied: Denied) -> Result<SessionVerdict, Problem> {
    match denied {
        Denied::NotFound => Ok(bad("not_a_member")),
        Denied::AmbiguousSlug(_) => Ok(bad("ambiguous_workspace")),
        Denied::FactorDemanded => Ok(bad("mfa_required")),
        other => Err(other.into()),
    }
}
