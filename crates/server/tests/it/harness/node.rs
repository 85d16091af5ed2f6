//! Another node of a test's cell, as operators run it: `bailiwickd serve` in a process of its own.

use bailiwick_server::config::{DEV_MARK, Secrets};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
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
    process: Child,
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
            .env("BAILIWICK_ALLOWED_HOSTS", format!("127.0.0.1:{port}"))
            .envs(settings.iter().copied());
        let (url, private_url) = (format!("http://127.0.0.1:{port}"), format!("http://127.0.0.1:{private_port}"));
        let process = command.stderr(log_file()).kill_on_drop(true).spawn().unwrap();
        let node = Self { url, private_url, process };
        until(async || node.readyz().await == 200).await;
        node
    }

    /// The status of `/readyz`; 0 when nothing answers.
    pub async fn readyz(&self) -> u16 {
        let answer = reqwest::get(format!("{}/readyz", self.private_url)).await;
        answer.map_or(0, |answer| answer.status().as_u16())
    }

    /// Stops, continues or ends it.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.process.id().unwrap().try_into().unwrap());
        kill(pid, signal).unwrap();
    }

    /// Whether the process is still there.
    pub fn is_running(&mut self) -> bool {
        self.process.try_wait().unwrap().is_none()
    }

    /// Waits for its end.
    pub async fn ended(&mut self) {
        self.process.wait().await.unwrap();
    }

    /// The sum over a metric's series whose line begins so.
    pub async fn metric(&self, begin: &str) -> f64 {
        let text = reqwest::get(format!("{}/metrics", self.private_url)).await.unwrap().text().await.unwrap();
        let lines = text.lines().filter(|line| line.starts_with(begin));
        lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
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
    let Secrets { internal_key } = app.secrets();
    let internal_key = internal_key.as_ref().unwrap().secret().expose_secret().trim_start_matches(DEV_MARK).to_owned();
    let mut command = bailiwickd(["serve"]);
    command
        .env("BAILIWICK_LISTEN", format!("127.0.0.1:{port}"))
        .env("BAILIWICK_PRIVATE_LISTEN", format!("127.0.0.1:{private_port}"))
        .env("BAILIWICK_PUBLIC_URL", "https://bailiwick.example")
        .env("BAILIWICK_DATABASE_RUNTIME_URL", app.database.urls.runtime.expose_secret())
        .env("BAILIWICK_DATABASE_SYSTEM_URL", app.database.urls.system.expose_secret())
        .envs(app.database.anchor_variables())
        // Mail that this process delivered would lie in no mailbox of a test's.
        .env("BAILIWICK_JOBS_WORKERS", "0")
        .env("BAILIWICK_MAIL_FROM", "no-reply@bailiwick.example")
        .env("BAILIWICK_MAIL_SMTP_URL", "smtps://mail.example")
        .env("BAILIWICK_LIMITS_SIGN_IN_REQUESTS", "1000")
        .env("BAILIWICK_LIMITS_SIGN_INS", "1000")
        .env("BAILIWICK_LIMITS_SIGN_IN_MAILS", "1000")
        .env("BAILIWICK_VAULT_KEK", "local")
        .env("BAILIWICK_VAULT_KEK_FILE", &app.database.kek_file)
        .env("BAILIWICK_SECRETS_INTERNAL_KEY", internal_key);
    command
}
