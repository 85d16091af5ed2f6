//! `keys`: make, list, show, change, rotate and revoke API keys, and ask what one's own may do.
//!
//! # Invariants
//! A key is never made unless there is somewhere to put its secret, and a secret that could not be
//! put there can be had again: the same idempotency key gives the same answer.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};

use bailiwick_proof::id::{ApiKeyId, ProjectId};
use serde::Serialize;
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::access::{Access, WorkspaceRef};
use crate::args::{CreateKey, Global, KeyList, Keys as Command, Repeat, RotateKey, Scope, UpdateKey};
use crate::client::Client;
use crate::failure::{Exit, Failure};
use crate::lifetime::{self, Lifetime};
use crate::once::Once;
use crate::output::{Answer, Listing, printable};
use crate::secret_file::SecretFile;
use crate::surroundings;

static LISTING: Listing = Listing {
    noun: "keys",
    id: "id",
    columns: &["id", "name", "status", "environment", "scopes", "project_id", "expires_at", "last_used_at"],
};

/// Carries out a command about API keys.
pub(crate) async fn run(global: &Global, command: Command) -> Result<Answer, Failure> {
    let access = Access::open(global).await?;
    match command {
        Command::Create(wanted) => Keys::of(access).await?.create(wanted).await,
        Command::List(wanted) => Keys::of(access).await?.list(wanted).await,
        Command::Get { id } => Ok(Answer::one(Keys::of(access).await?.get(id).await?)),
        Command::Update(wanted) => Keys::of(access).await?.update(wanted).await,
        Command::Rotate(wanted) => Keys::of(access).await?.rotate(wanted).await,
        Command::Revoke { id, yes, repeat } => Keys::of(access).await?.revoke(id, yes, repeat).await,
        Command::Itself => Ok(Answer::one(access.client.get(&["v1", "key"]).await?)),
    }
}

/// The keys of one workspace.
struct Keys {
    client: Client,
    workspace: WorkspaceRef,
}

impl Keys {
    async fn of(access: Access) -> Result<Self, Failure> {
        let workspace = access.workspace().await?;
        Ok(Self { client: access.client, workspace })
    }

    fn path(&self) -> [&str; 4] {
        ["v1", "workspaces", self.workspace.as_str(), "api-keys"]
    }

    async fn list(&self, wanted: KeyList) -> Result<Answer, Failure> {
        let labels = wanted.labels.iter().map(|(name, value)| ("label", format!("{name}:{value}")));
        let labels: Vec<_> = labels.collect();
        Ok(Answer::many(self.client.search(&self.path(), &labels, wanted.page.limit).await?, &LISTING))
    }

    async fn get(&self, id: ApiKeyId) -> Result<Value, Failure> {
        self.client.get(&[&self.path()[..], &[&id.to_string()]].concat()).await
    }

    async fn create(&self, mut wanted: CreateKey) -> Result<Answer, Failure> {
        // Before the key: a name that is taken or a folder that is read-only must not cost one.
        let secret_file = wanted.secret_file.take().map(SecretFile::create).transpose()?;
        let (body, once) = request(&wanted)?;
        let made = self.client.post(&self.path(), &body, &once).await?;
        Self::hand_over(made, secret_file, &once)
    }

    async fn update(&self, wanted: UpdateKey) -> Result<Answer, Failure> {
        let (body, once) = changes(&wanted)?;
        let path = wanted.id.to_string();
        Ok(Answer::one(self.client.patch(&[&self.path()[..], &[&path]].concat(), &body, &once).await?))
    }

    async fn rotate(&self, mut wanted: RotateKey) -> Result<Answer, Failure> {
        let secret_file = wanted.secret_file.take().map(SecretFile::create).transpose()?;
        let once = Once::new(wanted.repeat.idempotency_key.clone())?;
        let overlap = if wanted.at_once { Some(0) } else { wanted.overlap.map(Lifetime::seconds) };
        let body = RotateRequest { overlap_seconds: overlap };
        let path = wanted.id.to_string();
        let made = self.client.post(&[&self.path()[..], &[&path, "rotate"]].concat(), &body, &once).await?;
        Self::hand_over(made, secret_file, &once)
    }

    /// The secret goes into the file, if there is one; else it stands in the answer.
    fn hand_over(mut made: Value, secret_file: Option<SecretFile>, once: &Once) -> Result<Answer, Failure> {
        let advice = once.regain(made.get("id").and_then(Value::as_str).unwrap_or("the key"));
        let Some(file) = secret_file else {
            return Ok(Answer::one(made).note("store the key now: it is not shown again").if_lost(advice));
        };
        let secret = made.as_object_mut().and_then(|members| members.shift_remove("key"));
        let secret = secret.as_ref().and_then(Value::as_str);
        let secret = secret.ok_or_else(|| Failure::new(Exit::Failure, "the server's answer holds no key"))?;
        let path = file.fill(secret).map_err(|failure| failure.hint(advice))?;
        Ok(Answer::one(made).note(format!("the key is in {} and is not shown again", path.display())))
    }

