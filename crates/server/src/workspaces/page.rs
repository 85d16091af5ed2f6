//! The choice of a workspace, the making of one, its home, and the desk of every page inside it.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use bailiwick_proof::id::{ApiKeyId, EventId, ProjectId, SecretId, UserId, WorkspaceId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::model::{CreateWorkspace, Workspace};
use super::{http, ops};
use crate::api_keys::{self, ApiKey};
use crate::authz::{Granted, Notary, Permission, Principal, SignedIn, WorkspaceRef, may};
use crate::console::{
    Area, CodeLine, Desk, Field, Flash, IdChip, Listing, Moment, Noun, SENT_BEFORE, Visit, WorkspaceLink,
};
use crate::db::{Authority as _, Db, DbError, WorkspaceTx};
use crate::http::{Changes, Code, Form, Json, ListQuery, Problem, Query};
use crate::passkeys::{self, Bench};
use crate::{members, projects, secrets};

const NOUN: Noun = Noun { one: "workspace", many: "workspaces" };
/// Among so many of a person's workspaces a desk looks for names that are shared.
const KNOWN: u16 = 100;
/// How many others the switcher offers.
const OFFERED: usize = 12;
/// Up to here a home counts exactly.
const COUNTED: u16 = 1_000;

/// `/workspaces`.
#[derive(Template)]
#[template(path = "workspaces/index.html")]
struct IndexPage {
    desk: Person,
    workspaces: Vec<WorkspaceRow>,
    list: Listing,
    form: WorkspaceForm,
    offers_passkey: bool,
}

/// Who is signed in, where there is no desk yet.
struct Person {
    person: String,
    flash: Option<Flash>,
}

struct WorkspaceRow {
    name: String,
    slug: String,
    role: &'static str,
    href: String,
    id: IdChip,
    created: Moment,
}

struct WorkspaceForm {
    idempotency_key: Uuid,
    name: Field,
    slug: Field,
    fault: Option<&'static str>,
}

impl WorkspaceForm {
    fn empty(visit: &Visit) -> Self {
        let (name, slug) = (Field::default(), Field::default());
        Self { idempotency_key: visit.form_key(), name, slug, fault: None }
    }

    fn typed(visit: &Visit, input: &WorkspaceInput) -> Self {
        let (name, slug) = (Field::typed(&input.name), Field::typed(&input.slug));
        Self { idempotency_key: visit.form_key(), name, slug, fault: None }
    }

    fn has_faults(&self) -> bool {
        self.fault.is_some() || self.name.fault.is_some() || self.slug.fault.is_some()
    }
}

/// The form of `/workspaces`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkspaceInput {
    idempotency_key: Uuid,
    name: String,
    slug: String,
}

/// What pages of a list are asked by, to know whether this is the first.
#[derive(Deserialize)]
pub struct Cursor {
    cursor: Option<String>,
}

/// `GET /workspaces`.
///
/// # Errors
/// `invalid_parameter`, `invalid_cursor`.
pub async fn index(
    person: SignedIn,
    visit: Visit,
    State(db): State<Db>,
    State(bench): State<Bench>,
    Query(query): Query<ListQuery>,
    Query(Cursor { cursor }): Query<Cursor>,
) -> Result<Response, Problem> {
    let form = WorkspaceForm::empty(&visit);
    let offers_passkey = passkeys::page::is_offered(&person, &visit, &bench).await?;
    let page = index_page(&visit, person, db, query, cursor.as_deref(), form).await?;
    visit.page(&IndexPage { offers_passkey, ..page })
}

async fn index_page(
    visit: &Visit,
    person: SignedIn,
    db: Db,
    query: ListQuery,
    cursor: Option<&str>,
    form: WorkspaceForm,
) -> Result<IndexPage, Problem> {
    let desk = Person { person: person.email().to_owned(), flash: visit.flash() };
    let Json(page) = http::list(person, State(db), State(visit.notary().clone()), Query(query)).await?;
    let list = Listing::new(NOUN, page.data.len(), "/workspaces", cursor, page.next_cursor.as_deref());
    let row = |workspace: &Workspace| WorkspaceRow::of(workspace, &page.data, visit);
    Ok(IndexPage { desk, workspaces: page.data.iter().map(row).collect(), list, form, offers_passkey: false })
}

