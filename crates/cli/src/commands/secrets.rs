//! `secrets`: store, read, list, rotate and delete secrets.
//!
//! # Invariants
//! A value comes from a file or standard input and goes to standard output, as it is; it is in no argument, no message and
//! no file of ours. A terminal gets it only when that was asked for.

use std::fs;
use std::io::{self, IsTerminal, Read, Write};

use bailiwick_proof::id::{ProjectId, SecretId, SecretRotationId};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::{Value, json};

use crate::access::{Access, WorkspaceRef};
use crate::args::{
    DeleteSecret, GetSecret, Global, Kind, Reason, Repeat, RotateSecret, SecretList, SecretRef, Secrets as Command,
    SetSecret, ValueSource,
};
use crate::client::Client;
use crate::failure::{Exit, Failure};
use crate::lifetime::Lifetime;
use crate::once::Once;
use crate::output::{Answer, Listing, printable};

static LISTING: Listing = Listing {
    noun: "secrets",
    id: "id",
    columns: &["id", "name", "kind", "newest_version", "environment", "project_id", "created_at"],
};
static READINGS: Listing =
    Listing { noun: "readings", id: "event_id", columns: &["read_at", "read_by", "version", "client_ip", "event_id"] };
/// No value is larger, and a file that was meant for something else is not read to its end.
const MAX_VALUE_BYTES: u64 = 64 * 1024;

/// Carries out a command about secrets.
pub(crate) async fn run(global: &Global, command: Command) -> Result<Answer, Failure> {
    let access = Access::open(global).await?;
    let workspace = access.workspace().await?;
    let secrets = Secrets { client: access.client, workspace };
    match command {
        Command::Set(wanted) => secrets.set(wanted).await,
        Command::Get(wanted) => secrets.get(wanted).await,
        Command::List(wanted) => secrets.list(wanted).await,
        Command::Accesses { secret, page } => {
            let id = secrets.id_of(&secret).await?.to_string();
            let path = [&secrets.path()[..], &[&id, "accesses"]].concat();
            Ok(Answer::many(secrets.client.list(&path, page.limit).await?, &READINGS))
        }
        Command::Rotate(wanted) => secrets.rotate(wanted).await,
        Command::Ready { rotation, repeat } => secrets.ready(rotation, repeat).await,
        Command::Rotation { rotation } => {
            let path = secrets.rotation_path();
            Ok(Answer::one(secrets.client.get(&[&path[..], &[&rotation.to_string()]].concat()).await?))
        }
        Command::Delete(wanted) => secrets.delete(wanted).await,
    }
}

/// The secrets of one workspace.
struct Secrets {
    client: Client,
    workspace: WorkspaceRef,
}

/// `POST /v1/workspaces/{workspace}/secrets`.
#[derive(Serialize)]
struct CreateRequest<'a> {
    name: &'a str,
    kind: Kind,
    #[serde(skip_serializing_if = "Option::is_none")]
    project_id: Option<ProjectId>,
    value: &'a str,
}

/// `POST …/secrets/{id}/versions`.
#[derive(Serialize)]
struct VersionRequest<'a> {
    value: &'a str,
}

/// `POST …/secrets/{id}/rotations`.
#[derive(Serialize)]
struct RotateRequest<'a> {
    reason: Reason,
    value: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    watch_seconds: Option<i64>,
}

/// `POST …/secrets/{id}/reveal`.
#[derive(Serialize)]
struct RevealRequest {
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u32>,
}

impl Secrets {
    fn path(&self) -> [&str; 4] {
        ["v1", "workspaces", self.workspace.as_str(), "secrets"]
    }

    async fn list(&self, wanted: SecretList) -> Result<Answer, Failure> {
        let kind = wanted.kind.map(|kind| ("kind", word(kind)));
        let filters: Vec<_> = kind.into_iter().collect();
        Ok(Answer::many(self.client.search(&self.path(), &filters, wanted.page.limit).await?, &LISTING))
    }

    /// The secret of this name, if there is one.
    async fn find(&self, name: &str) -> Result<Option<SecretId>, Failure> {
        let found = self.client.search(&self.path(), &[("name", name.to_owned())], Some(1)).await?;
        let id = found.first().and_then(|secret| secret.get("id")).and_then(Value::as_str);
        id.map(|id| id.parse().map_err(|_| Failure::new(Exit::Failure, "the server's answer holds no id"))).transpose()
    }

    async fn id_of(&self, secret: &SecretRef) -> Result<SecretId, Failure> {
        match secret {
            SecretRef::Id(id) => Ok(*id),
            SecretRef::Name(name) => {
                let none = || Failure::new(Exit::NotFound, format!("there is no secret named {name}"));
                self.find(name).await?.ok_or_else(none)
            }
        }
    }

