//! One witness, asked for one checkpoint: what is sent, and what of the answer is believed.

use std::fmt::Write as _;
use std::time::Duration;

use bailiwick_proof::cosignature::{AddCheckpoint, parse_lines};
use bailiwick_proof::log::Log;
use bailiwick_proof::merkle::{self, Hash};
use bailiwick_proof::policy::PolicyWitness;
use reqwest::{Client, StatusCode};
use time::OffsetDateTime;

use super::{Target, sql};
use crate::db::OperationalPath;
use crate::ledger::cell::Ledger;
use crate::ledger::error::LedgerError;
use crate::ledger::tree::Nodes;

/// A witness that has not answered by then is away.
const PATIENCE: Duration = Duration::from_secs(5);
/// Its answers are a few hundred bytes.
const MAX_ANSWER: usize = 64 * 1024;
/// It is asked anew when it names another size; more often than this, somebody else asks it too, or it makes fun of us.
const TRIES: usize = 4;
/// A time further than this from our own clock's says that one of the two clocks is wrong.
const SKEW: time::Duration = time::Duration::minutes(10);

/// A line that was verified.
pub(super) struct Asked {
    pub(super) line: String,
    pub(super) at: OffsetDateTime,
}

/// Why there is no line.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("it cannot be reached")]
    Unreachable,
    #[error("it did not answer in time")]
    Silent,
    #[error("it answers {0}: it does not know this log")]
    UnknownLog(StatusCode),
    #[error("it answers {0}: it does not know the log's key")]
    UnknownKey(StatusCode),
    #[error("it answers {0}")]
    Status(StatusCode),
    #[error("it answers with something else than the protocol has")]
    Garbage,
    #[error("it answers without a line that its key made over this checkpoint")]
    BadCosignature,
    #[error("its clock says {0}")]
    BadTime(OffsetDateTime),
    #[error("it names one size and then another")]
    Unsteady,
    #[error("it has cosigned {0} entries, and the log has fewer")]
    Beyond(u64),
    #[error("it has cosigned another root of the first {0} entries")]
    TwoRoots(u64),
    #[error("it does not find that the log extends the {0} entries that it has cosigned")]
    DoesNotExtend(u64),
}

impl Fault {
    /// For the metric.
    pub(super) const fn word(&self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Silent => "silent",
            Self::UnknownLog(_) => "unknown_log",
            Self::UnknownKey(_) => "unknown_key",
            Self::Status(_) => "status",
            Self::Garbage => "garbage",
            Self::BadCosignature => "bad_cosignature",
            Self::BadTime(_) => "bad_time",
            Self::Unsteady => "unsteady",
            Self::Beyond(_) => "beyond",
            Self::TwoRoots(_) => "two_roots",
            Self::DoesNotExtend(_) => "does_not_extend",
        }
    }

    /// Whether the witness says of the log what must never be.
    pub(super) const fn is_held_against_us(&self) -> bool {
        matches!(self, Self::Beyond(_) | Self::TwoRoots(_) | Self::DoesNotExtend(_))
    }
}

/// Without proxies and redirects, with a deadline over the whole exchange.
pub(super) fn client() -> Option<Client> {
    let client = Client::builder().timeout(PATIENCE).redirect(reqwest::redirect::Policy::none()).no_proxy().build();
    client.inspect_err(|error| tracing::error!(event = "witness_client", cause = %error)).ok()
}

/// What came back.
enum Answer {
    Lines(String),
    Conflict(u64),
}

/// Asks until the witness cosigns, or says why not. `old` is what it is thought to have cosigned last.
pub(super) async fn ask(
    ledger: &Ledger,
    client: &Client,
    witness: &PolicyWitness,
    target: &Target,
    mut old: u64,
) -> Result<Result<Asked, Fault>, LedgerError> {
    for _ in 0..TRIES {
        let Some(path) = path(ledger, target, old).await? else { return beyond(ledger, old).await };
        let request = AddCheckpoint { old, path, checkpoint: target.checkpoint.clone() };
        match post(client, witness, &request).await {
            Ok(Answer::Lines(lines)) => return Ok(accept(witness, target, &lines, ledger.clock().now())),
            Ok(Answer::Conflict(size)) if size > target.size => return beyond(ledger, size).await,
            Ok(Answer::Conflict(size)) if size == old && old == target.size => return Ok(Err(Fault::TwoRoots(size))),
            Ok(Answer::Conflict(size)) if size == old => return Ok(Err(Fault::Unsteady)),
            Ok(Answer::Conflict(size)) => old = size,
            Err(fault) => return Ok(Err(fault)),
        }
    }
    Ok(Err(Fault::Unsteady))
}

