//! Static files, embedded, at addresses that name their content: `/static/console.3f2a9c1b0d4e.css`.
//!
//! Such an address never means anything else, so a browser may keep the answer for ever.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use rust_embed::RustEmbed;

/// Hex characters of the SHA-256 in an address.
const HASH_CHARS: usize = 12;

#[derive(RustEmbed)]
#[folder = "static/"]
struct Files;

/// A file that is served.
pub(crate) struct Asset {
    address: String,
    pub(crate) media_type: String,
    pub(crate) bytes: Cow<'static, [u8]>,
}

static ASSETS: LazyLock<HashMap<String, Asset>> = LazyLock::new(|| {
    Files::iter()
        .filter_map(|name| {
            let file = Files::get(&name)?;
            let (stem, extension) = name.rsplit_once('.')?;
            let hash: String = file.metadata.sha256_hash().iter().map(|byte| format!("{byte:02x}")).collect();
            let address = format!("/static/{stem}.{}.{extension}", hash.get(..HASH_CHARS)?);
            let media_type = file.metadata.mimetype().to_owned();
            Some((name.into_owned(), Asset { address, media_type, bytes: file.data }))
        })
        .collect()
});

/// The address of a file in `static/`, for templates.
pub(crate) fn asset(name: &str) -> &'static str {
    ASSETS.get(name).map_or("/static/missing", |asset| &asset.address)
}

/// The file at an address.
pub(crate) fn at_address(address: &str) -> Option<&'static Asset> {
    ASSETS.values().find(|asset| asset.address == address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_found_at_its_own_address_alone() {
        for name in ["console.css", "desk.js", "secret.js", "slug.js", "mark.svg"] {
            let asset = at_address(asset(name)).unwrap();
            assert!(!asset.bytes.is_empty());
            assert!(at_address(&format!("/static/{name}")).is_none());
        }
    }

    #[test]
    fn scripts_and_styles_have_the_types_that_browsers_insist_on() {
        let type_of = |name| at_address(asset(name)).unwrap().media_type.as_str();
        assert_eq!(type_of("console.css"), "text/css");
        assert_eq!(type_of("desk.js"), "text/javascript");
        assert_eq!(type_of("mark.svg"), "image/svg+xml");
    }
}
