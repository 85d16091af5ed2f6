//! Who belongs to a workspace, who is invited, and what each role may do.

mod confirm;
mod matrix;
mod person;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{AppendHeaders, IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use self::confirm::{ask_leave, ask_remove, ask_transfer, leave, remove, transfer};
use self::matrix::{Matrix, RoleChoice};
pub use self::person::{change_role, show};
use super::invitations::http::{self as invitations, Post};
use super::{CreateInvitation, Invitation, Member, http};
use crate::authz::may::Needs;
use crate::authz::{Granted, Permission, Role, may};
use crate::console::{Area, Desk, Field, Flash, IdChip, Listing, Moment, Noun, SENT_BEFORE, Visit};
use crate::db::Db;
use crate::http::{Changes, Code, Form, Idempotency, ListQuery, PathId, Problem, Query};
use crate::members::invitations::InvitationStatus;
use crate::workspaces;

const NOUN: Noun = Noun { one: "person", many: "people" };

/// `/w/{workspace}/{environment}/members`.
#[derive(Template)]
#[template(path = "members/index.html")]
struct IndexPage {
    desk: Desk,
    members: Vec<MemberRow>,
    list: Listing,
    invitations: Vec<InvitationRow>,
    form: InviteForm,
    matrix: Matrix,
}

struct MemberRow {
    email: String,
    role: Role,
    you: bool,
    id: IdChip,
    joined: Moment,
    href: String,
}

impl MemberRow {
    fn of(member: Member, desk: &Desk, visit: &Visit) -> Self {
        let Member { user_id, email, role, joined_at } = member;
        let (you, href) = (email == desk.person, desk.path(&format!("/members/{user_id}")));
        Self { email, role, you, id: IdChip::of_row(user_id), joined: visit.moment(joined_at), href }
    }
}

struct InvitationRow {
    email: String,
    role: Role,
    is_expired: bool,
    sent: Moment,
    expires: Moment,
    resend_href: String,
    revoke_href: String,
}

impl InvitationRow {
    fn of(invitation: Invitation, desk: &Desk, visit: &Visit) -> Self {
        let path = |verb: &str| desk.path(&format!("/invitations/{}/{verb}", invitation.id));
        Self {
            resend_href: path("resend"),
            revoke_href: path("revoke"),
            email: invitation.email,
            role: invitation.role,
            is_expired: invitation.status == InvitationStatus::Expired,
            sent: visit.moment(invitation.sent_at),
            expires: visit.moment(invitation.expires_at),
        }
    }
}

struct InviteForm {
    idempotency_key: Uuid,
    email: Field,
    roles: Vec<RoleChoice>,
    fault: Option<&'static str>,
    must_sign_in: bool,
    /// Too often, and when again.
    limited: Option<Problem>,
    /// It was the mail of an invitation that is there already.
    is_resent: bool,
}

impl InviteForm {
    fn typed(visit: &Visit, email: &str, role: &str) -> Self {
        let idempotency_key = visit.form_key();
        let (email, roles) = (Field::typed(email), RoleChoice::all(role));
        Self { idempotency_key, email, roles, fault: None, must_sign_in: false, limited: None, is_resent: false }
    }

    fn has_faults(&self) -> bool {
        self.fault.is_some() || self.email.fault.is_some() || self.must_sign_in || self.limited.is_some()
    }

    /// Why no mail went out to somebody who is invited already.
    fn not_resent(&self) -> Option<String> {
        let limited = self.limited.as_ref().filter(|_| self.is_resent)?;
        Some(format!("Nothing was sent. {}", limited.explanation()))
    }

    const fn status(&self) -> StatusCode {
        match (self.must_sign_in, &self.limited) {
            (true, _) => StatusCode::FORBIDDEN,
            (false, Some(_)) => StatusCode::TOO_MANY_REQUESTS,
            (false, None) => StatusCode::UNPROCESSABLE_ENTITY,
        }
    }
}

/// Whether a page of the list is its first.
#[derive(Deserialize)]
pub struct Cursor {
    cursor: Option<String>,
}

/// `GET /w/{workspace}/{environment}/members`.
///
/// # Errors
/// As the API's.
pub async fn index(
    granted: Granted<may::ReadMembers>,
    visit: Visit,
    State(db): State<Db>,
    Query(query): Query<ListQuery>,
    Query(Cursor { cursor }): Query<Cursor>,
) -> Result<Response, Problem> {
    let form = InviteForm::typed(&visit, "", Role::Member.as_str());
    visit.page(&index_page(&visit, &granted, &db, (&query, cursor.as_deref()), form).await?)
}

async fn index_page<P: Needs>(
    visit: &Visit,
    granted: &Granted<P>,
    db: &Db,
    (query, cursor): (&ListQuery, Option<&str>),
    form: InviteForm,
) -> Result<IndexPage, Problem> {
    let desk = workspaces::desk(visit, granted, db, Area::People).await?;
    let page = http::page(granted, (db, visit.notary()), query).await?;
    let list = Listing::new(NOUN, page.data.len(), &desk.path("/members"), cursor, page.next_cursor.as_deref());
    let members = page.data.into_iter().map(|member| MemberRow::of(member, &desk, visit)).collect();
    let mut invited = Vec::new();
    if desk.may(Permission::ReadInvitations) {
        // There are never more: so many can be open.
        invited = invitations::page(granted, db, &ListQuery::new(Some(100), None)).await?.data;
    }
    let invitations = invited.into_iter().map(|invitation| InvitationRow::of(invitation, &desk, visit)).collect();
    Ok(IndexPage { members, list, invitations, form, matrix: Matrix::seen_by(desk.role), desk })
}

/// The form that invites.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InviteInput {
    idempotency_key: Uuid,
    email: String,
    role: String,
}

