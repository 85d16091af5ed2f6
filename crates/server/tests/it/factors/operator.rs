//! `bailiwickd factors reset`: for somebody who has lost everything.

use secrecy::ExposeSecret as _;
use tokio::process::Command;

use super::{ADA, equip, first_step, is_known_to_the_ledger, listed, mailed, recover, standing};
use crate::harness::app::TestApp;
use crate::harness::process::{bailiwickd, output};

pub(super) fn reset(app: &TestApp, email: &str, reason: &str) -> Command {
    let (database, mut command) =
        (&app.database, bailiwickd(["factors", "reset", "--user", email, "--reason", reason]));
    command
        .env("BAILIWICK_DATABASE_RUNTIME_URL", database.urls.runtime.expose_secret())
        .env("BAILIWICK_DATABASE_SYSTEM_URL", database.urls.system.expose_secret())
        .envs(database.anchor_variables())
        .env("BAILIWICK_VAULT_KEK", "local")
        .env("BAILIWICK_VAULT_KEK_FILE", &database.kek_file);
    command
}

#[tokio::test]
async fn an_operator_takes_the_factors_of_somebody_away_who_has_lost_them() {
    let app = TestApp::start().await;
    let ada = equip(&app, &app.sign_in(ADA).await).await;
    let owed = first_step(&app, ADA).await;
    for (email, reason, told) in
        [(ADA, " ", "1 to 500 characters"), ("nobody@example.com", "x", "nobody has the address")]
    {
        let refused = output(&mut reset(&app, email, reason)).await;
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && said.contains(told), "{said}");
    }
    assert_eq!(standing(&app, &ada.person).await, "in");
    let done = output(&mut reset(&app, "Ada@Example.com", "Called back, ticket 4712")).await;
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success() && said.contains("1 authenticators and 0 passkeys"), "{said}");
    // At once: the command has waited for the nodes.
    assert_eq!(standing(&app, &ada.person).await, "session_ended");
    assert_eq!(recover(&app, &owed, &ada.codes[0]).await.status, 403, "and what was begun comes to nothing");
    assert_eq!(mailed(&app, ADA, "factors were taken away", 1).await, 1);
    let person = app.sign_in(ADA).await;
    let none = listed(&app, &person).await;
    assert_eq!(
        (&none["authenticators"], &none["recovery_codes_left"]),
        (&serde_json::json!([]), &serde_json::json!(0))
    );
    assert_eq!(app.actions(None).await.iter().filter(|action| *action == "factor.reset").count(), 1);
    is_known_to_the_ledger(&app).await;
}
