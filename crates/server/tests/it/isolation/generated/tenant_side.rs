//! `bailiwick_runtime` with the settings of one tenant, or with none, at the rows of the others.

use super::Ground;
use super::rows::{ADA, BOB, NEW, Place, Row, Which, insert, person, places, project, row};
use super::session::{End, Session, Settings};
use super::table::Table;

/// Row-level security refuses.
const WALL: &str = "42501";
/// There is no such parent.
const NO_PARENT: &str = "23503";

/// There is nothing there.
const UNSEEN: &[&str] = &["0"];
/// It must not be.
const REFUSED: &[&str] = &[WALL];

/// What a tenant does with its own rows of a table, where that is not everything.
const USES: [(&str, Use); 17] = [
    ("alerts", Use { reads: false, adds: false }),
    ("vault_deks", Use { reads: false, adds: false }),
    ("vault_subjects", Use { reads: false, adds: false }),
    ("feed_changes", Use { reads: false, adds: true }),
    ("api_key_uses", Use { reads: true, adds: false }),
    ("ledger_staged", Use { reads: false, adds: true }),
    ("ledger_generations", Use { reads: false, adds: false }),
    ("ledger_heads", Use { reads: true, adds: false }),
    ("ledger_entries", Use { reads: true, adds: false }),
    ("ledger_openings", Use { reads: true, adds: false }),
    ("ledger_hashes", Use { reads: true, adds: false }),
    ("ledger_checkpoints", Use { reads: true, adds: false }),
    ("ledger_daily_roots", Use { reads: false, adds: false }),
    ("ledger_manifest_lines", Use { reads: true, adds: false }),
    ("ledger_keys", Use { reads: false, adds: false }),
    ("ledger_cuts", Use { reads: true, adds: false }),
    ("jobs_dead", Use { reads: false, adds: false }),
];

/// There is one row at a place and no other: whoever adds another comes past the walls, and then meets it.
const ONE_AT_A_PLACE: [&str; 2] = ["audit_streams", "ledger_retention"];

#[derive(Clone, Copy)]
struct Use {
    reads: bool,
    adds: bool,
}

impl Use {
    fn of(table: &Table) -> Self {
        // A partition is reached by its parent alone.
        if table.is_partition {
            return Self { reads: false, adds: false };
        }
        let known = USES.iter().find(|(name, _)| *name == table.name);
        known.map_or(Self { reads: true, adds: true }, |(_, use_of_it)| *use_of_it)
    }
}

/// One statement that must get nowhere.
struct Attempt {
    name: &'static str,
    statement: String,
    /// The outcomes that are a refusal: no row, or these codes.
    refusals: &'static [&'static str],
}

/// What the walls are tried with.
fn settings() -> Vec<(&'static str, Settings)> {
    let ada = Settings::tenant(ADA, "live", None);
    let without = |change: fn(&mut Settings)| {
        let mut settings = Settings::tenant(ADA, "live", None);
        change(&mut settings);
        settings
    };
    vec![
        ("Ada, live", ada),
        ("Ada, test", Settings::tenant(ADA, "test", None)),
        ("Ada, live, first project", Settings::tenant(ADA, "live", Some(project(ADA, "live", 1)))),
        ("Ada, test, first project", Settings::tenant(ADA, "test", Some(project(ADA, "test", 1)))),
        ("Ada, live, a project of test", Settings::tenant(ADA, "live", Some(project(ADA, "test", 1)))),
        ("Ada, live, a project of Bob's", Settings::tenant(ADA, "live", Some(project(BOB, "live", 1)))),
        ("Bob, live", Settings::tenant(BOB, "live", None)),
        ("nothing set", Settings::default()),
        ("everything empty", Settings::empty()),
        ("workspace unset", without(|settings| settings.workspace = None)),
        ("workspace empty", without(|settings| settings.workspace = Some(String::new()))),
        ("environment unset", without(|settings| settings.environment = None)),
        ("environment empty", without(|settings| settings.environment = Some(String::new()))),
        ("project unset", without(|settings| settings.project = None)),
        ("project empty", without(|settings| settings.project = Some(String::new()))),
        ("an operational path", Settings { path: Some("authenticate_key".to_owned()), ..Settings::default() }),
    ]
}

