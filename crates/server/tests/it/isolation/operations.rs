//! Every operation of the contract with every id of somebody else's: not found, word for word as what never was.
//!
//! The operations come from the OpenAPI document, so that a route cannot be added without a case in `cases`.

mod cases;
mod world;

use std::collections::BTreeSet;

use bailiwick_proof::environment::Environment;
use bailiwick_proof::id::ProjectId;
use bailiwick_server::authz::{Permission, PermissionSet, Role, Scope};
use reqwest::Method;
use serde_json::{Value, json};

use self::cases::{CASES, Operation, Reach, operations};
use self::world::{World, comparable};

#[test]
fn every_operation_has_a_case_and_every_case_an_operation() {
    let documented: BTreeSet<String> = operations().into_iter().map(|operation| operation.id).collect();
    let cases: BTreeSet<String> = CASES.iter().map(|(id, _)| (*id).to_owned()).collect();
    assert_eq!(documented, cases);
    for operation in operations() {
        let named: &[&str] = match operation.reach {
            Reach::Nowhere(_) => &[],
            Reach::Session => &["id"],
            Reach::Workspace | Reach::PublicOf => &["workspace"],
            Reach::Log => &["workspace", "path"],
            Reach::Key
            | Reach::Event
            | Reach::Secret
            | Reach::Rotation
            | Reach::Erasure
            | Reach::Action
            | Reach::Hold
            | Reach::Share
            | Reach::Filter
            | Reach::Member
            | Reach::Invitation => &["workspace", "id"],
        };
        assert_eq!(operation.path_parameters, named, "{}", operation.id);
    }
}

#[test]
fn every_operation_declares_who_may_call_it() {
    let known = Permission::ALL.map(Permission::name);
    for operation in operations() {
        let (security, permission) = (&operation.security, operation.permission.as_deref());
        match operation.reach {
            Reach::Nowhere(schemes) => {
                assert_eq!((security, permission), (&schemes_of(schemes), None), "{}", operation.id);
            }
            Reach::Session => {
                assert_eq!((security, permission), (&schemes_of(&["session"]), None), "{}", operation.id);
            }
            Reach::PublicOf => assert_eq!((security, permission), (&schemes_of(&[]), None), "{}", operation.id),
            Reach::Workspace
            | Reach::Log
            | Reach::Key
            | Reach::Event
            | Reach::Secret
            | Reach::Rotation
            | Reach::Erasure
            | Reach::Action
            | Reach::Hold
            | Reach::Share
            | Reach::Filter
            | Reach::Member
            | Reach::Invitation => {
                assert_eq!(*security, schemes_of(&["session", "apiKey"]), "{}", operation.id);
                assert!(permission.is_some_and(|permission| known.contains(&permission)), "{}", operation.id);
            }
        }
    }
}

fn is_owners_alone(operation: &Operation) -> bool {
    let needs = operation.permission.as_deref().and_then(|name| name.parse::<Permission>().ok());
    needs.is_some_and(|permission| PermissionSet::OWNERS_ALONE.contains(permission))
}

fn schemes_of(names: &[&str]) -> Value {
    names.iter().map(|name| json!({*name: []})).collect()
}

