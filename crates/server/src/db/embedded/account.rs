//! The operating system's account that PostgreSQL runs as.
//!
//! PostgreSQL refuses to run as root, and a bare user id without an entry in the user database is not enough for it
//! (`initdb` asks for the name). So under root an existing account without privileges takes its place; anybody else
//! runs it as himself.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use nix::unistd::{Uid, User};

use super::error::{EmbeddedError, io};

/// Looked for in this order.
const CANDIDATES: [&str; 2] = ["postgres", "nobody"];

/// An account to run PostgreSQL as, other than our own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

impl Account {
    /// The account to use; `None` when we are not root, so that it is our own. An existing cluster at `data` keeps its
    /// owner.
    ///
    /// # Errors
    /// [`EmbeddedError::NoAccount`] under root on a system that has none of the known accounts.
    pub(super) fn choose(data: &Path) -> Result<Option<Self>, EmbeddedError> {
        if !Uid::effective().is_root() {
            return Ok(None);
        }
        if let Ok(metadata) = fs::metadata(data)
            && metadata.uid() != 0
        {
            return Ok(Some(Self { uid: metadata.uid(), gid: metadata.gid() }));
        }
        CANDIDATES
            .iter()
            .find_map(|name| User::from_name(name).ok().flatten())
            .map(|user| Some(Self { uid: user.uid.as_raw(), gid: user.gid.as_raw() }))
            .ok_or(EmbeddedError::NoAccount)
    }

    /// Makes `path` the account's own.
    pub(super) fn give(self, path: &Path) -> Result<(), EmbeddedError> {
        chown(path, Some(self.uid), Some(self.gid)).map_err(io("hand over", path))
    }

    /// Lets `command` run as this account, without any further group.
    pub(super) fn apply(self, command: &mut Command) {
        command.uid(self.uid).gid(self.gid);
    }

    /// Whether the account may pass through a folder with this owner and mode.
    pub(super) fn may_search(self, metadata: &fs::Metadata) -> bool {
        let bit = if metadata.uid() == self.uid {
            0o100
        } else if metadata.gid() == self.gid {
            0o010
        } else {
            0o001
        };
        metadata.mode() & bit != 0
    }
}
