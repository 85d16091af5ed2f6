//! A real OpenBao in a process of its own, with a transit key: it can be away, hang, refuse, and come back.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};

use bailiwick_server::config;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::process::{free_port, until};
use super::run_dir::variable;
use super::secrets::record;

const MOUNT: &str = "transit";
const ROOT: &str = "root-token-of-the-tests";
/// Ends it with the test process, in whatever way that ends, also when it is stopped.
const SCRIPT: &str = r#""$@" & echo "$!" >"$0"; read -r _; kill -KILL "$!""#;

/// The service.
pub struct Bao {
    url: String,
    dir: TempDir,
    client: reqwest::Client,
    /// Its end is the service's end.
    _stdin: ChildStdin,
    _shell: Child,
}

impl Bao {
    /// A new one, whose engine has no key yet.
    pub async fn start() -> Self {
        let program = PathBuf::from(variable("BAO").expect("BAO is not set: `cargo xtask test` sets it"));
        let (dir, port, _of_its_cluster) = (tempfile::tempdir().unwrap(), free_port(), free_port());
        let said = File::create(dir.path().join("said")).unwrap();
        let mut shell = Command::new("/bin/sh")
            .args(["-c", SCRIPT])
            .arg(dir.path().join("pid"))
            .arg(program)
            .args(["server", "-dev", "-dev-no-store-token", &format!("-dev-root-token-id={ROOT}")])
            .arg(format!("-dev-listen-address=127.0.0.1:{port}"))
            .stdin(Stdio::piped())
            .stdout(said)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let stdin = shell.stdin.take().unwrap();
        let (url, client) = (format!("http://127.0.0.1:{port}"), super::http::http());
        let bao = Self { url, dir, client, _stdin: stdin, _shell: shell };
        until(async || bao.said().contains("Root Token:")).await;
        until(async || bao.client.get(format!("{}/v1/sys/health", bao.url)).send().await.is_ok()).await;
        bao.ask(Method::POST, &format!("sys/mounts/{MOUNT}"), &json!({"type": "transit"})).await;
        bao
    }

    /// A new key in its engine, and a token that may do with it what a server must be able to do, and an operator.
    pub async fn key(&self, name: &str) -> config::Transit {
        self.ask(Method::POST, &format!("{MOUNT}/keys/{name}"), &json!({"type": "aes256-gcm96"})).await;
        let path = |what: &str, may: &str| format!("path \"{MOUNT}/{what}\" {{ capabilities = [\"{may}\"] }}\n");
        let policy = [
            path(&format!("encrypt/{name}"), "update"),
            path(&format!("decrypt/{name}"), "update"),
            path(&format!("keys/{name}"), "read"),
            path(&format!("keys/{name}/rotate"), "update"),
        ];
        self.ask(Method::PUT, &format!("sys/policies/acl/{name}"), &json!({"policy": policy.concat()})).await;
        let made = self.ask(Method::POST, "auth/token/create", &json!({"policies": [name], "no_parent": true})).await;
        let token = made["auth"]["client_token"].as_str().unwrap();
        record(token);
        config::Transit { url: self.url.clone(), mount: MOUNT.to_owned(), key: name.to_owned(), token: token.into() }
    }

    /// Has a key refuse whatever was wrapped by a version before this one.
    pub async fn forget_versions_before(&self, name: &str, version: u32) {
        let body = json!({"min_decryption_version": version, "min_encryption_version": version});
        self.ask(Method::POST, &format!("{MOUNT}/keys/{name}/config"), &body).await;
    }

    /// Takes a token back.
    pub async fn revoke(&self, token: &str) {
        self.ask(Method::POST, "auth/token/revoke", &json!({"token": token})).await;
    }

    /// It answers, and that it has no keys: it is sealed.
    pub async fn go_away(&self) {
        self.ask(Method::PUT, "sys/seal", &json!({})).await;
    }

    /// It has its keys again.
    pub async fn come_back(&self) {
        let said = self.said();
        let key = said.lines().find_map(|line| line.strip_prefix("Unseal Key: ")).unwrap();
        self.ask(Method::PUT, "sys/unseal", &json!({"key": key.trim()})).await;
        let standing = format!("{}/v1/sys/health", self.url);
        until(async || self.client.get(&standing).send().await.is_ok_and(|answer| answer.status() == 200)).await;
    }

    /// It takes connections and answers nothing.
    pub fn hang(&self) {
        kill(self.pid(), Signal::SIGSTOP).unwrap();
    }

    /// It answers again.
    pub fn go_on(&self) {
        kill(self.pid(), Signal::SIGCONT).unwrap();
    }

    /// It is gone, and its keys with it.
    pub fn die(&self) {
        kill(self.pid(), Signal::SIGKILL).unwrap();
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(std::fs::read_to_string(self.dir.path().join("pid")).unwrap().trim().parse().unwrap())
    }

    fn said(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("said")).unwrap()
    }

    async fn ask(&self, method: Method, path: &str, body: &Value) -> Value {
        let request = self.client.request(method, format!("{}/v1/{path}", self.url)).header("X-Vault-Token", ROOT);
        let answer = request.json(body).send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }
}
