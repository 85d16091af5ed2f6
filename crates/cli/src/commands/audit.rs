//! `audit`: a log's entries, receipts and checkpoints, and the checkpoints that this user keeps.
//!
//! # Invariants
//! Whatever proves something is verified before it is handed on, with the best key there is: one that
//! the user states, else the pinned one, else the server's own, which is said. What is not verified is
//! kept as evidence, apart from where a verified one would be, and ends with exit code 6.

mod actions;
mod check;
mod checkpoint;
mod copy;
mod export;
mod list;
mod manifest;
mod pin;
mod receipt;
mod retention;
mod root;
mod shares;
mod stream;

use std::path::Path;

use bailiwick_proof::environment::Environment;
use bailiwick_proof::id::WorkspaceId;
use bailiwick_proof::log::{Log as LogName, Origin};
use bailiwick_proof::note::VerifierKey;
use serde_json::{Value, json};

use crate::access::{Access, WorkspaceRef};
use crate::args::{Audit as Command, Check, Global, KeySource};
use crate::client::Client;
use crate::failure::{Exit, Failure};
use crate::out_file;
use crate::output::Answer;
use crate::pins::Pins;
use crate::proof_file::ProofFile;
use crate::refusal::Refusal;
use crate::statement;
use crate::trusted_keys::{self, TrustedKeys, Voucher};

/// Carries out a command about a workspace's log.
pub(crate) async fn run(global: &Global, command: Command) -> Result<Answer, Failure> {
    if let Command::Check(Check { dir: Some(folder), keys }) = &command {
        return copy::check(folder, &keys.keys);
    }
    let access = Access::open(global).await?;
    match command {
        Command::List(wanted) => list::list(access, &wanted).await,
        Command::Actions(wanted) => actions::actions(access, wanted).await,
        Command::Export(wanted) => export::export(access, &wanted).await,
        Command::Retention(wanted) => retention::retention(access, wanted).await,
        Command::Holds(wanted) => retention::holds(access, wanted).await,
        Command::Receipt(wanted) => receipt::receipt(&Log::of(access).await?, &wanted).await,
        Command::Share(wanted) => shares::share(access, wanted).await,
        Command::Shares(wanted) => shares::shares(access, wanted).await,
        Command::Unshare(wanted) => shares::unshare(access, wanted).await,
        Command::Checkpoint(wanted) => checkpoint::checkpoint(&Log::of(access).await?, &wanted).await,
        Command::Manifest(wanted) => manifest::manifest(&Log::of(access).await?, &wanted).await,
        Command::Check(wanted) => check::check(&Log::of(access).await?, &wanted.keys).await,
        Command::Stream(wanted) => stream::stream(access, wanted).await,
        Command::Root(wanted) => root::root(&Log::of(access).await?, &wanted).await,
        Command::Pin(keys) => pin::pin(&Log::of(access).await?, &keys.keys).await,
    }
}

/// The log of one workspace and environment, at its server.
struct Log {
    client: Client,
    named: WorkspaceRef,
    workspace: WorkspaceId,
    environment: Environment,
}

impl Log {
    /// Asks the server which workspace and environment a command is about.
    async fn of(access: Access) -> Result<Self, Failure> {
        let named = access.workspace().await?;
        let (told, environment) = if access.is_by_key() {
            let key = access.client.get(&["v1", "key"]).await?;
            let environment = key.get("environment").and_then(Value::as_str).and_then(|name| name.parse().ok());
            (key.get("workspace_id").cloned(), environment)
        } else {
            let workspace = access.client.get(&["v1", "workspaces", named.as_str()]).await?;
            (workspace.get("id").cloned(), Some(access.client.environment().unwrap_or_default()))
        };
        let workspace = told.as_ref().and_then(Value::as_str).and_then(|id| id.parse().ok());
        match (workspace, environment) {
            (Some(workspace), Some(environment)) => Ok(Self { client: access.client, named, workspace, environment }),
            _ => Err(Failure::new(Exit::Failure, "the server did not say which workspace and environment this is")),
        }
    }

