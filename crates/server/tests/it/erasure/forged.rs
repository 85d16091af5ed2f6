//! Whoever writes to the database by hand has nobody erased: a puncture cannot be taken back.

use bailiwick_proof::id::EventId;
use bailiwick_server::erasure::EraseError;
use bailiwick_server::vault::Owner;

use super::{eraser, shown, told};
use crate::harness::app::TestApp;
use crate::harness::recorder::Recorder;

/// The number of whoever did this.
async fn number(app: &TestApp, event: &str) -> i64 {
    let sql = "SELECT o.actor_subject FROM ledger_entries e JOIN ledger_openings o USING (workspace_id, environment, generation, seq)
         WHERE e.event_id = $1";
    let event: EventId = event.parse().unwrap();
    sqlx::query_scalar(sql).bind(event.uuid()).fetch_one(&app.database.owner).await.unwrap()
}

#[tokio::test]
async fn nobody_is_erased_for_a_row_that_was_written_by_hand() {
    let app = TestApp::start().await;
    let recorder = Recorder::of(&app).await;
    told(&app, &recorder, "jane", "door-1").await;
    let by_bob = told(&app, &recorder, "bob", "door-1").await;
    let by_carl = told(&app, &recorder, "carl", "door-1").await;
    let eraser = eraser(&app).await;
    let workspace = recorder.workspace.parse().unwrap();
    eraser.subject(workspace, "jane").await.unwrap();
    // Bob is said to have been erased, with the MAC of the one who was.
    let said = "UPDATE vault_subjects SET name_sealed = NULL, name_index = NULL, erased_at = now(),
             erased_mac = (SELECT erased_mac FROM vault_subjects WHERE erased_mac IS NOT NULL)
         WHERE workspace_id = $1 AND number = $2";
    let said = sqlx::query(said).bind(recorder.uuid()).bind(number(&app, &by_bob).await);
    assert_eq!(said.execute(&app.database.owner).await.unwrap().rows_affected(), 1);
    // And the erasure of Jane, which is begun again, is made one of Carl.
    let turned = "UPDATE erasures SET finished_at = NULL, certificate_event = NULL, subject_number = $1";
    let turned = sqlx::query(turned).bind(number(&app, &by_carl).await);
    assert_eq!(turned.execute(&app.database.owner).await.unwrap().rows_affected(), 1);

    assert_eq!(eraser.repeat(Owner::Workspace(workspace)).await.unwrap(), 0);
    let again = eraser.subject(workspace, "jane").await;
    assert!(matches!(again, Err(EraseError::NoSuchSubject)), "{again:?}");
    let restarted = app.another_node().await;
    for (event, actor) in [(by_bob, "bob"), (by_carl, "carl")] {
        assert_eq!(shown(&restarted, &recorder, &event).await["actor"], actor);
    }
    let mut found: Vec<_> =
        eraser.vault.alerts().take().await.into_iter().map(|found| (found.what, found.of)).collect();
    found.sort_unstable();
    found.dedup();
    assert_eq!(found, [("erasure_unvouched", "erasures"), ("erasure_unvouched", "vault_subjects")]);
}
