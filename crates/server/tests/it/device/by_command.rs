//! `bailiwick login` and `bailiwick logout`, with a person at the page meanwhile.

use futures_util::future::join_all;
use serde_json::json;
use time::Duration;

use super::page;
use crate::cli::{Home, Run};
use crate::harness::app::{Person, TestApp};
use crate::harness::process::until;

/// The code that waits; codes are stored by a MAC, so it is read from what the program says.
async fn login(app: &TestApp, home: &Home, person: &Person, way: &str) -> Run {
    let mut begun = home.begin(&["login", "--server", &app.url, "-o", "json"], &[]);
    let code = begun.said_on_stderr(|line| {
        let code = line.trim();
        (code.len() == 9 && code.as_bytes()[4] == b'-').then(|| code.to_owned())
    });
    let code = code.await;
    assert_eq!(page(app, person, way, &code).await.status, 303);
    begun.end().await
}

#[tokio::test]
async fn a_person_signs_the_command_in_and_out() {
    let (app, home) = (TestApp::start().await, Home::new());
    let (ada, _) = app.founder("ada@example.com", "acme").await;
    let denied = login(&app, &home, &ada, "/device/deny").await;
    assert_eq!((denied.code, denied.stdout.as_str()), (4, ""));
    assert!(denied.stderr.contains("denied in the browser") && denied.stderr.contains("login"), "{}", denied.stderr);

    let signed_in = login(&app, &home, &ada, "/device/approve").await.json();
    assert_eq!((&signed_in["credential"], &signed_in["profile"]), (&json!("session"), &json!("default")));
    let listed = home.run(&["workspaces", "list", "-o", "json"], "").await.json();
    assert_eq!(listed[0]["slug"], "acme");
    let sessions = home.run(&["sessions", "list", "-o", "json"], "").await.json();
    let current = sessions.as_array().unwrap().iter().find(|session| session["current"] == true).unwrap();
    assert_eq!(current["signed_in_by"], "device");
    let invited = home.run(&["members", "invite", "bob@example.com", "--role", "viewer", "-w", "acme"], "").await;
    assert_eq!(invited.code, 0, "{}", invited.stderr);

    // Nobody else can read what it keeps.
    let file = home.path("bailiwick/config.toml");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions()) & 0o777;
    assert_eq!(mode, 0o600);

    // Its access token is over: of several commands at once one exchanges the other token, once.
    age(&file);
    app.advance(Duration::minutes(6));
    let runs = join_all((0..4).map(|_| home.run(&["workspaces", "list", "-o", "id"], ""))).await;
    assert!(runs.iter().all(|run| run.code == 0), "{:?}", runs.iter().map(|run| &run.stderr).collect::<Vec<_>>());
    let refreshed = async || app.actions(None).await.iter().filter(|action| *action == "session.refreshed").count();
    until(async || refreshed().await == 1).await;

    // A token that was sent long ago, with no answer kept, is not sent again: that would end all of the person's sessions.
    age(&file);
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text + "sent_at_ms = 1\n").unwrap();
    let lost = home.run(&["workspaces", "list"], "").await;
    assert!(lost.code == 4 && lost.stderr.contains("bailiwick login"), "{}", lost.stderr);
    assert_eq!(
        app.get("/v1/workspaces").bearer(&app.sign_in("ada@example.com").await.access_token).send().await.status,
        200
    );

    let ada = app.sign_in("ada@example.com").await;
    login(&app, &home, &ada, "/device/approve").await.ok();
    let before = std::fs::read_to_string(&file).unwrap();
    let token = before.lines().find_map(|line| line.strip_prefix("token = \"")?.strip_suffix('"')).unwrap().to_owned();
    home.run(&["logout"], "").await.ok();
    assert!(!std::fs::read_to_string(&file).unwrap().contains(&token));
    let call = app.get("/v1/workspaces").bearer(&token);
    assert_eq!(call.send().await.problem(), (401, "session_ended".into()));
    assert_eq!(home.run(&["workspaces", "list"], "").await.code, 4);
}

/// As if the access token had been got long ago.
fn age(file: &std::path::Path) {
    let text = std::fs::read_to_string(file).unwrap();
    let line = text.lines().find(|line| line.starts_with("expires_at = ")).unwrap().to_owned();
    std::fs::write(file, text.replace(&line, "expires_at = 1")).unwrap();
}
