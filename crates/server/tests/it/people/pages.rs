//! The pages on people, as forms that are sent by hand: without script, doubled, stale, by whoever may not.

use reqwest::Method;
use time::Duration;

use super::World;
use crate::harness::app::{Answer, Person};
use crate::harness::people;

const HTML: &str = "text/html";
const PEOPLE: &str = "/w/acme/live/members";

impl World {
    async fn page(&self, who: &Person, path: &str) -> Answer {
        self.app.get(path).header("cookie", &who.cookies).header("accept", HTML).send().await
    }

    async fn form(&self, who: &Person, path: &str, key: u8, fields: &[(&str, &str)]) -> Answer {
        let key = format!("0193b3d6-0000-7000-8000-0000000000{key:02}");
        let mut all = vec![("idempotency_key", key.as_str())];
        all.extend_from_slice(fields);
        let call = self.app.call(Method::POST, path).header("cookie", &who.cookies).header("accept", HTML);
        call.form(&all).send().await
    }
}

fn location(answer: &Answer) -> &str {
    assert_eq!(answer.status, 303, "{}", answer.text);
    answer.headers["location"].to_str().unwrap()
}

#[tokio::test]
async fn an_owner_invites_and_the_invited_signs_in_and_joins_by_pages_alone() {
    let world = World::found().await;
    let page = world.page(&world.ada, PEOPLE).await.text;
    assert!(page.contains("Nobody is invited") && page.contains("Leave the workspace"), "{page}");
    for (fields, told) in [
        ([("email", "nobody"), ("role", "viewer")], "email-fault"),
        ([("email", "ada@example.com"), ("role", "viewer")], "is a member already"),
        ([("email", "bob@example.com"), ("role", "king")], "Choose a role"),
    ] {
        let again = world.form(&world.ada, PEOPLE, 1, &fields).await;
        assert!(again.status == 422 && again.text.contains(told), "{told}: {}", again.status);
        assert!(again.text.contains(fields[0].1), "what was typed stays");
    }
    let fields = [("email", "bob@example.com"), ("role", "developer")];
    for _ in 0..2 {
        assert_eq!(location(&world.form(&world.ada, PEOPLE, 2, &fields).await), PEOPLE, "sent twice, done once");
    }
    let page = world.page(&world.ada, PEOPLE).await.text;
    assert_eq!(page.matches("Send again, to bob@example.com").count(), 1);
    let token = people::token(&world.app, "bob@example.com").await;
    let link = format!("/auth/invitation?token={token}");

    // Looking uses nothing up, by whatever method and however often, and tells a stranger to sign in.
    for method in [Method::HEAD, Method::GET, Method::GET] {
        let seen = world.app.call(method, &link).header("accept", HTML).send().await;
        assert_eq!(seen.status, 200, "{}", seen.text);
        assert!(seen.text.is_empty() || seen.text.contains("Send me a sign-in mail"), "{}", seen.text);
    }
    let nobody = Person { cookies: String::new(), ..world.ada.clone() };
    let unsigned = world.app.call(Method::POST, "/auth/invitation").header("accept", HTML).form(&[("token", &token)]);
    assert_ne!(unsigned.send().await.status, 200);
    let other = world.page(&world.ada, &link).await.text;
    assert!(other.contains("for somebody else") && !other.contains(&token), "{other}");

    // Through the door and back to the invitation.
    let seen = world.page(&nobody, &link).await;
    let invited = seen.cookies();
    assert!(invited.contains("bw_invitation="), "{invited}");
    let asked = world.app.call(Method::POST, "/sign-in").header("cookie", &invited).header("accept", HTML);
    let asked = asked.form(&[("email", "bob@example.com")]).send().await;
    let code = loop {
        let mails = world.app.mails(0).await;
        if let Some(code) = mails.into_iter().find_map(|mail| mail.code.filter(|_| mail.to == "bob@example.com")) {
            break code;
        }
        tokio::task::yield_now().await;
    };
    let cookies = format!("{invited}; {}", asked.cookies());
    let entered = world.app.call(Method::POST, "/sign-in/sent").header("cookie", &cookies).header("accept", HTML);
    let entered = entered.form(&[("code", &code)]).send().await;
    assert_eq!(location(&entered), "/auth/invitation");
    let bob = Person { cookies: format!("{invited}; {}", entered.cookies()), ..world.ada.clone() };
    let ready = world.page(&bob, "/auth/invitation").await.text;
    assert!(ready.contains("Join the workspace") && ready.contains("<strong>developer</strong>"), "{ready}");
    let join = async || {
        let call = world.app.call(Method::POST, "/auth/invitation").header("cookie", &bob.cookies);
        call.header("accept", HTML).form(&[("token", &token)]).send().await
    };
    assert_eq!(location(&join().await), format!("/w/{}/live", world.workspace));
    let again = join().await;
    assert!(again.status == 409 && again.text.contains("offers nothing"), "{}", again.text);
    assert!(world.page(&nobody, &link).await.text.contains("offers nothing"));
    assert_eq!(world.page(&bob, "/w/acme/live").await.status, 200);
    let seen = world.page(&bob, PEOPLE).await.text;
    for absent in ["Invite somebody", "Invited", "/members/usr_"] {
        assert!(!seen.contains(absent), "what one may not do is absent: {absent}");
    }
}

