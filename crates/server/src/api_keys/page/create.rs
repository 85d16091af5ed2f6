//! The making of a key, and its only showing.
//!
//! The answer to the form is a redirect, so the key has to wait somewhere for the next page. It waits in the browser
//! that asked for it: sealed, for ten minutes, bound to the person and the key, until “I have stored it”.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use bailiwick_proof::id::{ApiKeyId, UserId};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{Date, Duration, OffsetDateTime, Time, UtcOffset};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::confinement::{Confinement, ConfinementFields};
use super::key_path;
use crate::api_keys::model::{CreateApiKey, CreatedApiKey};
use crate::api_keys::{http, sql};
use crate::authz::{Audience, Audiences, Granted, MAX_AUDIENCES, Principal, Scope, may};
use crate::console::{Area, Choice, CodeLine, Desk, Field, Flash, IdChip, SENT_BEFORE, Visit, all_in_words};
use crate::db::{Db, DbError};
use crate::http::{Changes, Code, Form, PathId, Problem, Reply};
use crate::vault::{Keys, NEW_KEY, Owner, Place, RowId, Vault};
use crate::{projects, workspaces};

/// So many projects are offered.
const OFFERED: u16 = 1_000;
pub(super) const DAY: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");
/// The choice of a day of one's own.
pub(super) const ON_A_DAY: &str = "date";
/// What the form proposes.
const USUAL_DAYS: &str = "90";

/// `…/keys/new`.
#[derive(Template)]
#[template(path = "api_keys/new.html")]
struct NewPage {
    desk: Desk,
    form: KeyForm,
}

struct KeyForm {
    idempotency_key: Uuid,
    fault: Option<&'static str>,
    name: Field,
    scopes: Vec<ScopeChoice>,
    scopes_fault: Option<String>,
    /// It takes a person who signed in lately.
    must_prove: bool,
    projects: Vec<Choice>,
    project_fault: Option<String>,
    /// A number of days, [`ON_A_DAY`], or empty for never.
    expiry: String,
    expires_on: Field,
    audiences: Field,
    confined: ConfinementFields,
    /// The first day that may be chosen: today.
    earliest: Date,
}

struct ScopeChoice {
    word: &'static str,
    allows: String,
    chosen: bool,
}

/// What was typed and chosen.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyInput {
    idempotency_key: Uuid,
    name: String,
    #[serde(default)]
    scopes: Vec<String>,
    project_id: String,
    expiry: String,
    #[serde(default)]
    expires_on: String,
    #[serde(default)]
    audiences: String,
    #[serde(default)]
    allowed_networks: String,
    #[serde(default)]
    labels: String,
}

impl KeyForm {
    /// Filled in as it was sent, or as it is proposed.
    fn new(visit: &Visit, projects: Vec<Choice>, input: Option<&KeyInput>) -> Self {
        // Nothing is proposed: what a key may do is decided, not left standing.
        let chosen = |scope: Scope| input.is_some_and(|input| input.scopes.iter().any(|word| word == scope.as_str()));
        let scopes = Scope::ALL.map(|scope| ScopeChoice {
            word: scope.as_str(),
            allows: all_in_words(scope.permissions()),
            chosen: chosen(scope),
        });
        Self {
            idempotency_key: visit.form_key(),
            fault: None,
            name: input.map(|input| Field::typed(&input.name)).unwrap_or_default(),
            scopes: scopes.into(),
            scopes_fault: None,
            must_prove: false,
            projects: projects.into_iter().map(|one| mark_chosen(one, input)).collect(),
            project_fault: None,
            expiry: input.map_or_else(|| USUAL_DAYS.to_owned(), |input| input.expiry.clone()),
            expires_on: input.map(|input| Field::typed(&input.expires_on)).unwrap_or_default(),
            audiences: input.map(|input| Field::typed(&input.audiences)).unwrap_or_default(),
            confined: input.map_or_else(ConfinementFields::default, |input| {
                ConfinementFields::typed(&input.labels, &input.allowed_networks)
            }),
            earliest: visit.now().date(),
        }
    }

