//! `Idempotency-Key`: sent twice, done once, answered alike.
//!
//! # Invariants
//! - The key belongs to one principal in one workspace and environment (for founding a workspace: to
//!   one person), and to one request: method, path and body by their digest. Another request under the
//!   same key is refused.
//! - What is stored of the request is its digest together with the key, which is not stored: a dump tells nothing of a
//!   body that could be guessed, such as a short password.
//! - Only a success is kept, by the very transaction of the change; so there is never a kept answer
//!   without its change or the other way round.
//! - A replay passes authorization again, for it comes after the extractors.
//! - Kept answers are sealed (one may hold a secret that is shown once), bound to their place, and go
//!   after a day.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bailiwick_proof::environment::Environment;
use bailiwick_proof::id::{UserId, WorkspaceId};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use uuid::Uuid;

use super::json::request_digest;
use super::problem::{Code, Problem};
use crate::authn::TokenDigest;
use crate::db::{Authority, DbError, KeptAnswer};
use crate::vault::{self, Owner, RowId, Vault};

const KEY_HEADER: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED_HEADER: HeaderName = HeaderName::from_static("idempotent-replayed");
const TRIES: u32 = 20;
const BETWEEN_TRIES: Duration = Duration::from_millis(50);

/// What makes a change safe to send twice; without a key it does nothing.
#[derive(Clone, Debug)]
pub struct Idempotency {
    key: Option<[u8; 32]>,
    request: [u8; 32],
}

/// A successful answer, as it is sent and kept.
#[derive(Serialize, Deserialize)]
pub struct Reply {
    status: u16,
    location: Option<String>,
    body: String,
    #[serde(skip)]
    replayed: bool,
}

/// What [`Idempotency::find`] found.
pub(super) enum Found {
    /// It was done before; this was the answer.
    Kept(Reply),
    /// It is to be done now, and the answer to be kept.
    Nothing(Slot),
}

/// Where the answer goes. Holds the key's lock until the transaction ends.
pub(super) struct Slot {
    kept_at: Option<Place>,
}

struct Place {
    asker: Asker,
    key: [u8; 32],
    request: [u8; 32],
    vault: Vault,
}

/// Whose keys are kept apart from everybody else's.
pub(super) struct Asker {
    workspace: WorkspaceId,
    environment: Environment,
    founder: Option<UserId>,
    principal: Uuid,
}

impl Asker {
    pub(super) fn of(authority: &impl Authority) -> Self {
        Self {
            workspace: authority.workspace(),
            environment: authority.environment(),
            founder: authority.founder(),
            principal: authority.principal_id(),
        }
    }

    /// Whose key seals an answer. A founder's is not yet the workspace's.
    pub(super) fn owner(&self) -> Owner {
        if self.founder.is_some() { Owner::Cell } else { Owner::Workspace(self.workspace) }
    }
}

impl Idempotency {
    /// # Errors
    /// `invalid_header` for a key that is not 1 to 255 visible ASCII characters, or sent twice.
    pub(super) fn from_headers(headers: &HeaderMap, target: &str, body: &[u8]) -> Result<Self, Problem> {
        let mut sent = headers.get_all(KEY_HEADER).iter();
        let (first, second) = (sent.next(), sent.next());
        let good =
            |value: &HeaderValue| (1..=255).contains(&value.len()) && value.as_bytes().iter().all(u8::is_ascii_graphic);
        match (first, second) {
            (None, _) => Ok(Self { key: None, request: [0; 32] }),
            (Some(value), None) if good(value) => Ok(Self::keyed(value.as_bytes(), target, body)),
            _ => Err(Problem::new(Code::InvalidHeader)
                .detail("Idempotency-Key is one value of 1 to 255 visible ASCII characters.")),
        }
    }

    /// For what changes nothing.
    #[must_use]
    pub const fn none() -> Self {
        Self { key: None, request: [0; 32] }
    }

    /// The same for a form of the console, whose hidden field is the key.
    #[must_use]
    pub fn from_form(key: &str, target: &str, body: &[u8]) -> Self {
        Self::keyed(key.as_bytes(), target, body)
    }

    /// Whether an answer is kept.
    pub(super) const fn is_keyed(&self) -> bool {
        self.key.is_some()
    }

    fn keyed(key: &[u8], target: &str, body: &[u8]) -> Self {
        Self { key: Some(*TokenDigest::of(key).bytes()), request: request_digest(key, target, body) }
    }

    /// Takes the key's lock and looks whether the request was answered before.
    ///
    /// # Errors
    /// `idempotency_in_flight` while another request holds the key for longer than a second,
    /// `idempotency_key_reused` when the key came with another request.
    pub(super) async fn find(
        self,
        connection: &mut PgConnection,
        asker: Asker,
        vault: &Vault,
    ) -> Result<Found, Problem> {
        let Some(key) = self.key else { return Ok(Found::Nothing(Slot { kept_at: None })) };
        lock(connection, &asker, &key).await?;
        let place = Place { asker, key, request: self.request, vault: vault.clone() };
        match find(connection, &place.asker, &key).await? {
            None => Ok(Found::Nothing(Slot { kept_at: Some(place) })),
            Some((request, _)) if request != self.request => Err(Problem::new(Code::IdempotencyKeyReused)),
            Some((_, sealed)) => {
                let (column, row) = place.stands();
                let at = vault::Place { column, row: row.as_bytes(), subject: None };
                let text = vault.unseal(place.asker.owner(), &at, &sealed).await?;
                let mut reply: Reply =
                    serde_json::from_slice(&text).map_err(|error| Problem::internal("kept reply", &error))?;
                reply.replayed = true;
                Ok(Found::Kept(reply))
            }
        }
    }
}

