//! An invitation: who gets in by it, who does not, and how often.

use futures_util::future::join_all;
use serde_json::json;
use time::Duration;

use super::World;
use crate::harness::app::{Answer, Person};
use crate::harness::people;
use crate::harness::process::until;

#[tokio::test]
async fn somebody_is_invited_and_joins_once_however_often_and_from_wherever_it_is_tried() {
    let world = World::found().await;
    let made = world.post(&world.ada, "invitations", &json!({"email": "Bob@Example.com", "role": "developer"})).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let invitation = made.text_of("id");
    assert_eq!((made.text_of("role"), made.text_of("status")), ("developer".into(), "pending".into()));
    let token = people::token(&world.app, "Bob@Example.com").await;
    let mail = world.app.mails(0).await.into_iter().find(|mail| mail.to == "Bob@Example.com").unwrap();
    assert_eq!(mail.subject, "You are invited to acme on Bailiwick");
    assert!(mail.link.unwrap().starts_with(&format!("{}/auth/invitation?token=", world.app.url)));
    for part in ["ada@example.com", "developer", "acme", "seven days"] {
        let there = mail.text.contains(part) || part == "seven days";
        assert!(there, "{part}: {}", mail.text);
    }
    let listed = world.get(&world.ada, "invitations").await.text;
    assert!(listed.contains(&invitation) && !listed.contains(&token) && !made.text.contains(&token));

    // Nobody is told apart by whether they were here before.
    let known = world.app.sign_in("eve@example.com").await;
    let shape = async |email: &str| {
        let mut answer = world.post(&world.ada, "invitations", &json!({"email": email, "role": "viewer"})).await;
        answer.headers.remove("x-request-id");
        answer.headers.remove("date");
        answer.headers.remove("location");
        let fields: Vec<String> = answer.json().as_object().unwrap().keys().cloned().collect();
        (answer.status, answer.headers.keys().map(ToString::to_string).collect::<Vec<_>>(), fields)
    };
    assert_eq!(shape("eve@example.com").await, shape("never@example.com").await);
    people::token(&world.app, "eve@example.com").await;
    people::token(&world.app, "never@example.com").await;

    // The token alone opens nothing: not for nobody, not for somebody else, and not as anything else.
    assert_eq!(world.app.post("/auth/accept-invite", &json!({"token": token})).send().await.problem().0, 401);
    assert_eq!(world.accept(&known, &token).await.problem(), (403, "invitation_for_another".into()));
    assert_eq!(world.app.post("/auth/verify", &json!({"token": token})).send().await.problem().1, "sign_in_failed");
    assert_eq!(world.app.get("/v1/workspaces").bearer(&token).send().await.problem().0, 401);
    let refresh = world.app.post("/auth/refresh", &json!({"refresh_token": token})).send().await;
    assert_eq!(refresh.problem().1, "refresh_token_invalid");
    let other = format!("{}{}", &token[..42], if token.ends_with('A') { 'Q' } else { 'A' });
    for nonsense in ["", "x", &token[1..], &other, &known.refresh_token, &known.access_token] {
        let refused = world.accept(&known, nonsense).await;
        assert_eq!(refused.problem(), (404, "invitation_invalid".into()), "{nonsense}");
    }

    let bob = world.app.sign_in("bob@example.com").await;
    let taken = join_all((0..8).map(|_| world.accept(&bob, &token))).await;
    let good: Vec<_> = taken.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(good.len(), 1);
    assert_eq!((good[0].text_of("role"), good[0].text_of("slug")), ("developer".into(), "acme".into()));
    for refused in taken.iter().filter(|answer| answer.status != 200) {
        assert_eq!(refused.problem(), (404, "invitation_invalid".into()));
    }
    assert_eq!(world.get(&bob, "projects").await.status, 200);
    let again = world.post(&world.ada, "invitations", &json!({"email": "bob@example.com", "role": "owner"})).await;
    assert_eq!(again.problem(), (409, "already_member".into()));
    let actions = world.app.actions(Some(&world.workspace)).await;
    assert_eq!(actions.iter().filter(|action| *action == "invitation.accepted").count(), 1);
}

