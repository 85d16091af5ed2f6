//! Two tenants with a canary each, and what one of them gets to see.

use bailiwick_proof::id::{Id, ProjectId, SessionId, UserId, WorkspaceId};
use bailiwick_server::authn::{AccessTokens, authenticate_key, authenticate_session, make_token_key};
use bailiwick_server::authz::{Memberships, Notary, Principal, Request, grant, may};
use bailiwick_server::clock::Clock;
use bailiwick_server::context::RequestContext;
use bailiwick_server::db::{Db, OperationalPath};
use bailiwick_server::entropy::Entropy;
use bailiwick_server::feed::Feed;
use bailiwick_server::server_secrets::{Known, Version};
use serde_json::json;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::harness::app::TestApp;

/// A tenant with a key and a project by which it is known.
#[derive(Clone)]
pub struct Tenant {
    /// What the names of all its projects begin with.
    pub name: &'static str,
    /// The id in paths.
    pub workspace: String,
    /// The id in the database.
    pub uuid: Uuid,
    /// The founder.
    pub user: Uuid,
    /// A key that may do everything.
    pub key: String,
    /// The project that was there first.
    pub canary_project: Uuid,
    /// A key that is confined to it.
    confined_key: String,
    /// Knows which rows of its cell are vouched for.
    notary: Notary,
}

/// What somebody saw in a transaction.
#[derive(Debug)]
pub struct Sight {
    /// `app.workspace_id`, `app.environment`, `app.project_id`, `app.user_id`, `app.operational_path`.
    pub settings: Vec<String>,
    /// The names of all projects in sight.
    pub projects: Vec<String>,
}

impl Tenant {
    /// Panics unless everything in sight is this tenant's, its canary among it.
    pub fn recognises(&self, sight: &Sight) {
        assert_eq!(sight.settings[0], self.uuid.to_string());
        assert!(sight.projects.contains(&format!("{} canary", self.name)), "{sight:?}");
        assert!(sight.projects.iter().all(|project| project.starts_with(self.name)), "{sight:?}");
    }

    /// The same tenant by the key that is confined to its canary.
    pub fn confined(&self) -> Self {
        Self { key: self.confined_key.clone(), ..self.clone() }
    }
}

/// Ada and Bob.
pub async fn tenants(app: &TestApp) -> [Tenant; 2] {
    [found(app, "ada").await, found(app, "bob").await]
}

/// A tenant of this name.
pub async fn found(app: &TestApp, name: &'static str) -> Tenant {
    let (person, workspace) = app.founder(&format!("{name}@example.com"), name).await;
    let scopes = json!(["management"]);
    let key = app.api_key(&person, &workspace, &json!({"name": "all", "scopes": scopes})).await;
    let path = format!("/v1/workspaces/{workspace}/projects");
    let body = json!({"name": format!("{name} canary")});
    let project = app.post(&path, &body).bearer(&person.access_token).send().await.text_of("id");
    let confined = json!({"name": "one", "scopes": scopes, "project_id": project});
    let confined_key = app.api_key(&person, &workspace, &confined).await["key"].as_str().unwrap().to_owned();
    let user: Uuid = sqlx::query_scalar("SELECT id FROM users WHERE email_key = $1")
        .bind(format!("{name}@example.com"))
        .fetch_one(&app.database.owner)
        .await
        .unwrap();
    let uuid = workspace.parse::<WorkspaceId>().unwrap().uuid();
    let canary_project = project.parse::<ProjectId>().unwrap().uuid();
    let notary = app.notary().await;
    Tenant {
        name,
        workspace,
        uuid,
        user,
        key: key["key"].as_str().unwrap().to_owned(),
        canary_project,
        confined_key,
        notary,
    }
}

/// A whole request without HTTP around it: credential, decision, transaction, rows.
pub async fn visit(db: &Db, tenant: &Tenant) -> Sight {
    let context = context();
    let holder = authenticate_key(&feed(db, &tenant.notary), &tenant.key, context.received_at, None).await.unwrap();
    let request = Request { workspace: &tenant.workspace, environment: None, context: &context };
    let granted = grant::<may::ReadProjects>(Principal::Key(holder), &Memberships::default(), request).unwrap();
    let mut tx = db.workspace_tx(&granted).await.unwrap();
    let settings = settings(tx.connection().unwrap()).await;
    let projects = "SELECT name FROM projects ORDER BY name";
    let projects = sqlx::query_scalar(projects).fetch_all(tx.connection().unwrap()).await.unwrap();
    tx.finish_reading().await.unwrap();
    Sight { settings, projects }
}

/// The settings of the founder's `AccountTx`, for which they sign in by a token of a key of ours.
pub async fn account_settings(app: &TestApp, tenant: &Tenant) -> Vec<String> {
    let (_, value) = make_token_key().unwrap();
    let tokens = AccessTokens::new(&app.url);
    let begun = OffsetDateTime::UNIX_EPOCH;
    let version = Version { number: 1, value, used_from: begun, older_until: begun };
    tokens.learn(&Known::new(vec![version], Vec::new())).unwrap();
    let session: Uuid = sqlx::query_scalar("SELECT id FROM sessions WHERE user_id = $1")
        .bind(tenant.user)
        .fetch_one(&app.database.owner)
        .await
        .unwrap();
    let (user, session): (UserId, SessionId) = (Id::from_uuid(tenant.user), Id::from_uuid(session));
    let context = context();
    let token = tokens.issue(user, session, context.received_at).unwrap();
    let person = authenticate_session(&feed(&app.db, &tenant.notary), &tokens, &token, &context).await.unwrap();
    let mut tx = app.db.account_tx(&person).await.unwrap();
    settings(tx.connection().unwrap()).await
}

/// The settings of a `SystemTx`.
pub async fn path_settings(db: &Db, path: OperationalPath) -> Vec<String> {
    let mut tx = db.system_tx(path).await.unwrap();
    settings(tx.connection().unwrap()).await
}

async fn settings(connection: &mut PgConnection) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT ARRAY(SELECT coalesce(current_setting('app.' || name, true), 'unset')
             FROM unnest(ARRAY['workspace_id', 'environment', 'project_id', 'user_id', 'operational_path'])
                 WITH ORDINALITY AS setting (name, nth) ORDER BY nth)",
    )
    .fetch_one(connection)
    .await
    .unwrap()
}

/// Of a node that remembers nothing, and so asks the database for each credential.
fn feed(db: &Db, notary: &Notary) -> Feed {
    Feed::new(db.clone(), notary.clone(), &Clock::system(), &Entropy::system())
}

fn context() -> RequestContext {
    RequestContext::internal(&Clock::system(), &Entropy::system())
}
