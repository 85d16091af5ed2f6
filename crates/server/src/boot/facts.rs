//! What the database says about itself and about the roles that we log in as.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection, FromRow};

use crate::config::{Draft, Pooler};
use crate::db::{Db, SchemaState, schema_state};

const PATIENCE: Duration = Duration::from_secs(10);

/// The answers that `boot` judges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Who the runtime URL logs in as.
    pub runtime: Login,
    /// Who the system URL logs in as.
    pub system: Login,
    /// How the schema compares with ours.
    pub schema: Schema,
}

/// What came of comparing the schema with ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Schema {
    /// There was no way to ask.
    NotAsked,
    /// The answer was an error.
    Unknown(String),
    /// The answer.
    Known(SchemaState),
}

/// What came of logging in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// There is no URL, or it is malformed.
    NotAsked,
    /// It failed, for this reason.
    Unreachable(String),
    /// It worked.
    Known(Role),
}

/// A role, as the catalog describes it.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// Whether nothing holds it.
    pub superuser: bool,
    /// Whether row-level security does not hold it.
    pub bypass_rls: bool,
    /// Whether it owns a table or a schema, and so may change policies.
    pub owns_tables: bool,
    /// Roles with power over our tables that it belongs to, and so may become by `SET ROLE`.
    pub member_of: Vec<String>,
    /// Settings by which what it passes to a statement would not stand in the database's log, and which are not so.
    pub log_mends: Vec<String>,
    /// The cluster's name, which tells an embedded database.
    pub cluster_name: String,
}

const ROLE: &str = r"
    SELECT me.rolname::text AS name,
           me.rolsuper AS superuser,
           me.rolbypassrls AS bypass_rls,
           EXISTS (SELECT FROM pg_class c WHERE c.relowner = me.oid AND c.relkind IN ('r', 'p', 'v', 'm'))
               OR EXISTS (SELECT FROM pg_namespace n WHERE n.nspowner = me.oid AND n.nspname !~ '^pg_(toast_)?temp')
               OR EXISTS (SELECT FROM pg_database d WHERE d.datdba = me.oid AND d.datname = current_database())
               AS owns_tables,
           ARRAY(
               SELECT r.rolname::text FROM pg_roles r
               WHERE r.oid <> me.oid
                 AND pg_has_role(me.oid, r.oid, 'MEMBER')
                 AND (r.rolsuper OR r.rolbypassrls OR r.rolname LIKE 'bailiwick\_%'
                      OR EXISTS (SELECT FROM pg_class c WHERE c.relowner = r.oid AND c.relkind IN ('r', 'p')))
               ORDER BY r.rolname
           ) AS member_of,
           ARRAY(
               SELECT mend FROM (
                   SELECT name, setting, CASE
                       WHEN name = 'log_parameter_max_length_on_error' AND setting <> '0' THEN name || ' = 0'
                       WHEN name = 'log_parameter_max_length' AND setting <> '0' AND EXISTS (
                           SELECT FROM pg_settings l
                           WHERE l.name = 'log_statement' AND l.setting IN ('mod', 'all')
                              OR l.name IN ('log_min_duration_statement', 'log_min_duration_sample') AND l.setting <> '-1'
                              OR l.name = 'log_transaction_sample_rate' AND l.setting <> '0'
                       ) THEN name || ' = 0'
                       WHEN name = 'auto_explain.log_parameter_max_length' AND setting <> '0'
                            AND current_setting('auto_explain.log_min_duration') <> '-1' THEN name || ' = 0'
                       WHEN name = 'pgaudit.log_parameter' AND setting = 'on' THEN name || ' = off'
                   END AS mend
                   FROM pg_settings
               ) logged WHERE mend IS NOT NULL ORDER BY mend
           ) AS log_mends,
           current_setting('cluster_name') AS cluster_name
    FROM pg_roles me
    WHERE me.rolname = session_user";

/// Asks the database about both roles, and about the schema.
pub async fn ask(draft: &Draft) -> Facts {
    let (runtime, system) = tokio::join!(login(draft.runtime_url.as_ref()), login(draft.system_url.as_ref()));
    let schema = match (&draft.runtime_url, &draft.system_url, &system) {
        (Some(runtime_url), Some(system_url), Login::Known(_)) => schema(runtime_url, system_url).await,
        _ => Schema::NotAsked,
    };
    Facts { runtime, system, schema }
}

async fn login(url: Option<&SecretString>) -> Login {
    let Some(url) = url else { return Login::NotAsked };
    match tokio::time::timeout(PATIENCE, role(url)).await {
        Ok(Ok(role)) => Login::Known(role),
        Ok(Err(error)) => Login::Unreachable(error.to_string()),
        Err(_) => Login::Unreachable(format!("no answer within {} s", PATIENCE.as_secs())),
    }
}

async fn role(url: &SecretString) -> Result<Role, sqlx::Error> {
    let options: PgConnectOptions = url.expose_secret().parse()?;
    let mut connection: PgConnection = options.disable_statement_logging().connect().await?;
    // One statement without parameters, sent as text: it also passes a pooler in transaction mode.
    let row = sqlx::raw_sql(ROLE).fetch_one(&mut connection).await?;
    connection.close().await?;
    Role::from_row(&row)
}

async fn schema(runtime: &SecretString, system: &SecretString) -> Schema {
    let asked = async {
        let db = Db::connect(runtime, system, 1, Pooler::Transaction)?;
        let state = schema_state(&db).await;
        db.close().await;
        state
    };
    match asked.await {
        Ok(state) => Schema::Known(state),
        Err(error) => Schema::Unknown(error.to_string()),
    }
}
