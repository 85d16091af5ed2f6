//! A KEK in a file of one machine: the default of a development server.
//!
//! ```json
//! {"v":1,"id":"<32 hex>","made_by":"bailiwickd dev","keys":[{"version":1,"key":"<32 bytes, base64>"}]}
//! ```
//!
//! Versions count up from 1; the last one wraps. The file is read by nobody but its owner (0600), written whole or not
//! at all, and read again whenever a key is wrapped, so that all processes wrap under the version that was made last.
//!
//! ```text
//! wrapped         = nonce 12 | ciphertext | tag 16                AES-256-GCM
//! associated data = "bailiwick/wrap/v1" 0x00 | version u32, big endian | about
//! ```

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize as _, ZeroizeOnDrop, Zeroizing};

use super::Wrapped;
use crate::entropy::Entropy;
use crate::vault::error::VaultError;

const VERSION: u8 = 1;
const LABEL: &[u8] = b"bailiwick/wrap/v1\0";
const NONCE: usize = 12;
const MADE_BY_DEV: &str = "bailiwickd dev";

/// Why a file of keys does not serve.
#[derive(Debug, thiserror::Error)]
pub enum LocalFileError {
    /// It cannot be read or written.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Others than its owner may read or write it.
    #[error("{} may be read by others (mode {mode:o}): chmod 600", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It holds no keys of the form above.
    #[error("{} is no file of keys", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
    },
}

/// The file.
#[derive(Debug)]
pub struct LocalFile {
    path: PathBuf,
    name: String,
    made_by_dev: bool,
    entropy: Entropy,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    v: u8,
    id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    made_by: Option<String>,
    keys: Vec<Version>,
}

#[derive(Serialize, Deserialize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
struct Version {
    version: u32,
    key: String,
}

impl LocalFile {
    /// Opens a file that is there.
    ///
    /// # Errors
    /// See [`LocalFileError`].
    pub fn open(path: &Path, entropy: &Entropy) -> Result<Self, LocalFileError> {
        let content = read(path)?;
        let made_by_dev = content.made_by.as_deref() == Some(MADE_BY_DEV);
        let name = format!("local/{}", content.id);
        Ok(Self { path: path.to_path_buf(), name, made_by_dev, entropy: entropy.clone() })
    }

    /// Makes a file with one key; never over another.
    ///
    /// # Errors
    /// [`LocalFileError::Io`], also when there is one.
    pub fn make(path: &Path, entropy: &Entropy, for_dev: bool) -> Result<Self, LocalFileError> {
        let id = entropy.bytes::<16>().iter().map(|byte| format!("{byte:02x}")).collect();
        let made_by = for_dev.then(|| MADE_BY_DEV.to_owned());
        let content = Content { v: VERSION, id, made_by, keys: vec![new_key(1, entropy)] };
        write(path, &content, Replace::Never)?;
        Self::open(path, entropy)
    }

