//! What a witness remembers of a log: the checkpoint that it cosigned last, in a file.
//!
//! The file is the checkpoint itself with the log's own signatures, so whoever finds it can check it. Beside it lies what
//! convicts the log, if anything does: the pair of two roots at one size.
//!
//! A log of which nothing is cosigned yet has a file too, which says so; without a file there is no record, and nothing is served.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use bailiwick_proof::checkpoint::{CheckpointError, SignedCheckpoint};
use bailiwick_proof::consistency::Pair;
use bailiwick_proof::merkle::Hash;
use bailiwick_proof::note::VerifierKey;

use super::begun;

const FOLDER: &str = "logs";
/// What a record says before anything was cosigned.
const NOTHING: &str = "nothing is cosigned yet\n";
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
    /// Nobody has said that this witness begins with the log.
    #[error(
        "this witness has not begun with {origin}: `bailiwickd witness add`, once, if it never was its witness before"
    )]
    NotBegun {
        /// The log.
        origin: String,
    },
    /// It was begun with, and what was cosigned of it is gone.
    #[error(
        "the record {} of {origin} is gone, and what was cosigned is known to nobody: this key must not cosign any more. See docs/runbooks/witness-lost-its-record.md",
        path.display()
    )]
    Lost {
        /// The file.
        path: PathBuf,
        /// The log.
        origin: String,
    },
    /// It was begun with before.
    #[error("this witness has begun with {origin} before")]
    BegunBefore {
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
    /// Begins with a log: from here on its record is missed when it is gone.
    pub(super) fn begin(witness: &Path, origin: &str) -> Result<(), RecordError> {
        if begun::read(witness)?.iter().any(|known| known == origin) {
            return Err(RecordError::BegunBefore { origin: origin.to_owned() });
        }
        let (folder, stem) = place(witness, origin);
        let name = format!("{stem}.checkpoint");
        // Whoever died here has begun with nothing yet. A record that says more is one of before, and stays.
        if !folder.join(&name).exists() {
            let written = write_whole(&folder, &name, NOTHING);
            written.map_err(|source| RecordError::Io { path: folder.join(&name), source })?;
        }
        begun::add(witness, origin)
    }

    /// Reads what there is of a log that this witness has begun with.
    pub(super) fn open(witness: &Path, origin: &str, known: &[VerifierKey]) -> Result<Self, RecordError> {
        let is_begun = begun::read(witness)?.iter().any(|known| known == origin);
        let (folder, stem) = place(witness, origin);
        let path = folder.join(format!("{stem}.checkpoint"));
        let cosigned = match fs::read_to_string(&path) {
            Ok(text) if text == NOTHING && is_begun => None,
            Ok(text) if text == NOTHING => return Err(RecordError::NotBegun { origin: origin.to_owned() }),
            Ok(text) => {
                let not_ours = |source| RecordError::NotOurs { path: path.clone(), origin: origin.to_owned(), source };
                let signed: SignedCheckpoint = text.parse().map_err(not_ours)?;
                signed.verify(known).map_err(not_ours)?;
                if signed.unverified().origin != origin {
                    return Err(RecordError::OtherLog { path, origin: origin.to_owned() });
                }
                Some(signed)
            }
            Err(error) if error.kind() == ErrorKind::NotFound && is_begun => {
                return Err(RecordError::Lost { path, origin: origin.to_owned() });
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(RecordError::NotBegun { origin: origin.to_owned() });
            }
            Err(source) => return Err(RecordError::Io { path, source }),
        };
        if !is_begun {
            begun::add(witness, origin)?;
        }
        Ok(Self { folder, stem, cosigned })
    }

    /// What was cosigned last.
    pub(super) const fn cosigned(&self) -> Option<&SignedCheckpoint> {
        self.cosigned.as_ref()
    }

    /// Replaces the record, on the disk first.
    pub(super) fn keep(&mut self, checkpoint: &SignedCheckpoint) -> io::Result<()> {
        write_whole(&self.folder, &format!("{}.checkpoint", self.stem), &checkpoint.to_string())?;
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
        write_whole(&self.folder, &name, &pair.to_string())?;
        Ok(Some(self.folder.join(name)))
    }
}

/// Where the files of a log lie, and how their names begin.
fn place(witness: &Path, origin: &str) -> (PathBuf, String) {
    (witness.join(FOLDER), Hash::of(origin.as_bytes()).to_hex())
}

/// Whole or not at all, and on the disk with its name before this returns.
pub(super) fn write_whole(folder: &Path, name: &str, text: &str) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let temporary = folder.join(format!("{name}.tmp"));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&temporary, folder.join(name))?;
    File::open(folder)?.sync_all()?;
    if let Some(above) = folder.parent() {
        File::open(above)?.sync_all()?;
    }
    Ok(())
}
