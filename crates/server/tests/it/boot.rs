//! `bailiwickd serve` refuses what is unsafe, all at once; `config show` and `migrate` beside it.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use secrecy::ExposeSecret;
use sqlx::ConnectOptions;
use tokio::process::Command;

use crate::harness::cluster::{TestDatabase, options};
use crate::harness::process::{DevHome, bailiwickd, free_port, log_file, output, refused, until};

const INTERNAL_KEY: &str = "an-internal-key-of-the-operator-0123456789";

/// `bailiwickd serve` with all that production needs.
fn production(database: &TestDatabase, port: u16, private_port: u16) -> Command {
    let mut command = bailiwickd(["serve"]);
    command
        .env("BAILIWICK_LISTEN", format!("127.0.0.1:{port}"))
        .env("BAILIWICK_PRIVATE_LISTEN", format!("127.0.0.1:{private_port}"))
        .env("BAILIWICK_PUBLIC_URL", "https://bailiwick.example")
        .env("BAILIWICK_DATABASE_RUNTIME_URL", database.urls.runtime.expose_secret())
        .env("BAILIWICK_DATABASE_SYSTEM_URL", database.urls.system.expose_secret())
        .env("BAILIWICK_ANCHOR_DIR", &database.anchor_dir)
        .env("BAILIWICK_MAIL_FROM", "no-reply@bailiwick.example")
        .env("BAILIWICK_MAIL_SMTP_URL", "smtps://mail.example")
        .env("BAILIWICK_VAULT_KEK", "local")
        .env("BAILIWICK_VAULT_KEK_FILE", &database.kek_file)
        .env("BAILIWICK_SECRETS_INTERNAL_KEY", INTERNAL_KEY);
    command
}

/// The codes of the faults in a refusal, in their order.
fn codes(said: &str) -> Vec<&str> {
    said.lines().filter_map(|line| line.strip_prefix("  - ")?.split(": ").next()).collect()
}

#[tokio::test]
async fn a_server_without_any_setting_hears_all_that_is_missing() {
    let said = refused(&mut bailiwickd(["serve"])).await;
    assert_eq!(codes(&said), ["config.missing"; 7], "{said}");
    for key in ["public_url", "database.runtime_url", "mail.smtp_url", "vault.kek"] {
        assert!(said.contains(&format!("config.missing: {key} is not set")), "{said}");
    }
    assert!(!said.contains("secrets.internal_key"), "each service has a credential of its own: {said}");
}

#[tokio::test]
async fn an_unsafe_server_hears_every_fault() {
    let database = TestDatabase::create_unmigrated().await;
    let mut command = production(&database, 9, 9);
    command
        .env("BAILIWICK_PUBLIC_URL", "http://bailiwick.example")
        .env("BAILIWICK_DATABASE_RUNTIME_URL", database.superuser_url.expose_secret())
        .env("BAILIWICK_DATABASE_SYSTEM_URL", database.superuser_url.expose_secret())
        .env("BAILIWICK_MAIL_SMTP_URL", "smtp://mail.example")
        .env("BAILIWICK_SECRETS_INTERNAL_KEY", "short-and-secret")
        .env("BAILIWICK_LISTN", "typo");
    let said = refused(&mut command).await;
    let roles = ["role.other", "role.superuser", "role.bypassrls", "role.owner"];
    let mut expected = vec!["config.unknown", "secret.weak"];
    expected.extend(["listen.one_port", "public_url.http", "mail.plain"]);
    expected.extend(roles.into_iter().chain(roles));
    expected.extend(["role.same", "schema.behind"]);
    assert_eq!(codes(&said), expected, "{said}");
    assert!(said.contains(&format!("{} faults", expected.len())), "{said}");
    let password = database.superuser_url.expose_secret().split([':', '@']).nth(2).unwrap();
    assert!(!said.contains("short-and-secret") && !said.contains(password), "{said}");
}

