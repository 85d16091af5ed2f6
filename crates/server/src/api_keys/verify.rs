//! `POST /internal/v1/keys/verify` and `…/verify-batch`: is this key good, now?
//!
//! For the operator's own services, on the private listener. A key that is not good is no error: the
//! answer says so, and why. Nothing is looked up for a service that asks about an audience that is not its own, nor for
//! what cannot be a key.

use std::net::IpAddr;

use axum::extract::State;
use axum::http::HeaderMap;
use bailiwick_proof::environment::Environment;
use bailiwick_proof::id::{ApiKeyId, ProjectId, WorkspaceId};
use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::judge::{Demands, Refusal, judge, judge_at_hand};
use crate::authn::{InternalCredentials, Service};
use crate::authz::{Audience, KeyFacts, KeyHolder, Permission, Scope};
use crate::context::RequestContext;
use crate::feed::Feed;
use crate::http::{Code, InternalCaller, Json, Problem, Shortcut, bearer, strictly, written};

/// Keys that are answered for at once.
const BATCH: usize = 100;

/// `{"key": …, "audience"?: …, "ip"?: …, "scope"?: …, "permission"?: …, "environment"?: …}`
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifyKey {
    /// The whole key.
    key: String,
    /// The service that was asked; may be left out by a credential that has one audience.
    #[schema(value_type = Option<String>)]
    audience: Option<Audience>,
    /// Where the key was used from; a key that is confined to networks is not good without.
    #[schema(value_type = Option<String>)]
    ip: Option<IpAddr>,
    /// A scope that it must have.
    scope: Option<Scope>,
    /// A permission that it must have.
    #[schema(value_type = Option<String>)]
    permission: Option<Permission>,
    /// Where it must belong: live or test.
    #[schema(value_type = Option<String>)]
    environment: Option<Environment>,
}

/// `{"keys": […]}`, up to 100.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifyKeys {
    /// Each with what is asked of it.
    #[schema(max_items = 100)]
    keys: Vec<VerifyKey>,
}

/// One verdict for each key, in their order.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Verdicts {
    data: Vec<Verdict>,
}

/// Whether the key is good; whose it is, or why not.
#[derive(Default, Serialize, utoipa::ToSchema)]
pub struct Verdict {
    valid: bool,
    /// malformed, `environment_mismatch`, unknown, revoked, expired, `address_not_allowed`, `wrong_audience`,
    /// `insufficient_scope` or `insufficient_permission`.
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
/// `wrong_audience` for a service that asks about another's, `unavailable` when nobody can tell: never a guess.
pub async fn verify(
    caller: InternalCaller,
    context: RequestContext,
    State(feed): State<Feed>,
    Json(body): Json<VerifyKey>,
) -> Result<Json<Verdict>, Problem> {
    let audience = caller.audience(body.audience.clone(), "/audience")?;
    verdict(&feed, &body, audience, context.received_at).await.map(Json)
}

/// Answers for several keys.
///
/// # Errors
/// As [`verify`], and `batch_too_large`; then nothing was looked up.
pub async fn verify_batch(
    caller: InternalCaller,
    context: RequestContext,
    State(feed): State<Feed>,
    Json(VerifyKeys { keys }): Json<VerifyKeys>,
) -> Result<Json<Verdicts>, Problem> {
    if keys.len() > BATCH {
        return Err(Problem::new(Code::BatchTooLarge));
    }
    let audience =
        |(at, asked): (usize, &VerifyKey)| caller.audience(asked.audience.clone(), &format!("/keys/{at}/audience"));
    let audiences = keys.iter().enumerate().map(audience).collect::<Result<Vec<_>, _>>()?;
    // At once, so that those whom memory does not know wait for one and the same poll.
    let asked =
        keys.iter().zip(audiences).map(|(asked, audience)| verdict(&feed, asked, audience, context.received_at));
    Ok(Json(Verdicts { data: try_join_all(asked).await? }))
}

/// [`verify`] as it nearly always goes: a service, a key and an answer that are all in memory.
pub struct FromMemory {
    /// Who asks.
    pub services: InternalCredentials,
    /// What is asked about.
    pub feed: Feed,
}

impl Shortcut for FromMemory {
    fn admit(&self, headers: &HeaderMap, context: &RequestContext) -> Option<Service> {
        self.services.at_hand(bearer(headers).ok()??, context.client_ip)
    }

    fn answer(&self, service: &Service, received_at: OffsetDateTime, body: &[u8]) -> Option<Vec<u8>> {
        let asked: VerifyKey = strictly(body)?;
        let demands = asked.demands(service.asks_for(asked.audience.clone()).ok()?);
        let verdict = Verdict::of(judge_at_hand(&self.feed, &asked.key, &demands, received_at)?);
        written(&verdict).ok()
    }
}

impl VerifyKey {
    fn demands(&self, audience: Option<Audience>) -> Demands {
        Demands {
            environment: self.environment,
            audience,
            from: self.ip,
            scope: self.scope,
            permission: self.permission,
        }
    }
}

impl Verdict {
    fn of(judged: Result<KeyHolder, Refusal>) -> Self {
        match judged {
            Ok(holder) => good(holder.key()),
            Err(refusal) => bad(refusal.code()),
        }
    }
}

async fn verdict(
    feed: &Feed,
    asked: &VerifyKey,
    audience: Option<Audience>,
    now: OffsetDateTime,
) -> Result<Verdict, Problem> {
    Ok(Verdict::of(judge(feed, &asked.key, &asked.demands(audience), now).await?))
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
