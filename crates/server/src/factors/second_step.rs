//! The second step of a sign-in: what a mail told was shown, and a factor is owed.
//!
//! # Invariants
//! - It is good for ten minutes and five codes, and once. Its token is known to whoever made the first step alone: a browser has
//!   it in a cookie and in no address, a program in its answer.
//! - Nothing that the mail told is good any more once it is there.

use bailiwick_proof::id::UserId;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::model::{FactorError, Typed};
use super::ops::{Hands, tell};
use super::prove::{self, Proven, Verdict};
use super::sql;
use crate::authn::TokenDigest;
use crate::authz::vouched::rows;
use crate::authz::vouched::stamp::Stamp;
use crate::authz::{Notary, Person};
use crate::db::{DbError, OperationalPath, SystemTx};
use crate::entropy::Entropy;
use crate::ledger::{self, Action, Entry};
use crate::mail::FactorNews;
use crate::sessions::{self, Opening, SignInMethod, TokenPair};
use crate::vault::Owner;

/// How long somebody has.
pub const SECOND_STEP_LIVES: Duration = Duration::minutes(10);
const MOST_TRIES: i16 = 5;
const TOKEN_BYTES: usize = 32;

/// A row of its. Whoever changes one holds its person.
pub(super) struct Step {
    pub(super) id: Uuid,
    pub(super) user: UserId,
    pub(super) token_digest: Vec<u8>,
    pub(super) signed_in_by: String,
    pub(super) expires_at: OffsetDateTime,
    pub(super) tries: i16,
    pub(super) ended_at: Option<OffsetDateTime>,
}

impl Step {
    pub(super) fn row(&self) -> rows::SecondStepRow<'_> {
        rows::SecondStepRow {
            id: self.id,
            user: self.user.uuid(),
            token_digest: &self.token_digest,
            signed_in_by: &self.signed_in_by,
            expires_at: self.expires_at,
            tries: self.tries,
            ended_at: self.ended_at,
        }
    }

    fn is_open(&self, now: OffsetDateTime) -> bool {
        self.ended_at.is_none() && self.expires_at > now && self.tries < MOST_TRIES
    }
}

/// A second step that was begun: the token, to be handed out once, and what the entry is to tell.
pub struct Begun {
    /// For whoever made the first.
    pub token: String,
    /// Of its row.
    pub stamp: Stamp,
}

/// Begins one, in the transaction that takes what the mail told.
///
/// # Errors
/// [`DbError`].
pub async fn begin_second_step(
    tx: &mut SystemTx,
    notary: &Notary,
    entropy: &Entropy,
    (user, by): (UserId, SignInMethod),
    now: OffsetDateTime,
) -> Result<Begun, DbError> {
    let id = entropy.uuid_v7(now);
    let token = new_token(id, entropy);
    let step = Step {
        id,
        user,
        token_digest: TokenDigest::of(token.as_bytes()).bytes().to_vec(),
        signed_in_by: by.as_str().to_owned(),
        expires_at: now + SECOND_STEP_LIVES,
        tries: 0,
        ended_at: None,
    };
    let stamp = sql::insert_step(tx, notary, &step, now).await?;
    Ok(Begun { token, stamp })
}

/// Signs in whoever shows a factor of the person who made the first step.
///
/// # Errors
/// [`FactorError::Failed`] for whatever is not good, [`FactorError::Wait`], and those of database and vault.
pub(super) async fn complete(with: &Hands<'_>, token: &str, typed: &Typed) -> Result<TokenPair, FactorError> {
    let Hands { changes, context, .. } = with;
    let now = context.received_at;
    changes.vault.keys(Owner::Cell).await?;
    let id = row_of(token).ok_or(FactorError::Failed)?;
    let mut tx = changes.db.system_tx(OperationalPath::ManageFactors).await?;
    let found = sql::step(&mut tx, &changes.notary, id).await?;
    let held = |step: &Step| TokenDigest::of(token.as_bytes()).matches(&step.token_digest);
    let begun = found.filter(held).ok_or(FactorError::Failed)?;
    let person = Person::hold(&mut tx, &changes.notary, begun.user).await?;
    let person = person.filter(|person| person.suspended_at.is_none()).ok_or(FactorError::Failed)?;
    let step = sql::step(&mut tx, &changes.notary, id).await?;
    let step = step.filter(|step| step.is_open(now)).ok_or(FactorError::Failed)?;
    match prove::check(&mut tx, (&changes.notary, &changes.vault), &person, typed, now).await? {
        Verdict::Proven(proven) => enter(with, tx, step, &person, proven).await,
        Verdict::Wrong { failures, stamps } => {
            refuse(with, tx, step, &person, (failures, stamps)).await?;
            Err(FactorError::Failed)
        }
        Verdict::Wait(wait) => Err(FactorError::Wait(wait)),
    }
}

