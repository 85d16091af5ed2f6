//! Statements as one of the serving roles, each in a transaction of its own with settings of its own.

use secrecy::SecretString;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use uuid::Uuid;

use super::rows::Place;
use super::table::Table;
use crate::harness::cluster::options;

/// What a transaction sets; what is `None` it leaves unset.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// `app.workspace_id`
    pub workspace: Option<String>,
    /// `app.environment`
    pub environment: Option<String>,
    /// `app.project_id`
    pub project: Option<String>,
    /// `app.user_id`
    pub user: Option<String>,
    /// `app.operational_path`
    pub path: Option<String>,
}

/// How a transaction ends.
#[derive(Clone, Copy)]
pub enum End {
    /// What was done stays, for the owner to see.
    Commit,
    /// It was only to see whether it can be done.
    Rollback,
}

/// A connection of a serving role. What was once set in a transaction reads empty in the next, and no longer unset.
pub struct Session {
    url: SecretString,
    connection: PgConnection,
}

impl Settings {
    /// A tenant's.
    pub fn tenant(workspace: Uuid, environment: &str, project: Option<Uuid>) -> Self {
        Self {
            workspace: Some(workspace.to_string()),
            environment: Some(environment.to_owned()),
            project: Some(project.map_or("*".to_owned(), |project| project.to_string())),
            ..Self::default()
        }
    }

    /// Set, and to nothing.
    pub fn empty() -> Self {
        let nothing = || Some(String::new());
        Self { workspace: nothing(), environment: nothing(), project: nothing(), user: nothing(), path: nothing() }
    }

    /// Does the wall let a row at this place through? This is the rule in one line; the policies are held against it.
    pub fn reach(&self, table: &Table, place: Place) -> bool {
        let project = place.project.map(|project| project.to_string());
        self.workspace.as_deref() == Some(&place.workspace.to_string())
            && (!table.has_environment || self.environment.as_deref() == Some(place.environment))
            && (table.project.is_none()
                || self.project.as_deref() == Some("*")
                || self.project.is_some() && self.project == project)
    }

    fn begin(&self) -> String {
        let settings = [
            ("workspace_id", &self.workspace),
            ("environment", &self.environment),
            ("project_id", &self.project),
            ("user_id", &self.user),
            ("operational_path", &self.path),
        ];
        let set = settings
            .into_iter()
            .filter_map(|(name, value)| Some(format!("; SET LOCAL app.{name} = '{}'", value.as_ref()?)));
        format!("BEGIN{}", set.collect::<String>())
    }
}

impl Session {
    /// Connects as the role of this URL.
    pub async fn open(url: &SecretString) -> Self {
        Self { url: url.clone(), connection: PgConnection::connect_with(&options(url)).await.unwrap() }
    }

    /// Sees to it that what the settings leave unset has never been set.
    pub async fn ready_for(self, settings: &Settings) -> Self {
        let unset = settings.workspace.is_none() || settings.environment.is_none() || settings.project.is_none();
        if unset { Self::open(&self.url).await } else { self }
    }

    /// How many rows the statement touched, as text, or the SQLSTATE with which it was refused.
    pub async fn attempt(&mut self, settings: &Settings, statement: &str, end: End) -> String {
        let end = match end {
            End::Commit => "COMMIT",
            End::Rollback => "ROLLBACK",
        };
        let sql = format!("{}; {statement}; {end}", settings.begin());
        match sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut self.connection).await {
            Ok(done) => done.rows_affected().to_string(),
            Err(sqlx::Error::Database(refused)) => {
                sqlx::raw_sql("ROLLBACK").execute(&mut self.connection).await.unwrap();
                refused.code().unwrap_or_default().into_owned()
            }
            Err(error) => panic!("{error}: {statement}"),
        }
    }
}
