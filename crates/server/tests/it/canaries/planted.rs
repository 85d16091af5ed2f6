//! The canaries: what they are, and how each comes into the server.

use bailiwick_server::config::Pooler;
use bailiwick_server::db::{Db, embedded};
use bailiwick_server::server_secrets::{Purpose, ServerSecrets};
use bailiwick_server::vault::{LEDGER_KEY, Owner, Place, RowId};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use uuid::Uuid;

use super::places::superuser;
use crate::harness::app::Answer;
use crate::harness::process::{DevHome, DevServer};
use crate::harness::secrets::record;
use crate::harness::vault::vault_of;

/// The control: a workspace's name, which lies in the clear like all names.
pub const NAME: &str = "canary-in-the-clear";
const EMAIL: &str = "ada@example.com";

/// One secret.
pub struct Canary {
    /// What it is, for the report.
    pub what: &'static str,
    /// As it is used: text, or the bytes of a key.
    pub bytes: Vec<u8>,
}

/// All that was planted so far.
pub struct Planted {
    canaries: Vec<Canary>,
    workspace: String,
    request_id: String,
    access_token: String,
    refresh_token: String,
}

impl Planted {
    /// Signs in, founds a workspace, makes a key, asks again for the answer that was kept, and makes the mistakes that people make.
    pub async fn through(server: &DevServer<'_>) -> Self {
        let mut planted = Self {
            canaries: Vec::new(),
            workspace: String::new(),
            request_id: String::new(),
            access_token: String::new(),
            refresh_token: String::new(),
        };
        planted.secrets_of_the_server(server.home);
        planted.sign_in(server).await;
        let founded = planted.post(server, "/v1/workspaces", &json!({"name": NAME, "slug": "acme"})).await;
        planted.workspace = founded.text_of("id");
        planted.request_id = founded.headers["x-request-id"].to_str().unwrap().to_owned();
        let key = planted.key(server, "canary-first-idempotency-key").await;
        assert_eq!(planted.key(server, "canary-first-idempotency-key").await, key, "the answer was kept");
        planted.refresh(server).await;
        planted.use_and_misuse(server, &key).await;
        planted.stream(server).await;
        // Customers' own secrets, when the server keeps such: plant each here, through the API, as a canary of its own.
        planted
    }

    /// All of them.
    pub fn canaries(&self) -> &[Canary] {
        &self.canaries
    }

    /// The workspace's id, which is public.
    pub fn workspace(&self) -> &str {
        &self.workspace
    }

    /// The id of a request, which stands in logs.
    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    fn add(&mut self, what: &'static str, secret: &str) {
        record(secret);
        self.canaries.push(Canary { what, bytes: secret.as_bytes().to_vec() });
    }

    /// What an operator gives to the server.
    fn secrets_of_the_server(&mut self, home: &DevHome) {
        for (what, file) in [
            ("password of the runtime role", "secrets/runtime_password"),
            ("password of the system role", "secrets/system_password"),
            ("password of the owner", "secrets/owner_password"),
            ("password of the superuser", "secrets/superuser_password"),
            ("internal key", "secrets/internal_key"),
        ] {
            let bytes = home.read(file).into_bytes();
            self.canaries.push(Canary { what, bytes });
        }
        let kek: Value = serde_json::from_str(&home.read("secrets/kek.json")).unwrap();
        let kek = STANDARD.decode(kek["keys"][0]["key"].as_str().unwrap()).unwrap();
        self.canaries.push(Canary { what: "KEK", bytes: kek });
    }

    /// The key of a customer's bucket, which is nowhere: the job meets it again and again.
    async fn stream(&mut self, server: &DevServer<'_>) {
        let secret = "canary-key-of-a-customers-bucket";
        self.add("key of a customer's bucket", secret);
        let url = format!("{}/v1/workspaces/{}/audit/stream", server.url, self.workspace);
        let body = json!({
            "endpoint": "https://bucket.invalid", "region": "eu-1", "bucket": "acme", "access_key_id": "id",
            "secret_access_key": secret,
        });
        let call = crate::harness::http::http().put(url).bearer_auth(&self.access_token).json(&body);
        assert_eq!(call.send().await.unwrap().status(), 200);
    }

    /// The key that signs access tokens.
    pub async fn token_key(&mut self, home: &DevHome) {
        let vault = vault_of(home).await;
        let urls = embedded::urls_of_running(&home.dir).unwrap();
        let db = Db::connect(&urls.runtime, &urls.system, 1, Pooler::None).unwrap();
        let known = ServerSecrets::new(db, vault).all().await.unwrap();
        // PKCS #8 of a P-256 key: the private number stands behind 36 bytes that are always the same.
        let private = known.of(Purpose::TokenKey)[0].value[36..68].to_vec();
        self.canaries.push(Canary { what: "token key", bytes: private });
    }

    async fn sign_in(&mut self, server: &DevServer<'_>) {
        let asked = self.post(server, "/auth/request", &json!({"email": EMAIL})).await;
        self.add("challenge", &asked.text_of("challenge"));
        let mail = server.mails(1).await.remove(0);
        let code = self.mail("sign-in code", "sign-in link", &mail);
        let proof = json!({"challenge": asked.text_of("challenge"), "code": code});
        let verified = self.post(server, "/auth/verify", &proof).await;
        self.tokens(&verified);
    }

    async fn refresh(&mut self, server: &DevServer<'_>) {
        let proof = json!({"refresh_token": self.refresh_token});
        let refreshed = self.post(server, "/auth/refresh", &proof).await;
        self.tokens(&refreshed);
    }

