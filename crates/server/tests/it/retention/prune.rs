//! Pruning: what goes, what stays, and what everybody is told.

use bailiwick_proof::commitment::Field;
use bailiwick_proof::consistency::Pair;
use bailiwick_proof::receipt::Receipt;
use bailiwick_server::reconciliation::Look;
use serde_json::{Value, json};

use super::World;
use crate::harness::app::TestApp;
use crate::harness::ledger::report;
use crate::harness::vouch;

/// A look of a process that has read nothing yet.
async fn look(world: &World) -> Look {
    let (look, alerts) = vouch::look_and_raise(&world.app).await;
    let raised = tokio::time::timeout(std::time::Duration::ZERO, alerts.take()).await;
    assert!(raised.is_err(), "{raised:?}");
    look
}

#[tokio::test]
async fn what_is_old_goes_with_a_certificate_and_every_proof_of_the_rest_holds() {
    let world = World::found().await;
    let (first, last, kept) = (world.event(0).await, world.event(255).await, world.event(256).await);
    let old_receipt = world.get(&format!("events/{first}/receipt?open=actor")).await.text;
    let old_size = world.get("checkpoint").await.text.lines().nth(1).unwrap().to_owned();
    let young = world.project("young").await;
    world.keeps(90).await;
    let due = &world.retention().await["due"];
    assert_eq!((&due["entries"], &due["to"], &due["stopped_by"]), (&json!(256), &json!(256), &Value::Null));
    let before = world.entries().await;

    assert_eq!(world.prune().await, 256, "whole tiles");
    assert_eq!(world.entries().await, before - 256 + 1, "and there is an entry more");
    assert_eq!(world.damages().await, [""; 0]);
    let pruned: Vec<u64> = report(&world.app).await.logs.iter().map(|log| log.pruned).collect();
    assert_eq!(pruned.iter().sum::<u64>(), 256);
    assert_eq!(world.prune().await, 0, "once");
    assert_eq!(world.count("SELECT count(*) FROM ledger_openings WHERE environment = 'test' AND seq < 256").await, 0);

    let keys = world.keys().await;
    for receipt in [old_receipt, world.get(&format!("events/{young}/receipt")).await.text] {
        receipt.parse::<Receipt>().unwrap().verify(&keys).unwrap();
    }
    world.get(&format!("events/{kept}/receipt")).await.text.parse::<Receipt>().unwrap().verify(&keys).unwrap();
    let pair: Pair = world.get(&format!("consistency?from={old_size}")).await.text.parse().unwrap();
    pair.verify(&keys).unwrap();
    assert_eq!(world.get("log/tile/0/000").await.status, 200, "hashes stay");

    let certificate = world.events("action=retention.pruned").await;
    let [certificate] = certificate.as_slice() else { panic!("{certificate:?}") };
    assert_eq!(
        (&certificate["meta"]["from"], &certificate["meta"]["to"], &certificate["meta"]["days"]),
        (&json!(0), &json!(256), &json!(90))
    );
    let id = certificate["id"].as_str().unwrap();
    for (path, is_gone) in [
        (format!("events/{first}"), true),
        (format!("events/{last}/receipt"), true),
        ("log/tile/entries/000".to_owned(), true),
        (format!("events/{kept}"), false),
    ] {
        let answer = world.get(&path).await;
        if is_gone {
            assert_eq!(answer.problem(), (410, "entry_pruned".to_owned()), "{path}");
            let told = answer.json();
            assert_eq!((&told["event_id"], &told["pruned_to"]), (&json!(id), &json!(256)), "{path}");
        } else {
            assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        }
    }
    let never = "evt_01h455vb4pex5vsknk084sn02q";
    assert_eq!(world.get(&format!("events/{never}")).await.status, 410, "nobody can tell whether it was");
    let receipt: Receipt = world.get(&format!("events/{id}/receipt?open=meta")).await.text.parse().unwrap();
    receipt.verify(&keys).unwrap();
    let told: Value = serde_json::from_str(&receipt.openings[&Field::Meta].value).unwrap();
    let retention = world.retention().await;
    assert_eq!((&told["data"]["to"], &told["data"]["root"]), (&json!(256), &retention["cut"]["root"]), "{told}");
    assert_eq!(retention["due"]["stopped_by"], "nothing_old");
    let export = world.send(reqwest::Method::POST, "export", Some(&json!({"format": "ndjson"}))).await;
    assert_eq!(export.headers["bailiwick-first-seq"], "256");
    assert!(export.text.lines().next().unwrap().contains("\"seq\":256"));
}

