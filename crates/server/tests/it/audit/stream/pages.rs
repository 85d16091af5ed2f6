//! The stream in the console, without a browser.

use reqwest::Method;

use super::World;
use crate::harness::app::{Answer, Person, TestApp};

async fn look(app: &TestApp, person: &Person, path: &str) -> Answer {
    app.get(path).header("cookie", &person.cookies).header("accept", "text/html").send().await
}

async fn submit(app: &TestApp, person: &Person, path: &str, fields: &[(&str, &str)]) -> Answer {
    let call = app.call(Method::POST, path).header("cookie", &person.cookies).header("accept", "text/html");
    call.form(fields).send().await
}

#[tokio::test]
async fn a_stream_is_set_watched_and_removed() {
    let world = World::found().await;
    let (app, ada) = (&world.app, &world.ada);
    let page = "/w/acme/live/audit/stream";
    assert!(look(app, ada, "/w/acme/live/audit").await.text.contains("/audit/stream"));
    let empty = look(app, ada, page).await;
    assert!(empty.text.contains("Keep this log in a bucket of your own"), "{}", empty.text);
    let bucket = world.store.bucket("logs");
    let endpoint = bucket.endpoint.clone().unwrap();
    let secret = secrecy::ExposeSecret::expose_secret(&bucket.secret_access_key).to_owned();
    let fields = |endpoint: &str| {
        [
            ("idempotency_key", "0193b3d6-0000-7000-8000-000000000001".to_owned()),
            ("endpoint", endpoint.to_owned()),
            ("region", bucket.region.clone()),
            ("bucket", bucket.name.clone()),
            ("prefix", "logs".to_owned()),
            ("access_key_id", bucket.access_key_id.clone()),
            ("secret_access_key", secret.clone()),
        ]
    };
    let send = async |endpoint: &str| {
        let fields = fields(endpoint);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        submit(app, ada, page, &fields).await
    };
    let refused = send("https://10.0.0.1").await;
    assert!(refused.status == 422 && refused.text.contains("endpoint-fault"), "{}", refused.text);
    assert!(!refused.text.contains(&secret), "what was typed as the key never comes back");
    assert_eq!(send(&endpoint).await.status, 303);
    world.caught_up(2).await;
    let shown = look(app, ada, page).await.text;
    assert!(shown.contains("It follows the log") && shown.contains("audit check --dir"), "{shown}");
    assert!(!shown.contains(&secret) && shown.contains(&bucket.access_key_id), "{shown}");

    let remove = format!("{page}/remove");
    let key = ("idempotency_key", "0193b3d6-0000-7000-8000-000000000002");
    assert!(look(app, ada, &remove).await.text.contains("Type the bucket"));
    let wrong = submit(app, ada, &remove, &[key, ("confirm", "another")]).await;
    assert!(wrong.status == 422 && wrong.text.contains("confirm-fault"), "{}", wrong.text);
    assert_eq!(submit(app, ada, &remove, &[key, ("confirm", &bucket.name)]).await.status, 303);
    assert!(look(app, ada, page).await.text.contains("Keep this log in a bucket of your own"));
    let dev = app.join(&world.recorder.workspace, "dev@example.com", "developer").await;
    assert_eq!(look(app, &dev, page).await.status, 403);
    assert!(!look(app, &dev, "/w/acme/live/audit").await.text.contains("/audit/stream"));
}
