//! Ask for a link, redeem it.

use bailiwick_proof::id::{Id, UserId};
use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

use super::budget::{self, MailBudget};
use super::model::{
    CHALLENGE_BYTES, CHALLENGE_TTL, CODE_TRIES, EmailAddress, Opaque, SignInRefusal, TOKEN_BYTES, code_meaning,
    new_code,
};
use super::refusals::{Refusals, Refused};
use super::sql;
use crate::authn::AccessTokens;
use crate::authz::vouched::stamp::Stamp;
use crate::authz::{Notary, Person};
use crate::config::PublicUrl;
use crate::context::RequestContext;
use crate::db::{Db, DbError, OperationalPath, SystemTx};
use crate::entropy::Entropy;
use crate::factors;
use crate::jobs::{EnqueueError, Queue};
use crate::ledger::{self, Action, Entry};
use crate::limits::Limits;
use crate::mail;
use crate::sessions::{self, Opening, Seen, SignInMethod, TokenPair};

/// Who acts before anybody is known.
pub(crate) const NOBODY: &str = "anonymous";

/// What a person has in hand after asking; the rest is in the mail.
pub struct Asked {
    /// Opaque; also the browser's cookie.
    pub challenge: String,
}

/// Everything by which people are let in.
#[derive(Clone)]
pub struct Door {
    /// The database.
    pub db: Db,
    /// Vouches for what is written.
    pub notary: Notary,
    /// Takes the mail.
    pub queue: Queue,
    /// Signs access tokens.
    pub tokens: AccessTokens,
    /// Makes ids and tokens.
    pub entropy: Entropy,
    /// What a mail's link begins with.
    pub public_url: PublicUrl,
    /// How many mails an address gets.
    pub mails: MailBudget,
    /// How often anybody may try.
    pub limits: Limits,
    /// Counts what came to nothing.
    pub refusals: Refusals,
}

impl Door {
    /// Whether there can be passkeys: they belong to a name, and to no address.
    pub(super) fn knows_passkeys(&self) -> bool {
        self.public_url.domain().is_some()
    }
}

/// What is shown to sign in.
pub enum Proof<'a> {
    /// The link's token, and the challenge from the browser's cookie.
    Link {
        /// From the link.
        token: &'a str,
        /// From the cookie, if there is one.
        challenge: Option<&'a str>,
    },
    /// The challenge and the mail's code.
    Code {
        /// From the answer to the asking.
        challenge: &'a str,
        /// From the mail.
        code: &'a str,
    },
}

/// Everything that a redemption needs.
#[derive(Clone, Copy)]
pub struct SigningIn<'a> {
    /// Where they come to.
    pub door: &'a Door,
    /// On what the person signs in, and from where.
    pub seen: &'a Seen,
    /// The request at hand.
    pub context: &'a RequestContext,
}

/// Makes a challenge for an address, whoever it belongs to, if to anybody, and enqueues its mail: both or neither. Where the address
/// has got enough of them the mail is held back, outside of the request too, so that nobody can tell.
///
/// # Errors
/// See [`EnqueueError`].
pub async fn request(door: &Door, context: &RequestContext, email: &EmailAddress) -> Result<Asked, EnqueueError> {
    let Door { db, notary, queue, entropy, public_url, mails, .. } = door;
    let now = context.received_at;
    let row = entropy.uuid_v7(now);
    let challenge = Opaque::new::<CHALLENGE_BYTES>(row, entropy);
    let token = Opaque::new::<TOKEN_BYTES>(row, entropy);
    let code = new_code(entropy);
    let digests = sql::Digests {
        challenge: challenge.digest(),
        token: token.digest(),
        code: notary.sign_code(&code_meaning(row, &email.key(), &code)),
    };
    let mut tx = db.system_tx(OperationalPath::RequestSignIn).await?;
    let email = sql::stored_address(&mut tx, notary, email.clone()).await?;
    let merged_into = mails.take(&mut tx, &email.key(), row, now).await?;
    let challenge_row = sql::ChallengeRow::new(row, &email, digests, merged_into, now + CHALLENGE_TTL);
    let stamp = sql::insert_challenge(&mut tx, notary, &challenge_row, now).await?;
    let link = public_url.join(&format!("/auth/link?token={}", token.text));
    let message = mail::sign_in(email.as_str(), &link, &code, now + CHALLENGE_TTL);
    let message = message.held_back_if(merged_into.is_some());
    mail::send(queue, &mut tx, &message, now).await?;
    let entry = Entry::about(Action::SignInRequested, row).changing([stamp]);
    let entry = entry.with(json!({"mailed": merged_into.is_none()}));
    let recorded = ledger::stage_in_cell(&mut tx, entropy, context, NOBODY, &entry).await?;
    tx.commit(recorded).await?;
    Ok(Asked { challenge: challenge.text })
}

