//! The servers' log lines of this process, at their most talkative, kept for the leak scan.

use std::fs::{self, OpenOptions};
use std::sync::Once;

use bailiwick_server::config::{Log, LogFormat};
use bailiwick_server::telemetry;

use super::run_dir::run_dir;

/// Installs the subscriber once: into `logs/` of the run's directory, or nowhere.
pub fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let Some(dir) = run_dir().map(|dir| dir.join("logs")) else { return };
        fs::create_dir_all(&dir).unwrap();
        let path = dir.join(format!("it-{}.log", std::process::id()));
        let file = OpenOptions::new().append(true).create(true).open(path).unwrap();
        // Everything that the server and its libraries say; the browser and the client are the tests' own.
        let log =
            Log { format: LogFormat::Json, filter: "trace,chromiumoxide=off,tungstenite=off,reqwest=off".to_owned() };
        let subscriber = telemetry::subscriber(&log, std::sync::Mutex::new(file));
        tracing::subscriber::set_global_default(subscriber).unwrap();
    });
}
