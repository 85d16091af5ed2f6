//! A private PostgreSQL for `bailiwickd dev` and for the tests.
//!
//! # Invariants
//! - It listens on a Unix socket and nowhere else, and lets nobody in without a password (SCRAM); the passwords are
//!   generated into `DIR/secrets/`.
//! - It never runs as root. Its data carries checksums.
//! - One bailiwickd for each directory: [`DataDir`] holds an exclusive lock.
//! - However the last run ended (`kill -9` of the server, of the database, in the middle of the first start), the next
//!   start succeeds or says what is wrong.
//! - Its log never holds the text of a statement or a parameter.
//!
//! `bailiwickd serve` refuses it: see `boot`.

mod account;
mod binaries;
mod cluster;
mod data_dir;
mod error;
mod postmaster;
mod remains;
mod roles;
mod scram;
mod secret_files;
mod socket;

use std::fs;
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection};

pub use self::binaries::Search;
pub use self::data_dir::DataDir;
pub use self::error::EmbeddedError;
pub use self::secret_files::SecretFiles;

use self::postmaster::{Launch, Postmaster};
use self::socket::{PORT, SocketDir};
use crate::entropy::Entropy;

/// The `cluster_name` of a database that `bailiwickd dev` runs.
pub const DEV_CLUSTER_NAME: &str = "bailiwickd-dev";

/// What differs between the database of a person and that of a test run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// PostgreSQL's `cluster_name`: any role may ask for it, and so `boot` knows an embedded database.
    pub cluster_name: &'static str,
    /// PostgreSQL's `max_connections`.
    pub max_connections: u16,
    /// PostgreSQL's `max_prepared_transactions`, which we never make: others in the cluster may.
    pub prepared_transactions: u16,
    /// Whether what was committed survives a power cut, and what was deleted is cleared away. Only a cluster that is thrown
    /// away may do without.
    pub durable: bool,
}

impl Tuning {
    /// For `bailiwickd dev`.
    pub const DEV: Self =
        Self { cluster_name: DEV_CLUSTER_NAME, max_connections: 60, prepared_transactions: 0, durable: true };
}

/// The connection URLs of the three roles, each with its password.
#[derive(Clone, Debug)]
pub struct Urls {
    /// `bailiwick_runtime`, who serves requests.
    pub runtime: SecretString,
    /// `bailiwick_system`, who serves the operational paths.
    pub system: SecretString,
    /// `bailiwick_owner`, who migrates.
    pub owner: SecretString,
}

/// The URLs of the database that another process runs in this directory.
///
/// # Errors
/// [`EmbeddedError::Io`] when it has left no URL, [`EmbeddedError::SecretLost`] without the passwords.
pub fn urls_of_running(data_dir: &Path) -> Result<Urls, EmbeddedError> {
    let path = data_dir.join("postgres.url");
    let owner = fs::read_to_string(&path).map_err(error::io("read", &path))?;
    let place = owner.trim_end().rsplit_once('@').map_or("", |(_, place)| place);
    let files = SecretFiles::open(data_dir.join("secrets"))?;
    let url = |role: &str, secret: &str| {
        let lost = || EmbeddedError::SecretLost { path: files.path(secret) };
        let password = files.read(secret)?.ok_or_else(lost)?;
        Ok(SecretString::from(format!("postgres://{role}:{}@{place}", password.expose_secret())))
    };
    Ok(Urls {
        runtime: url(roles::RUNTIME, "runtime_password")?,
        system: url(roles::SYSTEM, "system_password")?,
        owner: SecretString::from(owner.trim_end()),
    })
}

/// The passwords of the roles.
#[derive(Debug)]
struct Passwords {
    superuser: SecretString,
    owner: SecretString,
    runtime: SecretString,
    system: SecretString,
}

/// The running database.
#[derive(Debug)]
pub struct Embedded {
    dir: DataDir,
    socket: SocketDir,
    passwords: Passwords,
    launch: Launch,
    postmaster: Postmaster,
}

impl Embedded {
    /// Starts the database of this directory, made first if it is new, and writes `DIR/postgres.url`.
    ///
    /// # Errors
    /// [`EmbeddedError`], each variant with what to do about it.
    pub async fn start(
        dir: DataDir,
        search: &Search,
        tuning: Tuning,
        entropy: &Entropy,
    ) -> Result<Self, EmbeddedError> {
        let binaries = cluster::binaries(&dir, search)?;
        let passwords = Passwords::of(&dir, entropy)?;
        if !cluster::exists(&dir) {
            tracing::info!(event = "database.create", major = binaries.major, dir = %dir.path().display());
            cluster::make(&dir, &binaries, tuning, &scram::verifier(&passwords.superuser, &entropy.bytes()))?;
        }
        let socket = SocketDir::make(&dir, entropy)?;
        let launch = Launch {
            binaries,
            cluster: dir.cluster(),
            socket_dir: socket.path().to_path_buf(),
            log: dir.log(),
            account: dir.account(),
            tuning,
        };
        let superuser = superuser_options(&socket, &passwords);
        let (postmaster, mut connection) = launch.start(&superuser).await.map_err(|error| refused(&dir, error))?;
        let embedded = Self { dir, socket, passwords, launch, postmaster };
        embedded.establish(&superuser, &mut connection, entropy).await?;
        connection.close().await.map_err(|source| EmbeddedError::Sql { step: "leave the database", source })?;
        Ok(embedded)
    }

