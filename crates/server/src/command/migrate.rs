//! `bailiwickd migrate`: brings the schema up to date as the database's owner, or says whether it is.

use anyhow::{Context, bail};
use bailiwick_server::config::{Draft, Environment, Faults, Mode};
use bailiwick_server::db::{MIGRATOR, SchemaState};
use bailiwick_server::telemetry;
use clap::Args;
use secrecy::{ExposeSecret, SecretString};
use sqlx::migrate::MigrateError;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection};

use super::Layers;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Change nothing; fail when the schema is not the one of this version
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    layers: Layers,
}

/// Migrates, or checks.
pub(super) async fn run(arguments: Arguments, environment: &Environment) -> anyhow::Result<()> {
    let settings = arguments.layers.settings(environment);
    let mut faults = Vec::new();
    let draft = Draft::parse(&settings, Mode::Serve, &mut faults);
    if !faults.is_empty() {
        return Err(Faults(faults).into());
    }
    telemetry::install(draft.log())?;
    let url = draft.migrate_url().context("database.migrate_url is not set: it is the URL of bailiwick_owner")?;
    if arguments.check { check(url).await } else { apply(url).await }
}

/// Applies what is missing, under the migrator's own lock.
///
/// # Errors
/// When the database cannot be reached, a migration fails, or the schema is newer than this program.
pub(super) async fn apply(owner_url: &SecretString) -> anyhow::Result<()> {
    let mut connection = connect(owner_url).await?;
    let before = newest(&mut connection).await?;
    match MIGRATOR.run(&mut connection).await {
        Ok(()) => {}
        Err(MigrateError::VersionMissing(_)) => bail!(newer()),
        Err(MigrateError::VersionMismatch(version)) => bail!(
            "migration {version} of this database is not the one that this bailiwickd knows. Use the version that made \
             the database; in development, begin anew with another --data-dir"
        ),
        Err(error) => return Err(error).context("cannot migrate the database"),
    }
    let after = newest(&mut connection).await?;
    tracing::info!(event = "database.migrated", from = before, to = after);
    connection.close().await.context("cannot leave the database")
}

async fn check(owner_url: &SecretString) -> anyhow::Result<()> {
    let mut connection = connect(owner_url).await?;
    match state(newest(&mut connection).await?) {
        SchemaState::Current => super::print("the schema is up to date"),
        SchemaState::Behind => bail!("the schema is older than this bailiwickd: run `bailiwickd migrate`"),
        SchemaState::Ahead => bail!(newer()),
    }
}

fn state(applied: Option<i64>) -> SchemaState {
    match applied.cmp(&MIGRATOR.iter().map(|migration| migration.version).max()) {
        std::cmp::Ordering::Less => SchemaState::Behind,
        std::cmp::Ordering::Equal => SchemaState::Current,
        std::cmp::Ordering::Greater => SchemaState::Ahead,
    }
}

const fn newer() -> &'static str {
    "the schema is newer than this bailiwickd: use the version that migrated it, or a newer one"
}

/// The newest migration that was applied; `None` for a database that was never migrated.
async fn newest(connection: &mut PgConnection) -> anyhow::Result<Option<i64>> {
    const UNDEFINED_TABLE: &str = "42P01";
    let asked = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations").fetch_one(connection).await;
    match asked {
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(UNDEFINED_TABLE) => Ok(None),
        asked => asked.context("cannot read which migrations were applied"),
    }
}

async fn connect(url: &SecretString) -> anyhow::Result<PgConnection> {
    let options: PgConnectOptions = url.expose_secret().parse().context("the owner's URL is malformed")?;
    options.disable_statement_logging().connect().await.context("cannot connect as the database's owner")
}