    fn has_faults(&self) -> bool {
        let faults =
            [&self.name.fault, &self.scopes_fault, &self.project_fault, &self.expires_on.fault, &self.audiences.fault];
        self.fault.is_some() || self.confined.has_faults() || faults.into_iter().any(Option::is_some)
    }

    fn expiries(&self) -> [Choice; 6] {
        [
            ("7", "In 7 days"),
            ("30", "In 30 days"),
            (USUAL_DAYS, "In 90 days"),
            ("365", "In 365 days"),
            (ON_A_DAY, "After a day that I choose"),
            ("", "Never"),
        ]
        .map(|(value, label)| Choice {
            value: value.into(),
            label: label.into(),
            chosen: value == self.expiry,
        })
    }

    fn read_audiences(&mut self, text: &str) -> Option<Audiences> {
        let words: Result<Vec<Audience>, _> =
            text.split([',', ' ']).filter(|word| !word.is_empty()).map(str::parse).collect();
        let read = words.ok().map(Audiences::of).filter(|audiences| audiences.named().len() <= MAX_AUDIENCES);
        if read.is_none() {
            self.audiences.fault = Some("Name up to 16 services, such as billing-api, parted by commas.".to_owned());
        }
        read
    }

    /// Reads what was sent; notes beside its field what cannot be.
    fn read(&mut self, input: &KeyInput, now: OffsetDateTime) -> Option<CreateApiKey> {
        let name = input.name.parse().ok();
        if name.is_none() {
            self.name.fault = Some("Give it a name of 1 to 80 characters, without invisible ones.".to_owned());
        }
        let scopes: Option<Vec<Scope>> = input.scopes.iter().map(|word| word.parse().ok()).collect();
        let scopes = scopes.filter(|scopes| !scopes.is_empty());
        if scopes.is_none() {
            self.scopes_fault = Some("Choose at least one scope.".to_owned());
        }
        let project_id = match input.project_id.as_str() {
            "" => Some(None),
            id => id.parse().ok().map(Some),
        };
        if project_id.is_none() {
            self.project_fault = Some("Choose a project of this environment, or none.".to_owned());
        }
        let expires_at = expiry(&input.expiry, &input.expires_on, now);
        if expires_at.is_none() {
            self.expires_on.fault = Some("Choose a day, today or later, as in 2030-12-31.".to_owned());
        }
        let confined = self.confined.read(&input.labels, &input.allowed_networks);
        let audiences = self.read_audiences(&input.audiences);
        let Confinement { labels, allowed_networks } = confined?;
        Some(CreateApiKey {
            name: name?,
            scopes: scopes?,
            project_id: project_id?,
            expires_at: expires_at?,
            labels,
            audiences: audiences?,
            allowed_networks,
        })
    }

    /// Puts what was refused beside its field; what is none of the form's business stays a problem.
    fn refuse(&mut self, problem: Problem) -> Result<(), Problem> {
        match problem.code() {
            Code::BeyondOwnAuthority => {
                self.scopes_fault = Some("This is more than your own role may do. Choose fewer scopes.".to_owned());
            }
            Code::StepUpRequired => {
                let fault = "A key with this scope reads secrets, and you signed in more than 10 minutes ago.";
                self.scopes_fault = Some(fault.to_owned());
                self.must_prove = true;
            }
            Code::IdempotencyKeyReused => self.fault = Some(SENT_BEFORE),
            Code::InvalidBody => {
                for error in problem.field_errors() {
                    let fault = Some(error.detail.clone());
                    match error.pointer.as_str() {
                        "/scopes" => self.scopes_fault = fault,
                        "/project_id" => self.project_fault = fault,
                        "/expires_at" => self.expires_on.fault = fault,
                        _ => self.name.fault = fault,
                    }
                }
            }
            _ => return Err(problem),
        }
        Ok(())
    }
}

fn mark_chosen(project: Choice, input: Option<&KeyInput>) -> Choice {
    Choice { chosen: input.is_some_and(|input| input.project_id == project.value), ..project }
}