/// Ends those that a person has begun; whoever calls it holds them.
///
/// # Errors
/// [`DbError`].
pub async fn void_second_steps(
    tx: &mut SystemTx,
    notary: &Notary,
    person: &Person,
    now: OffsetDateTime,
) -> Result<Vec<Stamp>, DbError> {
    let mut stamps = Vec::new();
    for id in sql::open_steps(tx, person.user, now).await? {
        if let Some(mut step) = sql::step(tx, notary, id).await? {
            step.ended_at = Some(now);
            stamps.push(sql::keep_step(tx, notary, &step).await?);
        }
    }
    Ok(stamps)
}

async fn enter(
    with: &Hands<'_>,
    mut tx: SystemTx,
    mut step: Step,
    person: &Person,
    proven: Proven,
) -> Result<TokenPair, FactorError> {
    let Hands { changes, tokens, seen, context, .. } = with;
    let (notary, entropy, now) = (&changes.notary, &changes.entropy, context.received_at);
    step.ended_at = Some(now);
    let ended = sql::keep_step(&mut tx, notary, &step).await?;
    let opening = Opening { person, by: proven.by, strong: true, seen, now };
    let opened = sessions::open(&mut tx, notary, entropy, &opening).await?;
    if let Some(left) = proven.codes_left {
        tell(with, &mut tx, &person.email, FactorNews::CodeUsed { left }).await?;
    }
    let by = if step.signed_in_by == SignInMethod::MailLink.as_str() { "link" } else { "code" };
    let told = json!({"by": by, "first": false, "factor": proven.word(), "recovery_codes_left": proven.codes_left});
    let stamps = proven.stamps.into_iter().chain([ended]).chain(opened.stamps.iter().cloned());
    let entry = Entry::about(Action::SignedIn, opened.session).with(told).changing(stamps);
    let recorded = ledger::stage_in_cell(&mut tx, entropy, context, &person.user.to_string(), &entry).await?;
    tx.commit(recorded).await?;
    opened.tokens(tokens, now).map_err(FactorError::Sign)
}

async fn refuse(
    with: &Hands<'_>,
    mut tx: SystemTx,
    mut step: Step,
    person: &Person,
    (failures, stamps): (i32, Vec<Stamp>),
) -> Result<(), FactorError> {
    let Hands { changes, context, .. } = with;
    step.tries += 1;
    let tried = sql::keep_step(&mut tx, &changes.notary, &step).await?;
    if prove::is_guessing(failures) {
        tell(with, &mut tx, &person.email, FactorNews::Guessed).await?;
    }
    let told = json!({"at": "sign_in", "try": step.tries, "in_a_row": failures});
    let entry = Entry::about(Action::FactorFailed, person.user).with(told).changing(stamps.into_iter().chain([tried]));
    let actor = person.user.to_string();
    let recorded = ledger::stage_in_cell(&mut tx, &changes.entropy, context, &actor, &entry).await?;
    Ok(tx.commit(recorded).await?)
}

/// Finds its row, and proves that one has it.
fn new_token(row: Uuid, entropy: &Entropy) -> String {
    let mut bytes = row.as_bytes().to_vec();
    bytes.extend_from_slice(&entropy.bytes::<TOKEN_BYTES>());
    URL_SAFE_NO_PAD.encode(bytes)
}

fn row_of(token: &str) -> Option<Uuid> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (row, secret) = bytes.split_first_chunk::<16>()?;
    (secret.len() == TOKEN_BYTES).then(|| Uuid::from_bytes(*row))
}
