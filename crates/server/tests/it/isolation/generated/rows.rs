//! Rows for every table, at every place where one can stand.

use sqlx::{AssertSqlSafe, PgPool};
use uuid::Uuid;

use super::table::Table;

/// A tenant.
pub const ADA: Uuid = Uuid::from_u128(0xA);
/// Another.
pub const BOB: Uuid = Uuid::from_u128(0xB);
/// One who has nothing yet.
pub const NEW: Uuid = Uuid::from_u128(0xC);

/// Where a row stands. What a table does not have does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Whose it is.
    pub workspace: Uuid,
    /// live or test.
    pub environment: &'static str,
    /// The project, or none.
    pub project: Option<Uuid>,
}

/// A row: its columns and what stands in them, as SQL.
pub type Row = Vec<(&'static str, String)>;

/// The projects of an environment are its first and its second.
pub fn project(workspace: Uuid, environment: &str, nth: u128) -> Uuid {
    Uuid::from_u128(workspace.as_u128() << 16 | u128::from(environment == "test") << 8 | nth)
}

/// The person who is a member of this workspace and of no other.
pub fn person(workspace: Uuid) -> Uuid {
    Uuid::from_u128(workspace.as_u128() << 64)
}

/// Every place where the table holds a row, of both tenants.
pub fn places(table: &Table) -> Vec<Place> {
    let environments: &[&'static str] = if table.has_environment { &["live", "test"] } else { &["live"] };
    let mut places = Vec::new();
    for workspace in [ADA, BOB] {
        for environment in environments {
            let own = |nth| Some(project(workspace, environment, nth));
            let mut projects = if table.project.is_some() { vec![own(1), own(2)] } else { vec![] };
            if table.project.is_none() || table.project_is_optional {
                projects.push(None);
            }
            places.extend(projects.into_iter().map(|project| Place { workspace, environment, project }));
        }
    }
    places
}

/// Which row it is: the one that stands there from the beginning, or one that somebody tries to add.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// There is one at each place.
    Seeded,
    /// There is none yet.
    Fresh,
}

/// The id of a row, different for each place.
pub fn id(place: Place, which: Which) -> Uuid {
    let project = place.project.map_or(0, |project| project.as_u128() & 0xFF);
    let place = place.workspace.as_u128() << 32 | u128::from(place.environment == "test") << 16 | project;
    Uuid::from_u128(place << 8 | u128::from(which == Which::Fresh))
}

/// Whether [`row`] can make rows for a table of this name.
pub fn knows(table: &str) -> bool {
    let somewhere = Place { workspace: ADA, environment: "live", project: None };
    row(table, somewhere, Which::Seeded).is_some()
}

/// A row that satisfies the table's constraints. A table that is missing here fails the test, so that none is forgotten.
pub fn row(table: &str, place: Place, which: Which) -> Option<Row> {
    let id = id(place, which);
    let text = |value: &str| format!("'{value}'");
    let uuid = |value: Uuid| format!("'{value}'");
    let (now, digest) = ("now()".to_owned(), format!("sha256('{id}')"));
    let someone = if which == Which::Seeded { person(place.workspace) } else { person(NEW) };
    let workspace = ("workspace_id", uuid(place.workspace));
    let environment = ("environment", text(place.environment));
    let project = ("project_id", place.project.map_or("NULL".to_owned(), uuid));
    let entry = || {
        let words = [("action", "'test.done'"), ("actor", "'{}'"), ("target", "'{}'"), ("meta", "'{}'")];
        let mut columns: Row = words.map(|(column, value)| (column, value.to_owned())).into();
        columns.extend([
            ("event_id", uuid(id)),
            ("trace_id", text(&"0".repeat(32))),
            ("request_id", uuid(id)),
            ("staged_at", now.clone()),
        ]);
        columns
    };
    let columns = match table {
        "workspaces" => vec![workspace, ("name", text("Name")), ("slug", text("slug")), ("created_at", now)],
        "memberships" => vec![workspace, ("user_id", uuid(someone)), ("role", text("owner")), ("created_at", now)],
        "projects" => {
            let own = if which == Which::Seeded { place.project.unwrap_or(id) } else { id };
            vec![workspace, environment, ("id", uuid(own)), ("name", uuid(own)), ("created_at", now)]
        }
        "api_keys" => vec![
            workspace,
            environment,
            project,
            ("id", uuid(id)),
            ("name", text("Key")),
            ("lookup", text("AAAAAAAA")),
            ("digest", digest),
            ("scopes", text("{read}")),
            ("created_by_user", uuid(person(place.workspace))),
            ("created_at", now),
        ],
        "ledger_staged" => [vec![workspace, environment, project], entry()].concat(),
        "cell_ledger_staged" => entry(),
        "idempotency_records" => vec![
            workspace,
            environment,
            ("principal_id", uuid(person(place.workspace))),
            ("key_digest", digest.clone()),
            ("request_digest", digest),
            ("reply_sealed", text("sealed")),
            ("created_at", now),
        ],
        "account_idempotency_records" => vec![
            ("user_id", uuid(person(place.workspace))),
            ("key_digest", digest.clone()),
            ("request_digest", digest),
            ("reply_sealed", text("sealed")),
            ("created_at", now),
        ],
        "users" => {
            let own = if which == Which::Seeded { person(place.workspace) } else { id };
            vec![("id", uuid(own)), ("email", uuid(own)), ("email_key", uuid(own)), ("created_at", now)]
        }
        "sessions" => vec![
            ("id", uuid(id)),
            ("user_id", uuid(person(place.workspace))),
            ("created_at", now.clone()),
            ("expires_at", now),
        ],
        "refresh_tokens" => {
            let session = self::id(place, Which::Seeded);
            vec![("digest", digest), ("session_id", uuid(session)), ("issued_at", now.clone()), ("expires_at", now)]
        }
        "sign_in_challenges" => vec![
            ("id", uuid(id)),
            ("email", text("a@b.c")),
            ("email_key", text("a@b.c")),
            ("challenge_digest", digest.clone()),
            ("token_digest", digest.clone()),
            ("code_digest", digest),
            ("created_at", now.clone()),
            ("expires_at", now),
        ],
        _ => return None,
    };
    Some(columns)
}

/// `INSERT` of this row.
pub fn insert(table: &str, row: &Row) -> String {
    let columns: Vec<&str> = row.iter().map(|(column, _)| *column).collect();
    let values: Vec<&str> = row.iter().map(|(_, value)| value.as_str()).collect();
    format!("INSERT INTO {table} ({}) VALUES ({})", columns.join(", "), values.join(", "))
}

/// One row at each place of each table.
pub async fn seed(owner: &PgPool, tables: &[Table]) {
    for table in tables.iter().filter(|table| !table.is_partition) {
        let mut places = places(table);
        if table.name == "users" {
            places.push(Place { workspace: NEW, environment: "live", project: None });
        }
        for place in places {
            let row =
                row(&table.name, place, Which::Seeded).unwrap_or_else(|| panic!("no row maker for {}", table.name));
            let sql = insert(&table.name, &row);
            sqlx::query(AssertSqlSafe(sql.clone()))
                .execute(owner)
                .await
                .unwrap_or_else(|error| panic!("{error}: {sql}"));
        }
    }
}
