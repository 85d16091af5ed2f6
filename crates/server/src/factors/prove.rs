//! Is what a person typed a factor of theirs?
//!
//! # Invariants
//! - Whoever asks holds the person's row: of two who come with one code at the same moment, the second sees that it is used.
//! - A code counts once: the step is written down in the transaction that takes it.
//! - The wrong ones are counted for the person, and a few more have to wait ([`Holder`]).

use time::{Duration, OffsetDateTime};

use super::holder::{FREE, Holder};
use super::model::{FactorError, Typed};
use super::sql::{self, Row};
use super::{recovery, totp};
use crate::authz::vouched::stamp::Stamp;
use crate::authz::{Notary, Person};
use crate::db::SystemTx;
use crate::sessions::SignInMethod;
use crate::vault::{self, Owner, Place, RowId, Vault};

/// What it came to. Stamps are for the entry.
pub(super) enum Verdict {
    /// It is.
    Proven(Proven),
    /// It is not.
    Wrong {
        /// So many in a row now.
        failures: i32,
        stamps: Vec<Stamp>,
    },
    /// Nothing was looked at: for so long.
    Wait(Duration),
}

/// A factor that was shown.
pub(super) struct Proven {
    pub(super) by: SignInMethod,
    /// How many recovery codes are left, where one was used.
    pub(super) codes_left: Option<usize>,
    pub(super) stamps: Vec<Stamp>,
}

impl Proven {
    /// As entries tell it.
    pub(super) const fn word(&self) -> &'static str {
        match self.codes_left {
            Some(_) => "recovery_code",
            None => "totp",
        }
    }
}

/// Whether these many wrong codes are as many as their person should hear of.
pub(super) const fn is_guessing(failures: i32) -> bool {
    failures == FREE
}

/// Looks at what was typed. The person's row is held.
pub(super) async fn check(
    tx: &mut SystemTx,
    (notary, vault): (&Notary, &Vault),
    person: &Person,
    typed: &Typed,
    now: OffsetDateTime,
) -> Result<Verdict, FactorError> {
    let Some(mut holder) = sql::holder(tx, notary, person).await? else {
        return Err(FactorError::Failed);
    };
    let found = match typed {
        Typed::Code(_) if holder.wait(now).is_some() => {
            return Ok(Verdict::Wait(holder.wait(now).unwrap_or_default()));
        }
        Typed::Code(code) => by_code(tx, (notary, vault), person, code, now).await?,
        Typed::RecoveryCode(code) => by_recovery_code(notary, &mut holder, code).await?,
        Typed::Nonsense => None,
    };
    match found {
        // Nobody guesses a recovery code, and whoever types anything else keeps the owner's authenticator from nothing.
        None if !matches!(typed, Typed::Code(_)) => Ok(Verdict::Wrong { failures: 0, stamps: Vec::new() }),
        None => {
            holder.failed(now);
            let stamps = vec![sql::keep_holder(tx, notary, &mut holder).await?];
            Ok(Verdict::Wrong { failures: holder.failures, stamps })
        }
        Some(mut proven) => {
            if proven.codes_left.is_some() || holder.failures > 0 {
                holder.succeeded();
                proven.stamps.push(sql::keep_holder(tx, notary, &mut holder).await?);
            }
            Ok(Verdict::Proven(proven))
        }
    }
}

async fn by_code(
    tx: &mut SystemTx,
    (notary, vault): (&Notary, &Vault),
    person: &Person,
    code: &str,
    now: OffsetDateTime,
) -> Result<Option<Proven>, FactorError> {
    for mut row in sql::authenticators(tx, notary, person).await? {
        if row.confirmed_at.is_none() {
            continue;
        }
        if let Some(step) = step_of(vault, &row, code, now).await? {
            (row.last_step, row.last_used_at) = (step, Some(now));
            let stamps = vec![sql::keep_authenticator(tx, notary, &mut row).await?];
            return Ok(Some(Proven { by: SignInMethod::MailAndTotp, codes_left: None, stamps }));
        }
    }
    Ok(None)
}

/// The step of the code, if this authenticator shows it and it was not used.
pub(super) async fn step_of(
    vault: &Vault,
    row: &Row,
    code: &str,
    now: OffsetDateTime,
) -> Result<Option<i64>, FactorError> {
    let Some(sealed) = &row.secret_sealed else { return Ok(None) };
    let place = RowId::new().uuid(row.id);
    let at = Place { column: &vault::AUTHENTICATOR, row: place.as_bytes(), subject: None };
    let secret = vault.unseal(Owner::Cell, &at, sealed).await?;
    Ok(totp::accepted(&secret, code, now, row.last_step))
}

async fn by_recovery_code(notary: &Notary, holder: &mut Holder, code: &str) -> Result<Option<Proven>, FactorError> {
    let meaning = recovery::meaning(holder.user, code);
    let mut kept = Vec::with_capacity(holder.recovery_codes.len());
    let mut found = false;
    for stored in std::mem::take(&mut holder.recovery_codes) {
        if !found && notary.knows_code(&meaning, &stored).await? {
            found = true;
        } else {
            kept.push(stored);
        }
    }
    holder.recovery_codes = kept;
    let codes_left = Some(holder.recovery_codes.len());
    Ok(found.then(|| Proven { by: SignInMethod::MailAndRecoveryCode, codes_left, stamps: Vec::new() }))
}
