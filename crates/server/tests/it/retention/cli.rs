//! `bailiwick audit retention`, `audit holds`, and `audit check` of a log of which the beginning went.

use serde_json::{Value, json};

use super::{OLD, World};
use crate::cli::Desk;

#[tokio::test]
async fn a_log_is_checked_from_its_cut_on_and_only_by_its_own_word() {
    let desk = Desk::ready("ada@example.com").await;
    let workspace = desk.run(&["workspaces", "list", "-o", "id"]).await.ok().trim().to_owned();
    let app = desk.app.another_node().await;
    let ada = app.sign_in("ada@example.com").await;
    let world = World { app, ada, workspace };
    world.age(OLD).await;
    let run = async |args: &[&str]| desk.run(&[args, &["--environment", "test", "-o", "json"]].concat()).await;

    let shown = run(&["audit", "retention", "show"]).await.json();
    assert_eq!((&shown["days"], &shown["due"]["stopped_by"]), (&Value::Null, &json!("kept_for_ever")));
    let unconfirmed = run(&["audit", "retention", "set", "90"]).await;
    assert!(unconfirmed.code == 2 && unconfirmed.stderr.contains("nothing was changed"), "{}", unconfirmed.stderr);
    assert_eq!(run(&["audit", "retention", "set", "12"]).await.code, 2);
    let set = run(&["audit", "retention", "set", "90", "--confirm", "acme"]).await.json();
    assert_eq!(set["pending"]["days"], 90, "{set}");
    let hold = run(&["audit", "holds", "open", "2026-0117"]).await.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(run(&["audit", "holds", "list"]).await.json()[0]["id"], hold.as_str());
    assert_eq!(run(&["audit", "holds", "release", &hold, "--confirm", "2026"]).await.code, 1);
    run(&["audit", "holds", "release", &hold, "--confirm", "2026-0117"]).await.ok();

    let whole = run(&["audit", "check"]).await.json();
    assert_eq!(whole["pruned"], 0, "{whole}");
    world.keeps(90).await;
    assert_eq!(world.prune().await, 256);
    let cut = run(&["audit", "check"]).await.json();
    assert_eq!(cut["pruned"], 256, "{cut}");
    let event = world.retention().await["cut"]["event_id"].as_str().unwrap().to_owned();
    run(&["audit", "receipt", &event, "--open", "meta", "--out", "certificate"]).await.ok();

    // A server that says so and vouches for it, and whose log does not.
    let other = "UPDATE ledger_cuts SET event_id = (SELECT event_id FROM ledger_entries WHERE environment = 'test' AND seq = 299)";
    world.sql(other).await;
    world.vouch_for_cuts().await;
    let damaged = run(&["audit", "check"]).await;
    assert!(damaged.code == 6 && damaged.stdout.contains("pruned_without_entry"), "{}", damaged.stderr);
    assert!(world.damages().await[0].contains("is not the one that tells of the cut"));
    world.sql("DELETE FROM ledger_cuts").await;
    let damaged = run(&["audit", "check"]).await;
    assert_eq!(damaged.code, 6, "{}", damaged.stderr);
}
