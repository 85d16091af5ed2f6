//! `audit pin`: keeps the newest checkpoint, if it extends the one kept before.
//!
//! # Invariants
//! - What is pinned was verified with a key that the user gave, that was pinned before, or, the very first
//!   time and when nothing was given, that the server handed out: trust on first use, and said so.
//! - A pin moves only along a consistency proof from the checkpoint *kept here*, not from what the server
//!   says was there. Whatever does not fit is kept as evidence, and the pin stays.
//! - Another origin is never followed in silence, nor is another key: a key is adopted when the newest
//!   checkpoint is signed by the pinned one as well, or when the user gives it.

mod halt;

use bailiwick_proof::checkpoint::{Checkpoint, SignedCheckpoint};
use bailiwick_proof::consistency::{Extends, MalformedPair, Pair, PairError};
use bailiwick_proof::log::Origin;
use bailiwick_proof::merkle::Hash;
use bailiwick_proof::note::VerifierKey;
use serde_json::{Value, json};

use self::halt::{Halt, Misfit};
use super::Log;
use crate::args::KeySource;
use crate::failure::Failure;
use crate::output::Answer;
use crate::pins::{Pin, Pins};
use crate::refusal::Refusal;
use crate::statement;
use crate::trusted_keys;

/// The problem code for a size that no checkpoint was published of.
const NO_CHECKPOINT: &str = "no_checkpoint";

const ABOUT_ROTATION: &str = "\
if the log's key was changed while nothing was pinned here, get the new key on another way than from this server and give \
it once with `bailiwick audit pin --key VKEY`; the log still has to extend what is pinned";

const ABOUT_GENERATIONS: &str = "\
a generation ends with a restore or a move, which the operator has to explain; then get the new generation's key on another \
way than from this server and give it once with `bailiwick audit pin --key VKEY`";

/// A pin that may take the former one's place.
struct Next {
    pin: Pin,
    /// What to tell the user, on a line each.
    said: Vec<String>,
}

/// Keeps the newest checkpoint, or says why not.
pub(super) async fn pin(log: &Log, given: &[KeySource]) -> Result<Answer, Failure> {
    let given = trusted_keys::given(given)?;
    let pins = log.pins()?;
    let _lock = pins.lock()?;
    let pinned = pins.load()?;
    let text = match log.checkpoint().await {
        Err(failure) if pinned.is_some() && failure.stated_code() == NO_CHECKPOINT => return Err(vanished().into()),
        text => text?,
    };
    let next = judge(log, pinned.as_ref(), &given, &text).await.map_err(|halt| halt.settle(&pins, &text))?;
    finish(&pins, pinned.as_ref(), &next)
}

fn vanished() -> Refusal {
    let reason = "the server has no checkpoint of a log of which it signed one before";
    Refusal::new("vanished", reason).at(Some(0))
}

/// Whether the checkpoint may take the place of the pin, if there is one.
async fn judge(log: &Log, pinned: Option<&Pin>, given: &[VerifierKey], text: &str) -> Result<Next, Halt> {
    let newest: SignedCheckpoint = text.parse().map_err(Refusal::from)?;
    let origin = log.own_origin(&newest.unverified().origin)?;
    let Some(pinned) = pinned else { return first(log, given, newest, &origin).await };
    if pinned.origin == origin {
        next(log, pinned, given, newest).await
    } else {
        elsewhere(pinned, given, newest, &origin)
    }
}

/// The first pin of a log.
async fn first(log: &Log, given: &[VerifierKey], newest: SignedCheckpoint, origin: &Origin) -> Result<Next, Halt> {
    if !given.is_empty() {
        let said = vec!["pinned for the first time, with the key that you gave".to_owned()];
        return Ok(Next { pin: begin(given, newest, origin)?, said });
    }
    let published = log.published_keys(&origin.to_string()).await?;
    let pin = begin(&published, newest, origin)?;
    let said = vec![
        "pinned for the first time, on trust: nobody but the server vouches for this key".to_owned(),
        format!("compare it with what you have from elsewhere: {}", pin.key),
    ];
    Ok(Next { pin, said })
}

fn begin(keys: &[VerifierKey], newest: SignedCheckpoint, origin: &Origin) -> Result<Pin, Refusal> {
    newest.verify(keys)?;
    let key = signer(keys, &newest).ok_or_else(|| Refusal::new("other_logs_key", "signed by another log's key"))?;
    Ok(Pin { origin: origin.clone(), key: key.clone(), checkpoint: newest, retired: Vec::new() })
}

/// The first of the keys by which the checkpoint verifies alone.
fn signer<'a>(keys: &'a [VerifierKey], checkpoint: &SignedCheckpoint) -> Option<&'a VerifierKey> {
    keys.iter().find(|key| checkpoint.verify(std::slice::from_ref(*key)).is_ok())
}

