//! The schema is held against what the anchor store has of it.

use bailiwick_server::anchor::AnchorStore;
use bailiwick_server::clock::Clock;
use bailiwick_server::entropy::Entropy;
use bailiwick_server::schema_watch::{SchemaWatch, Standing};
use bailiwick_server::vault::Alerts;
use bailiwick_server::{housekeeping, ledger};
use secrecy::ExposeSecret as _;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::harness::app::TestApp;
use crate::harness::cluster::options;
use crate::harness::process::{bailiwickd, output, until};

/// One that looks when it is asked to, beside the server's own.
pub async fn watch(app: &TestApp) -> SchemaWatch {
    let (clock, entropy) = (Clock::system(), Entropy::system());
    let anchor = AnchorStore::open(&app.database.anchor(), &entropy).await.unwrap();
    let cell = ledger::establish(&app.db, &clock, &entropy, None, "").await.unwrap().id;
    SchemaWatch::new(app.db.clone(), anchor, cell, Alerts::default())
}

async fn superuser(app: &TestApp) -> PgConnection {
    PgConnection::connect_with(&options(&app.database.superuser_url)).await.unwrap()
}

async fn does(connection: &mut PgConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(connection)
        .await
        .unwrap_or_else(|error| panic!("{error}: {sql}"));
}

/// What takes a wall away or looks behind it, what undoes that, and which part tells.
const ALTERATIONS: [(&str, &str, &[&str]); 12] = [
    (
        "ALTER TABLE api_keys DISABLE TRIGGER note_change",
        "ALTER TABLE api_keys ENABLE TRIGGER note_change",
        &["triggers"],
    ),
    (
        "CREATE POLICY hide ON ledger_heads AS RESTRICTIVE FOR SELECT TO bailiwick_system USING (false)",
        "DROP POLICY hide ON ledger_heads",
        &["policies"],
    ),
    (
        "CREATE TRIGGER mute BEFORE UPDATE ON ledger_staged FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        "DROP TRIGGER mute ON ledger_staged",
        &["triggers"],
    ),
    (
        "CREATE RULE mute AS ON INSERT TO ledger_staged DO INSTEAD NOTHING",
        "DROP RULE mute ON ledger_staged",
        &["rules"],
    ),
    (
        "ALTER TABLE sessions RENAME CONSTRAINT sessions_finite TO sessions_endless",
        "ALTER TABLE sessions RENAME CONSTRAINT sessions_endless TO sessions_finite",
        &["constraints"],
    ),
    ("ALTER TABLE api_keys NO FORCE ROW LEVEL SECURITY", "ALTER TABLE api_keys FORCE ROW LEVEL SECURITY", &["tables"]),
    ("ALTER TABLE api_keys DISABLE ROW LEVEL SECURITY", "ALTER TABLE api_keys ENABLE ROW LEVEL SECURITY", &["tables"]),
    ("GRANT DELETE ON users TO bailiwick_runtime", "REVOKE DELETE ON users FROM bailiwick_runtime", &["tables"]),
    ("ALTER TABLE users ALTER email SET DEFAULT 'x@y'", "ALTER TABLE users ALTER email DROP DEFAULT", &["columns"]),
    ("ALTER FUNCTION note_change() SECURITY DEFINER", "ALTER FUNCTION note_change() SECURITY INVOKER", &["functions"]),
    ("CREATE UNIQUE INDEX one ON alerts (id)", "DROP INDEX one", &["indexes"]),
    ("ALTER ROLE bailiwick_system BYPASSRLS", "ALTER ROLE bailiwick_system NOBYPASSRLS", &["roles"]),
];

#[tokio::test]
async fn whatever_of_the_walls_is_altered_differs_until_it_is_as_it_was() {
    let app = TestApp::start().await;
    let (watch, mut connection) = (watch(&app).await, superuser(&app).await);
    watch.look().await.unwrap();
    for (alter, undo, parts) in ALTERATIONS {
        assert_eq!(watch.look().await.unwrap(), Standing::Same, "before: {alter}");
        does(&mut connection, alter).await;
        let differs = parts.iter().map(|part| (*part).to_owned()).collect();
        assert_eq!(watch.look().await.unwrap(), Standing::Differs(differs), "{alter}");
        does(&mut connection, undo).await;
    }
    assert_eq!(watch.look().await.unwrap(), Standing::Same);
    // Partitions come by themselves.
    housekeeping::partitions(&app.db).await.unwrap();
    assert_eq!(watch.look().await.unwrap(), Standing::Same);
    does(&mut connection, "INSERT INTO _sqlx_migrations SELECT 9999, description, installed_on, success, checksum, execution_time FROM _sqlx_migrations LIMIT 1").await;
    assert_eq!(
        watch.look().await.unwrap(),
        Standing::Behind,
        "whoever says that there is a newer version does not blind"
    );
}

#[tokio::test]
async fn a_server_tells_by_itself_and_an_operator_accepts_with_an_entry() {
    let app = TestApp::start().await;
    let command = async |word: &str| {
        let mut command = bailiwickd(["schema", word]);
        command
            .env("BAILIWICK_DATABASE_RUNTIME_URL", app.database.urls.runtime.expose_secret())
            .env("BAILIWICK_DATABASE_SYSTEM_URL", app.database.urls.system.expose_secret())
            .envs(app.database.anchor_variables());
        let done = output(&mut command).await;
        let said = [done.stdout, done.stderr].concat();
        (done.status.code().unwrap(), String::from_utf8(said).unwrap())
    };
    assert_eq!(command("status").await.0, 0);
    does(&mut superuser(&app).await, "ALTER TABLE api_keys DISABLE TRIGGER note_change").await;
    let told = "SELECT count(*) FROM alerts WHERE what = 'schema_altered' AND row_name = 'triggers'";
    let told = async || sqlx::query_scalar::<_, i64>(told).fetch_one(&app.database.owner).await.unwrap();
    let found = until(async || told().await == 1);
    tokio::time::timeout(std::time::Duration::from_secs(60), found).await.expect("within a minute");
    let (code, said) = command("status").await;
    assert!(code == 6 && said.contains("triggers") && said.contains("runbooks/schema-altered.md"), "{said}");
    assert_eq!(command("accept").await, (0, "triggers\n".to_owned()));
    assert_eq!(command("status").await.0, 0);
    assert!(app.actions(None).await.contains(&"operator.schema_accepted".to_owned()));
    let (code, said) = command("accept").await;
    assert!(code == 0 && said.contains("nothing to accept"), "{said}");
}
