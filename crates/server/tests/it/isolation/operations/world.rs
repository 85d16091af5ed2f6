//! Two workspaces with a thing at every place, and callers with every kind of credential.

use bailiwick_proof::environment::Environment;
use bailiwick_proof::id::{
    ApiKeyId, ErasureId, EventId, Id, InvitationId, LegalHoldId, ProjectId, ReceiptShareId, SecretId, SecretRotationId,
    UserId, WorkspaceId,
};
use bailiwick_server::authz::{Role, Scope};
use bailiwick_server::clock::Clock;
use bailiwick_server::entropy::Entropy;
use bailiwick_server::ledger::publish_manifest;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use super::cases::{Operation, Reach};
use crate::harness::app::{Answer, TestApp};
use crate::harness::process::until;
use crate::harness::vault::ledger;

/// A server with two tenants.
pub struct World {
    app: TestApp,
    /// Who calls.
    pub ada: Tenant,
    /// Whose things are not to be seen.
    pub bob: Tenant,
}

/// A workspace and everything in it.
pub struct Tenant {
    /// The id.
    pub id: String,
    /// The slug.
    pub slug: String,
    /// The projects: two of live, one of test.
    pub projects: Vec<Thing>,
    /// The events of the audit logs.
    pub events: Vec<Thing>,
    /// The secrets: one at each place.
    pub secrets: Vec<Thing>,
    /// An open rotation of each.
    pub rotations: Vec<Thing>,
    /// An erasure in each environment.
    pub erasures: Vec<Thing>,
    /// A registered action in each environment.
    pub actions: Vec<Thing>,
    /// A legal hold in each environment.
    pub holds: Vec<Thing>,
    /// A link to the receipt of an event at each place.
    pub shares: Vec<Thing>,
    /// A saved filter for everybody in each environment.
    pub filters: Vec<Thing>,
    /// The founder.
    pub members: Vec<Thing>,
    /// An open invitation.
    pub invitations: Vec<Thing>,
    /// The size of a checkpoint of live and of one of test.
    published: [u64; 2],
    keys: Vec<Key>,
    access_token: String,
}

/// Something with an id that stands at a place.
#[derive(Clone, Debug)]
pub struct Thing {
    /// Its id.
    pub id: String,
    /// A name that nothing else has.
    pub name: String,
    workspace: String,
    environment: Environment,
    project: Option<String>,
}

struct Key {
    thing: Thing,
    secret: String,
}

/// Somebody with a credential.
#[derive(Clone)]
pub struct Caller {
    /// For messages.
    pub name: String,
    /// Where they act.
    pub environment: Environment,
    /// What they say in `Bailiwick-Environment`, if anything.
    chosen: Option<&'static str>,
    workspace: String,
    credential: String,
    project: Option<String>,
}

/// Ids that were never given to anything.
pub struct Never {
    /// Of a workspace.
    pub workspace: String,
    /// Of an API key.
    pub key: String,
    /// Of a project.
    pub project: String,
    /// Of an event.
    pub event: String,
    /// Of a secret.
    pub secret: String,
    /// Of a rotation.
    pub rotation: String,
    /// Of an erasure.
    pub erasure: String,
    /// Of a registered action.
    pub action: String,
    /// A legal hold's.
    pub hold: String,
    /// Of a link to a receipt.
    pub share: String,
    /// Of a saved filter.
    pub filter: String,
    /// Of a member.
    pub member: String,
    /// Of an invitation.
    pub invitation: String,
}

impl Caller {
    /// The same, with a word in `Bailiwick-Environment`.
    pub fn choosing(&self, environment: &'static str) -> Self {
        Self { chosen: Some(environment), ..self.clone() }
    }

    /// Is the thing within all of the caller's walls?
    pub fn sees(&self, thing: &Thing) -> bool {
        let within = self.project.is_none() || self.project == thing.project;
        // People belong to both environments.
        let in_both = thing.id.starts_with("usr_") || thing.id.starts_with("inv_");
        self.workspace == thing.workspace && (in_both || self.environment == thing.environment) && within
    }
}

impl Tenant {
    /// The keys.
    pub fn keys(&self) -> impl Iterator<Item = &Thing> {
        self.keys.iter().map(|key| &key.thing)
    }

