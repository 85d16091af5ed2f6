//! Erasures in the console: the list, one of them, and the way there: a name, what it would reach, and the name once more.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use bailiwick_proof::id::ErasureId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Eraser;
use super::http::{self, ErasureQuery};
use super::model::{Erasure, ErasureAnswer, FieldCounts, RequestErasure, State as Stage};
use crate::audit::Subject;
use crate::authz::{Granted, Permission, may};
use crate::console::{Area, Desk, Field, IdChip, Listing, Moment, Noun, SENT_BEFORE, Visit};
use crate::db::Db;
use crate::http::{Changes, Code, Form, Idempotency, PathId, Problem, Query};
use crate::jobs::Queue;
use crate::members::Names;
use crate::workspaces;

const NOUN: Noun = Noun { one: "erasure", many: "erasures" };

/// `/w/{workspace}/{environment}/erasures`.
#[derive(Template)]
#[template(path = "erasure/index.html")]
struct IndexPage {
    desk: Desk,
    erasures: Vec<ErasureView>,
    list: Listing,
}

/// An erasure in words.
struct ErasureView {
    id: IdChip,
    is_over: bool,
    done: u64,
    of: u64,
    commitment: String,
    by: String,
    requested: Moment,
    finished: Option<Moment>,
    certificate: Option<String>,
}

impl ErasureView {
    fn of(erasure: Erasure, names: &Names, desk: &Desk, visit: &Visit) -> Self {
        let certificate = erasure.certificate_event_id.filter(|_| desk.may(Permission::ReadAudit));
        Self {
            id: IdChip::new(erasure.id, desk.path(&format!("/erasures/{}", erasure.id))),
            is_over: erasure.state == Stage::Finished,
            done: erasure.fields_erased,
            of: erasure.fields_found,
            commitment: erasure.subject_commitment,
            by: names.of(erasure.requested_by),
            requested: visit.moment(erasure.requested_at),
            finished: erasure.finished_at.map(|at| visit.moment(at)),
            certificate: certificate.map(|event| desk.path(&format!("/audit/{event}"))),
        }
    }
}

/// The part of the query that the page itself shows.
#[derive(Deserialize)]
pub struct Shown {
    cursor: Option<String>,
}

/// `GET /w/{workspace}/{environment}/erasures`.
///
/// # Errors
/// As the API's.
pub async fn index(
    granted: Granted<may::ReadErasures>,
    visit: Visit,
    State(db): State<Db>,
    Query(query): Query<ErasureQuery>,
    Query(shown): Query<Shown>,
) -> Result<Response, Problem> {
    let desk = workspaces::desk(&visit, &granted, &db, Area::Audit).await?;
    let page = http::page(&granted, &db, query).await?;
    let names = Names::look_up(&granted, &db).await?;
    let path = desk.path("/erasures");
    let list = Listing::new(NOUN, page.data.len(), &path, shown.cursor.as_deref(), page.next_cursor.as_deref());
    let erasures = page.data.into_iter().map(|erasure| ErasureView::of(erasure, &names, &desk, &visit)).collect();
    visit.page(&IndexPage { erasures, list, desk })
}

/// `…/erasures/{id}`.
#[derive(Template)]
#[template(path = "erasure/show.html")]
struct ShowPage {
    desk: Desk,
    erasure: ErasureView,
}

/// `GET /w/{workspace}/{environment}/erasures/{id}`.
///
/// # Errors
/// `not_found`.
pub async fn show(
    granted: Granted<may::ReadErasures>,
    visit: Visit,
    State(db): State<Db>,
    PathId(id): PathId<ErasureId>,
) -> Result<Response, Problem> {
    let desk = workspaces::desk(&visit, &granted, &db, Area::Audit).await?;
    let found = http::find(&granted, &db, id).await?;
    let names = Names::look_up(&granted, &db).await?;
    visit.page(&ShowPage { erasure: ErasureView::of(found, &names, &desk, &visit), desk })
}

/// `…/erasures/new`: who is meant.
#[derive(Template)]
#[template(path = "erasure/new.html")]
struct NewPage {
    desk: Desk,
    subject: Field,
    must_sign_in: bool,
}

/// `…/erasures/look` and what comes back from `…/erasures`: what it would reach, and the name once more.
#[derive(Template)]
#[template(path = "erasure/confirm.html")]
struct ConfirmPage {
    desk: Desk,
    idempotency_key: Uuid,
    subject: String,
    fields: FieldCounts,
    confirm: Field,
    fault: Option<&'static str>,
}

/// The answer to `…/erasures`: shown once.
#[derive(Template)]
#[template(path = "erasure/asked.html")]
struct AskedPage {
    desk: Desk,
    href: String,
    opening: String,
}

/// `GET /w/{workspace}/{environment}/erasures/new`.
///
/// # Errors
/// `forbidden`.
pub async fn new(granted: Granted<may::EraseSubject>, visit: Visit, State(db): State<Db>) -> Result<Response, Problem> {
    let desk = workspaces::desk(&visit, &granted, &db, Area::Audit).await?;
    visit.page(&NewPage { desk, subject: Field::default(), must_sign_in: !granted.is_stepped_up() })
}

/// Who was typed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LookInput {
    subject: String,
}

