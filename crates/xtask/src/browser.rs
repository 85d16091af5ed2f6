//! What the browser tests need: Chromium, and axe-core, which looks for accessibility faults in a page.

use std::path::PathBuf;
use std::process::Command;

use crate::npm::Package;
use crate::process;

/// axe-core, one script that is put into the pages.
pub(crate) const AXE_CORE: Package =
    Package { folder: "axe-core", name: "axe-core", version: "4.14.1", file: "axe.min.js" };

const CHROMIUM_NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// `$CHROMIUM`, else the first browser on `PATH` that answers to `--version`.
///
/// It must answer, since Ubuntu's `chromium-browser` is a script that asks for a snap instead of starting one.
pub(crate) fn find_chromium() -> Option<PathBuf> {
    let named = std::env::var_os("CHROMIUM").map(PathBuf::from);
    let known = CHROMIUM_NAMES.iter().filter_map(|name| process::on_path(name));
    named.into_iter().chain(known).find(|file| process::output(Command::new(file).arg("--version")).is_ok())
}
