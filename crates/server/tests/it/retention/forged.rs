//! Whoever writes to the database by hand has nothing pruned, and takes nothing away unnoticed.

use super::{World, raised};

const ALL: [&str; 0] = [];

#[tokio::test]
async fn entries_taken_away_by_hand_are_no_retention() {
    let world = World::found().await;
    let stranger = "INSERT INTO ledger_cuts (workspace_id, environment, generation, pruned_to, root, kept, newest_ms,
             event_id, cut_at, mac)
         SELECT workspace_id, environment, 1, 256, sha256('a'), sha256(''), 4000000000000, event_id, now(), '\\x00000001'::bytea || sha256('b')
         FROM ledger_entries WHERE environment = 'test' AND seq = 290";
    let gone = "DELETE FROM ledger_entries WHERE environment = 'test' AND seq < 256;
         DELETE FROM ledger_openings WHERE environment = 'test' AND seq < 256";
    let first = world.event(0).await;
    world.sql(gone).await;
    assert_eq!(world.damages().await, ["entry 0 is missing: the next that is there is 256"]);
    assert_eq!(world.get(&format!("events/{first}")).await.problem(), (409, "ledger_mismatch".to_owned()));
    assert_eq!(world.get("log/tile/entries/000").await.problem(), (409, "ledger_mismatch".to_owned()));
    world.sql(stranger).await;
    assert_eq!(world.damages().await, ["entry 0 is missing: the next that is there is 256"], "a cut of nobody's");
    assert_eq!(world.get("log/tile/entries/000").await.problem(), (409, "ledger_mismatch".to_owned()));
    // And an entry that says so, by the sequencer's own hand.
    world
        .sql(
            "INSERT INTO ledger_staged (workspace_id, environment, event_id, action, actor, target, recorded_by, meta, trace_id,
                 request_id, staged_at)
             SELECT workspace_id, environment, gen_random_uuid(), 'retention.pruned', 'system', '', 'system',
                 '{\"to\": 256}', repeat('0', 32), gen_random_uuid(), now() FROM ledger_cuts",
        )
        .await;
    world.app.numbered().await;
    world
        .sql(
            "UPDATE ledger_cuts SET event_id = (SELECT event_id FROM ledger_entries WHERE action = 'retention.pruned')",
        )
        .await;
    assert_eq!(world.damages().await, ["entry 0 is missing: the next that is there is 256"]);
}

#[tokio::test]
async fn more_than_was_pruned_is_missed_and_what_stays_is_held() {
    let world = World::found().await;
    world.keeps(90).await;
    assert_eq!(world.prune().await, 256);
    for (harm, undo, found) in [
        ("UPDATE ledger_cuts SET pruned_to = 512", "UPDATE ledger_cuts SET pruned_to = 256", "entry 0 is missing"),
        ("UPDATE ledger_cuts SET kept = sha256('x')", "UPDATE ledger_cuts SET kept = sha256('')", "entry 0 is missing"),
        (
            "CREATE TABLE certificate AS SELECT * FROM ledger_entries WHERE action = 'retention.pruned';
             UPDATE ledger_entries SET event_id = gen_random_uuid() WHERE action = 'retention.pruned'",
            "UPDATE ledger_entries e SET event_id = c.event_id FROM certificate c WHERE e.seq = c.seq AND e.environment = 'test'",
            "is found under the id of another event",
        ),
        (
            "UPDATE ledger_hashes SET hashes = overlay(hashes placing sha256('x') from 1) WHERE environment = 'test' AND tile_level = 0 AND start = 0",
            "",
            "root",
        ),
    ] {
        assert_eq!(world.damages().await, ALL, "before {harm}");
        world.sql(harm).await;
        let damages = world.damages().await;
        assert!(damages.iter().any(|what| what.contains(found)), "{harm}: {damages:?}");
        if !undo.is_empty() {
            world.sql(undo).await;
        }
    }
}

