//! The server's own secrets rotate by one command each, beside running servers, and leave a receipt.

mod internal_key;
mod mail;
mod token_key;

use bailiwick_server::config::Pooler;
use secrecy::ExposeSecret as _;
use tokio::process::Command;

use crate::harness::app::TestApp;
use crate::harness::cluster::TestDatabase;
use crate::harness::process::{bailiwickd, output};

/// `bailiwickd rotate` on this cell.
fn rotate(database: &TestDatabase, arguments: &[&str]) -> Command {
    let mut command = bailiwickd(["rotate"]);
    command
        .args(arguments)
        .env("BAILIWICK_DATABASE_RUNTIME_URL", database.urls.runtime.expose_secret())
        .env("BAILIWICK_DATABASE_SYSTEM_URL", database.urls.system.expose_secret())
        .envs(database.anchor_variables())
        .env("BAILIWICK_VAULT_KEK", "local")
        .env("BAILIWICK_VAULT_KEK_FILE", &database.kek_file);
    command
}

/// What it printed and what it said, when it went well.
async fn rotated(command: &mut Command) -> (String, String) {
    let done = output(command).await;
    let said = String::from_utf8(done.stderr).unwrap();
    assert!(done.status.success(), "{said}");
    (String::from_utf8(done.stdout).unwrap().trim_end().to_owned(), said)
}

/// The ids and actions of the cell's entries about the server's own secrets.
async fn receipts(app: &TestApp) -> Vec<(String, String)> {
    app.numbered().await;
    let rows: Vec<(uuid::Uuid, String)> = sqlx::query_as(
        "SELECT event_id, action FROM ledger_entries WHERE workspace_id = '00000000-0000-0000-0000-000000000000'
           AND action LIKE 'operator.%' ORDER BY seq",
    )
    .fetch_all(&app.database.owner)
    .await
    .unwrap();
    let id = |uuid| bailiwick_proof::id::EventId::from_uuid(uuid).to_string();
    rows.into_iter().map(|(event, action)| (id(event), action)).collect()
}

/// A handle to the cell's database.
fn handle(database: &TestDatabase) -> bailiwick_server::db::Db {
    bailiwick_server::db::Db::connect(&database.urls.runtime, &database.urls.system, 2, Pooler::None).unwrap()
}
