//! `audit stream`: where the log is streamed to.
//!
//! # Invariants
//! The key of the bucket comes from a file or standard input; it is in no argument, no message and no file of ours.

use std::io::{self, IsTerminal as _, Write as _};

use secrecy::ExposeSecret as _;
use serde::Serialize;
use serde_json::{Value, json};

use crate::access::Access;
use crate::args::{RemoveStream, SetStream, Stream as Command};
use crate::commands::secrets::read_value;
use crate::failure::{Exit, Failure};
use crate::once::Once;
use crate::output::{Answer, printable};

/// `PUT /v1/workspaces/{workspace}/audit/stream`.
#[derive(Serialize)]
struct SetRequest<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint: Option<&'a str>,
    region: &'a str,
    bucket: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    prefix: Option<&'a str>,
    access_key_id: &'a str,
    secret_access_key: &'a str,
}

pub(super) async fn stream(access: Access, command: Command) -> Result<Answer, Failure> {
    let workspace = access.workspace().await?;
    let path = ["v1", "workspaces", workspace.as_str(), "audit", "stream"];
    match command {
        Command::Set(wanted) => set(&access, &path, &wanted).await,
        Command::Show => {
            let stream = access.client.get(&path).await?;
            let advice = stream.pointer("/fault/advice").and_then(Value::as_str).map(str::to_owned);
            let answer = Answer::one_by(stream, "path");
            Ok(match advice {
                Some(advice) => answer.note(advice),
                None => answer,
            })
        }
        Command::Remove(wanted) => remove(&access, &path, wanted).await,
    }
}

async fn set(access: &Access, path: &[&str], wanted: &SetStream) -> Result<Answer, Failure> {
    let key = read_value(&wanted.secret)?;
    let once = Once::new(wanted.repeat.idempotency_key.clone())?;
    let body = SetRequest {
        endpoint: wanted.endpoint.as_deref(),
        region: &wanted.region,
        bucket: &wanted.bucket,
        prefix: wanted.prefix.as_deref(),
        access_key_id: &wanted.access_key_id,
        secret_access_key: key.expose_secret().trim_end(),
    };
    let stream = access.client.put(path, &body, &once).await?;
    Ok(Answer::one_by(stream, "path").note("it writes from the first entry on: see `bailiwick audit stream show`"))
}

async fn remove(access: &Access, path: &[&str], wanted: RemoveStream) -> Result<Answer, Failure> {
    if !wanted.yes {
        let stream = access.client.get(path).await?;
        confirm(stream.get("bucket").and_then(Value::as_str).unwrap_or_default())?;
    }
    let once = Once::new(wanted.repeat.idempotency_key)?;
    access.client.delete(path, &once).await?;
    Ok(Answer::one_by(json!({"status": "removed"}), "status").note("what is in the bucket stays"))
}

/// Asks a person, and refuses where there is none to ask.
fn confirm(bucket: &str) -> Result<(), Failure> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(Failure::usage("removing a stream needs a yes, and there is nobody to ask").hint("add --yes"));
    }
    let name = printable(bucket);
    let _ = write!(io::stderr(), "nothing more is written to {name}; what is there stays. Remove the stream? [y/N] ");
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).map_err(|err| Failure::local("could not read the answer", &err))?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(Failure::new(Exit::Failure, "nothing was removed")),
    }
}
