//! Ask for a link, redeem it.

use bailiwick_proof::id::{Id, UserId};
use serde_json::json;

use super::model::{
    CHALLENGE_BYTES, CHALLENGE_TTL, CODE_TRIES, EmailAddress, Opaque, SignInRefusal, TOKEN_BYTES, code_meaning,
    new_code,
};
use super::sql;
use crate::authn::{ACCESS_TOKEN_TTL, AccessTokens};
use crate::authz::Notary;
use crate::authz::vouched::stamp::Stamp;
use crate::config::PublicUrl;
use crate::context::RequestContext;
use crate::db::{Db, DbError, OperationalPath, SystemTx};
use crate::entropy::Entropy;
use crate::jobs::{EnqueueError, Queue};
use crate::ledger::{self, Action, Entry};
use crate::mail;
use crate::sessions::{self, TokenPair};

/// Who acts before anybody is known.
const NOBODY: &str = "anonymous";

/// What a person has in hand after asking; the rest is in the mail.
pub struct Asked {
    /// Opaque; also the browser's cookie.
    pub challenge: String,
}

/// Everything that asking needs.
pub struct Asking<'a> {
    /// The database.
    pub db: &'a Db,
    /// Vouches for what is written.
    pub notary: &'a Notary,
    /// Takes the mail.
    pub queue: &'a Queue,
    /// Makes ids and tokens.
    pub entropy: &'a Entropy,
    /// What the mail's link begins with.
    pub public_url: &'a PublicUrl,
    /// The request at hand.
    pub context: &'a RequestContext,
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
pub struct SigningIn<'a> {
    /// The database.
    pub db: &'a Db,
    /// Vouches for what is written.
    pub notary: &'a Notary,
    /// Signs the access token.
    pub tokens: &'a AccessTokens,
    /// Makes ids and tokens.
    pub entropy: &'a Entropy,
    /// The request at hand.
    pub context: &'a RequestContext,
}

/// Makes a challenge for an address, whoever it belongs to, if to anybody, and enqueues its mail: both or neither.
///
/// # Errors
/// See [`EnqueueError`].
pub async fn request(with: Asking<'_>, email: &EmailAddress) -> Result<Asked, EnqueueError> {
    let Asking { db, notary, queue, entropy, public_url, context } = with;
    let now = context.received_at;
    let row = entropy.uuid_v7(now);
    let challenge = Opaque::new::<CHALLENGE_BYTES>(row, entropy);
    let token = Opaque::new::<TOKEN_BYTES>(row, entropy);
    let code = new_code(entropy);
    let digests = sql::Digests {
        challenge: challenge.digest(),
        token: token.digest(),
        code: notary.sign_code(&code_meaning(&challenge, &code)),
    };
    let mut tx = db.system_tx(OperationalPath::RequestSignIn).await?;
    let challenge_row = sql::ChallengeRow::new(row, email, digests, now + CHALLENGE_TTL);
    let stamp = sql::insert_challenge(&mut tx, notary, &challenge_row, now).await?;
    let link = public_url.join(&format!("/auth/link?token={}", token.text));
    let message = mail::sign_in(email.as_str(), &link, &code, now + CHALLENGE_TTL);
    mail::send(queue, &mut tx, &message, now).await?;
    let entry = Entry::about(Action::SignInRequested, row).changing([stamp]);
    let recorded = ledger::stage_in_cell(&mut tx, entropy, context, NOBODY, &entry).await?;
    tx.commit(recorded).await?;
    Ok(Asked { challenge: challenge.text })
}

