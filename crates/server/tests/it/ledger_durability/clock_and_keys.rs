//! A clock that runs backwards, and keys that are rotated.

use bailiwick_proof::checkpoint::SignedCheckpoint;
use bailiwick_proof::receipt::Receipt;
use nix::sys::signal::Signal;
use sqlx::PgPool;

use crate::harness::app::TestApp;
use crate::harness::ledger::{report, report_on, verify};
use crate::harness::process::{DevHome, bailiwickd};
use crate::harness::recorder::Recorder;

#[tokio::test]
async fn a_clock_that_runs_backwards_is_told_and_stops_nothing() {
    let app = TestApp::start().await;
    let recorder = Recorder::of(&app).await;
    let before = recorder.record("before").await;
    let kept = recorder.checkpoint().await;
    app.advance(time::Duration::hours(-1));
    let behind = recorder.record("behind").await;
    let kept = recorder.extends(&kept).await;
    assert_eq!((behind.seq, kept.unverified().size), (before.seq + 1, before.seq + 2));
    app.advance(time::Duration::hours(-1));
    let further = recorder.record("further-behind").await;
    app.advance(time::Duration::hours(2));
    let after = recorder.record("after").await;
    assert_eq!((further.seq, after.seq), (before.seq + 2, before.seq + 3));
    recorder.extends(&kept).await;
    for event in [&before, &behind, &further, &after] {
        let receipt: Receipt = recorder.receipt(event).await.text.parse().unwrap();
        assert_eq!(receipt.verify(&recorder.keys().await).unwrap().entry.seq, event.seq);
    }

    let log = report_on(&app, &recorder.workspace).await;
    let (times, furthest_ms) = log.clock_went_back;
    assert!(log.damages.is_empty() && times == 2, "{log:?}");
    assert!((7_190_000..=7_200_000).contains(&furthest_ms), "{furthest_ms}");
    assert!(report(&app).await.is_good());
}

#[tokio::test]
async fn rotated_keys_verify_old_and_new() {
    let home = DevHome::temporary();
    let server = home.start().await;
    let recorder = Recorder::on(&server).await;
    let event = recorder.record("before").await;
    let old_receipt: Receipt = recorder.receipt(&event).await.text.parse().unwrap();
    let old_checkpoint = recorder.checkpoint().await;
    let origin = &old_checkpoint.unverified().origin;
    let [old_key] = live(&recorder, origin).await.try_into().unwrap();

    let mut rotate = bailiwickd(["rotate", "ledger-key", "--workspace", &recorder.workspace, "--data-dir"]);
    let output = rotate.arg(&home.dir).output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let vkey = String::from_utf8(output.stdout).unwrap().trim_end().to_owned();
    assert_ne!(vkey, old_key.to_string());
    let keys = live(&recorder, origin).await;
    assert_eq!(keys.iter().map(ToString::to_string).collect::<Vec<_>>(), [vkey, old_key.to_string()], "in the JWKS");
    let [new_key, _] = keys.try_into().unwrap();
    let (old, new) = (std::slice::from_ref(&old_key), std::slice::from_ref(&new_key));

    old_receipt.verify(old).unwrap();
    assert!(old_receipt.verify(new).is_err(), "it was not signed by the new key");
    let rotation = recorder.get("/audit/events?action=ledger.key_rotated").await.json();
    assert_eq!(rotation["data"].as_array().unwrap().len(), 1, "{rotation}");
    assert_eq!(
        (&rotation["data"][0]["seq"], &rotation["data"][0]["actor"]),
        (&(event.seq + 1).into(), &"system".into())
    );
    assert_eq!(rotation["data"][0]["meta"]["vkey"], new_key.to_string(), "{rotation}");

    let after = recorder.record("after").await;
    let checkpoint = recorder.extends(&old_checkpoint).await;
    assert_eq!(checkpoint.verify(old).unwrap(), checkpoint.verify(new).unwrap());
    let receipt: Receipt = recorder.receipt(&after).await.text.parse().unwrap();
    assert_eq!(receipt.verify(old).unwrap(), receipt.verify(new).unwrap());
    let signed: &SignedCheckpoint = &receipt.checkpoint;
    assert_eq!(signed.verify(&[new_key.clone(), old_key.clone()]).unwrap().origin, *origin);

    // A failed rotation leaves both as they were: there is no such log.
    let stranger = "ws_01h455vb4pex5vsknk084sn02q";
    let mut rotate = bailiwickd(["rotate", "ledger-key", "--workspace", stranger, "--data-dir"]);
    let output = rotate.arg(&home.dir).output().await.unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let pool = PgPool::connect_lazy(&home.read("postgres.url")).unwrap();
    let keys: i64 =
        sqlx::query_scalar("SELECT count(*) FROM ledger_keys WHERE workspace_id = $1 AND environment = 'live'")
            .bind(recorder.uuid())
            .fetch_one(&pool)
            .await
            .unwrap();
    assert_eq!(keys, 2);
    pool.close().await;
    let (code, told) = verify(&home).await;
    assert_eq!(code, 0, "on a running server: {told}");
    server.stop(Signal::SIGTERM).await;
}

/// The keys of the live log.
async fn live(recorder: &Recorder, origin: &str) -> Vec<bailiwick_proof::note::VerifierKey> {
    recorder.keys().await.into_iter().filter(|key| key.name() == origin).collect()
}
