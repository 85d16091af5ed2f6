//! Where a log's rows stand: the cell's log is that of the nil uuid, which no tenant's transaction can name.

use bailiwick_proof::environment::Environment;
use bailiwick_proof::id::Id;
use bailiwick_proof::log::Log;
use uuid::Uuid;

/// `workspace_id` and `environment` of the log's rows.
pub(super) const fn columns(log: Log) -> (Uuid, &'static str) {
    match log {
        Log::Workspace { workspace, environment } => (workspace.uuid(), environment.as_str()),
        Log::Cell => (Uuid::nil(), Environment::Live.as_str()),
    }
}

/// The log whose rows stand there; `None` for a word that is no environment, or where the cell's log has no rows.
pub(super) fn log(workspace: Uuid, environment: &str) -> Option<Log> {
    let environment: Environment = environment.parse().ok()?;
    match (workspace.is_nil(), environment) {
        (true, Environment::Live) => Some(Log::Cell),
        (true, Environment::Test) => None,
        (false, environment) => Some(Log::Workspace { workspace: Id::from_uuid(workspace), environment }),
    }
}

/// The same of many logs, a column in an array each.
pub(super) fn arrays(logs: impl Iterator<Item = Log>) -> (Vec<Uuid>, Vec<String>) {
    logs.map(columns).map(|(workspace, environment)| (workspace, environment.to_owned())).unzip()
}