/// Signs in whoever shows a good link or code, and makes the person at their first sign-in.
///
/// # Errors
/// See [`SignInRefusal`].
pub async fn redeem(with: SigningIn<'_>, proof: Proof<'_>) -> Result<TokenPair, SignInRefusal> {
    let SigningIn { db, notary, tokens, entropy, context } = with;
    let now = context.received_at;
    let row = proof.row().ok_or(SignInRefusal::Failed)?;
    let mut tx = db.system_tx(OperationalPath::RedeemSignIn).await?;
    let found = sql::lock_challenge(&mut tx, notary, row).await?;
    let Some(mut challenge) = found.filter(|found| found.redeemed_at.is_none() && found.expires_at > now) else {
        return Err(SignInRefusal::Failed);
    };
    if let Err(refusal) = proof.check(&challenge, notary).await? {
        if matches!(refusal, Mismatch::WrongCode) {
            challenge.code_tries += 1;
            let stamp = sql::keep_challenge(&mut tx, notary, &challenge).await?;
            let entry =
                Entry::about(Action::SignInFailed, row).with(json!({"try": challenge.code_tries})).changing([stamp]);
            let recorded = ledger::stage_in_cell(&mut tx, entropy, context, NOBODY, &entry).await?;
            tx.commit(recorded).await?;
        }
        return Err(refusal.into());
    }
    challenge.redeemed_at = Some(now);
    let redeemed = sql::keep_challenge(&mut tx, notary, &challenge).await?;
    let (user, made) = find_or_make_user(&mut tx, notary, entropy, &challenge, context).await?;
    let opened = sessions::open(&mut tx, notary, entropy, user, now).await?;
    let entry = Entry::about(Action::SignedIn, opened.session)
        .with(json!({"by": proof.word(), "first": made.is_some()}))
        .changing([redeemed].into_iter().chain(made).chain(opened.stamps));
    let recorded = ledger::stage_in_cell(&mut tx, entropy, context, &user.to_string(), &entry).await?;
    tx.commit(recorded).await?;
    let access_token = tokens.issue(user, opened.session, now).map_err(SignInRefusal::Sign)?;
    Ok(TokenPair { access_token, refresh_token: opened.refresh_token, expires_in: ACCESS_TOKEN_TTL.whole_seconds() })
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
    fn row(&self) -> Option<uuid::Uuid> {
        match self {
            Self::Link { token, .. } => Opaque::parse::<TOKEN_BYTES>(token).map(|token| token.row),
            Self::Code { challenge, .. } => Opaque::parse::<CHALLENGE_BYTES>(challenge).map(|challenge| challenge.row),
        }
    }

    const fn word(&self) -> &'static str {
        match self {
            Self::Link { .. } => "link",
            Self::Code { .. } => "code",
        }
    }

    /// Inside, why it does not sign in.
    async fn check(&self, stored: &sql::ChallengeRow, notary: &Notary) -> Result<Result<(), Mismatch>, DbError> {
        let holds = |text: &str| {
            Opaque::parse::<CHALLENGE_BYTES>(text).filter(|held| held.digest().matches(&stored.challenge_digest))
        };
        Ok(match self {
            Self::Link { token, challenge } => {
                let token = Opaque::parse::<TOKEN_BYTES>(token);
                if !token.is_some_and(|token| token.digest().matches(&stored.token_digest)) {
                    return Ok(Err(Mismatch::Unknown));
                }
                challenge.and_then(holds).map(|_| ()).ok_or(Mismatch::OtherBrowser)
            }
            Self::Code { challenge, code } => {
                let Some(challenge) = holds(challenge).filter(|_| stored.code_tries < CODE_TRIES) else {
                    return Ok(Err(Mismatch::Unknown));
                };
                let is_it = notary.knows_code(&code_meaning(&challenge, code), &stored.code_digest).await?;
                if is_it { Ok(()) } else { Err(Mismatch::WrongCode) }
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
) -> Result<(UserId, Option<Stamp>), SignInRefusal> {
    let fresh: UserId = Id::from_uuid(entropy.uuid_v7(context.received_at));
    let made = sql::insert_user(tx, notary, fresh, challenge, context.received_at).await?;
    match sql::user_by_email_key(tx, notary, &challenge.email_key).await? {
        Some((user, None)) => Ok((user, made)),
        _ => Err(SignInRefusal::Failed),
    }
}
