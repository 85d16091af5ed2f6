//! A server in this process, on a database of its own, spoken to over real sockets.

use bailiwick_server::vault::Vault;
use std::net::TcpListener;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};

use bailiwick_server::app::{App, Parts};
use bailiwick_server::authz::Notary;
use bailiwick_server::clock::Clock;
use bailiwick_server::config::{
    self, Config, Database, InternalKey, Jobs, Log, LogFormat, Mail, MailTransport, Mode, Pooler, PublicUrl, Secrets,
};
use bailiwick_server::db::Db;
use bailiwick_server::entropy::Entropy;
use bailiwick_server::internal_credentials::{self, NewCredential};
use bailiwick_server::mail::{Mailer, StoredMail};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, SET_COOKIE};
use reqwest::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::cluster::TestDatabase;
use super::process::until;
use super::{logs, secrets, vouch};

/// The running server.
pub struct TestApp {
    /// The public listener.
    pub url: String,
    /// The private listener.
    pub private_url: String,
    /// Its database.
    pub database: TestDatabase,
    /// Its handle to the database, as features have it.
    pub db: Db,
    /// The internal credential.
    pub internal_key: String,
    mailer: Mailer,
    ahead_seconds: Arc<AtomicI64>,
    secrets: Secrets,
    client: reqwest::Client,
    /// Dropped, it stops the server.
    _stop: tokio::sync::oneshot::Sender<()>,
}

/// A person's tokens.
#[derive(Clone, Debug)]
pub struct Person {
    /// For `Authorization: Bearer`.
    pub access_token: String,
    /// For `POST /auth/refresh`.
    pub refresh_token: String,
    /// The cookies of the session, as a `Cookie` header.
    pub cookies: String,
}

/// Connections in each of a node's two large pools: a process of PostgreSQL's each, that reads the catalog anew.
const POOL: u32 = 6;

/// What the server answered.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as it came.
    pub text: String,
}

/// A request in the making.
pub struct Call<'a> {
    app: &'a TestApp,
    request: reqwest::RequestBuilder,
}

impl TestApp {
    /// A server on a fresh database.
    pub async fn start() -> Self {
        Self::on(TestDatabase::create().await, POOL).await
    }

    /// A server on this database with so many connections in each pool.
    pub async fn on(database: TestDatabase, pool_size: u32) -> Self {
        let secrets = made_secrets();
        let vault = super::vault::settings(&database.kek_file);
        Self::with(database, pool_size, secrets, vault, None, |_| ()).await
    }

    /// A server on a fresh database, of another configuration than most tests have.
    pub async fn configured(adjust: impl FnOnce(&mut Config)) -> Self {
        let database = TestDatabase::create().await;
        let vault = super::vault::settings(&database.kek_file);
        Self::with(database, POOL, made_secrets(), vault, None, adjust).await
    }

    /// A server whose keys are kept so.
    pub async fn keeping(database: TestDatabase, vault: config::Vault) -> Self {
        let secrets = made_secrets();
        Self::with(database, POOL, secrets, vault, None, |_| ()).await
    }

    /// Another node of the same cell: its database, its anchor store and its secrets, as after a restart. Mail that it
    /// delivers lies in the same mailbox.
    pub async fn another_node(&self) -> Self {
        self.another_node_keeping(super::vault::settings(&self.database.kek_file)).await
    }

    /// As [`Self::another_node`], with its keys kept so.
    pub async fn another_node_keeping(&self, vault: config::Vault) -> Self {
        self.another_node_configured(vault, |_| ()).await
    }

    /// As [`Self::another_node_keeping`], of another configuration.
    pub async fn another_node_configured(&self, vault: config::Vault, adjust: impl FnOnce(&mut Config)) -> Self {
        Self::with(self.database.clone(), POOL, self.secrets.clone(), vault, Some(self.mailer.clone()), adjust).await
    }

