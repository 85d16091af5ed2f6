//! The process of a side, and what it is asked.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, ensure};
use secrecy::ExposeSecret;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::own;
use crate::harness::Server;

/// For the slowest answer.
const PATIENCE: Duration = Duration::from_secs(300);
/// Below cargo's target directory, where `cargo xtask bench` builds it.
const GRAPHILE: &str = "graphile/release/bailiwick-bench-graphile";

/// A running side; it ends with its handle.
pub(super) struct Process {
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    _process: Child,
}

impl Process {
    /// Ours, on the server's own database.
    pub(super) async fn own(server: &Server) -> anyhow::Result<Self> {
        let urls = server.urls()?;
        let mut command = Command::new(std::env::current_exe()?);
        for (name, url) in
            [(own::RUNTIME_URL, &urls.runtime), (own::SYSTEM_URL, &urls.system), (own::OWNER_URL, &urls.owner)]
        {
            command.env(name, url.expose_secret());
        }
        Self::start(command).await
    }

    /// The other one, on a database beside it.
    pub(super) async fn graphile(url: &str, shape: &str) -> anyhow::Result<Self> {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().context("no target directory")?;
        let program = target.join(GRAPHILE);
        ensure!(program.is_file(), "{} is not built; `cargo xtask bench` builds it", program.display());
        let mut command = Command::new(program);
        command.args([url, shape]);
        Self::start(command).await
    }

    async fn start(mut command: Command) -> anyhow::Result<Self> {
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let stdin = process.stdin.take().context("no stdin")?;
        let lines = BufReader::new(process.stdout.take().context("no stdout")?).lines();
        let mut started = Self { stdin, lines, _process: process };
        started.answer("ready").await?;
        Ok(started)
    }

    /// Adds so many jobs at once.
    pub(super) async fn fill(&mut self, jobs: usize) -> anyhow::Result<()> {
        self.ask(&format!("fill {jobs}"), "filled").await.map(|_| ())
    }

    /// Adds jobs one by one while others are done, until so many have run; answers how many were done in how many seconds.
    pub(super) async fn work(&mut self, adds: usize, runs: usize) -> anyhow::Result<(f64, f64)> {
        let answer = self.ask(&format!("work {adds} {runs}"), "worked ").await?;
        let (jobs, seconds) = answer.split_once(' ').context("no time")?;
        Ok((jobs.parse()?, seconds.parse()?))
    }

    /// How many are in the queue.
    pub(super) async fn left(&mut self) -> anyhow::Result<usize> {
        Ok(self.ask("left", "left ").await?.parse()?)
    }

    async fn ask(&mut self, line: &str, expected: &str) -> anyhow::Result<String> {
        self.stdin.write_all(format!("{line}\n").as_bytes()).await?;
        self.answer(expected).await.with_context(|| format!("asked to {line}"))
    }

    /// The rest of a line that begins as expected.
    async fn answer(&mut self, expected: &str) -> anyhow::Result<String> {
        let line = tokio::time::timeout(PATIENCE, self.lines.next_line()).await.context("no answer in time")??;
        let line = line.context("the process has ended")?;
        line.strip_prefix(expected).map(str::to_owned).with_context(|| format!("answered {line}"))
    }
}