/// What a tenant cannot do with its own rows under the grants as they are, and should.
pub async fn hindrances(ground: &Ground<'_>) -> Vec<String> {
    let mut hindrances = Vec::new();
    let mut session = Session::open(&ground.database.urls.runtime).await;
    for table in ground.tenant_tables() {
        let may = |word: &str| table.granted.iter().any(|granted| granted == word);
        let Use { reads, adds } = Use::of(table);
        let own = Settings::tenant(ADA, "live", None);
        let all = places(table).into_iter().filter(|place| own.reach(table, *place)).count().to_string();
        let newcomer = if table.name == "workspaces" { NEW } else { ADA };
        let place = Place { workspace: newcomer, environment: "live", project: None };
        let fresh = row(&table.root, place, Which::Fresh);
        let added = if ONE_AT_A_PLACE.contains(&table.name.as_str()) { "23505" } else { "1" };
        let cases = [
            ("SELECT", reads, format!("SELECT FROM {}", table.name), own.clone(), all.clone()),
            // A locking read without a policy for UPDATE returns nothing, and says nothing.
            (
                "SELECT FOR UPDATE",
                reads && may("UPDATE"),
                format!("SELECT FROM {} FOR UPDATE", table.name),
                own.clone(),
                all,
            ),
            ("INSERT", adds, insert(&table.name, &fresh), Settings::tenant(newcomer, "live", None), added.to_owned()),
        ];
        for (name, wanted, statement, settings, expected) in cases {
            let outcome = if wanted { session.attempt(&settings, &statement, End::Rollback).await } else { continue };
            if outcome != expected {
                hindrances.push(format!("{}: {name} of own rows: {outcome}, not {expected}", table.name));
            }
        }
        for (column, parent) in references_within_tenants(table, &ground.tables) {
            let own_parent = places(parent).into_iter().find(|place| own.reach(parent, *place)).unwrap();
            let statement = insert(&table.name, &referring(fresh.clone(), column, parent, own_parent));
            let outcome = session.attempt(&own, &statement, End::Rollback).await;
            if outcome != "1" {
                hindrances.push(format!("{}: {column} refers to an own row: {outcome}", table.name));
            }
        }
    }
    hindrances
}

/// What gets through the policies when the grants forbid nothing.
pub async fn breaches(ground: &Ground<'_>) -> Vec<String> {
    let mut breaches = Vec::new();
    let before = ground.dump().await;
    let mut session = Session::open(&ground.database.urls.runtime).await;
    for (name, settings) in settings() {
        session = session.ready_for(&settings).await;
        for table in ground.tenant_tables() {
            let own = places(table).into_iter().find(|place| settings.reach(table, *place));
            for place in places(table) {
                if settings.reach(table, place) {
                    let seen = session
                        .attempt(
                            &settings,
                            &format!("SELECT FROM {} WHERE {}", table.name, at(table, place)),
                            End::Commit,
                        )
                        .await;
                    let expected = if Use::of(table).reads { "1" } else { "0" };
                    if seen != expected {
                        breaches.push(format!("{}: {name} sees {seen} own rows of {expected}", table.name));
                    }
                    continue;
                }
                for attempt in attempts(ground, table, &settings, place, own) {
                    let outcome = session.attempt(&settings, &attempt.statement, End::Commit).await;
                    if !attempt.refusals.contains(&outcome.as_str()) {
                        breaches.push(format!(
                            "{}: {name}: {}: {outcome} at {}",
                            table.name,
                            attempt.name,
                            at(table, place)
                        ));
                    }
                }
            }
        }
        if ground.dump().await != before {
            breaches.push(format!("{name}: rows have changed"));
        }
    }
    breaches
}

/// A signed-in person's settings show their own rows and change only the answers that are kept for them.
pub async fn account_breaches(ground: &Ground<'_>) -> Vec<String> {
    let visible =
        ["users", "memberships", "workspaces", "account_idempotency_records", "sessions", "refresh_tokens", "passkeys"];
    let settings = Settings { user: Some(person(ADA).to_string()), ..Settings::empty() };
    let before = ground.dump().await;
    let mut session = Session::open(&ground.database.urls.runtime).await;
    let mut breaches = Vec::new();
    for table in ground.tried() {
        let name = &table.name;
        let expected = if visible.contains(&name.as_str()) { "1" } else { "0" };
        let place = Place { workspace: BOB, environment: "live", project: None };
        let fresh = row(&table.root, place, Which::Fresh);
        let own_record = if name == "account_idempotency_records" { "1" } else { "0" };
        let stamp = format!("UPDATE {name} SET {}", table.stamp);
        for (what, statement, refusal, end) in [
            ("SELECT", format!("SELECT FROM {name}"), expected, End::Commit),
            ("INSERT", insert(name, &fresh), WALL, End::Commit),
            ("UPDATE", stamp, own_record, End::Rollback),
            ("DELETE", format!("DELETE FROM {name}"), own_record, End::Rollback),
        ] {
            let outcome = session.attempt(&settings, &statement, end).await;
            if outcome != refusal {
                breaches.push(format!("{name}: a person: {what}: {outcome}, not {refusal}"));
            }
        }
    }
    if ground.dump().await != before {
        breaches.push("a person: rows have changed".to_owned());
    }
    breaches
}

