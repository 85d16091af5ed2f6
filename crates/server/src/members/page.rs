//! Who belongs to a workspace, and what each role may do in it.

use askama::Template;

use crate::authz::{Permission, Role};
use crate::console::{Desk, IdChip, Listing, Moment, in_words};

/// `/w/{workspace}/{environment}/members`.
#[derive(Template)]
#[template(path = "members/index.html")]
struct IndexPage {
    desk: Desk,
    members: Vec<MemberRow>,
    list: Listing,
    matrix: Matrix,
}

struct MemberRow {
    email: String,
    role: Role,
    you: bool,
    id: IdChip,
    joined: Moment,
}

/// Role by permission, from the table that the server asks.
struct Matrix {
    roles: Vec<MatrixRole>,
    rows: Vec<MatrixRow>,
}

struct MatrixRole {
    word: &'static str,
    mine: bool,
}

struct MatrixRow {
    words: &'static str,
    name: &'static str,
    cells: Vec<MatrixCell>,
}

struct MatrixCell {
    yes: bool,
    mine: bool,
}

impl Matrix {
    fn seen_by(own: Role) -> Self {
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
}