    /// Whether `bailiwickd dev` made it.
    #[must_use]
    pub fn is_made_by_dev(&self) -> bool {
        self.made_by_dev
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn newest(&self) -> Result<u32, VaultError> {
        self.last().map(|(version, _)| version)
    }

    pub(super) fn rotate(&self) -> Result<u32, VaultError> {
        // Two at once would each write its own version, and what was wrapped by the one that is lost opens never again.
        let locked = folder(&self.path).and_then(|folder| folder.lock().map(|()| folder));
        let _one_at_a_time = locked.map_err(io("lock the folder of", &self.path)).map_err(unavailable)?;
        let mut content = self.read()?;
        let next = content.keys.last().map_or(1, |last| last.version.saturating_add(1));
        content.keys.push(new_key(next, &self.entropy));
        write(&self.path, &content, Replace::Always).map_err(unavailable)?;
        Ok(next)
    }

    pub(super) fn wrap(&self, about: &[u8], key: &[u8]) -> Result<(u32, Vec<u8>), VaultError> {
        let (version, kek) = self.last()?;
        let nonce = self.entropy.bytes::<NONCE>();
        let mut text = Zeroizing::new(key.to_vec());
        let tag = kek
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), bound_to(version, about), &mut text)
            .map_err(|_| VaultError::WrapRefused)?;
        Ok((version, [nonce.as_slice(), &text, tag.as_ref()].concat()))
    }

    pub(super) fn unwrap(&self, about: &[u8], wrapped: &Wrapped) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let version = wrapped.version;
        let kek = self.key(version)?.ok_or_else(|| VaultError::KekMissing { kek: self.name.clone(), version })?;
        let (nonce, rest) = wrapped.bytes.split_first_chunk::<NONCE>().ok_or(VaultError::WrapRefused)?;
        let mut text = Zeroizing::new(rest.to_vec());
        let length = kek
            .open_in_place(Nonce::assume_unique_for_key(*nonce), bound_to(version, about), &mut text)
            .map_err(|_| VaultError::WrapRefused)?
            .len();
        text.truncate(length);
        Ok(text)
    }

    fn last(&self) -> Result<(u32, LessSafeKey), VaultError> {
        let content = self.read()?;
        let last = content.keys.last().ok_or_else(|| self.missing())?;
        Ok((last.version, parsed(last).ok_or_else(|| self.missing())?))
    }

    fn key(&self, version: u32) -> Result<Option<LessSafeKey>, VaultError> {
        let content = self.read()?;
        Ok(content.keys.iter().find(|key| key.version == version).and_then(parsed))
    }

    /// Another file in its place is another KEK.
    fn read(&self) -> Result<Content, VaultError> {
        let content = read(&self.path).map_err(unavailable)?;
        if self.name.strip_prefix("local/") == Some(content.id.as_str()) { Ok(content) } else { Err(self.missing()) }
    }

    fn missing(&self) -> VaultError {
        VaultError::KekMissing { kek: self.name.clone(), version: 0 }
    }
}

#[derive(Clone, Copy)]
enum Replace {
    Never,
    Always,
}

fn new_key(version: u32, entropy: &Entropy) -> Version {
    Version { version, key: STANDARD.encode(Zeroizing::new(entropy.bytes::<32>()).as_slice()) }
}

fn parsed(version: &Version) -> Option<LessSafeKey> {
    let bytes = Zeroizing::new(STANDARD.decode(&version.key).ok()?);
    UnboundKey::new(&AES_256_GCM, &bytes).ok().map(LessSafeKey::new)
}

fn bound_to(version: u32, about: &[u8]) -> Aad<Vec<u8>> {
    Aad::from([LABEL, version.to_be_bytes().as_slice(), about].concat())
}

fn read(path: &Path) -> Result<Content, LocalFileError> {
    let mode = fs::metadata(path).map_err(io("read", path))?.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(LocalFileError::Open { path: path.to_path_buf(), mode });
    }
    let text = Zeroizing::new(fs::read(path).map_err(io("read", path))?);
    let malformed = || LocalFileError::Malformed { path: path.to_path_buf() };
    let content: Content = serde_json::from_slice(&text).map_err(|_| malformed())?;
    let in_order = content.keys.windows(2).all(|pair| matches!(pair, [a, b] if a.version < b.version));
    let sound = content.v == VERSION && !content.keys.is_empty() && in_order && content.id.len() == 32;
    if sound && content.keys.iter().all(|key| key.version >= 1 && parsed(key).is_some()) {
        Ok(content)
    } else {
        Err(malformed())
    }
}

