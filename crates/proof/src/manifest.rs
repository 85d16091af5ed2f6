//! The manifest: one line for each log of a cell, so that the loss of a whole log shows.
//!
//! ```text
//! line = <64 hex of HMAC-SHA256(salt, "audit-manifest/v1" 0x00 origin)> " " <64 hex of SHA-256(the checkpoint's text)>
//! ```
//!
//! The salt has 32 bytes. Lines are sorted bytewise; each, without its line end, is the data of a leaf of a Merkle tree
//! (see [`crate::merkle`]). Who knows the salt finds a log's line; to others the manifest does not tell whose logs there are.

pub mod proof;

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::hmac;

use crate::checkpoint::Checkpoint;
use crate::hex;
use crate::log::Origin;
use crate::merkle::{self, Hash, leaf_hash};

const DOMAIN: &[u8] = b"audit-manifest/v1";
/// Bytes of the salt.
pub const SALT_BYTES: usize = 32;
/// The longest manifest that is read: a million logs.
const MAX_BYTES: usize = LINE_BYTES * 1_000_000;
const NAME_CHARS: usize = 64;
const LINE_BYTES: usize = NAME_CHARS + 1 + 64 + 1;

/// What stands for a log in the manifests with this salt: 64 hex digits.
#[must_use]
pub fn name(salt: &[u8; SALT_BYTES], origin: &Origin) -> String {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, salt));
    for part in [DOMAIN, &[0], origin.to_string().as_bytes()] {
        context.update(part);
    }
    hex::encode(context.sign().as_ref())
}

/// The line of a log, without its line end.
#[must_use]
pub fn line(salt: &[u8; SALT_BYTES], origin: &Origin, checkpoint: &Checkpoint) -> String {
    format!("{} {}", name(salt, origin), Hash::of(checkpoint.text().as_bytes()))
}

/// The lines of all logs, sorted, one for each log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest(Vec<String>);

/// Why a text is not a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Longer than any manifest that is read.
    #[error("{0} bytes: too long for a manifest")]
    TooLong(usize),
    /// A line is not two times 64 lower-case hex digits with a space between them, or the last one does not end.
    #[error("line {0} of the manifest is malformed or cut")]
    Line(usize),
    /// A line stands before a smaller one.
    #[error("line {0} of the manifest is not in its place")]
    Order(usize),
    /// Two lines are of one log.
    #[error("line {0} of the manifest is a second one for the same log")]
    Repeated(usize),
}

impl ManifestError {
    /// The stable word for this reason, as in `vectors/`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::TooLong(_) => "manifest_too_long",
            Self::Line(_) => "manifest_line",
            Self::Order(_) => "manifest_order",
            Self::Repeated(_) => "manifest_repeated",
        }
    }
}

impl Manifest {
    /// Puts lines in order.
    ///
    /// # Errors
    /// [`ManifestError`] for a malformed line, or two of one log; lines are counted as sorted.
    pub fn new(mut lines: Vec<String>) -> Result<Self, ManifestError> {
        lines.sort();
        check(&lines)?;
        Ok(Self(lines))
    }

    /// The lines in order, without their ends.
    #[must_use]
    pub fn lines(&self) -> &[String] {
        &self.0
    }

    /// The leaf hashes of the lines, for proofs.
    #[must_use]
    pub fn leaves(&self) -> Vec<Hash> {
        self.0.iter().map(|line| leaf_hash(line.as_bytes())).collect()
    }

    /// The root of the tree over the lines.
    #[must_use]
    pub fn root(&self) -> Hash {
        merkle::root(&self.leaves())
    }

    /// Where the line of the log with this [`name`] stands; `None` when it is missing.
    #[must_use]
    pub fn position(&self, name: &str) -> Option<usize> {
        self.0.binary_search_by(|line| line.get(..NAME_CHARS).unwrap_or_default().cmp(name)).ok()
    }
}

impl fmt::Display for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

impl FromStr for Manifest {
    type Err = ManifestError;

