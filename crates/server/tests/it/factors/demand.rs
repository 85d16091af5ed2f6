//! Workspaces that let in only those who have shown a factor.

use reqwest::Method;
use serde_json::{Value, json};

use super::{ADA, equip, first_step, is_known_to_the_ledger, listed, mailed, pass, post};
use crate::harness::app::{Answer, Person, TestApp};
use crate::harness::people;

const BOB: &str = "bob@example.com";

async fn demand(app: &TestApp, who: &Person, workspace: &str, demanded: bool) -> Answer {
    let path = format!("/v1/workspaces/{workspace}/security");
    app.call(Method::PATCH, &path).json(&json!({"require_mfa": demanded})).bearer(&who.access_token).send().await
}

#[tokio::test]
async fn a_workspace_that_demands_a_factor_bites_on_every_node_when_the_answer_comes() {
    let app = TestApp::start().await;
    let (ada, workspace) = app.founder(ADA, "acme").await;
    let node = app.another_node().await;
    app.join(&workspace, BOB, "admin").await;
    let key = app.api_key(&ada, &workspace, &json!({"name": "ci", "scopes": ["read", "management"]})).await;
    let key = key["key"].as_str().unwrap().to_owned();
    let (members, keys) =
        (format!("/v1/workspaces/{workspace}/members"), format!("/v1/workspaces/{workspace}/api-keys"));
    let (here, there) = (app.sign_in(BOB).await, node.sign_in(BOB).await);
    for _ in 0..3 {
        assert_eq!(node.get(&members).bearer(&there.access_token).send().await.status, 200, "known by heart");
    }
    let security =
        |who: &Person| app.get(&format!("/v1/workspaces/{workspace}/security")).bearer(&who.access_token).send();
    assert_eq!(security(&here).await.json()["require_mfa"], false, "an admin sees it");
    assert_eq!(demand(&app, &here, &workspace, true).await.problem(), (403, "forbidden".into()), "an owner says it");
    let own = demand(&app, &ada, &workspace, true).await;
    assert_eq!(own.problem(), (403, "mfa_required".into()), "nobody keeps themselves out");
    let ada = equip(&app, &ada).await;
    assert_eq!(security(&ada.person).await.json(), json!({"require_mfa": false, "members_without": [BOB]}));

    let demanded = demand(&app, &ada.person, &workspace, true).await;
    assert_eq!(demanded.status, 200, "{}", demanded.text);
    let wanted = (403, "mfa_required".to_owned());
    assert_eq!(node.get(&members).bearer(&there.access_token).send().await.problem(), wanted, "at once, there too");
    assert_eq!(app.get(&members).bearer(&here.access_token).send().await.problem(), wanted);
    assert_eq!(app.get(&members).bearer(&ada.person.access_token).send().await.status, 200);
    for of in [&app, &node] {
        assert_eq!(of.get(&keys).bearer(&key).send().await.status, 200, "keys go on");
    }
    let page =
        node.get("/w/acme/live/members").header("cookie", &there.cookies).header("accept", "text/html").send().await;
    assert!(
        page.status == 403 && page.text.contains("demands a second factor") && page.text.contains("/account/factors")
    );
    assert_eq!(mailed(&app, BOB, "demands a second factor", 1).await, 1);
    assert_eq!(demand(&app, &ada.person, &workspace, true).await.status, 200, "said already");

    // Somebody who joins later is asked for the same; what one does about it is enough.
    let (path, body) =
        (format!("/v1/workspaces/{workspace}/invitations"), json!({"email": "eve@example.com", "role": "viewer"}));
    assert_eq!(post(&app, &ada.person, &path, &body).await.status, 201);
    let token = people::token(&app, "eve@example.com").await;
    let eve = app.sign_in("eve@example.com").await;
    assert_eq!(post(&app, &eve, "/auth/accept-invite", &json!({"token": token})).await.status, 200);
    assert_eq!(app.get(&members).bearer(&eve.access_token).send().await.problem(), wanted);
    assert_eq!(listed(&app, &eve).await["demanded"], true);
    let eve = equip(&app, &eve).await;
    assert_eq!(app.get(&members).bearer(&eve.person.access_token).send().await.status, 200);

    // The last factor stays while it is demanded; one of two goes.
    let remove = async |id: &str| {
        app.delete(&format!("/auth/factors/authenticators/{id}")).bearer(&eve.person.access_token).send().await
    };
    assert_eq!(remove(&eve.id).await.problem(), (409, "last_factor".into()));
    assert_eq!(listed(&app, &eve.person).await["recovery_codes_left"], 10, "and nothing went");
    assert_eq!(demand(&app, &ada.person, &workspace, false).await.json()["require_mfa"], Value::Bool(false));
    assert_eq!(node.get(&members).bearer(&there.access_token).send().await.status, 200);
    assert_eq!(remove(&eve.id).await.status, 204);

    assert_eq!(
        app.actions(Some(&workspace)).await.iter().filter(|action| *action == "workspace.mfa_changed").count(),
        2
    );
    app.advance(super::STEP * 3);
    assert_eq!(pass(&app, &first_step(&app, ADA).await, &ada.otp.at(app.now())).await.status, 200);
    is_known_to_the_ledger(&app).await;
}
