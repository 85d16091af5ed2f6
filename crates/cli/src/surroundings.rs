//! What the program takes from the machine around it: variables, the clock and random bytes.
//!
//! The one home of all three; everything else is told, and so can be tested.
#![allow(clippy::disallowed_methods, reason = "this is their home in the command line")]

use std::path::PathBuf;

use time::OffsetDateTime;

use crate::failure::{Exit, Failure};

/// `BAILIWICK_TOKEN`; set but empty, it does not count.
///
/// # Errors
/// [`Exit::Auth`] when it is not text.
pub(crate) fn token() -> Result<Option<String>, Failure> {
    match std::env::var("BAILIWICK_TOKEN") {
        Ok(text) => Ok(Some(text).filter(|text| !text.is_empty())),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => Err(Failure::new(Exit::Auth, "BAILIWICK_TOKEN is not text")),
    }
}

/// Where this user's settings are, by the XDG Base Directory Specification: a relative path does not count.
fn config_home() -> Option<PathBuf> {
    let stated = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    stated.or_else(|| std::env::home_dir().map(|home| home.join(".config"))).filter(|path| path.is_absolute())
}

/// Where this program's own files are: `BAILIWICK_CONFIG_DIR`, or a folder among this user's settings. A relative path does not count.
pub(crate) fn config_folder() -> Option<PathBuf> {
    let stated = std::env::var_os("BAILIWICK_CONFIG_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
    stated.or_else(|| config_home().map(|home| home.join("bailiwick")))
}

/// The time, in UTC.
pub(crate) fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

/// 128 bits from the operating system.
///
/// # Errors
/// When it has none to give.
pub(crate) fn random() -> Result<u128, Failure> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|err| Failure::local("the system gave no random bytes", &err))?;
    Ok(u128::from_be_bytes(bytes))
}
