//! A server of one's own: `bailiwickd dev` as a process, with a durable PostgreSQL that nobody else uses.
//!
//! Everything lies in a folder below cargo's target directory, on a disk and not in memory, and is gone afterwards,
//! also after Ctrl-C: the server and its database are in process groups of their own, and `reaper` ends them as soon
//! as this process is no more.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use bailiwick_proof::id::WorkspaceId;
use bailiwick_server::anchor::AnchorStore;
use bailiwick_server::api_keys::CreatedApiKey;
use bailiwick_server::authz::Notary;
use bailiwick_server::clock::Clock;
use bailiwick_server::config::AnchorPlace;
use bailiwick_server::config::{self, KekKeeper, Pooler};
use bailiwick_server::db::Db;
use bailiwick_server::db::embedded::{Urls, urls_of_running};
use bailiwick_server::entropy::Entropy;
use bailiwick_server::ledger;
use bailiwick_server::vault::{self, Keks, Vault};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use reqwest::RequestBuilder;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};
use tokio::io::{AsyncBufReadExt, BufReader};

use super::Caller;
use super::reaper::reaper;

const BINARY: &str = env!("CARGO_BIN_EXE_bailiwickd");
const READY: Duration = Duration::from_secs(60);
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);
/// All of a bench's people sign in from one address within minutes.
const SIGN_INS: &str = "10000";

/// A running server.
pub(crate) struct Server {
    /// Its public listener.
    url: String,
    /// Its private listener, `127.0.0.1:port`.
    private: String,
    process: tokio::process::Child,
    /// Keeps the pipe open that the server writes to.
    _stdout: BufReader<tokio::process::ChildStdout>,
    client: reqwest::Client,
    /// Last, so that it goes last.
    home: Home,
}

/// Where a server keeps its data; it takes server, database and data with it when it goes.
struct Home {
    data: PathBuf,
    log: PathBuf,
    reaper: Child,
}

/// Somebody who has signed in.
pub(crate) struct Person {
    pub(crate) access_token: String,
    /// Good once.
    pub(crate) refresh_token: String,
}

