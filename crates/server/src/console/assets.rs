//! Static files, embedded, at addresses that name their content: `/static/console.3f2a9c1b0d4e.css`.
//!
//! Such an address never means anything else, so a browser may keep the answer for ever.

mod extract;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use axum::http::{HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};
use bailiwick_proof::merkle::Hash;
use rust_embed::RustEmbed;

use self::extract::extract;
use crate::http::{Code, Problem};

/// Hex characters of the SHA-256 in an address.
const HASH_CHARS: usize = 12;

#[derive(RustEmbed)]
#[folder = "static/"]
struct Files;

/// A file that is served.
struct Asset {
    address: String,
    media_type: HeaderValue,
    bytes: Cow<'static, [u8]>,
}

static ASSETS: LazyLock<HashMap<String, Asset>> = LazyLock::new(|| {
    let whole = Files::iter().filter_map(|name| {
        let file = Files::get(&name)?;
        let hash: String = file.metadata.sha256_hash().iter().map(|byte| format!("{byte:02x}")).collect();
        let media_type = HeaderValue::from_str(media_type(&name, file.metadata.mimetype())).ok()?;
        Some((name.to_string(), Asset { address: address(&name, &hash)?, media_type, bytes: file.data }))
    });
    whole.chain(of_shared_pages()).collect()
});

/// The classes of the pages behind links; a test compares what they look like with the whole stylesheet.
const SHARED: [&str; 38] = [
    "brand",
    "broken",
    "button",
    "buttons",
    "check",
    "code",
    "copied",
    "copy",
    "done",
    "dots",
    "facts",
    "foyer",
    "head",
    "icon",
    "idle",
    "inside",
    "main",
    "mark",
    "measure",
    "mono",
    "note",
    "number",
    "ok",
    "out-of-sight",
    "outcome",
    "pane",
    "print",
    "push",
    "seal",
    "skip",
    "soft",
    "stale",
    "state",
    "top",
    "verdict",
    "wax",
    "word",
    "bar",
];

/// What of the stylesheet those pages need, as a file of its own.
fn of_shared_pages() -> Option<(String, Asset)> {
    let name = "shared.css";
    let css = extract(std::str::from_utf8(&Files::get("console.css")?.data).ok()?, &SHARED);
    let address = address(name, &Hash::of(css.as_bytes()).to_hex())?;
    let media_type = HeaderValue::from_static("text/css");
    Some((name.to_owned(), Asset { address, media_type, bytes: css.into_bytes().into() }))
}

fn address(name: &str, hash: &str) -> Option<String> {
    let (stem, extension) = name.rsplit_once('.')?;
    Some(format!("/static/{stem}.{}.{extension}", hash.get(..HASH_CHARS)?))
}

/// The address of a file in `static/`, for templates.
pub(crate) fn asset(name: &str) -> &'static str {
    ASSETS.get(name).map_or("/static/missing", |asset| &asset.address)
}

/// Serves a file at its address, and nothing at any other.
///
/// # Errors
/// `not_found`.
pub async fn serve(uri: Uri) -> Result<Response, Problem> {
    let asset = at_address(uri.path()).ok_or_else(|| Problem::new(Code::NotFound))?;
    let mut response = asset.bytes.clone().into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, asset.media_type.clone());
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    Ok(response)
}

fn at_address(address: &str) -> Option<&'static Asset> {
    ASSETS.values().find(|asset| asset.address == address)
}

/// Speculation rules have a type of their own; of all others the ending tells.
fn media_type<'a>(name: &str, by_ending: &'a str) -> &'a str {
    match name {
        "speculation.json" => "application/speculationrules+json",
        _ => by_ending,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_found_at_its_own_address_alone() {
        for name in ["console.css", "desk.js", "secret.js", "slug.js", "speculation.json", "mark.svg"] {
            let asset = at_address(asset(name)).unwrap();
            assert!(!asset.bytes.is_empty());
            assert!(at_address(&format!("/static/{name}")).is_none());
        }
    }

    #[test]
    fn scripts_and_styles_have_the_types_that_browsers_insist_on() {
        let type_of = |name| at_address(asset(name)).unwrap().media_type.to_str().unwrap();
        assert_eq!(type_of("console.css"), "text/css");
        assert_eq!(type_of("desk.js"), "text/javascript");
        assert_eq!(type_of("mark.svg"), "image/svg+xml");
        assert_eq!(type_of("speculation.json"), "application/speculationrules+json");
    }
}
