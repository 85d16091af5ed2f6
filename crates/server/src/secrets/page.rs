//! Secrets in the console: the list, one secret, its versions, who read it; and the one page that shows a value.

mod accesses;
mod create;
mod delete;
mod reveal;
mod rotate;
mod version;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use bailiwick_proof::id::SecretId;
use serde::Deserialize;
use zeroize::Zeroizing;

pub use self::accesses::accesses;
pub use self::create::{SecretInput, create, new};
use self::delete::DeleteForm;
pub use self::delete::{DeleteInput, confirm, delete};
pub use self::reveal::{RevealInput, read, reveal};
use self::rotate::RotationView;
pub use self::rotate::{ReadyInput, RotateInput, ask as ask_rotate, ready, rotate};
pub use self::version::{VersionInput, add_version, ask as ask_version};
use super::http::{self, SecretQuery};
use super::model::{Secret, SecretVersion};
use super::rotation;
use super::value::SecretValue;
use crate::authz::{Granted, Permission, may};
use crate::console::{Area, Desk, Field, IdChip, Listing, Moment, Noun, Visit};
use crate::db::Db;
use crate::http::{PathId, Problem, Query};
use crate::members::Names;
use crate::workspaces;

const NOUN: Noun = Noun { one: "secret", many: "secrets" };
/// Beside the field of a value: what was typed there is never sent back.
const NO_VALUE: &str = "Paste a value of 1 to 65,536 bytes, without null characters.";

/// `/w/{workspace}/{environment}/secrets`.
#[derive(Template)]
#[template(path = "secrets/index.html")]
struct IndexPage {
    desk: Desk,
    secrets: Vec<SecretView>,
    list: Listing,
    cli: String,
}

/// A secret in words.
struct SecretView {
    name: String,
    kind: &'static str,
    href: String,
    project: Option<String>,
    newest_version: u32,
    created: Moment,
    created_by: String,
}

impl SecretView {
    fn of(secret: Secret, names: &Names, desk: &Desk, visit: &Visit) -> Self {
        Self {
            kind: secret.kind.label(),
            href: secret_path(desk, secret.id),
            project: secret.project_id.map(|id| names.of(id.to_string())),
            newest_version: secret.newest_version,
            created: visit.moment(secret.created_at),
            created_by: names.of(secret.created_by),
            name: secret.name,
        }
    }
}

impl IndexPage {
    /// No secret was ever entrusted to us here, or none is left.
    fn is_untouched(&self) -> bool {
        self.secrets.is_empty() && self.list.first_href().is_none()
    }
}

fn secret_path(desk: &Desk, id: SecretId) -> String {
    desk.path(&format!("/secrets/{id}"))
}

/// A value as a form sends it: browsers write line breaks as CR LF, and those who paste a key in PEM mean LF.
fn typed_value(text: String) -> Option<SecretValue> {
    let text = Zeroizing::new(text);
    SecretValue::new(Zeroizing::new(text.replace("\r\n", "\n"))).ok()
}

/// The part of the query that the page itself shows.
#[derive(Deserialize)]
pub struct Shown {
    cursor: Option<String>,
}

/// `GET /w/{workspace}/{environment}/secrets`.
///
/// # Errors
/// As the API's.
pub async fn index(
    granted: Granted<may::ReadSecrets>,
    visit: Visit,
    State(db): State<Db>,
    Query(query): Query<SecretQuery>,
    Query(shown): Query<Shown>,
) -> Result<Response, Problem> {
    let desk = workspaces::desk(&visit, &granted, &db, Area::Secrets).await?;
    let page = http::page(&granted, &db, query).await?;
    let names = Names::look_up(&granted, &db).await?;
    let path = desk.path("/secrets");
    let list = Listing::new(NOUN, page.data.len(), &path, shown.cursor.as_deref(), page.next_cursor.as_deref());
    let cli = format!(
        "bailiwick secrets set db.main --kind database --from-file url.txt --workspace {} --environment {}",
        desk.workspace.named, desk.environment
    );
    let secrets = page.data.into_iter().map(|secret| SecretView::of(secret, &names, &desk, &visit)).collect();
    visit.page(&IndexPage { secrets, list, cli, desk })
}

/// `…/secrets/{id}`.
#[derive(Template)]
#[template(path = "secrets/show.html")]
struct ShowPage {
    desk: Desk,
    id: IdChip,
    secret: SecretView,
    versions: Vec<VersionView>,
    /// The newest one, under way or over.
    rotation: Option<RotationView>,
    cli: String,
    /// Present for who may delete.
    delete: Option<DeleteForm>,
}

/// A version in words.
struct VersionView {
    version: u32,
    created: Moment,
    created_by: String,
    revoked: Option<Moment>,
    refused_uses: u64,
}

impl VersionView {
    fn of(version: SecretVersion, names: &Names, visit: &Visit) -> Self {
        Self {
            version: version.version,
            created: visit.moment(version.created_at),
            created_by: names.of(version.created_by),
            revoked: version.revoked_at.map(|at| visit.moment(at)),
            refused_uses: version.refused_uses,
        }
    }
}

impl ShowPage {
    fn is_rotating(&self) -> bool {
        self.rotation.as_ref().is_some_and(RotationView::is_open)
    }

    fn may_reveal(&self) -> bool {
        self.desk.may(Permission::RevealSecret)
    }
}

/// `GET /w/{workspace}/{environment}/secrets/{id}`.
///
/// # Errors
/// `not_found`.
pub async fn show(
    granted: Granted<may::ReadSecrets>,
    visit: Visit,
    State(db): State<Db>,
    PathId(id): PathId<SecretId>,
) -> Result<Response, Problem> {
    let desk = workspaces::desk(&visit, &granted, &db, Area::Secrets).await?;
    let detail = http::find(&granted, &db, id).await?;
    let rotation = rotation::http::newest(&granted, &db, id).await?;
    let names = Names::look_up(&granted, &db).await?;
    let cli = format!(
        "bailiwick secrets get {} --workspace {} --environment {}",
        detail.secret.name, desk.workspace.named, desk.environment
    );
    visit.page(&ShowPage {
        id: IdChip::new(id, secret_path(&desk, id)),
        versions: detail.versions.into_iter().map(|version| VersionView::of(version, &names, &visit)).collect(),
        rotation: rotation.map(|rotation| RotationView::of(rotation, &desk, &visit)),
        cli,
        delete: desk
            .may(Permission::DeleteSecret)
            .then(|| DeleteForm::new(&desk, &visit, &detail.secret, Field::default())),
        secret: SecretView::of(detail.secret, &names, &desk, &visit),
        desk,
    })
}