#[tokio::test]
async fn roles_removal_and_handing_over_are_asked_twice_and_say_what_happens() {
    let world = World::found().await;
    let (bob, bobs) = world.admit("bob@example.com", "admin").await;
    let key = serde_json::json!({"name": "Bob's deploy key", "scopes": ["read"]});
    assert_eq!(world.post(&bob, "api-keys", &key).await.status, 201);
    let (page, adas) = (format!("{PEOPLE}/{bobs}"), world.user("ada@example.com").await);
    assert_eq!(world.page(&bob, &page).await.status, 403);

    let own = world.form(&world.ada, &format!("{PEOPLE}/{adas}/role"), 1, &[("role", "viewer")]).await;
    assert!(own.status == 422 && own.text.contains("has an owner, always"), "{}", own.text);
    let changed = world.form(&world.ada, &format!("{page}/role"), 2, &[("role", "developer")]).await;
    assert_eq!(location(&changed), PEOPLE);
    assert!(world.page(&world.ada, &page).await.text.contains(r#"value="developer" checked"#));

    let asked = world.page(&world.ada, &format!("{page}/remove")).await.text;
    assert!(asked.contains("Bob&#39;s deploy key") || asked.contains("Bob&#x27;s deploy key"), "{asked}");
    let wrong = world.form(&world.ada, &format!("{page}/remove"), 3, &[("confirm", "bob")]).await;
    assert!(wrong.status == 422 && wrong.text.contains("confirm-fault"));
    let to_leave = world.page(&world.ada, &format!("{PEOPLE}/{adas}/remove")).await;
    assert_eq!(location(&to_leave), "/w/acme/live/leave");

    let wrong = world.form(&world.ada, &format!("{page}/transfer"), 4, &[("confirm", "ada@example.com")]).await;
    assert_eq!(wrong.status, 422);
    let handed = world.form(&world.ada, &format!("{page}/transfer"), 5, &[("confirm", "Bob@example.com")]).await;
    assert_eq!(location(&handed), PEOPLE);
    assert_eq!(world.page(&world.ada, &page).await.status, 403, "she is an admin now");

    let his = format!("{PEOPLE}/{adas}");
    world.app.advance(Duration::minutes(16));
    let bob = {
        let refresh = serde_json::json!({"refresh_token": bob.refresh_token});
        world.app.post("/auth/refresh", &refresh).send().await;
        world.app.sign_in("bob@example.com").await
    };
    world.app.advance(Duration::minutes(4));
    let removed = world.form(&bob, &format!("{his}/remove"), 6, &[("confirm", "ada@example.com")]).await;
    assert_eq!(location(&removed), PEOPLE);
    assert_eq!(world.page(&world.ada, PEOPLE).await.status, 404);
    let left = world.form(&bob, "/w/acme/live/leave", 7, &[("confirm", "acme")]).await;
    assert!(left.status == 422 && left.text.contains("has an owner, always"), "{}", left.text);
}