#[tokio::test]
async fn what_is_somebody_else_s_is_not_found_like_what_never_was() {
    let world = World::found().await;
    let before = world.rows(BUT_FOR_READS).await;
    let (mut tried, never) = (0, world.never());
    for caller in [world.ada.in_live(), world.ada.in_test(), world.ada.by_live_key(), world.ada.by_test_key()] {
        for operation in operations() {
            if operation.method == Method::GET && operation.permission.is_some() {
                let own = world.ada.things(operation.reach).into_iter().find(|thing| caller.sees(thing));
                let own = own.map_or("", |thing| thing.id.as_str());
                let own = world.send(&caller, &operation, &world.ada.id, own).await;
                assert_eq!(own.status, 200, "{}: {}: {}", caller.name, operation.id, own.text);
            }
            let mut names: Vec<(String, String)> = Vec::new();
            let never_was = match operation.reach {
                Reach::Event => &never.event,
                Reach::Secret => &never.secret,
                Reach::Rotation => &never.rotation,
                Reach::Erasure => &never.erasure,
                Reach::Action => &never.action,
                Reach::Hold => &never.hold,
                Reach::Share => &never.share,
                Reach::Filter => &never.filter,
                Reach::Member => &never.member,
                Reach::Invitation => &never.invitation,
                _ => &never.key,
            };
            if matches!(operation.reach, Reach::Workspace | Reach::Log) || operation.reach.is_a_thing() {
                names.extend([&world.bob.id, &world.bob.slug].map(|foreign| (foreign.clone(), never_was.clone())));
            }
            if operation.reach.is_a_thing() {
                let (own, foreign) = (world.ada.things(operation.reach), world.bob.things(operation.reach));
                let out_of_sight = own.iter().chain(&foreign).filter(|thing| !caller.sees(thing));
                names.extend(out_of_sight.map(|thing| (world.ada.id.clone(), thing.id.clone())));
                names.extend(foreign.iter().map(|thing| (world.bob.id.clone(), thing.id.clone())));
                names.push((world.ada.id.clone(), world.bob.projects[0].id.clone()));
            }
            for (workspace, id) in names {
                let foreign = world.send(&caller, &operation, &workspace, &id).await;
                let own = if workspace == world.ada.id { &world.ada.id } else { &never.workspace };
                let unknown = world.send(&caller, &operation, own, never_was).await;
                let what = format!("{}: {} {workspace} {id}", caller.name, operation.id);
                // What owners do alone no key does, whatever it names.
                let denied = is_owners_alone(&operation) && caller.name.contains("key") && workspace == world.ada.id;
                let expected = if denied { unknown.problem() } else { (404, "not_found".to_owned()) };
                assert!(!denied || expected.0 == 403, "{what}: {expected:?}");
                assert_eq!(foreign.problem(), expected, "{what}");
                assert_eq!(comparable(&foreign), comparable(&unknown), "{what}");
                tried += 1;
            }
        }
    }
    assert!(tried > 100, "{tried}");
    assert_eq!(world.rows(BUT_FOR_READS).await, before, "something has changed");
}

/// But for the entries of what a caller read of its own, and of an hour that began meanwhile.
const BUT_FOR_READS: &str = "NOT (tab IN ('ledger_entries ', 'ledger_openings ') AND EXISTS (
    SELECT FROM ledger_entries r WHERE r.action IN ('audit.read', 'ledger.manifest_published')
        AND row->>'workspace_id' = r.workspace_id::text AND row->>'environment' = r.environment
        AND row->>'seq' = r.seq::text))";

#[tokio::test]
async fn an_id_in_a_body_is_unknown_like_what_never_was() {
    let named: Vec<(String, String)> = operations()
        .into_iter()
        .flat_map(|operation| operation.body_ids.into_iter().map(move |id| (operation.id.clone(), id)))
        .collect();
    let cases = ["createApiKey", "createSecret"].map(|operation| (operation.to_owned(), "project_id".to_owned()));
    assert_eq!(named, cases, "an id in a body needs a case here");

    let world = World::found().await;
    let before = world.rows("true").await;
    let key = json!({"name": "k", "scopes": ["management"]});
    let secret = json!({"name": "k", "kind": "generic", "value": "v"});
    for (things, mut body) in [("api-keys", key), ("secrets", secret)] {
        let path = format!("/v1/workspaces/{}/{things}", world.ada.id);
        let callers = [world.ada.in_live(), world.ada.in_test(), world.ada.by_live_key(), world.ada.by_test_key()];
        for caller in callers {
            body["project_id"] = json!(world.never().project);
            let unknown = world.call(&caller, Method::POST, &path, Some(&body)).await;
            let all = world.ada.projects.iter().chain(&world.bob.projects);
            for project in all.filter(|project| !caller.sees(project)) {
                body["project_id"] = json!(project.id);
                let foreign = world.call(&caller, Method::POST, &path, Some(&body)).await;
                assert_eq!(foreign.problem(), (422, "invalid_body".to_owned()), "{}: {}", caller.name, project.name);
                assert_eq!(comparable(&foreign), comparable(&unknown), "{}: {}", caller.name, project.name);
            }
        }
    }
    assert_eq!(world.rows("true").await, before, "something has changed");
}