#[tokio::test]
async fn a_forged_setting_prunes_nothing() {
    let world = World::found().await;
    let pruner = world.pruner().await;
    for forged in [
        "INSERT INTO ledger_retention (workspace_id, environment, version, days, changed_at, mac)
         SELECT workspace_id, 'test', 1, 30, now(), '\\x00000001'::bytea || sha256('b') FROM workspaces",
        "UPDATE ledger_retention SET mac = ''",
    ] {
        world.sql(forged).await;
        assert_eq!(pruner.prune(world.log()).await.unwrap(), 0);
        assert_eq!(world.retention().await["due"]["stopped_by"], "altered");
    }
    let found = raised(&pruner).await;
    assert!(found.contains(&("retention_unvouched", "ledger_retention")), "{found:?}");
    assert_eq!(world.set(Some(90)).await.problem(), (409, "retention_altered".to_owned()));
    world.sql("DELETE FROM ledger_retention").await;
    world.set(Some(365)).await;
    for moved in [
        "days = 30, next_days = NULL, effective_at = NULL",
        "effective_at = now() - interval '1 day'",
        "next_days = 30",
    ] {
        let copy = "CREATE TABLE before AS TABLE ledger_retention";
        world.sql(copy).await;
        world.sql(&format!("UPDATE ledger_retention SET {moved}")).await;
        assert_eq!(pruner.prune(world.log()).await.unwrap(), 0, "{moved}");
        assert_eq!(world.retention().await["intact"], false, "{moved}");
        world
            .sql("DELETE FROM ledger_retention; INSERT INTO ledger_retention SELECT * FROM before; DROP TABLE before")
            .await;
        assert_eq!(world.retention().await["intact"], true, "{moved}");
    }
    assert_eq!(world.entries().await, 301);
}

#[tokio::test]
async fn a_hold_that_was_deleted_or_rolled_back_holds_on() {
    let world = World::found().await;
    world.keeps(90).await;
    world.sql("CREATE TABLE before AS TABLE ledger_retention").await;
    let hold = world.hold("2026-0117").await;
    world
        .sql(
            "CREATE TABLE after AS TABLE ledger_retention; CREATE TABLE held AS TABLE legal_holds;
             CREATE TABLE said AS SELECT workspace_id, environment, seq, rows FROM ledger_openings",
        )
        .await;
    for (harm, intact) in [
        ("DELETE FROM legal_holds", false),
        ("UPDATE legal_holds SET released_at = now(), released_by = 'usr_x'", false),
        // The setting of before the hold, which was vouched for once.
        (
            "DELETE FROM legal_holds; DELETE FROM ledger_retention; INSERT INTO ledger_retention SELECT * FROM before",
            true,
        ),
        // The same, and the entry of the hold does not say any more what it changed.
        (
            "DELETE FROM legal_holds; DELETE FROM ledger_retention; INSERT INTO ledger_retention SELECT * FROM before;
             UPDATE ledger_openings o SET rows = NULL FROM ledger_entries e WHERE e.action = 'legal_hold.opened' AND o.seq = e.seq
                 AND o.environment = e.environment AND o.workspace_id = e.workspace_id",
            true,
        ),
    ] {
        // Each raises what it finds anew.
        let pruner = world.pruner().await;
        world.sql(harm).await;
        assert_eq!(world.retention().await["intact"], intact, "{harm}");
        assert_eq!(pruner.prune(world.log()).await.unwrap(), 0, "{harm}");
        let found = raised(&pruner).await;
        assert!(found.contains(&("retention_unvouched", "ledger_retention")), "{harm}: {found:?}");
        assert_eq!(world.set(Some(30)).await.problem(), (409, "retention_altered".to_owned()), "{harm}");
        let back = "DELETE FROM ledger_retention; INSERT INTO ledger_retention SELECT * FROM after;
             DELETE FROM legal_holds; INSERT INTO legal_holds SELECT * FROM held;
             UPDATE ledger_openings o SET rows = s.rows FROM said s
                 WHERE o.seq = s.seq AND o.environment = s.environment AND o.workspace_id = s.workspace_id";
        world.sql(back).await;
    }
    assert_eq!(world.entries().await, 302);
    assert_eq!(world.release(&hold).await.status, 200);
    assert_eq!(world.prune().await, 256);
    // Another hold vouches for what stands there, and forgets the setting.
    world.sql("UPDATE ledger_retention SET days = 31, next_days = NULL, effective_at = NULL").await;
    world.hold("mends").await;
    let mended = world.retention().await;
    assert_eq!((&mended["intact"], &mended["days"]), (&true.into(), &serde_json::Value::Null));
}

/// A log that is not what was recorded loses nothing: nobody could find that out afterwards.
#[tokio::test]
async fn nothing_goes_out_of_a_log_that_was_altered() {
    let world = World::found().await;
    world.keeps(90).await;
    world.sql("UPDATE ledger_entries SET action = 'invoice.lost' WHERE environment = 'test' AND seq = 100").await;
    let pruner = world.pruner().await;
    assert_eq!(pruner.prune(world.log()).await.unwrap(), 0);
    assert!(raised(&pruner).await.contains(&("retention_log_altered", "ledger_entries")));
    assert_eq!(world.entries().await, 301);
}
