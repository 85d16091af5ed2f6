//! Who asks at `/internal`.

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};

use super::extract::{bearer, unauthenticated};
use super::operation::Access;
use super::problem::{Code, Problem};
use super::route::Route;
use super::standing;
use crate::authn::{AudienceRefusal, InternalCredentials, Service, ServiceRefusal};
use crate::authz::Audience;
use crate::context::RequestContext;

/// Where a proxy shows its own credential: `Authorization` is the one of the request that it forwards.
pub const INTERNAL_KEY_HEADER: HeaderName = HeaderName::from_static("bailiwick-internal-key");

/// A service of the operator's, which showed its credential where the route says.
pub struct InternalCaller {
    service: Service,
    access: Access,
}

impl<S> FromRequestParts<S> for InternalCaller
where
    S: Send + Sync + 'static,
    InternalCredentials: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        standing::let_in::<Self, S>(parts);
        let access = Route::of(parts).map(|route| route.access);
        let (access, sent) = match access {
            Some(access @ Access::InternalCredential) => (access, bearer(&parts.headers)?.map(str::to_owned)),
            Some(access @ Access::ForwardedRequest) => (access, of_its_own(&parts.headers)),
            declared => {
                tracing::error!(event = "route_declares_another_access", asked = "internal", ?declared);
                return Err(Problem::new(Code::Internal));
            }
        };
        let sent = sent.ok_or_else(unauthenticated)?;
        let peer = parts.extensions.get::<RequestContext>().and_then(|context| context.client_ip);
        match InternalCredentials::from_ref(state).authenticate(&sent, peer).await {
            Ok(service) => Ok(Self { service, access }),
            Err(ServiceRefusal::Unknown) => {
                refused("unknown", "unknown_credential");
                Err(unauthenticated())
            }
            Err(ServiceRefusal::Address) => {
                refused("unknown", "address_not_allowed");
                Err(Problem::new(Code::AddressNotAllowed)
                    .detail("The operator's setting internal_networks names others."))
            }
            Err(ServiceRefusal::Db(error)) => Err(error.into()),
        }
    }
}

/// The credential in the header of its own, if exactly one was sent.
fn of_its_own(headers: &HeaderMap) -> Option<String> {
    let mut sent = headers.get_all(INTERNAL_KEY_HEADER).iter();
    match (sent.next(), sent.next()) {
        (Some(value), None) => value.to_str().ok().map(str::to_owned),
        _ => None,
    }
}

impl InternalCaller {
    /// For which audience it asks; `pointer` is where it would have named one.
    ///
    /// # Errors
    /// `wrong_audience` for one that its credential does not have; `invalid_body` or `invalid_parameter` when it has to
    /// name one and did not.
    pub fn audience(&self, named: Option<Audience>, pointer: &str) -> Result<Option<Audience>, Problem> {
        self.service.asks_for(named).map_err(|why| match why {
            AudienceRefusal::NotIts => {
                refused(self.service.name(), "wrong_audience");
                Problem::new(Code::WrongAudience)
            }
            AudienceRefusal::Unnamed => {
                let what = "Name the audience: your credential has several.";
                if self.access == Access::InternalCredential {
                    Problem::field(pointer, "required", what)
                } else {
                    Problem::new(Code::InvalidParameter).detail(what)
                }
            }
        })
    }
}

/// A refusal at `/internal` is a service of the operator's that is set up wrongly, or somebody who should not be there.
fn refused(service: &str, reason: &'static str) {
    let labels = [("service", service.to_owned()), ("reason", reason.to_owned())];
    metrics::counter!("bailiwick_internal_refusals_total", &labels).increment(1);
    tracing::warn!(event = "internal_caller_refused", service, reason);
}