#[tokio::test]
async fn a_cursor_of_somebody_else_s_opens_one_s_own_list() {
    let world = World::found().await;
    for operation in operations().iter().filter(|operation| operation.has_cursor) {
        let bob = world.page(&world.bob.in_live(), operation, &world.bob, "limit=1").await;
        let Some(cursor) = bob["next_cursor"].as_str() else { continue };
        let ada = world.page(&world.ada.in_live(), operation, &world.ada, &format!("cursor={cursor}")).await;
        let strangers = world.bob.all().filter(|thing| ada.to_string().contains(&thing.id));
        assert_eq!(strangers.count(), 0, "{}: {ada}", operation.id);
    }
}

#[tokio::test]
async fn a_key_sees_and_changes_nothing_beyond_its_project_and_environment() {
    let world = World::found().await;
    let project: ProjectId = world.ada.projects[0].id.parse().unwrap();
    for (caller, beyond) in [
        (world.ada.by_confined_key(), format!("row ->> 'project_id' IS DISTINCT FROM '{}'", project.uuid())),
        (world.ada.by_test_key(), "row ->> 'environment' IS DISTINCT FROM 'test'".to_owned()),
    ] {
        let before = world.rows(&beyond).await;
        for operation in operations().iter().filter(|operation| operation.permission.is_some()) {
            let ids: Vec<&str> = world.ada.things(operation.reach).iter().map(|thing| thing.id.as_str()).collect();
            for id in if operation.reach.is_a_thing() { ids } else { vec![""] } {
                let answer = world.send(&caller, operation, &world.ada.id, id).await;
                let hidden = world.ada.all().chain(world.bob.all()).filter(|thing| !caller.sees(thing));
                let shown: Vec<&str> = hidden
                    .filter(|thing| answer.text.contains(&thing.id) || answer.text.contains(&thing.name))
                    .map(|thing| thing.name.as_str())
                    .collect();
                assert_eq!(shown, [""; 0], "{}: {} {id}: {}", caller.name, operation.id, answer.text);
                assert!(!answer.status.is_server_error(), "{}: {} {id}: {}", caller.name, operation.id, answer.text);
            }
        }
        assert_eq!(world.rows(&beyond).await, before, "{}: something beyond its walls has changed", caller.name);
    }
}

#[tokio::test]
async fn a_key_does_not_choose_its_environment() {
    let world = World::found().await;
    for caller in [world.ada.by_live_key(), world.ada.by_test_key(), world.ada.by_confined_key()] {
        let other = if caller.environment == Environment::Live { "test" } else { "live" };
        for operation in operations().iter().filter(|operation| operation.permission.is_some()) {
            let caller = caller.choosing(other);
            let answer = world.send(&caller, operation, &world.ada.id, &world.never().key).await;
            assert_eq!(answer.problem(), (403, "environment_mismatch".to_owned()), "{}: {}", caller.name, operation.id);
        }
    }
}

#[tokio::test]
async fn every_permission_is_asked_for_and_no_other() {
    let world = World::found().await;
    let mut callers = Vec::new();
    for role in Role::ALL {
        callers.push((world.member(role).await, role.permissions()));
    }
    for scope in Scope::ALL {
        callers.push((world.key(scope).await, scope.permissions()));
    }
    for (caller, permissions) in callers {
        for operation in operations() {
            let Some(wanted) = operation.permission.as_deref() else { continue };
            let answer = world.send(&caller, &operation, &world.ada.id, &world.never().key).await;
            let what = format!("{}: {}: {}", caller.name, operation.id, answer.text);
            if permissions.iter().any(|permission| permission.name() == wanted) {
                assert_ne!(answer.status, 403, "{what}");
            } else {
                assert_eq!(answer.problem(), (403, "forbidden".to_owned()), "{what}");
                assert_eq!(answer.text_of("permission"), wanted, "{what}");
            }
        }
    }
}

/// Two workspaces with one slug are told apart by whose they are.
#[tokio::test]
async fn a_slug_names_one_s_own_workspace() {
    let world = World::found().await;
    let caller = world.ada.in_live();
    let operation: Operation = operations().into_iter().find(|operation| operation.id == "getWorkspace").unwrap();
    assert_eq!(world.send(&caller, &operation, &world.bob.slug, "").await.status, 404);
    let body = json!({"name": "mine", "slug": world.bob.slug});
    let mine = world.call(&caller, Method::POST, "/v1/workspaces", Some(&body)).await.text_of("id");
    assert_eq!(world.send(&caller, &operation, &world.bob.slug, "").await.text_of("id"), mine);
    assert_ne!(mine, world.bob.id);
}