    async fn revoke(&self, id: ApiKeyId, yes: bool, repeat: Repeat) -> Result<Answer, Failure> {
        if !yes {
            self.confirm(id).await?;
        }
        let once = Once::new(repeat.idempotency_key)?;
        self.client.delete(&[&self.path()[..], &[&id.to_string()]].concat(), &once).await?;
        Ok(Answer::one(json!({ "id": id, "status": "revoked" })))
    }

    /// Asks a person, and refuses where there is none to ask.
    async fn confirm(&self, id: ApiKeyId) -> Result<(), Failure> {
        if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return Err(Failure::usage("revoking a key cannot be undone, and there is nobody to ask").hint("add --yes"));
        }
        let key = self.get(id).await?;
        let name = printable(key.get("name").and_then(Value::as_str).unwrap_or_default());
        let question = format!("{id} ({name}) stops working everywhere at once, for good. Revoke it? [y/N] ");
        let _ = io::stderr().write_all(question.as_bytes());
        let mut answer = String::new();
        io::stdin().read_line(&mut answer).map_err(|err| Failure::local("could not read the answer", &err))?;
        match answer.trim() {
            "y" | "Y" | "yes" => Ok(()),
            _ => Err(Failure::new(Exit::Failure, "nothing was revoked")),
        }
    }
}

/// `POST /v1/workspaces/{workspace}/api-keys`.
#[derive(Serialize)]
struct CreateRequest<'a> {
    name: &'a str,
    scopes: &'a [Scope],
    #[serde(skip_serializing_if = "Option::is_none")]
    project_id: Option<ProjectId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    audiences: &'a [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    allowed_networks: &'a [String],
}

/// `PATCH …/api-keys/{id}`; what is left out stays.
#[derive(Serialize)]
struct UpdateRequest<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<BTreeMap<&'a str, &'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed_networks: Option<&'a [String]>,
    /// Null for never.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Option<String>>,
}

/// `POST …/api-keys/{id}/rotate`.
#[derive(Serialize)]
struct RotateRequest {
    #[serde(skip_serializing_if = "Option::is_none")]
    overlap_seconds: Option<i64>,
}

/// When a key stops working, and its idempotency with all that a repetition needs to be the same.
fn expiry(
    expires_in: Option<Lifetime>,
    expires_at: Option<OffsetDateTime>,
    repeat: &Repeat,
) -> Result<(Option<String>, Once), Failure> {
    let out_of_range = || Failure::usage("the key would expire outside the years 0 to 9999");
    let moment = match expires_in {
        Some(lifetime) => Some(lifetime.after(surroundings::now()).ok_or_else(out_of_range)?),
        None => expires_at,
    };
    let expires_at = moment.map(|moment| lifetime::format_moment(moment).ok_or_else(out_of_range)).transpose()?;
    let once = Once::new(repeat.idempotency_key.clone())?;
    let once = match &expires_at {
        Some(moment) if expires_in.is_some() => once.with_option("--expires-at", moment),
        _ => once,
    };
    Ok((expires_at, once))
}

fn request(wanted: &CreateKey) -> Result<(CreateRequest<'_>, Once), Failure> {
    let (expires_at, once) = expiry(wanted.expires_in, wanted.expires_at, &wanted.repeat)?;
    let body = CreateRequest {
        name: &wanted.name,
        scopes: &wanted.scopes,
        project_id: wanted.project,
        expires_at,
        labels: labels(&wanted.told.labels)?,
        audiences: &wanted.audiences,
        allowed_networks: &wanted.told.networks,
    };
    Ok((body, once))
}

fn changes(wanted: &UpdateKey) -> Result<(UpdateRequest<'_>, Once), Failure> {
    let (expires_at, once) = expiry(wanted.expires_in, wanted.expires_at, &wanted.repeat)?;
    let labels = labels(&wanted.told.labels)?;
    let networks = wanted.told.networks.as_slice();
    let body = UpdateRequest {
        name: wanted.name.as_deref(),
        labels: (wanted.no_labels || !labels.is_empty()).then_some(labels),
        allowed_networks: (wanted.anywhere || !networks.is_empty()).then_some(networks),
        expires_at: if wanted.never_expires { Some(None) } else { expires_at.map(Some) },
    };
    Ok((body, once))
}

fn labels(given: &[(String, String)]) -> Result<BTreeMap<&str, &str>, Failure> {
    let labels: BTreeMap<_, _> = given.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    if labels.len() == given.len() { Ok(labels) } else { Err(Failure::usage("a label was given twice")) }
}