impl WorkspaceRow {
    fn of(workspace: &Workspace, all: &[Workspace], visit: &Visit) -> Self {
        let href = link_to(workspace, all).href(&Default::default());
        Self {
            name: workspace.name.clone(),
            slug: workspace.slug.clone(),
            role: workspace.role.map_or("", |role| role.as_str()),
            id: IdChip::new(workspace.id, href.clone()),
            href,
            created: visit.moment(workspace.created_at),
        }
    }
}

/// `POST /workspaces`.
///
/// # Errors
/// As the API's.
pub async fn create(
    person: SignedIn,
    visit: Visit,
    State(db): State<Db>,
    State(changes): State<Changes>,
    Form(input): Form<WorkspaceInput>,
) -> Result<Response, Problem> {
    let mut form = WorkspaceForm::typed(&visit, &input);
    if let Some(new) = parse(&input, &mut form) {
        let once = visit.once(input.idempotency_key, &input)?;
        match http::found(person.clone(), visit.context().clone(), &changes, &new, once).await {
            Ok(reply) => {
                let made: Workspace = reply.read()?;
                return Ok(visit.done(&format!("/w/{}/live", made.slug), Flash::WorkspaceCreated));
            }
            Err(problem) => refuse(problem, &mut form)?,
        }
    }
    visit.form_again(&index_page(&visit, person, db, ListQuery::default(), None, form).await?)
}

fn parse(input: &WorkspaceInput, form: &mut WorkspaceForm) -> Option<CreateWorkspace> {
    let name = input.name.parse().map_err(|_| {
        form.name.fault = Some("Give it a name of 1 to 80 characters, without invisible ones.".to_owned());
    });
    let slug = input.slug.trim().parse().map_err(|_| {
        form.slug.fault = Some(
            "A slug has 1 to 48 lower-case letters, digits and hyphens, and neither begins nor ends with a hyphen."
                .to_owned(),
        );
    });
    Some(CreateWorkspace { name: name.ok()?, slug: slug.ok()? })
}

/// Puts what was refused beside its field; what is none of the form's business stays a problem.
fn refuse(problem: Problem, form: &mut WorkspaceForm) -> Result<(), Problem> {
    match problem.code() {
        Code::SlugTaken => form.slug.fault = Some("One of your workspaces has this slug. Choose another.".to_owned()),
        Code::IdempotencyKeyReused => form.fault = Some(SENT_BEFORE),
        _ => return Err(problem),
    }
    Ok(())
}

/// `GET /w/{workspace}`: its live environment.
///
/// # Errors
/// `not_found` for what can name no workspace.
pub async fn live(Path(workspace): Path<String>) -> Result<Redirect, Problem> {
    WorkspaceRef::parse(&workspace).ok_or_else(|| Problem::new(Code::NotFound))?;
    Ok(Redirect::to(&format!("/w/{workspace}/live")))
}

/// The desk of whoever was granted something: where they are, and where else they could be.
///
/// # Errors
/// `unavailable`.
pub(crate) async fn desk<P>(visit: &Visit, granted: &Granted<P>, db: &Db, area: Area) -> Result<Desk, Problem> {
    Ok(seat(visit, granted, db, area).await?.0)
}

