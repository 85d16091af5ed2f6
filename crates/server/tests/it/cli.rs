//! The `bailiwick` program against a running server, as a person and as a script use it.
//!
//! The program is the one beside this test's executable: `cargo test --workspace` builds both.

use std::path::PathBuf;
use std::process::Stdio;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStderr, Command};

use crate::harness::app::TestApp;
use crate::harness::secrets;

const FORMATS: [&str; 4] = ["table", "json", "yaml", "id"];

/// A person at a terminal: a server, an access token, and a home of their own.
pub struct Desk {
    /// The server.
    pub app: TestApp,
    access_token: String,
    /// Where the program is run.
    pub home: Home,
}

/// What the program keeps, and what it is run in.
pub struct Home(TempDir);

/// A run of the program that has not ended.
pub struct Begun {
    child: Child,
    stderr: BufReader<ChildStderr>,
    said: String,
}

/// What a run of the program left.
pub struct Run {
    /// The exit code.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Home {
    /// A home without any setting.
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A file in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Begins a run of the program, with more variables; nothing is given to it to read.
    pub fn begin(&self, args: &[&str], variables: &[(&str, &str)]) -> Begun {
        let mut command = Command::new(program());
        command.args(args).env_clear().env("XDG_CONFIG_HOME", self.0.path()).envs(variables.iter().copied());
        command.current_dir(self.0.path()).kill_on_drop(true).stdin(Stdio::null());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        Begun { child, stderr, said: String::new() }
    }

    /// Runs the program and gives it `input` to read.
    pub async fn run(&self, args: &[&str], input: &str) -> Run {
        let mut command = Command::new(program());
        command
            .args(args)
            .env_clear()
            .env("XDG_CONFIG_HOME", self.0.path())
            .current_dir(self.0.path())
            .kill_on_drop(true);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // A program that ends without reading closes the pipe, which is its right.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        let output = child.wait_with_output().await.unwrap();
        Run {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Begun {
    /// What the first line on standard error tells that tells anything.
    pub async fn said_on_stderr<T>(&mut self, tells: impl Fn(&str) -> Option<T>) -> T {
        loop {
            let mut line = String::new();
            assert_ne!(self.stderr.read_line(&mut line).await.unwrap(), 0, "{}", self.said);
            self.said.push_str(&line);
            if let Some(told) = tells(&line) {
                return told;
            }
        }
    }

    /// Waits for its end.
    pub async fn end(mut self) -> Run {
        self.stderr.read_to_string(&mut self.said).await.unwrap();
        let output = self.child.wait_with_output().await.unwrap();
        Run {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: self.said,
        }
    }
}

impl Desk {
    /// Signs a person in by mail; the program does not know of it yet.
    async fn of(email: &str) -> Self {
        let app = TestApp::start().await;
        let access_token = app.sign_in(email).await.access_token;
        Self { app, access_token, home: Home::new() }
    }

    /// The same, signed in on the command line too, with the workspace `acme` as the profile's default.
    pub async fn ready(email: &str) -> Self {
        let desk = Self::of(email).await;
        desk.login("default", &desk.access_token).await.ok();
        desk.run(&["workspaces", "create", "Acme", "--slug", "acme"]).await.ok();
        desk.run(&["workspaces", "use", "acme"]).await.ok();
        desk
    }

    /// Signs in on the command line.
    pub async fn login(&self, profile: &str, token: &str) -> Run {
        let server = self.app.url.clone();
        let args = ["login", "--token-stdin", "--profile", profile, "--server", &server, "-o", "json"];
        self.home.run(&args, token).await
    }

    /// Runs the program.
    pub async fn run(&self, args: &[&str]) -> Run {
        self.home.run(args, "").await
    }

    /// What it answers in each of the forms.
    pub async fn in_every_form(&self, args: &[&str]) -> [String; 4] {
        let mut told = [const { String::new() }; 4];
        for (format, told) in FORMATS.into_iter().zip(&mut told) {
            *told = self.run(&[args, &["-o", format]].concat()).await.ok();
        }
        told
    }

    /// Makes a key and answers all that is told about it, the secret included.
    pub async fn create_key(&self, args: &[&str]) -> Value {
        let made = self.run(&[&["keys", "create", "-o", "json"], args].concat()).await.json();
        secrets::record(made["key"].as_str().unwrap());
        made
    }
}

impl Run {
    /// The output of a run that did what it was asked for.
    pub fn ok(self) -> String {
        assert_eq!(self.code, 0, "{}", self.stderr);
        self.stdout
    }

    /// The same as JSON.
    pub fn json(self) -> Value {
        serde_json::from_str(&self.ok()).unwrap()
    }

    /// A run that ended with this code and told this server's code, as JSON.
    pub fn refused(&self, exit: i32, code: &str) {
        assert_eq!(self.code, exit, "{}", self.stderr);
        assert_eq!(self.stdout, "");
        let problem: Value = serde_json::from_str(&self.stderr).unwrap();
        assert_eq!(problem["code"], code);
        assert!(problem["request_id"].as_str().is_some_and(|id| id.starts_with("req_")), "{problem}");
    }
}

/// `target/<profile>/deps/it-…` -> `target/<profile>/bailiwick`.
fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let program = test.parent().and_then(|deps| deps.parent()).unwrap().join("bailiwick");
    assert!(program.exists(), "{} is missing: cargo build -p bailiwick-cli", program.display());
    program
}

pub fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap()
}

pub fn ids(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|item| text(item, "id")).collect()
}

