//! The names of objects.

use std::fmt;
use std::str::FromStr;

use super::AnchorError;

/// A name is at most so long: what S3 allows is 1,024 bytes, and a prefix of the operator's stands before it there.
const MAX_BYTES: usize = 512;
/// A segment is at most so long: what file systems allow is 255 bytes.
const MAX_SEGMENT_BYTES: usize = 200;
/// What a folder keeps beside its objects, see [`super::folder`]: no segment is called so.
const RESERVED: [&str; 2] = [LOCK, TEMPORARY];

/// Held by whoever writes in a folder.
pub(super) const LOCK: &str = "lock";
/// What is being written in a folder.
pub(super) const TEMPORARY: &str = "tmp";

/// The name of an object: segments of `a-z 0-9 . _ - :` with `/` between them, of which none is empty, begins with a dot,
/// or is `lock` or `tmp`. So it is a path below any folder, and leads out of none.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectName(String);

impl ObjectName {
    /// The name of what is called `below` under this one.
    ///
    /// # Errors
    /// [`AnchorError::BadName`].
    pub fn join(&self, below: &str) -> Result<Self, AnchorError> {
        format!("{}/{below}", self.0).parse()
    }

    /// The whole name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last segment.
    #[must_use]
    pub fn last(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }
}

impl FromStr for ObjectName {
    type Err = AnchorError;

    fn from_str(text: &str) -> Result<Self, AnchorError> {
        if text.len() <= MAX_BYTES && text.split('/').all(is_segment) {
            Ok(Self(text.to_owned()))
        } else {
            Err(AnchorError::BadName { name: text.to_owned() })
        }
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_segment(text: &str) -> bool {
    let of_a_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-:".contains(&byte);
    (1..=MAX_SEGMENT_BYTES).contains(&text.len())
        && text.bytes().all(of_a_name)
        && !text.starts_with('.')
        && !RESERVED.contains(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_below_their_store() {
        let name: ObjectName = "0198c0de/journal/00000000000000000001.json".parse().unwrap();
        assert_eq!((name.to_string().as_str(), name.last()), (name.as_str(), "00000000000000000001.json"));
        let long = "a".repeat(MAX_SEGMENT_BYTES);
        assert_eq!(name.join(&long).unwrap().last(), long);
        for bad in [
            "", "/a", "a/", "a//b", "..", "a/../b", "./a", ".a", "a/.b", "A", "ä", "a b", "a\\b", "a\0", "lock",
            "a/tmp",
        ] {
            assert!(matches!(bad.parse::<ObjectName>(), Err(AnchorError::BadName { name }) if name == bad), "{bad}");
        }
        assert!(name.join(&"a".repeat(MAX_SEGMENT_BYTES + 1)).is_err());
        assert!(["a"; MAX_BYTES].join("/").parse::<ObjectName>().is_err());
    }
}