async fn seat<P>(visit: &Visit, granted: &Granted<P>, db: &Db, area: Area) -> Result<(Desk, Workspace), Problem> {
    let (Principal::Session(person), Some(role)) = (granted.principal(), granted.role()) else {
        return Err(Problem::new(Code::Unauthenticated));
    };
    let mut tx = db.account_tx(person).await?;
    let mut all = ops::list(&mut tx, visit.notary(), None, KNOWN).await?;
    if !all.iter().any(|workspace| workspace.id == granted.workspace()) {
        all.extend(ops::list(&mut tx, visit.notary(), Some(before(granted.workspace().uuid())), 1).await?);
    }
    tx.finish_reading().await?;
    let at = all.iter().position(|workspace| workspace.id == granted.workspace());
    let own = at.and_then(|at| all.get(at)).cloned().ok_or_else(|| Problem::new(Code::NotFound))?;
    let desk = Desk {
        person: person.email().to_owned(),
        role,
        workspace: link_to(&own, &all),
        environment: granted.environment(),
        area,
        others: all.iter().filter(|other| other.id != own.id).take(OFFERED).map(|other| link_to(other, &all)).collect(),
        flash: visit.flash(),
    };
    Ok((desk, own))
}

/// By its slug where that is unequivocal among the person's own, by its id otherwise.
fn link_to(workspace: &Workspace, all: &[Workspace]) -> WorkspaceLink {
    let alone = all.iter().filter(|other| other.slug == workspace.slug).count() <= 1;
    let named = if alone { workspace.slug.clone() } else { workspace.id.to_string() };
    WorkspaceLink { name: workspace.name.clone(), named }
}

/// The greatest id before this one: a list that begins after it begins with this one, if that is there.
fn before(id: Uuid) -> Uuid {
    Uuid::from_u128(id.as_u128().saturating_sub(1))
}

/// `/w/{workspace}/{environment}`.
#[derive(Template)]
#[template(path = "workspaces/home.html")]
struct HomePage {
    desk: Desk,
    id: IdChip,
    slug: String,
    created: Moment,
    counts: Vec<Count>,
    steps: Vec<Step>,
    call: CodeLine,
}

struct Count {
    label: &'static str,
    number: String,
    href: String,
}

/// One thing to do in a new workspace.
struct Step {
    title: &'static str,
    why: &'static str,
    verb: &'static str,
    href: String,
    done: bool,
}

impl HomePage {
    fn done_count(&self) -> usize {
        self.steps.iter().filter(|step| step.done).count()
    }

    /// The one that is next.
    fn is_next(&self, step: &Step) -> bool {
        self.steps.iter().find(|step| !step.done).is_some_and(|next| next.title == step.title)
    }
}

/// `GET /w/{workspace}/{environment}`.
///
/// # Errors
/// `not_found`, `ambiguous_slug`.
pub async fn home(
    granted: Granted<may::ReadWorkspace>,
    visit: Visit,
    State(db): State<Db>,
) -> Result<Response, Problem> {
    let (desk, own) = seat(&visit, &granted, &db, Area::Home).await?;
    let mut tx = db.workspace_tx(&granted).await?;
    let seen = Inventory::take(&mut tx, visit.notary(), &desk).await?;
    tx.finish_reading().await?;
    visit.page(&HomePage {
        id: IdChip::new(own.id, desk.path("")),
        slug: own.slug,
        created: visit.moment(own.created_at),
        counts: seen.counts(&desk),
        steps: seen.steps(&desk),
        call: CodeLine::self_check(visit.origin()),
        desk,
    })
}

/// What there is, as far as the person may see it.
#[derive(Default)]
struct Inventory {
    people: Option<usize>,
    keys: Option<Vec<ApiKey>>,
    projects: Option<usize>,
}

impl Inventory {
    async fn take(tx: &mut WorkspaceTx, notary: &Notary, desk: &Desk) -> Result<Self, DbError> {
        let mut seen = Self::default();
        if desk.may(Permission::ReadMembers) {
            seen.people = Some(members::list(tx, notary, None, COUNTED).await?.len());
        }
        if desk.may(Permission::ReadKeys) {
            seen.keys = Some(api_keys::list(tx, None, COUNTED, &api_keys::KeyFilter::default()).await?);
        }
        if desk.may(Permission::ReadProjects) {
            seen.projects = Some(projects::list(tx, None, COUNTED).await?.len());
        }
        Ok(seen)
    }