#[tokio::test]
async fn a_database_that_logs_parameters_is_refused() {
    let database = TestDatabase::create().await;
    let name = options(&database.superuser_url).get_database().unwrap().to_owned();
    // Each has a word of its own, and a length of 0 is what makes them harmless.
    for (role, setting) in [
        ("runtime", "log_parameter_max_length = -1"),
        ("runtime", "log_statement = 'mod'"),
        ("system", "log_parameter_max_length = 0"),
        ("system", "log_statement = 'all'"),
        ("system", "log_parameter_max_length_on_error = 64"),
    ] {
        let statement = format!("ALTER ROLE bailiwick_{role} IN DATABASE {name} SET {setting}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&database.superuser()).await.unwrap();
    }
    let said = refused(&mut production(&database, 9, 10)).await;
    assert_eq!(codes(&said), ["database.logs_parameters"; 2], "{said}");
    for mend in ["runtime SET log_parameter_max_length = 0;", "system SET log_parameter_max_length_on_error = 0;"] {
        assert!(said.contains(&format!("ALTER ROLE bailiwick_{mend}")), "{said}");
    }
}

#[tokio::test]
async fn what_dev_made_and_a_role_that_may_become_another_are_refused() {
    let home = DevHome::temporary();
    let server = home.start().await;
    let owner_url = home.read("postgres.url");
    let (_, host) = owner_url.split_once('@').unwrap();
    let url = |role: &str, password: &str| format!("postgres://{role}:{password}@{host}");
    let superuser = url("postgres", &home.read("secrets/superuser_password"));
    let mut superuser = options(&superuser.into()).connect().await.unwrap();
    for statement in [
        "CREATE ROLE climber LOGIN PASSWORD 'climber' NOINHERIT",
        "GRANT bailiwick_owner TO climber",
        "GRANT CONNECT ON DATABASE bailiwick TO climber",
    ] {
        sqlx::query(statement).execute(&mut superuser).await.unwrap();
    }
    let mut command = bailiwickd(["serve"]);
    command
        .env("BAILIWICK_PUBLIC_URL", "https://bailiwick.example")
        .env("BAILIWICK_DATABASE_RUNTIME_URL", url("climber", "climber"))
        .env("BAILIWICK_DATABASE_SYSTEM_URL", url("bailiwick_system", &home.read("secrets/system_password")))
        .env("BAILIWICK_ANCHOR_DIR", home.dir.join("anchor"))
        .env("BAILIWICK_MAIL_FROM", "no-reply@bailiwick.example")
        .env("BAILIWICK_MAIL_SMTP_URL", "smtps://mail.example");
    command.env("BAILIWICK_VAULT_KEK", "local").env("BAILIWICK_VAULT_KEK_FILE", home.dir.join("secrets/kek.json"));
    command.env("BAILIWICK_SECRETS_INTERNAL_KEY_FILE", home.dir.join("secrets/internal_key"));
    let said = refused(&mut command).await;
    let mut expected = vec!["secret.dev"; 2];
    expected.extend(["role.other", "role.member", "database.embedded"]);
    assert_eq!(codes(&said), expected, "{said}");
    assert!(said.contains("is a member of bailiwick_owner"), "{said}");
    server.stop(Signal::SIGTERM).await;
}

#[tokio::test]
async fn a_safe_server_migrates_serves_and_stops() {
    let database = TestDatabase::create_unmigrated().await;
    let migrate = |check: bool| {
        let mut command = bailiwickd(["migrate"]);
        command.args(check.then_some("--check"));
        command.env("BAILIWICK_DATABASE_MIGRATE_URL", database.urls.owner.expose_secret());
        command
    };
    let said = refused(&mut migrate(true)).await;
    assert!(said.contains("older than this bailiwickd"), "{said}");
    assert!(output(&mut migrate(false)).await.status.success());
    assert!(output(&mut migrate(false)).await.status.success(), "a second time changes nothing");
    assert!(output(&mut migrate(true)).await.status.success());

    let (port, private_port) = (free_port(), free_port());
    let mut command = production(&database, port, private_port);
    let mut server = command.stderr(log_file()).kill_on_drop(true).spawn().unwrap();
    let readyz = format!("http://127.0.0.1:{private_port}/readyz");
    until(async || reqwest::get(&readyz).await.is_ok_and(|answer| answer.status() == 200)).await;
    let misdirected = reqwest::get(format!("http://127.0.0.1:{port}/v1/workspaces")).await.unwrap();
    assert_eq!(misdirected.status(), 421);
    kill(Pid::from_raw(server.id().unwrap().try_into().unwrap()), Signal::SIGTERM).unwrap();
    assert!(server.wait().await.unwrap().success());

    sqlx::query("UPDATE _sqlx_migrations SET version = 99990101000000 WHERE version = (SELECT max(version) FROM _sqlx_migrations)")
        .execute(&database.owner)
        .await
        .unwrap();
    let said = refused(&mut production(&database, port, private_port)).await;
    assert_eq!(codes(&said), ["schema.ahead"], "{said}");
    let said = refused(&mut migrate(false)).await;
    assert!(said.contains("newer than this bailiwickd"), "{said}");
}

#[tokio::test]
async fn an_unreachable_database_is_one_fault_for_each_url() {
    let database = TestDatabase::create().await;
    let mut command = production(&database, free_port(), free_port());
    let nowhere = format!("postgres://bailiwick_runtime:pass-word@127.0.0.1:{}/bailiwick", free_port());
    command.env("BAILIWICK_DATABASE_RUNTIME_URL", &nowhere).env("BAILIWICK_DATABASE_SYSTEM_URL", &nowhere);
    let said = refused(&mut command).await;
    assert_eq!(codes(&said), ["database.unreachable"; 2], "{said}");
    assert!(!said.contains("pass-word"), "{said}");
}

#[tokio::test]
async fn the_shown_configuration_names_sources_and_hides_secrets() {
    let dir = tempfile::tempdir().unwrap();
    let (toml, key) = (dir.path().join("bailiwickd.toml"), dir.path().join("key"));
    std::fs::write(&key, "from-the-file-of-the-variable-0123456789\n").unwrap();
    let text = "listen = \"10.0.0.1:80\"\nprivate_listen = \"10.0.0.1:81\"\n[secrets]\ninternal_key = \"from-toml\"\n";
    std::fs::write(&toml, text).unwrap();
    let mut command = bailiwickd(["config", "show", "--listen", "10.0.0.3:80", "--set", "log.format=text"]);
    command
        .env("BAILIWICK_CONFIG", &toml)
        .env("BAILIWICK_LISTEN", "10.0.0.2:80")
        .env("BAILIWICK_PRIVATE_LISTEN", "10.0.0.2:81")
        .env("BAILIWICK_SECRETS_INTERNAL_KEY_FILE", &key)
        .env("BAILIWICK_DATABASE_RUNTIME_URL", "postgres://bailiwick_runtime:pass-word@db/bailiwick");
    let output = output(&mut command).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let shown = String::from_utf8(output.stdout).unwrap();
    let line = |key: &str| {
        let line = shown.lines().find(|line| line.starts_with(&format!("{key} ="))).unwrap();
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(line("listen"), "listen = \"10.0.0.3:80\" # flag (listen)");
    assert_eq!(line("private_listen"), "private_listen = \"10.0.0.2:81\" # environment BAILIWICK_PRIVATE_LISTEN");
    assert_eq!(line("database.pool_size"), "database.pool_size = 16 # default");
    assert_eq!(line("mail.from"), "mail.from = # not set");
    let source = format!("file {} by environment BAILIWICK_SECRETS_INTERNAL_KEY_FILE", key.display());
    assert_eq!(line("secrets.internal_key"), format!("secrets.internal_key = [redacted] # {source}"));
    for secret in ["from-the-file", "from-toml", "pass-word"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
