//! nginx, which the example of forward authentication is tried with.

use std::path::PathBuf;
use std::process::Command;

use crate::process;

/// `$NGINX`, else the first nginx on `PATH` or where Debian has it that knows `auth_request`.
pub(crate) fn find() -> Option<PathBuf> {
    let named = std::env::var_os("NGINX").map(PathBuf::from);
    let known = process::on_path("nginx").into_iter().chain([PathBuf::from("/usr/sbin/nginx")]);
    named.into_iter().chain(known).find(knows_auth_request)
}

/// nginx tells how it was built on stderr.
fn knows_auth_request(file: &PathBuf) -> bool {
    let built = Command::new(file).arg("-V").output();
    built.is_ok_and(|told| String::from_utf8_lossy(&told.stderr).contains("--with-http_auth_request_module"))
}