/// What grants something is held against the log, and most of the log is gone.
#[tokio::test]
async fn rows_that_pruned_entries_tell_of_go_on_granting() {
    let app = TestApp::start().await;
    let (ada, workspace) = app.founder("ada@example.com", "acme").await;
    let world = World { app, ada, workspace };
    let ages = "CREATE FUNCTION test_ages() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN NEW.staged_at := NEW.staged_at - interval '101 days'; RETURN NEW; END $$;
        CREATE TRIGGER test_ages BEFORE INSERT ON ledger_staged FOR EACH ROW EXECUTE FUNCTION test_ages()";
    world.sql(ages).await;
    let path = format!("/v1/workspaces/{}/api-keys", world.workspace);
    let body = json!({"name": "old", "scopes": ["management"]});
    let call = world.app.post(&path, &body).bearer(&world.ada.access_token).header("bailiwick-environment", "test");
    let key = call.send().await.text_of("key");
    world.sql("DROP TRIGGER test_ages ON ledger_staged").await;
    world.age(300).await;
    world.keeps(90).await;
    assert_eq!(world.prune().await, 256);
    let seen = look(&world).await;
    assert_eq!((seen.fenced, seen.gone, seen.unvouched), (0, 0, 0));
    assert_eq!(world.app.get("/v1/key").bearer(&key).send().await.status, 200);
    assert_eq!(world.damages().await, [""; 0]);
    world.sql("UPDATE ledger_openings SET rows = NULL WHERE environment = 'test' AND seq = 0").await;
    assert!(world.damages().await[0].contains("said of rows"));
}

/// One that dies at any step leaves a log that is good, and the next one ends what it began, with one certificate.
#[tokio::test]
async fn whoever_dies_in_between_is_gone_on_with() {
    let world = World::found().await;
    world.keeps(90).await;
    let dies = "CREATE FUNCTION test_dies() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'dies'; END $$";
    world.sql(dies).await;
    let mut left = Vec::new();
    let mut before = String::new();
    for (nth, (table, when)) in [
        ("ledger_cuts", "INSERT"),
        ("ledger_entries", "INSERT"),
        ("ledger_checkpoints", "INSERT"),
        ("ledger_entries", "DELETE"),
        ("ledger_openings", "DELETE"),
    ]
    .into_iter()
    .enumerate()
    {
        // The next blow is there before the last is gone: nobody brings on meanwhile what it is to strike.
        let name = format!("test_dies_{nth}");
        let create =
            format!("CREATE TRIGGER {name} BEFORE {when} ON {table} FOR EACH ROW EXECUTE FUNCTION test_dies()");
        world.sql(&format!("{create}; {before}")).await;
        before = format!("DROP TRIGGER {name} ON {table}");
        assert!(world.pruner().await.prune(world.log()).await.is_err(), "{when} {table}");
        left.push(world.count("SELECT count(*) FROM ledger_entries WHERE environment = 'test' AND seq < 256").await);
        assert_eq!(world.damages().await, [""; 0], "{when} {table}");
    }
    world.sql(&before).await;
    assert_eq!(left, [256; 5], "nothing went before all of it could");
    let (one, other) = (world.pruner().await, world.pruner().await);
    let (one, other) = tokio::join!(one.prune(world.log()), other.prune(world.log()));
    assert_eq!(one.unwrap() + other.unwrap(), 256, "two at once");
    assert_eq!(world.damages().await, [""; 0]);
    assert_eq!(world.events("action=retention.pruned").await.len(), 1);
    look(&world).await;
}