/// The items of a list, or the one thing; without the moment of last use, which moves between two questions.
fn things(said: Value) -> Vec<Value> {
    let mut things = match said {
        Value::Array(things) => things,
        thing => vec![thing],
    };
    for thing in &mut things {
        thing.as_object_mut().unwrap().shift_remove("last_used_at");
    }
    things
}

#[tokio::test]
async fn from_signing_in_to_a_revoked_key() {
    let desk = Desk::of("ada@example.com").await;
    let login = desk.login("me", &desk.access_token).await.json();
    assert_eq!((text(&login, "profile"), text(&login, "credential")), ("me", "access_token"));
    assert_eq!(desk.run(&["workspaces", "list", "-o", "json"]).await.json(), json!([]));

    let acme = desk.run(&["workspaces", "create", "Acme", "--slug", "acme", "-o", "json"]).await.json();
    assert_eq!((text(&acme, "slug"), text(&acme, "role")), ("acme", "owner"));
    desk.run(&["workspaces", "use", "acme"]).await.ok();

    let made = desk.create_key(&["importer", "--scope", "read", "--scope", "write", "--expires-in", "30d"]).await;
    let (id, secret) = (text(&made, "id"), text(&made, "key"));
    assert_eq!(made["scopes"], json!(["read", "write"]));
    let listed = desk.run(&["keys", "list", "-o", "json"]).await.json();
    assert_eq!(ids(&listed), [id]);
    let shown = desk.run(&["keys", "get", id, "-o", "json"]).await.json();
    assert_eq!((text(&shown, "status"), &shown["expires_at"]), ("active", &made["expires_at"]));
    assert!(shown.get("key").is_none() && !listed.to_string().contains(secret));

    let by_key = desk.login("importer", secret).await.json();
    assert_eq!((text(&by_key, "credential"), &by_key["workspace"]), ("api_key", &acme["id"]));
    let own = desk.run(&["keys", "self", "-o", "json"]).await.json();
    assert_eq!((text(&own, "id"), &own["workspace_id"]), (id, &acme["id"]));

    let update = ["keys", "update", id, "--profile", "me", "-o", "json"];
    let told = [
        "--name",
        "import",
        "--label",
        "team=core",
        "--label",
        "env=prod",
        "--network",
        "127.0.0.1",
        "--network",
        "::1",
    ];
    let changed = desk.run(&[&update[..], &told, &["--never-expires"]].concat()).await.json();
    assert_eq!((text(&changed, "name"), &changed["expires_at"]), ("import", &Value::Null));
    assert_eq!(changed["labels"], json!({"env": "prod", "team": "core"}));
    assert_eq!(changed["allowed_networks"], json!(["127.0.0.1/32", "::1/128"]));
    let by_label = async |label: &str| {
        ids(&desk.run(&["keys", "list", "--label", label, "--profile", "me", "-o", "json"]).await.json()).len()
    };
    assert_eq!((by_label("team=core").await, by_label("team=shop").await), (1, 0));
    let changed = desk.run(&[&update[..], &["--no-labels", "--anywhere"]].concat()).await.json();
    assert_eq!((&changed["labels"], &changed["allowed_networks"]), (&json!({}), &json!([])));
    for wrong in
        [&["--label", "team"][..], &["--label", "a=1", "--label", "a=2"], &["--no-labels", "--label", "a=1"], &[]]
    {
        assert_eq!(desk.run(&[&update[..], wrong].concat()).await.code, 2, "{wrong:?}");
    }
    let next = ["keys", "rotate", id, "--profile", "me", "--overlap", "2h", "-o", "json"];
    let successor = desk.run(&next).await.json();
    secrets::record(text(&successor, "key"));
    assert_eq!(text(&successor, "rotated_from"), id);
    desk.run(&next).await.refused(5, "key_already_rotated");

    let unasked = desk.run(&["keys", "revoke", id, "--profile", "me"]).await;
    assert_eq!(unasked.code, 2, "{}", unasked.stderr);
    let revoked = desk.run(&["keys", "revoke", id, "--yes", "--profile", "me", "-o", "json"]).await.json();
    assert_eq!(revoked, json!({ "id": id, "status": "revoked" }));
    desk.run(&["keys", "self", "-o", "json"]).await.refused(4, "key_revoked");
    let gone = desk.run(&["keys", "get", id, "--profile", "me", "-o", "json"]).await.json();
    assert_eq!(text(&gone, "status"), "revoked");
}