    /// The URLs for the server's database.
    #[must_use]
    pub fn urls(&self) -> Urls {
        self.urls_of(roles::DATABASE)
    }

    /// The URLs for a database of this name.
    #[must_use]
    pub fn urls_of(&self, database: &str) -> Urls {
        let Passwords { owner, runtime, system, .. } = &self.passwords;
        Urls {
            runtime: self.url(roles::RUNTIME, runtime, database),
            system: self.url(roles::SYSTEM, system, database),
            owner: self.url(roles::OWNER, owner, database),
        }
    }

    /// The superuser's URL for a database of this name: for tests, and for nobody else.
    #[must_use]
    pub fn superuser_url(&self, database: &str) -> SecretString {
        self.url(cluster::SUPERUSER, &self.passwords.superuser, database)
    }

    /// Makes a database like the server's: empty, or a copy of `template`, to which nobody may be connected. The name
    /// must be a plain identifier.
    ///
    /// # Errors
    /// [`EmbeddedError::Sql`] when the database refuses.
    pub async fn create_database(&self, name: &str, template: Option<&str>) -> Result<(), EmbeddedError> {
        let superuser = superuser_options(&self.socket, &self.passwords);
        let step = |step| move |source| EmbeddedError::Sql { step, source };
        let mut connection = superuser.connect().await.map_err(step("connect to the database"))?;
        let template = template.unwrap_or("template1");
        roles::establish_database(&superuser, &mut connection, name, template).await?;
        connection.close().await.map_err(step("leave the database"))
    }

    /// The process id of the database; `None` when it has ended.
    #[must_use]
    pub fn pid(&self) -> Option<i32> {
        self.postmaster.pid()
    }

    /// The directory that it lives in.
    #[must_use]
    pub fn dir(&self) -> &DataDir {
        &self.dir
    }

    /// Resolves when the database has ended without being asked to. It may be dropped and called again.
    pub async fn died(&mut self) {
        self.postmaster.ended().await;
    }

    /// Starts the database again after it died; its URLs stay the same.
    ///
    /// # Errors
    /// As [`Self::start`]; calling it again is all right.
    pub async fn restart(&mut self) -> Result<(), EmbeddedError> {
        let superuser = superuser_options(&self.socket, &self.passwords);
        let (postmaster, connection) = self.launch.start(&superuser).await?;
        self.postmaster = postmaster;
        connection.close().await.map_err(|source| EmbeddedError::Sql { step: "leave the database", source })
    }

    /// Stops the database and lets go of the directory.
    ///
    /// # Errors
    /// [`EmbeddedError::Deadline`] when it does not stop.
    pub async fn stop(self) -> Result<(), EmbeddedError> {
        self.postmaster.stop().await?;
        self.socket.remove()
    }

    async fn establish(
        &self,
        superuser: &PgConnectOptions,
        connection: &mut PgConnection,
        entropy: &Entropy,
    ) -> Result<(), EmbeddedError> {
        let Passwords { owner, runtime, system, .. } = &self.passwords;
        let verifier = |password| scram::verifier(password, &entropy.bytes());
        let passwords =
            [(roles::OWNER, verifier(owner)), (roles::RUNTIME, verifier(runtime)), (roles::SYSTEM, verifier(system))];
        roles::establish(connection, passwords).await?;
        roles::establish_database(superuser, connection, roles::DATABASE, "template1").await?;
        let url = format!("{}\n", self.urls().owner.expose_secret());
        secret_files::write_private(&self.dir.path().join("postgres.url"), url.as_bytes())
    }

    fn url(&self, role: &str, password: &SecretString, database: &str) -> SecretString {
        let host = percent_encode(&self.socket.path().to_string_lossy());
        SecretString::from(format!("postgres://{role}:{}@{host}:{PORT}/{database}", password.expose_secret()))
    }
}

impl Passwords {
    /// Reads them, or makes them for a new cluster. Only the superuser's cannot be replaced.
    fn of(dir: &DataDir, entropy: &Entropy) -> Result<Self, EmbeddedError> {
        let files = dir.secrets()?;
        if cluster::exists(dir) && files.read("superuser_password")?.is_none() {
            return Err(EmbeddedError::SecretLost { path: files.path("superuser_password") });
        }
        let password = |name| files.read_or_make(name, || secret_files::password(entropy));
        Ok(Self {
            superuser: password("superuser_password")?,
            owner: password("owner_password")?,
            runtime: password("runtime_password")?,
            system: password("system_password")?,
        })
    }
}

fn superuser_options(socket: &SocketDir, passwords: &Passwords) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .socket(socket.path())
        .port(PORT)
        .username(cluster::SUPERUSER)
        .password(passwords.superuser.expose_secret())
        .database("postgres")
        .disable_statement_logging()
}

/// A wrong superuser's password means that the secret and the cluster do not belong together.
fn refused(dir: &DataDir, error: EmbeddedError) -> EmbeddedError {
    const INVALID_PASSWORD: &str = "28P01";
    match &error {
        EmbeddedError::Sql { source: sqlx::Error::Database(answer), .. }
            if answer.code().as_deref() == Some(INVALID_PASSWORD) =>
        {
            EmbeddedError::SecretLost { path: dir.path().join("secrets/superuser_password") }
        }
        _ => error,
    }
}

/// All but RFC 3986's unreserved characters.
fn percent_encode(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}
