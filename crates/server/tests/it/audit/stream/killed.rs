//! `kill -9` amid a stream: whoever comes after goes on where the bucket is.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::{check, wanted};
use crate::harness::bucket::{Behaviour, ObjectStore};
use crate::harness::process::{DevHome, until};
use crate::harness::recorder::Recorder;

const ALLOWED: &str = "export BAILIWICK_STREAM_NETWORKS=127.0.0.0/8; exec";

#[tokio::test]
async fn killing_the_server_amid_a_stream_loses_and_doubles_nothing() {
    let home = DevHome::temporary();
    let store = ObjectStore::start().await;
    store.behave(Behaviour::Slow);
    let server = home.start_by(ALLOWED).await;
    let recorder = Recorder::on(&server).await;
    for batch in 0..4 {
        recorder.batch(&format!("events-{batch}"), 700).await;
    }
    let url = format!("{}/v1/workspaces/{}/audit/stream", server.url, recorder.workspace);
    let client = crate::harness::http::http_builder().timeout(Duration::from_secs(20)).build().unwrap();
    let ask = async |method: Method, body: Option<Value>| {
        let call = client.request(method, &url).bearer_auth(recorder.key());
        let call = if let Some(body) = body { call.json(&body) } else { call };
        call.send().await.unwrap().json::<Value>().await.unwrap()
    };
    let set = ask(Method::PUT, Some(wanted(&store, "logs"))).await;
    assert_eq!(set["state"], "starting", "{set}");
    let mut server = server;
    for blow in [4, 11] {
        until(async || store.written().len() >= blow).await;
        server.kill_9().await;
        server = home.start_by(ALLOWED).await;
        // The next job would have it once the lease of the one that died is over; set anew, another one has it at once, and is
        // told nothing of how far the bucket is.
        ask(Method::PUT, Some(wanted(&store, "logs"))).await;
    }
    store.behave(Behaviour::Serving);
    until(async || ask(Method::GET, None).await["written_size"].as_u64().is_some_and(|size| size >= 2_800)).await;
    let stream = ask(Method::GET, None).await;
    assert_eq!(stream["fault"], json!(null), "{stream}");
    let folder = store.folder().join(stream["path"].as_str().unwrap());
    let checked = check(&folder, &[]).await;
    assert_eq!(checked.code, 0, "{}{}", checked.stdout, checked.stderr);
    let mut tiles = store.written();
    tiles.retain(|name| name.contains("/tile/"));
    let count = tiles.len();
    tiles.sort_unstable();
    tiles.dedup();
    assert_eq!(tiles.len(), count, "an object was written twice");
    drop(server);
}
