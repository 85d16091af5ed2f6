//! `audit checkpoint`: the log's newest signed size and root, verified before it is handed on.

use serde_json::Value;

use super::Log;
use crate::args::Checkpoint as Wanted;
use crate::failure::Failure;
use crate::output::Answer;
use crate::proof_file::ProofFile;
use crate::refusal::Refusal;
use crate::trusted_keys::Voucher;

const KIND: &str = "checkpoint";

/// Gets the newest checkpoint and verifies it.
pub(super) async fn checkpoint(log: &Log, wanted: &Wanted) -> Result<Answer, Failure> {
    let out = wanted.out.as_deref();
    let text = log.checkpoint().await.map_err(|failure| log.keep_damaged(failure, None, KIND, out))?;
    match verify(log, wanted, &text).await {
        Ok((statement, voucher)) => log.hand_over(statement, voucher, text, KIND, out),
        Err(failure) => Err(log.keep_damaged(failure, Some(&text), KIND, out)),
    }
}

async fn verify(log: &Log, wanted: &Wanted, text: &str) -> Result<(Value, Voucher), Failure> {
    let file = ProofFile::parse(text.as_bytes())?;
    let ProofFile::Checkpoint(checkpoint) = &file else {
        return Err(Refusal::new("not_a_checkpoint", "the server gave something else than a checkpoint").into());
    };
    log.verify(&file, &checkpoint.unverified().origin, &wanted.keys.keys).await
}