/// When the key ends: `Some(None)` for never, `None` for what is no time to come. A day is taken to its end, in UTC.
pub(super) fn expiry(choice: &str, day: &str, now: OffsetDateTime) -> Option<Option<OffsetDateTime>> {
    match choice {
        "" => Some(None),
        ON_A_DAY => {
            let after = Date::parse(day, DAY).ok()?.next_day()?;
            let at = OffsetDateTime::new_in_offset(after, Time::MIDNIGHT, UtcOffset::UTC);
            (at > now).then_some(Some(at))
        }
        days => {
            let days = days.parse().ok().filter(|days| (1..=3_650).contains(days))?;
            now.checked_add(Duration::days(days)).map(Some)
        }
    }
}

/// `GET …/keys/new`.
///
/// # Errors
/// `forbidden`.
pub async fn new(granted: Granted<may::CreateKey>, visit: Visit, State(db): State<Db>) -> Result<Response, Problem> {
    let desk = workspaces::desk(&visit, &granted, &db, Area::Keys).await?;
    let form = KeyForm::new(&visit, projects_of(&granted, &db).await?, None);
    visit.page(&NewPage { desk, form })
}

async fn projects_of(granted: &Granted<may::CreateKey>, db: &Db) -> Result<Vec<Choice>, DbError> {
    let mut tx = db.workspace_tx(granted).await?;
    let projects = projects::list(&mut tx, None, OFFERED).await?;
    tx.finish_reading().await?;
    let choice =
        |project: projects::Project| Choice { value: project.id.to_string(), label: project.name, chosen: false };
    Ok(projects.into_iter().map(choice).collect())
}

/// `POST …/keys`.
///
/// # Errors
/// As the API's.
pub async fn create(
    granted: Granted<may::CreateKey>,
    visit: Visit,
    State(db): State<Db>,
    State(changes): State<Changes>,
    Form(input): Form<KeyInput>,
) -> Result<Response, Problem> {
    let desk = workspaces::desk(&visit, &granted, &db, Area::Keys).await?;
    let mut form = KeyForm::new(&visit, projects_of(&granted, &db).await?, Some(&input));
    if let Some(new) = form.read(&input, visit.now()) {
        let once = visit.once(input.idempotency_key, &input)?;
        match http::make(&granted, &changes, &new, once).await {
            Ok(reply) => {
                return show_once(&granted, &visit, &desk, &changes.vault, &reply).await;
            }
            Err(problem) => form.refuse(problem)?,
        }
    }
    visit.form_again(&NewPage { desk, form })
}

/// To the page that shows a new key, which waits for it sealed in the browser.
pub(super) async fn show_once<P>(
    granted: &Granted<P>,
    visit: &Visit,
    desk: &Desk,
    vault: &Vault,
    reply: &Reply,
) -> Result<Response, Problem> {
    let made: CreatedApiKey = reply.read()?;
    let (showing, key) = (Shown::to(granted, made.api_key.id)?.row(), Zeroizing::new(made.key));
    let sealed = vault.seal(Owner::Cell, &place(&showing), key.as_bytes()).await?;
    let sealed = URL_SAFE_NO_PAD.encode(sealed);
    Ok(visit.carry(&format!("{}/created", key_path(desk, made.api_key.id)), &sealed))
}

/// How long after its making a key can be shown.
const SHOWN_FOR: time::Duration = time::Duration::minutes(10);

/// The one showing: to whom, and of which key. Nothing sealed for one opens for another.
struct Shown {
    person: UserId,
    key: ApiKeyId,
}

impl Shown {
    fn to<P>(granted: &Granted<P>, key: ApiKeyId) -> Result<Self, Problem> {
        match granted.principal() {
            Principal::Session(person) => Ok(Self { person: person.user(), key }),
            Principal::Key(_) => Err(Problem::new(Code::Unauthenticated)),
        }
    }

    fn row(&self) -> RowId {
        RowId::new().uuid(self.person.uuid()).uuid(self.key.uuid())
    }

    /// `None` for what was not sealed for this showing. That is no finding: anybody can send it.
    fn open(&self, keys: &Keys, sealed: &str) -> Option<Zeroizing<String>> {
        let sealed = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let key = keys.open(&place(&self.row()), &sealed).ok()?;
        std::str::from_utf8(&key).ok().map(|key| Zeroizing::new(key.to_owned()))
    }
}