/// `POST /w/{workspace}/{environment}/erasures/look`: changes nothing.
///
/// # Errors
/// As the API's.
pub async fn look(
    granted: Granted<may::EraseSubject>,
    visit: Visit,
    State(db): State<Db>,
    State(changes): State<Changes>,
    State(eraser): State<Eraser>,
    State(queue): State<Queue>,
    Form(input): Form<LookInput>,
) -> Result<Response, Problem> {
    let desk = workspaces::desk(&visit, &granted, &db, Area::Audit).await?;
    let parts = Parts { granted: &granted, changes: &changes, eraser: &eraser, queue: &queue };
    match parts.dry_run(&input.subject).await {
        Ok(fields) => visit.page(&ConfirmPage {
            desk,
            idempotency_key: visit.form_key(),
            subject: input.subject,
            fields,
            confirm: Field::default(),
            fault: None,
        }),
        Err(Refusal::Typed(fault)) => {
            let subject = Field::typed(input.subject).with_fault(fault);
            visit.form_again(&NewPage { desk, subject, must_sign_in: false })
        }
        Err(Refusal::StaleSignIn) => {
            let page = NewPage { desk, subject: Field::typed(input.subject), must_sign_in: true };
            visit.page_with(StatusCode::FORBIDDEN, &page)
        }
        Err(Refusal::Problem(problem)) => Err(problem),
    }
}

/// What was typed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EraseInput {
    idempotency_key: Uuid,
    subject: String,
    confirm: String,
}

/// `POST /w/{workspace}/{environment}/erasures`.
///
/// # Errors
/// As the API's.
pub async fn erase(
    granted: Granted<may::EraseSubject>,
    visit: Visit,
    State(db): State<Db>,
    State(changes): State<Changes>,
    State(eraser): State<Eraser>,
    State(queue): State<Queue>,
    Form(input): Form<EraseInput>,
) -> Result<Response, Problem> {
    let desk = workspaces::desk(&visit, &granted, &db, Area::Audit).await?;
    let parts = Parts { granted: &granted, changes: &changes, eraser: &eraser, queue: &queue };
    let once = visit.once(input.idempotency_key, &input)?;
    let refusal = match parts.ask(&input, once).await {
        Ok((erasure, opening)) => {
            let href = desk.path(&format!("/erasures/{}", erasure.id));
            return visit.page(&AskedPage { desk, href, opening });
        }
        Err(refusal) => refusal,
    };
    let (confirm, fault) = match refusal {
        Refusal::Typed(fault) => (Field::typed(input.confirm).with_fault(fault), None),
        Refusal::Problem(problem) if problem.code() == Code::IdempotencyKeyReused => {
            (Field::typed(input.confirm), Some(SENT_BEFORE))
        }
        Refusal::StaleSignIn => {
            let page = NewPage { desk, subject: Field::typed(input.subject), must_sign_in: true };
            return visit.page_with(StatusCode::FORBIDDEN, &page);
        }
        Refusal::Problem(problem) => return Err(problem),
    };
    let Ok(fields) = parts.dry_run(&input.subject).await else { return Err(Problem::new(Code::NotFound)) };
    let idempotency_key = visit.form_key();
    visit.form_again(&ConfirmPage { desk, idempotency_key, subject: input.subject, fields, confirm, fault })
}

/// Why a form does not go on.
enum Refusal {
    /// What is wrong with what was typed.
    Typed(String),
    /// The sign-in is not fresh.
    StaleSignIn,
    /// Something else.
    Problem(Problem),
}

/// What both forms need.
struct Parts<'a> {
    granted: &'a Granted<may::EraseSubject>,
    changes: &'a Changes,
    eraser: &'a Eraser,
    queue: &'a Queue,
}

impl Parts<'_> {
    async fn dry_run(&self, subject: &str) -> Result<FieldCounts, Refusal> {
        let wanted = RequestErasure { subject: typed(subject)?, confirm: None, dry_run: true };
        Ok(self.send(&wanted, Idempotency::none()).await?.fields)
    }

    async fn ask(&self, input: &EraseInput, once: Idempotency) -> Result<(Erasure, String), Refusal> {
        if input.confirm != input.subject {
            return Err(Refusal::Typed(format!("That is somebody else. Type “{}”, exactly.", input.subject)));
        }
        let confirm = Some(input.confirm.clone());
        let wanted = RequestErasure { subject: typed(&input.subject)?, confirm, dry_run: false };
        let answer = self.send(&wanted, once).await?;
        let both = answer.erasure.zip(answer.subject_opening);
        both.ok_or_else(|| Refusal::Problem(Problem::new(Code::NotFound)))
    }

    async fn send(&self, wanted: &RequestErasure, once: Idempotency) -> Result<ErasureAnswer, Refusal> {
        let Self { granted, changes, eraser, queue } = self;
        let reply =
            http::ask(granted, changes, eraser, queue, wanted, once).await.map_err(|problem| match problem.code() {
                Code::StepUpRequired => Refusal::StaleSignIn,
                Code::NotFound => {
                    Refusal::Typed("Nothing is recorded of this subject. Look at how its entries name it.".to_owned())
                }
                Code::ErasureUnderWay => Refusal::Typed("This subject is being erased already.".to_owned()),
                Code::LegalHold => {
                    Refusal::Typed("A legal hold is open: nobody is erased until an owner releases it.".to_owned())
                }
                _ => Refusal::Problem(problem),
            })?;
        reply.read().map_err(Refusal::Problem)
    }
}

fn typed(subject: &str) -> Result<Subject, Refusal> {
    subject.parse().map_err(|error| Refusal::Typed(format!("Name a subject as its entries do: {error}.")))
}
