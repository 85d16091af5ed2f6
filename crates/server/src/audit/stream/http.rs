//! `/v1/workspaces/{workspace}/audit/stream`.

use axum::extract::State;

use super::model::{SetStream, Settings, Stream};
use super::reach::Reach;
use super::{Streams, ops};
use crate::authz::{Granted, may};
use crate::http::{Begun, Changes, Code, Idempotency, Json, Mutation, Nothing, Problem, Reply};

/// Sets the environment's stream up, or turns it elsewhere.
///
/// # Errors
/// `invalid_body`, and those of every change.
pub async fn set(
    granted: Granted<may::StreamAudit>,
    State(changes): State<Changes>,
    State(streams): State<Streams>,
    request: Mutation<SetStream>,
) -> Result<Reply, Problem> {
    put(&granted, &changes, &streams, &request.body, request.idempotency).await
}

/// Sets a stream up once, however often it is asked for under one key; for the API and the console.
///
/// # Errors
/// As [`set`].
pub async fn put(
    granted: &Granted<may::StreamAudit>,
    changes: &Changes,
    streams: &Streams,
    wanted: &SetStream,
    idempotency: Idempotency,
) -> Result<Reply, Problem> {
    let settings = Settings::checked(wanted, &Reach(streams.networks.clone())).map_err(Problem::fields)?;
    let mut change = match changes.begin(granted, idempotency).await? {
        Begun::Replay(reply) => return Ok(reply),
        Begun::Fresh(change) => change,
    };
    let recorded = streams.set(&mut change.tx, &settings).await?;
    let stream = streams.shown(&mut change.tx).await?.ok_or_else(|| Problem::new(Code::NotFound))?;
    let reply = Reply::ok(&stream)?;
    change.commit(recorded, reply).await
}

/// The environment's stream: where it goes, and how far it is.
///
/// # Errors
/// `not_found` where there is none.
pub async fn get(granted: Granted<may::StreamAudit>, State(streams): State<Streams>) -> Result<Json<Stream>, Problem> {
    find(&granted, &streams).await?.map(Json).ok_or_else(|| Problem::new(Code::NotFound))
}

/// The environment's stream, if there is one; for the API and the console.
///
/// # Errors
/// Those of database and vault.
pub async fn find(granted: &Granted<may::StreamAudit>, streams: &Streams) -> Result<Option<Stream>, Problem> {
    Ok(streams.show(granted).await?)
}

/// Removes the environment's stream; what is in the bucket stays.
///
/// # Errors
/// `not_found`.
pub async fn remove(
    granted: Granted<may::StreamAudit>,
    State(changes): State<Changes>,
    request: Mutation<Nothing>,
) -> Result<Reply, Problem> {
    delete(&granted, &changes, request.idempotency).await
}

/// Removes it once; for the API and the console.
///
/// # Errors
/// As [`remove`].
pub async fn delete(
    granted: &Granted<may::StreamAudit>,
    changes: &Changes,
    idempotency: Idempotency,
) -> Result<Reply, Problem> {
    let mut change = match changes.begin(granted, idempotency).await? {
        Begun::Replay(reply) => return Ok(reply),
        Begun::Fresh(change) => change,
    };
    let removed = ops::remove(&mut change.tx, &changes.entropy).await?;
    let recorded = removed.ok_or_else(|| Problem::new(Code::NotFound))?;
    change.commit(recorded, Reply::no_content()).await
}
