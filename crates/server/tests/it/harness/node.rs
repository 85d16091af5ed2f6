//! Another node of a test's cell, as operators run it: `bailiwickd serve` in a process of its own.

use bailiwick_server::config::{DEV_MARK, Secrets};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret;
use tokio::process::{Child, Command};

use super::app::TestApp;
use super::process::{bailiwickd, free_port, log_file, until};

/// The node, which ends with the test.
pub struct Node {
    /// The public listener.
    pub url: String,
    /// The private listener.
    pub private_url: String,
    _process: Child,
}

impl Node {
    /// On the database, the anchor store and the secrets of a server of this process.
    pub async fn beside(app: &TestApp) -> Self {
        Self::with(app, &[]).await
    }

    /// The same with further settings, as environment variables.
    pub async fn with(app: &TestApp, settings: &[(&str, &str)]) -> Self {
        let (port, private_port) = (free_port(), free_port());
        let mut command = command(app);
        command
            .env("BAILIWICK_LISTEN", format!("127.0.0.1:{port}"))
            .env("BAILIWICK_PRIVATE_LISTEN", format!("127.0.0.1:{private_port}"))
            .envs(settings.iter().copied())
            .env("BAILIWICK_ALLOWED_HOSTS", format!("127.0.0.1:{port}"));
        let (url, private_url) = (format!("http://127.0.0.1:{port}"), format!("http://127.0.0.1:{private_port}"));
        let process = command.stderr(log_file()).kill_on_drop(true).spawn().unwrap();
        let readyz = format!("{private_url}/readyz");
        until(async || reqwest::get(&readyz).await.is_ok_and(|answer| answer.status() == 200)).await;
        Self { url, private_url, _process: process }
    }

    /// The lines of its metrics that name the ledger.
    pub async fn ledger_metrics(&self) -> Vec<String> {
        self.metrics("bailiwick_ledger_").await
    }

    /// The lines of its metrics that begin so.
    pub async fn metrics(&self, start: &str) -> Vec<String> {
        let text = reqwest::get(format!("{}/metrics", self.private_url)).await.unwrap().text().await.unwrap();
        text.lines().filter(|line| line.starts_with(start)).map(str::to_owned).collect()
    }
}

/// `bailiwickd serve` on the database, the anchor store and the secrets of a server of this process.
pub fn command(app: &TestApp) -> Command {
    let (port, private_port) = (free_port(), free_port());
    let Secrets { token_key, sealing_key, internal_key } = app.secrets();
    let internal_key = internal_key.as_ref().unwrap().secret().expose_secret().trim_start_matches(DEV_MARK).to_owned();
    let mut command = bailiwickd(["serve"]);
    command
        .env("BAILIWICK_LISTEN", format!("127.0.0.1:{port}"))
        .env("BAILIWICK_PRIVATE_LISTEN", format!("127.0.0.1:{private_port}"))
        .env("BAILIWICK_PUBLIC_URL", "https://bailiwick.example")
        .env("BAILIWICK_DATABASE_RUNTIME_URL", app.database.urls.runtime.expose_secret())
        .env("BAILIWICK_DATABASE_SYSTEM_URL", app.database.urls.system.expose_secret())
        .env("BAILIWICK_ANCHOR_DIR", &app.database.anchor_dir)
        .env("BAILIWICK_MAIL_FROM", "no-reply@bailiwick.example")
        .env("BAILIWICK_MAIL_SMTP_URL", "smtps://mail.example")
        .env("BAILIWICK_SECRETS_TOKEN_KEY", token_key.pem().expose_secret())
        .env("BAILIWICK_SECRETS_SEALING_KEY", STANDARD.encode(sealing_key.bytes()))
        .env("BAILIWICK_SECRETS_INTERNAL_KEY", internal_key);
    command
}
