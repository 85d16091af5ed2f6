//! What is known of a request besides who asks and what for: its ids, its moment, its origin.

use std::net::IpAddr;
use std::sync::Arc;

use bailiwick_proof::entry::TraceId;
use bailiwick_proof::id::{Id, RequestId};
use time::OffsetDateTime;

use crate::clock::Clock;
use crate::entropy::Entropy;

/// One request's (or one background run's) identity, as it goes into logs and the ledger.
#[derive(Clone, Debug)]
pub struct RequestContext {
    /// Ours, answered in `X-Request-Id`.
    pub id: RequestId,
    /// The caller's (W3C Trace Context) or ours.
    pub trace_id: TraceId,
    /// What the caller sent as `X-Request-Id`, kept beside ours and never in its place.
    pub external_id: Option<Arc<str>>,
    /// From where it comes: the socket's peer, or what a trusted proxy says. `None` if nobody knows.
    pub client_ip: Option<IpAddr>,
    /// When it arrived: the time of everything that it changes.
    pub received_at: OffsetDateTime,
}

impl RequestContext {
    /// The context of work that no request asked for.
    #[must_use]
    pub fn internal(clock: &Clock, entropy: &Entropy) -> Self {
        let received_at = clock.now();
        Self {
            id: Id::from_uuid(entropy.uuid_v7(received_at)),
            trace_id: TraceId::new(entropy.bytes()),
            external_id: None,
            client_ip: None,
            received_at,
        }
    }
}
