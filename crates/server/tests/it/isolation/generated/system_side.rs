//! `bailiwick_system` on every path and on none, at every table: what it can do is what the path is documented to reach.

use bailiwick_server::db::OperationalPath;

use super::Ground;
use super::rows::{ADA, BOB, Place, Which, insert, row};
use super::session::{End, Session, Settings};
use super::table::Table;

const COMMANDS: [&str; 4] = ["SELECT", "INSERT", "UPDATE", "DELETE"];

/// What a path can do and is not documented to, or the other way round.
pub async fn breaches(ground: &Ground<'_>) -> Vec<String> {
    let mut breaches = Vec::new();
    let before = ground.dump().await;
    let mut session = Session::open(&ground.database.urls.system).await;
    for (name, settings, path) in settings() {
        session = session.ready_for(&settings).await;
        for table in ground.tried() {
            let reached =
                path.into_iter().flat_map(OperationalPath::reaches).find(|(reached, _)| *reached == table.name);
            for command in COMMANDS {
                let reaches = reached.is_some_and(|(_, commands)| commands.contains(&command));
                let end = if reaches { End::Rollback } else { End::Commit };
                let outcome = session.attempt(&settings, &statement(table, command), end).await;
                let did = !["0", "42501"].contains(&outcome.as_str());
                if did != reaches {
                    breaches.push(format!("{}: {name}: {command}: {outcome}", table.name));
                }
            }
            for statement in path.into_iter().flat_map(|path| beyond(path, table)) {
                let outcome = session.attempt(&settings, &statement, End::Commit).await;
                if !["0", "42501"].contains(&outcome.as_str()) {
                    breaches.push(format!("{}: {name}: {statement}: {outcome}", table.name));
                }
            }
        }
    }
    if ground.dump().await != before {
        breaches.push("bailiwick_system: rows have changed".to_owned());
    }
    breaches
}

fn settings() -> Vec<(String, Settings, Option<OperationalPath>)> {
    let on = |path: &str| Settings { path: Some(path.to_owned()), ..Settings::empty() };
    let mut settings = vec![
        ("no path".to_owned(), Settings::default(), None),
        ("an empty path".to_owned(), Settings::empty(), None),
        ("an unknown path".to_owned(), on("everything"), None),
        ("a tenant's settings".to_owned(), Settings::tenant(ADA, "live", None), None),
    ];
    for path in OperationalPath::ALL {
        let alone = on(path.as_str());
        if path.is_within_a_workspace() {
            let name = format!("path {} without a workspace", path.as_str());
            settings.push((name, alone.clone(), None));
            let within = Settings { path: alone.path, ..Settings::tenant(ADA, "live", None) };
            settings.push((format!("path {}", path.as_str()), within, Some(path)));
        } else {
            settings.push((format!("path {}", path.as_str()), alone, Some(path)));
        }
    }
    settings
}

/// What a path within a workspace must not do to the rows of others, whatever it may do to its own.
fn beyond(path: OperationalPath, table: &Table) -> Vec<String> {
    if !path.is_within_a_workspace() || !table.is_tenant {
        return Vec::new();
    }
    let name = &table.name;
    let elsewhere = if table.has_environment {
        format!("workspace_id <> '{ADA}' OR environment <> 'live'")
    } else {
        format!("workspace_id <> '{ADA}'")
    };
    let other = if table.has_environment {
        Place { workspace: ADA, environment: "test", project: None }
    } else {
        Place { workspace: BOB, environment: "live", project: None }
    };
    vec![
        format!("SELECT FROM {name} WHERE {elsewhere}"),
        format!("UPDATE {name} SET {} WHERE {elsewhere}", table.stamp),
        format!("DELETE FROM {name} WHERE {elsewhere}"),
        insert(name, &row(&table.root, other, Which::Fresh)),
        insert(name, &row(&table.root, Place { workspace: BOB, environment: "live", project: None }, Which::Fresh)),
    ]
}

/// Without a WHERE and with constants alone, so that no other policy than the command's own takes part.
fn statement(table: &Table, command: &str) -> String {
    let name = &table.name;
    match command {
        "SELECT" => format!("SELECT FROM {name}"),
        "INSERT" => {
            let place = Place { workspace: ADA, environment: "live", project: None };
            insert(name, &row(&table.root, place, Which::Fresh))
        }
        "UPDATE" => format!("UPDATE {name} SET {}", table.stamp),
        _ => format!("DELETE FROM {name}"),
    }
}
