//! Where the anchor store is, and the store of what is published: in a folder of this machine, or in a bucket.

use std::fmt;
use std::path::PathBuf;

use axum::http::Uri;
use secrecy::SecretString;

use super::{Fault, Parser};

/// Where the anchor store is, or the store of what is published.
#[derive(Clone, Debug)]
pub enum AnchorPlace {
    /// In a folder of this machine.
    Folder(PathBuf),
    /// In a bucket, for several machines.
    Bucket(Bucket),
}

/// A bucket of an object store that speaks S3.
#[derive(Clone, Debug)]
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// What stands before the name of each object, if anything does: segments with `/` between them.
    pub prefix: Option<String>,
    /// The store's URL; that of Amazon's region if there is none.
    pub endpoint: Option<String>,
    /// The region that requests are signed for.
    pub region: String,
    /// Names the key that signs requests.
    pub access_key_id: String,
    /// The key that signs requests.
    pub secret_access_key: SecretString,
}

impl fmt::Display for AnchorPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => path.display().fmt(f),
            Self::Bucket(Bucket { name, prefix: Some(prefix), .. }) => write!(f, "s3://{name}/{prefix}"),
            Self::Bucket(Bucket { name, prefix: None, .. }) => write!(f, "s3://{name}"),
        }
    }
}

impl Bucket {
    /// Whether its objects would cross a network without TLS.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        let Some(endpoint) = self.endpoint.as_deref().and_then(|endpoint| endpoint.parse::<Uri>().ok()) else {
            return false;
        };
        let host = endpoint.host().unwrap_or_default();
        let on_this_machine = ["localhost", "127.0.0.1", "[::1]"].contains(&host);
        endpoint.scheme_str() != Some("https") && !on_this_machine
    }
}

impl Parser<'_> {
    /// The anchor store; `None` when there is none, or not all of it, which is a fault.
    pub(super) fn anchor(&mut self) -> Option<AnchorPlace> {
        self.place("anchor_dir", "anchor", ("anchor.two", "Keep the one in which the journal is"))
    }

    /// The operator's own store of published logs, if there is one.
    pub(super) fn publish(&mut self) -> Option<AnchorPlace> {
        self.place("publish.dir", "publish", ("publish.two", "Keep one of them"))
    }

    /// A folder, or a bucket whose settings begin with `of`.
    fn place(&mut self, dir: &str, of: &str, (code, mend): (&'static str, &str)) -> Option<AnchorPlace> {
        let folder = self.settings.text(dir).map(PathBuf::from);
        match (folder, self.settings.text(&format!("{of}.s3_url"))) {
            (Some(_), Some(_)) => {
                self.faults.push(Fault::new(code, format!("{dir} and {of}.s3_url are both set"), mend));
                None
            }
            (folder, None) => folder.map(AnchorPlace::Folder),
            (None, Some(_)) => self.bucket(of).map(AnchorPlace::Bucket),
        }
    }

    fn bucket(&mut self, of: &str) -> Option<Bucket> {
        let key = |name: &str| format!("{of}.s3_{name}");
        let url = self.parsed(&key("url"), "of the form s3://bucket or s3://bucket/prefix", bucket_and_prefix);
        let endpoint = self.parsed(&key("endpoint"), "a URL like https://s3.example:9000", |text| {
            let uri: Uri = text.parse().ok()?;
            let bare = uri.path() == "/" && uri.query().is_none() && !uri.authority()?.as_str().contains('@');
            (bare && matches!(uri.scheme_str(), Some("http" | "https"))).then(|| text.trim_end_matches('/').to_owned())
        });
        let malformed = self.settings.text(&key("endpoint")).is_some() && endpoint.is_none();
        let mut wanted = |name: &str| {
            let key = key(name);
            let given = self.settings.text(&key).filter(|text| !text.is_empty());
            if given.is_none() {
                let mend = "Set it to the key of an account that may read, write and list this bucket, and no more";
                self.faults.push(Fault::new("config.missing", format!("{key} is not set"), mend));
            }
            given
        };
        let access_key_id = wanted("access_key_id");
        let secret_access_key = wanted("secret_access_key").map(SecretString::from);
        let region = wanted("region")?;
        let (name, prefix) = url.filter(|_| !malformed)?;
        let (access_key_id, secret_access_key) = access_key_id.zip(secret_access_key)?;
        Some(Bucket { name, prefix, endpoint, region, access_key_id, secret_access_key })
    }
}

