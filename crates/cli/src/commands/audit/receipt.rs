//! `audit receipt`: the proof that an entry is in the log, verified before it is handed on.

use bailiwick_proof::commitment::Field;
use bailiwick_proof::receipt::Receipt;
use serde_json::{Value, json};

use super::Log;
use crate::args::Receipt as Wanted;
use crate::failure::Failure;
use crate::output::Answer;
use crate::proof_file::ProofFile;
use crate::refusal::Refusal;
use crate::trusted_keys::Voucher;

const KIND: &str = "tlog-proof";

/// Gets a receipt and verifies it.
pub(super) async fn receipt(log: &Log, wanted: &Wanted) -> Result<Answer, Failure> {
    let id = wanted.id.to_string();
    let open = wanted.open.iter().map(|field| field.as_str()).collect::<Vec<_>>().join(",");
    let query = if open.is_empty() { vec![] } else { vec![("open", open)] };
    let keep = |failure: Failure, text: Option<&str>| log.keep_damaged(failure, text, KIND, wanted.out.as_deref());
    let text = match log.client.get_text(&log.path(&["events", &id, "receipt"]), &query).await {
        Ok(text) => text,
        Err(failure) => return Err(keep(failure, None)),
    };
    match verify(log, wanted, &text).await {
        Ok((mut statement, voucher)) => {
            if let Some(members) = statement.as_object_mut() {
                members.shift_insert(0, "id".to_owned(), json!(id));
            }
            log.hand_over(statement, voucher, text, "receipt", wanted.out.as_deref())
        }
        Err(failure) => Err(keep(failure, Some(&text))),
    }
}

async fn verify(log: &Log, wanted: &Wanted, text: &str) -> Result<(Value, Voucher), Failure> {
    let file = ProofFile::parse(text.as_bytes())?;
    let ProofFile::Receipt(receipt) = &file else {
        return Err(Refusal::new("not_a_receipt", "the server gave something else than a receipt").into());
    };
    let verified = log.verify(&file, &receipt.checkpoint.unverified().origin, &wanted.keys.keys).await?;
    about_this_event(receipt, &wanted.id.to_string())?;
    Ok(verified)
}

/// Meta, when it is open, names the event; another one's receipt proves nothing of this one.
fn about_this_event(receipt: &Receipt, id: &str) -> Result<(), Refusal> {
    let Some(meta) = receipt.openings.get(&Field::Meta) else { return Ok(()) };
    let meta: Value = serde_json::from_str(&meta.value).unwrap_or_default();
    match meta.get("event").and_then(Value::as_str) {
        Some(event) if event == id => Ok(()),
        other => {
            let other = other.unwrap_or("no event at all");
            Err(Refusal::new("other_event", format!("it is the receipt of {other}")))
        }
    }
}
