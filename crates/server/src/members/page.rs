//! Who belongs to a workspace, and what each role may do in it.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::{Member, http};
use crate::authz::{Granted, Permission, Role, may};
use crate::console::{Area, Desk, IdChip, Listing, Moment, Noun, Visit, in_words};
use crate::db::Db;
use crate::http::{Json, ListQuery, Problem, Query};
use crate::workspaces;

const NOUN: Noun = Noun { one: "person", many: "people" };

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

impl MemberRow {
    fn of(member: Member, own_email: &str, visit: &Visit) -> Self {
        let Member { user_id, email, role, joined_at } = member;
        let you = email == own_email;
        Self { email, role, you, id: IdChip::of_row(user_id), joined: visit.moment(joined_at) }
    }
}

/// Whether a page of the list is its first.
#[derive(Deserialize)]
pub struct Cursor {
    cursor: Option<String>,
}

/// `GET /w/{workspace}/{environment}/members`.
///
/// # Errors
/// As the API's.
pub async fn index(
    granted: Granted<may::ReadMembers>,
    visit: Visit,
    State(db): State<Db>,
    Query(query): Query<ListQuery>,
    Query(Cursor { cursor }): Query<Cursor>,
) -> Result<Response, Problem> {
    let desk = workspaces::desk(&visit, &granted, &db, Area::People).await?;
    let Json(page) = http::list(granted, State(db), Query(query)).await?;
    let list =
        Listing::new(NOUN, page.data.len(), &desk.path("/members"), cursor.as_deref(), page.next_cursor.as_deref());
    let members = page.data.into_iter().map(|member| MemberRow::of(member, &desk.person, &visit)).collect();
    visit.page(&IndexPage { members, list, matrix: Matrix::seen_by(desk.role), desk })
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
