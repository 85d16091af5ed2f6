//! Whoever owns the database, and reads the mail too, gets past no factor.

use bailiwick_server::account::operator;
use bailiwick_server::clock::Clock;
use bailiwick_server::entropy::Entropy;
use reqwest::Method;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::operator::reset;
use super::{ADA, STEP, equip, equip_as, first_step, listed, look, pass, recover};
use crate::harness::app::TestApp;
use crate::harness::cluster::options;
use crate::harness::process::output;

/// Somebody with all rights on the database, and none of the keys.
pub(super) struct Intruder(PgConnection);

impl Intruder {
    pub(super) async fn at(app: &TestApp) -> Self {
        let mut connection = PgConnection::connect_with(&options(&app.database.superuser_url)).await.unwrap();
        // No trigger tells of what they do.
        sqlx::raw_sql("SET session_replication_role = replica").execute(&mut connection).await.unwrap();
        Self(connection)
    }

    pub(super) async fn does(&mut self, sql: &str) {
        let done = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut self.0).await;
        done.unwrap_or_else(|error| panic!("{error}: {sql}"));
    }

    pub(super) async fn keeps(&mut self, table: &str) {
        self.does(&format!(
            "DROP TABLE IF EXISTS kept_{table}; CREATE TEMP TABLE kept_{table} AS SELECT * FROM {table}"
        ))
        .await;
    }

    pub(super) async fn puts_back(&mut self, table: &str) {
        self.does(&format!("DELETE FROM {table}; INSERT INTO {table} SELECT * FROM kept_{table}")).await;
    }
}

const HERS: &str = "(SELECT id FROM users WHERE email_key = 'ada@example.com')";

#[tokio::test]
async fn who_owns_the_database_and_reads_the_mail_gets_past_no_factor() {
    let app = TestApp::start().await;
    let ada = equip(&app, &app.sign_in(ADA).await).await;
    let mallory = equip(&app, &app.sign_in("mallory@example.com").await).await;
    let mut intruder = Intruder::at(&app).await;
    let failed = (403, "factor_failed".to_owned());

    // That she has a factor is taken off her row: then nothing signs her in. Every other row that says so: she owes it all the same.
    intruder.keeps("users").await;
    intruder.does("UPDATE users SET strong_since = NULL WHERE email_key = 'ada@example.com'").await;
    assert_eq!(app.show_mail(ADA).await.problem(), (401, "sign_in_failed".into()));
    intruder.puts_back("users").await;
    for table in ["authenticators", "factor_holders"] {
        intruder.keeps(table).await;
        intruder.does(&format!("DELETE FROM {table}")).await;
    }
    assert_eq!(pass(&app, &first_step(&app, ADA).await, &ada.otp.at(app.now() + STEP)).await.problem(), failed);
    intruder.puts_back("authenticators").await;
    intruder.puts_back("factor_holders").await;

    // The intruder's own authenticator becomes hers; hers takes codes that were used.
    app.advance(STEP * 4);
    intruder.does(&format!("UPDATE authenticators SET user_id = {HERS}")).await;
    assert_eq!(pass(&app, &first_step(&app, ADA).await, &mallory.otp.at(app.now())).await.problem(), failed);
    intruder.puts_back("authenticators").await;
    intruder
        .does("UPDATE authenticators a SET secret_sealed = m.secret_sealed FROM authenticators m WHERE m.id <> a.id")
        .await;
    let swapped = pass(&app, &first_step(&app, ADA).await, &mallory.otp.at(app.now())).await;
    assert!(!swapped.status.is_success(), "a secret is sealed to its row: {}", swapped.text);
    intruder.puts_back("authenticators").await;
    let code = ada.otp.at(app.now());
    assert_eq!(pass(&app, &first_step(&app, ADA).await, &code).await.status, 200);
    intruder.keeps("authenticators").await;
    intruder.does("UPDATE authenticators SET last_step = 0").await;
    assert_eq!(pass(&app, &first_step(&app, ADA).await, &code).await.problem(), failed);
    intruder.puts_back("authenticators").await;

    // Recovery codes of the intruder's become hers.
    intruder.keeps("factor_holders").await;
    intruder
        .does("UPDATE factor_holders h SET recovery_codes = m.recovery_codes FROM factor_holders m WHERE m.user_id <> h.user_id")
        .await;
    assert_eq!(recover(&app, &first_step(&app, ADA).await, &mallory.codes[0]).await.problem(), failed);
    intruder.puts_back("factor_holders").await;

    // A second step of the intruder's becomes hers; one of hers is tried without end.
    let token = first_step(&app, "mallory@example.com").await;
    intruder.keeps("second_steps").await;
    intruder.does(&format!("UPDATE second_steps SET user_id = {HERS} WHERE ended_at IS NULL")).await;
    assert_eq!(recover(&app, &token, &ada.codes[9]).await.problem(), failed, "not even by a code of hers");
    intruder.puts_back("second_steps").await;
    let token = first_step(&app, ADA).await;
    assert_eq!(recover(&app, &token, &mallory.codes[0]).await.problem(), failed);
    intruder.does("UPDATE second_steps SET tries = 0").await;
    assert_eq!(recover(&app, &token, &ada.codes[9]).await.problem(), failed);

    // What stood there before, vouched for at that time, is found by the log, and grants nothing from then on.
    intruder.keeps("factor_holders").await;
    assert_eq!(recover(&app, &first_step(&app, ADA).await, &ada.codes[0]).await.status, 200);
    intruder.puts_back("factor_holders").await;
    let found = look(&app).await;
    assert!(found.fenced > 0, "{found:?}");
    assert_eq!(recover(&app, &first_step(&app, ADA).await, &ada.codes[0]).await.problem(), failed);
}