/// What a good link or code comes to.
pub enum Entered {
    /// They are signed in.
    Session(TokenPair),
    /// They have a factor beyond the mail, and owe it: the token of the second step.
    SecondStep(String),
}

/// Signs in whoever shows a good link or code, and makes the person at their first sign-in. Who has a factor beyond the mail gets as
/// far as the second step.
///
/// # Errors
/// See [`SignInRefusal`].
pub async fn redeem(with: SigningIn<'_>, proof: Proof<'_>) -> Result<Entered, SignInRefusal> {
    let (refusals, context) = (&with.door.refusals, with.context);
    let outcome = try_to_redeem(with, proof).await;
    match &outcome {
        Err(SignInRefusal::Failed) => refusals.note(Refused::Proof, context),
        Err(SignInRefusal::OtherBrowser) => refusals.note(Refused::OtherBrowser, context),
        _ => {}
    }
    outcome
}

async fn try_to_redeem(with: SigningIn<'_>, proof: Proof<'_>) -> Result<Entered, SignInRefusal> {
    let SigningIn { door, context, .. } = with;
    let Door { db, notary, entropy, .. } = door;
    let now = context.received_at;
    let row = proof.row().ok_or(SignInRefusal::Failed)?;
    let mut tx = db.system_tx(OperationalPath::RedeemSignIn).await?;
    proof.hold_person(&mut tx, notary, row, now).await?;
    let found = sql::lock_challenge(&mut tx, notary, row).await?;
    let Some(mut locked) = found.filter(|found| found.challenge.is_open(now)) else {
        return Err(SignInRefusal::Failed);
    };
    let checked = proof.check(&mut tx, notary, &locked, now).await?;
    let challenge = &mut locked.challenge;
    let mailed = match checked {
        Ok(mailed) => mailed,
        Err(refusal) => {
            if matches!(refusal, Mismatch::WrongCode) {
                challenge.code_tries += 1;
                let stamp = sql::keep_challenge(&mut tx, notary, challenge).await?;
                let entry = Entry::about(Action::SignInFailed, row).with(json!({"try": challenge.code_tries}));
                let entry = entry.changing([stamp]);
                let recorded = ledger::stage_in_cell(&mut tx, entropy, context, NOBODY, &entry).await?;
                tx.commit(recorded).await?;
            }
            return Err(refusal.into());
        }
    };
    challenge.redeemed_at = Some(now);
    let mut redeemed = vec![sql::keep_challenge(&mut tx, notary, challenge).await?];
    if let Some(mailed) = mailed {
        redeemed.push(budget::use_up(&mut tx, notary, mailed, now).await?.ok_or(SignInRefusal::Failed)?);
    }
    sql::refill_budget(&mut tx, &challenge.email_key, now).await?;
    let found = find_or_make_user(&mut tx, notary, entropy, challenge, context).await?;
    enter(with, tx, (&proof, found), redeemed).await
}

/// The person of an address.
struct Found {
    person: Person,
    /// They were made just now.
    made: Option<Stamp>,
}

