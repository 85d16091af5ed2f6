//! `/v1/workspaces/{workspace}/audit/log/…`: the log as C2SP tlog-tiles, for whoever reads all of it.
//!
//! The environment is the key's own, or the one that a session chose, as everywhere: the log's path below its origin is the same.

use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use bailiwick_proof::tile::{Resource, Tile, WIDTH};

use super::http::text;
use super::ops;
use crate::authz::{Granted, may};
use crate::db::Db;
use crate::http::{Code, Problem};
use crate::ledger::Ledger;

/// A full tile never changes. It is the caller's alone, so no shared cache keeps it.
const FULL: HeaderValue = HeaderValue::from_static("private, max-age=31536000, immutable");
/// A partial one is soon replaced by a wider one.
const PARTIAL: HeaderValue = HeaderValue::from_static("no-store");

/// The checkpoint, a tile of hashes, or one of entries.
///
/// # Errors
/// `not_found` for what is no resource of the log, is not covered by the newest checkpoint, or holds entries of projects that the caller may not
/// see; `no_checkpoint`, `entry_pruned`, `ledger_mismatch`, `ledger_frozen`, `anchor_unavailable`.
pub async fn read(
    granted: Granted<may::ReadAudit>,
    State(db): State<Db>,
    State(ledger): State<Ledger>,
    Path((_, path)): Path<(String, String)>,
) -> Result<Response, Problem> {
    match path.parse().map_err(|_| Problem::new(Code::NotFound))? {
        Resource::Checkpoint => Ok(text(ops::checkpoint(&granted, &ledger).await?.note, None)),
        Resource::Tile(tile) => Ok(bytes(tile, ops::tile(&granted, &db, &ledger, tile).await?)),
    }
}

fn bytes(tile: Tile, bytes: Vec<u8>) -> Response {
    let mut response = bytes.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CACHE_CONTROL, if tile.width == WIDTH { FULL } else { PARTIAL });
    headers.insert(header::VARY, HeaderValue::from_static("authorization, bailiwick-environment"));
    response
}
