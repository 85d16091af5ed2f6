//! The keys that a signature is believed from: stated by the user, pinned, or handed out by the server.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use bailiwick_proof::note::VerifierKey;

use crate::args::KeySource;
use crate::failure::Failure;

/// More than all keys of any log; the rest of a larger file is not worth reading.
const MAX_FILE_BYTES: u64 = 64 * 1024;

/// Keys, and who vouches for them.
#[derive(Clone, Debug)]
pub(crate) struct TrustedKeys {
    /// At least one.
    pub(crate) keys: Vec<VerifierKey>,
    /// Who vouches for them.
    pub(crate) voucher: Voucher,
}

/// Who says that a key is the log's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Voucher {
    /// The user, by `--key`.
    User,
    /// The user, by an earlier `audit pin`.
    Pin,
    /// The server that gave what the key signed.
    Server,
    /// The copy of the log that the key signed.
    Copy,
}

impl Voucher {
    /// The word for programs.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::User => "given",
            Self::Pin => "pinned",
            Self::Server => "server",
            Self::Copy => "copy",
        }
    }
}

/// For people: what the verification is worth.
impl fmt::Display for Voucher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::User => "verified with the key that you gave",
            Self::Pin => "verified with the pinned key",
            Self::Copy => {
                "verified with the key that lies in the copy itself: it fits together, but nobody else vouches for that \
                 key; name the one that you trust with --key"
            }
            Self::Server => {
                "verified with the key that the server itself hands out: it fits together, but nobody else \
                 vouches for that key; `bailiwick audit pin` keeps it, so that it cannot change unseen"
            }
        })
    }
}

/// Reads the keys that the user states.
///
/// # Errors
/// [`Exit::Failure`](crate::failure::Exit) when a file cannot be read, and `Usage` when it holds something else than keys.
pub(crate) fn given(sources: &[KeySource]) -> Result<Vec<VerifierKey>, Failure> {
    let mut keys = Vec::new();
    for source in sources {
        match source {
            KeySource::Given(key) => keys.push(key.clone()),
            KeySource::File(path) => keys.extend(read(path)?),
        }
    }
    Ok(keys)
}

fn read(path: &Path) -> Result<Vec<VerifierKey>, Failure> {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(MAX_FILE_BYTES).read_to_string(&mut text));
    read.map_err(|err| Failure::local(format!("could not read the key in {}", path.display()), &err))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let keys: Result<Vec<VerifierKey>, _> = lines.map(str::parse).collect();
    match keys {
        Ok(keys) if keys.is_empty() => Err(Failure::usage(format!("{} holds no key", path.display()))),
        keys => keys.map_err(|err| {
            Failure::usage(format!("{} holds a line that is no key: {err}", path.display()))
                .hint("a key is one line, as in name+1f2e3d4c+AbCd…")
        }),
    }
}
