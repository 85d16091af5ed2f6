//! A rotation in the console: the form that opens one, how far it is, and the button that says it is deployed.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use bailiwick_proof::id::{SecretId, SecretRotationId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{NO_VALUE, secret_path, typed_value};
use crate::authz::{Granted, Permission, may};
use crate::console::{Area, Choice, Desk, Flash, IdChip, Moment, SENT_BEFORE, Visit};
use crate::db::Db;
use crate::http::{Changes, Code, Form, PathId, Problem};
use crate::jobs::Queue;
use crate::secrets::http;
use crate::secrets::kind::Kind;
use crate::secrets::model::Secret;
use crate::secrets::rotation::{self, OpenRotation, Reason, SecretRotation, State as Stand};
use crate::workspaces;

/// `…/secrets/{id}/rotate`.
#[derive(Template)]
#[template(path = "secrets/rotate.html")]
struct RotatePage {
    desk: Desk,
    back: String,
    name: String,
    kind: Kind,
    idempotency_key: Uuid,
    reasons: Vec<Choice>,
    watches: Vec<Choice>,
    fault: Option<String>,
    value_fault: Option<String>,
}

impl RotatePage {
    fn new(desk: Desk, visit: &Visit, secret: Secret) -> Self {
        let reasons = Reason::ALL.map(|reason| Choice {
            value: reason.as_str().to_owned(),
            label: reason.label().to_owned(),
            chosen: reason == Reason::Scheduled,
        });
        let watches =
            [(0, "Not at all"), (3_600, "An hour"), (86_400, "A day"), (604_800, "7 days"), (2_592_000, "30 days")];
        let watches = watches.map(|(seconds, label)| Choice {
            value: seconds.to_string(),
            label: label.to_owned(),
            chosen: seconds == 86_400,
        });
        Self {
            back: secret_path(&desk, secret.id),
            name: secret.name,
            kind: secret.kind,
            idempotency_key: visit.form_key(),
            reasons: reasons.into(),
            watches: watches.into(),
            fault: None,
            value_fault: None,
            desk,
        }
    }

    fn has_faults(&self) -> bool {
        self.fault.is_some() || self.value_fault.is_some()
    }

    /// Filled in as it was sent, but for the value.
    fn fill_in(&mut self, input: &RotateInput) {
        let watch = input.watch_seconds.to_string();
        for (choices, value) in [(&mut self.reasons, &input.reason), (&mut self.watches, &watch)] {
            choices.iter_mut().for_each(|choice| choice.chosen = choice.value == *value);
        }
    }

    /// Puts what was refused beside its field; what is none of the form's business stays a problem.
    fn refuse(&mut self, problem: Problem) -> Result<(), Problem> {
        match problem.code() {
            Code::IdempotencyKeyReused => self.fault = Some(SENT_BEFORE.to_owned()),
            Code::RotationOpen => self.fault = Some(problem.code().title().to_owned()),
            Code::InvalidBody => {
                self.value_fault = problem.field_errors().first().map(|error| error.detail.clone());
            }
            _ => return Err(problem),
        }
        Ok(())
    }
}

/// What was typed and chosen.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RotateInput {
    idempotency_key: Uuid,
    reason: String,
    watch_seconds: u32,
    value: String,
}

/// `GET …/secrets/{id}/rotate`.
///
/// # Errors
/// `not_found`.
pub async fn ask(
    granted: Granted<may::UpdateSecret>,
    visit: Visit,
    State(db): State<Db>,
    PathId(id): PathId<SecretId>,
) -> Result<Response, Problem> {
    let desk = workspaces::desk(&visit, &granted, &db, Area::Secrets).await?;
    let secret = http::find(&granted, &db, id).await?.secret;
    visit.page(&RotatePage::new(desk, &visit, secret))
}