#[tokio::test]
async fn every_question_is_answered_in_every_form() {
    let desk = Desk::ready("ada@example.com").await;
    desk.run(&["projects", "create", "website"]).await.ok();
    let made = desk.create_key(&["reader", "--scope", "read"]).await;
    let (id, secret) = (text(&made, "id"), text(&made, "key"));
    desk.login("reader", secret).await.ok();
    desk.run(&["profiles", "use", "default"]).await.ok();

    let questions: [(&[&str], &str); 9] = [
        (&["workspaces", "list"], "id"),
        (&["workspaces", "get"], "id"),
        (&["projects", "list"], "id"),
        (&["members", "list"], "user_id"),
        (&["sessions", "list"], "id"),
        (&["keys", "list"], "id"),
        (&["keys", "get", id], "id"),
        (&["keys", "self", "--profile", "reader"], "id"),
        (&["profiles", "list"], "name"),
    ];
    for (question, id_member) in questions {
        let [as_table, as_json, as_yaml, as_ids] = desk.in_every_form(question).await;
        let said: Value = serde_json::from_str(&as_json).unwrap();
        let by_yaml: Value = serde_saphyr::from_str(&as_yaml).unwrap();
        let said = things(said);
        assert_eq!(things(by_yaml), said, "{question:?}");
        let expected: Vec<&str> = said.iter().map(|thing| text(thing, id_member)).collect();
        assert!(!expected.is_empty(), "{question:?}");
        assert_eq!(as_ids.lines().collect::<Vec<_>>(), expected, "{question:?}");
        assert!(expected.iter().all(|id| as_table.contains(id)), "{question:?}: {as_table}");
        assert!(!as_table.contains(secret) && !as_yaml.contains(secret), "{question:?}");
    }
}

#[tokio::test]
async fn every_change_is_told_in_every_form() {
    let desk = Desk::ready("ada@example.com").await;
    for format in FORMATS {
        let check = |run: Run, id_member: &'static str| {
            let told = run.ok();
            let id = match format {
                "json" => text(&serde_json::from_str(&told).unwrap(), id_member).to_owned(),
                "yaml" => text(&serde_saphyr::from_str(&told).unwrap(), id_member).to_owned(),
                "id" => told.trim_end().to_owned(),
                _ => told.split_whitespace().nth(1).unwrap().to_owned(),
            };
            assert!(!id.is_empty() && !id.contains(char::is_whitespace), "{told}");
        };
        let slug = format!("by-{format}");
        check(desk.run(&["workspaces", "create", "W", "--slug", &slug, "-o", format]).await, "id");
        check(desk.run(&["workspaces", "use", "acme", "-o", format]).await, "id");
        check(desk.run(&["projects", "create", &slug, "-o", format]).await, "id");

        let file = desk.home.path(format);
        let file = file.to_str().unwrap();
        let create = ["keys", "create", &slug, "--scope", "read", "--secret-file", file, "-o", format];
        check(desk.run(&create).await, "id");
        let secret = std::fs::read_to_string(file).unwrap();
        secrets::record(secret.trim());
        assert_eq!(desk.login("by-key", secret.trim()).await.json()["credential"], "api_key");
        let id = desk.run(&["keys", "self", "-o", "id"]).await.ok();

        check(desk.run(&["profiles", "use", "default", "-o", format]).await, "name");
        check(desk.run(&["keys", "revoke", id.trim(), "--yes", "-o", format]).await, "id");
        check(desk.run(&["logout", "--profile", "by-key", "-o", format]).await, "profile");
        let again = ["login", "--token-stdin", "-o", format];
        check(desk.home.run(&again, &desk.access_token).await, "profile");
        desk.run(&["workspaces", "use", "acme"]).await.ok();
    }
}

