//! What is done with factors: each by a person of its own, in one workspace.

use reqwest::Method;
use serde_json::json;

use super::World;
use crate::factors::{STEP, begin, confirm, equip, first_step};
use crate::harness::app::Answer;

pub const OPERATIONS: [&str; 7] = [
    "passFactor",
    "stepUp",
    "addAuthenticator",
    "confirmAuthenticator",
    "removeAuthenticator",
    "renewRecoveryCodes",
    "changeWorkspaceSecurity",
];

pub async fn succeed(world: &World, operation: &str) -> (Answer, &'static [&'static str]) {
    let app = &world.app;
    let email = format!("{}@example.com", operation.to_lowercase());
    let person = app.sign_in(&email).await;
    match operation {
        "addAuthenticator" => {
            let call = app.post("/auth/factors/authenticators", &json!({"name": "x"})).bearer(&person.access_token);
            return (call.send().await, &["sign_in.requested", "sign_in.completed", "factor.enrolled"]);
        }
        "confirmAuthenticator" => {
            let (id, otp) = begin(app, &person, "x").await;
            let left = &["sign_in.requested", "sign_in.completed", "factor.enrolled", "factor.added"];
            return (confirm(app, &person, &id, &otp.at(app.now())).await, left);
        }
        _ => {}
    }
    let holder = equip(app, &person).await;
    let (token, later) = (holder.person.access_token.as_str(), app.now() + STEP);
    match operation {
        "passFactor" => {
            let step = first_step(app, &email).await;
            let body = json!({"factor_token": step, "code": holder.otp.at(later)});
            let left = &[
                "sign_in.requested",
                "sign_in.completed",
                "factor.enrolled",
                "factor.added",
                "sign_in.requested",
                "sign_in.factor_asked",
                "sign_in.completed",
            ];
            (app.post("/auth/factor", &body).send().await, left)
        }
        "stepUp" => {
            let call = app.post("/auth/step-up", &json!({"code": holder.otp.at(later)})).bearer(token);
            let left =
                &["sign_in.requested", "sign_in.completed", "factor.enrolled", "factor.added", "session.stepped_up"];
            (call.send().await, left)
        }
        "removeAuthenticator" => {
            let call = app.delete(&format!("/auth/factors/authenticators/{}", holder.id)).bearer(token);
            let left = &["sign_in.requested", "sign_in.completed", "factor.enrolled", "factor.added", "factor.removed"];
            (call.send().await, left)
        }
        "renewRecoveryCodes" => {
            let call = app.call(Method::POST, "/auth/factors/recovery-codes").bearer(token);
            let left = &[
                "sign_in.requested",
                "sign_in.completed",
                "factor.enrolled",
                "factor.added",
                "factor.recovery_codes_made",
            ];
            (call.send().await, left)
        }
        _ => {
            let body = json!({"name": "strict", "slug": "strict"});
            let made = app.post("/v1/workspaces", &body).bearer(token).send().await.text_of("id");
            let call = app.call(Method::PATCH, &format!("/v1/workspaces/{made}/security"));
            let left = &[
                "sign_in.requested",
                "sign_in.completed",
                "factor.enrolled",
                "factor.added",
                "workspace.created",
                "workspace.mfa_changed",
            ];
            (call.json(&json!({"require_mfa": true})).bearer(token).send().await, left)
        }
    }
}

pub async fn fail(world: &World, operation: &str) -> Answer {
    let (app, token) = (&world.app, &world.person.access_token);
    let nowhere = "/auth/factors/authenticators/otp_01h455vb4pex5vsknk084sn02q";
    let call = match operation {
        "passFactor" => app.post("/auth/factor", &json!({"factor_token": "x", "code": "000000"})),
        "stepUp" => app.post("/auth/step-up", &json!({"code": "000000"})),
        "addAuthenticator" => app.post("/auth/factors/authenticators", &json!({"name": ""})),
        "confirmAuthenticator" => app.post(&format!("{nowhere}/confirm"), &json!({"code": "000000"})),
        "removeAuthenticator" => app.delete(nowhere),
        "renewRecoveryCodes" => app.call(Method::POST, "/auth/factors/recovery-codes"),
        _ => {
            let call = app.call(Method::PATCH, &world.path("security"));
            call.json(&json!({"require_mfa": true}))
        }
    };
    call.bearer(token).send().await
}
