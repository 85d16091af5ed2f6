//! Keys in the console: the list, one key, the making of one and its only showing, its end.

mod confinement;
mod create;
mod edit;
mod revoke;
mod rotate;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use bailiwick_proof::environment::Environment;
use bailiwick_proof::id::{ApiKeyId, ProjectId};
use serde::Deserialize;

pub use self::create::{KeyInput, create, created, new, stored};
pub use self::edit::{EditInput, edit, update};
use self::revoke::RevokeForm;
pub use self::revoke::{RevokeInput, confirm, revoke};
use self::rotate::RotateForm;
pub use self::rotate::{RotateInput, ask as ask_rotate, rotate};
use super::http::{self, KeyQuery};
use super::model::{ApiKey, Status};
use crate::authz::{Granted, Permission, PermissionSet, Scope, ScopeSet, may};
use crate::console::{Area, CodeLine, Desk, Field, IdChip, Listing, Moment, Noun, Visit, all_in_words};
use crate::db::Db;
use crate::http::{PathId, Problem, Query};
use crate::members::Names;
use crate::workspaces;

const NOUN: Noun = Noun { one: "key", many: "keys" };

/// `/w/{workspace}/{environment}/keys`.
#[derive(Template)]
#[template(path = "api_keys/index.html")]
struct IndexPage {
    desk: Desk,
    keys: Vec<KeyView>,
    /// Keys of this status alone.
    filter: Option<Status>,
    list: Listing,
    cli: String,
}

struct KeyView {
    name: String,
    /// `bw_live_AbCdEfGh…`
    lookup: String,
    href: String,
    scopes: String,
    project: Option<String>,
    status: Status,
    created: Moment,
    created_by: String,
    last_used: Option<Moment>,
    expires: Option<Moment>,
}

struct FilterLink {
    label: &'static str,
    href: String,
    current: bool,
}

impl IndexPage {
    fn filters(&self) -> [FilterLink; 4] {
        let link = |(label, status): (_, Option<Status>)| FilterLink {
            label,
            href: list_path(&self.desk, status),
            current: self.filter == status,
        };
        [
            ("All", None),
            ("Active", Some(Status::Active)),
            ("Expired", Some(Status::Expired)),
            ("Revoked", Some(Status::Revoked)),
        ]
        .map(link)
    }

    /// No key was ever made here.
    fn is_untouched(&self) -> bool {
        self.keys.is_empty() && self.filter.is_none() && self.list.first_href().is_none()
    }

    fn filter_word(&self) -> &'static str {
        self.filter.map_or("further", Status::as_str)
    }
}

fn list_path(desk: &Desk, filter: Option<Status>) -> String {
    filter.map_or_else(|| desk.path("/keys"), |status| desk.path(&format!("/keys?status={}", status.as_str())))
}

/// The part of the query that the page itself shows.
#[derive(Deserialize)]
pub struct Shown {
    cursor: Option<String>,
    status: Option<Status>,
}

/// `GET /w/{workspace}/{environment}/keys`.
///
/// # Errors
/// As the API's.
pub async fn index(
    granted: Granted<may::ReadKeys>,
    visit: Visit,
    State(db): State<Db>,
    Query(query): Query<KeyQuery>,
    Query(shown): Query<Shown>,
) -> Result<Response, Problem> {
    let desk = workspaces::desk(&visit, &granted, &db, Area::Keys).await?;
    let page = http::page(&granted, &db, query).await?;
    let names = Names::look_up(&granted, &db).await?;
    let path = list_path(&desk, shown.status);
    let list = Listing::new(NOUN, page.data.len(), &path, shown.cursor.as_deref(), page.next_cursor.as_deref());
    let cli = format!(
        "bailiwick keys create importer --scope read --workspace {} --environment {}",
        desk.workspace.named, desk.environment
    );
    let keys = page.data.into_iter().map(|key| view(key, &names, &desk, &visit)).collect();
    visit.page(&IndexPage { keys, filter: shown.status, list, cli, desk })
}

