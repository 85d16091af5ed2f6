//! `/v1/workspaces/{workspace}/audit/log/…`: the log as C2SP tlog-tiles, for whoever reads all of it.
//!
//! The environment is the key's own, or the one that a session chose, as everywhere: the log's path below its origin is the same.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use bailiwick_proof::merkle::Hash;
use bailiwick_proof::tile::{Resource, Tile, WIDTH};

use super::http::text;
use super::ops;
use crate::authz::{Granted, may};
use crate::db::Db;
use crate::http::{Code, Problem};
use crate::ledger::Ledger;

/// A full tile stays what it is for as long as the log's generation does, and the next generation has the same paths: whoever keeps one
/// asks whether it still is. It is the caller's alone, so no shared cache keeps it.
const FULL: HeaderValue = HeaderValue::from_static("private, no-cache");
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
    headers: HeaderMap,
) -> Result<Response, Problem> {
    match path.parse().map_err(|_| Problem::new(Code::NotFound))? {
        Resource::Checkpoint => Ok(text(ops::checkpoint(&granted, &ledger).await?.note, None)),
        Resource::Tile(tile) => Ok(bytes(tile, ops::tile(&granted, &db, &ledger, tile).await?, &headers)),
    }
}

fn bytes(tile: Tile, bytes: Vec<u8>, asked: &HeaderMap) -> Response {
    let tag = format!("\"{}\"", Hash::of(&bytes).to_hex());
    let mut response =
        if is_known(asked, &tag) { StatusCode::NOT_MODIFIED.into_response() } else { bytes.into_response() };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    if let Ok(tag) = HeaderValue::try_from(tag) {
        headers.insert(header::ETAG, tag);
    }
    headers.insert(header::CACHE_CONTROL, if tile.width == WIDTH { FULL } else { PARTIAL });
    headers.insert(header::VARY, HeaderValue::from_static("authorization, bailiwick-environment"));
    response
}

/// Whether the caller keeps these very bytes (RFC 9110 section 13.1.2).
fn is_known(asked: &HeaderMap, tag: &str) -> bool {
    let lines = asked.get_all(header::IF_NONE_MATCH).iter().filter_map(|line| line.to_str().ok());
    let mut tags = lines.flat_map(|line| line.split(',')).map(|tag| tag.trim().trim_start_matches("W/"));
    tags.any(|known| known == tag)
}