/// Opens the session, or the second step where somebody owes one, with the entry of what was redeemed.
async fn enter(
    with: SigningIn<'_>,
    mut tx: SystemTx,
    (proof, found): (&Proof<'_>, Found),
    redeemed: Vec<Stamp>,
) -> Result<Entered, SignInRefusal> {
    let SigningIn { door: Door { notary, tokens, entropy, .. }, seen, context } = with;
    let (now, by) = (context.received_at, proof.method());
    let Found { person, made } = found;
    let user = person.user;
    if person.strong_since.is_some() {
        let begun = factors::begin_second_step(&mut tx, notary, entropy, (user, by), now).await?;
        let stamps = redeemed.into_iter().chain([begun.stamp]);
        let entry = Entry::about(Action::FactorAsked, user).with(json!({"by": proof.word()})).changing(stamps);
        let recorded = ledger::stage_in_cell(&mut tx, entropy, context, &user.to_string(), &entry).await?;
        tx.commit(recorded).await?;
        return Ok(Entered::SecondStep(begun.token));
    }
    let opening = Opening { person: &person, by, strong: by.is_strong(), seen, now };
    let opened = sessions::open(&mut tx, notary, entropy, &opening).await?;
    let entry = Entry::about(Action::SignedIn, opened.session)
        .with(json!({"by": proof.word(), "first": made.is_some()}))
        .changing(redeemed.into_iter().chain(made).chain(opened.stamps.clone()));
    let recorded = ledger::stage_in_cell(&mut tx, entropy, context, &user.to_string(), &entry).await?;
    tx.commit(recorded).await?;
    opened.tokens(tokens, now).map(Entered::Session).map_err(SignInRefusal::Sign)
}

enum Mismatch {
    Unknown,
    OtherBrowser,
    WrongCode,
}

impl From<Mismatch> for SignInRefusal {
    fn from(mismatch: Mismatch) -> Self {
        match mismatch {
            Mismatch::Unknown | Mismatch::WrongCode => Self::Failed,
            Mismatch::OtherBrowser => Self::OtherBrowser,
        }
    }
}

impl Proof<'_> {
    fn row(&self) -> Option<Uuid> {
        match self {
            Self::Link { token, .. } => Opaque::parse::<TOKEN_BYTES>(token).map(|token| token.row),
            Self::Code { challenge, .. } => Opaque::parse::<CHALLENGE_BYTES>(challenge).map(|challenge| challenge.row),
        }
    }

    const fn method(&self) -> SignInMethod {
        match self {
            Self::Link { .. } => SignInMethod::MailLink,
            Self::Code { .. } => SignInMethod::MailCode,
        }
    }

    const fn word(&self) -> &'static str {
        match self {
            Self::Link { .. } => "link",
            Self::Code { .. } => "code",
        }
    }

    /// Whoever has read the mail waits for its person before the challenge, as all do who change both. Whoever has not waits for
    /// nobody: who belongs to an address is not told by time either.
    async fn hold_person(
        &self,
        tx: &mut SystemTx,
        notary: &Notary,
        row: Uuid,
        now: OffsetDateTime,
    ) -> Result<(), DbError> {
        let found = sql::look_at_challenge(tx, notary, row).await?;
        let Some(seen) = found.filter(|found| found.challenge.is_open(now)) else { return Ok(()) };
        if self.check(tx, notary, &seen, now).await?.is_ok() {
            Person::hold_by_address(tx, notary, &seen.challenge.email_key).await?;
        }
        Ok(())
    }

    /// Inside, why it does not sign in, or else the challenge whose mail the code stands in, where that is another.
    async fn check(
        &self,
        tx: &mut SystemTx,
        notary: &Notary,
        challenged: &sql::Challenged,
        now: OffsetDateTime,
    ) -> Result<Result<Option<Uuid>, Mismatch>, DbError> {
        let stored = &challenged.challenge;
        let holds = |text: &str| {
            Opaque::parse::<CHALLENGE_BYTES>(text).filter(|held| held.digest().matches(&stored.challenge_digest))
        };
        Ok(match self {
            Self::Link { token, challenge } => {
                let token = Opaque::parse::<TOKEN_BYTES>(token);
                if !token.is_some_and(|token| token.digest().matches(&stored.token_digest)) {
                    return Ok(Err(Mismatch::Unknown));
                }
                challenge.and_then(holds).map(|_| None).ok_or(Mismatch::OtherBrowser)
            }
            Self::Code { challenge, code } => {
                if holds(challenge).is_none() || stored.code_tries >= CODE_TRIES {
                    return Ok(Err(Mismatch::Unknown));
                }
                for mailed in budget::mails_of(tx, notary, challenged, now).await? {
                    let meaning = code_meaning(mailed.id, &mailed.email_key, code);
                    if notary.knows_code(&meaning, &mailed.code_digest).await? {
                        return Ok(Ok((mailed.id != stored.id).then_some(mailed.id)));
                    }
                }
                Err(Mismatch::WrongCode)
            }
        })
    }
}

/// The person of the challenge's address; made now if nobody has it, which the entry is to tell. One who is suspended, or whom nobody vouches for, fails like a wrong link.
async fn find_or_make_user(
    tx: &mut SystemTx,
    notary: &Notary,
    entropy: &Entropy,
    challenge: &sql::ChallengeRow,
    context: &RequestContext,
) -> Result<Found, SignInRefusal> {
    let fresh: UserId = Id::from_uuid(entropy.uuid_v7(context.received_at));
    let made = sql::insert_user(tx, notary, fresh, challenge, context.received_at).await?;
    let person = Person::hold_by_address(tx, notary, &challenge.email_key).await?;
    let person = person.filter(|person| person.suspended_at.is_none()).ok_or(SignInRefusal::Failed)?;
    Ok(Found { person, made })
}