/// `…/keys/{id}`.
#[derive(Template)]
#[template(path = "api_keys/show.html")]
struct ShowPage {
    desk: Desk,
    id: IdChip,
    key: KeyView,
    scopes: Vec<&'static str>,
    allows: String,
    revoked: Option<Moment>,
    call: CodeLine,
    /// Present for who may revoke, while there is something to revoke.
    revoke: Option<RevokeForm>,
    /// Present for who may rotate, while there is no successor.
    rotate: Option<RotateForm>,
    /// Where it is changed, for who may.
    edit: Option<String>,
    labels: Vec<String>,
    audiences: Vec<String>,
    networks: Vec<String>,
    successor: Option<IdChip>,
    predecessor: Option<IdChip>,
}

/// `GET /w/{workspace}/{environment}/keys/{id}`.
///
/// # Errors
/// `not_found`.
pub async fn show(
    granted: Granted<may::ReadKeys>,
    visit: Visit,
    State(db): State<Db>,
    PathId(id): PathId<ApiKeyId>,
) -> Result<Response, Problem> {
    let desk = workspaces::desk(&visit, &granted, &db, Area::Keys).await?;
    let key = http::find(&granted, &db, id).await?;
    let names = Names::look_up(&granted, &db).await?;
    let revocable = key.status != Status::Revoked && desk.may(Permission::RevokeKey);
    let active = key.status == Status::Active;
    let chip = |id: ApiKeyId| IdChip::new(id, key_path(&desk, id));
    visit.page(&ShowPage {
        rotate: (active && key.successor_id.is_none() && desk.may(Permission::RotateKey))
            .then(|| RotateForm::new(&desk, &visit, &key)),
        edit: (active && desk.may(Permission::UpdateKey)).then(|| format!("{}/edit", key_path(&desk, key.id))),
        labels: key.labels.iter().map(|(name, value)| format!("{name}={value}")).collect(),
        audiences: key.audiences.words(),
        networks: key.allowed_networks.words(),
        successor: key.successor_id.map(chip),
        predecessor: key.rotated_from.map(chip),
        id: IdChip::new(key.id, key_path(&desk, key.id)),
        scopes: key.scopes.iter().map(|scope| scope.as_str()).collect(),
        allows: match key.status {
            Status::Active => all_in_words(allowed(&key.scopes, key.project_id)),
            Status::Expired | Status::Revoked => String::from("nothing any more"),
        },
        revoked: key.revoked_at.map(|at| visit.moment(at)),
        call: CodeLine::self_check(visit.origin()),
        revoke: revocable.then(|| RevokeForm::new(&desk, &visit, &key, Field::default())),
        key: view(key, &names, &desk, &visit),
        desk,
    })
}

fn key_path(desk: &Desk, id: ApiKeyId) -> String {
    desk.path(&format!("/keys/{id}"))
}

/// What these scopes allow, within a project's wall or without.
fn allowed(scopes: &[Scope], project: Option<ProjectId>) -> PermissionSet {
    let all = ScopeSet::of(scopes).permissions();
    if project.is_some() { all.intersection(PermissionSet::WITHIN_PROJECT) } else { all }
}

fn view(key: ApiKey, names: &Names, desk: &Desk, visit: &Visit) -> KeyView {
    let words: Vec<&str> = key.scopes.iter().map(|scope| scope.as_str()).collect();
    KeyView {
        lookup: shown_lookup(key.environment, &key.lookup),
        href: key_path(desk, key.id),
        scopes: words.join(", "),
        project: key.project_id.map(|id| names.of(id.to_string())),
        status: key.status,
        created: visit.moment(key.created_at),
        created_by: names.of(key.created_by),
        last_used: key.last_used_at.map(|at| visit.moment(at)),
        expires: key.expires_at.map(|at| visit.moment(at)),
        name: key.name,
    }
}

/// `bw_live_AbCdEfGh…`: all of a key that is kept, as it begins.
fn shown_lookup(environment: Environment, lookup: &str) -> String {
    format!("bw_{environment}_{lookup}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_confined_key_may_do_is_not_overstated() {
        let project: ProjectId = "prj_01h455vb4pex5vsknk084sn02q".parse().unwrap();
        let confined = allowed(&Scope::ALL, Some(project));
        assert!(PermissionSet::WITHIN_PROJECT.includes(confined));
        assert!(allowed(&[Scope::Management], None).contains(Permission::CreateKey));
    }

    #[test]
    fn a_lookup_reads_like_the_beginning_of_its_key() {
        assert_eq!(shown_lookup(Environment::Test, "AbCdEfGh"), "bw_test_AbCdEfGh…");
    }
}