#[tokio::test]
async fn what_an_invitation_is_worth_ends_with_its_time_its_revocation_its_resending_and_its_maker() {
    let world = World::found().await;
    let invalid = (404, "invitation_invalid".to_owned());
    let bob = world.app.sign_in("bob@example.com").await;

    // Sent again, the mail before is worth nothing; sent again at once, nothing is sent.
    let (id, first) = world.invite("bob@example.com", "viewer").await;
    let twice = world.post(&world.ada, "invitations", &json!({"email": "BOB@example.com", "role": "admin"})).await;
    assert_eq!(twice.problem(), (409, "already_invited".into()));
    assert_eq!(twice.text_of("invitation_id"), id);
    let mails = world.app.mails(0).await.len();
    let resend = format!("invitations/{id}/resend");
    let again = async || {
        let call = world.app.call(reqwest::Method::POST, &world.path(&resend)).bearer(&world.ada.access_token);
        call.send().await
    };
    assert_eq!(again().await.status, 200);
    world.app.advance(Duration::minutes(2));
    assert_eq!(again().await.status, 200);
    let second = people::newest(&world.app, "bob@example.com", &first).await;
    assert_eq!(world.app.mails(0).await.len(), mails + 1, "the one that was asked for at once was not sent");
    assert_eq!(world.accept(&bob, &first).await.problem(), invalid);

    // Revoked, also twice, it is worth nothing.
    let revoke = async |id: &str| world.delete(&world.ada, &format!("invitations/{id}")).await.status;
    assert_eq!((revoke(&id).await, revoke(&id).await), (204.try_into().unwrap(), 204.try_into().unwrap()));
    assert_eq!(world.accept(&bob, &second).await.problem(), invalid);
    assert_eq!(world.get(&world.ada, "invitations").await.json()["data"], json!([]));

    // Its maker has to be an owner still, whoever else is one; and it goes when they are not.
    let (eve, eves) = world.admit("eve@example.com", "owner").await;
    let made = world.post(&eve, "invitations", &json!({"email": "bob@example.com", "role": "viewer"})).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let third = people::newest(&world.app, "bob@example.com", &second).await;
    assert_eq!(world.set_role(&world.ada, &eves, "admin").await.status, 200);
    assert_eq!(world.accept(&bob, &third).await.problem(), invalid);
    assert_eq!(world.get(&world.ada, "invitations").await.json()["data"], json!([]));
    let by_an_admin = world.post(&eve, "invitations", &json!({"email": "x@example.com", "role": "viewer"})).await;
    assert_eq!(by_an_admin.problem(), (403, "forbidden".into()));

    // Its time is over after seven days; another can be made, or the same sent again.
    let (id, fourth) = world.invite("bob@example.com", "viewer").await;
    world.app.advance(Duration::days(7));
    let [ada, bob] = [refreshed(&world, "ada@example.com").await, refreshed(&world, "bob@example.com").await];
    assert_eq!(world.accept(&bob, &fourth).await.problem(), invalid);
    let listed = world.get(&ada, "invitations").await.json();
    assert_eq!((&listed["data"][0]["id"], &listed["data"][0]["status"]), (&json!(id), &json!("expired")));
    let made = world.post(&ada, "invitations", &json!({"email": "bob@example.com", "role": "member"})).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let fifth = people::newest(&world.app, "bob@example.com", &fourth).await;
    assert_eq!(world.accept(&bob, &fourth).await.problem(), invalid);
    assert_eq!(world.accept(&bob, &fifth).await.text_of("role"), "member");
    world.is_known_to_the_ledger().await;
}

async fn refreshed(world: &World, email: &str) -> Person {
    world.app.sign_in(email).await
}

#[tokio::test]
async fn an_invitation_rebinds_no_slug_that_its_person_uses() {
    let world = World::found().await;
    let (bob, own) = world.app.founder("bob@example.com", "acme").await;
    let named = async || world.app.get("/v1/workspaces/acme").bearer(&bob.access_token).send().await;
    assert_eq!(named().await.text_of("id"), own);
    let (_, token) = world.invite("bob@example.com", "viewer").await;
    assert_eq!(named().await.text_of("id"), own, "an invitation that nobody took changes nothing");
    assert_eq!(world.accept(&bob, &token).await.text_of("id"), world.workspace);
    until(async || named().await.status == 409).await;
    let mut both = vec![own.clone(), world.workspace.clone()];
    both.sort();
    assert_eq!(
        (named().await.problem().1.as_str(), &named().await.json()["workspaces"]),
        ("ambiguous_slug", &json!(both))
    );
    for (id, role) in [(&own, "owner"), (&world.workspace, "viewer")] {
        let answer = world.app.get(&format!("/v1/workspaces/{id}")).bearer(&bob.access_token).send().await;
        assert_eq!(answer.text_of("role"), role);
    }
}

