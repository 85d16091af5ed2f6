//! What a witness remembers of a log: the checkpoint that it cosigned last, in a file.
//!
//! The file is the checkpoint itself with the log's own signatures, so whoever finds it can check it. Beside it lies what
//! convicts the log, if anything does: the pair of two roots at one size.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use bailiwick_proof::checkpoint::{CheckpointError, SignedCheckpoint};
use bailiwick_proof::consistency::Pair;
use bailiwick_proof::merkle::Hash;
use bailiwick_proof::note::VerifierKey;

const FOLDER: &str = "logs";
/// So many pairs are kept of a log; one is enough, and the log could sign any number.
const PAIRS: usize = 16;

/// A record that cannot be relied on.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file cannot be read.
    #[error("cannot read the record {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It is no checkpoint of this log.
    #[error("the record {} is no checkpoint of {origin} by the keys given: {source}", path.display())]
    NotOurs {
        /// The file.
        path: PathBuf,
        /// The log.
        origin: String,
        /// What is wrong with it.
        #[source]
        source: CheckpointError,
    },
    /// It is that of another log.
    #[error("the record {} is that of another log than {origin}", path.display())]
    OtherLog {
        /// The file.
        path: PathBuf,
        /// The log.
        origin: String,
    },
}

/// What is remembered of one log.
#[derive(Debug)]
pub(super) struct Record {
    folder: PathBuf,
    stem: String,
    cosigned: Option<SignedCheckpoint>,
}

impl Record {
    /// Reads what there is of a log. A log without a file was never cosigned.
    pub(super) fn open(witness: &Path, origin: &str, known: &[VerifierKey]) -> Result<Self, RecordError> {
        let (folder, stem) = (witness.join(FOLDER), Hash::of(origin.as_bytes()).to_hex());
        let path = folder.join(format!("{stem}.checkpoint"));
        let cosigned = match fs::read_to_string(&path) {
            Ok(text) => {
                let not_ours = |source| RecordError::NotOurs { path: path.clone(), origin: origin.to_owned(), source };
                let signed: SignedCheckpoint = text.parse().map_err(not_ours)?;
                signed.verify(known).map_err(not_ours)?;
                if signed.unverified().origin != origin {
                    return Err(RecordError::OtherLog { path, origin: origin.to_owned() });
                }
                Some(signed)
            }
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(source) => return Err(RecordError::Io { path, source }),
        };
        Ok(Self { folder, stem, cosigned })
    }

    /// What was cosigned last.
    pub(super) const fn cosigned(&self) -> Option<&SignedCheckpoint> {
        self.cosigned.as_ref()
    }

    /// Replaces the record, on the disk first.
    pub(super) fn keep(&mut self, checkpoint: &SignedCheckpoint) -> io::Result<()> {
        self.write(&format!("{}.checkpoint", self.stem), &checkpoint.to_string())?;
        self.cosigned = Some(checkpoint.clone());
        Ok(())
    }

    /// Keeps what convicts the log; answers where, unless it is kept already or there are enough.
    pub(super) fn convict(&self, pair: &Pair) -> io::Result<Option<PathBuf>> {
        let newer = pair.newer.unverified();
        let name = format!("{}.{}.{}.two-roots", self.stem, newer.size, newer.root.to_hex());
        let mut kept = 0;
        for file in fs::read_dir(&self.folder)? {
            let found = file?.file_name();
            let found = found.to_string_lossy();
            if found == name {
                return Ok(None);
            }
            kept += usize::from(found.starts_with(&self.stem) && found.ends_with(".two-roots"));
        }
        if kept >= PAIRS {
            return Ok(None);
        }
        self.write(&name, &pair.to_string())?;
        Ok(Some(self.folder.join(name)))
    }

    /// Whole or not at all, and on the disk with its name before this returns.
    fn write(&self, name: &str, text: &str) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let temporary = self.folder.join(format!("{}.tmp", self.stem));
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, self.folder.join(name))?;
        File::open(&self.folder)?.sync_all()?;
        if let Some(above) = self.folder.parent() {
            File::open(above)?.sync_all()?;
        }
        Ok(())
    }
}
