//! A program with a key of its own, which asks the API of one workspace.

use anyhow::ensure;
use bailiwick_proof::id::WorkspaceId;
use reqwest::{Client, Response};
use serde_json::Value;

/// The program. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Caller {
    client: Client,
    base: String,
    key: String,
}

impl Caller {
    pub(super) fn new(client: Client, url: &str, workspace: WorkspaceId, key: String) -> Self {
        Self { client, base: format!("{url}/v1/workspaces/{workspace}"), key }
    }

    /// Reads what stands there, to its end.
    ///
    /// # Errors
    /// When the server refuses.
    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<String> {
        read(self.client.get(format!("{}{path}", self.base)).bearer_auth(&self.key).send().await?).await
    }

    /// Sends a change.
    ///
    /// # Errors
    /// When the server refuses.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> anyhow::Result<String> {
        read(self.client.post(format!("{}{path}", self.base)).bearer_auth(&self.key).json(body).send().await?).await
    }
}

async fn read(response: Response) -> anyhow::Result<String> {
    let (status, text) = (response.status(), response.text().await?);
    ensure!(status.is_success(), "the server answered {status}: {text}");
    Ok(text)
}