/// How far a deletion has come is told by what is there, and by nothing that the owner of the database could write beside it.
#[tokio::test]
async fn what_went_and_was_put_back_goes_again() {
    let world = World::found().await;
    world.sql("CREATE TABLE copied AS SELECT * FROM ledger_entries WHERE environment = 'test' AND seq < 3").await;
    world.sql("CREATE TABLE opened AS SELECT * FROM ledger_openings WHERE environment = 'test' AND seq < 3").await;
    world.keeps(90).await;
    assert_eq!(world.prune().await, 256);
    for (back, gone) in [
        ("INSERT INTO ledger_entries SELECT * FROM copied; INSERT INTO ledger_openings SELECT * FROM opened", 3),
        ("INSERT INTO ledger_openings SELECT * FROM opened", 0),
    ] {
        world.sql(back).await;
        assert_eq!(world.prune().await, gone, "{back}");
        let left = "SELECT (SELECT count(*) FROM ledger_entries WHERE environment = 'test' AND seq < 256)
            + (SELECT count(*) FROM ledger_openings WHERE environment = 'test' AND seq < 256)";
        assert_eq!(world.count(left).await, 0, "{back}");
    }
    assert_eq!(world.events("action=retention.pruned").await.len(), 1, "by the one certificate");
    assert_eq!(world.damages().await, [""; 0]);
}

/// What is decided to be kept between the cut and the deletion is kept.
#[tokio::test]
async fn what_is_kept_for_ever_meanwhile_stays() {
    let world = World::found().await;
    world.keeps(90).await;
    let dies = "CREATE FUNCTION test_dies() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'dies'; END $$;
        CREATE TRIGGER test_dies BEFORE DELETE ON ledger_entries FOR EACH ROW EXECUTE FUNCTION test_dies()";
    world.sql(dies).await;
    let pruned = world.pruner().await.prune(world.log()).await;
    assert!(pruned.is_err(), "{pruned:?} {:?}", world.found_wrong().await);
    assert_eq!(world.events("action=retention.pruned").await.len(), 1, "it was decided");
    let hold = world.hold("2026-0117").await;
    assert_eq!(world.set(None).await.status, 200);
    assert_eq!(world.release(&hold).await.status, 200);
    world.sql("DROP TRIGGER test_dies ON ledger_entries").await;
    assert_eq!(world.prune().await, 0);
    assert_eq!(world.count("SELECT count(*) FROM ledger_entries WHERE environment = 'test' AND seq < 256").await, 256);
    assert_eq!(world.damages().await, [""; 0]);
}

/// A second cut while the first is there: at no moment does the log look damaged.
#[tokio::test]
async fn a_log_is_cut_again_and_again() {
    let world = World::found().await;
    world.keeps(90).await;
    assert_eq!(world.prune().await, 256);
    // The old ones of the next tile: their times are older than those that follow the cut.
    world.age(300).await;
    world.project("young").await;
    let pruner = world.pruner().await;
    let stays = pruner.prune(world.log()).await.unwrap();
    assert_eq!(stays, 0, "entries of the setting stand between: they are of today");
    assert_eq!(world.damages().await, [""; 0]);
    let listed = world.events("limit=100").await;
    assert!(listed.len() == 100 && listed.iter().all(|event| event["intact"] == true));
    let mut cursor = world.get("events?limit=100").await.json()["next_cursor"].clone();
    let mut pages = 1;
    while let Some(next) = cursor.as_str() {
        let page = world.get(&format!("events?limit=100&cursor={next}")).await.json();
        cursor = page["next_cursor"].clone();
        pages += 1;
    }
    assert!((4..=5).contains(&pages), "the list just ends: {pages}");
    assert_eq!(world.damages().await, [""; 0]);
}
