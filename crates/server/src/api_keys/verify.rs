//! `POST /internal/v1/keys/verify`: is this key good, now?
//!
//! For the operator's own services, on the private listener. A key that is not good is no error: the
//! answer says so, and why.

use axum::extract::State;
use bailiwick_proof::environment::Environment;
use bailiwick_proof::id::{ApiKeyId, ProjectId, WorkspaceId};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::authn::{self, KeyRefusal};
use crate::authz::{KeyFacts, Scope};
use crate::context::RequestContext;
use crate::feed::Feed;
use crate::http::{InternalCaller, Json, Problem};

/// `{"key": …, "scope"?: …}`
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifyKey {
    /// The whole key.
    key: String,
    /// A scope that it must have.
    scope: Option<Scope>,
}

/// Whether the key is good; whose it is, or why not.
#[derive(Default, Serialize, utoipa::ToSchema)]
pub struct Verdict {
    valid: bool,
    /// malformed, unknown, revoked, expired or `insufficient_scope`.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    key_id: Option<ApiKeyId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    workspace_id: Option<WorkspaceId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    environment: Option<Environment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    project_id: Option<ProjectId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scopes: Option<Vec<Scope>>,
    #[serde(skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<OffsetDateTime>,
}

/// Answers for one key.
///
/// # Errors
/// `unavailable` when nobody can tell: never a guess.
pub async fn verify(
    _caller: InternalCaller,
    context: RequestContext,
    State(feed): State<Feed>,
    Json(body): Json<VerifyKey>,
) -> Result<Json<Verdict>, Problem> {
    let verdict = match authn::authenticate_key(&feed, &body.key, context.received_at).await {
        Ok(holder) if body.scope.is_none_or(|scope| holder.key().scopes.contains(scope)) => good(holder.key()),
        Ok(_) => bad("insufficient_scope"),
        Err(KeyRefusal::Malformed) => bad("malformed"),
        Err(KeyRefusal::Unknown) => bad("unknown"),
        Err(KeyRefusal::Revoked) => bad("revoked"),
        Err(KeyRefusal::Expired) => bad("expired"),
        Err(KeyRefusal::Db(error)) => return Err(error.into()),
    };
    Ok(Json(verdict))
}

fn good(key: &KeyFacts) -> Verdict {
    Verdict {
        valid: true,
        code: None,
        key_id: Some(key.id),
        workspace_id: Some(key.workspace),
        environment: Some(key.environment),
        project_id: key.project.project(),
        scopes: Some(key.scopes.iter().collect()),
        expires_at: key.expires_at,
    }
}

fn bad(code: &'static str) -> Verdict {
    Verdict { code: Some(code), ..Verdict::default() }
}