/// Everything that is tried at a place out of sight; `own` is a place in sight, if there is one.
fn attempts(ground: &Ground<'_>, table: &Table, settings: &Settings, place: Place, own: Option<Place>) -> Vec<Attempt> {
    let (name, there) = (&table.name, at(table, place));
    let (seeded, fresh) = (row(&table.root, place, Which::Seeded), row(&table.root, place, Which::Fresh));
    let claimant = own.map_or(ADA, |own| own.workspace);
    let attempt = |name, statement, refusals| Attempt { name, statement, refusals };
    let mut attempts = vec![
        attempt("SELECT", format!("SELECT FROM {name} WHERE {there}"), UNSEEN),
        attempt("SELECT FOR UPDATE", format!("SELECT FROM {name} WHERE {there} FOR UPDATE"), UNSEEN),
        attempt("INSERT", insert(name, &fresh), REFUSED),
        attempt("INSERT ON CONFLICT DO NOTHING", format!("{} ON CONFLICT DO NOTHING", insert(name, &seeded)), REFUSED),
        attempt("INSERT ON CONFLICT DO UPDATE", upsert(table, &seeded), REFUSED),
        attempt("UPDATE", format!("UPDATE {name} SET {} WHERE {there}", table.stamp), UNSEEN),
        attempt(
            "UPDATE of the workspace",
            format!("UPDATE {name} SET workspace_id = '{claimant}' WHERE {there}"),
            UNSEEN,
        ),
        attempt("DELETE", format!("DELETE FROM {name} WHERE {there}"), UNSEEN),
    ];
    if let Some(own) = own {
        attempts.extend(attempts_with_own(ground, table, settings, place, own));
    }
    attempts
}

/// What is tried with a row of one's own: to move it there, onto a key that is taken there, under a parent there.
fn attempts_with_own(
    ground: &Ground<'_>,
    table: &Table,
    settings: &Settings,
    place: Place,
    own: Place,
) -> Vec<Attempt> {
    let name = &table.name;
    let move_away = format!("UPDATE {name} SET {} WHERE {}", walls(table, place).join(", "), at(table, own));
    let Use { reads, adds } = Use::of(table);
    let refusals = if reads && adds { REFUSED } else { UNSEEN };
    let mut attempts = vec![Attempt { name: "UPDATE of an own row to there", statement: move_away, refusals }];
    let keyed_by_environment = table.key_columns.iter().any(|column| column == "environment");
    if own.workspace == place.workspace && !keyed_by_environment {
        let taken = row(&table.root, place, Which::Seeded);
        let is_key = |column: &str| column != "workspace_id" && table.key_columns.iter().any(|key| key == column);
        let mut onto = row(&table.root, own, Which::Fresh);
        for ((column, value), (_, taken)) in onto.iter_mut().zip(taken) {
            if is_key(column) {
                *value = taken;
            }
        }
        let statement = upsert(table, &onto);
        attempts.push(Attempt { name: "INSERT of an own row onto its key", statement, refusals: REFUSED });
    }
    let half = |place: Place| (place.workspace, place.environment);
    for (column, parent) in references_within_tenants(table, &ground.tables) {
        let foreign = |parent_at: &Place| !settings.reach(parent, *parent_at) && half(*parent_at) == half(place);
        for parent_at in places(parent).into_iter().filter(foreign).filter(|_| half(place) != half(own)) {
            let statement = insert(name, &referring(row(name, own, Which::Fresh), column, parent, parent_at));
            let refusals = &[WALL, NO_PARENT];
            attempts.push(Attempt { name: "INSERT of an own row with a parent there", statement, refusals });
        }
    }
    attempts
}

fn upsert(table: &Table, row: &Row) -> String {
    let (insert, key, stamp) = (insert(&table.name, row), &table.primary_key, &table.stamp);
    format!("{insert} ON CONFLICT ON CONSTRAINT {key} DO UPDATE SET {stamp}")
}

/// The columns that refer to a row of a tenant's beyond its walls, and the table of that row.
fn references_within_tenants<'a>(table: &'a Table, tables: &'a [Table]) -> impl Iterator<Item = (&'a str, &'a Table)> {
    table.references().filter(|(column, _)| *column != "workspace_id").filter_map(|(column, parent)| {
        Some((column, tables.iter().find(|table| table.is_tenant && table.name == parent)?))
    })
}

/// The row with a column that names the parent's row at this place.
fn referring(mut row: Row, column: &str, parent: &Table, place: Place) -> Row {
    let parent_row = super::rows::row(&parent.name, place, Which::Seeded);
    let key = parent_row.into_iter().find(|(name, _)| *name == "id").unwrap().1;
    // A key is made by a person or by a key, never by both.
    row.retain(|(name, _)| *name != column && (column != "created_by_key" || *name != "created_by_user"));
    let known =
        ["project_id", "created_by_key", "rotated_from", "secret_id"].into_iter().find(|known| *known == column);
    row.push((known.unwrap_or_else(|| panic!("{column} refers to a tenant's row: how does one write it?")), key));
    row
}

/// The columns of the walls with what stands in them at this place.
fn walls(table: &Table, place: Place) -> Vec<String> {
    let mut walls = vec![format!("workspace_id = '{}'", place.workspace)];
    if table.has_environment {
        walls.push(format!("environment = '{}'", place.environment));
    }
    if let Some(column) = &table.project {
        walls.push(place.project.map_or(format!("{column} = NULL"), |project| format!("{column} = '{project}'")));
    }
    walls
}

fn at(table: &Table, place: Place) -> String {
    walls(table, place).join(" AND ").replace("= NULL", "IS NULL")
}
