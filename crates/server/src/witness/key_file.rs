//! The witness's key: a file that nobody but its owner reads.
//!
//! ```text
//! PRIVATE+KEY+<name>+<8 hex digits of the key id>+<base64(0x04 || 32-byte seed)>
//! ```

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use bailiwick_proof::cosignature::{CosigningKey, WitnessKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::entropy::Entropy;

const FILE: &str = "key";
const BEGIN: &str = "PRIVATE+KEY+";
/// As in a witness's vkey.
const COSIGNATURE_TYPE: u8 = 4;
const MAX_FILE_BYTES: u64 = 1024;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file cannot be read or written.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Others than its owner may read it.
    #[error("{} may be read by others (mode {mode:o}): chmod 600", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It holds no key.
    #[error("{} holds no key of a witness", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// A witness cannot be called so.
    #[error("a witness cannot be called {0:?}: no white space, no plus, at most 256 bytes")]
    Name(String),
}

/// Makes the folder if need be, and a key in it; never over another.
///
/// # Errors
/// [`KeyFileError`], also when there is a key already.
pub fn make(folder: &Path, name: &str, entropy: &Entropy) -> Result<WitnessKey, KeyFileError> {
    let path = folder.join(FILE);
    let seed = Zeroizing::new(entropy.bytes::<32>());
    let key = CosigningKey::from_seed(name, &seed).map_err(|_| KeyFileError::Name(name.to_owned()))?;
    let mut typed = Zeroizing::new(Vec::with_capacity(33));
    typed.push(COSIGNATURE_TYPE);
    typed.extend_from_slice(seed.as_slice());
    let encoded = Zeroizing::new(STANDARD.encode(&*typed));
    let text = Zeroizing::new(format!("{BEGIN}{name}+{}+{}\n", key.witness().id(), encoded.as_str()));
    let io = |what, path: &Path| {
        let path = path.to_path_buf();
        move |source| KeyFileError::Io { what, path, source }
    };
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(io("make", folder))?;
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(io("make", &path))?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(io("write", &path))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(io("write", folder))?;
    Ok(key.witness().clone())
}

/// Reads the key of a folder.
///
/// # Errors
/// [`KeyFileError`].
pub(super) fn read(folder: &Path) -> Result<CosigningKey, KeyFileError> {
    let path = folder.join(FILE);
    let io = |source| KeyFileError::Io { what: "read", path: path.clone(), source };
    let file = File::open(&path).map_err(io)?;
    let mode = file.metadata().map_err(io)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyFileError::Open { path, mode });
    }
    let mut text = Zeroizing::new(String::with_capacity(512));
    file.take(MAX_FILE_BYTES).read_to_string(&mut text).map_err(io)?;
    parse(&text).ok_or(KeyFileError::Malformed { path })
}

fn parse(text: &str) -> Option<CosigningKey> {
    let (name, rest) = text.strip_suffix('\n')?.strip_prefix(BEGIN)?.split_once('+')?;
    let (id, encoded) = rest.split_once('+')?;
    let typed = Zeroizing::new(STANDARD.decode(encoded).ok()?);
    let seed: &[u8; 32] = typed.strip_prefix(&[COSIGNATURE_TYPE])?.try_into().ok()?;
    CosigningKey::from_seed(name, seed).ok().filter(|key| key.witness().id().to_string() == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_read_by_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().join("witness");
        let made = make(&at, "witness.example/one", &Entropy::system()).unwrap();
        assert_eq!(*read(&at).unwrap().witness(), made);
        assert!(matches!(make(&at, "witness.example/one", &Entropy::system()), Err(KeyFileError::Io { .. })));
        assert!(matches!(make(&at, "a b", &Entropy::system()), Err(KeyFileError::Name(_))));
        let text = std::fs::read_to_string(at.join(FILE)).unwrap();
        for other in [text.replace("/one", "/two"), text.trim_end().to_owned(), text.replace("KEY+", ""), String::new()]
        {
            assert!(parse(&other).is_none());
        }
        std::fs::set_permissions(at.join(FILE), std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(read(&at), Err(KeyFileError::Open { mode: 0o640, .. })));
    }
}