/// It has seen more than this checkpoint covers: of another node's newer one perhaps, which is stored before anybody is asked.
async fn beyond(ledger: &Ledger, size: u64) -> Result<Result<Asked, Fault>, LedgerError> {
    let mut tx = ledger.db().system_tx(OperationalPath::AskWitnesses).await?;
    let newest = sql::newest(&mut tx).await?.map_or(0, |newest| newest.size);
    tx.finish_reading().await?;
    Ok(Err(if size > newest { Fault::Beyond(size) } else { Fault::Unsteady }))
}

/// How the checkpoint extends the tree of that size; `None` where it does not cover it.
async fn path(ledger: &Ledger, target: &Target, old: u64) -> Result<Option<Vec<Hash>>, LedgerError> {
    if old == 0 || old == target.size {
        return Ok(Some(Vec::new()));
    }
    let Some(needed) = merkle::consistency_nodes(old, target.size) else { return Ok(None) };
    let mut tx = ledger.db().system_tx(OperationalPath::AskWitnesses).await?;
    let nodes = Nodes::read(tx.connection()?, Log::Cell, target.generation, &needed).await?;
    tx.finish_reading().await?;
    let origin = || target.checkpoint.unverified().origin.clone();
    let forked = |_| LedgerError::Forked { origin: origin(), size: target.size };
    let nodes = nodes.map_err(forked)?;
    merkle::consistency_proof(old, target.size, |node| nodes.hash(node)).map_err(forked)
}

async fn post(client: &Client, witness: &PolicyWitness, request: &AddCheckpoint) -> Result<Answer, Fault> {
    let away = |error: reqwest::Error| if error.is_timeout() { Fault::Silent } else { Fault::Unreachable };
    let mut url = witness.url.as_deref().unwrap_or_default().trim_end_matches('/').to_owned();
    let _infallible = write!(url, "/add-checkpoint");
    let mut response = client.post(url).body(request.to_string()).send().await.map_err(away)?;
    let status = response.status();
    let mut answer = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(away)? {
        if answer.len() + chunk.len() > MAX_ANSWER {
            return Err(Fault::Garbage);
        }
        answer.extend_from_slice(&chunk);
    }
    match status {
        StatusCode::OK => String::from_utf8(answer).map(Answer::Lines).map_err(|_| Fault::Garbage),
        StatusCode::CONFLICT => size(&answer).map(Answer::Conflict).ok_or(Fault::Garbage),
        StatusCode::NOT_FOUND => Err(Fault::UnknownLog(status)),
        StatusCode::FORBIDDEN => Err(Fault::UnknownKey(status)),
        StatusCode::UNPROCESSABLE_ENTITY => Err(Fault::DoesNotExtend(request.old)),
        _ => Err(Fault::Status(status)),
    }
}

/// A size and a line's end, as `text/x.tlog.size` has it.
fn size(answer: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(answer).ok()?.strip_suffix('\n')?;
    let size = digits.parse::<u64>().ok()?;
    (size.to_string() == digits).then_some(size)
}

/// The witness's own line, if it holds over this very checkpoint and its time can be. Lines of others are passed over.
fn accept(witness: &PolicyWitness, target: &Target, lines: &str, now: OffsetDateTime) -> Result<Asked, Fault> {
    let lines = parse_lines(lines).map_err(|_| Fault::Garbage)?;
    let text = target.checkpoint.note().text();
    let holds = |line: &_| Some((witness.key.time_of(text, line)?, ToString::to_string(line)));
    let (time, line) = lines.iter().find_map(holds).ok_or(Fault::BadCosignature)?;
    let at = i64::try_from(time).ok().and_then(|time| OffsetDateTime::from_unix_timestamp(time).ok());
    let at = at.ok_or(Fault::BadCosignature)?;
    if (at - now).abs() > SKEW { Err(Fault::BadTime(at)) } else { Ok(Asked { line, at }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_has_one_spelling() {
        assert_eq!(size(b"20852014\n"), Some(20_852_014));
        assert_eq!(size(b"0\n"), Some(0));
        for answer in [&b""[..], b"\n", b"7", b"07\n", b"+7\n", b"7\n\n", b"7 \n", b"99999999999999999999\n", b"\xff\n"]
        {
            assert_eq!(size(answer), None, "{answer:?}");
        }
    }
}