#[tokio::test]
async fn each_refusal_has_its_exit_code() {
    let desk = Desk::ready("ada@example.com").await;
    let unknown_key = "key_01h455vb4pex5vsknk084sn02q";
    desk.run(&["keys", "list", "-w", "elsewhere", "-o", "json"]).await.refused(3, "not_found");
    desk.run(&["workspaces", "get", "ws_01h455vb4pex5vsknk084sn02q", "-o", "json"]).await.refused(3, "not_found");
    desk.run(&["keys", "get", unknown_key, "-o", "json"]).await.refused(3, "not_found");
    desk.run(&["keys", "revoke", unknown_key, "--yes", "-o", "json"]).await.refused(3, "not_found");
    desk.run(&["workspaces", "create", "W", "--slug", "acme", "-o", "json"]).await.refused(5, "slug_taken");
    desk.run(&["workspaces", "create", "W", "--slug", "Not A Slug", "-o", "json"]).await.refused(1, "invalid_body");

    let reader = desk.create_key(&["reader", "--scope", "read"]).await;
    desk.login("reader", text(&reader, "key")).await.ok();
    desk.run(&["keys", "create", "n", "--scope", "read", "-o", "json"]).await.refused(4, "forbidden");
    let other = ["projects", "list", "--environment", "test", "-o", "json"];
    desk.run(&other).await.refused(4, "environment_mismatch");

    let unknown = desk.login("unknown", "an.unknown.token").await;
    unknown.refused(4, "unauthenticated");
    assert_eq!(desk.run(&["keys", "list", "--profile", "unknown"]).await.code, 4);
}

#[tokio::test]
async fn a_person_is_told_what_went_wrong() {
    let desk = Desk::ready("ada@example.com").await;
    let run = desk.run(&["workspaces", "create", "W", "--slug", "Not A Slug"]).await;
    assert_eq!(run.code, 1);
    assert!(run.stderr.starts_with("error: "), "{}", run.stderr);
    assert!(run.stderr.contains("(invalid_body, request req_"), "{}", run.stderr);
    assert!(run.stderr.contains("\n  /slug: "), "{}", run.stderr);
}

#[tokio::test]
async fn a_repeated_command_makes_one_key() {
    let desk = Desk::ready("ada@example.com").await;
    let create = ["deploy", "--scope", "read", "--idempotency-key", "deploy-42"];
    let first = desk.create_key(&create).await;
    assert_eq!(desk.create_key(&create).await, first);
    assert_eq!(ids(&desk.run(&["keys", "list", "-o", "json"]).await.json()), [text(&first, "id")]);

    let other = ["keys", "create", "other", "--scope", "read", "--idempotency-key", "deploy-42", "-o", "json"];
    desk.run(&other).await.refused(1, "idempotency_key_reused");
}

#[tokio::test]
async fn the_environments_do_not_see_each_other() {
    let desk = Desk::ready("ada@example.com").await;
    let test = desk.create_key(&["t", "--scope", "read", "--environment", "test"]).await;
    let live = desk.create_key(&["l", "--scope", "read", "--environment", "live"]).await;
    assert!(text(&test, "key").starts_with("bw_test_") && text(&live, "key").starts_with("bw_live_"));
    let in_test = desk.run(&["keys", "list", "--environment", "test", "-o", "json"]).await.json();
    assert_eq!(ids(&in_test), [text(&test, "id")]);
    assert_eq!(ids(&desk.run(&["keys", "list", "-o", "json"]).await.json()), [text(&live, "id")]);
}

#[tokio::test]
async fn a_key_finds_its_own_workspace_and_stays_in_its_project() {
    let desk = Desk::ready("ada@example.com").await;
    let website = desk.run(&["projects", "create", "website", "-o", "id"]).await.ok();
    desk.run(&["projects", "create", "shop"]).await.ok();
    let key = desk.create_key(&["w", "--scope", "read", "--project", website.trim()]).await;
    assert_eq!(text(&key, "project_id"), website.trim());

    desk.login("website", text(&key, "key")).await.ok();
    let seen = desk.run(&["projects", "list", "-o", "json"]).await.json();
    assert_eq!(ids(&seen), [website.trim()]);
}

/// More rows than the server gives at once.
#[tokio::test]
async fn a_list_is_followed_to_its_end() {
    const ROWS: usize = 103;
    let desk = Desk::ready("ada@example.com").await;
    let http = crate::harness::http::http();
    for n in 0..ROWS {
        let request =
            http.post(format!("{}/v1/workspaces/acme/projects", desk.app.url)).bearer_auth(&desk.access_token);
        let made = request.json(&json!({ "name": format!("p{n}") })).send().await.unwrap();
        assert_eq!(made.status(), 201);
    }
    for (limit, rows) in [(None, ROWS), (Some("3"), 3), (Some("101"), 101), (Some("1000"), ROWS)] {
        let limited = limit.map_or(vec![], |limit| vec!["--limit", limit]);
        let list = desk.run(&[&["projects", "list", "-o", "json"], &limited[..]].concat()).await.json();
        let mut seen = ids(&list);
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), rows, "{limit:?}");
    }
}