fn bucket_and_prefix(url: &str) -> Option<(String, Option<String>)> {
    let path = url.strip_prefix("s3://")?.trim_end_matches('/');
    let (name, prefix) = path.split_once('/').map_or((path, None), |(name, prefix)| (name, Some(prefix)));
    let of_a_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte);
    let is_name = (3..=63).contains(&name.len()) && name.bytes().all(of_a_name);
    let of_a_prefix = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let is_segment =
        |segment: &str| !segment.is_empty() && segment.bytes().all(of_a_prefix) && !segment.starts_with('.');
    let is_prefix = prefix.is_none_or(|prefix| prefix.len() <= 256 && prefix.split('/').all(is_segment));
    (is_name && is_prefix).then(|| (name.to_owned(), prefix.map(str::to_owned)))
}

#[cfg(test)]
mod tests {
    use super::super::{Draft, Environment, Mode, Settings};
    use super::*;

    const GOOD: [(&str, &str); 3] = [
        ("BAILIWICK_ANCHOR_S3_URL", "s3://anchors/eu/main"),
        ("BAILIWICK_ANCHOR_S3_ACCESS_KEY_ID", "id"),
        ("BAILIWICK_ANCHOR_S3_SECRET_ACCESS_KEY", "swordfish"),
    ];

    fn parse(variables: &[(&str, &str)]) -> (Option<AnchorPlace>, Vec<&'static str>) {
        let mut settings = Settings::defaults();
        for (name, value) in variables {
            settings = settings.environment(&Environment::from([(*name, *value)]));
        }
        let mut faults = Vec::new();
        let draft = Draft::parse(&settings, Mode::Serve, &mut faults);
        (draft.anchor, faults.iter().map(|fault| fault.code).collect())
    }

    #[test]
    fn a_bucket_is_parsed_and_its_key_is_not_printed() {
        let (anchor, faults) = parse(&GOOD);
        assert_eq!(faults, [""; 0]);
        let Some(AnchorPlace::Bucket(bucket)) = &anchor else { panic!("{anchor:?}") };
        assert_eq!((bucket.name.as_str(), bucket.prefix.as_deref()), ("anchors", Some("eu/main")));
        assert_eq!((bucket.region.as_str(), bucket.endpoint.as_deref(), bucket.is_plain()), ("us-east-1", None, false));
        assert_eq!(anchor.as_ref().unwrap().to_string(), "s3://anchors/eu/main");
        assert!(!format!("{anchor:?}").contains("swordfish"));
    }

    #[test]
    fn plain_http_stays_on_this_machine() {
        for (endpoint, plain) in [
            ("https://s3.example:9000", false),
            ("http://127.0.0.1:9000/", false),
            ("http://[::1]:9000", false),
            ("http://localhost", false),
            ("http://s3.example:9000", true),
            ("http://localhost.example", true),
        ] {
            let (anchor, _) = parse(&[&GOOD[..], &[("BAILIWICK_ANCHOR_S3_ENDPOINT", endpoint)]].concat());
            let Some(AnchorPlace::Bucket(bucket)) = anchor else { panic!("{endpoint}: {anchor:?}") };
            assert_eq!(bucket.is_plain(), plain, "{endpoint}");
        }
    }

    #[test]
    fn what_is_no_bucket_is_a_fault() {
        let [url, id, key] = GOOD;
        for (variables, expected) in [
            (vec![url, id, key, ("BAILIWICK_ANCHOR_DIR", "/anchor")], vec!["anchor.two"]),
            (vec![url], vec!["config.missing", "config.missing"]),
            (vec![id, key, ("BAILIWICK_ANCHOR_S3_URL", "https://anchors")], vec!["config.value"]),
            (vec![id, key, ("BAILIWICK_ANCHOR_S3_URL", "s3://UPPER")], vec!["config.value"]),
            (vec![id, key, ("BAILIWICK_ANCHOR_S3_URL", "s3://anchors/../x")], vec!["config.value"]),
            (vec![url, id, key, ("BAILIWICK_ANCHOR_S3_ENDPOINT", "https://u:p@s3.example")], vec!["config.value"]),
            (vec![url, id, key, ("BAILIWICK_ANCHOR_S3_ENDPOINT", "https://s3.example/path")], vec!["config.value"]),
        ] {
            let (anchor, faults) = parse(&variables);
            assert!(anchor.is_none() && faults == expected, "{variables:?}: {anchor:?} {faults:?}");
        }
    }
}