    /// # Errors
    /// [`ManifestError`] for anything that [`Self`] does not print.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > MAX_BYTES {
            return Err(ManifestError::TooLong(text.len()));
        }
        if text.is_empty() {
            return Ok(Self::default());
        }
        let count = text.split('\n').count();
        let lines = text.strip_suffix('\n').ok_or(ManifestError::Line(count))?;
        let lines: Vec<String> = lines.split('\n').map(str::to_owned).collect();
        check(&lines)?;
        Ok(Self(lines))
    }
}

fn check(lines: &[String]) -> Result<(), ManifestError> {
    let mut before: Option<(&str, &str)> = None;
    for (number, line) in lines.iter().enumerate() {
        let number = number + 1;
        let (name, digest) = line.split_once(' ').ok_or(ManifestError::Line(number))?;
        if Hash::from_hex(name).is_err() || Hash::from_hex(digest).is_err() {
            return Err(ManifestError::Line(number));
        }
        match before {
            Some((other, _)) if other == name => return Err(ManifestError::Repeated(number)),
            Some(other) if other > (name, digest) => return Err(ManifestError::Order(number)),
            _ => before = Some((name, digest)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SALT: [u8; SALT_BYTES] = [7; SALT_BYTES];

    fn origin(generation: u32) -> Origin {
        format!("example.com/cell/{generation}").parse().unwrap()
    }

    fn lines(count: u32) -> Vec<String> {
        let line = |generation| {
            let origin = origin(generation);
            line(&SALT, &origin, &Checkpoint::new(&origin, u64::from(generation), Hash::ZERO))
        };
        (1..=count).map(line).collect()
    }

    #[test]
    fn a_log_is_found_and_its_loss_shows() {
        let manifest = Manifest::new(lines(9)).unwrap();
        for generation in 1..=9 {
            let at = manifest.position(&name(&SALT, &origin(generation))).unwrap();
            assert!(lines(9).contains(&manifest.lines()[at]));
        }
        assert_eq!(manifest.position(&name(&SALT, &origin(10))), None);
        assert_eq!(manifest.position(&name(&[8; SALT_BYTES], &origin(1))), None);
        let without = Manifest::new(lines(9)[..8].to_vec()).unwrap();
        assert_ne!(without.root(), manifest.root());
        assert_eq!(Manifest::default().root(), merkle::empty_root());
    }

    #[test]
    fn malformed_manifests() {
        let text = Manifest::new(lines(3)).unwrap().to_string();
        let sorted: Vec<&str> = text.lines().collect();
        let word =
            |text: &str| text.parse::<Manifest>().map(|manifest| manifest.lines().len()).map_err(ManifestError::word);
        assert_eq!(word(&text), Ok(3));
        assert_eq!(word(""), Ok(0));
        for (changed, expected) in [
            ("\n".to_owned(), "manifest_line"),
            (text.trim_end().to_owned(), "manifest_line"),
            (format!("{text}\n"), "manifest_line"),
            (text.replace(' ', "  "), "manifest_line"),
            (text.to_uppercase(), "manifest_line"),
            (text[1..].to_owned(), "manifest_line"),
            (format!("{}\n{}\n", sorted[1], sorted[0]), "manifest_order"),
            (format!("{0}\n{0}\n", sorted[0]), "manifest_repeated"),
            (format!("{}\n{} {}\n", sorted[0], &sorted[0][..64], &sorted[1][65..]), "manifest_repeated"),
        ] {
            assert_eq!(word(&changed), Err(expected), "{changed}");
        }
        assert_eq!(Manifest::new(vec!["x".to_owned()]), Err(ManifestError::Line(1)));
        assert_eq!(Manifest::new([lines(1), lines(1)].concat()), Err(ManifestError::Repeated(2)));
    }

    proptest! {
        #[test]
        fn text_and_back(pairs in prop::collection::btree_map(any::<[u8; 32]>(), any::<[u8; 32]>(), 0..20)) {
            let lines = pairs.iter().rev().map(|(name, digest)| format!("{} {}", Hash::new(*name), Hash::new(*digest)));
            let manifest = Manifest::new(lines.collect()).unwrap();
            prop_assert_eq!(manifest.to_string().parse(), Ok(manifest));
        }
    }
}
