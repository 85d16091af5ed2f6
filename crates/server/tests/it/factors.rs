//! Authenticators, recovery codes, the second step of a sign-in, step-up, and workspaces that demand a factor.

mod demand;
mod enrolment;
mod forged;
mod guesses;
mod hidden;
mod operator;
mod pages;
mod second_step;

use bailiwick_server::reconciliation::Look;
use serde_json::{Value, json};
use time::Duration;

use crate::harness::app::{Answer, Person, TestApp};
use crate::harness::otp::Otp;
use crate::harness::process::until;
use crate::harness::secrets;
use crate::harness::vouch::look;

const ADA: &str = "ada@example.com";
/// After so long an authenticator shows another code.
pub const STEP: Duration = Duration::seconds(30);

/// Somebody with an authenticator.
pub struct Holder {
    pub person: Person,
    pub otp: Otp,
    pub codes: Vec<String>,
    /// The authenticator's id.
    pub id: String,
}

pub async fn post(app: &TestApp, person: &Person, path: &str, body: &Value) -> Answer {
    app.post(path, body).bearer(&person.access_token).send().await
}

/// A wrong code: it is none of the next hour's.
fn wrong(app: &TestApp, otp: &Otp) -> String {
    let near: Vec<String> = (-4..120).map(|step| otp.at(app.now() + STEP * step)).collect();
    (0..).map(|number| format!("{number:06}")).find(|code| !near.contains(code)).unwrap()
}

/// Begins to add an authenticator: its id, and what has read it.
pub async fn begin(app: &TestApp, person: &Person, name: &str) -> (String, Otp) {
    let new = post(app, person, "/auth/factors/authenticators", &json!({"name": name})).await;
    assert_eq!(new.status, 201, "{}", new.text);
    (new.text_of("id"), Otp::reading(&new.text_of("secret")))
}

pub async fn confirm(app: &TestApp, person: &Person, id: &str, code: &str) -> Answer {
    post(app, person, &format!("/auth/factors/authenticators/{id}/confirm"), &json!({"code": code})).await
}

/// The codes of an answer, noted for the leak scan.
fn codes(answer: &Answer) -> Vec<String> {
    let body = answer.json();
    let codes = body["recovery_codes"].as_array().unwrap_or_else(|| panic!("{}", answer.text));
    codes.iter().map(|code| code.as_str().unwrap().to_owned()).inspect(|code| secrets::record(code)).collect()
}

/// Gives a person their first authenticator.
pub async fn equip(app: &TestApp, person: &Person) -> Holder {
    equip_as(app, person, "Telephone").await
}

async fn equip_as(app: &TestApp, person: &Person, name: &str) -> Holder {
    let (id, otp) = begin(app, person, name).await;
    let confirmed = confirm(app, person, &id, &otp.at(app.now())).await;
    assert_eq!(confirmed.status, 200, "{}", confirmed.text);
    let codes = codes(&confirmed);
    let session = &confirmed.json()["session"];
    let text = |name: &str| session[name].as_str().unwrap().to_owned();
    [text("access_token"), text("refresh_token")].iter().for_each(|token| secrets::record(token));
    let person = Person {
        access_token: text("access_token"),
        refresh_token: text("refresh_token"),
        cookies: confirmed.cookies(),
    };
    Holder { person, otp, codes, id }
}

/// Signs in by mail as far as that goes: the token of the second step.
pub async fn first_step(app: &TestApp, email: &str) -> String {
    let shown = app.show_mail(email).await;
    assert_eq!(shown.problem(), (403, "factor_required".into()));
    shown.text_of("factor_token")
}

async fn pass(app: &TestApp, token: &str, code: &str) -> Answer {
    app.post("/auth/factor", &json!({"factor_token": token, "code": code})).send().await
}

async fn recover(app: &TestApp, token: &str, code: &str) -> Answer {
    app.post("/auth/factor", &json!({"factor_token": token, "recovery_code": code})).send().await
}

async fn listed(app: &TestApp, person: &Person) -> Value {
    let listed = app.get("/auth/factors").bearer(&person.access_token).send().await;
    assert_eq!(listed.status, 200, "{}", listed.text);
    listed.json()
}

/// Whether the server lets them in, and why not.
async fn standing(app: &TestApp, person: &Person) -> String {
    let answer = app.get("/v1/workspaces").bearer(&person.access_token).send().await;
    if answer.status == 200 { "in".to_owned() } else { answer.problem().1 }
}

/// Waits for so many mails with this subject, and answers how many there are.
async fn mailed(app: &TestApp, email: &str, subject: &str, wanted: usize) -> usize {
    let count = async || {
        let mails = app.mails(0).await;
        mails.iter().filter(|mail| mail.to == email && mail.subject.contains(subject)).count()
    };
    until(async || count().await >= wanted).await;
    count().await
}

/// Nothing that this server did looks to the ledger like somebody else's doing.
pub async fn is_known_to_the_ledger(app: &TestApp) {
    let Look { unvouched, fenced, gone, .. } = look(app).await;
    assert_eq!((unvouched, fenced, gone), (0, 0, 0));
}