impl Place {
    /// Where the answer stands, to be sealed to it.
    fn stands(&self) -> (&'static vault::Column, RowId) {
        let Asker { workspace, environment, founder, principal } = &self.asker;
        if founder.is_some() {
            return (&vault::FOUNDERS_REPLAY, RowId::new().uuid(*principal).bytes(&self.key));
        }
        let row = RowId::new().uuid(workspace.uuid()).text(environment.as_str());
        (&vault::REPLAY, row.uuid(*principal).bytes(&self.key))
    }
}

impl Slot {
    /// Seals the answer, for the commit to keep.
    ///
    /// # Errors
    /// A problem when it cannot be sealed.
    pub(super) async fn keep(self, reply: &Reply) -> Result<Option<KeptAnswer>, Problem> {
        let Some(place) = self.kept_at else { return Ok(None) };
        let text = serde_json::to_vec(reply).map_err(|error| Problem::internal("reply", &error))?;
        let (column, row) = place.stands();
        let at = vault::Place { column, row: row.as_bytes(), subject: None };
        let sealed = place.vault.seal(place.asker.owner(), &at, &zeroize::Zeroizing::new(text)).await?;
        let Place { asker, key, request, .. } = place;
        Ok(Some(KeptAnswer { principal: asker.principal, key, request, sealed }))
    }
}

impl Reply {
    /// 201 with the new thing and where it is.
    ///
    /// # Errors
    /// A problem when the body is no JSON, which is a fault of ours.
    pub fn created<T: Serialize>(location: String, body: &T) -> Result<Self, Problem> {
        let body = serde_json::to_string(body).map_err(|error| Problem::internal("reply", &error))?;
        Ok(Self { status: 201, location: Some(location), body, replayed: false })
    }

    /// 200 with this body.
    ///
    /// # Errors
    /// As [`Self::created`].
    pub fn ok<T: Serialize>(body: &T) -> Result<Self, Problem> {
        let body = serde_json::to_string(body).map_err(|error| Problem::internal("reply", &error))?;
        Ok(Self { status: 200, location: None, body, replayed: false })
    }

    /// 204.
    #[must_use]
    pub fn no_content() -> Self {
        Self { status: 204, location: None, body: String::new(), replayed: false }
    }

    /// The body, for the console, which shows it as a page.
    ///
    /// # Errors
    /// A problem when it is not what is expected, which is a fault of ours.
    pub fn read<T: serde::de::DeserializeOwned>(&self) -> Result<T, Problem> {
        serde_json::from_str(&self.body).map_err(|error| Problem::internal("kept reply", &error))
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK);
        let mut response =
            if self.body.is_empty() { status.into_response() } else { (status, self.body).into_response() };
        let headers = response.headers_mut();
        if status == StatusCode::NO_CONTENT {
            headers.remove(header::CONTENT_TYPE);
        } else {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(location) = self.location.and_then(|location| HeaderValue::from_str(&location).ok()) {
            headers.insert(header::LOCATION, location);
        }
        if self.replayed {
            headers.insert(REPLAYED_HEADER, HeaderValue::from_static("true"));
        }
        response
    }
}

/// Waits a little for whoever holds the key; never in the database, where it would hold up a shutdown.
async fn lock(connection: &mut PgConnection, asker: &Asker, key: &[u8; 32]) -> Result<(), Problem> {
    let scope = if asker.founder.is_some() { Uuid::nil() } else { asker.workspace.uuid() };
    let digest = TokenDigest::of(&[scope.as_bytes().as_slice(), asker.principal.as_bytes(), key].concat());
    let lock = digest.bytes().first_chunk::<8>().map_or(0, |bytes| i64::from_be_bytes(*bytes));
    for tried in 0..TRIES {
        let taken = sqlx::query_scalar!("SELECT pg_try_advisory_xact_lock($1) AS \"taken!\"", lock)
            .fetch_one(&mut *connection)
            .await
            .map_err(DbError::from)?;
        if taken {
            return Ok(());
        }
        if tried + 1 < TRIES {
            tokio::time::sleep(BETWEEN_TRIES).await;
        }
    }
    Err(Problem::new(Code::IdempotencyInFlight).header(header::RETRY_AFTER, HeaderValue::from_static("1")))
}

async fn find(
    connection: &mut PgConnection,
    asker: &Asker,
    key: &[u8; 32],
) -> Result<Option<([u8; 32], Vec<u8>)>, DbError> {
    let found = if asker.founder.is_some() {
        sqlx::query!(
            "SELECT request_digest, reply_sealed FROM account_idempotency_records WHERE user_id = $1 AND key_digest = $2",
            asker.principal,
            key.as_slice()
        )
        .fetch_optional(connection)
        .await?
        .map(|row| (row.request_digest, row.reply_sealed))
    } else {
        sqlx::query!(
            "SELECT request_digest, reply_sealed FROM idempotency_records
             WHERE workspace_id = $1 AND environment = $2 AND principal_id = $3 AND key_digest = $4",
            asker.workspace.uuid(),
            asker.environment.as_str(),
            asker.principal,
            key.as_slice()
        )
        .fetch_optional(connection)
        .await?
        .map(|row| (row.request_digest, row.reply_sealed))
    };
    // A digest of another length fits no request.
    Ok(found.map(|(request, sealed)| (request.try_into().unwrap_or([0; 32]), sealed)))
}
