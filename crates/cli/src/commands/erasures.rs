//! `erasures`: ask for one, look how far it is, and check a certificate offline.

use bailiwick_proof::commitment::{Field, R_BYTES, erased_subject};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::{Value, json};

use super::verify;
use crate::access::Access;
use crate::args::{CheckErasure, Erasures as Command, Global, RequestErasure};
use crate::failure::Failure;
use crate::once::Once;
use crate::output::{Answer, Listing};
use crate::proof_file::ProofFile;
use crate::refusal::Refusal;
use crate::trusted_keys;

static LISTING: Listing = Listing {
    noun: "erasures",
    id: "id",
    columns: &["id", "state", "fields_erased", "requested_by", "requested_at", "finished_at", "certificate_event_id"],
};
/// The entry that certifies an erasure.
const ACTION: &str = "subject.erased";

/// `POST /v1/workspaces/{workspace}/erasures`.
#[derive(Serialize)]
struct Request<'a> {
    subject: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    confirm: Option<&'a str>,
    dry_run: bool,
}

/// Carries out a command about erasures.
pub(crate) async fn run(global: &Global, command: Command) -> Result<Answer, Failure> {
    let wanted = match command {
        Command::Check(wanted) => return check(&wanted),
        other => other,
    };
    let access = Access::open(global).await?;
    let workspace = access.workspace().await?;
    let path = ["v1", "workspaces", workspace.as_str(), "erasures"];
    match wanted {
        Command::List(page) => Ok(Answer::many(access.client.list(&path, page.limit).await?, &LISTING)),
        Command::Get { erasure } => {
            let id = erasure.to_string();
            Ok(Answer::one(access.client.get(&[&path[..], &[&id]].concat()).await?))
        }
        Command::Request(wanted) => request(&access, &path, wanted).await,
        Command::Check(wanted) => check(&wanted),
    }
}

async fn request(access: &Access, path: &[&str], wanted: RequestErasure) -> Result<Answer, Failure> {
    let RequestErasure { subject, confirm, dry_run, repeat } = wanted;
    if confirm.as_ref().is_some_and(|confirm| *confirm != subject) {
        return Err(Failure::usage("--confirm is not the subject: nothing was erased"));
    }
    let once = Once::new(repeat.idempotency_key)?;
    let body = Request { subject: &subject, confirm: confirm.as_deref(), dry_run };
    let told = access.client.post(path, &body, &once).await?;
    if dry_run {
        return Ok(Answer::one_by(told, "fields").note("nothing was erased"));
    }
    let id = told.pointer("/erasure/id").and_then(Value::as_str).unwrap_or_default().to_owned();
    let note = format!(
        "keep subject_opening if you want to show later whom the certificate is about: it is not to be had again\n\
         bailiwick erasures get {id} says how far it is"
    );
    Ok(Answer::one_by(told, "erasure").note(note).if_lost(once.advice()))
}

/// Verifies the receipt, and opens what its meta says of the subject.
fn check(wanted: &CheckErasure) -> Result<Answer, Failure> {
    let keys = trusted_keys::given(&wanted.keys.keys)?;
    let file = ProofFile::parse(&verify::read(&wanted.file)?)?;
    let mut statement = file.verify(&keys)?;
    let ProofFile::Receipt(receipt) = &file else {
        return Err(Refusal::new("not_a_receipt", "it is no receipt").into());
    };
    if statement.get("action").and_then(Value::as_str) != Some(ACTION) {
        return Err(Refusal::new("other_action", format!("it is the receipt of no entry {ACTION}")).into());
    }
    let meta = receipt.openings.get(&Field::Meta);
    let meta =
        meta.ok_or_else(|| Refusal::new("meta_closed", "its meta is not opened: it says nothing of a subject"))?;
    let meta: Value = serde_json::from_str(&meta.value).unwrap_or_default();
    let told = meta.pointer("/data/subject_commitment").and_then(Value::as_str).unwrap_or_default();
    if erased_subject(&opening(&wanted.opening)?, &wanted.subject).to_hex() != told {
        let why = format!("it is not about {}, or the opening is another one's", wanted.subject);
        return Err(Refusal::new("other_subject", why).into());
    }
    if let Some(members) = statement.as_object_mut() {
        members.insert("subject".to_owned(), json!(wanted.subject));
        members.insert("fields_erased".to_owned(), meta.pointer("/data/fields").cloned().unwrap_or_default());
    }
    Ok(Answer::one_by(statement, "origin"))
}

fn opening(text: &str) -> Result<[u8; R_BYTES], Failure> {
    let bytes = STANDARD.decode(text.trim()).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| Failure::usage("--opening is 32 bytes in base64, as the answer had it"))
}