    fn counts(&self, desk: &Desk) -> Vec<Count> {
        let count = |label, number: Option<usize>, path| {
            let number = match number? {
                many if many > usize::from(COUNTED) => format!("more than {COUNTED}"),
                exact => exact.to_string(),
            };
            Some(Count { label, number, href: desk.path(path) })
        };
        let active =
            self.keys.as_ref().map(|keys| keys.iter().filter(|key| key.status == api_keys::Status::Active).count());
        [
            count("People", self.people, "/members"),
            count("Active keys", active, "/keys?status=active"),
            count("Projects", self.projects, "/projects"),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// Nothing for whoever cannot take them, and nothing when all are done.
    fn steps(&self, desk: &Desk) -> Vec<Step> {
        let Some(keys) = self.keys.as_ref().filter(|_| desk.may(Permission::CreateKey)) else { return Vec::new() };
        let steps = vec![
            Step {
                title: "Create a key",
                why: "With it a program calls the API as this workspace.",
                verb: "Create key",
                href: desk.path("/keys/new"),
                done: !keys.is_empty(),
            },
            Step {
                title: "Call the API",
                why: "By the line below. The first call shows beside its key, under “last used”.",
                verb: "See keys",
                href: desk.path("/keys"),
                done: keys.iter().any(|key| key.last_used_at.is_some()),
            },
            Step {
                title: "Create a project",
                why: "Optional: a further wall, for keys that should reach one part only.",
                verb: "Create project",
                href: desk.path("/projects"),
                done: self.projects.is_some_and(|projects| projects > 0),
            },
        ];
        if steps.iter().all(|step| step.done) { Vec::new() } else { steps }
    }
}

/// `?id=`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sought {
    id: String,
}

/// `GET /w/{workspace}/{environment}/go?id=…`: the page of a thing, by its id.
///
/// # Errors
/// `not_found` for what is no id, names nothing, or is out of sight.
pub async fn go(
    granted: Granted<may::ReadWorkspace>,
    visit: Visit,
    State(db): State<Db>,
    Query(Sought { id }): Query<Sought>,
) -> Result<Response, Problem> {
    let (desk, id) = (desk(&visit, &granted, &db, Area::Home).await?, id.trim());
    let mut tx = db.workspace_tx(&granted).await?;
    let found = find(&mut tx, visit.notary(), &desk, id).await?;
    tx.finish_reading().await?;
    let path = found.ok_or_else(|| Problem::new(Code::NotFound))?;
    Ok(Redirect::to(&path).into_response())
}

async fn find(tx: &mut WorkspaceTx, notary: &Notary, desk: &Desk, id: &str) -> Result<Option<String>, DbError> {
    if let Ok(workspace) = id.parse::<WorkspaceId>() {
        // Whether one may see it is asked there, as for any path.
        return Ok(Some(format!("/w/{workspace}/{}", desk.environment)));
    }
    if let Some(event) = id.parse::<EventId>().ok().filter(|_| desk.may(Permission::ReadAudit)) {
        // It may not be numbered yet: the page of the entry sees to that, and says when there is none.
        return Ok(Some(desk.path(&format!("/audit/{event}"))));
    }
    if let Some(key) = id.parse::<ApiKeyId>().ok().filter(|_| desk.may(Permission::ReadKeys)) {
        return Ok(api_keys::get(tx, key).await?.map(|key| desk.path(&format!("/keys/{}", key.id))));
    }
    if let Some(secret) = id.parse::<SecretId>().ok().filter(|_| desk.may(Permission::ReadSecrets)) {
        return Ok(secrets::get(tx, secret).await?.map(|secret| desk.path(&format!("/secrets/{}", secret.id))));
    }
    if let Some(project) = id.parse::<ProjectId>().ok().filter(|_| desk.may(Permission::ReadProjects)) {
        let first = projects::list(tx, Some(before(project.uuid())), 1).await?;
        return Ok(first.first().filter(|first| first.id == project).map(|_| desk.path(&format!("/projects#{id}"))));
    }
    if let Some(user) = id.parse::<UserId>().ok().filter(|_| desk.may(Permission::ReadMembers)) {
        return Ok(members::get(tx, notary, user).await?.map(|_| desk.path(&format!("/members#{id}"))));
    }
    Ok(None)
}