    /// What an operation of this reach can name.
    pub fn things(&self, reach: Reach) -> Vec<&Thing> {
        match reach {
            Reach::Key => self.keys().collect(),
            Reach::Event => self.events.iter().collect(),
            Reach::Secret => self.secrets.iter().collect(),
            Reach::Rotation => self.rotations.iter().collect(),
            Reach::Erasure => self.erasures.iter().collect(),
            Reach::Action => self.actions.iter().collect(),
            Reach::Hold => self.holds.iter().collect(),
            Reach::Share => self.shares.iter().collect(),
            Reach::Filter => self.filters.iter().collect(),
            Reach::Member => self.members.iter().collect(),
            Reach::Invitation => self.invitations.iter().collect(),
            Reach::Nowhere(_) | Reach::Session | Reach::Workspace | Reach::Log | Reach::PublicOf => vec![],
        }
    }

    /// Projects, keys, secrets with their rotations, erasures, registered actions, and events.
    pub fn all(&self) -> impl Iterator<Item = &Thing> {
        let made = self.projects.iter().chain(self.keys()).chain(&self.secrets).chain(&self.rotations);
        made.chain(&self.erasures)
            .chain(&self.actions)
            .chain(&self.holds)
            .chain(&self.filters)
            .chain(&self.shares)
            .chain(&self.events)
    }

    /// The founder, who says nothing of an environment.
    pub fn in_live(&self) -> Caller {
        self.founder("the founder", Environment::Live, None)
    }

    /// The founder, who chooses test.
    pub fn in_test(&self) -> Caller {
        self.founder("the founder in test", Environment::Test, Some("test"))
    }

    /// A key of live that may do everything.
    pub fn by_live_key(&self) -> Caller {
        self.by_key("a live key", 0)
    }

    /// A key that is confined to the first project of live.
    pub fn by_confined_key(&self) -> Caller {
        self.by_key("a confined key", 1)
    }

    /// A key of test that may do everything.
    pub fn by_test_key(&self) -> Caller {
        self.by_key("a test key", 3)
    }

    fn founder(&self, name: &str, environment: Environment, chosen: Option<&'static str>) -> Caller {
        let (workspace, credential) = (self.id.clone(), self.access_token.clone());
        Caller { name: name.to_owned(), environment, chosen, workspace, credential, project: None }
    }

    fn by_key(&self, name: &str, nth: usize) -> Caller {
        let Key { thing, secret } = &self.keys[nth];
        Caller {
            name: name.to_owned(),
            environment: thing.environment,
            chosen: None,
            workspace: self.id.clone(),
            credential: secret.clone(),
            project: thing.project.clone(),
        }
    }
}

impl World {
    /// Ada and Bob, each with two projects and four keys in live, a project and a key in test.
    pub async fn found() -> Self {
        let app = TestApp::start().await;
        let ada = tenant(&app, "ada").await;
        let bob = tenant(&app, "bob").await;
        let node = ledger(&app.database, &app.db).await.unwrap();
        publish_manifest(&node).await.unwrap();
        Self { app, ada, bob }
    }

    /// Ids that were never given to anything.
    pub fn never(&self) -> Never {
        let fresh = || Entropy::system().uuid_v7(Clock::system().now());
        let (workspace, key): (WorkspaceId, ApiKeyId) = (Id::from_uuid(fresh()), Id::from_uuid(fresh()));
        let project: ProjectId = Id::from_uuid(fresh());
        let event: EventId = Id::from_uuid(fresh());
        let secret: SecretId = Id::from_uuid(fresh());
        let rotation: SecretRotationId = Id::from_uuid(fresh());
        let erasure: ErasureId = Id::from_uuid(fresh());
        let hold: LegalHoldId = Id::from_uuid(fresh());
        let share: ReceiptShareId = Id::from_uuid(fresh());
        let (member, invitation): (UserId, InvitationId) = (Id::from_uuid(fresh()), Id::from_uuid(fresh()));
        Never {
            workspace: workspace.to_string(),
            key: key.to_string(),
            project: project.to_string(),
            event: event.to_string(),
            secret: secret.to_string(),
            rotation: rotation.to_string(),
            erasure: erasure.to_string(),
            hold: hold.to_string(),
            share: share.to_string(),
            filter: Id::<bailiwick_proof::id::Filter>::from_uuid(fresh()).to_string(),
            member: member.to_string(),
            invitation: invitation.to_string(),
            action: "never.registered".to_owned(),
        }
    }

