//! Requests that wake the server's sequencer, as every commit in its own process does.

use std::time::Duration;

use anyhow::Context;
use bailiwick_proof::id::WorkspaceId;
use bailiwick_server::clock::Clock;
use bailiwick_server::entropy::Entropy;

use crate::harness::{Person, Server};

/// Closer together than the sequencer's passes, so that each pass follows the one before as under load.
const EVERY: Duration = Duration::from_millis(200);

/// Makes projects, in a log that is not counted: that of a workspace's test environment.
pub(super) struct Waker<'a> {
    server: &'a Server,
    workspace: WorkspaceId,
    key: String,
}

impl<'a> Waker<'a> {
    pub(super) async fn new(server: &'a Server, founder: &Person) -> anyhow::Result<Self> {
        let workspace = server.found(founder, "waker").await?;
        let key = server.api_key(founder, workspace, "test").await?.key;
        Ok(Self { server, workspace, key })
    }

    /// Wakes the sequencer again and again until it cannot; answers why.
    pub(super) async fn keep_waking(&self) -> anyhow::Error {
        loop {
            if let Err(error) = self.wake().await {
                return error;
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    pub(super) async fn wake(&self) -> anyhow::Result<()> {
        let name = Entropy::system().uuid_v7(Clock::system().now()).to_string();
        self.server.make_project(&self.key, self.workspace, &name).await.context("the sequencer was not woken")
    }
}
