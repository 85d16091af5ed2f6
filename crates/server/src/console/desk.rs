//! The frame of every page inside a workspace.

use bailiwick_proof::environment::Environment;

use super::Flash;
use crate::authz::{Permission, Role};

/// A workspace, as a place to go to.
#[derive(Clone, Debug)]
pub(crate) struct WorkspaceLink {
    pub(crate) name: String,
    /// How paths name it: the slug, or the id where two of the person's workspaces share a slug.
    pub(crate) named: String,
}

impl WorkspaceLink {
    /// Its home in an environment.
    pub(crate) fn href(&self, environment: &Environment) -> String {
        format!("/w/{}/{environment}", self.named)
    }

    /// The letter of its little square.
    pub(crate) fn initial(&self) -> String {
        self.name.chars().next().map(|first| first.to_uppercase().collect()).unwrap_or_default()
    }
}

/// The areas of the rail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Area {
    Home,
    People,
    Keys,
    Projects,
    Audit,
    Secrets,
}

impl Area {
    const ALL: [Self; 6] = [Self::Home, Self::People, Self::Keys, Self::Projects, Self::Audit, Self::Secrets];

    const fn label(self) -> &'static str {
        match self {
            Self::Home => "Home",
            Self::People => "People",
            Self::Keys => "Keys",
            Self::Projects => "Projects",
            Self::Audit => "Audit",
            Self::Secrets => "Secrets",
        }
    }

    const fn path(self) -> &'static str {
        match self {
            Self::Home => "",
            Self::People => "/members",
            Self::Keys => "/keys",
            Self::Projects => "/projects",
            Self::Audit => "/audit",
            Self::Secrets => "/secrets",
        }
    }

    /// After `g`.
    const fn letter(self) -> char {
        match self {
            Self::Home => 'h',
            Self::People => 'p',
            Self::Keys => 'k',
            Self::Projects => 'j',
            Self::Audit => 'a',
            Self::Secrets => 's',
        }
    }

    const fn needs(self) -> Permission {
        match self {
            Self::Home => Permission::ReadWorkspace,
            Self::People => Permission::ReadMembers,
            Self::Keys => Permission::ReadKeys,
            Self::Projects => Permission::ReadProjects,
            Self::Audit => Permission::ReadAudit,
            Self::Secrets => Permission::ReadSecrets,
        }
    }
}

/// A link to an area.
pub(crate) struct AreaLink {
    pub(crate) area: Area,
    pub(crate) label: &'static str,
    pub(crate) letter: char,
    pub(crate) href: String,
    pub(crate) current: bool,
}

/// A link among others of which one is where we are.
pub(crate) struct WayLink {
    pub(crate) label: &'static str,
    pub(crate) href: String,
    pub(crate) current: bool,
}

/// Who sits at the desk, where, and what they may do there.
pub(crate) struct Desk {
    /// The person's address.
    pub(crate) person: String,
    pub(crate) role: Role,
    pub(crate) workspace: WorkspaceLink,
    pub(crate) environment: Environment,
    pub(crate) area: Area,
    /// The person's other workspaces.
    pub(crate) others: Vec<WorkspaceLink>,
    pub(crate) flash: Option<Flash>,
}

impl Desk {
    /// A path below this workspace and environment.
    pub(crate) fn path(&self, rest: &str) -> String {
        format!("{}{rest}", self.workspace.href(&self.environment))
    }

    pub(crate) fn may(&self, permission: Permission) -> bool {
        self.role.permissions().contains(permission)
    }

    pub(crate) fn is_test(&self) -> bool {
        self.environment == Environment::Test
    }

    /// The areas that the person may see.
    pub(crate) fn areas(&self) -> Vec<AreaLink> {
        let seen = Area::ALL.into_iter().filter(|area| self.may(area.needs()));
        seen.map(|area| AreaLink {
            area,
            label: area.label(),
            letter: area.letter(),
            href: self.path(area.path()),
            current: area == self.area,
        })
        .collect()
    }

    /// The same area behind either wall.
    pub(crate) fn environments(&self) -> [WayLink; 2] {
        Environment::ALL.map(|environment| WayLink {
            label: match environment {
                Environment::Live => "Live",
                Environment::Test => "Test",
            },
            href: format!("{}{}", self.workspace.href(&environment), self.area.path()),
            current: environment == self.environment,
        })
    }
}
