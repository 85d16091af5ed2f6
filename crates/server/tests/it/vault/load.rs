//! Requests that need keys, while something else goes on: none of them may fail.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use serde_json::{Value, json};

use crate::harness::app::{Answer, Call, Person, TestApp};

const EMAIL: &str = "ada@example.com";

/// No two clients have the same name.
static NEXT: AtomicU32 = AtomicU32::new(1);

/// A server with a person, a workspace and a key of it.
pub struct Served {
    pub app: TestApp,
    pub person: Person,
    pub workspace: String,
}

impl Served {
    pub async fn by(app: TestApp) -> Self {
        let (person, workspace) = app.founder(EMAIL, "navy").await;
        Self { app, person, workspace }
    }

    /// The same person and workspace at another node.
    pub async fn at(&self, app: TestApp) -> Self {
        let person = app.sign_in(EMAIL).await;
        Self { app, person, workspace: self.workspace.clone() }
    }

    /// Makes something with a kept answer, which is sealed.
    pub async fn make(&self, idempotency_key: &str) -> Answer {
        self.making(idempotency_key).header("idempotency-key", idempotency_key).send().await
    }

    /// Makes something, and no answer is kept.
    pub async fn make_at_once(&self, name: &str) -> Answer {
        self.making(name).send().await
    }

    fn making(&self, name: &str) -> Call<'_> {
        let path = format!("/v1/workspaces/{}/projects", self.workspace);
        self.app.post(&path, &json!({ "name": name })).bearer(&self.person.access_token)
    }

    /// The newest events, opened; of one actor alone by its blind index.
    pub async fn events(&self, query: &str) -> Answer {
        let path = format!("/v1/workspaces/{}/audit/events{query}", self.workspace);
        self.app.get(&path).bearer(&self.person.access_token).send().await
    }

    /// Has clients ask until the work is done; all of them are served.
    pub async fn while_serving<T>(&self, work: impl Future<Output = T>) -> T {
        let done = AtomicBool::new(false);
        let working = async {
            let answer = work.await;
            done.store(true, Ordering::Relaxed);
            answer
        };
        let client = async |name: u32| {
            let mut served = 0_u32;
            while !done.load(Ordering::Relaxed) || served == 0 {
                let key = format!("client-{name}-{served}");
                let made = self.make(&key).await;
                assert_eq!(made.status, 201, "{}", made.text);
                let again = self.make(&key).await;
                assert_eq!((again.status, &again.text), (made.status, &made.text));
                let listed = self.events("?limit=5").await;
                assert_eq!(listed.status, 200, "{}", listed.text);
                assert!(
                    listed.json()["data"].as_array().is_some_and(|events| events.iter().all(is_open)),
                    "{}",
                    listed.text
                );
                served += 1;
            }
        };
        let name = || NEXT.fetch_add(1, Ordering::Relaxed);
        let (answer, (), ()) = tokio::join!(working, client(name()), client(name()));
        answer
    }
}

fn is_open(event: &Value) -> bool {
    !event["actor"].is_null()
}
