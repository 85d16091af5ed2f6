//! `audit manifest`: the log's line in the manifest of an hour, verified before it is handed on.

use bailiwick_proof::manifest::proof::ManifestProof;
use serde_json::Value;
use time::UtcOffset;
use time::format_description::well_known::Rfc3339;

use super::Log;
use crate::args::Manifest as Wanted;
use crate::failure::Failure;
use crate::output::Answer;
use crate::proof_file::ProofFile;
use crate::refusal::Refusal;
use crate::trusted_keys::{self, TrustedKeys, Voucher};

const KIND: &str = "manifest";

/// Gets a line and verifies it.
pub(super) async fn manifest(log: &Log, wanted: &Wanted) -> Result<Answer, Failure> {
    let out = wanted.out.as_deref();
    let got = log.client.get_text(&log.path(&["manifest"]), &query(wanted)?).await;
    let text = got.map_err(|failure| log.keep_damaged(failure, None, KIND, out))?;
    match verify(log, wanted, &text).await {
        Ok((statement, voucher)) => log.hand_over(statement, voucher, text, KIND, out),
        Err(failure) => Err(log.keep_damaged(failure, Some(&text), KIND, out)),
    }
}

fn query(wanted: &Wanted) -> Result<Vec<(&'static str, String)>, Failure> {
    let hour =
        wanted.hour.map(|hour| hour.checked_to_offset(UtcOffset::UTC).and_then(|hour| hour.format(&Rfc3339).ok()));
    let mut query = Vec::new();
    if let Some(hour) = hour {
        query.push(("hour", hour.ok_or_else(|| Failure::usage("the hour is outside the years 0 to 9999"))?));
    }
    query.extend(wanted.event.map(|event| ("event", event.to_string())));
    if !wanted.open.is_empty() {
        query.push(("open", wanted.open.iter().map(|field| field.as_str()).collect::<Vec<_>>().join(",")));
    }
    Ok(query)
}

async fn verify(log: &Log, wanted: &Wanted, text: &str) -> Result<(Value, Voucher), Failure> {
    let file = ProofFile::parse(text.as_bytes())?;
    let ProofFile::Manifest(proof) = &file else {
        return Err(Refusal::new("not_a_manifest", "the server gave something else than a line of a manifest").into());
    };
    let TrustedKeys { keys, voucher } = keys(log, wanted, proof).await?;
    Ok((file.verify(&keys)?, voucher))
}

/// The keys of the log and of the cell: given, else the log's as for a receipt and the cell's from the server.
async fn keys(log: &Log, wanted: &Wanted, proof: &ManifestProof) -> Result<TrustedKeys, Failure> {
    let given = trusted_keys::given(&wanted.keys)?;
    if !given.is_empty() {
        return Ok(TrustedKeys { keys: given, voucher: Voucher::User });
    }
    let origin = log.own_origin(proof.covered.origin())?.to_string();
    let mut keys = log.trusted_keys(&[], &origin).await?.keys;
    let cell = &proof.cell.checkpoint.unverified().origin;
    keys.extend(log.keys_at(&["cell", ".well-known", "jwks.json"], cell).await?);
    Ok(TrustedKeys { keys, voucher: Voucher::Server })
}