    /// The address of a part of the log.
    fn path<'a>(&'a self, parts: &[&'a str]) -> Vec<&'a str> {
        [&["v1", "workspaces", self.named.as_str(), "audit"], parts].concat()
    }

    fn pins(&self) -> Result<Pins, Failure> {
        Pins::of(self.workspace, self.environment)
    }

    /// The newest checkpoint, as the server gives it.
    async fn checkpoint(&self) -> Result<String, Failure> {
        self.client.get_text(&self.path(&["checkpoint"]), &[]).await
    }

    /// The origin, if it is this log's.
    fn own_origin(&self, origin: &str) -> Result<Origin, Refusal> {
        let wanted = LogName::Workspace { workspace: self.workspace, environment: self.environment };
        let own = origin.parse::<Origin>().ok().filter(|origin| origin.log() == wanted);
        own.ok_or_else(|| {
            let (workspace, environment) = (self.workspace, self.environment);
            let reason = format!("it speaks of another log than that of {workspace} in {environment}: {origin}");
            Refusal::new("other_log", reason)
        })
    }

    /// The keys for an origin of this log: given, else pinned, else handed out by the server.
    async fn trusted_keys(&self, given: &[KeySource], origin: &str) -> Result<TrustedKeys, Failure> {
        let given = trusted_keys::given(given)?;
        if !given.is_empty() {
            return Ok(TrustedKeys { keys: given, voucher: Voucher::User });
        }
        // No home directory, no pin.
        let pin = self.pins().ok().map(|pins| pins.load()).transpose()?.flatten();
        if let Some(pin) = pin {
            return Ok(TrustedKeys { keys: vec![pin.key], voucher: Voucher::Pin });
        }
        Ok(TrustedKeys { keys: self.published_keys(origin).await?, voucher: Voucher::Server })
    }

    /// The keys that the server hands out for an origin, newest first.
    async fn published_keys(&self, origin: &str) -> Result<Vec<VerifierKey>, Failure> {
        let workspace = self.workspace.to_string();
        self.keys_at(&["w", &workspace, ".well-known", "jwks.json"], origin).await
    }

    /// The keys for an origin in a key set for everybody.
    async fn keys_at(&self, path: &[&str], origin: &str) -> Result<Vec<VerifierKey>, Failure> {
        let document = self.client.get_public(path).await?;
        let keys = document.get("keys").and_then(Value::as_array).into_iter().flatten();
        let keys = keys.filter_map(|key| key.get("vkey")?.as_str()?.parse::<VerifierKey>().ok());
        Ok(keys.filter(|key| key.name() == origin).collect())
    }

    /// Verifies what proves something of this log, with the best keys there are.
    async fn verify(&self, file: &ProofFile, origin: &str, given: &[KeySource]) -> Result<(Value, Voucher), Failure> {
        let origin = self.own_origin(origin)?;
        let TrustedKeys { keys, voucher } = self.trusted_keys(given, &origin.to_string()).await?;
        match file.verify(&keys) {
            Ok(statement) => Ok((statement, voucher)),
            Err(refusal) if voucher == Voucher::Pin && refusal.code() == "no_known_signature" => {
                Err(Failure::from(refusal)
                    .hint("`bailiwick audit pin` follows the log to another key, or says why not"))
            }
            Err(refusal) => Err(refusal.into()),
        }
    }

    /// Hands on what was verified: into a new file, or as it is.
    fn hand_over(
        &self,
        mut statement: Value,
        voucher: Voucher,
        text: String,
        member: &str,
        out: Option<&Path>,
    ) -> Result<Answer, Failure> {
        let id = if statement.get("id").is_some() { "id" } else { "origin" };
        let mut note = voucher.to_string();
        if let Some(members) = statement.as_object_mut() {
            members.insert("key_from".to_owned(), json!(voucher.as_str()));
        }
        if let Some(path) = out {
            out_file::write_new(path, &text)?;
            note.push_str(&format!("; written to {}", path.display()));
            if let Some(remark) = statement::remark(&statement) {
                note.push_str(&format!("\n{remark}"));
            }
            return Ok(Answer::one_by(statement, id).note(note));
        }
        if let Some(members) = statement.as_object_mut() {
            members.insert(member.to_owned(), json!(text));
        }
        Ok(Answer::text(text, statement, id).note(note))
    }

    /// Keeps what is not verified: beside the file that was asked for, else with the pins.
    fn keep_damaged(&self, failure: Failure, text: Option<&str>, kind: &str, out: Option<&Path>) -> Failure {
        failure.amend(|mut refusal| {
            let stated = refusal.take_evidence();
            let Some(text) = stated.as_deref().or(text) else { return refusal };
            let kept = match out {
                Some(path) => out_file::keep_beside(path, text),
                None => self.pins().and_then(|pins| pins.keep_evidence(text, kind)),
            };
            let place = kept
                .map_or_else(|failure| format!("not kept: {}", failure.summary()), |path| path.display().to_string());
            refusal.with("evidence", place)
        })
    }
}