/// A checkpoint of the same origin.
async fn next(log: &Log, pinned: &Pin, given: &[VerifierKey], newest: SignedCheckpoint) -> Result<Next, Halt> {
    let keys = [std::slice::from_ref(&pinned.key), given].concat();
    let before = pinned.checkpoint.verify(&keys).map_err(Refusal::from)?;
    let now = newest.verify(&keys).map_err(|err| Misfit::new(err).hint(ABOUT_ROTATION))?;
    let path = consistency(log, pinned, &keys, before, now).await?;
    let pair = Pair { path, older: pinned.checkpoint.clone(), newer: newest };
    let Extends { older, newer } = pair.verify(&keys).map_err(|err| Misfit::shown_by(err, &pair))?;
    let mut said = vec![match newer.size.saturating_sub(older.size) {
        0 => format!("nothing is new: the log has the {} entries and the root that are pinned", newer.size),
        grown => format!("the log extends the pinned one by {grown} entries"),
    }];
    let key = adopted(log, pinned, given, &pair.newer).await?;
    let mut retired = pinned.retired.clone();
    if key != pinned.key {
        let by = if given.contains(&key) { "you gave the new one" } else { "this checkpoint is signed by both" };
        said.push(format!("another key is pinned from now on, since {by}"));
        said.push(format!("  before: {}", pinned.key));
        said.push(format!("  now:    {key}"));
        retired.push(pinned.key.clone());
    }
    Ok(Next { pin: Pin { origin: pinned.origin.clone(), key, checkpoint: pair.newer, retired }, said })
}

/// The path from the pinned checkpoint to the newest, by the server; empty where there is none to ask for.
async fn consistency(
    log: &Log,
    pinned: &Pin,
    keys: &[VerifierKey],
    before: &Checkpoint,
    now: &Checkpoint,
) -> Result<Vec<Hash>, Halt> {
    if now.size <= before.size || before.size == 0 {
        return Ok(Vec::new());
    }
    let sizes = [("from", before.size.to_string()), ("to", now.size.to_string())];
    let text = match log.client.get_text(&log.path(&["consistency"]), &sizes).await {
        Err(failure) if failure.stated_code() == NO_CHECKPOINT => {
            let reason = "the server does not prove that its newest checkpoint extends the pinned one";
            return Err(Refusal::new("no_proof", reason).into());
        }
        text => text?,
    };
    let theirs: Pair = text.parse().map_err(|err: MalformedPair| Misfit::shown_by_text(err, text.clone()))?;
    // Another root for the pinned size, signed, says more than a path that leads nowhere.
    let both = Pair { path: Vec::new(), older: pinned.checkpoint.clone(), newer: theirs.older };
    match both.verify(keys) {
        Err(err @ PairError::TwoRoots { .. }) => Err(Misfit::shown_by(err, &both).into()),
        _ => Ok(theirs.path),
    }
}

/// The key to pin from now on: the user's, or the newest that signed beside the pinned one.
async fn adopted(
    log: &Log,
    pinned: &Pin,
    given: &[VerifierKey],
    newest: &SignedCheckpoint,
) -> Result<VerifierKey, Failure> {
    if !given.is_empty() {
        return Ok(signer(given, newest).unwrap_or(&pinned.key).clone());
    }
    if newest.note().signatures().len() < 2 {
        return Ok(pinned.key.clone());
    }
    let mut published = log.published_keys(pinned.key.name()).await?;
    // What a retired key signs is no reason to go back to it.
    published.retain(|key| !pinned.retired.contains(key));
    Ok(signer(&published, newest).unwrap_or(&pinned.key).clone())
}

/// A checkpoint of another origin: followed into a later generation when the user gives its key.
fn elsewhere(pinned: &Pin, given: &[VerifierKey], newest: SignedCheckpoint, now: &Origin) -> Result<Next, Halt> {
    let before = &pinned.origin;
    if before.name() != now.name() || now.generation() < before.generation() {
        let reason = format!("the pinned checkpoint is of {before}, the server's is of {now}");
        return Err(Refusal::new("other_origin", reason).into());
    }
    let (old, new) = (before.generation(), now.generation());
    if given.is_empty() {
        let reason =
            format!("generation {old} of the log is pinned, and the server's checkpoint is of generation {new}");
        return Err(Misfit::new(Refusal::new("other_generation", reason)).hint(ABOUT_GENERATIONS).into());
    }
    let pin = begin(given, newest, now)?;
    let retired = pinned.retired.iter().chain([&pinned.key]).cloned().collect();
    let said = vec![
        format!("generation {new} is pinned, with the key that you gave"),
        format!(
            "nothing was proved about what it begins with: its entry 0 has to cite the last checkpoint of generation {old}"
        ),
    ];
    Ok(Next { pin: Pin { retired, ..pin }, said })
}

/// Puts the new pin in the place of the former and tells about it.
fn finish(pins: &Pins, pinned: Option<&Pin>, next: &Next) -> Result<Answer, Failure> {
    let mut statement = statement::of_checkpoint(&next.pin.checkpoint, std::slice::from_ref(&next.pin.key))?;
    let file = pins.store(&next.pin)?;
    let more = json!({
        "previous_size": pinned.map(|pin| pin.checkpoint.unverified().size),
        "vkey": next.pin.key.to_string(),
        "file": file.display().to_string(),
    });
    if let (Some(members), Value::Object(more)) = (statement.as_object_mut(), more) {
        members.extend(more);
    }
    Ok(Answer::one_by(statement, "vkey").note(next.said.join("\n")))
}
