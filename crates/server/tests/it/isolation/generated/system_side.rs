//! `bailiwick_system` on every path and on none, at every table: what it can do is what the path is documented to reach.

use bailiwick_server::db::OperationalPath;

use super::Ground;
use super::rows::{ADA, Place, Which, insert, row};
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
    let path = |path: OperationalPath| (format!("path {}", path.as_str()), on(path.as_str()), Some(path));
    settings.extend(OperationalPath::ALL.map(path));
    settings
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