fn place(row: &RowId) -> Place<'_> {
    Place { column: &NEW_KEY, row: row.as_bytes(), subject: None }
}

/// `…/keys/{id}/created`.
#[derive(Template)]
#[template(path = "api_keys/created.html")]
struct CreatedPage {
    desk: Desk,
    name: String,
    id: IdChip,
    secret: Zeroizing<String>,
    stored_action: String,
    call: CodeLine,
}

/// `GET …/keys/{id}/created`: the key, as long as this browser has not stored it; then the page of the key.
///
/// # Errors
/// `not_found`.
pub async fn created(
    granted: Granted<may::CreateKey>,
    visit: Visit,
    State(db): State<Db>,
    State(vault): State<Vault>,
    PathId(id): PathId<ApiKeyId>,
) -> Result<Response, Problem> {
    let desk = workspaces::desk(&visit, &granted, &db, Area::Keys).await?;
    let mut tx = db.workspace_tx(&granted).await?;
    let key = sql::get(&mut tx, id).await?.ok_or_else(|| Problem::new(Code::NotFound))?;
    tx.finish_reading().await?;
    let path = key_path(&desk, id);
    let shown = Shown::to(&granted, id)?;
    // However long the browser keeps what it carries, and however often the form is sent again.
    let lately = key.created_at + SHOWN_FOR > visit.now();
    let keys = vault.keys(Owner::Cell).await?;
    let Some(secret) = visit.carried().filter(|_| lately).and_then(|sealed| shown.open(&keys, sealed)) else {
        return Ok(Redirect::to(&path).into_response());
    };
    visit.page(&CreatedPage {
        name: key.name,
        stored_action: format!("{path}/created"),
        id: IdChip::new(id, path),
        secret,
        call: CodeLine::self_check(visit.origin()),
        desk,
    })
}

/// `POST …/keys/{id}/created`: “I have stored it”.
///
/// # Errors
/// `forbidden`.
pub async fn stored(
    granted: Granted<may::CreateKey>,
    visit: Visit,
    State(db): State<Db>,
    PathId(id): PathId<ApiKeyId>,
) -> Result<Response, Problem> {
    let desk = workspaces::desk(&visit, &granted, &db, Area::Keys).await?;
    // The flash takes the place of what was carried.
    Ok(visit.done(&key_path(&desk, id), Flash::KeyStored))
}

#[cfg(test)]
mod tests {
    use bailiwick_proof::id::Id;
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2030-05-05 23:30 UTC);

    #[test]
    fn a_day_is_taken_to_its_end_and_a_past_one_refused() {
        assert_eq!(expiry("", "", NOW), Some(None));
        assert_eq!(expiry("7", "", NOW), Some(Some(datetime!(2030-05-12 23:30 UTC))));
        assert_eq!(expiry("date", "2030-05-05", NOW), Some(Some(datetime!(2030-05-06 00:00 UTC))));
        for (choice, day) in [
            ("date", "2030-05-04"),
            ("date", ""),
            ("date", "x"),
            ("date", "9999-12-31"),
            ("0", ""),
            ("-1", ""),
            ("x", ""),
        ] {
            assert_eq!(expiry(choice, day, NOW), None, "{choice} {day}");
        }
    }

    #[test]
    fn a_sealed_key_opens_for_its_person_and_key_alone() {
        let keys = Keys::sample();
        let showing = |person, key| Shown {
            person: Id::from_uuid(Uuid::from_u128(person)),
            key: Id::from_uuid(Uuid::from_u128(key)),
        };
        let row = showing(1, 2).row();
        let sealed = URL_SAFE_NO_PAD.encode(keys.seal(&place(&row), b"bw_live_x").unwrap());
        assert_eq!(showing(1, 2).open(&keys, &sealed).unwrap().as_str(), "bw_live_x");
        assert!(showing(3, 2).open(&keys, &sealed).is_none());
        assert!(showing(1, 4).open(&keys, &sealed).is_none());
        assert!(showing(1, 2).open(&keys, "signed-in").is_none());
    }
}
