//! `bailiwickd config show`: what is in force, and where it comes from.

use bailiwick_server::config::{self, Draft, Faults, Mode, Settings};

/// Prints the settings, and fails with the list of those that are malformed.
pub(super) fn run(settings: &Settings) -> anyhow::Result<()> {
    super::print(&config::show(settings))?;
    let mut faults = Vec::new();
    let _draft = Draft::parse(settings, Mode::Serve, &mut faults);
    if faults.is_empty() { Ok(()) } else { Err(Faults(faults).into()) }
}
