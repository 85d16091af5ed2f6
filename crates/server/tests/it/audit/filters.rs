//! Saved filters: one's own and everybody's, by the API and without script, and nothing of whoever was erased.

use reqwest::Method;
use serde_json::{Value, json};

use super::Acme;
use crate::harness::app::{Answer, Person};
use crate::harness::process::until;

impl Acme {
    async fn save(&self, person: &Person, body: &Value) -> Answer {
        self.app.post(&self.path("audit/filters"), body).bearer(&person.access_token).send().await
    }

    async fn filters(&self, person: &Person) -> Vec<Value> {
        let listed = self.app.get(&self.path("audit/filters")).bearer(&person.access_token).send().await;
        listed.json()["filters"].as_array().unwrap().clone()
    }

    async fn names(&self, person: &Person) -> Vec<String> {
        let filters = self.filters(person).await;
        filters.iter().map(|filter| filter["name"].as_str().unwrap().to_owned()).collect()
    }

    async fn delete_filter(&self, person: &Person, id: &str) -> u16 {
        let path = self.path(&format!("audit/filters/{id}"));
        self.app.delete(&path).bearer(&person.access_token).send().await.status.as_u16()
    }

    async fn browse(&self, method: Method, path: &str, form: &[(&str, &str)]) -> Answer {
        let call = self.app.call(method.clone(), &format!("/w/acme/live/{path}")).header("accept", "text/html");
        let call = call.header("cookie", &self.person.cookies);
        if method == Method::POST { call.form(form).send().await } else { call.send().await }
    }
}

#[tokio::test]
async fn a_filter_is_ones_own_or_everybodys_and_leaves_an_entry() {
    let acme = Acme::found().await;
    let dev = acme.app.join(&acme.workspace, "dev@example.com", "developer").await;
    let own = json!({"name": "Doors of Jane", "actor": "jane", "from": "2026-01-01", "to": "2026-01-31"});
    let saved = acme.save(&acme.person, &own).await;
    assert_eq!(saved.status, 201, "{}", saved.text);
    let shared = acme.save(&acme.person, &json!({"name": "Keys", "action": "api_key.created", "shared": true})).await;
    assert_eq!((shared.status.as_u16(), &shared.json()["shared"]), (201, &json!(true)), "{}", shared.text);
    let of_dev = acme.save(&dev, &json!({"name": "Doors of Jane", "target": "door-1"})).await;
    assert_eq!(of_dev.status, 201, "a name is taken by its owner alone: {}", of_dev.text);
    assert_eq!(acme.names(&acme.person).await, ["Doors of Jane", "Keys"]);
    assert_eq!(acme.names(&dev).await, ["Doors of Jane", "Keys"]);
    let [of_ada, _] = acme.filters(&acme.person).await.try_into().unwrap();
    for (member, expected) in [("actor", "jane"), ("from", "2026-01-01"), ("to", "2026-01-31")] {
        assert_eq!(of_ada[member], expected, "{of_ada}");
    }
    assert_eq!(acme.filters(&dev).await[0]["target"], "door-1");

    // What is everybody's takes more than reading, and what is another's own is not there.
    let body = json!({"name": "All", "actor": "jane", "shared": true});
    assert_eq!(acme.save(&dev, &body).await.problem(), (403, "forbidden".to_owned()));
    assert_eq!(acme.delete_filter(&dev, shared.json()["id"].as_str().unwrap()).await, 403);
    assert_eq!(acme.delete_filter(&dev, saved.json()["id"].as_str().unwrap()).await, 404);
    let key = acme.app.api_key(&acme.person, &acme.workspace, &json!({"name": "k", "scopes": ["management"]})).await;
    let listed = acme.app.get(&acme.path("audit/filters")).bearer(key["key"].as_str().unwrap()).send().await.json();
    assert_eq!(listed["filters"].as_array().unwrap().len(), 1, "{listed}");
    for (wrong, expected) in [
        (own.clone(), (409, "name_taken")),
        (json!({"name": "empty"}), (422, "invalid_body")),
        (json!({"name": "x", "action": "ada@example.com"}), (422, "invalid_body")),
        (json!({"name": "x", "from": "yesterday"}), (422, "invalid_body")),
    ] {
        let (status, code) = acme.save(&acme.person, &wrong).await.problem();
        assert_eq!((status, code.as_str()), expected, "{wrong}");
    }
    assert_eq!(acme.delete_filter(&acme.person, shared.json()["id"].as_str().unwrap()).await, 204);
    assert_eq!(acme.names(&dev).await, ["Doors of Jane"]);
    let mut actions = acme.app.actions(Some(&acme.workspace)).await;
    actions.retain(|action| action.starts_with("audit.filter"));
    assert_eq!(actions, [["audit.filter_saved"; 3].as_slice(), &["audit.filter_deleted"]].concat());
}

