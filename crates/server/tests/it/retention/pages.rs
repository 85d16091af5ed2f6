//! Retention in the console, without a browser.

use reqwest::Method;

use super::World;
use crate::harness::app::{Answer, Person};

const PAGE: &str = "/w/acme/test/audit/retention";

async fn look(world: &World, person: &Person, path: &str) -> Answer {
    world.app.get(path).header("cookie", &person.cookies).header("accept", "text/html").send().await
}

async fn submit(world: &World, path: &str, key: u8, fields: &[(&str, &str)]) -> Answer {
    let call = world.app.call(Method::POST, path).header("cookie", &world.ada.cookies).header("accept", "text/html");
    let key = format!("0193b3d6-0000-7000-8000-0000000000{key:02}");
    call.form(&[&[("idempotency_key", key.as_str())], fields].concat()).send().await
}

#[tokio::test]
async fn the_workspace_is_typed_for_fewer_days_and_the_reason_to_release() {
    let world = World::found().await;
    let page = look(&world, &world.ada, PAGE).await.text;
    assert!(page.contains("for ever") && page.contains("Open a legal hold"), "{page}");
    let wrong = submit(&world, PAGE, 1, &[("days", "12"), ("confirm", "acme")]).await;
    assert!(wrong.status == 422 && wrong.text.contains("days-fault"), "{}", wrong.text);
    let wrong = submit(&world, PAGE, 2, &[("days", "90"), ("confirm", "")]).await;
    assert!(wrong.status == 422 && wrong.text.contains("confirm-fault"), "{}", wrong.text);
    assert_eq!(submit(&world, PAGE, 3, &[("days", "90"), ("confirm", "acme")]).await.status, 303);
    assert!(look(&world, &world.ada, PAGE).await.text.contains("it is 90 days; until then you can set it back"));
    assert_eq!(submit(&world, PAGE, 4, &[("days", ""), ("confirm", "")]).await.status, 303, "longer, at once");

    let holds = "/w/acme/test/legal-holds";
    assert_eq!(submit(&world, holds, 5, &[("reason", " ")]).await.status, 422);
    assert_eq!(submit(&world, holds, 6, &[("reason", "2026-0117")]).await.status, 303);
    let page = look(&world, &world.ada, PAGE).await.text;
    assert!(page.contains("2026-0117") && page.contains("Nothing goes while a legal hold is open"), "{page}");
    let id = world.get("legal-holds").await.json()["data"][0]["id"].as_str().unwrap().to_owned();
    let release = format!("{holds}/{id}/release");
    assert!(look(&world, &world.ada, &release).await.text.contains("Type the reason"));
    let wrong = submit(&world, &release, 7, &[("confirm", "2026")]).await;
    assert!(wrong.status == 422 && wrong.text.contains("confirm-fault"), "{}", wrong.text);
    assert_eq!(submit(&world, &release, 8, &[("confirm", "2026-0117")]).await.status, 303);
    assert!(look(&world, &world.ada, &release).await.text.contains("It was released"));

    let admin = world.app.join(&world.workspace, "eve@example.com", "admin").await;
    let page = look(&world, &admin, PAGE).await;
    assert!(page.status == 200 && !page.text.contains("Open a legal hold"), "{}", page.text);
    assert_eq!(look(&world, &admin, &release).await.status, 403);
    assert!(look(&world, &world.ada, "/w/acme/test/audit").await.text.contains("audit/retention"));

    world.keeps(90).await;
    let event = world.event(0).await;
    assert_eq!(world.prune().await, 256);
    let gone = look(&world, &world.ada, &format!("/w/acme/test/audit/{event}")).await;
    assert!(gone.status == 410 && gone.text.contains("pruned"), "{}", gone.text);
    assert!(look(&world, &world.ada, PAGE).await.text.contains("Entries below 256 were pruned"));
}
