//! Role by permission, from the table that the server asks.

use crate::authz::{Permission, Role};
use crate::console::in_words;

/// What each role may do.
pub(super) struct Matrix {
    pub(super) roles: Vec<MatrixRole>,
    pub(super) rows: Vec<MatrixRow>,
}

pub(super) struct MatrixRole {
    pub(super) word: &'static str,
    pub(super) mine: bool,
}

pub(super) struct MatrixRow {
    pub(super) words: &'static str,
    pub(super) name: &'static str,
    pub(super) cells: Vec<MatrixCell>,
}

pub(super) struct MatrixCell {
    pub(super) yes: bool,
    pub(super) mine: bool,
}

impl Matrix {
    /// `own` is the role of whoever looks.
    pub(super) fn seen_by(own: Role) -> Self {
        let roles = Role::ALL.map(|role| MatrixRole { word: role.as_str(), mine: role == own }).into();
        let cells = |permission| {
            let cell = |role: Role| MatrixCell { yes: role.permissions().contains(permission), mine: role == own };
            Role::ALL.map(cell).into()
        };
        let row = |permission: Permission| MatrixRow {
            words: in_words(permission),
            name: permission.name(),
            cells: cells(permission),
        };
        Self { roles, rows: Permission::ALL.map(row).into() }
    }
}

/// A role to choose, and what it is for.
pub(super) struct RoleChoice {
    pub(super) word: &'static str,
    pub(super) hint: &'static str,
    pub(super) chosen: bool,
}

impl RoleChoice {
    /// All of them; the least comes first where nothing is chosen.
    pub(super) fn all(chosen: &str) -> Vec<Self> {
        let choice =
            |role: Role| Self { word: role.as_str(), hint: role_in_words(role), chosen: role.as_str() == chosen };
        Role::ALL.map(choice).into()
    }
}

const fn role_in_words(role: Role) -> &'static str {
    match role {
        Role::Owner => "Everything, and alone: people and their roles, erasures, retention.",
        Role::Admin => "Runs the workspace: keys, secrets, projects, the audit log. No people.",
        Role::Developer => "Makes projects; sees keys, secrets without their values, and the audit log.",
        Role::Member => "Sees the workspace, its people and its projects.",
        Role::Billing => "Sees the workspace, and nothing in it.",
        Role::Viewer => "Looks, and changes nothing.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_matrix_is_the_server_s_own_table() {
        let matrix = Matrix::seen_by(Role::Viewer);
        assert_eq!(matrix.rows.len(), Permission::ALL.len());
        for (row, permission) in matrix.rows.iter().zip(Permission::ALL) {
            for (cell, role) in row.cells.iter().zip(Role::ALL) {
                assert_eq!(cell.yes, role.permissions().contains(permission), "{} {}", row.name, role.as_str());
                assert_eq!(cell.mine, role == Role::Viewer);
            }
        }
    }

    #[test]
    fn what_a_role_is_said_to_be_for_is_true() {
        let may = |role: Role, permission| role.permissions().contains(permission);
        for role in Role::ALL {
            assert_eq!(may(role, Permission::ManageMembers), role == Role::Owner, "{}", role.as_str());
            assert_eq!(may(role, Permission::CreateKey), matches!(role, Role::Owner | Role::Admin));
            assert_eq!(may(role, Permission::ReadMembers), role != Role::Billing);
        }
    }
}