#[tokio::test]
async fn a_row_that_is_put_back_for_a_moment_is_found_by_what_was_made_of_it() {
    let app = TestApp::start().await;
    let ada = app.sign_in(ADA).await;
    app.sign_in("bob@example.com").await;
    let mut intruder = Intruder::at(&app).await;
    intruder.keeps("users").await;
    let ada = equip(&app, &ada).await;
    intruder.does("CREATE TEMP TABLE backup AS SELECT * FROM users").await;
    assert_eq!(look(&app).await.fenced, 0);
    // As if she had never had a factor: the mail alone signs in on a node that knows nothing by heart, and adds the intruder's own.
    intruder.puts_back("users").await;
    let cold = app.another_node().await;
    let theirs = equip_as(&cold, &cold.sign_in(ADA).await, "Tablet").await;
    assert_eq!(pass(&cold, &first_step(&cold, ADA).await, &theirs.otp.at(app.now() + STEP)).await.status, 200);
    let found = look(&app).await;
    // The server itself may have looked before.
    assert_eq!((found.fenced + found.unvouched, found.gone), (1, 0), "{found:?}");
    // Nobody is her until somebody has looked at it; everybody else is who they were.
    for node in [&app, &cold] {
        assert_eq!(node.show_mail(ADA).await.problem(), (401, "sign_in_failed".into()));
        assert_eq!(node.get("/v1/workspaces").bearer(&theirs.person.access_token).send().await.status, 401);
        assert_eq!(node.show_mail("bob@example.com").await.status, 200);
    }
    assert_eq!(app.get("/v1/workspaces").bearer(&ada.person.access_token).send().await.status, 401);
    assert_eq!(look(&app).await.fenced, 0, "once");

    // As the runbook has it: her row as it was last, a number of its own, and away with what was added in between.
    let hers = "email_key = 'ada@example.com'";
    intruder
        .does(&format!("DELETE FROM users WHERE {hers}; INSERT INTO users SELECT * FROM backup WHERE {hers}"))
        .await;
    let (notary, clock, entropy) = (app.notary().await, Clock::system(), Entropy::system());
    let (desk, who) =
        (operator::Desk { db: &app.db, notary: &notary, clock: &clock, entropy: &entropy }, ADA.parse().unwrap());
    operator::suspend(&desk, &who, "Her row was put back, ticket 4713").await.unwrap();
    operator::restore(&desk, &who, "Her row is hers again").await.unwrap();
    let done = output(&mut reset(&app, ADA, "Somebody added one, ticket 4713")).await;
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let person = cold.sign_in(ADA).await;
    assert_eq!(listed(&cold, &person).await["authenticators"], json!([]));
    for who in [&ada, &theirs] {
        assert_eq!(app.get("/v1/workspaces").bearer(&who.person.access_token).send().await.status, 401);
    }
    let found = look(&app).await;
    assert_eq!((found.fenced, found.unvouched, found.gone), (0, 0, 0), "{found:?}");
}