    /// A new member of Ada's workspace with this role.
    pub async fn member(&self, role: Role) -> Caller {
        let person = self.app.join(&self.ada.id, &format!("{}@example.com", role.as_str()), role.as_str()).await;
        Caller { name: role.as_str().to_owned(), credential: person.access_token, ..self.ada.in_live() }
    }

    /// A new key of Ada's with this scope.
    pub async fn key(&self, scope: Scope) -> Caller {
        let founder = self.ada.in_live();
        let path = format!("/v1/workspaces/{}/api-keys", self.ada.id);
        let body = json!({"name": scope.as_str(), "scopes": [scope.as_str()]});
        let credential = self.call(&founder, Method::POST, &path, Some(&body)).await.text_of("key");
        Caller { name: format!("a key with {}", scope.as_str()), credential, ..founder }
    }

    /// The operation, of this workspace and id, with a body that it takes.
    pub async fn send(&self, caller: &Caller, operation: &Operation, workspace: &str, id: &str) -> Answer {
        let mut path = operation.path.replace("{workspace}", workspace).replace("{id}", id);
        path = path.replace("{path}", "tile/0/000.p/1");
        if operation.id == "proveConsistency" {
            let of_test = usize::from(caller.environment == Environment::Test);
            path = format!("{path}?from={}", self.ada.published[of_test]);
        }
        self.call(caller, operation.method.clone(), &path, operation.body.as_ref()).await
    }

    /// A page of a list that belongs to a tenant.
    pub async fn page(&self, caller: &Caller, operation: &Operation, of: &Tenant, query: &str) -> Value {
        let path = format!("{}?{query}", operation.path.replace("{workspace}", &of.id));
        self.call(caller, operation.method.clone(), &path, None).await.json()
    }

    /// A request to the public listener.
    pub async fn call(&self, caller: &Caller, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let mut call = self.app.call(method, path).bearer(&caller.credential);
        if let Some(chosen) = caller.chosen {
            call = call.header("bailiwick-environment", chosen);
        }
        if let Some(body) = body {
            call = call.json(body);
        }
        call.send().await
    }

    /// The rows of all tenant tables for which the condition on `row`, a JSON object, holds; as the owner sees them, but
    /// for the notes that a key was used and that a row has changed, and for what the ledger and the vault do by
    /// themselves: numbers, hashes, keys.
    pub async fn rows(&self, condition: &str) -> Vec<String> {
        self.app.numbered().await;
        let owner = &self.app.database.owner;
        let tables: Vec<String> = sqlx::query_scalar(
            "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_attribute a ON attrelid = c.oid AND attname = 'workspace_id'
             WHERE relkind IN ('r', 'p') AND relname NOT IN ('api_key_uses', 'feed_changes', 'ledger_checkpoints', 'ledger_daily_roots', 'ledger_hashes',
                 'ledger_heads', 'ledger_manifest_lines',
                 'vault_deks', 'vault_subjects')
             ORDER BY 1",
        )
        .fetch_all(owner)
        .await
        .unwrap();
        let rows = |table: &String| format!("SELECT '{table} ' AS tab, to_jsonb(t) AS row FROM {table} t");
        let all = tables.iter().map(rows).collect::<Vec<_>>().join(" UNION ALL ");
        let sql = format!("SELECT tab || row FROM ({all}) AS every WHERE {condition} ORDER BY 1");
        let rows: Vec<String> = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(owner).await.unwrap();
        assert!(rows.len() > 20, "{rows:?}");
        rows
    }
}

/// Status and body without the one thing in it that always differs.
pub fn comparable(answer: &Answer) -> (u16, Value) {
    let mut body = answer.json();
    body.as_object_mut().unwrap().remove("request_id").unwrap();
    (answer.status.as_u16(), body)
}

