//! What an operator does with a person: looks, keeps them out, lets them in again.

use bailiwick_proof::id::UserId;
use serde_json::json;
use time::OffsetDateTime;

use super::sql;
use crate::authz::{Notary, Person};
use crate::clock::Clock;
use crate::context::RequestContext;
use crate::db::{Db, DbError, OperationalPath, SystemTx, Xid};
use crate::entropy::Entropy;
use crate::factors;
use crate::identity::{self, EmailAddress};
use crate::ledger::{self, Action, Entry, OPERATOR};
use crate::sessions::{self, EndedAll};

/// The longest reason.
pub const MOST_REASON_CHARS: usize = 500;

/// Somebody, as an operator names them.
#[derive(Clone, Debug)]
pub enum Who {
    /// By their id.
    Id(UserId),
    /// By their address.
    Address(EmailAddress),
}

impl std::str::FromStr for Who {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with("usr_") {
            return text.parse().map(Self::Id).map_err(|_| "not a user's id");
        }
        text.parse().map(Self::Address).map_err(|_| "neither an address nor a user's id (usr_…)")
    }
}

/// What an operator is told of a person.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Who.
    pub user: UserId,
    /// Their address; nothing if the account was deleted.
    pub email: Option<String>,
    /// When they first signed in.
    pub created_at: OffsetDateTime,
    /// Since when they are kept out.
    pub suspended_at: Option<OffsetDateTime>,
    /// Sessions that live.
    pub sessions: i64,
    /// Workspaces that they belong to.
    pub workspaces: i64,
}

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum PeopleError {
    /// There is nobody, or nobody vouches for them.
    #[error("there is no such person, or nobody vouches for their row: see `bailiwickd alerts list`")]
    Nobody,
    /// The account was deleted: there is nobody to keep out or to let in.
    #[error("that account was deleted")]
    Deleted,
    /// It is as it was to be.
    #[error("{0}")]
    AsBefore(&'static str),
    /// The reason says nothing, or too much.
    #[error("a reason has 1 to {MOST_REASON_CHARS} characters, all of them to be seen")]
    Reason,
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// What a command works with.
pub struct Desk<'a> {
    /// The database.
    pub db: &'a Db,
    /// Vouches for people.
    pub notary: &'a Notary,
    /// Tells the time.
    pub clock: &'a Clock,
    /// Makes ids.
    pub entropy: &'a Entropy,
}

/// What was done.
#[derive(Debug)]
pub struct Done {
    /// To whom.
    pub user: UserId,
    /// Sessions that ended.
    pub sessions_ended: usize,
    /// By which transaction, for whoever waits until every node knows.
    pub changed: Xid,
}

async fn hold(tx: &mut SystemTx, notary: &Notary, who: &Who) -> Result<Person, PeopleError> {
    let held = match who {
        Who::Id(user) => Person::hold(tx, notary, *user).await?,
        Who::Address(address) => Person::hold_by_address(tx, notary, &address.key()).await?,
    };
    held.ok_or(PeopleError::Nobody)
}

/// Looks at a person.
///
/// # Errors
/// See [`PeopleError`].
pub async fn show(desk: &Desk<'_>, who: &Who) -> Result<Shown, PeopleError> {
    let mut tx = desk.db.system_tx(OperationalPath::ManagePeople).await?;
    let person = hold(&mut tx, desk.notary, who).await?;
    let (sessions, workspaces) = sql::counts(&mut tx, person.user, desk.clock.now()).await?;
    tx.finish_reading().await?;
    let email = (!person.is_deleted()).then_some(person.email);
    let (user, created_at, suspended_at) = (person.user, person.created_at, person.suspended_at);
    Ok(Shown { user, email, created_at, suspended_at, sessions, workspaces })
}

/// Keeps a person out: no sign-in of theirs succeeds any more, and all their sessions end. Keys that they have made are their workspaces'
/// and go on.
///
/// # Errors
/// See [`PeopleError`].
pub async fn suspend(desk: &Desk<'_>, who: &Who, reason: &str) -> Result<Done, PeopleError> {
    change(desk, who, reason, true).await
}

/// Lets a person in again, with a new sign-in.
///
/// # Errors
/// See [`PeopleError`].
pub async fn restore(desk: &Desk<'_>, who: &Who, reason: &str) -> Result<Done, PeopleError> {
    change(desk, who, reason, false).await
}

async fn change(desk: &Desk<'_>, who: &Who, reason: &str, out: bool) -> Result<Done, PeopleError> {
    let Desk { db, notary, clock, entropy } = desk;
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > MOST_REASON_CHARS || reason.chars().any(char::is_control) {
        return Err(PeopleError::Reason);
    }
    let context = RequestContext::internal(clock, entropy);
    let now = context.received_at;
    let mut tx = db.system_tx(OperationalPath::ManagePeople).await?;
    let mut person = hold(&mut tx, notary, who).await?;
    if person.is_deleted() {
        return Err(PeopleError::Deleted);
    }
    match (out, person.suspended_at.is_some()) {
        (true, true) => return Err(PeopleError::AsBefore("they are suspended already")),
        (false, false) => return Err(PeopleError::AsBefore("they are not suspended")),
        _ => {}
    }
    // Also when somebody is let in again: a sign-in that was under way when they were suspended may have left a session.
    let EndedAll { count: sessions_ended, mut stamps } =
        sessions::end_all_within(&mut tx, notary, &mut person, None, now).await?;
    // Nor does what was begun or sent until now let anybody in later.
    stamps.extend(identity::void_challenges(&mut tx, notary, &person.email_key, now).await?);
    stamps.extend(factors::void_second_steps(&mut tx, notary, &person, now).await?);
    person.suspended_at = out.then_some(now);
    stamps.push(person.keep(&mut tx, notary).await?);
    let action = if out { Action::PersonSuspended } else { Action::PersonRestored };
    let told = json!({"reason": reason, "sessions_ended": sessions_ended});
    let entry = Entry::about(action, person.user).with(told).changing(stamps);
    let recorded = ledger::stage_in_cell(&mut tx, entropy, &context, OPERATOR, &entry).await?;
    let changed = tx.xid().await?;
    tx.commit(recorded).await?;
    Ok(Done { user: person.user, sessions_ended, changed })
}
