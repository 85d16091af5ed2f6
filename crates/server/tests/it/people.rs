//! Invitations, roles, removal, leaving and handing over: what people see, and what attackers do not get.

mod forged;
mod invitations;
mod pages;
mod roles;

use reqwest::Method;
use serde_json::{Value, json};

use bailiwick_server::reconciliation::Look;

use crate::harness::app::{Answer, Person, TestApp};
use crate::harness::{people, vouch};

/// A workspace with its owner.
struct World {
    app: TestApp,
    ada: Person,
    workspace: String,
}

impl World {
    async fn found() -> Self {
        let app = TestApp::start().await;
        let (ada, workspace) = app.founder("ada@example.com", "acme").await;
        Self { app, ada, workspace }
    }

    fn path(&self, rest: &str) -> String {
        format!("/v1/workspaces/{}/{rest}", self.workspace)
    }

    async fn get(&self, who: &Person, rest: &str) -> Answer {
        self.app.get(&self.path(rest)).bearer(&who.access_token).send().await
    }

    async fn post(&self, who: &Person, rest: &str, body: &Value) -> Answer {
        self.app.post(&self.path(rest), body).bearer(&who.access_token).send().await
    }

    async fn delete(&self, who: &Person, rest: &str) -> Answer {
        self.app.delete(&self.path(rest)).bearer(&who.access_token).send().await
    }

    async fn set_role(&self, who: &Person, user: &str, role: &str) -> Answer {
        let call = self.app.call(Method::PATCH, &self.path(&format!("members/{user}")));
        call.json(&json!({"role": role})).bearer(&who.access_token).send().await
    }

    /// Invites as the owner; answers the invitation's id and the token from the mail.
    async fn invite(&self, email: &str, role: &str) -> (String, String) {
        let before = people::latest(&self.app, email).await;
        let made = self.post(&self.ada, "invitations", &json!({"email": email, "role": role})).await;
        assert_eq!(made.status, 201, "{}", made.text);
        (made.text_of("id"), people::newest(&self.app, email, &before).await)
    }

    /// Holds every row that grants something against the ledger.
    async fn look(&self) -> Look {
        vouch::look(&self.app).await
    }

    /// Nothing that this server did looks to the ledger like somebody else's doing.
    async fn is_known_to_the_ledger(&self) {
        let Look { unvouched, fenced, gone, .. } = self.look().await;
        assert_eq!((unvouched, fenced, gone), (0, 0, 0));
    }

    async fn accept(&self, who: &Person, token: &str) -> Answer {
        self.app.post("/auth/accept-invite", &json!({"token": token})).bearer(&who.access_token).send().await
    }

    /// Signs somebody in, invites them, and has them take it.
    async fn admit(&self, email: &str, role: &str) -> (Person, String) {
        let person = self.app.sign_in(email).await;
        let (_, token) = self.invite(email, role).await;
        assert_eq!(self.accept(&person, &token).await.status, 200);
        (person, self.user(email).await)
    }

    /// A member's id.
    async fn user(&self, email: &str) -> String {
        let members = self.get(&self.ada, "members").await.json();
        let found = members["data"].as_array().unwrap().iter().find(|member| member["email"] == email);
        found.unwrap_or_else(|| panic!("{email} is no member: {members}"))["user_id"].as_str().unwrap().to_owned()
    }

    /// What everybody has, by address.
    async fn roles(&self, who: &Person) -> Vec<(String, String)> {
        let members = self.get(who, "members").await;
        assert_eq!(members.status, 200, "{}", members.text);
        let members = members.json();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let role = |member: &Value| (text(&member["email"]), text(&member["role"]));
        let mut roles: Vec<_> = members["data"].as_array().unwrap().iter().map(role).collect();
        roles.sort();
        roles
    }
}
