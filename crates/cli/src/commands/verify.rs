//! `verify`: checks a receipt, a checkpoint, or whatever else proves something of a log, and asks nobody.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::args::Verify;
use crate::failure::Failure;
use crate::output::Answer;
use crate::proof_file::{MAX_BYTES, ProofFile};
use crate::statement;
use crate::{trusted_keys, witnesses};

/// Verifies a file with the keys given.
pub(crate) fn run(wanted: &Verify) -> Result<Answer, Failure> {
    let mut keys = trusted_keys::given(&wanted.keys.keys)?;
    let policy = wanted.policy.as_deref().map(witnesses::policy).transpose()?;
    keys.extend(policy.iter().flat_map(witnesses::keys));
    let bytes = read(&wanted.file)?;
    let file = ProofFile::parse(&bytes)?;
    let mut statement = file.verify(&keys)?;
    let unchecked = match &policy {
        Some(policy) => witnesses::check(&mut statement, file.witnessed(), policy).map(|()| None)?,
        None => witnesses::mention(&mut statement, file.witnessed()),
    };
    let remarks = [statement::remark(&statement).map(str::to_owned), unchecked].into_iter().flatten();
    let remarks = remarks.collect::<Vec<_>>().join("\n");
    let answer = Answer::one_by(statement, "origin");
    Ok(if remarks.is_empty() { answer } else { answer.note(remarks) })
}

/// Reads one byte more than there may be at most, so that an endless input ends here.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let most = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    let read = if path == Path::new("-") {
        io::stdin().lock().take(most).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes))
    };
    read.map_err(|err| Failure::local(format!("could not read {}", path.display()), &err))?;
    Ok(bytes)
}