/// Whole or not at all: under a temporary name first, on the disk before it takes its own.
fn write(path: &Path, content: &Content, replace: Replace) -> Result<(), LocalFileError> {
    let mut text = serde_json::to_vec(content).map_err(|_| LocalFileError::Malformed { path: path.to_path_buf() })?;
    let temporary = path.with_extension(format!("{}.{:?}.tmp", std::process::id(), std::thread::current().id()));
    let written = (|| {
        let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&temporary)?;
        file.write_all(&text)?;
        file.sync_all()?;
        match replace {
            Replace::Never => fs::hard_link(&temporary, path).and_then(|()| fs::remove_file(&temporary)),
            Replace::Always => fs::rename(&temporary, path),
        }?;
        folder(path)?.sync_all()
    })();
    text.zeroize();
    if written.is_err() {
        let _nothing_left = fs::remove_file(&temporary);
    }
    written.map_err(io("write", path))
}

fn folder(path: &Path) -> std::io::Result<File> {
    File::open(path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")))
}

fn io(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> LocalFileError {
    let path = path.to_path_buf();
    move |source| LocalFileError::Io { what, path, source }
}

#[expect(clippy::needless_pass_by_value, reason = "it is what an error is mapped by")]
fn unavailable(error: LocalFileError) -> VaultError {
    VaultError::KekUnavailable(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wraps_under_the_newest_and_unwraps_all() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("kek.json");
        let file = LocalFile::make(&path, &Entropy::system(), true).unwrap();
        let wrapped = |(version, bytes)| Wrapped { kek: file.name().to_owned(), version, bytes };
        let first = wrapped(file.wrap(b"about", &[7; 32]).unwrap());
        assert_eq!(file.rotate().unwrap(), 2);
        let second = wrapped(file.wrap(b"about", &[7; 32]).unwrap());
        assert_eq!((first.version, second.version), (1, 2));
        for wrapped in [&first, &second] {
            assert_eq!(file.unwrap(b"about", wrapped).unwrap().as_slice(), [7; 32]);
            assert!(matches!(file.unwrap(b"other", wrapped), Err(VaultError::WrapRefused)));
        }
        let mislabelled = Wrapped { version: 2, ..first.clone() };
        assert!(matches!(file.unwrap(b"about", &mislabelled), Err(VaultError::WrapRefused)));
        let unknown = Wrapped { version: 3, ..first };
        assert!(matches!(file.unwrap(b"about", &unknown), Err(VaultError::KekMissing { version: 3, .. })));
    }

    #[test]
    fn rotations_at_the_same_time_lose_no_version() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("kek.json");
        LocalFile::make(&path, &Entropy::system(), true).unwrap();
        let wrapped: Vec<_> = std::thread::scope(|scope| {
            let rotations = [(); 8].map(|()| {
                scope.spawn(|| {
                    let file = LocalFile::open(&path, &Entropy::system()).unwrap();
                    file.rotate().unwrap();
                    file.wrap(b"", &[7; 32]).unwrap()
                })
            });
            rotations.into_iter().map(|rotation| rotation.join().unwrap()).collect()
        });
        let file = LocalFile::open(&path, &Entropy::system()).unwrap();
        assert_eq!(file.newest().unwrap(), 9);
        for (version, bytes) in wrapped {
            let wrapped = Wrapped { kek: file.name().to_owned(), version, bytes };
            assert_eq!(file.unwrap(b"", &wrapped).unwrap().as_slice(), [7; 32]);
        }
    }

    #[test]
    fn a_file_that_others_may_read_or_that_was_exchanged_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("kek.json");
        let file = LocalFile::make(&path, &Entropy::system(), false).unwrap();
        assert!(LocalFile::make(&path, &Entropy::system(), false).is_err());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(LocalFile::open(&path, &Entropy::system()), Err(LocalFileError::Open { mode: 0o640, .. })));
        fs::remove_file(&path).unwrap();
        assert!(matches!(file.wrap(b"", &[7; 32]), Err(VaultError::KekUnavailable(_))));
        LocalFile::make(&path, &Entropy::system(), false).unwrap();
        assert!(matches!(file.wrap(b"", &[7; 32]), Err(VaultError::KekMissing { .. })));
        fs::write(&path, "{}").unwrap();
        assert!(matches!(LocalFile::open(&path, &Entropy::system()), Err(LocalFileError::Malformed { .. })));
    }
}
