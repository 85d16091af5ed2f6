//! What people read in place of ids.

use std::collections::HashMap;

use super::sql;
use crate::db::{Authority, Db, DbError};
use crate::projects;

/// Of so many people and projects the names are looked up; of others the ids are shown.
const NAMED: u16 = 1_000;

/// The addresses of a workspace's members and the names of its projects, by id.
#[derive(Default)]
pub(crate) struct Names(HashMap<String, String>);

impl Names {
    /// For whoever may see people and projects.
    pub(crate) async fn look_up(authority: &impl Authority, db: &Db) -> Result<Self, DbError> {
        let mut tx = db.workspace_tx(authority).await?;
        let people = sql::addresses(&mut tx, NAMED).await?;
        let projects = projects::list(&mut tx, None, NAMED).await?;
        tx.finish_reading().await?;
        let people = people.into_iter().map(|(user, email)| (user.to_string(), email));
        let projects = projects.into_iter().map(|project| (project.id.to_string(), project.name));
        Ok(Self(people.chain(projects).collect()))
    }

    /// The name, or the id where there is none.
    pub(crate) fn of(&self, id: String) -> String {
        self.0.get(&id).cloned().unwrap_or(id)
    }
}
