//! A bucket that is away, slow, full, closed, or not what it was.

use std::fs;

use bailiwick_server::clock::Clock;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{World, check, wanted};
use crate::harness::bucket::Behaviour;

#[tokio::test]
async fn whatever_passes_is_told_and_tried_again_and_nothing_is_lost() {
    let world = World::found().await;
    world.recorder.batch("events", 300).await;
    world.store.behave(Behaviour::Away);
    world.set().await;
    let away = world.fault("bucket_busy").await;
    assert_eq!((&away["state"], &away["written_size"]), (&json!("retrying"), &json!(0)), "{away}");
    assert!(away["next_try_at"].is_string() && !away["fault"]["advice"].as_str().unwrap().is_empty(), "{away}");
    world.store.behave(Behaviour::Full);
    world.fault("bucket_full").await;
    world.store.behave(Behaviour::Hanging);
    world.fault("bucket_away").await;
    world.store.behave(Behaviour::LosingAnAnswer);
    let stream = world.caught_up(302).await;
    assert_eq!((&stream["state"], &stream["fault"]), (&json!("following"), &Value::Null), "{stream}");
    let checked = check(&world.folder().await, &["--key", &world.key().await]).await;
    assert_eq!(checked.code, 0, "{}{}", checked.stdout, checked.stderr);
    let mut once = world.store.written();
    once.retain(|name| name.contains("/tile/"));
    let count = once.len();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), count, "an object was written twice");
}

/// One that takes a checkpoint and then has none would be filled from the beginning for ever.
#[tokio::test]
async fn a_bucket_that_forgets_is_left_alone() {
    let world = World::found().await;
    world.store.behave(Behaviour::Forgetful);
    world.set().await;
    let unfit = world.fault("bucket_unfit").await;
    assert_eq!(unfit["state"], "retrying", "{unfit}");
    let checkpoints = || world.store.written().iter().filter(|name| name.ends_with("/checkpoint")).count();
    assert!(checkpoints() <= 2, "{:?}", world.store.written());
    world.store.behave(Behaviour::Serving);
    world.set().await;
    world.caught_up(2).await;
}

#[tokio::test]
async fn a_key_that_is_refused_is_told_and_the_next_one_serves() {
    let world = World::found().await;
    let mut wrong = wanted(&world.store, "logs");
    wrong["secret_access_key"] = json!("the-key-of-somebody-elses-bucket");
    assert_eq!(world.put(&wrong).await.status, 200);
    let refused = world.fault("access_refused").await;
    let next = OffsetDateTime::parse(refused["next_try_at"].as_str().unwrap(), &Rfc3339).unwrap();
    assert!((50..=60).contains(&(next - Clock::system().now()).whole_minutes()), "{refused}");
    world.set().await;
    world.caught_up(2).await;
}

#[tokio::test]
async fn what_was_altered_in_the_bucket_is_found_and_never_written_over() {
    let world = World::found().await;
    world.recorder.batch("events", 300).await;
    world.set().await;
    world.caught_up(302).await;
    let (folder, key) = (world.folder().await, world.key().await);
    let bundle = folder.join("tile/entries/000");
    let mut bytes = fs::read(&bundle).unwrap();
    let at = bytes.windows(9).rposition(|window| window == b"\"seq\":200").map_or(bytes.len() / 2, |at| at);
    bytes[at + 6] = b'9';
    fs::write(&bundle, &bytes).unwrap();
    let checked = check(&folder, &["--key", &key]).await;
    assert_eq!(checked.code, 6, "{}{}", checked.stdout, checked.stderr);
    let verdict: Value = serde_json::from_str(&checked.stdout).unwrap();
    assert_eq!((&verdict["verified"], &verdict["seq"]), (&json!(false), &json!(200)), "{verdict}");

    // Without its checkpoint the bucket is looked through from the beginning.
    fs::remove_file(folder.join("checkpoint")).unwrap();
    world.set().await;
    let stopped = world.fault("stream_conflict").await;
    assert_eq!((&stopped["state"], &stopped["next_try_at"]), (&json!("stopped"), &Value::Null), "{stopped}");
    assert!(stopped["fault"]["object"].as_str().unwrap().ends_with("tile/entries/000"), "{stopped}");
    assert_eq!(fs::read(&bundle).unwrap(), bytes);
    assert!(!folder.join("checkpoint").exists());
    let actions = world.app.actions(Some(&world.recorder.workspace)).await;
    assert_eq!(actions.iter().filter(|action| *action == "audit.stream_stopped").count(), 1);

    // What was taken away is missed, whatever it is.
    assert_eq!(world.put(&wanted(&world.store, "anew")).await.status, 200);
    world.caught_up(302).await;
    let anew = world.folder().await;
    for (object, code) in [("tile/1/000.p/1", "missing"), ("tile/entries/000", "missing")] {
        let (path, aside) = (anew.join(object), anew.join("aside"));
        fs::rename(&path, &aside).unwrap();
        let checked = check(&anew, &["--key", &key]).await;
        let verdict: Value = serde_json::from_str(&checked.stdout).unwrap_or_default();
        assert_eq!((checked.code, &verdict["code"]), (6, &json!(code)), "{object} {}", checked.stderr);
        fs::rename(&aside, &path).unwrap();
    }
    let hashes = anew.join("tile/1/000.p/1");
    fs::write(&hashes, [7; 32]).unwrap();
    let checked = check(&anew, &["--key", &key]).await;
    assert!(checked.code == 6 && checked.stdout.contains("other_tile"), "{}{}", checked.stdout, checked.stderr);
}

#[tokio::test]
async fn a_bucket_that_is_ahead_of_its_log_stops_the_stream() {
    let world = World::found().await;
    world.set().await;
    world.caught_up(2).await;
    let folder = world.folder().await;
    let note = fs::read_to_string(folder.join("checkpoint")).unwrap();
    let mut lines: Vec<&str> = note.lines().collect();
    lines[1] = "900000";
    fs::write(folder.join("checkpoint"), format!("{}\n", lines.join("\n"))).unwrap();
    world.set().await;
    let stopped = world.fault("stream_conflict").await;
    assert!(stopped["fault"]["object"].as_str().unwrap().ends_with("/checkpoint"), "{stopped}");
}