async fn tenant(app: &TestApp, slug: &str) -> Tenant {
    let (person, id) = app.founder(&format!("{slug}@example.com"), slug).await;
    let mut tenant = Tenant {
        id,
        slug: slug.to_owned(),
        projects: vec![],
        events: vec![],
        secrets: vec![],
        rotations: vec![],
        erasures: vec![],
        actions: vec![],
        holds: vec![],
        shares: vec![],
        filters: vec![],
        members: vec![],
        invitations: vec![],
        published: [0, 0],
        keys: vec![],
        access_token: person.access_token,
    };
    for (nth, environment) in [Environment::Live, Environment::Live, Environment::Test].into_iter().enumerate() {
        let name = format!("{slug}'s {environment} project {nth}");
        let made = make(app, &tenant, environment, "projects", &json!({"name": name})).await;
        let (id, workspace) = (made["id"].as_str().unwrap().to_owned(), tenant.id.clone());
        tenant.projects.push(Thing { project: Some(id.clone()), id, name, workspace, environment });
    }
    let [first, second, of_test] = [0, 1, 2].map(|nth| Some(tenant.projects[nth].id.clone()));
    let (live, test) = (Environment::Live, Environment::Test);
    for (nth, (environment, project)) in
        [(live, None), (live, first), (live, second), (test, None), (test, of_test)].into_iter().enumerate()
    {
        let name = format!("{slug}'s {environment} key {nth}");
        let secret = format!("{slug}-{environment}-secret-{nth}");
        let body = json!({"name": secret, "kind": "generic", "value": "v", "project_id": project});
        let made = make(app, &tenant, environment, "secrets", &body).await;
        let (id, workspace) = (made["id"].as_str().unwrap().to_owned(), tenant.id.clone());
        let body = json!({"reason": "scheduled", "value": "another"});
        let opened = make(app, &tenant, environment, &format!("secrets/{id}/rotations"), &body).await;
        let rotation = opened["id"].as_str().unwrap().to_owned();
        let thing = Thing { id, name: secret, workspace, environment, project: project.clone() };
        tenant.rotations.push(Thing { id: rotation.clone(), name: rotation, ..thing.clone() });
        tenant.secrets.push(thing);
        let body = json!({"name": name, "scopes": ["management"], "project_id": project});
        let made = make(app, &tenant, environment, "api-keys", &body).await;
        let text = |member: &str| made[member].as_str().unwrap().to_owned();
        let thing = Thing { id: text("id"), name, workspace: tenant.id.clone(), environment, project };
        tenant.keys.push(Key { thing, secret: text("key") });
    }
    let (member, invitation) = people(app, &tenant).await;
    tenant.members.push(member);
    tenant.invitations.push(invitation);
    for (nth, environment) in [live, test].into_iter().enumerate() {
        tenant.erasures.push(erasure(app, &tenant, environment).await);
        let id = format!("{slug}.{environment}.done");
        make(app, &tenant, environment, "audit/actions", &json!({"action": id})).await;
        tenant.actions.push(Thing { name: id.clone(), id, workspace: tenant.id.clone(), environment, project: None });
        let name = format!("{slug}'s {environment} matter");
        let hold = make(app, &tenant, environment, "audit/legal-holds", &json!({"reason": name})).await;
        let id = hold["id"].as_str().unwrap().to_owned();
        tenant.holds.push(Thing { name, id, workspace: tenant.id.clone(), environment, project: None });
        let name = format!("{slug}'s {environment} filter");
        let filter = json!({"name": name, "actor": slug, "shared": true});
        let id = make(app, &tenant, environment, "audit/filters", &filter).await["id"].as_str().unwrap().to_owned();
        tenant.filters.push(Thing { name, id, workspace: tenant.id.clone(), environment, project: None });
        stream(app, &tenant, environment).await;
        let shares = shares(app, &tenant, environment).await;
        tenant.shares.extend(shares);
        tenant.events.extend(events(app, &tenant, environment).await);
        let checkpoint = read(app, &tenant, environment, "audit/checkpoint").await.text;
        tenant.published[nth] = checkpoint.lines().nth(1).unwrap().parse().unwrap();
    }
    tenant
}

/// The founder, and somebody who is invited; the mail is on its way no more.
async fn people(app: &TestApp, tenant: &Tenant) -> (Thing, Thing) {
    let members = read(app, tenant, Environment::Live, "members").await.json();
    let thing = |id: &Value| Thing {
        id: id.as_str().unwrap().to_owned(),
        name: id.as_str().unwrap().to_owned(),
        workspace: tenant.id.clone(),
        environment: Environment::Live,
        project: None,
    };
    let body = json!({"email": format!("guest@{}.example", tenant.slug), "role": "viewer"});
    let invited = make(app, tenant, Environment::Live, "invitations", &body).await;
    let left = "SELECT count(*) FROM jobs_ready WHERE kind = 'member.mail'";
    until(async || sqlx::query_scalar::<_, i64>(left).fetch_one(&app.database.owner).await.unwrap() == 0).await;
    (thing(&members["data"][0]["user_id"]), thing(&invited["id"]))
}

