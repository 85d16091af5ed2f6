//! How many sign-in mails one address gets, whoever asks; in the database, so that all nodes count together.
//!
//! An address is a bucket that holds so many mails and fills by one each [`REFILL`]. Whoever asks when it is empty is answered like
//! everybody else, and their challenge is *merged* into the newest mail that went out: the code of that mail, or of a newer
//! one, is the code of theirs. So a flood brings one mail each ten minutes, and the owner, who reads them, signs in through it at any
//! time: while somebody goes on asking, the newest mail is younger than that, and its code is good for longer.
//!
//! # Invariants
//! - Only codes are shared. A link still works in the browser alone that asked for its mail.
//! - A code is redeemed once, whoever shares it: redeeming one uses up the challenge whose mail it stood in.
//! - Each challenge has its own five tries, so nobody uses up another's.
//! - Whoever signs in has read the mailbox: its bucket is full again.
//! - Nobody waits for a bucket that is there: of many who ask at once for one address one takes of it, and the others are merged.

use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::model::CHALLENGE_TTL;
use super::sql::{self, Budget, ChallengeRow, Challenged};
use crate::authz::Notary;
use crate::authz::vouched::stamp::Stamp;
use crate::config;
use crate::db::{DbError, SystemTx};

/// Brings one more mail. Shorter than a code is good for, or a flood would leave a time without one that is.
const REFILL: Duration = Duration::minutes(10);
const _: () = assert!(REFILL.whole_minutes() < CHALLENGE_TTL.whole_minutes());

/// How many mails an address gets at once.
#[derive(Clone, Copy, Debug)]
pub struct MailBudget {
    most: u32,
}

impl MailBudget {
    /// As it is configured.
    #[must_use]
    pub const fn of(limits: config::Limits) -> Self {
        Self { most: limits.sign_in_mails }
    }

    /// Takes a mail for this challenge out of the address's bucket; the challenge whose mail is the newest if there is none.
    pub(super) async fn take(
        self,
        tx: &mut SystemTx,
        email_key: &str,
        challenge: Uuid,
        now: OffsetDateTime,
    ) -> Result<Option<Uuid>, DbError> {
        let (full_at, newest) = match sql::lock_budget(tx, email_key).await? {
            Some(Budget { newest, full_at: Some(full_at) }) => (full_at, newest),
            // Somebody else is taking of it at this moment.
            Some(Budget { newest, full_at: None }) => return Ok(Some(newest)),
            None if sql::insert_budget(tx, email_key, now + REFILL, challenge).await? => return Ok(None),
            None => return sql::newest_mail(tx, email_key).await,
        };
        // Every address takes the same way, also one for which nothing changes.
        let (full_at, has_one) = self.after_one_more(full_at, now);
        let newest = if has_one { challenge } else { newest };
        sql::put_budget(tx, email_key, full_at, newest).await?;
        Ok((!has_one).then_some(newest))
    }

    /// When the bucket is full again once one more was taken, or whether there is none.
    fn after_one_more(self, full_at: OffsetDateTime, now: OffsetDateTime) -> (OffsetDateTime, bool) {
        // A clock that was put back must not keep it empty for longer than it takes to fill.
        let full_at = full_at.clamp(now, now + REFILL * self.most);
        let after = full_at + REFILL;
        if after <= now + REFILL * self.most { (after, true) } else { (full_at, false) }
    }
}

/// The challenges whose mail has this one's code: itself, or those of the mail that it was merged into and of the newest. Each takes
/// as many statements as the other.
pub(super) async fn mails_of(
    tx: &mut SystemTx,
    notary: &Notary,
    challenged: &Challenged,
    now: OffsetDateTime,
) -> Result<Vec<ChallengeRow>, DbError> {
    let own = &challenged.challenge;
    let of = match own.merged_into {
        Some(mailed) => [mailed, challenged.newest.unwrap_or(mailed)],
        None => [own.id; 2],
    };
    let mut mailed = sql::look_at_challenges(tx, notary, &of).await?;
    // What names them grants nothing: they have to be of this very address, and to have a mail.
    mailed.retain(|mailed| mailed.email_key == own.email_key && mailed.merged_into.is_none() && mailed.is_open(now));
    Ok(mailed)
}

/// Uses up the challenge whose mail's code signs somebody in; nothing if somebody else was quicker.
pub(super) async fn use_up(
    tx: &mut SystemTx,
    notary: &Notary,
    mailed: Uuid,
    now: OffsetDateTime,
) -> Result<Option<Stamp>, DbError> {
    let found = sql::lock_challenge(tx, notary, mailed).await?;
    let Some(Challenged { mut challenge, .. }) = found.filter(|found| found.challenge.is_open(now)) else {
        return Ok(None);
    };
    challenge.redeemed_at = Some(now);
    sql::keep_challenge(tx, notary, &challenge).await.map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_what_it_holds_and_then_one_each_ten_minutes() {
        let budget = MailBudget { most: 3 };
        let start = OffsetDateTime::UNIX_EPOCH;
        let (mut full_at, mut sent) = (start - Duration::hours(7), Vec::new());
        for second in 0..7_200 {
            let (after, has_one) = budget.after_one_more(full_at, start + Duration::seconds(second));
            full_at = after;
            if has_one {
                sent.push(second);
            }
        }
        assert_eq!(sent, [0, 1, 2, 600, 1_200, 1_800, 2_400, 3_000, 3_600, 4_200, 4_800, 5_400, 6_000, 6_600]);
        let far = start + Duration::days(9_000);
        let (full_at, has_one) = budget.after_one_more(far, start);
        assert_eq!((full_at, has_one), (start + REFILL * 3, false), "a clock that was put back");
    }
}
