//! Roles, removal, leaving and handing over: on every node, with an owner always, and by whoever just signed in.

use futures_util::future::join;
use serde_json::json;
use time::Duration;

use super::World;

#[tokio::test]
async fn a_demotion_and_a_removal_bite_on_every_node_when_the_answer_comes() {
    let world = World::found().await;
    let (eve, eves) = world.admit("eve@example.com", "admin").await;
    let node = world.app.another_node().await;
    let path = world.path("api-keys");
    // A node of this harness has an address of its own, and so tokens of its own.
    let there = node.sign_in("eve@example.com").await;
    let keys = async || node.get(&path).bearer(&there.access_token).send().await;
    for _ in 0..3 {
        assert_eq!(keys().await.status, 200, "the node knows it by heart");
    }
    let made = world.post(&eve, "api-keys", &json!({"name": "hers", "scopes": ["read"]})).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let key = made.text_of("key");

    assert_eq!(world.set_role(&world.ada, &eves, "viewer").await.text_of("role"), "viewer");
    assert_eq!(keys().await.problem(), (403, "forbidden".into()), "at once, on the other node too");
    assert_eq!(world.delete(&world.ada, &format!("members/{eves}")).await.status, 204);
    assert_eq!(keys().await.problem(), (404, "not_found".into()));
    assert_eq!(node.get("/v1/workspaces").bearer(&there.access_token).send().await.json()["data"], json!([]));
    assert_eq!(world.get(&world.ada, &format!("members/{eves}")).await.problem().0, 404);
    assert_eq!(world.delete(&world.ada, &format!("members/{eves}")).await.problem().0, 404);
    // The key is the workspace's.
    assert_eq!(node.get("/v1/key").bearer(&key).send().await.status, 200);

    // Invited again she comes back, with what she is invited to, and what was before is not put back for her.
    let (_, token) = world.invite("eve@example.com", "member").await;
    assert_eq!(world.accept(&eve, &token).await.text_of("role"), "member");
    assert_eq!(keys().await.problem(), (403, "forbidden".into()));
    world.is_known_to_the_ledger().await;
}

#[tokio::test]
async fn a_workspace_has_an_owner_always() {
    let world = World::found().await;
    let adas = world.user("ada@example.com").await;
    let last = (409, "last_owner".to_owned());
    assert_eq!(world.set_role(&world.ada, &adas, "admin").await.problem(), last);
    assert_eq!(world.delete(&world.ada, &format!("members/{adas}")).await.problem(), last);
    assert_eq!(world.post(&world.ada, "leave", &json!({"confirm": "acme"})).await.problem(), last);

    // Of two owners who demote, remove or leave at once, one does.
    for round in 0..3 {
        let email = format!("eve{round}@example.com");
        let (eve, eves) = world.admit(&email, "owner").await;
        let (one, other) = match round {
            0 => join(world.set_role(&world.ada, &eves, "viewer"), world.set_role(&eve, &adas, "viewer")).await,
            1 => {
                let (hers, his) = (format!("members/{eves}"), format!("members/{adas}"));
                join(world.delete(&world.ada, &hers), world.delete(&eve, &his)).await
            }
            _ => {
                let leave = json!({"confirm": "acme"});
                join(world.post(&world.ada, "leave", &leave), world.post(&eve, "leave", &leave)).await
            }
        };
        let done = [&one, &other].iter().filter(|answer| answer.status.is_success()).count();
        assert_eq!(done, 1, "{round}: {} {}", one.text, other.text);
        // Whoever is left gives Ada her place back. If Eve has left, Ada has it.
        if !one.status.is_success() && round < 2 {
            let role = world.roles(&eve).await.into_iter().find(|(address, _)| address == "ada@example.com");
            if role.is_none() {
                let invited = json!({"email": "ada@example.com", "role": "owner"});
                assert_eq!(world.post(&eve, "invitations", &invited).await.status, 201);
                let token = crate::harness::people::token(&world.app, "ada@example.com").await;
                assert_eq!(world.accept(&world.ada, &token).await.status, 200);
            } else {
                assert_eq!(world.set_role(&eve, &adas, "owner").await.status, 200);
            }
            assert_eq!(world.delete(&world.ada, &format!("members/{eves}")).await.status, 204);
        } else if round == 2 && one.status.is_success() {
            let invited = json!({"email": "ada@example.com", "role": "owner"});
            assert_eq!(world.post(&eve, "invitations", &invited).await.status, 201);
        }
    }
}