    async fn with(
        database: TestDatabase,
        pool_size: u32,
        secrets: Secrets,
        vault: config::Vault,
        mailer: Option<Mailer>,
        adjust: impl FnOnce(&mut Config),
    ) -> Self {
        logs::install();
        let public = TcpListener::bind("127.0.0.1:0").unwrap();
        let private = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://localhost:{}", public.local_addr().unwrap().port());
        let private_url = format!("http://{}", private.local_addr().unwrap());
        let mut config = config(&url, &database, private.local_addr().unwrap(), pool_size, secrets.clone(), vault);
        adjust(&mut config);
        let ahead_seconds = Arc::new(AtomicI64::new(0));
        let clock = clock(ahead_seconds.clone());
        let mailer = mailer.unwrap_or_else(|| Mailer::new(&config.mail, clock.clone()).unwrap());
        let internal_key = config.secrets.internal_key.as_ref().unwrap().secret().expose_secret().to_owned();
        super::secrets::record(&internal_key);
        let parts = Parts { mailer: mailer.clone(), clock, entropy: Entropy::system(), metrics: metrics() };
        let app = App::build(&config, parts).await.unwrap();
        let db = app.db().clone();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        tokio::spawn(app.serve(public, private, async move {
            let _dropped = stopped.await;
        }));
        let client = super::http::http_builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { url, private_url, database, db, internal_key, mailer, ahead_seconds, secrets, client, _stop: stop }
    }

    /// The secrets that the server runs with.
    pub const fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// A vault beside the server's, with the same keys.
    pub async fn vault(&self) -> Vault {
        super::vault::vault(&self.database, &self.db).await
    }

    /// Vouches for whatever a test has written into the database by hand.
    pub async fn vouch(&self) {
        vouch::vouch_for_all(&self.db, &self.notary().await).await;
    }

    /// Vouches for rows as the server does.
    pub async fn notary(&self) -> Notary {
        vouch::notary(&self.database, &self.db).await
    }

    /// Winds the server's clock.
    pub fn advance(&self, by: time::Duration) {
        self.ahead_seconds.fetch_add(by.whole_seconds(), Ordering::SeqCst);
    }

    /// Waits until everything that was staged has its number.
    pub async fn numbered(&self) {
        let staged = "SELECT (SELECT count(*) FROM ledger_staged) + (SELECT count(*) FROM cell_ledger_staged)";
        let count = async || sqlx::query_scalar::<_, i64>(staged).fetch_one(&self.database.owner).await.unwrap();
        until(async || count().await == 0).await;
    }

    /// The actions of a workspace's live log, in their order; of the cell's log without a workspace.
    pub async fn actions(&self, workspace: Option<&str>) -> Vec<String> {
        self.numbered().await;
        let workspace = workspace.map(|id| id.parse::<bailiwick_proof::id::WorkspaceId>().unwrap().uuid());
        sqlx::query_scalar(
            "SELECT action FROM ledger_entries WHERE workspace_id = $1 AND environment = 'live' ORDER BY seq",
        )
        .bind(workspace.unwrap_or_default())
        .fetch_all(&self.database.owner)
        .await
        .unwrap()
    }

    /// The mails, newest first, once there are so many.
    pub async fn mails(&self, at_least: usize) -> Vec<StoredMail> {
        let mailbox = self.mailer.mailbox().unwrap();
        loop {
            let mails = mailbox.newest_first();
            if mails.len() >= at_least {
                for mail in &mails {
                    [&mail.link, &mail.code].into_iter().flatten().for_each(|secret| secrets::record(secret));
                }
                return mails;
            }
            tokio::task::yield_now().await;
        }
    }

