//! The second wall inside a workspace: `live` or `test`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Which of a workspace's two worlds a row, a key or a request belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// What customers depend on.
    #[default]
    Live,
    /// What may be broken.
    Test,
}

/// The text named neither `live` nor `test`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an environment is live or test")]
pub struct UnknownEnvironment;

impl Environment {
    /// Both, in the order in which they are shown.
    pub const ALL: [Self; 2] = [Self::Live, Self::Test];

    /// The word used in the database, in headers, in URLs and in API keys.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Test => "test",
        }
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Environment {
    type Err = UnknownEnvironment;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "live" => Ok(Self::Live),
            "test" => Ok(Self::Test),
            _ => Err(UnknownEnvironment),
        }
    }
}