#[tokio::test]
async fn a_workspace_is_handed_over_and_left_by_whoever_just_signed_in() {
    let world = World::found().await;
    let adas = world.user("ada@example.com").await;
    let (bob, bobs) = world.admit("bob@example.com", "member").await;
    let hand = |to: &str, confirm: &str| json!({"to": to, "confirm": confirm});
    let wrong =
        [hand(&bobs, "ada@example.com"), hand(&adas, "ada@example.com"), hand("usr_01h455vb4pex5vsknk084sn02q", "x")];
    for body in wrong {
        assert_eq!(world.post(&world.ada, "transfer", &body).await.problem(), (422, "invalid_body".into()), "{body}");
    }
    for (rest, body) in
        [("transfer", hand(&bobs, "bob@example.com")), ("invitations", json!({"email": "x@y", "role": "viewer"}))]
    {
        assert_eq!(
            world.post(&bob, rest, &body).await.problem(),
            (403, "forbidden".into()),
            "a member hands out nothing"
        );
    }
    // A browser that was left open gives nobody's place away, and makes nobody an owner.
    world.app.advance(Duration::minutes(9));
    let refresh = json!({"refresh_token": world.ada.refresh_token});
    let early = world.app.post("/auth/refresh", &refresh).send().await.person();
    world.app.advance(Duration::seconds(61));
    let stale = (403, "step_up_required".to_owned());
    assert_eq!(world.post(&early, "transfer", &hand(&bobs, "bob@example.com")).await.problem(), stale);
    assert_eq!(world.set_role(&early, &bobs, "owner").await.problem(), stale);
    assert_eq!(world.delete(&early, &format!("members/{bobs}")).await.problem(), stale);
    let invite = async |role: &str| {
        let body = json!({"email": format!("{role}@example.com"), "role": role});
        world.post(&early, "invitations", &body).await
    };
    assert_eq!((invite("owner").await.problem(), invite("admin").await.problem()), (stale.clone(), stale));
    assert_eq!(invite("developer").await.status, 201, "somebody who hands out no key may be invited");
    crate::harness::people::token(&world.app, "developer@example.com").await;

    let ada = world.app.sign_in("ada@example.com").await;
    let test = world.app.post(&world.path("transfer"), &hand(&bobs, "BOB@example.com")).bearer(&ada.access_token);
    let handed = test.header("bailiwick-environment", "test").send().await;
    assert_eq!((handed.status.as_u16(), handed.text_of("role")), (200, "owner".into()), "{}", handed.text);
    let bob = world.app.sign_in("bob@example.com").await;
    let pair = |address: &str, role: &str| (address.to_owned(), role.to_owned());
    assert_eq!(world.roles(&bob).await, [pair("ada@example.com", "admin"), pair("bob@example.com", "owner")]);
    assert_eq!(world.set_role(&ada, &bobs, "viewer").await.problem().1, "forbidden");
    assert_eq!(world.get(&ada, "invitations").await.json()["data"], json!([]), "what she offered went with her place");

    assert_eq!(world.post(&ada, "leave", &json!({"confirm": "acne"})).await.problem().0, 422);
    assert_eq!(world.post(&ada, "leave", &json!({"confirm": "acme"})).await.status, 204);
    assert_eq!(world.get(&ada, "members").await.problem().0, 404);
    assert_eq!(world.roles(&bob).await, [pair("bob@example.com", "owner")]);
    let actions = world.app.actions(Some(&world.workspace)).await;
    assert!(
        actions.ends_with(&["workspace.transferred".into(), "member.left".into()]),
        "in the log of live: {actions:?}"
    );
}
