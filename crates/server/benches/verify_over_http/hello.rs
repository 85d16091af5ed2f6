//! The least that an axum server can do, in a process of its own: this program again, told so by its environment.

use std::process::Stdio;

use anyhow::Context;
use axum::Router;
use axum::routing::get;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::harness::block_on;

const TOLD: &str = "BAILIWICK_BENCH_HELLO";

/// A running server; it ends with its handle.
pub(super) struct Hello {
    address: String,
    _process: Child,
}

impl Hello {
    pub(super) async fn start() -> anyhow::Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .env(TOLD, "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdout = process.stdout.take().context("no stdout")?;
        let address = BufReader::new(stdout).lines().next_line().await?.context("it did not say where it listens")?;
        Ok(Self { address, _process: process })
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }
}

/// Serves until it is killed, if this process was started for that; `None` otherwise.
#[expect(clippy::disallowed_methods, reason = "a benchmark has no configuration")]
pub(crate) fn serve_if_asked() -> Option<anyhow::Result<()>> {
    std::env::var_os(TOLD).map(|_| {
        block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
            println!("{}", listener.local_addr()?);
            Ok(axum::serve(listener, Router::new().route("/", get(async || "hello"))).await?)
        })
    })
}