/// `POST …/secrets/{id}/rotate`.
///
/// # Errors
/// As the API's.
pub async fn rotate(
    granted: Granted<may::UpdateSecret>,
    visit: Visit,
    State(db): State<Db>,
    State(changes): State<Changes>,
    PathId(id): PathId<SecretId>,
    Form(input): Form<RotateInput>,
) -> Result<Response, Problem> {
    let desk = workspaces::desk(&visit, &granted, &db, Area::Secrets).await?;
    let secret = http::find(&granted, &db, id).await?.secret;
    let mut page = RotatePage::new(desk, &visit, secret);
    page.fill_in(&input);
    let once = visit.once(input.idempotency_key, &(&input.reason, input.watch_seconds, &input.value))?;
    let Some(value) = typed_value(input.value) else {
        page.value_fault = Some(NO_VALUE.to_owned());
        return visit.form_again(&page);
    };
    let reason = input.reason.parse().unwrap_or(Reason::Scheduled);
    let new = OpenRotation { reason, value, watch_seconds: Some(input.watch_seconds) };
    match rotation::http::begin(&granted, &changes, id, &new, once).await {
        Ok(_) => return Ok(visit.done(&page.back, Flash::SecretRotationOpened)),
        Err(problem) => page.refuse(problem)?,
    }
    visit.form_again(&page)
}

/// How far the newest rotation of a secret is, on the secret's page.
pub(super) struct RotationView {
    pub(super) stand: Stand,
    pub(super) new_version: u32,
    pub(super) reason: &'static str,
    pub(super) opened: Moment,
    pub(super) ready: Option<Moment>,
    pub(super) revoked: Option<Moment>,
    pub(super) finished: Option<Moment>,
    pub(super) refused_uses: Option<u64>,
    pub(super) receipt: Option<IdChip>,
    /// Present for who may say that it is deployed, while that is waited for.
    pub(super) ready_form: Option<ReadyForm>,
}

/// The form behind “It is deployed”.
pub(super) struct ReadyForm {
    pub(super) action: String,
    pub(super) idempotency_key: Uuid,
    pub(super) rotation: SecretRotationId,
}

impl RotationView {
    pub(super) fn of(rotation: &SecretRotation, desk: &Desk, visit: &Visit) -> Self {
        let moment = |at| visit.moment(at);
        let waits = rotation.state == Stand::AwaitingReady && desk.may(Permission::UpdateSecret);
        Self {
            stand: rotation.state,
            new_version: rotation.new_version,
            reason: rotation.reason.parse().map_or("", Reason::label),
            opened: moment(rotation.opened_at),
            ready: rotation.ready_at.map(moment),
            revoked: rotation.revoked_at.map(moment),
            finished: rotation.finished_at.map(moment),
            refused_uses: rotation.refused_uses,
            receipt: rotation.receipt_event_id.map(|event| IdChip::new(event, desk.path(&format!("/audit/{event}")))),
            ready_form: waits.then(|| ReadyForm {
                action: format!("{}/ready", secret_path(desk, rotation.secret_id)),
                idempotency_key: visit.form_key(),
                rotation: rotation.id,
            }),
        }
    }

    /// Whether another rotation has to wait for this one.
    pub(super) fn is_open(&self) -> bool {
        self.stand != Stand::Finished
    }
}

/// What the button sends.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadyInput {
    idempotency_key: Uuid,
    rotation: String,
    /// Ticked by whoever has looked: nothing takes it back.
    deployed: String,
}

/// `POST …/secrets/{id}/ready`.
///
/// # Errors
/// As the API's.
pub async fn ready(
    granted: Granted<may::UpdateSecret>,
    visit: Visit,
    State(db): State<Db>,
    State(changes): State<Changes>,
    State(queue): State<Queue>,
    PathId(id): PathId<SecretId>,
    Form(input): Form<ReadyInput>,
) -> Result<Response, Problem> {
    let desk = workspaces::desk(&visit, &granted, &db, Area::Secrets).await?;
    let rotation = input.rotation.parse().map_err(|_| Problem::new(Code::NotFound))?;
    let once = visit.once(input.idempotency_key, &input)?;
    rotation::http::go_on(&granted, &changes, &queue, rotation, once).await?;
    Ok(visit.done(&secret_path(&desk, id), Flash::SecretRotationReady))
}
