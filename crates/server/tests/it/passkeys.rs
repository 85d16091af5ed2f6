//! Passkeys: what people do with them, and what attackers do not get.

mod forged;
mod lies;
mod own;

use serde_json::{Value, json};
use time::Duration;

use crate::harness::app::{Answer, Person, TestApp};
use crate::harness::authenticator::{Authenticator, Lie};

/// A challenge, and what this browser is known by.
pub struct Challenge {
    pub ceremony: String,
    pub options: Value,
    pub cookies: String,
}

/// A server, with somebody who has a passkey.
struct World {
    app: TestApp,
    ada: Person,
    device: Authenticator,
    passkey: Value,
}

impl World {
    async fn start() -> Self {
        Self::with(|_| ()).await
    }

    /// Ada's device is made so.
    async fn with(adjust: impl FnOnce(&mut Authenticator)) -> Self {
        let app = TestApp::start().await;
        let signed_in = app.sign_in("ada@example.com").await;
        let mut device = Authenticator::new(&app.url);
        adjust(&mut device);
        let made = register(&app, &signed_in, &mut device, &Lie::default()).await;
        assert_eq!(made.status, 201, "{}", made.text);
        let made_json = made.json();
        let ada = Person {
            access_token: made_json["tokens"]["access_token"].as_str().unwrap().to_owned(),
            refresh_token: made_json["tokens"]["refresh_token"].as_str().unwrap().to_owned(),
            cookies: made.cookies(),
        };
        Self { app, ada, device, passkey: made_json["passkey"].clone() }
    }

    fn id(&self) -> &str {
        self.passkey["id"].as_str().unwrap()
    }

    async fn sign_in(&mut self, lie: &Lie) -> Answer {
        let challenge = challenge(&self.app).await;
        let shown = self.device.show(&challenge.options, lie);
        finish(&self.app, &challenge, &shown).await
    }
}

/// Adds the device's credential to somebody's passkeys.
pub async fn register(app: &TestApp, person: &Person, device: &mut Authenticator, lie: &Lie) -> Answer {
    let asked = begin_registration(app, person).await;
    assert_eq!(asked.status, 200, "{}", asked.text);
    let asked = asked.json();
    let credential = device.make(&asked["options"], lie);
    let body = json!({"ceremony": asked["ceremony"], "name": "Ada's key", "credential": credential});
    app.post("/auth/passkeys/register/finish", &body).bearer(&person.access_token).send().await
}

pub async fn begin_registration(app: &TestApp, person: &Person) -> Answer {
    app.call(reqwest::Method::POST, "/auth/passkeys/register/start").bearer(&person.access_token).send().await
}

/// What a browser that has never been here is asked.
pub async fn challenge(app: &TestApp) -> Challenge {
    let asked = app.call(reqwest::Method::POST, "/auth/passkeys/sign-in/start").send().await;
    assert_eq!(asked.status, 200, "{}", asked.text);
    Challenge {
        ceremony: asked.text_of("ceremony"),
        options: asked.json()["options"].clone(),
        cookies: asked.cookies(),
    }
}

pub async fn finish(app: &TestApp, challenge: &Challenge, credential: &Value) -> Answer {
    let body = json!({"ceremony": challenge.ceremony, "credential": credential});
    app.post("/auth/passkeys/sign-in/finish", &body).header("cookie", &challenge.cookies).send().await
}

fn failed() -> (u16, String) {
    (403, "passkey_failed".to_owned())
}

