//! Programs of others that tests run.

use std::path::PathBuf;

use super::run_dir::variable;

/// `pg_dump`: of `PG_BIN`, which `cargo xtask test` sets, or of `PATH`.
pub fn pg_dump() -> PathBuf {
    variable("PG_BIN").map_or_else(|| PathBuf::from("pg_dump"), |dir| PathBuf::from(dir).join("pg_dump"))
}

/// nginx: of `NGINX`, which `cargo xtask test` sets, or where Debian has it.
pub fn nginx() -> PathBuf {
    variable("NGINX").map_or_else(|| PathBuf::from("/usr/sbin/nginx"), PathBuf::from)
}