/// As if somebody had been erased: what is erased is of no matter here.
async fn erasure(app: &TestApp, tenant: &Tenant, environment: Environment) -> Thing {
    let id: ErasureId = Id::from_uuid(Entropy::system().uuid_v7(Clock::system().now()));
    let workspace: WorkspaceId = tenant.id.parse().unwrap();
    sqlx::query(
        "INSERT INTO erasures (workspace_id, environment, id, subject_number, commitment, requested_by, requested_at,
             fields_found, finished_at, certificate_event)
         VALUES ($1, $2, $3, 4000000000, sha256(''), 'operator', now(), 1, now(), $3)",
    )
    .bind(workspace.uuid())
    .bind(environment.as_str())
    .bind(id.uuid())
    .execute(&app.database.owner)
    .await
    .unwrap();
    let id = id.to_string();
    Thing { name: id.clone(), id, workspace: tenant.id.clone(), environment, project: None }
}

/// A stream that has stopped: nothing of it moves while others look.
async fn stream(app: &TestApp, tenant: &Tenant, environment: Environment) {
    let body = json!({
        "endpoint": "https://bucket.invalid", "region": "eu-1", "bucket": "acme", "access_key_id": "id",
        "secret_access_key": "the-key-of-a-bucket-that-is-nowhere",
    });
    let path = format!("/v1/workspaces/{}/audit/stream", tenant.id);
    let call = app.call(Method::PUT, &path).json(&body).bearer(&tenant.access_token);
    let set = call.header("bailiwick-environment", environment.as_str()).send().await;
    assert_eq!(set.status, 200, "{}", set.text);
    let stop = "UPDATE audit_streams SET is_stopped = true, fault = 'bucket_away', fault_at = now(), job = NULL, due_at = NULL";
    sqlx::query(stop).execute(&app.database.owner).await.unwrap();
    let left = "SELECT count(*) FROM jobs_ready WHERE kind = 'audit.stream'";
    until(async || sqlx::query_scalar::<_, i64>(left).fetch_one(&app.database.owner).await.unwrap() == 0).await;
}

/// A link for the newest event of each place: of no project, and of each.
async fn shares(app: &TestApp, tenant: &Tenant, environment: Environment) -> Vec<Thing> {
    let mut places: Vec<Option<String>> = Vec::new();
    let mut shares = Vec::new();
    for event in events(app, tenant, environment).await {
        if places.contains(&event.project) {
            continue;
        }
        let made = make(app, tenant, environment, &format!("audit/events/{}/shares", event.id), &json!({})).await;
        let id = made["id"].as_str().unwrap().to_owned();
        places.push(event.project.clone());
        shares.push(Thing { name: id.clone(), id, ..event });
    }
    shares
}

async fn events(app: &TestApp, tenant: &Tenant, environment: Environment) -> Vec<Thing> {
    let listed = read(app, tenant, environment, "audit/events").await.json();
    let event = |event: &Value| Thing {
        id: event["id"].as_str().unwrap().to_owned(),
        name: event["id"].as_str().unwrap().to_owned(),
        workspace: tenant.id.clone(),
        environment,
        project: event["project_id"].as_str().map(str::to_owned),
    };
    listed["data"].as_array().unwrap().iter().map(event).collect()
}

async fn read(app: &TestApp, tenant: &Tenant, environment: Environment, what: &str) -> Answer {
    let call = app.get(&format!("/v1/workspaces/{}/{what}", tenant.id)).bearer(&tenant.access_token);
    call.header("bailiwick-environment", environment.as_str()).send().await
}

async fn make(app: &TestApp, tenant: &Tenant, environment: Environment, kind: &str, body: &Value) -> Value {
    let call = app.post(&format!("/v1/workspaces/{}/{kind}", tenant.id), body).bearer(&tenant.access_token);
    let made = call.header("bailiwick-environment", environment.as_str()).send().await;
    assert_eq!(made.status, 201, "{}", made.text);
    made.json()
}