#[tokio::test]
async fn what_a_workspace_demands_is_taken_off_no_membership_and_no_session_is_made_strong() {
    let app = TestApp::start().await;
    let (ada, workspace) = app.founder(ADA, "acme").await;
    let bob = app.join(&workspace, "bob@example.com", "developer").await;
    let ada = equip(&app, &ada).await;
    let path = format!("/v1/workspaces/{workspace}/security");
    let demand = async |demanded: bool| {
        let call =
            app.call(Method::PATCH, &path).json(&json!({"require_mfa": demanded})).bearer(&ada.person.access_token);
        let demand = call.send().await;
        assert_eq!((demand.status.as_u16(), &demand.json()["require_mfa"]), (200, &json!(demanded)), "{}", demand.text);
    };
    let mut intruder = Intruder::at(&app).await;
    let members = format!("/v1/workspaces/{workspace}/members");
    let wanted = (403, "mfa_required".to_owned());

    // His membership is out of the way when it is said, and put back afterwards; and one that nobody vouches for says so already.
    let his = "user_id = (SELECT id FROM users WHERE email_key = 'bob@example.com')";
    for aside in ["ended_at = now()", "strong_only = true"] {
        intruder.keeps("memberships").await;
        intruder.keeps("workspaces").await;
        intruder.does(&format!("UPDATE memberships SET {aside} WHERE {his}")).await;
        demand(true).await;
        intruder
            .does(&format!("DELETE FROM memberships WHERE {his}; INSERT INTO memberships SELECT * FROM kept_memberships WHERE {his}"))
            .await;
        assert_eq!(app.get(&members).bearer(&bob.access_token).send().await.problem(), wanted, "{aside}");
        if aside.starts_with("ended") {
            demand(false).await;
            assert_eq!(app.get(&members).bearer(&bob.access_token).send().await.status, 200, "and not for ever");
        }
    }
    // That the workspace demands nothing, nobody believes its row; an older one of it is found.
    intruder.does("UPDATE workspaces SET strong_only = false").await;
    let cold = app.another_node().await;
    let there = cold.sign_in("bob@example.com").await;
    assert_eq!(cold.get(&members).bearer(&there.access_token).send().await.problem(), wanted);
    intruder
        .does("UPDATE workspaces w SET strong_only = k.strong_only, version = k.version, mac = k.mac FROM kept_workspaces k")
        .await;
    let found = look(&app).await;
    assert_eq!(found.fenced + found.unvouched, 1, "{found:?}");
    assert_eq!(cold.get(&members).bearer(&there.access_token).send().await.problem(), wanted);
    demand(true).await;
    let found = look(&app).await;
    assert_eq!((found.fenced, found.unvouched, found.gone), (0, 0, 0), "{found:?}");
    intruder.keeps("sessions").await;
    intruder.does("UPDATE sessions SET strong = true; UPDATE memberships SET strong_only = false").await;
    // A node that knows nothing by heart.
    let cold = app.another_node().await;
    let his = cold.sign_in("bob@example.com").await;
    assert_eq!(cold.get(&members).bearer(&his.access_token).send().await.problem(), (404, "not_found".into()));
    intruder.does("UPDATE sessions SET strong = true").await;
    let cold = app.another_node().await;
    let his = cold.post("/auth/refresh", &json!({"refresh_token": his.refresh_token})).send().await;
    assert_eq!(his.problem(), (401, "refresh_token_invalid".into()), "nobody vouches for that session");
}
