//! What can be changed of a key: its name, labels and networks, and when it ends.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use bailiwick_proof::id::ApiKeyId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::confinement::{Confinement, ConfinementFields};
use super::create::{DAY, ON_A_DAY, expiry};
use super::key_path;
use crate::api_keys::http;
use crate::api_keys::model::{ApiKey, UpdateApiKey};
use crate::authz::{Granted, may};
use crate::console::{Area, Choice, Desk, Field, Flash, SENT_BEFORE, Visit};
use crate::db::Db;
use crate::http::{Changes, Code, Form, PathId, Problem};
use crate::workspaces;

/// The choice to leave the end where it is.
const AS_IT_IS: &str = "keep";

/// `…/keys/{id}/edit`.
#[derive(Template)]
#[template(path = "api_keys/edit.html")]
struct EditPage {
    desk: Desk,
    back: String,
    /// Its name as it is kept, whatever is typed.
    called: String,
    form: EditForm,
}

struct EditForm {
    idempotency_key: Uuid,
    fault: Option<String>,
    /// It takes a person who signed in lately.
    must_prove: bool,
    name: Field,
    confined: ConfinementFields,
    expiry: String,
    expires_on: Field,
    earliest: time::Date,
}

/// What was typed and chosen.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EditInput {
    idempotency_key: Uuid,
    name: String,
    #[serde(default)]
    labels: String,
    #[serde(default)]
    allowed_networks: String,
    expiry: String,
    #[serde(default)]
    expires_on: String,
}

impl EditForm {
    fn of(visit: &Visit, key: &ApiKey) -> Self {
        let day = key.expires_at.and_then(|at| (at - time::Duration::seconds(1)).date().format(DAY).ok());
        Self {
            idempotency_key: visit.form_key(),
            fault: None,
            must_prove: false,
            name: Field::typed(&key.name),
            confined: ConfinementFields::of(&key.labels, &key.allowed_networks),
            expiry: AS_IT_IS.to_owned(),
            expires_on: Field::typed(day.unwrap_or_default()),
            earliest: visit.now().date(),
        }
    }

    fn typed(visit: &Visit, input: &EditInput) -> Self {
        Self {
            idempotency_key: visit.form_key(),
            fault: None,
            must_prove: false,
            name: Field::typed(&input.name),
            confined: ConfinementFields::typed(&input.labels, &input.allowed_networks),
            expiry: input.expiry.clone(),
            expires_on: Field::typed(&input.expires_on),
            earliest: visit.now().date(),
        }
    }

    fn has_faults(&self) -> bool {
        let faults = [&self.fault, &self.name.fault, &self.expires_on.fault];
        self.confined.has_faults() || faults.into_iter().any(Option::is_some)
    }

    fn expiries(&self) -> [Choice; 3] {
        [(AS_IT_IS, "As it is"), (ON_A_DAY, "After a day that I choose"), ("", "Never")].map(|(value, label)| Choice {
            value: value.into(),
            label: label.into(),
            chosen: value == self.expiry,
        })
    }

    /// What is to be changed; notes beside its field what cannot be read.
    fn read(&mut self, input: &EditInput, visit: &Visit, key: &ApiKey) -> Option<UpdateApiKey> {
        let name: Option<crate::name::Name> = input.name.parse().ok();
        if name.is_none() {
            self.name.fault = Some("Give it a name of 1 to 80 characters, without invisible ones.".to_owned());
        }
        let expires_at = match input.expiry.as_str() {
            AS_IT_IS => Some(None),
            choice => expiry(choice, &input.expires_on, visit.now()).map(Some),
        };
        if expires_at.is_none() {
            self.expires_on.fault = Some("Choose a day, today or later, as in 2030-12-31.".to_owned());
        }
        let Confinement { labels, allowed_networks } = self.confined.read(&input.labels, &input.allowed_networks)?;
        Some(UpdateApiKey {
            name: Some(name?).filter(|name| name.as_str() != key.name),
            labels: Some(labels).filter(|labels| *labels != key.labels),
            expires_at: expires_at?,
            allowed_networks: Some(allowed_networks).filter(|networks| *networks != key.allowed_networks),
        })
    }

    fn refuse(&mut self, problem: Problem) -> Result<(), Problem> {
        let text = match problem.code() {
            Code::IdempotencyKeyReused => SENT_BEFORE,
            Code::StepUpRequired => "This key reads secrets, and you signed in more than 10 minutes ago.",
            Code::BeyondOwnAuthority => "This key may do more than your own role, so you cannot say where or how long.",
            Code::KeyAlreadyRotated => "It has a successor: when it ends was settled then.",
            Code::KeyNotActive => Code::KeyNotActive.title(),
            _ => return Err(problem),
        };
        self.must_prove = problem.code() == Code::StepUpRequired;
        self.fault = Some(text.to_owned());
        Ok(())
    }
}

/// `GET …/keys/{id}/edit`.
///
/// # Errors
/// `not_found`.
pub async fn edit(
    granted: Granted<may::UpdateKey>,
    visit: Visit,
    State(db): State<Db>,
    PathId(id): PathId<ApiKeyId>,
) -> Result<Response, Problem> {
    let desk = workspaces::desk(&visit, &granted, &db, Area::Keys).await?;
    let key = http::find(&granted, &db, id).await?;
    let (back, form) = (key_path(&desk, id), EditForm::of(&visit, &key));
    visit.page(&EditPage { desk, back, called: key.name, form })
}

/// `POST …/keys/{id}/edit`.
///
/// # Errors
/// As the API's.
pub async fn update(
    granted: Granted<may::UpdateKey>,
    visit: Visit,
    State(db): State<Db>,
    State(changes): State<Changes>,
    PathId(id): PathId<ApiKeyId>,
    Form(input): Form<EditInput>,
) -> Result<Response, Problem> {
    let desk = workspaces::desk(&visit, &granted, &db, Area::Keys).await?;
    let key = http::find(&granted, &db, id).await?;
    let (back, mut form) = (key_path(&desk, id), EditForm::typed(&visit, &input));
    if let Some(new) = form.read(&input, &visit, &key) {
        if new.changes_nothing() {
            return Ok(visit.done(&back, Flash::KeyChanged));
        }
        match http::change(&granted, &changes, id, new, visit.once(input.idempotency_key, &input)?).await {
            Ok(_) => return Ok(visit.done(&back, Flash::KeyChanged)),
            Err(problem) => form.refuse(problem)?,
        }
    }
    visit.form_again(&EditPage { desk, back, called: key.name, form })
}
