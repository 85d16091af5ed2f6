//! Workspaces, members, roles and slugs.

use serde_json::json;

use crate::harness::app::TestApp;
use crate::harness::process::until;

#[tokio::test]
async fn a_workspace_is_its_members_and_nobody_elses() {
    let app = TestApp::start().await;
    let (ada, workspace) = app.founder("ada@example.com", "acme").await;
    let (eve, _) = app.founder("eve@example.com", "evil").await;
    for named in ["acme", workspace.as_str()] {
        let path = format!("/v1/workspaces/{named}");
        let seen = app.get(&path).bearer(&ada.access_token).send().await;
        assert_eq!((seen.status.as_u16(), seen.text_of("role")), (200, "owner".into()));
        let never = app.get("/v1/workspaces/ws_01h455vb4pex5vsknk084sn02q").bearer(&eve.access_token).send().await;
        let foreign = app.get(&path).bearer(&eve.access_token).send().await;
        assert_eq!(foreign.problem(), (404, "not_found".into()));
        assert_eq!(foreign.json()["detail"], never.json()["detail"]);
    }
    let members = app.get("/v1/workspaces/acme/members").bearer(&ada.access_token).send().await.json();
    assert_eq!(members["data"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&members["data"][0]["email"], &members["data"][0]["role"]),
        (&json!("ada@example.com"), &json!("owner"))
    );
}

#[tokio::test]
async fn one_slug_in_two_places_never_collides() {
    let app = TestApp::start().await;
    let (ada, adas) = app.founder("ada@example.com", "acme").await;
    let (bob, bobs) = app.founder("bob@example.com", "acme").await;
    assert_ne!(adas, bobs);
    for (person, own) in [(&ada, &adas), (&bob, &bobs)] {
        assert_eq!(app.get("/v1/workspaces/acme").bearer(&person.access_token).send().await.text_of("id"), *own);
    }
    let again =
        app.post("/v1/workspaces", &json!({"name": "Acme", "slug": "acme"})).bearer(&ada.access_token).send().await;
    assert_eq!(again.problem(), (409, "slug_taken".into()));
    let body = json!({"name": "Twin", "slug": "twin"});
    let twins = (0..12).map(|_| app.post("/v1/workspaces", &body).bearer(&ada.access_token).send());
    let twins = futures_util::future::join_all(twins).await;
    assert_eq!(twins.iter().filter(|made| made.status == 201).count(), 1, "also of many at once");
    // Ada joins Bob's: now the slug is ambiguous for her, and for nobody else.
    let ada = app.join(&bobs, "ada@example.com", "viewer").await;
    let ambiguous = app.get("/v1/workspaces/acme").bearer(&ada.access_token).send().await;
    assert_eq!(ambiguous.problem(), (409, "ambiguous_slug".into()));
    let mut ids = vec![adas.clone(), bobs.clone()];
    ids.sort();
    assert_eq!(ambiguous.json()["workspaces"], json!(ids));
    assert_eq!(
        app.get(&format!("/v1/workspaces/{bobs}")).bearer(&ada.access_token).send().await.text_of("role"),
        "viewer"
    );
    assert_eq!(app.get("/v1/workspaces/acme").bearer(&bob.access_token).send().await.text_of("id"), bobs);
}

#[tokio::test]
async fn roles_decide_and_a_denial_names_the_permission() {
    let app = TestApp::start().await;
    let (_, workspace) = app.founder("ada@example.com", "acme").await;
    let path = |rest: &str| format!("/v1/workspaces/{workspace}{rest}");
    for (role, members, keys, project, key) in [
        ("admin", 200, 200, 201, 201),
        ("developer", 200, 200, 201, 403),
        ("member", 200, 403, 403, 403),
        ("billing", 403, 403, 403, 403),
        ("viewer", 200, 403, 403, 403),
    ] {
        let person = app.join(&workspace, &format!("{role}@example.com"), role).await;
        let get = async |rest: &str| app.get(&path(rest)).bearer(&person.access_token).send().await;
        assert_eq!(get("").await.status, 200, "{role}");
        assert_eq!(get("/members").await.status, members, "{role}");
        assert_eq!(get("/api-keys").await.status, keys, "{role}");
        let made = app.post(&path("/projects"), &json!({"name": role})).bearer(&person.access_token).send().await;
        assert_eq!(made.status, project, "{role}");
        let made = app
            .post(&path("/api-keys"), &json!({"name": role, "scopes": ["read"]}))
            .bearer(&person.access_token)
            .send()
            .await;
        assert_eq!(made.status, key, "{role}");
        if made.status == 403 {
            assert_eq!((made.problem().1.as_str(), &made.json()["permission"]), ("forbidden", &json!("keys.create")));
        }
    }
}

#[tokio::test]
async fn a_demotion_takes_effect_at_once() {
    let app = TestApp::start().await;
    let (_, workspace) = app.founder("ada@example.com", "acme").await;
    let admin = app.join(&workspace, "admin@example.com", "admin").await;
    let path = format!("/v1/workspaces/{workspace}/api-keys");
    let make = || app.post(&path, &json!({"name": "k", "scopes": ["read"]})).bearer(&admin.access_token).send();
    assert_eq!(make().await.status, 201);
    sqlx::query("UPDATE memberships SET role = 'viewer' WHERE role = 'admin'")
        .execute(&app.database.owner)
        .await
        .unwrap();
    app.vouch().await;
    assert_eq!(make().await.problem(), (403, "forbidden".into()));
    sqlx::query("DELETE FROM memberships WHERE role = 'viewer'").execute(&app.database.owner).await.unwrap();
    // Nobody waited for the nodes: this one may know of the demotion already, and not yet of the rest.
    let refused = make().await.problem().1;
    assert!(["forbidden", "not_found"].contains(&refused.as_str()), "{refused}");
    until(async || make().await.problem() == (404, "not_found".into())).await;
}

#[tokio::test]
async fn names_of_projects_are_taken_once_in_an_environment() {
    let app = TestApp::start().await;
    let (ada, _) = app.founder("ada@example.com", "acme").await;
    let make = async |environment: &str| {
        app.post("/v1/workspaces/acme/projects", &json!({"name": "site"}))
            .bearer(&ada.access_token)
            .header("bailiwick-environment", environment)
            .send()
            .await
    };
    assert_eq!(make("live").await.status, 201);
    assert_eq!(make("live").await.problem(), (409, "name_taken".into()));
    assert_eq!(make("test").await.status, 201);
}
