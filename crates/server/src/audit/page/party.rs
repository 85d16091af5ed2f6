//! Who and what an entry names: by the name that people know, where there is one, and with the way there.

use std::collections::HashMap;

use bailiwick_proof::id::{ApiKeyId, ProjectId, UserId};

use crate::authz::Permission;
use crate::console::Desk;
use crate::db::{Authority, Db, DbError};
use crate::{api_keys, members, projects};

/// Of so many people, keys and projects the names are looked up; of others the ids are shown.
const NAMED: u16 = 1_000;

/// Someone or something.
pub(super) struct Party {
    /// As the entry has it.
    pub(super) id: String,
    /// As people know it; the id where there is no other name.
    pub(super) name: String,
    /// Its page, if there is one that the reader may see.
    pub(super) href: Option<String>,
}

impl Party {
    pub(super) fn is_named(&self) -> bool {
        self.name != self.id
    }

    pub(super) fn link(&self) -> &str {
        self.href.as_deref().unwrap_or_default()
    }
}

/// What has a page in this workspace and environment, by id.
#[derive(Default)]
pub(super) struct Names(HashMap<String, (String, String)>);

impl Names {
    /// As far as the reader may see them.
    pub(super) async fn look_up(authority: &impl Authority, db: &Db, desk: &Desk) -> Result<Self, DbError> {
        let mut names = HashMap::new();
        let mut tx = db.workspace_tx(authority).await?;
        if desk.may(Permission::ReadMembers) {
            let at = |id: UserId| desk.path(&format!("/members#{id}"));
            let all = members::addresses(&mut tx, NAMED).await?;
            names.extend(all.into_iter().map(|(id, email)| (id.to_string(), (email, at(id)))));
        }
        if desk.may(Permission::ReadKeys) {
            let at = |id: ApiKeyId| desk.path(&format!("/keys/{id}"));
            let all = api_keys::list(&mut tx, None, NAMED, &api_keys::KeyFilter::default()).await?;
            names.extend(all.into_iter().map(|one| (one.id.to_string(), (one.name, at(one.id)))));
        }
        if desk.may(Permission::ReadProjects) {
            let at = |id: ProjectId| desk.path(&format!("/projects#{id}"));
            let all = projects::list(&mut tx, None, NAMED).await?;
            names.extend(all.into_iter().map(|one| (one.id.to_string(), (one.name, at(one.id)))));
        }
        names.insert(authority.workspace().to_string(), (desk.workspace.name.clone(), desk.path("")));
        tx.finish_reading().await?;
        Ok(Self(names))
    }

    pub(super) fn party(&self, id: String) -> Party {
        match self.0.get(&id).cloned() {
            Some((name, href)) => Party { id, name, href: Some(href) },
            None => Party { name: id.clone(), id, href: None },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_page_is_shown_by_its_id() {
        let key = "key_01h455vb4pex5vsknk084sn02q".to_owned();
        let names = Names(HashMap::from([(key.clone(), ("deploy".to_owned(), "/k".to_owned()))]));
        let (known, unknown) = (names.party(key), names.party("customer-42".to_owned()));
        assert!(known.is_named() && known.link() == "/k");
        assert!(!unknown.is_named() && unknown.href.is_none() && unknown.name == "customer-42");
    }
}