    fn tokens(&mut self, answer: &Answer) {
        let person = answer.person();
        self.add("access token", &person.access_token);
        self.add("access token's signature", person.access_token.rsplit('.').next().unwrap());
        self.add("refresh token", &person.refresh_token);
        for cookie in person.cookies.split("; ").filter_map(|pair| pair.split_once('=')) {
            self.add("cookie", cookie.1);
        }
        (self.access_token, self.refresh_token) = (person.access_token, person.refresh_token);
    }

    /// Answers the code.
    fn mail(&mut self, code_is: &'static str, link_is: &'static str, mail: &Value) -> String {
        let (code, link) = (mail["code"].as_str().unwrap(), mail["link"].as_str().unwrap());
        self.add(code_is, code);
        self.add(code_is, &code.replace('-', ""));
        self.add(link_is, link.rsplit('=').next().unwrap());
        code.to_owned()
    }

    /// A key under an idempotency key: its answer is kept.
    async fn key(&mut self, server: &DevServer<'_>, idempotency_key: &'static str) -> String {
        let path = format!("/v1/workspaces/{}/api-keys", self.workspace);
        let body = json!({"name": "k", "scopes": ["read"]});
        let request = self.request(server, Method::POST, &path).json(&body).header("idempotency-key", idempotency_key);
        let made = answer(request).await;
        assert_eq!(made.status, 201, "{}", made.text);
        let key = made.text_of("key");
        self.add("API key", &key);
        self.add("the secret part of an API key", &key[16..]);
        self.add("idempotency key", idempotency_key);
        key
    }

    /// Another API key.
    pub async fn another_key(&mut self, server: &DevServer<'_>) {
        self.key(server, "canary-second-idempotency-key").await;
    }

    /// Secrets where they belong, and where they do not: in a path, in a query, in bodies that are refused.
    async fn use_and_misuse(&mut self, server: &DevServer<'_>, key: &str) {
        let verify = format!("{}/internal/v1/keys/verify", server.home.private_url());
        let internal = server.home.read("secrets/internal_key");
        let asked = crate::harness::http::http().post(verify).bearer_auth(internal).json(&json!({"key": key}));
        assert!(answer(asked).await.text.contains("\"valid\":true"));
        let (access, refresh) = (self.access_token.clone(), self.refresh_token.clone());
        for path in [
            format!("/v1/workspaces/{key}"),
            format!("/v1/workspaces?access_token={access}"),
            format!("/v1/workspaces/{}/api-keys?cursor={key}", self.workspace),
            format!("/auth/link?token={refresh}"),
        ] {
            answer(self.request(server, Method::GET, &path)).await;
        }
        for body in [
            format!(r#"{{"refresh_token": "{refresh}", "more": 1}}"#),
            format!(r#"{{"refresh_token": "{refresh}"#),
            format!(r#"{{"refresh_token": ["{refresh}"]}}"#),
            format!(r#"{{"{refresh}": ""}}"#),
        ] {
            let request =
                self.request(server, Method::POST, "/auth/refresh").header("content-type", "application/json");
            let refused = answer(request.body(body)).await;
            assert!(refused.status.is_client_error(), "{}", refused.text);
        }
        let name = json!({"name": access, "slug": key});
        assert!(self.refused(server, "/v1/workspaces", &name).await, "no slug");
        assert!(self.refused(server, "/auth/verify", &json!({"challenge": refresh, "code": "AAAA-AAAA"})).await);
    }

    async fn refused(&self, server: &DevServer<'_>, path: &str, body: &Value) -> bool {
        answer(self.request(server, Method::POST, path).json(body)).await.status.is_client_error()
    }

    /// To a server whose queue stands still.
    pub async fn have_a_mail_wait(&mut self, server: &DevServer<'_>) {
        let asked = self.post(server, "/auth/request", &json!({"email": EMAIL})).await;
        self.add("challenge of a mail that waits", &asked.text_of("challenge"));
    }

    /// Reads it, from a server whose queue moves again.
    pub async fn mail_that_waited(&mut self, server: &DevServer<'_>) {
        let mail = server.mails(1).await.remove(0);
        self.mail("sign-in code in a mail that waits", "sign-in link in a mail that waits", &mail);
    }

    /// What no surface shows: the seeds of the keys that sign checkpoints.
    pub async fn ledger_seeds(&mut self, home: &DevHome) {
        let vault = vault_of(home).await;
        let rows: Vec<(Uuid, String, String, Vec<u8>)> =
            sqlx::query_as("SELECT workspace_id, environment, kid, seed_sealed FROM ledger_keys")
                .fetch_all(&mut superuser(home).await)
                .await
                .unwrap();
        assert!(rows.len() >= 3, "the cell's, the live and the test log have one each");
        for (workspace, environment, kid, sealed) in rows {
            let row = RowId::new().uuid(workspace).text(&environment).text(&kid);
            let place = Place { column: &LEDGER_KEY, row: row.as_bytes(), subject: None };
            let seed = vault.unseal(Owner::Cell, &place, &sealed).await.unwrap();
            self.canaries.push(Canary { what: "seed of a ledger key", bytes: seed.to_vec() });
        }
    }

    fn request(&self, server: &DevServer<'_>, method: Method, path: &str) -> RequestBuilder {
        let client = crate::harness::http::http_builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let request = client.request(method, format!("{}{path}", server.url));
        if self.access_token.is_empty() { request } else { request.bearer_auth(&self.access_token) }
    }

    async fn post(&self, server: &DevServer<'_>, path: &str, body: &Value) -> Answer {
        let done = answer(self.request(server, Method::POST, path).json(body)).await;
        assert!(done.status.is_success(), "{path}: {}", done.text);
        done
    }
}

async fn answer(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    Answer { status, headers, text: response.text().await.unwrap() }
}
