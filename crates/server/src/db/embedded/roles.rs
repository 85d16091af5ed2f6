//! The three roles and a database of the owner's, whose rights nobody else has by default.
//!
//! Every step may be repeated: a start that was cut short is finished by the next, and passwords and attributes that
//! somebody changed by hand come back.

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

use super::error::EmbeddedError;

/// Owns the schema and migrates it.
pub(super) const OWNER: &str = "bailiwick_owner";
/// Serves requests.
pub(super) const RUNTIME: &str = "bailiwick_runtime";
/// Serves the operational paths.
pub(super) const SYSTEM: &str = "bailiwick_system";
/// The server's database.
pub(super) const DATABASE: &str = "bailiwick";

const ATTRIBUTES: &str =
    "LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOINHERIT NOREPLICATION CONNECTION LIMIT -1";

/// Makes or mends the roles. The passwords are verifiers of [`super::scram`]: they need no quoting.
pub(super) async fn establish(
    connection: &mut PgConnection,
    passwords: [(&'static str, String); 3],
) -> Result<(), EmbeddedError> {
    for (role, password) in passwords {
        let exists: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)")
            .bind(role)
            .fetch_one(&mut *connection)
            .await
            .map_err(sql("look for a role"))?;
        let verb = if exists { "ALTER" } else { "CREATE" };
        let statement = format!("{verb} ROLE {role} {ATTRIBUTES} PASSWORD '{password}'");
        execute(connection, statement, "make a role").await?;
        // A role may change its own settings, and `row_security = off` would outlast every restart.
        let statement = format!("ALTER ROLE {role} RESET ALL; ALTER ROLE {role} IN DATABASE postgres RESET ALL");
        execute(connection, statement, "take back a role's settings").await?;
    }
    for database in ["postgres", "template1"] {
        let statement = format!("REVOKE ALL ON DATABASE {database} FROM PUBLIC");
        execute(connection, statement, "close a database to the public").await?;
    }
    Ok(())
}

/// Makes a database of the owner's if there is none of this name: empty, or a copy of `template`. The name must be a
/// plain identifier.
pub(super) async fn establish_database(
    superuser: &PgConnectOptions,
    connection: &mut PgConnection,
    name: &str,
    template: &str,
) -> Result<(), EmbeddedError> {
    let exists: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
        .bind(name)
        .fetch_one(&mut *connection)
        .await
        .map_err(sql("look for the database"))?;
    if !exists {
        let statement = format!("CREATE DATABASE {name} OWNER {OWNER} TEMPLATE {template}");
        execute(connection, statement, "make the database").await?;
    }
    let grants = format!(
        "REVOKE ALL ON DATABASE {name} FROM PUBLIC; GRANT CONNECT ON DATABASE {name} TO {OWNER}, {RUNTIME}, {SYSTEM}"
    );
    execute(connection, grants, "close the database to the public").await?;
    for role in [OWNER, RUNTIME, SYSTEM] {
        let statement = format!("ALTER ROLE {role} IN DATABASE {name} RESET ALL");
        execute(connection, statement, "take back a role's settings").await?;
    }
    if template == "template1" {
        // A role that does not inherit gets nothing out of owning the database: the schema must be its own.
        let mut inside = superuser.clone().database(name).connect().await.map_err(sql("connect to the database"))?;
        let statement = format!("ALTER SCHEMA public OWNER TO {OWNER}; REVOKE ALL ON SCHEMA public FROM PUBLIC");
        execute(&mut inside, statement, "close the schema to the public").await?;
        inside.close().await.map_err(sql("leave the database"))?;
    }
    Ok(())
}

async fn execute(connection: &mut PgConnection, statement: String, step: &'static str) -> Result<(), EmbeddedError> {
    // Raw: some of them are two statements, and none takes a parameter.
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(connection).await.map(drop).map_err(sql(step))
}

fn sql(step: &'static str) -> impl FnOnce(sqlx::Error) -> EmbeddedError {
    move |source| EmbeddedError::Sql { step, source }
}
