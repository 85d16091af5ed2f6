//! PgBouncer in transaction mode before a test's database: Debian's, which does not track prepared statements.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::PathBuf;

use nix::unistd::{Uid, User};
use secrecy::{ExposeSecret, SecretString};
use sqlx::Connection as _;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::cluster::{TestDatabase, options};
use super::process::{free_port, until};
use super::run_dir::variable;

/// The pooler, which ends with the test.
pub struct Pooler {
    /// The serving role's URL through it.
    pub runtime_url: String,
    /// The system role's URL through it.
    pub system_url: String,
    _process: Child,
    _dir: TempDir,
}

impl Pooler {
    /// Before this database, with so many connections to it for each role.
    pub async fn before(database: &TestDatabase, connections: usize) -> Self {
        let port = free_port();
        let logins = [&database.urls.runtime, &database.urls.system].map(Login::of);
        let [runtime, system] = &logins;
        let dir = tempfile::tempdir().unwrap();
        let (config, users) = (dir.path().join("pgbouncer.ini"), dir.path().join("users.txt"));
        let lines: Vec<String> =
            logins.iter().map(|login| format!("\"{}\" \"{}\"\n", login.role, login.password)).collect();
        std::fs::write(&users, lines.concat()).unwrap();
        let text = format!(
            "[databases]\n{name} = host={socket} port=5432\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = scram-sha-256\nauth_file = {users}\npool_mode = transaction\n\
             default_pool_size = {connections}\nmax_client_conn = 500\nignore_startup_parameters = extra_float_digits\n",
            name = runtime.database,
            socket = runtime.socket,
            users = users.display(),
        );
        std::fs::write(&config, text).unwrap();
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let program = variable("PGBOUNCER").map_or_else(|| PathBuf::from("/usr/sbin/pgbouncer"), PathBuf::from);
        let mut command = Command::new(program);
        command.arg("--quiet").arg(&config).process_group(0).kill_on_drop(true);
        if Uid::effective().is_root() {
            // It refuses to be root, and only its own user may use the database's socket.
            let owner = std::fs::metadata(format!("{}/.s.PGSQL.5432", runtime.socket)).unwrap().uid();
            command.args(["-u", &User::from_uid(Uid::from_raw(owner)).unwrap().unwrap().name]);
        }
        let process = command.spawn().unwrap();
        let [runtime_url, system_url] = [runtime, system].map(|login| login.url(port));
        until(async || {
            let url = SecretString::from(runtime_url.clone());
            sqlx::PgConnection::connect_with(&options(&url)).await.is_ok()
        })
        .await;
        Self { runtime_url, system_url, _process: process, _dir: dir }
    }
}

/// What a URL of the cluster's says.
pub(super) struct Login {
    role: String,
    password: String,
    database: String,
    pub(super) socket: String,
}

impl Login {
    pub(super) fn of(url: &SecretString) -> Self {
        let parsed = options(url);
        let password = reqwest::Url::parse(url.expose_secret()).unwrap().password().unwrap().to_owned();
        Self {
            role: parsed.get_username().to_owned(),
            password,
            database: parsed.get_database().unwrap().to_owned(),
            socket: parsed.get_socket().unwrap().display().to_string(),
        }
    }

    pub(super) fn url(&self, port: u16) -> String {
        format!("postgres://{}:{}@127.0.0.1:{port}/{}", self.role, self.password, self.database)
    }
}
