//! `audit root`: a daily root of the log, verified before it is handed on.

use bailiwick_proof::jose;
use serde_json::{Value, json};

use super::Log;
use crate::args::Root as Wanted;
use crate::failure::{Exit, Failure};
use crate::output::Answer;
use crate::proof_file::ProofFile;
use crate::refusal::Refusal;
use crate::trusted_keys::Voucher;

const KIND: &str = "jws";
/// As many as the last day has: two logs, and two keys while one is replaced.
const NEWEST: u32 = 4;

/// Finds the root that is wanted and verifies it. While a key is replaced a day has two: one that the trusted key signed will do.
pub(super) async fn root(log: &Log, wanted: &Wanted) -> Result<Answer, Failure> {
    let (day, candidates) = find(log, wanted).await?;
    let mut refused = None;
    for text in candidates {
        match verify(log, wanted, &text).await {
            Ok((mut statement, voucher)) => {
                if let Some(members) = statement.as_object_mut() {
                    members.insert("day".to_owned(), json!(day));
                }
                return log.hand_over(statement, voucher, text, "root", wanted.out.as_deref());
            }
            Err(failure) => refused = refused.or(Some((failure, text))),
        }
    }
    let Some((failure, text)) = refused else { return Err(none_of(&day)) };
    Err(log.keep_damaged(failure, Some(&text), KIND, wanted.out.as_deref()))
}

/// The day, and its roots, each with the end of a line.
async fn find(log: &Log, wanted: &Wanted) -> Result<(String, Vec<String>), Failure> {
    let workspace = log.workspace.to_string();
    let limit = wanted.day.is_none().then_some(NEWEST);
    let rows = log.client.list(&["w", &workspace, ".well-known", "audit-roots"], limit).await?;
    let text = |row: &Value, member: &str| row.get(member).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut rows = rows.into_iter().filter(|row| text(row, "environment") == log.environment.as_str()).peekable();
    let day = wanted.day.map(|day| day.to_string()).or_else(|| rows.peek().map(|row| text(row, "day")));
    let day = day.ok_or_else(|| none_of("any day yet"))?;
    let jws = |row: Value| (text(&row, "day") == day).then(|| format!("{}\n", text(&row, "jws")));
    let roots = rows.filter_map(jws).collect();
    Ok((day, roots))
}

fn none_of(day: &str) -> Failure {
    Failure::new(Exit::NotFound, format!("the log has no root of {day}"))
        .hint("the server makes one a day, within the hour, and keeps it for 400 days")
}

async fn verify(log: &Log, wanted: &Wanted, text: &str) -> Result<(Value, Voucher), Failure> {
    let file = ProofFile::parse(text.as_bytes())?;
    let ProofFile::DailyRoot(jws) = &file else {
        return Err(Refusal::new("not_a_daily_root", "the server gave something else than a daily root").into());
    };
    let origin = jose::unverified_checkpoint(jws).map_err(Refusal::from)?.origin;
    log.verify(&file, &origin, &wanted.keys.keys).await
}