    async fn set(&self, wanted: SetSecret) -> Result<Answer, Failure> {
        let value = read_value(&wanted.value)?;
        let once = Once::new(wanted.repeat.idempotency_key)?;
        let known = match &wanted.secret {
            SecretRef::Id(id) => Some(*id),
            SecretRef::Name(name) => self.find(name).await?,
        };
        if let (None, SecretRef::Name(name)) = (known, &wanted.secret) {
            let kind = wanted.kind.unwrap_or(Kind::Generic);
            let body = CreateRequest { name, kind, project_id: wanted.project, value: value.expose_secret() };
            return Ok(Answer::one(self.client.post(&self.path(), &body, &once).await?));
        }
        if wanted.kind.is_some() || wanted.project.is_some() {
            let message = format!("{} is there already: its kind and its project stay as they are", wanted.secret);
            return Err(Failure::new(Exit::Conflict, message).hint("leave --kind and --project out"));
        }
        let id = self.id_of(&wanted.secret).await?.to_string();
        let body = VersionRequest { value: value.expose_secret() };
        let path = [&self.path()[..], &[&id, "versions"]].concat();
        Ok(Answer::one(self.client.post(&path, &body, &once).await?))
    }

    async fn get(&self, wanted: GetSecret) -> Result<Answer, Failure> {
        if !wanted.show && io::stdout().is_terminal() {
            return Err(Failure::usage("standard output is a terminal: the value would stay on the screen")
                .hint("pipe it to where it is needed, or add --show"));
        }
        let id = self.id_of(&wanted.secret).await?.to_string();
        let path = [&self.path()[..], &[&id, "reveal"]].concat();
        let body = RevealRequest { version: wanted.version };
        let revealed = self.client.post(&path, &body, &Once::new(None)?).await?;
        let value = revealed.get("value").and_then(Value::as_str).map(str::to_owned);
        let value = value.ok_or_else(|| Failure::new(Exit::Failure, "the server's answer holds no value"))?;
        Ok(Answer::text(value, revealed, "id"))
    }

    fn rotation_path(&self) -> [&str; 4] {
        ["v1", "workspaces", self.workspace.as_str(), "secret-rotations"]
    }

    async fn rotate(&self, wanted: RotateSecret) -> Result<Answer, Failure> {
        let value = read_value(&wanted.value)?;
        let once = Once::new(wanted.repeat.idempotency_key)?;
        let id = self.id_of(&wanted.secret).await?.to_string();
        let body = RotateRequest {
            reason: wanted.reason,
            value: value.expose_secret(),
            watch_seconds: wanted.watch.map(Lifetime::seconds),
        };
        let path = [&self.path()[..], &[&id, "rotations"]].concat();
        let opened = self.client.post(&path, &body, &once).await?;
        let rotation = opened.get("id").and_then(Value::as_str).unwrap_or_default();
        let note = format!("both versions are valid; once the new one is deployed: bailiwick secrets ready {rotation}");
        Ok(Answer::one(opened).note(note))
    }

    async fn ready(&self, rotation: SecretRotationId, repeat: Repeat) -> Result<Answer, Failure> {
        let once = Once::new(repeat.idempotency_key)?;
        let (path, rotation) = (self.rotation_path(), rotation.to_string());
        let path = [&path[..], &[&rotation, "ready"]].concat();
        Ok(Answer::one(self.client.post_nothing(&path, &once).await?))
    }

    async fn delete(&self, wanted: DeleteSecret) -> Result<Answer, Failure> {
        let id = self.id_of(&wanted.secret).await?;
        if !wanted.yes {
            confirm(&wanted.secret)?;
        }
        let once = Once::new(wanted.repeat.idempotency_key)?;
        self.client.delete(&[&self.path()[..], &[&id.to_string()]].concat(), &once).await?;
        Ok(Answer::one(json!({ "id": id, "status": "deleted" })))
    }
}

fn word(kind: Kind) -> String {
    serde_json::to_value(kind).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}

/// Asks a person, and refuses where there is none to ask.
fn confirm(secret: &SecretRef) -> Result<(), Failure> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(Failure::usage("deleting a secret cannot be undone, and there is nobody to ask").hint("add --yes"));
    }
    let name = printable(&secret.to_string());
    let _ = write!(io::stderr(), "all versions of {name} are gone at once, for good. Delete it? [y/N] ");
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).map_err(|err| Failure::local("could not read the answer", &err))?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(Failure::new(Exit::Failure, "nothing was deleted")),
    }
}

/// All of the file or of standard input, if it can be a value.
pub(super) fn read_value(source: &ValueSource) -> Result<SecretString, Failure> {
    let mut value = String::new();
    let (read, from) = match &source.from_file {
        Some(path) => {
            let from = path.display().to_string();
            let file = fs::File::open(path).map_err(|err| Failure::local(format!("could not open {from}"), &err))?;
            (file.take(MAX_VALUE_BYTES + 1).read_to_string(&mut value), from)
        }
        None if io::stdin().is_terminal() => {
            return Err(Failure::usage("there is no value: standard input is a terminal, which would show it")
                .hint("pipe the value in, or use --from-file"));
        }
        None => (io::stdin().take(MAX_VALUE_BYTES + 1).read_to_string(&mut value), "standard input".to_owned()),
    };
    // The error says that it is no UTF-8, and nothing of it.
    read.map_err(|err| Failure::local(format!("could not read the value from {from}"), &err))?;
    let value = SecretString::from(value);
    match u64::try_from(value.expose_secret().len()) {
        Ok(1..=MAX_VALUE_BYTES) => Ok(value),
        Ok(0) => Err(Failure::usage(format!("{from} is empty: a value has at least one byte"))),
        _ => Err(Failure::usage(format!("{from} has more than 65536 bytes, which no value has"))),
    }
}