/// `POST /w/{workspace}/{environment}/members`: invites somebody.
///
/// # Errors
/// As the API's.
pub async fn invite(
    granted: Granted<may::ManageMembers>,
    visit: Visit,
    State(db): State<Db>,
    State(changes): State<Changes>,
    State(post): State<Post>,
    Form(input): Form<InviteInput>,
) -> Result<Response, Problem> {
    let mut form = InviteForm::typed(&visit, &input.email, &input.role);
    if let Some(new) = parse(&input, &mut form) {
        let once = visit.once(input.idempotency_key, &input)?;
        match invitations::invite(&granted.in_live(), &changes, &post, &new, once).await {
            Ok(_) => {
                let desk = workspaces::desk(&visit, &granted, &db, Area::People).await?;
                return Ok(visit.done(&desk.path("/members"), Flash::Invited));
            }
            Err(problem) => refuse(problem, &mut form)?,
        }
    }
    form_again(&visit, &granted, &db, form).await
}

async fn form_again<P: Needs>(
    visit: &Visit,
    granted: &Granted<P>,
    db: &Db,
    form: InviteForm,
) -> Result<Response, Problem> {
    let (status, limited) = (form.status(), form.limited.clone());
    let page = index_page(visit, granted, db, (&ListQuery::default(), None), form).await?;
    let page = visit.page_with(status, &page)?;
    Ok(match limited {
        Some(problem) => (AppendHeaders(problem.headers().to_vec()), page).into_response(),
        None => page,
    })
}

fn parse(input: &InviteInput, form: &mut InviteForm) -> Option<CreateInvitation> {
    let email = input.email.parse().map_err(|_| {
        let fault = "That is not an e-mail address. It has a name, an @ and a host, as in ada@example.com.";
        form.email.fault = Some(fault.to_owned());
    });
    let role = input.role.parse().map_err(|_| form.fault = Some("Choose a role."));
    Some(CreateInvitation { email: email.ok()?, role: role.ok()? })
}

/// Puts what was refused beside its field; what is none of the form's business stays a problem.
fn refuse(problem: Problem, form: &mut InviteForm) -> Result<(), Problem> {
    let beside = |text: &str| Some(text.to_owned());
    match problem.code() {
        Code::AlreadyMember => form.email.fault = beside("Somebody with this address is a member already."),
        Code::AlreadyInvited => {
            form.email.fault = beside("This address is invited already. Send that mail again, below.");
        }
        Code::StepUpRequired => form.must_sign_in = true,
        Code::RateLimited => {
            form.email.fault = Some(format!("Nothing was sent. {}", problem.explanation()));
            form.limited = Some(problem);
        }
        Code::IdempotencyKeyReused => form.fault = Some(SENT_BEFORE),
        Code::InvalidBody => form.fault = Some("A hundred invitations are open. Revoke those that nobody takes."),
        _ => return Err(problem),
    }
    Ok(())
}

/// `POST /w/{workspace}/{environment}/invitations/{id}/resend`.
///
/// # Errors
/// As the API's.
pub async fn resend(
    granted: Granted<may::ManageMembers>,
    visit: Visit,
    State(db): State<Db>,
    State(changes): State<Changes>,
    State(post): State<Post>,
    PathId(invitation): PathId<bailiwick_proof::id::InvitationId>,
) -> Result<Response, Problem> {
    let sent = invitations::send_again(&granted.in_live(), &changes, &post, invitation, Idempotency::none()).await;
    let mut form = InviteForm::typed(&visit, "", Role::Member.as_str());
    match sent {
        Err(problem) if problem.code() == Code::StepUpRequired => {
            form.must_sign_in = true;
            form_again(&visit, &granted, &db, form).await
        }
        Err(problem) if problem.code() == Code::RateLimited => {
            (form.limited, form.is_resent) = (Some(problem), true);
            form_again(&visit, &granted, &db, form).await
        }
        sent => {
            sent?;
            let desk = workspaces::desk(&visit, &granted, &db, Area::People).await?;
            Ok(visit.done(&desk.path("/members"), Flash::InvitationSent))
        }
    }
}

/// `POST /w/{workspace}/{environment}/invitations/{id}/revoke`.
///
/// # Errors
/// As the API's.
pub async fn revoke(
    granted: Granted<may::ManageMembers>,
    visit: Visit,
    State(db): State<Db>,
    State(changes): State<Changes>,
    PathId(invitation): PathId<bailiwick_proof::id::InvitationId>,
) -> Result<Response, Problem> {
    let desk = workspaces::desk(&visit, &granted, &db, Area::People).await?;
    invitations::end(&granted.in_live(), &changes, invitation, Idempotency::none()).await?;
    Ok(visit.done(&desk.path("/members"), Flash::InvitationRevoked))
}