    /// A request to the public listener.
    pub fn call(&self, method: Method, path: &str) -> Call<'_> {
        Call { app: self, request: self.client.request(method, format!("{}{path}", self.url)) }
    }

    /// GET on the public listener.
    pub fn get(&self, path: &str) -> Call<'_> {
        self.call(Method::GET, path)
    }

    /// POST on the public listener.
    pub fn post(&self, path: &str, body: &Value) -> Call<'_> {
        self.call(Method::POST, path).json(body)
    }

    /// DELETE on the public listener.
    pub fn delete(&self, path: &str) -> Call<'_> {
        self.call(Method::DELETE, path)
    }

    /// A request to the private listener.
    pub fn private(&self, method: Method, path: &str) -> Call<'_> {
        Call { app: self, request: self.client.request(method, format!("{}{path}", self.private_url)) }
    }

    /// Asks for a link and redeems it by code.
    pub async fn sign_in(&self, email: &str) -> Person {
        let verified = self.show_mail(email).await;
        assert_eq!(verified.status, 200, "{}", verified.text);
        verified.person()
    }

    /// Asks for a link and shows its code; the answer.
    pub async fn show_mail(&self, email: &str) -> Answer {
        // Other mail may come to the same address meanwhile.
        let codes = async || {
            let mails = self.mails(0).await;
            mails
                .into_iter()
                .filter(|mail| mail.to.eq_ignore_ascii_case(email))
                .filter_map(|mail| mail.code)
                .collect::<Vec<_>>()
        };
        let before = codes().await.len();
        let asked = self.post("/auth/request", &json!({"email": email})).send().await;
        let challenge = asked.json()["challenge"].as_str().unwrap().to_owned();
        let code = loop {
            let codes = codes().await;
            if codes.len() > before {
                break codes[0].clone();
            }
            tokio::task::yield_now().await;
        };
        self.post("/auth/verify", &json!({"challenge": challenge, "code": code})).send().await
    }

    /// The moment, as the server has it.
    pub fn now(&self) -> OffsetDateTime {
        Clock::system().now() + time::Duration::seconds(self.ahead_seconds.load(Ordering::SeqCst))
    }

    /// Signs in and founds a workspace; answers the person and the workspace's id.
    pub async fn founder(&self, email: &str, slug: &str) -> (Person, String) {
        let person = self.sign_in(email).await;
        let made =
            self.post("/v1/workspaces", &json!({"name": slug, "slug": slug})).bearer(&person.access_token).send().await;
        assert_eq!(made.status, 201, "{}", made.text);
        let workspace = made.text_of("id");
        self.know_actions(&workspace).await;
        (person, workspace)
    }

    /// As if somebody had registered what the tests record, long ago: without an entry, so that their logs begin with what they are about.
    pub async fn know_actions(&self, workspace: &str) {
        let workspace: bailiwick_proof::id::WorkspaceId = workspace.parse().unwrap();
        sqlx::query(
            "INSERT INTO audit_actions (workspace_id, environment, action, description, registered_by, registered_at)
             SELECT $1, environment, action, '', 'system', now()
             FROM unnest($2::text[]) AS action, unnest(ARRAY['live', 'test']) AS environment",
        )
        .bind(workspace.uuid())
        .bind(super::recorder::ACTIONS.as_slice())
        .execute(&self.database.owner)
        .await
        .unwrap();
    }

    /// Makes an API key and answers all that is told about it.
    pub async fn api_key(&self, person: &Person, workspace: &str, body: &Value) -> Value {
        let path = format!("/v1/workspaces/{workspace}/api-keys");
        let made = self.post(&path, body).bearer(&person.access_token).send().await;
        assert_eq!(made.status, 201, "{}", made.text);
        made.json()
    }

    /// Makes a credential for one of the operator's services, as `bailiwickd internal-key create` does; answers its id
    /// and the secret.
    pub async fn service(&self, name: &str, audiences: &[&str]) -> (bailiwick_proof::id::InternalCredentialId, String) {
        let audiences = audiences.iter().map(|word| word.parse().unwrap()).collect();
        let new = NewCredential { service: name.parse().unwrap(), audiences };
        let (notary, clock, entropy) = (self.notary().await, Clock::system(), Entropy::system());
        let made = internal_credentials::create(&self.db, &notary, &clock, &entropy, new).await.unwrap();
        secrets::record(made.key.reveal());
        (made.id, made.key.reveal().to_owned())
    }

    /// Puts a person into a workspace with a role, as no operation of the API can yet.
    pub async fn join(&self, workspace: &str, email: &str, role: &str) -> Person {
        let person = self.sign_in(email).await;
        let workspace: bailiwick_proof::id::WorkspaceId = workspace.parse().unwrap();
        sqlx::query(
            "INSERT INTO memberships (workspace_id, user_id, role, created_at)
             SELECT $1, id, $3, now() FROM users WHERE email_key = $2",
        )
        .bind(workspace.uuid())
        .bind(email)
        .bind(role)
        .execute(&self.database.owner)
        .await
        .unwrap();
        self.vouch().await;
        person
    }
}

