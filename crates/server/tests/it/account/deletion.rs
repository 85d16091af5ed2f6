//! The end of an account.

use serde_json::json;
use time::Duration;

use super::{count, page, submit, who};
use crate::factors::{equip, is_known_to_the_ledger};
use crate::harness::app::TestApp;
use crate::harness::process::until;

#[tokio::test]
async fn a_person_goes_and_nothing_of_theirs_lets_anybody_in() {
    let app = TestApp::start().await;
    let (ada, acme) = app.founder("ada@example.com", "acme").await;
    let (ada_is, _) = who(&app, &ada).await.unwrap();
    let key = app.api_key(&ada, &acme, &json!({"name": "k", "scopes": ["read"]})).await;
    let delete = async |confirm: &'static str| submit(&app, &ada, "/account/delete", ("confirm", confirm)).await;
    assert_eq!(delete("eve@example.com").await.status, 422);
    let last = delete("ADA@example.com").await;
    assert!(last.status == 409 && last.text.contains("<li>acme</li>"), "{}", last.text);
    assert!(who(&app, &ada).await.is_ok(), "nothing was changed");

    let bob = app.join(&acme, "bob@example.com", "owner").await;
    let invited = json!({"email": "carol@example.com", "role": "viewer"});
    let path = format!("/v1/workspaces/{acme}/invitations");
    assert_eq!(app.post(&path, &invited).bearer(&ada.access_token).send().await.status, 201);
    let other = app.sign_in("ada@example.com").await;
    assert!(page(&app, &ada, "/account/delete").await.text.contains("for good"));
    let gone = delete("ada@example.com").await;
    assert_eq!((gone.status.as_u16(), &gone.headers["location"]), (303, &"/sign-in".parse().unwrap()));

    for token in [&ada, &other] {
        assert_eq!(who(&app, token).await, Err("ended".to_owned()));
        let refresh = app.post("/auth/refresh", &json!({"refresh_token": token.refresh_token})).send().await;
        assert_eq!(refresh.problem(), (401, "refresh_token_invalid".into()));
    }
    let members = app.get(&format!("/v1/workspaces/{acme}/members")).bearer(&bob.access_token).send().await;
    assert!(members.text.contains("bob@example.com") && !members.text.contains("ada@example.com"), "{}", members.text);
    let invitations = app.get(&path).bearer(&bob.access_token).send().await.json();
    assert_eq!(invitations["data"], json!([]), "what they have offered is revoked");
    assert_eq!(
        app.get("/v1/key").bearer(key["key"].as_str().unwrap()).send().await.status,
        200,
        "keys are the workspace's"
    );
    let log = app.actions(Some(&acme)).await;
    assert_eq!(log.last().unwrap(), "member.left");
    assert_eq!(count(&app, "account.deleted").await, 1);
    let rows: Vec<(String, String)> = sqlx::query_as("SELECT email, email_key FROM users ORDER BY id LIMIT 1")
        .fetch_all(&app.database.owner)
        .await
        .unwrap();
    assert!(rows[0].0 == "deleted" && !rows[0].1.contains('@'), "{rows:?}");

    // The address is free for somebody new.
    let new = app.sign_in("ada@example.com").await;
    let (new_is, theirs) = who(&app, &new).await.unwrap();
    assert!(new_is != ada_is && theirs.is_empty());
    let told = async || app.mails(0).await.iter().any(|mail| mail.subject.contains("is deleted"));
    until(told).await;

    // Nor do factors stay, or an address that somebody wanted.
    let carol = equip(&app, &app.sign_in("carol@example.com").await).await.person;
    assert_eq!(submit(&app, &carol, "/account/profile/address", ("email", "c@example.com")).await.status, 303);
    assert_eq!(submit(&app, &carol, "/account/delete", ("confirm", "carol@example.com")).await.status, 303);
    let left: (String, bool, bool, i32, bool, bool) = sqlx::query_as(
        "SELECT a.name, a.secret_sealed IS NULL, a.removed_at IS NOT NULL, cardinality(h.recovery_codes), u.strong_since IS NULL,
             c.ended_at IS NOT NULL
         FROM authenticators a JOIN factor_holders h USING (user_id) JOIN address_changes c USING (user_id)
             JOIN users u ON u.id = a.user_id",
    )
    .fetch_one(&app.database.owner)
    .await
    .unwrap();
    assert_eq!(left, (String::new(), true, true, 0, true, true));
    is_known_to_the_ledger(&app).await;
    app.advance(Duration::minutes(11));
    assert_eq!(submit(&app, &new, "/account/delete", ("confirm", "ada@example.com")).await.status, 403, "not fresh");
}

#[tokio::test]
async fn of_two_last_owners_who_go_at_once_one_stays() {
    let app = TestApp::start().await;
    for round in 0..3 {
        let (ada_at, bob_at) = (format!("ada{round}@example.com"), format!("bob{round}@example.com"));
        let (ada, acme) = app.founder(&ada_at, &format!("acme{round}")).await;
        let bob = app.join(&acme, &bob_at, "owner").await;
        let (one, other) = tokio::join!(
            submit(&app, &ada, "/account/delete", ("confirm", &ada_at)),
            submit(&app, &bob, "/account/delete", ("confirm", &bob_at)),
        );
        let mut statuses = [one.status.as_u16(), other.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [303, 409], "{} {}", one.text, other.text);
    }
}

#[tokio::test]
async fn nobody_joins_a_workspace_who_goes_at_that_moment() {
    let app = TestApp::start().await;
    let (ada, acme) = app.founder("ada@example.com", "acme").await;
    for round in 0..6 {
        let address = format!("dan{round}@example.com");
        let dan = app.sign_in(&address).await;
        let invited = json!({"email": address, "role": "owner"});
        let path = format!("/v1/workspaces/{acme}/invitations");
        assert_eq!(app.post(&path, &invited).bearer(&ada.access_token).send().await.status, 201);
        let token = crate::harness::people::token(&app, &address).await;
        let (body, new) = (json!({"token": token}), json!({"name": "Mine", "slug": "mine"}));
        let (gone, taken, founded) = tokio::join!(
            submit(&app, &dan, "/account/delete", ("confirm", &address)),
            app.post("/auth/accept-invite", &body).bearer(&dan.access_token).send(),
            app.post("/v1/workspaces", &new).bearer(&dan.access_token).send(),
        );
        // Where the workspace was founded first, its only owner stays.
        let (gone, founded) = (gone.status.as_u16(), founded.status.as_u16());
        assert!(matches!((gone, founded), (303, 401) | (409, 201)), "{gone} {founded}");
        assert!(matches!(taken.status.as_u16(), 200 | 401 | 404), "{} {}", taken.status, taken.text);
    }
    let nobodys = "SELECT count(*) FROM memberships m JOIN users u ON u.id = m.user_id
        WHERE m.ended_at IS NULL AND u.email NOT LIKE '%@%'";
    let nobodys: i64 = sqlx::query_scalar(nobodys).fetch_one(&app.database.owner).await.unwrap();
    assert_eq!(nobodys, 0);
}
