//! What is done with passkeys: each by a person of its own, in one workspace.

use reqwest::Method;
use serde_json::json;

use super::World;
use crate::harness::app::{Answer, Person};
use crate::harness::authenticator::{Authenticator, Lie};
use crate::passkeys::{begin_registration, challenge, finish, register};

pub const OPERATIONS: [&str; 8] = [
    "beginPasskeySignIn",
    "signInByPasskey",
    "beginPasskeyStepUp",
    "stepUpByPasskey",
    "beginPasskeyRegistration",
    "registerPasskey",
    "renamePasskey",
    "removePasskey",
];

/// A challenge is no change: what comes of it is.
pub async fn succeed(world: &World, operation: &str) -> (Answer, &'static [&'static str]) {
    let app = &world.app;
    let person = app.sign_in(&format!("{}@example.com", operation.to_lowercase())).await;
    let mut device = Authenticator::new(&app.url);
    let start = async |token: &str, path: &str| app.call(Method::POST, path).bearer(token).send().await;
    match operation {
        "beginPasskeySignIn" => {
            let begun = app.call(Method::POST, "/auth/passkeys/sign-in/start").send().await;
            return (begun, &["sign_in.requested", "sign_in.completed"]);
        }
        "beginPasskeyStepUp" => {
            let begun = start(&person.access_token, "/auth/passkeys/step-up/start").await;
            return (begun, &["sign_in.requested", "sign_in.completed"]);
        }
        "beginPasskeyRegistration" => {
            return (begin_registration(app, &person).await, &["sign_in.requested", "sign_in.completed"]);
        }
        _ => {}
    }
    let made = register(app, &person, &mut device, &Lie::default()).await;
    if operation == "registerPasskey" {
        return (made, &["sign_in.requested", "sign_in.completed", "factor.added"]);
    }
    let made = made.json();
    let token = made["tokens"]["access_token"].as_str().unwrap();
    let path = format!("/auth/passkeys/{}", made["passkey"]["id"].as_str().unwrap());
    match operation {
        "signInByPasskey" => {
            let asked = challenge(app).await;
            let shown = device.show(&asked.options, &Lie::default());
            let left = &["sign_in.requested", "sign_in.completed", "factor.added", "sign_in.completed"];
            (finish(app, &asked, &shown).await, left)
        }
        "stepUpByPasskey" => {
            let asked = start(token, "/auth/passkeys/step-up/start").await.json();
            let shown = device.show(&asked["options"], &Lie::default());
            let body = json!({"ceremony": asked["ceremony"], "credential": shown});
            let left = &["sign_in.requested", "sign_in.completed", "factor.added", "session.stepped_up"];
            (app.post("/auth/passkeys/step-up/finish", &body).bearer(token).send().await, left)
        }
        "renamePasskey" => {
            let call = app.call(Method::PATCH, &path).json(&json!({"name": "another"}));
            let left = &["sign_in.requested", "sign_in.completed", "factor.added", "factor.passkey_renamed"];
            (call.bearer(token).send().await, left)
        }
        _ => {
            let left = &["sign_in.requested", "sign_in.completed", "factor.added", "factor.removed"];
            (app.delete(&path).bearer(token).send().await, left)
        }
    }
}

pub async fn fail(world: &World, operation: &str) -> Answer {
    let (app, Person { access_token, .. }) = (&world.app, &world.person);
    let nowhere = "/auth/passkeys/pky_01h455vb4pex5vsknk084sn02q";
    let call = match operation {
        "beginPasskeySignIn" => app.post("/auth/passkeys/sign-in/start", &json!({})),
        "signInByPasskey" => app.post("/auth/passkeys/sign-in/finish", &json!({"ceremony": "x", "credential": {}})),
        "beginPasskeyStepUp" => app.post("/auth/passkeys/step-up/start", &json!({})),
        "stepUpByPasskey" => app.post("/auth/passkeys/step-up/finish", &json!({"ceremony": "x", "credential": {}})),
        "beginPasskeyRegistration" => app.post("/auth/passkeys/register/start", &json!({})),
        "registerPasskey" => {
            app.post("/auth/passkeys/register/finish", &json!({"ceremony": "x", "name": "x", "credential": {}}))
        }
        "renamePasskey" => app.call(Method::PATCH, nowhere).json(&json!({"name": "x"})),
        _ => app.delete(nowhere),
    };
    call.bearer(access_token).send().await
}