impl Call<'_> {
    /// With a bearer credential.
    pub fn bearer(mut self, token: &str) -> Self {
        self.request = self.request.bearer_auth(token);
        self
    }

    /// With a header.
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.request = self.request.header(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        self
    }

    /// With a JSON body.
    pub fn json(mut self, body: &Value) -> Self {
        self.request = self.request.json(body);
        self
    }

    /// With a body as it is, said to be JSON.
    pub fn raw_json(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.request = self.request.header("content-type", "application/json").body(body.into());
        self
    }

    /// With a form.
    pub fn form(mut self, fields: &[(&str, &str)]) -> Self {
        let body: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", percent(value))).collect();
        self.request = self.request.header("content-type", "application/x-www-form-urlencoded").body(body.join("&"));
        self
    }

    /// Sends it, and notes every secret in the answer for the leak scan. What has a cookie comes from a page of the server's
    /// own, as browsers say, unless it says otherwise.
    pub async fn send(self) -> Answer {
        let (client, request) = self.request.build_split();
        let mut request = request.unwrap();
        let headers = request.headers_mut();
        if headers.contains_key("cookie") && !headers.contains_key("origin") {
            headers.entry("sec-fetch-site").or_insert(HeaderValue::from_static("same-origin"));
        }
        let response = client.execute(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let answer = Answer { status, headers, text: response.text().await.unwrap() };
        secrets::record_those_of(&answer.text);
        let _ = self.app;
        answer
    }
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {} {}", self.status, self.text))
    }

    /// A text member of the body.
    pub fn text_of(&self, member: &str) -> String {
        self.json()[member].as_str().unwrap_or_else(|| panic!("no {member} in {}", self.text)).to_owned()
    }

    /// Status and code of a problem, after looking at the form that every problem has.
    pub fn problem(&self) -> (u16, String) {
        assert_eq!(self.headers["content-type"], "application/problem+json", "{}", self.text);
        let body = self.json();
        assert_eq!(body["status"], self.status.as_u16());
        assert_eq!(body["request_id"].as_str().unwrap(), self.headers["x-request-id"].to_str().unwrap());
        (self.status.as_u16(), body["code"].as_str().unwrap().to_owned())
    }

    /// The cookies that were set, as a `Cookie` header.
    pub fn cookies(&self) -> String {
        let pairs =
            self.headers.get_all(SET_COOKIE).iter().map(|line| line.to_str().unwrap().split(';').next().unwrap());
        pairs.filter(|pair| !pair.ends_with('=')).collect::<Vec<_>>().join("; ")
    }

    /// The tokens of a sign-in or a refresh.
    pub fn person(&self) -> Person {
        Person {
            access_token: self.text_of("access_token"),
            refresh_token: self.text_of("refresh_token"),
            cookies: self.cookies(),
        }
    }
}

/// Tests sign in over and over from one address; those that are about limits say so.
const UNLIMITED: config::Limits = config::Limits { sign_in_requests: 1_000, sign_ins: 1_000, sign_in_mails: 1_000 };

fn percent(text: &str) -> String {
    text.bytes()
        .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}

fn clock(ahead_seconds: Arc<AtomicI64>) -> Clock {
    let system = Clock::system();
    Clock::from_fn(move || -> OffsetDateTime {
        system.now() + time::Duration::seconds(ahead_seconds.load(Ordering::SeqCst))
    })
}

fn made_secrets() -> Secrets {
    Secrets { internal_key: InternalKey::parse(&InternalKey::make_for_dev(&Entropy::system())).ok() }
}

fn config(
    url: &str,
    database: &TestDatabase,
    private_listen: std::net::SocketAddr,
    pool_size: u32,
    secrets: Secrets,
    vault: config::Vault,
) -> Config {
    let public_url = PublicUrl::parse(url).unwrap();
    let port = public_url.authority().rsplit(':').next().unwrap().to_owned();
    let copy = |url: &SecretString| SecretString::from(url.expose_secret());
    Config {
        mode: Mode::Dev,
        listen: format!("127.0.0.1:{port}").parse().unwrap(),
        private_listen,
        private_hosts: vec!["bailiwick_private".to_owned()],
        internal_networks: bailiwick_server::networks::Networks::Anywhere,
        trusted_proxies: bailiwick_server::networks::Networks::Anywhere.or_nowhere(),
        allowed_hosts: vec![format!("localhost:{port}"), format!("127.0.0.1:{port}")],
        public_url,
        database: Database {
            runtime_url: copy(&database.urls.runtime),
            system_url: copy(&database.urls.system),
            migrate_url: None,
            pool_size,
            pooler: Pooler::None,
        },
        jobs: Jobs { workers: 4 },
        stream_networks: bailiwick_server::networks::Networks::of(vec!["127.0.0.0/8".parse().unwrap()]),
        anchor: database.anchor(),
        log_name: None,
        publish: None,
        witness_policy: None,
        limits: UNLIMITED,
        mail: Mail { from: "Bailiwick <bailiwick@localhost>".to_owned(), transport: MailTransport::Mailbox },
        vault,
        secrets,
        log: Log { format: LogFormat::Text, filter: "debug".to_owned() },
    }
}

/// One recorder for the process, as in the binary.
pub fn metrics() -> PrometheusHandle {
    static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();
    RECORDER.get_or_init(|| PrometheusBuilder::new().install_recorder().unwrap()).clone()
}
