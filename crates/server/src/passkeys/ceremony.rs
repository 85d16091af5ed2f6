//! A challenge from when it is handed out until somebody comes back with it: kept here, sealed, and taken once.
//!
//! A row tells nothing but until when it is kept. What the challenge is for, whose it is and until when it is good is sealed with
//! it, bound to its id: whoever writes into the database makes no challenge, and gives none to another.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;
use webauthn_rs::prelude::{DiscoverableAuthentication, PasskeyRegistration};

use super::model::{CEREMONY_LIVES, PasskeyRefusal};
use super::sql;
use crate::authn::TokenDigest;
use crate::authz::SignedIn;
use crate::db::{OperationalPath, Unrecorded};
use crate::http::Changes;
use crate::vault::{Owner, PASSKEY_CEREMONY, Place, RowId};

/// What was asked, and of whom.
#[derive(Serialize, Deserialize)]
pub(super) enum Asked {
    /// Whoever sits at this browser is to show a passkey.
    SignIn {
        /// SHA-256 of the browser's cookie.
        browser: Vec<u8>,
        challenge: DiscoverableAuthentication,
    },
    /// Whoever has this session is to show a passkey once more.
    StepUp { session: Uuid, challenge: DiscoverableAuthentication },
    /// Whoever has this session is to make one.
    Register { session: Uuid, user_handle: Uuid, challenge: PasskeyRegistration },
}

#[derive(Serialize, Deserialize)]
struct Ceremony {
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
    asked: Asked,
}

/// Keeps what was asked, and answers by which id it is taken back.
pub(super) async fn keep(
    changes: &Changes,
    path: OperationalPath,
    asked: Asked,
    now: OffsetDateTime,
) -> Result<Uuid, PasskeyRefusal> {
    let (id, expires_at) = (changes.entropy.uuid_v7(now), now + CEREMONY_LIVES);
    let ceremony = serde_json::to_vec(&Ceremony { expires_at, asked })
        .map_err(|error| PasskeyRefusal::Internal("write a ceremony", error.into()))?;
    let row = RowId::new().uuid(id);
    let sealed = changes.vault.seal(Owner::Cell, &place(&row), &ceremony).await?;
    let mut tx = changes.db.system_tx(path).await?;
    sql::insert_ceremony(&mut tx, id, &sealed, expires_at).await?;
    tx.commit_unrecorded(Unrecorded::Challenged).await?;
    Ok(id)
}

/// Takes it back: of many who come at once one gets it, and whoever comes again gets nothing, whatever came of it.
pub(super) async fn take(
    changes: &Changes,
    path: OperationalPath,
    ceremony: &str,
    now: OffsetDateTime,
) -> Result<Asked, PasskeyRefusal> {
    let id = Uuid::try_parse(ceremony).map_err(|_| PasskeyRefusal::Failed)?;
    let mut tx = changes.db.system_tx(path).await?;
    let sealed = sql::take_ceremony(&mut tx, id).await?;
    tx.commit_unrecorded(Unrecorded::Challenged).await?;
    let sealed = sealed.ok_or(PasskeyRefusal::Failed)?;
    let row = RowId::new().uuid(id);
    let opened = match changes.vault.unseal(Owner::Cell, &place(&row), &sealed).await {
        Err(error) if error.is_tampering() => return Err(PasskeyRefusal::Failed),
        opened => opened?,
    };
    let Ceremony { expires_at, asked } =
        serde_json::from_slice(&opened).map_err(|error| PasskeyRefusal::Internal("read a ceremony", error.into()))?;
    if expires_at <= now { Err(PasskeyRefusal::Failed) } else { Ok(asked) }
}

impl Asked {
    /// The challenge, if it was for whoever sits at this browser.
    pub(super) fn of_browser(self, cookie: Option<&str>) -> Result<DiscoverableAuthentication, PasskeyRefusal> {
        match (self, cookie) {
            (Self::SignIn { browser, challenge }, Some(cookie))
                if TokenDigest::of(cookie.as_bytes()).matches(&browser) =>
            {
                Ok(challenge)
            }
            _ => Err(PasskeyRefusal::Failed),
        }
    }

    /// The challenge, if it was for this session to show a passkey.
    pub(super) fn for_step_up(self, person: &SignedIn) -> Result<DiscoverableAuthentication, PasskeyRefusal> {
        match self {
            Self::StepUp { session, challenge } if session == person.session().uuid() => Ok(challenge),
            _ => Err(PasskeyRefusal::Failed),
        }
    }

    /// The challenge, if it was for this session to make one, and by what the authenticator is to know its person.
    pub(super) fn for_registration(self, person: &SignedIn) -> Result<(PasskeyRegistration, Uuid), PasskeyRefusal> {
        match self {
            Self::Register { session, user_handle, challenge } if session == person.session().uuid() => {
                Ok((challenge, user_handle))
            }
            _ => Err(PasskeyRefusal::Failed),
        }
    }
}

fn place(row: &RowId) -> Place<'_> {
    Place { column: &PASSKEY_CEREMONY, row: row.as_bytes(), subject: None }
}
