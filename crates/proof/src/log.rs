//! Logs and their origins: the name under which a log signs, for ever.
//!
//! ```text
//! origin   = log name "/w/" workspace "/" environment "/" generation
//!          | log name "/cell/" generation
//! log name = 1 to 128 bytes of [a-z0-9.:/_-], no "/" at either end, no "//"
//! ```
//!
//! The origin is the first line of every checkpoint and the name of the log's key (C2SP
//! tlog-checkpoint), so that neither another workspace's checkpoint, nor the other environment's, nor
//! that of an earlier life of the log can stand in for this one's.

use std::fmt;
use std::str::FromStr;

use crate::decimal;
use crate::environment::Environment;
use crate::id::WorkspaceId;

const MAX_NAME_BYTES: usize = 128;

/// What all origins of a cell begin with: a URL without its scheme. It is fixed when the cell is made.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogName(String);

/// The text cannot be a log name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a log name: expected 1 to {MAX_NAME_BYTES} of the characters a-z 0-9 . : / _ -, without a slash at either end or two in a row"
)]
pub struct InvalidLogName;

impl LogName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LogName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for LogName {
    type Err = InvalidLogName;

    /// # Errors
    /// [`InvalidLogName`] for another length or alphabet, and for an empty part between slashes.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b':' | b'/' | b'_' | b'-');
        if text.len() > MAX_NAME_BYTES || !text.bytes().all(allowed) || text.split('/').any(str::is_empty) {
            return Err(InvalidLogName);
        }
        Ok(Self(text.to_owned()))
    }
}

/// Which log of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Log {
    /// That of a workspace in one of its environments.
    Workspace {
        /// Whose.
        workspace: WorkspaceId,
        /// Live and test are logs of their own.
        environment: Environment,
    },
    /// That of the cell itself.
    Cell,
}

/// A log in one of its lives. A generation ends only when a cell is restored or moved, and never grows smaller.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    name: LogName,
    log: Log,
    generation: u32,
}

/// The text is not the origin of one of our logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an origin: expected <log name>/w/<workspace>/<live|test>/<generation> or <log name>/cell/<generation>")]
pub struct InvalidOrigin;

impl Origin {
    /// The origin of a log.
    ///
    /// # Errors
    /// [`InvalidOrigin`] for generation 0: they count from 1.
    pub fn new(name: LogName, log: Log, generation: u32) -> Result<Self, InvalidOrigin> {
        if generation == 0 { Err(InvalidOrigin) } else { Ok(Self { name, log, generation }) }
    }

    /// The cell's part.
    #[must_use]
    pub const fn name(&self) -> &LogName {
        &self.name
    }

    /// Which log of the cell.
    #[must_use]
    pub const fn log(&self) -> Log {
        self.log
    }

    /// Which of its lives, from 1.
    #[must_use]
    pub const fn generation(&self) -> u32 {
        self.generation
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.log {
            Log::Workspace { workspace, environment } => {
                write!(f, "{}/w/{workspace}/{environment}/{}", self.name, self.generation)
            }
            Log::Cell => write!(f, "{}/cell/{}", self.name, self.generation),
        }
    }
}

impl FromStr for Origin {
    type Err = InvalidOrigin;

    /// Reads from the right, so that no log name can make an origin ambiguous.
    ///
    /// # Errors
    /// [`InvalidOrigin`] for anything that [`Self`] does not print.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (rest, generation) = text.rsplit_once('/').ok_or(InvalidOrigin)?;
        let generation = decimal::parse(generation).and_then(|n| u32::try_from(n).ok()).ok_or(InvalidOrigin)?;
        let (rest, kind) = rest.rsplit_once('/').ok_or(InvalidOrigin)?;
        let (name, log) = if kind == "cell" {
            (rest, Log::Cell)
        } else {
            let environment = kind.parse().map_err(|_| InvalidOrigin)?;
            let (rest, workspace) = rest.rsplit_once('/').ok_or(InvalidOrigin)?;
            let workspace = workspace.parse().map_err(|_| InvalidOrigin)?;
            let name = rest.strip_suffix("/w").ok_or(InvalidOrigin)?;
            (name, Log::Workspace { workspace, environment })
        };
        Self::new(name.parse().map_err(|_| InvalidOrigin)?, log, generation)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn names() {
        for name in ["localhost:8080", "bailiwick.example.com", "a", "example.com/logs/eu-1", &"a".repeat(128)] {
            assert_eq!(name.parse::<LogName>().unwrap().as_str(), name);
        }
        for name in ["", "/a", "a/", "a//b", "A", "a+b", "a b", "ü", "a\n", "https://a", &"a".repeat(129)] {
            assert!(name.parse::<LogName>().is_err(), "{name}");
        }
    }

    #[test]
    fn origins_have_one_spelling() {
        for origin in [
            "example.com/cell/1",
            "example.com/w/ws_01h455vb4pex5vsknk084sn02q/live/1",
            "localhost:8080/w/ws_01h455vb4pex5vsknk084sn02q/test/4294967295",
            "example.com/w/ws_01h455vb4pex5vsknk084sn02q/live/cell/2",
        ] {
            assert_eq!(origin.parse::<Origin>().unwrap().to_string(), origin);
        }
        for origin in [
            "",
            "example.com",
            "example.com/cell",
            "example.com/cell/0",
            "example.com/cell/01",
            "example.com/cell/+1",
            "example.com/cell/4294967296",
            "/cell/1",
            "cell/1",
            "example.com/cell/1\n",
            "example.com/w/ws_01h455vb4pex5vsknk084sn02q/prod/1",
            "example.com/w/usr_01h455vb4pex5vsknk084sn02q/live/1",
            "example.com/x/ws_01h455vb4pex5vsknk084sn02q/live/1",
            "w/ws_01h455vb4pex5vsknk084sn02q/live/1",
            "example.com//cell/1",
        ] {
            assert_eq!(origin.parse::<Origin>(), Err(InvalidOrigin), "{origin}");
        }
    }

    proptest! {
        #[test]
        fn text_and_back(name in "[a-z0-9._:-]{1,20}(/[a-z0-9._:-]{1,20}){0,3}", bits: u128, test: bool, cell: bool, generation in 1u32..) {
            let environment = if test { Environment::Test } else { Environment::Live };
            let workspace = WorkspaceId::from_uuid(Uuid::from_u128(bits));
            let log = if cell { Log::Cell } else { Log::Workspace { workspace, environment } };
            let origin = Origin::new(name.parse().unwrap(), log, generation).unwrap();
            prop_assert_eq!(origin.to_string().parse(), Ok(origin));
        }

        #[test]
        fn whatever_parses_prints_back(text in "[a-z:]{0,5}(/|/w/)(ws_01h455vb4pex5vsknk084sn02q|cell)/?(live|test|)/?[0-9]{0,11}") {
            if let Ok(origin) = text.parse::<Origin>() {
                prop_assert_eq!(origin.to_string(), text);
            }
        }
    }
}
