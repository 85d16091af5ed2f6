//! Reading leaves nothing, whoever reads.

use bailiwick_server::router;
use reqwest::StatusCode;

use super::World;

#[tokio::test]
async fn reads_leave_no_entry() {
    let world = World::found().await;
    let before = world.entries().await;
    let document = router::openapi();
    for (path, methods) in document["paths"].as_object().unwrap() {
        if methods["get"].is_object() && path.contains("{workspace}") {
            let path = path.replace("{workspace}", &world.workspace).replace("{id}", "key_01h455vb4pex5vsknk084sn02q");
            let answer = world.app.get(&path).bearer(&world.person.access_token).send().await;
            assert_ne!(answer.status, StatusCode::INTERNAL_SERVER_ERROR, "{path}: {}", answer.text);
        }
    }
    assert_eq!(world.entries().await, before);
}