#[tokio::test]
async fn somebody_adds_a_passkey_and_signs_in_with_it() {
    let app = TestApp::start().await;
    let (by_mail, elsewhere) = (app.sign_in("ada@example.com").await, app.sign_in("ada@example.com").await);
    let asked = begin_registration(&app, &by_mail).await.json();
    let selection = &asked["options"]["publicKey"]["authenticatorSelection"];
    assert_eq!((&selection["residentKey"], &selection["userVerification"]), (&json!("required"), &json!("required")));
    assert_eq!(asked["options"]["publicKey"]["rp"]["id"], "localhost");
    let handle = asked["options"]["publicKey"]["user"]["id"].as_str().unwrap();
    assert!(!asked["options"]["publicKey"]["user"]["id"].is_null() && handle.len() == 22, "16 random bytes: {handle}");

    let mut device = Authenticator::new(&app.url);
    let made = register(&app, &by_mail, &mut device, &Lie::default()).await;
    assert_eq!(made.status, 201, "{}", made.text);
    // With the first factor: codes, another session, and the end of all others.
    assert_eq!(made.json()["recovery_codes"].as_array().unwrap().len(), 10);
    for ended in [&by_mail, &elsewhere] {
        let answer = app.get("/auth/passkeys").bearer(&ended.access_token).send().await;
        assert_eq!(answer.problem(), (401, "session_ended".into()));
    }
    let strong = made.json()["tokens"]["access_token"].as_str().unwrap().to_owned();
    let listed = app.get("/auth/passkeys").bearer(&strong).send().await.json();
    assert_eq!((listed["data"].as_array().unwrap().len(), &listed["data"][0]["name"]), (1, &json!("Ada's key")));
    assert_eq!((&listed["data"][0]["last_used_at"], &listed["data"][0]["synced"]), (&Value::Null, &json!(false)));

    // No address is named, and nothing that is told depends on one.
    let challenge = challenge(&app).await;
    let options = &challenge.options["publicKey"];
    assert_eq!((&options["allowCredentials"], &options["userVerification"]), (&json!([]), &json!("required")));
    assert!(challenge.cookies.starts_with("bw_passkey="), "{}", challenge.cookies);
    let shown = device.show(&challenge.options, &Lie::default());
    let answer = finish(&app, &challenge, &shown).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(answer.cookies().contains("bw_access=") && answer.cookies().contains("bw_refresh="));
    let sessions = app.get("/auth/sessions").bearer(&answer.text_of("access_token")).send().await.json();
    let current = sessions["data"].as_array().unwrap().iter().find(|one| one["current"] == true).unwrap();
    assert_eq!((&current["signed_in_by"], &current["strong"]), (&json!("passkey"), &json!(true)));
    let listed = app.get("/auth/passkeys").bearer(&strong).send().await.json();
    assert!(listed["data"][0]["last_used_at"].is_string());

    // It was good once.
    assert_eq!(finish(&app, &challenge, &shown).await.problem(), failed());
    let actions = app.actions(None).await;
    assert_eq!(actions.iter().filter(|action| *action == "factor.added").count(), 1);
    assert_eq!(actions.last().map(String::as_str), Some("sign_in.completed"));
    assert!(app.mails(3).await[0].text.contains("Ada's key"), "its person is told");
}

#[tokio::test]
async fn of_many_who_come_with_one_answer_one_gets_in() {
    let mut world = World::start().await;
    let challenge = challenge(&world.app).await;
    let shown = world.device.show(&challenge.options, &Lie::default());
    let came = futures_util::future::join_all((0..8).map(|_| finish(&world.app, &challenge, &shown))).await;
    let mut statuses: Vec<u16> = came.iter().map(|answer| answer.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 403, 403, 403, 403, 403, 403, 403]);
}

#[tokio::test]
async fn a_passkey_proves_who_one_is_once_more() {
    let mut world = World::start().await;
    world.app.advance(Duration::minutes(11));
    let start = |token: &str, path: &str| world.app.call(reqwest::Method::POST, path).bearer(token);
    let token = world.app.post("/auth/refresh", &json!({"refresh_token": world.ada.refresh_token})).send().await;
    let token = token.text_of("access_token");
    let stale = start(&token, "/auth/passkeys/register/start").send().await;
    assert_eq!(stale.problem(), (403, "step_up_required".into()));
    let removed = world.app.delete(&format!("/auth/passkeys/{}", world.id())).bearer(&token).send().await;
    assert_eq!(removed.problem(), (403, "step_up_required".into()));

    let asked = start(&token, "/auth/passkeys/step-up/start").send().await.json();
    let allowed = asked["options"]["publicKey"]["allowCredentials"].as_array().unwrap();
    assert_eq!(allowed.len(), 1, "one's own alone");
    let shown = world.device.show(&asked["options"], &Lie::default());
    let body = json!({"ceremony": asked["ceremony"], "credential": shown});
    // What was asked of a session is no answer at the door.
    let at_the_door = world.app.post("/auth/passkeys/sign-in/finish", &body).send().await;
    assert_eq!(at_the_door.problem(), failed());

    let asked = start(&token, "/auth/passkeys/step-up/start").send().await.json();
    let shown = world.device.show(&asked["options"], &Lie::default());
    let body = json!({"ceremony": asked["ceremony"], "credential": shown});
    let proven = world.app.post("/auth/passkeys/step-up/finish", &body).bearer(&token).send().await;
    assert_eq!(proven.status, 200, "{}", proven.text);
    let over = world.app.get("/auth/passkeys").bearer(&token).send().await;
    assert_eq!(over.problem(), (401, "session_ended".into()));
    let fresh = proven.text_of("access_token");
    let removed = world.app.delete(&format!("/auth/passkeys/{}", world.id())).bearer(&fresh).send().await;
    assert_eq!(removed.status, 204, "{}", removed.text);
    assert_eq!(world.sign_in(&Lie::default()).await.problem(), failed(), "it is removed");
}
