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

/// Who owns the database puts somebody's name under the number of one who is erased already: that makes no certificate.
#[tokio::test]
async fn nobody_gets_the_certificate_of_one_who_was_erased_before() {
    let app = TestApp::start().await;
    let recorder = Recorder::of(&app).await;
    let by_jane = told(&app, &recorder, "jane", "door-1").await;
    let by_bob = told(&app, &recorder, "bob", "door-1").await;
    let (janes, bobs) = (number(&app, &by_jane).await, number(&app, &by_bob).await);
    let eraser = eraser(&app).await;
    let workspace = recorder.workspace.parse().unwrap();
    eraser.subject(workspace, "jane").await.unwrap();
    // Bob's name, sealed as it is, stands under Jane's number, and one entry is hers again. Others count from 1 too.
    let owner = recorder.uuid();
    let turned = format!(
        "CREATE TEMP TABLE bob AS SELECT name_sealed, name_index FROM vault_subjects WHERE number = {bobs} AND workspace_id = '{owner}';
         UPDATE vault_subjects SET name_index = sha256('nobody') WHERE number = {bobs} AND workspace_id = '{owner}';
         UPDATE vault_subjects SET erased_at = NULL, erased_mac = NULL, name_sealed = bob.name_sealed, name_index = bob.name_index
             FROM bob WHERE number = {janes} AND workspace_id = '{owner}';
         UPDATE ledger_openings SET actor_subject = {janes} WHERE actor_subject = {bobs} AND workspace_id = '{owner}'"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(turned)).execute(&app.database.owner).await.unwrap();
    let ada = app.sign_in("acme@example.com").await;
    let path = format!("/v1/workspaces/{}/erasures", recorder.workspace);
    let body = serde_json::json!({"subject": "bob", "confirm": "bob"});
    let refused = app.post(&path, &body).bearer(&ada.access_token).send().await;
    assert_eq!(refused.problem(), (500, "internal".to_owned()));
    let refused = eraser.subject(workspace, "bob").await;
    assert!(matches!(refused, Err(EraseError::Vault(_))), "{refused:?}");
    let certificates = app.actions(Some(&recorder.workspace)).await;
    assert_eq!(certificates.iter().filter(|action| *action == "subject.erased").count(), 1, "Jane's alone");
}

/// A hold that is opened after an erasure was asked for, and before it is carried out.
#[tokio::test]
async fn what_is_held_meanwhile_is_not_erased() {
    let app = TestApp::start().await;
    let recorder = Recorder::of(&app).await;
    let by_jane = told(&app, &recorder, "jane", "door-1").await;
    let eraser = eraser(&app).await;
    let workspace = recorder.workspace.parse().unwrap();
    let dies = "CREATE FUNCTION dies() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'dies'; END $$;
        CREATE TRIGGER dies BEFORE UPDATE ON vault_subjects FOR EACH ROW EXECUTE FUNCTION dies()";
    sqlx::raw_sql(dies).execute(&app.database.owner).await.unwrap();
    eraser.subject(workspace, "jane").await.unwrap_err();
    sqlx::raw_sql("DROP TRIGGER dies ON vault_subjects").execute(&app.database.owner).await.unwrap();
    let ada = app.sign_in("acme@example.com").await;
    let path = format!("/v1/workspaces/{}/audit/legal-holds", recorder.workspace);
    let opened = app.post(&path, &serde_json::json!({"reason": "2026-0117"})).bearer(&ada.access_token).send().await;
    assert_eq!(opened.status, 201, "{}", opened.text);
    assert!(matches!(eraser.subject(workspace, "jane").await, Err(EraseError::Held(_))));
    assert_eq!(shown(&app, &recorder, &by_jane).await["actor"], "jane");
}