impl Server {
    /// Makes a new database and waits until the server is ready.
    ///
    /// # Errors
    /// When there is no PostgreSQL, or the server does not come up; the end of what it said is part of the error.
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let home = Home::make()?;
        // Nobody else takes it in the moment until the server does, or it says so.
        let private = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let mut process = tokio::process::Command::new(BINARY)
            .args(["dev", "--listen", "127.0.0.1:0", "--private-listen", &private, "--data-dir"])
            .arg(&home.data)
            .env("BAILIWICK_LIMITS_SIGN_INS", SIGN_INS)
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&home.log)?)
            .spawn()
            .with_context(|| format!("cannot start {BINARY}"))?;
        let mut stdout = BufReader::new(process.stdout.take().context("the server has no stdout")?);
        let mut line = String::new();
        let said = tokio::time::timeout(READY, stdout.read_line(&mut line)).await;
        let Some(url) = line.trim_end().strip_prefix("ready ").filter(|_| said.is_ok_and(|read| read.is_ok())) else {
            bail!("the server did not come up:\n{}", std::fs::read_to_string(&home.log).unwrap_or_default());
        };
        let url = url.to_owned();
        Ok(Self { url, private, process, _stdout: stdout, client: reqwest::Client::new(), home })
    }

    /// Signs somebody in, by the code in the development mailbox.
    ///
    /// # Errors
    /// When the server refuses.
    pub(crate) async fn sign_in(&self, email: &str) -> anyhow::Result<Person> {
        let asked = answer(self.post("/auth/request", &json!({"email": email}))).await?;
        let request = self.client.get(format!("{}/dev/mail", self.url)).header("accept", "application/json");
        // A job sends it, a moment after the answer; those to others stay in the mailbox.
        let sent = async {
            loop {
                let mails = answer(request.try_clone().context("a request without a body is copied")?).await?;
                let mail = mails.as_array().into_iter().flatten().find(|mail| mail.get("to") == Some(&json!(email)));
                if let Some(code) = mail.and_then(|mail| mail.get("code")) {
                    return anyhow::Ok(code.clone());
                }
                tokio::time::sleep(BETWEEN_LOOKS).await;
            }
        };
        let code = tokio::time::timeout(READY, sent).await.context("no mail with a code")??;
        let challenge = asked.get("challenge").context("no challenge")?;
        let person = self.post("/auth/verify", &json!({"challenge": challenge, "code": code}));
        Self::person(&answer(person).await?)
    }

    /// Exchanges a person's refresh token.
    ///
    /// # Errors
    /// When the server refuses.
    pub(crate) async fn refresh(&self, person: &Person) -> anyhow::Result<Person> {
        let request = self.post("/auth/refresh", &json!({"refresh_token": person.refresh_token}));
        Self::person(&answer(request).await?)
    }

    fn person(answer: &Value) -> anyhow::Result<Person> {
        let (access_token, refresh_token) = (text(answer, "access_token")?, text(answer, "refresh_token")?);
        Ok(Person { access_token, refresh_token })
    }

    /// Where the public listener is: `http://…`.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Founds a workspace.
    ///
    /// # Errors
    /// When the server refuses.
    pub(crate) async fn found(&self, founder: &Person, slug: &str) -> anyhow::Result<WorkspaceId> {
        let request = self.post("/v1/workspaces", &json!({"name": slug, "slug": slug}));
        let made = answer(request.bearer_auth(&founder.access_token)).await?;
        text(&made, "id")?.parse().context("not a workspace's id")
    }

    /// Makes an API key that may do everything in one environment of a workspace.
    ///
    /// # Errors
    /// When the server refuses.
    pub(crate) async fn api_key(
        &self,
        maker: &Person,
        workspace: WorkspaceId,
        environment: &str,
    ) -> anyhow::Result<CreatedApiKey> {
        let body = json!({"name": "bench", "scopes": ["read", "write", "management"]});
        let request = self.post(&format!("/v1/workspaces/{workspace}/api-keys"), &body);
        let request = request.bearer_auth(&maker.access_token).header("bailiwick-environment", environment);
        Ok(serde_json::from_value(answer(request).await?)?)
    }

    /// A program with this key.
    pub(crate) fn caller(&self, workspace: WorkspaceId, key: &CreatedApiKey) -> Caller {
        Caller::new(self.client.clone(), &self.url, workspace, key.key.clone())
    }

    /// Where the private listener is: `127.0.0.1:port`.
    pub(crate) fn private_address(&self) -> &str {
        &self.private
    }

    /// A credential that may ask about keys.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) async fn internal_credential(&self) -> anyhow::Result<String> {
        let file = self.home.data.join("secrets").join("internal_key");
        Ok(tokio::fs::read_to_string(file).await?.trim_end().to_owned())
    }

    /// Makes a project by a request.
    ///
    /// # Errors
    /// When the server refuses.
    pub(crate) async fn make_project(&self, key: &str, workspace: WorkspaceId, name: &str) -> anyhow::Result<()> {
        let request = self.post(&format!("/v1/workspaces/{workspace}/projects"), &json!({"name": name}));
        answer(request.bearer_auth(key)).await.map(|_| ())
    }

    /// A connection as the role that serves tenants, set up as the server's own.
    ///
    /// # Errors
    /// When the database refuses.
    pub(crate) async fn connect_runtime(&self) -> anyhow::Result<PgConnection> {
        self.connect("bailiwick_runtime", "runtime_password").await
    }

    /// The database, as a server's process has it.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) async fn db(&self) -> anyhow::Result<Db> {
        let urls = self.urls()?;
        Ok(Db::connect(&urls.runtime, &urls.system, 8, Pooler::None)?)
    }

    /// Vouches for rows as the server does.
    ///
    /// # Errors
    /// When the server's keys do not open.
    pub(crate) async fn notary(&self) -> anyhow::Result<Notary> {
        Ok(Notary::open(&self.vault().await?).await?)
    }

    /// A vault beside the server's, with the same keys.
    ///
    /// # Errors
    /// When the keys do not open.
    pub(crate) async fn vault(&self) -> anyhow::Result<Vault> {
        let (db, clock, entropy) = (self.db().await?, Clock::system(), Entropy::system());
        let data = &self.home.data;
        let name = data.file_name().context("the data directory has no name")?.to_string_lossy().into_owned();
        let settings = config::Vault {
            keeper: KekKeeper::Local,
            kek_file: Some(data.join("secrets/kek.json")),
            transit: None,
            key_lifetime: Duration::from_secs(3600),
        };
        Ok(Vault::open(vault::Parts {
            keks: Keks::configured(&settings, settings.keeper, &entropy)?,
            anchor: AnchorStore::open(
                &AnchorPlace::Folder(data.with_file_name(format!("{name}-anchor"))),
                &Entropy::system(),
            )
            .await?,
            cell: ledger::establish(&db, &clock, &entropy, None, "").await?.id,
            lifetime: settings.key_lifetime,
            db,
            clock,
            entropy,
        })
        .await?)
    }

    /// The database's URLs.
    ///
    /// # Errors
    /// When there are none.
    pub(crate) fn urls(&self) -> anyhow::Result<Urls> {
        Ok(urls_of_running(&self.home.data)?)
    }

    /// Makes an empty database beside the server's own; answers its owner's URL.
    ///
    /// # Errors
    /// When the database refuses.
    pub(crate) async fn create_database(&self, name: &str) -> anyhow::Result<String> {
        let mut superuser = self.connect("postgres", "superuser_password").await?;
        superuser.execute(AssertSqlSafe(format!("CREATE DATABASE {name} OWNER bailiwick_owner"))).await?;
        superuser.close().await?;
        let mut url = reqwest::Url::parse(self.urls()?.owner.expose_secret())?;
        url.set_path(name);
        Ok(url.to_string())
    }

    /// The owner's URL, password and all.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn owner_url(&self) -> anyhow::Result<String> {
        Ok(self.urls()?.owner.expose_secret().to_owned())
    }

    async fn connect(&self, role: &str, password_file: &str) -> anyhow::Result<PgConnection> {
        let password = std::fs::read_to_string(self.home.data.join("secrets").join(password_file))?;
        // As `db/pools.rs` does.
        let options = self.options()?.username(role).password(password.trim_end()).options([
            ("statement_timeout", "15s"),
            ("lock_timeout", "5s"),
            ("idle_in_transaction_session_timeout", "30s"),
            ("row_security", "on"),
        ]);
        Ok(options.connect().await?)
    }

    /// A connection as the owner, who sees every row.
    ///
    /// # Errors
    /// When the database refuses.
    pub(crate) async fn connect_owner(&self) -> anyhow::Result<PgConnection> {
        Ok(self.options()?.connect().await?)
    }

    /// What the database is, and the check that it is a durable one.
    ///
    /// # Errors
    /// When it would not survive a power cut.
    pub(crate) async fn durable(&self) -> anyhow::Result<String> {
        let mut owner = self.connect_owner().await?;
        let (version, durable): (String, bool) = sqlx::query_as(
            "SELECT current_setting('server_version'), bool_and(setting = 'on') FROM pg_settings
             WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit')",
        )
        .fetch_one(&mut owner)
        .await?;
        owner.close().await?;
        ensure!(durable, "the database does not flush what it commits");
        Ok(format!("PostgreSQL {version}, fsync on"))
    }

    /// Stops server and database, and removes what they left.
    ///
    /// # Errors
    /// When the server did not end in good order.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        let pid = self.process.id().and_then(|id| i32::try_from(id).ok()).context("the server has ended before")?;
        kill(Pid::from_raw(pid), Signal::SIGTERM)?;
        let status = self.process.wait().await?;
        ensure!(status.success(), "the server ended with {status}");
        Ok(())
    }

    fn options(&self) -> anyhow::Result<PgConnectOptions> {
        Ok(PgConnectOptions::from_str(self.urls()?.owner.expose_secret())?.disable_statement_logging())
    }

    fn post(&self, path: &str, body: &Value) -> RequestBuilder {
        self.client.post(format!("{}{path}", self.url)).json(body)
    }
}

impl Home {
    fn make() -> anyhow::Result<Self> {
        let root = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?.keep();
        let data = root.join("data");
        Ok(Self { log: root.join("log"), reaper: reaper(&data, Some(&root)), data })
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        drop(self.reaper.stdin.take());
        let _nothing_left_to_do = self.reaper.wait();
    }
}

/// Sends a request and reads the JSON of a success.
async fn answer(request: RequestBuilder) -> anyhow::Result<Value> {
    let response = request.send().await?;
    let (url, status, body) = (response.url().clone(), response.status(), response.text().await?);
    ensure!(status.is_success(), "{url} answered {status}: {body}");
    serde_json::from_str(&body).with_context(|| format!("{url} answered no JSON"))
}

fn text(answer: &Value, member: &str) -> anyhow::Result<String> {
    Ok(answer.get(member).and_then(Value::as_str).with_context(|| format!("no {member} in the answer"))?.to_owned())
}