#[tokio::test]
async fn whom_a_filter_names_is_sealed_and_erased_with_them() {
    let acme = Acme::found().await;
    acme.record(&json!({"action": "door.opened", "actor": "jane-the-subject", "target": "door-1"})).await;
    let body = json!({"name": "Doors", "actor": "jane-the-subject", "target": "bob-the-subject"});
    assert_eq!(acme.save(&acme.person, &body).await.status, 201);
    let rows = "SELECT string_agg(f::text, '') FROM audit_filters f";
    let rows: String = sqlx::query_scalar(rows).fetch_one(&acme.app.database.owner).await.unwrap();
    let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert!(!rows.contains("subject") && !rows.contains(&hex("jane-the-subject")), "{rows}");
    let erase = json!({"subject": "jane-the-subject", "confirm": "jane-the-subject"});
    let asked = acme.app.post(&acme.path("erasures"), &erase).bearer(&acme.person.access_token).send().await;
    assert_eq!(asked.status, 200, "{}", asked.text);
    let path = format!("erasures/{}", asked.json()["erasure"]["id"].as_str().unwrap());
    until(async || acme.get(&path).await.json()["state"] == "finished").await;
    let [filter] = acme.filters(&acme.person).await.try_into().unwrap();
    assert_eq!((&filter["actor"], &filter["erased"]), (&Value::Null, &json!(true)), "{filter}");
    assert_eq!(filter["target"], "bob-the-subject");
    let page = acme.browse(Method::GET, "audit", &[]).await;
    assert!(page.text.contains("names somebody who was erased") && !page.text.contains("jane-the-subject"));
}

#[tokio::test]
async fn filters_are_saved_followed_and_deleted_without_script() {
    let acme = Acme::found().await;
    acme.record(&json!({"action": "door.opened", "actor": "a & b", "target": "door-1"})).await;
    let page = acme.browse(Method::GET, "audit?actor=a+%26+b&from=2026-01-01", &[]).await;
    assert!(page.text.contains("Save this filter") && !page.text.contains("Saved filters"), "{}", page.text);
    let field = |page: &str, before: &str| -> String {
        let rest = page.split(before).nth(1).unwrap().split("name=\"idempotency_key\" value=\"").nth(1).unwrap();
        rest.split('"').next().unwrap().to_owned()
    };
    let key = field(&page.text, "/audit/filters\"");
    let form = [
        ("idempotency_key", key.as_str()),
        ("name", "Both"),
        ("actor", "a & b"),
        ("from", "2026-01-01"),
        ("shared", "yes"),
    ];
    let saved = acme.browse(Method::POST, "audit/filters", &form).await;
    assert_eq!(saved.status, 303, "{}", saved.text);
    let back = "/w/acme/live/audit?actor=a+%26+b&from=2026-01-01";
    assert_eq!(saved.headers["location"], back);
    let page = acme.browse(Method::GET, "audit", &[]).await.text;
    assert!(page.contains(&back.replace('&', "&#38;")) || page.contains(&back.replace('&', "&amp;")), "{page}");
    assert!(page.contains("everybody here"), "{page}");
    let again = [
        ("idempotency_key", "0198c0de-0000-7000-8000-000000000001"),
        ("name", "Both"),
        ("actor", "c"),
        ("shared", "yes"),
    ];
    let again = acme.browse(Method::POST, "audit/filters", &again).await;
    assert!(again.status == 422 && again.text.contains("There is a filter of this name already."), "{}", again.text);
    let delete = page.split("action=\"/w/acme/live/audit/filters/").nth(1).unwrap().split('"').next().unwrap();
    let key = field(&page, delete);
    let gone = acme.browse(Method::POST, &format!("audit/filters/{delete}"), &[("idempotency_key", &key)]).await;
    assert_eq!(gone.status, 303, "{}", gone.text);
    assert!(!acme.browse(Method::GET, "audit", &[]).await.text.contains("Saved filters"));
}