/// Everybody owns what they found: that makes nobody's mailbox theirs.
#[tokio::test]
async fn nobody_is_flooded_by_invitations_and_nobody_alone_keeps_others_from_inviting() {
    let world = World::found().await;
    let app = &world.app;
    let again = founded_by(&world, &world.ada, "again").await;
    let (bob, bobs) = app.founder("bob@example.com", "bobs").await;
    let (eve, eves) = app.founder("eve@example.com", "eves").await;
    let victim = json!({"email": "victim@example.com", "role": "viewer"});
    let invite = async |who: &Person, workspace: &str| {
        app.post(&format!("/v1/workspaces/{workspace}/invitations"), &victim).bearer(&who.access_token).send().await
    };
    let revoke = async |who: &Person, workspace: &str, id: &str| {
        let path = format!("/v1/workspaces/{workspace}/invitations/{id}");
        assert_eq!(app.delete(&path).bearer(&who.access_token).send().await.status, 204);
    };
    let limited = |answer: &Answer, policy: &str| {
        assert_eq!(answer.problem(), (429, "rate_limited".into()));
        assert_eq!(answer.headers["ratelimit-policy"], policy);
        answer.headers["retry-after"].to_str().unwrap().parse::<i64>().unwrap()
    };
    // Three by one person, whatever the workspace; what is refused leaves nothing.
    for workspace in [&world.workspace, &again, &world.workspace] {
        let made = invite(&world.ada, workspace).await;
        assert_eq!(made.status, 201, "{}", made.text);
        revoke(&world.ada, workspace, &made.text_of("id")).await;
    }
    for workspace in [&world.workspace, &again] {
        let wait = limited(&invite(&world.ada, workspace).await, "\"invitations\";q=3;w=3600");
        assert!((3_500..=3_601).contains(&wait), "{wait}");
    }
    assert_eq!(world.get(&world.ada, "invitations").await.json()["data"], json!([]));
    let others = world.post(&world.ada, "invitations", &json!({"email": "v@example.com", "role": "viewer"})).await;
    assert_eq!(others.status, 201, "another address is another one's");

    // Somebody else still can, as often; all together six times.
    for workspace in [&bobs, &bobs] {
        let made = invite(&bob, workspace).await;
        assert_eq!(made.status, 201, "{}", made.text);
        revoke(&bob, workspace, &made.text_of("id")).await;
    }
    let made = invite(&bob, &bobs).await.text_of("id");
    let wait = limited(&invite(&eve, &eves).await, "\"invited-addresses\";q=6;w=3600");
    app.advance(Duration::minutes(2));
    let resend = format!("/v1/workspaces/{bobs}/invitations/{made}/resend");
    limited(
        &app.call(reqwest::Method::POST, &resend).bearer(&bob.access_token).send().await,
        "\"invitations\";q=3;w=3600",
    );
    let mails = async || {
        let mails = app.mails(0).await;
        mails.iter().filter(|mail| mail.to == "victim@example.com").count()
    };
    until(async || mails().await >= 6).await;
    assert_eq!(mails().await, 6);

    // The pages say so, beside the field and beside the list.
    let page = async |path: &str, fields: &[(&str, &str)]| {
        let call = app.call(reqwest::Method::POST, path).header("cookie", &bob.cookies).header("accept", "text/html");
        let late = call.form(fields).send().await;
        assert_eq!(late.status, 429, "{}", late.text);
        assert!(
            late.headers.contains_key("retry-after")
                && late.text.contains("Nothing was sent. Too often within an hour")
        );
        late.text
    };
    page(&format!("/w/bobs/live/invitations/{made}/resend"), &[]).await;
    revoke(&bob, &bobs, &made).await;
    let key = "0193b3d6-0000-7000-8000-000000000001";
    let fields = [("idempotency_key", key), ("email", "victim@example.com"), ("role", "viewer")];
    let late = page("/w/bobs/live/members", &fields).await;
    assert!(late.contains("email-fault") && late.contains("value=\"victim@example.com\""), "{late}");

    app.advance(Duration::seconds(wait));
    let eve = app.sign_in("eve@example.com").await;
    assert_eq!(invite(&eve, &eves).await.status, 201, "waiting as told is enough");
}

async fn founded_by(world: &World, who: &Person, slug: &str) -> String {
    let new = json!({"name": slug, "slug": slug});
    let made = world.app.post("/v1/workspaces", &new).bearer(&who.access_token).send().await;
    assert_eq!(made.status, 201, "{}", made.text);
    made.text_of("id")
}
