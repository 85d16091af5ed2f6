//! Taking an invitation: from the token and the person to their membership, once.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use bailiwick_proof::id::InvitationId;
use serde_json::json;

pub use super::model::AcceptInvitation;
use super::model::Token;
use super::sql::{self, Found};
use crate::authz::{Notary, Permission, Redeemed, Role, SignedIn, await_person, is_still};
use crate::context::RequestContext;
use crate::db::{Db, DbError, OperationalPath, WorkspaceTx};
use crate::entropy::Entropy;
use crate::http::{Changes, Code, Json, Problem};
use crate::identity::EmailAddress;
use crate::ledger::{self, Action, Entry};
use crate::limits::Limits;
use crate::members::sql as people;
use crate::workspaces::{self, Workspace};

/// Why an invitation is not taken.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// Unknown, over, revoked, taken, or worth nothing any more; which of them is nobody's business.
    #[error("no such invitation")]
    Invalid,
    /// It is for another address than the one that the person has signed in with. Nothing was used up.
    #[error("the invitation is for another address")]
    OtherAddress,
    /// The person belongs to the workspace already. Nothing was used up.
    #[error("the person is a member already")]
    AlreadyMember,
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// What an invitation offers, for whoever has its token.
pub struct Offer {
    /// As the workspace's members call it.
    pub workspace: String,
    /// The address of whoever invites.
    pub invited_by: String,
    /// As what.
    pub role: Role,
    /// The address that is invited.
    pub email: String,
    /// Until when.
    pub expires_at: time::OffsetDateTime,
}

/// Looks at what a token offers. Nothing is used up.
///
/// # Errors
/// See [`AcceptError`].
pub async fn look(db: &Db, notary: &Notary, context: &RequestContext, token: &str) -> Result<Offer, AcceptError> {
    let Found { row, workspace_name, invited_by } = find(db, notary, context, token).await?;
    let role = row.role().ok_or(AcceptError::Invalid)?;
    Ok(Offer { workspace: workspace_name, invited_by, role, email: row.email, expires_at: row.expires_at })
}

async fn find(db: &Db, notary: &Notary, context: &RequestContext, token: &str) -> Result<Found, AcceptError> {
    let token = Token::parse(token).ok_or(AcceptError::Invalid)?;
    let mut tx = db.system_tx(OperationalPath::LookUpInvitation).await?;
    let found = sql::by_token(&mut tx, notary, &token.digest()).await?;
    tx.finish_reading().await?;
    found.filter(|found| found.row.is_good(context.received_at)).ok_or(AcceptError::Invalid)
}

/// Whether an invitation to this address is this person's.
#[must_use]
pub fn is_for(email_key: &str, person: &SignedIn) -> bool {
    person.email().parse::<EmailAddress>().is_ok_and(|own| own.key() == email_key)
}

/// Takes an invitation: of many at once, one does.
///
/// # Errors
/// See [`AcceptError`].
pub async fn take(
    db: &Db,
    (notary, entropy): (&Notary, &Entropy),
    person: &SignedIn,
    context: &RequestContext,
    token: &str,
) -> Result<Redeemed, AcceptError> {
    let found = find(db, notary, context, token).await?;
    if !is_for(&found.row.email_key, person) {
        return Err(AcceptError::OtherAddress);
    }
    let redeemed = Redeemed::of(found.row.workspace(), person.clone(), context.clone());
    let mut tx = db.workspace_tx(&redeemed).await?;
    let digest = found.row.token_digest.clone();
    join(&mut tx, notary, &redeemed, (found.row.id(), &digest)).await?.commit(tx, entropy).await?;
    Ok(redeemed)
}

/// What was changed, for its entry.
struct Joined {
    invitation: InvitationId,
    role: Role,
    stamps: Vec<crate::authz::vouched::stamp::Stamp>,
}

impl Joined {
    async fn commit(self, mut tx: WorkspaceTx, entropy: &Entropy) -> Result<(), AcceptError> {
        let entry = Entry::about(Action::InvitationAccepted, self.invitation)
            .with(json!({"role": self.role.as_str()}))
            .changing(self.stamps);
        let recorded = ledger::stage(&mut tx, entropy, entry);
        Ok(tx.commit(recorded).await?)
    }
}

/// Everything is looked at again under the lock of the workspace's people: the invitation, and what its maker has to give.
async fn join(
    tx: &mut WorkspaceTx,
    notary: &Notary,
    redeemed: &Redeemed,
    (invitation, digest): (InvitationId, &[u8]),
) -> Result<Joined, AcceptError> {
    await_person(tx, redeemed.person()).await?;
    people::lock_people(tx).await?;
    let now = tx.context().received_at;
    let held = sql::hold(tx, notary, invitation).await?;
    let same =
        |row: &sql::Row| row.is_good(now) && row.token_digest == digest && is_for(&row.email_key, redeemed.person());
    let mut row = held.filter(same).ok_or(AcceptError::Invalid)?;
    let role = row.role().ok_or(AcceptError::Invalid)?;
    let maker = people::hold(tx, notary, row.maker()).await?.map(|maker| maker.role.permissions());
    let gives =
        |has: &crate::authz::PermissionSet| has.contains(Permission::ManageMembers) && has.includes(role.permissions());
    maker.filter(gives).ok_or(AcceptError::Invalid)?;
    let admitted = people::admit(tx, notary, redeemed.person().user(), role).await?;
    let admitted = admitted.ok_or(AcceptError::AlreadyMember)?;
    if !is_still(tx, redeemed.person()).await? {
        return Err(AcceptError::Invalid);
    }
    row.accepted_at = Some(now);
    let taken = sql::keep(tx, notary, &mut row).await?;
    Ok(Joined { invitation, role, stamps: vec![admitted, taken] })
}

/// `POST /auth/accept-invite`: takes an invitation for the person who is signed in, and answers the workspace.
///
/// # Errors
/// `invitation_invalid`, `invitation_for_another`, `already_member`, `rate_limited`.
pub async fn accept(
    person: SignedIn,
    context: RequestContext,
    State(changes): State<Changes>,
    State(limits): State<Limits>,
    Json(body): Json<AcceptInvitation>,
) -> Result<Response, Problem> {
    let allowed = limits.redeem(&context)?;
    let with = (&changes.notary, &changes.entropy);
    let taken = take(&changes.db, with, &person, &context, &body.token).await;
    let workspace = joined(&changes, &taken.map_err(|error| allowed.on(error))?).await?;
    Ok((allowed.headers(), Json(workspace)).into_response())
}

/// The workspace that a person has joined, as they see it.
async fn joined(changes: &Changes, redeemed: &Redeemed) -> Result<Workspace, Problem> {
    use crate::db::Authority as _;
    let mut tx = changes.db.account_tx(redeemed.person()).await?;
    let found = workspaces::of_person(&mut tx, &changes.notary, redeemed.workspace()).await?;
    tx.finish_reading().await?;
    found.ok_or_else(|| Problem::new(Code::NotFound))
}

impl From<AcceptError> for Problem {
    fn from(error: AcceptError) -> Self {
        match error {
            AcceptError::Invalid => Self::new(Code::InvitationInvalid),
            AcceptError::OtherAddress => Self::new(Code::InvitationForAnother),
            AcceptError::AlreadyMember => Self::new(Code::AlreadyMember),
            AcceptError::Db(error) => error.into(),
        }
    }
}
