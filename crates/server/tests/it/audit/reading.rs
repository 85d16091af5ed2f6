//! Reading what entries open to leaves an entry before the first byte; reading what opens nothing leaves none.

use bailiwick_proof::receipt::Receipt;
use reqwest::Method;
use serde_json::{Value, json};

use super::Acme;
use crate::harness::app::Answer;
use crate::harness::recorder::recorded;

impl Acme {
    async fn told(&self) -> String {
        recorded(&self.record(&json!({"action": "door.opened", "actor": "jane", "target": "door"})).await).id
    }

    async fn by_key(&self, key: &str, path: &str) -> Answer {
        self.app.get(&self.path(path)).bearer(key).send().await
    }

    async fn by_browser(&self, path: &str) -> Answer {
        let call = self.app.call(Method::GET, &format!("/w/acme/live/audit/{path}"));
        call.header("cookie", &self.person.cookies).header("accept", "text/html").send().await
    }

    /// Who read, the newest first: by what action, about what, and what else the entry says.
    async fn readings(&self) -> Vec<(String, String, String, Value)> {
        self.readings_told_to(&self.person.access_token).await
    }

    async fn readings_told_to(&self, credential: &str) -> Vec<(String, String, String, Value)> {
        self.app.numbered().await;
        let events = self.by_key(credential, "audit/events?limit=100").await.json();
        let events = events["data"].as_array().unwrap().iter();
        let text = |event: &Value, name: &str| event[name].as_str().unwrap().to_owned();
        let of_reading =
            |event: &&Value| ["audit.read", "audit.receipt_opened"].contains(&event["action"].as_str().unwrap());
        events
            .filter(of_reading)
            .map(|event| (text(event, "action"), text(event, "actor"), text(event, "target"), event["meta"].clone()))
            .collect()
    }
}

/// By a person, in the browser, and by a key.
#[tokio::test]
async fn who_reads_openings_stands_in_the_log_once_an_hour_and_for_each_receipt() {
    let acme = Acme::found().await;
    let id = acme.told().await;
    let key = acme.app.api_key(&acme.person, &acme.workspace, &json!({"name": "k", "scopes": ["management"]})).await;
    let (key, key_id) = (key["key"].as_str().unwrap(), key["id"].as_str().unwrap());
    let (event, receipt) = (format!("audit/events/{id}"), format!("audit/events/{id}/receipt"));
    let ada = acme.get(&event).await.json()["recorded_by"].as_str().unwrap().to_owned();
    let read = acme.readings().await;
    assert_eq!(read.len(), 1, "{read:?}");
    let hour = read[0].3.clone();
    let (from, to) = (hour["from_ms"].as_i64().unwrap(), hour["to_ms"].as_i64().unwrap());
    assert!(to - from == 3_600_000 && from % 3_600_000 == 0, "{hour}");
    assert_eq!((&read[0].1, &read[0].2), (&ada, &acme.workspace));

    // What opens nothing leaves nothing: lists, checkpoints, proofs, and receipts of hashes.
    for path in ["audit/events", "audit/events?actor=jane", "audit/checkpoint", receipt.as_str()] {
        assert_eq!(acme.get(path).await.status, 200, "{path}");
    }
    assert_eq!(acme.get(&format!("{receipt}?open=")).await.status, 200);
    assert_eq!(acme.get("audit/events/evt_01m7v9a0q4f9hrj3k2m1p0n6zc").await.status, 404);
    // The same reader in the same hour, over the API and in the browser.
    acme.get(&event).await;
    assert!(acme.by_browser(&id).await.text.contains("jane"));
    assert_eq!(acme.readings().await.len(), 1);
    // Another one, many at once.
    let many = futures_util::future::join_all((0..8).map(|_| acme.by_key(key, &event))).await;
    assert!(many.iter().all(|answer| answer.json()["openings"]["actor"]["value"] == "jane"));
    let read = acme.readings().await;
    assert_eq!((read.len(), &read[0].0, &read[0].1), (2, &"audit.read".to_owned(), &key_id.to_owned()));

    // Each receipt that opens something, with what it opens.
    let taken = [
        (acme.get(&format!("{receipt}?open=target,actor")).await, ada.as_str(), json!(["actor", "target"])),
        (acme.by_key(key, &format!("{receipt}?open=meta")).await, key_id, json!(["meta"])),
        (acme.by_browser(&format!("{id}/receipt?open=ip")).await, ada.as_str(), json!(["ip"])),
    ];
    let mut read = acme.readings().await;
    read.truncate(taken.len());
    for ((answer, by, fields), told) in taken.into_iter().zip(read.into_iter().rev()) {
        answer.text.parse::<Receipt>().unwrap().verify(&acme.keys().await).unwrap();
        let expected = ("audit.receipt_opened".to_owned(), by.to_owned(), id.clone(), json!({"fields": fields}));
        assert_eq!(told, expected);
    }
    assert_eq!(acme.readings().await.len(), 5);

    acme.app.advance(time::Duration::hours(1));
    acme.by_key(key, &event).await;
    let read = acme.readings_told_to(key).await;
    assert_eq!((read.len(), &read[0].1, read[0].3["from_ms"].as_i64()), (6, &key_id.to_owned(), Some(to)));
}

#[tokio::test]
async fn without_its_entry_nothing_is_read() {
    let acme = Acme::found().await;
    let id = acme.told().await;
    acme.app.numbered().await;
    let owner = &acme.app.database.owner;
    let refuse = "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no room'; END $$;
        CREATE TRIGGER refuse BEFORE INSERT ON ledger_staged FOR EACH ROW EXECUTE FUNCTION refuse();
        GRANT EXECUTE ON FUNCTION refuse() TO bailiwick_runtime";
    sqlx::raw_sql(refuse).execute(owner).await.unwrap();
    let (event, receipt) = (format!("audit/events/{id}"), format!("audit/events/{id}/receipt"));
    let bytes = acme.get(&receipt).await;
    assert_eq!(bytes.status, 200, "what opens nothing needs no entry: {}", bytes.text);
    let opened = [
        acme.get(&event).await,
        acme.get(&event).await,
        acme.get(&format!("{receipt}?open=actor")).await,
        acme.by_browser(&id).await,
        acme.by_browser(&format!("{id}/receipt?open=actor")).await,
    ];
    for answer in opened {
        assert!(answer.status.is_server_error(), "{} {}", answer.status, answer.text);
        assert!(!answer.text.contains("jane") && !answer.text.contains("c2sp.org"), "{}", answer.text);
    }
    sqlx::raw_sql("DROP TRIGGER refuse ON ledger_staged").execute(owner).await.unwrap();
    assert_eq!(acme.get(&event).await.json()["actor"], "jane");
    assert_eq!(acme.readings().await.len(), 1);
}
