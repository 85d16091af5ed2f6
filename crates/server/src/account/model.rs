//! What is kept of a change under way, and why nothing is changed.

use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::context::RequestContext;
use crate::db::DbError;
use crate::feed::Unconfirmed;
use crate::http::{Changes, Problem};
use crate::identity::as_made;
use crate::jobs::{EnqueueError, Queue};
use crate::vault::Meaning;

/// How long both codes are good for.
pub(super) const CHANGE_LIVES: Duration = Duration::minutes(15);
/// Codes that may be wrong, of both together.
pub(super) const CODE_TRIES: i16 = 10;
/// So many changes a person asks for within an hour: each sends a mail to an address that they name.
pub(super) const MOST_IN_AN_HOUR: i64 = 5;
/// So often within [`MERGED_FOR`] an address is written to because somebody wants it, from however many accounts.
pub(super) const MOST_MAILED_TO_ONE: i64 = 3;
/// For so long the code of a mail is that of whoever wants the address after it: so long as a further mail is held back for it.
pub(super) const MERGED_FOR: Duration = Duration::hours(1);
/// Of so many mails: as many as go out from an hour before a change until the change is over, and then some.
pub(super) const MOST_MERGED: i64 = 8;

/// Everything that a change of an account needs besides the person.
#[derive(Clone, Copy)]
pub struct With<'a> {
    /// The database, and who vouches and tells every node.
    pub changes: &'a Changes,
    /// Takes the mails.
    pub queue: &'a Queue,
    /// The request at hand.
    pub context: &'a RequestContext,
}

/// Which of both addresses a code went to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// The one that the person has.
    Old,
    /// The one that they want.
    New,
}

impl Side {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Old => "old",
            Self::New => "new",
        }
    }

    /// What is stored of a code, under a key: it is bound to this change and to this side of it.
    pub(super) fn code_meaning(self, change: Uuid, code: &str) -> Meaning {
        Meaning::new().text("address").uuid(change).text(self.word()).text(&as_made(code))
    }
}

/// A change that waits for its codes, as its person is told of it.
pub struct Waiting {
    /// The address that they want.
    pub new_email: String,
    /// Whether the one that they have has confirmed it.
    pub old_confirmed: bool,
    /// Whether the other has.
    pub new_confirmed: bool,
    /// Until when.
    pub expires_at: OffsetDateTime,
}

/// What a code has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirmed {
    /// The other one is missing.
    One,
    /// The person has the new address.
    Both,
}

/// Why an account stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The person has not proven lately who they are.
    #[error("not a sign-in of a moment ago")]
    NotFresh,
    /// It is the address that they have.
    #[error("that is their address")]
    SameAddress,
    /// They have asked for too many within an hour.
    #[error("too many changes were asked for")]
    TooOften,
    /// No change waits, or it is over.
    #[error("no change waits for a code")]
    NothingWaits,
    /// The code is none of both.
    #[error("that is none of both codes")]
    WrongCode,
    /// Both have confirmed, and the address is somebody's meanwhile.
    #[error("the address is somebody's meanwhile")]
    Taken,
    /// What was typed to confirm it is something else.
    #[error("it was not confirmed")]
    NotConfirmed,
    /// These workspaces would be without an owner.
    #[error("the last owner of {} workspaces", .0.len())]
    LastOwner(Vec<String>),
    /// There is no such person, or nobody vouches for them.
    #[error("no such person")]
    Nobody,
    /// The mail cannot be handed over.
    #[error(transparent)]
    Mail(#[from] EnqueueError),
    /// It is done, and not every node has confirmed it.
    #[error(transparent)]
    Unconfirmed(#[from] Unconfirmed),
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl AccountError {
    /// For what a page does not tell beside its form.
    pub(super) fn into_problem(self) -> Problem {
        use crate::http::Code;
        match self {
            Self::NotFresh => Problem::new(Code::StepUpRequired),
            Self::TooOften => Problem::new(Code::RateLimited),
            Self::LastOwner(_) => Problem::new(Code::LastOwner),
            Self::Mail(error) => error.into(),
            Self::Unconfirmed(unconfirmed) => unconfirmed.into(),
            Self::Db(error) => error.into(),
            Self::Nobody => Problem::new(Code::SessionEnded),
            Self::SameAddress | Self::NothingWaits | Self::WrongCode | Self::Taken | Self::NotConfirmed => {
                Problem::new(Code::InvalidBody)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_of_one_change_and_one_side() {
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let own = Side::Old.code_meaning(one, "K7MQ-2WXD").digest();
        assert_eq!(own, Side::Old.code_meaning(one, "k7mq 2wxd").digest());
        assert_ne!(own, Side::New.code_meaning(one, "K7MQ-2WXD").digest());
        assert_ne!(own, Side::Old.code_meaning(other, "K7MQ-2WXD").digest());
    }
}
