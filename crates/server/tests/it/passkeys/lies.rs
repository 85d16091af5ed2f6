//! What is no answer to a challenge, and how it is told: in one way.

use serde_json::json;
use time::Duration;

use super::{World, begin_registration, challenge, failed, finish, register};
use crate::harness::authenticator::{Authenticator, Lie};

#[tokio::test]
async fn whatever_is_wrong_signs_nobody_in_and_is_told_alike() {
    let mut world = World::start().await;
    let stranger = Authenticator::new(&world.app.url);
    let mallory = world.app.sign_in("mallory@example.com").await;
    let mut theirs = Authenticator::new(&world.app.url);
    assert_eq!(register(&world.app, &mallory, &mut theirs, &Lie::default()).await.status, 201);
    let lies = [
        ("another origin", Lie { origin: Some("https://localhost.evil.example"), ..Lie::default() }),
        ("another port", Lie { origin: Some("http://localhost:1"), ..Lie::default() }),
        ("from within another's page", Lie { cross_origin: true, ..Lie::default() }),
        ("another relying party", Lie { rp_id: Some("evil.example"), ..Lie::default() }),
        ("of another kind", Lie { kind: Some("webauthn.create"), ..Lie::default() }),
        ("another challenge", Lie { challenge: Some("AAAA".repeat(8)), ..Lie::default() }),
        ("nobody was verified", Lie { unverified: true, ..Lie::default() }),
        ("another's key", Lie { signed_by: Some(theirs.clone()), ..Lie::default() }),
        ("another's user handle", Lie { user_handle: Some(theirs.user_handle.clone()), ..Lie::default() }),
        ("no user handle", Lie { user_handle: Some(Vec::new()), ..Lie::default() }),
    ];
    let mut texts = Vec::new();
    for (what, lie) in lies {
        let answer = world.sign_in(&lie).await;
        assert_eq!(answer.problem(), failed(), "{what}");
        texts.push(without_id(&answer.json()));
    }
    // A credential that nobody knows, and what is none at all.
    let asked = challenge(&world.app).await;
    let shown = stranger.clone().show(&asked.options, &Lie::default());
    texts.push(without_id(&finish(&world.app, &asked, &shown).await.json()));
    let asked = challenge(&world.app).await;
    texts.push(without_id(&finish(&world.app, &asked, &json!({"id": 1})).await.json()));
    texts.dedup();
    assert_eq!(texts.len(), 1, "{texts:?}");

    // And with nothing of that it works, for each their own.
    assert_eq!(world.sign_in(&Lie::default()).await.status, 200);
}

fn without_id(problem: &serde_json::Value) -> serde_json::Value {
    let mut problem = problem.clone();
    problem.as_object_mut().unwrap().remove("request_id");
    problem
}

#[tokio::test]
async fn a_challenge_is_for_the_browser_that_asked_and_for_five_minutes() {
    let mut world = World::start().await;
    let (mine, theirs) = (challenge(&world.app).await, challenge(&world.app).await);
    assert_ne!(mine.cookies, theirs.cookies);
    let shown = world.device.show(&mine.options, &Lie::default());
    let stolen = super::Challenge { cookies: theirs.cookies, ..mine };
    assert_eq!(finish(&world.app, &stolen, &shown).await.problem(), failed());

    let asked = challenge(&world.app).await;
    let shown = world.device.show(&asked.options, &Lie::default());
    world.app.advance(Duration::seconds(301));
    assert_eq!(finish(&world.app, &asked, &shown).await.problem(), failed());

    // Two tabs of one browser wait side by side.
    let first = challenge(&world.app).await;
    let second = world.app.call(reqwest::Method::POST, "/auth/passkeys/sign-in/start").header("cookie", &first.cookies);
    let second = second.send().await;
    assert_eq!(second.cookies(), first.cookies);
    let shown = world.device.show(&first.options, &Lie::default());
    assert_eq!(finish(&world.app, &first, &shown).await.status, 200);
}

#[tokio::test]
async fn a_copy_of_a_passkey_is_refused_recorded_and_told() {
    let mut world = World::with(|device| device.counts = true).await;
    let mut copy = world.device.clone();
    for _ in 0..2 {
        assert_eq!(world.sign_in(&Lie::default()).await.status, 200);
    }
    let mails = world.app.mails(0).await.len();
    for _ in 0..2 {
        let asked = challenge(&world.app).await;
        let shown = copy.show(&asked.options, &Lie::default());
        assert_eq!(finish(&world.app, &asked, &shown).await.problem(), failed());
    }
    assert_eq!(world.app.actions(None).await.iter().filter(|action| *action == "factor.passkey_refused").count(), 2);
    assert!(world.app.mails(mails + 2).await[0].subject.contains("refused"));
    // Nothing of that keeps its person out.
    assert_eq!(world.sign_in(&Lie::default()).await.status, 200);

    // What could not be copied before cannot be copied now.
    world.device.synced = true;
    assert_eq!(world.sign_in(&Lie::default()).await.problem(), failed());
    assert_eq!(world.app.actions(None).await.iter().filter(|action| *action == "factor.passkey_refused").count(), 3);
}

#[tokio::test]
async fn who_is_suspended_is_refused_like_a_wrong_passkey() {
    let mut world = World::start().await;
    let suspend = "UPDATE users SET suspended_at = now()";
    sqlx::query(suspend).execute(&world.app.database.owner).await.unwrap();
    world.app.vouch().await;
    assert_eq!(world.sign_in(&Lie::default()).await.problem(), failed());
}

#[tokio::test]
async fn what_is_made_otherwise_than_asked_is_not_taken() {
    let world = World::start().await;
    let bob = world.app.sign_in("bob@example.com").await;
    for (what, lie) in [
        ("another origin", Lie { origin: Some("https://evil.example"), ..Lie::default() }),
        ("from within another's page", Lie { cross_origin: true, ..Lie::default() }),
        ("another relying party", Lie { rp_id: Some("evil.example"), ..Lie::default() }),
        ("another challenge", Lie { challenge: Some("AAAA".repeat(8)), ..Lie::default() }),
        ("nobody was verified", Lie { unverified: true, ..Lie::default() }),
        ("not discoverable", Lie { not_discoverable: true, ..Lie::default() }),
    ] {
        let made = register(&world.app, &bob, &mut Authenticator::new(&world.app.url), &lie).await;
        assert_eq!(made.problem(), failed(), "{what}");
    }
    // A credential that somebody has is nobody else's.
    let made = register(&world.app, &bob, &mut world.device.clone(), &Lie::default()).await;
    assert_eq!(made.problem(), failed());
    // A challenge is for the session that asked for it.
    let asked = begin_registration(&world.app, &bob).await.json();
    let credential = Authenticator::new(&world.app.url).make(&asked["options"], &Lie::default());
    let body = json!({"ceremony": asked["ceremony"], "name": "x", "credential": credential});
    let taken = world.app.post("/auth/passkeys/register/finish", &body).bearer(&world.ada.access_token).send().await;
    assert_eq!(taken.problem(), failed());
    let listed = world.app.get("/auth/passkeys").bearer(&bob.access_token).send().await.json();
    assert_eq!(listed["data"], json!([]));
}
