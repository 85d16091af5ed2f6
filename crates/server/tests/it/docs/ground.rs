//! What a page's blocks are run on, and the running.
//!
//! Tests run side by side, so the servers are not on the addresses that a reader has. In blocks and in what they are
//! expected to print, these are replaced, and nothing else:
//!
//! | in the documentation | here |
//! |---|---|
//! | `localhost:8080`, `127.0.0.1:8080`, `https://bailiwick.example.com` | the public listener |
//! | `127.0.0.1:8081` | the private listener |
//! | `127.0.0.1:5432` | the socket of the empty PostgreSQL |

use std::fmt::Write as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use bailiwick_server::db::embedded::{DataDir, Embedded, Search, Tuning};
use bailiwick_server::entropy::Entropy;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

use super::page::{Block, Held, Page};
use crate::harness::cluster::options;
use crate::harness::process::{DevHome, DevServer};
use crate::harness::programs::pg_dump;
use crate::harness::secrets;

const PATIENCE: Duration = Duration::from_secs(120);
const TUNING: Tuning =
    Tuning { cluster_name: "bailiwick-docs", max_connections: 60, prepared_transactions: 0, durable: false };
/// Before the first block of every page. Our own variables and PostgreSQL's are the test runner's, not a reader's; what a
/// block leaves running ends with the page.
const OPENING: &str = "\
    set -euo pipefail\n\
    trap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT\n\
    unset ${!BAILIWICK_@} ${!PG@} DATABASE_URL\n";
/// Before the first block of a page on `key`.
const WITH_A_KEY: &str = "\
    bailiwick login --token-stdin --server http://localhost:8080 < token\n\
    bailiwick workspaces create Globex --slug globex\n\
    bailiwick workspaces use globex\n\
    bailiwick keys create deploy --scope management -o id --secret-file found.key\n";

/// A folder, and what answers around it.
pub struct Ground<'a> {
    folder: TempDir,
    home: &'a DevHome,
    below: Below<'a>,
    before: &'static str,
    superuser_url: String,
}

enum Below<'a> {
    Dev(Box<DevServer<'a>>),
    Postgres(Box<Embedded>),
}

impl<'a> Ground<'a> {
    /// Starts what these words name.
    pub async fn lay(home: &'a DevHome, words: &[String]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let (below, superuser_url) = match words.first() {
            Some(&"postgres") => empty_postgres(&home.dir).await,
            _ => {
                symlink(&home.dir, folder.path().join(".bailiwick")).unwrap();
                (Below::Dev(Box::new(home.start().await)), String::new())
            }
        };
        let mut ground = Self { folder, home, below, before: "", superuser_url };
        match words.as_slice() {
            ["dev"] | ["postgres"] => {}
            ["dev", "session"] => ground.sign_in().await,
            ["dev", "session", "key"] => {
                ground.sign_in().await;
                ground.before = WITH_A_KEY;
            }
            other => panic!("nothing of that kind to run on: {other:?}"),
        }
        ground
    }

    /// Leaves an access token in the file `token`.
    async fn sign_in(&self) {
        let Below::Dev(server) = &self.below else { panic!("nobody to sign in at") };
        let ask = async |path: &str, body: Value| -> Value {
            let answer =
                crate::harness::http::http().post(format!("{}{path}", server.url)).json(&body).send().await.unwrap();
            answer.json().await.unwrap()
        };
        let asked = ask("/auth/request", json!({"email": "ada@example.com"})).await;
        let code = server.mails(1).await[0]["code"].clone();
        let tokens = ask("/auth/verify", json!({"challenge": asked["challenge"], "code": code})).await;
        let token = tokens["access_token"].as_str().unwrap();
        secrets::record(token);
        std::fs::write(self.folder.path().join("token"), token).unwrap();
    }

    /// Runs the page's blocks in one shell; answers what was not as it says.
    pub async fn run(&self, page: &Page) -> Vec<String> {
        let out = tempfile::tempdir().unwrap();
        std::fs::write(out.path().join("script"), self.script(page, out.path())).unwrap();
        let succeeded = self.shell(out.path()).await;
        let read = |name: &str| std::fs::read_to_string(out.path().join(name)).unwrap_or_default();
        let printed: Vec<String> = (0..page.blocks.len()).map(|number| read(&number.to_string())).collect();
        printed.iter().for_each(|text| record_keys(text));
        record_keys(&std::fs::read_to_string(self.folder.path().join("found.key")).unwrap_or_default());
        if succeeded {
            return self.differences(page, &printed);
        }
        let block = read("at").parse().ok().and_then(|number: usize| page.blocks.get(number));
        let line = block.map_or(1, |block| block.line);
        vec![format!("{}:{line}: failed, or took too long\n{}", page.path, read("stderr"))]
    }

    /// Whether the script ended well, and in time.
    async fn shell(&self, out: &Path) -> bool {
        let mut command = Command::new("bash");
        command
            .arg(out.join("script"))
            .current_dir(self.folder.path())
            .env("HOME", self.folder.path())
            .env("XDG_CONFIG_HOME", self.folder.path().join(".config"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(out.join("stderr")).unwrap())
            .process_group(0)
            .kill_on_drop(true);
        let mut shell = command.spawn().unwrap();
        let group = Pid::from_raw(shell.id().unwrap().try_into().unwrap());
        match tokio::time::timeout(PATIENCE, shell.wait()).await {
            Ok(status) => status.unwrap().success(),
            Err(_) => {
                killpg(group, Signal::SIGKILL).unwrap();
                false
            }
        }
    }

    /// Where a block printed something else than the one after it expects.
    fn differences(&self, page: &Page, printed: &[String]) -> Vec<String> {
        let mut differences = Vec::new();
        for (expected, printed) in page.blocks.iter().skip(1).zip(printed) {
            let text = self.here(&expected.text);
            if expected.held == Held::Output && !fits(text.trim(), printed.trim()) {
                let line = expected.line;
                differences.push(format!("{}:{line}: expected\n{text}\nprinted\n{printed}", page.path));
            }
        }
        differences
    }

    fn script(&self, page: &Page, out: &Path) -> String {
        let programs = Path::new(env!("CARGO_BIN_EXE_bailiwickd")).parent().unwrap();
        assert!(programs.join("bailiwick").exists(), "bailiwick is missing: cargo build --workspace");
        let postgres = pg_dump().parent().map(|dir| format!(":{}", dir.display())).unwrap_or_default();
        let mut script =
            format!("{OPENING}PATH=\"{}{postgres}:$PATH\"\n{}", programs.display(), self.here(self.before));
        for (number, block) in page.blocks.iter().enumerate() {
            let Some(text) = self.runnable(block) else { continue };
            let out = out.display();
            let _infallible = write!(script, "echo -n {number} >'{out}/at'\nexec >'{out}/{number}'\n{text}\n");
        }
        script
    }

    fn runnable(&self, block: &Block) -> Option<String> {
        let text = self.here(&block.text);
        match block.held {
            Held::ShRun => Some(text),
            Held::SqlRun => {
                Some(format!("psql -qX -v ON_ERROR_STOP=1 '{}' <<'END OF SQL'\n{text}\nEND OF SQL", self.superuser_url))
            }
            _ => None,
        }
    }

    /// The addresses of this place for those of the documentation.
    fn here(&self, text: &str) -> String {
        let (port, private) = (self.home.port, self.home.private_port);
        let database = self.superuser_url.split(['@', '/']).nth(3).unwrap_or("127.0.0.1:5432");
        text.replace("https://bailiwick.example.com", &format!("http://localhost:{port}"))
            .replace("localhost:8080", &format!("localhost:{port}"))
            .replace("127.0.0.1:8080", &format!("127.0.0.1:{port}"))
            .replace("127.0.0.1:8081", &format!("127.0.0.1:{private}"))
            .replace("127.0.0.1:5432", database)
    }

    /// Stops what was started.
    pub async fn clear(self) {
        match self.below {
            Below::Dev(server) => {
                let (status, _) = server.stop(Signal::SIGTERM).await;
                assert!(status.success(), "{status}\n{}", self.home.log());
            }
            Below::Postgres(embedded) => embedded.stop().await.unwrap(),
        }
    }
}

/// A cluster without any role or database of ours, and its superuser's URL.
async fn empty_postgres(dir: &Path) -> (Below<'static>, String) {
    let programs = pg_dump().parent().filter(|dir| dir.is_dir()).map(|dir| dir.as_os_str().to_owned());
    let dir = DataDir::open(dir).unwrap();
    let embedded = Embedded::start(dir, &Search::new(programs, None), TUNING, &Entropy::system()).await.unwrap();
    let url = embedded.superuser_url("postgres");
    let mut superuser = sqlx::ConnectOptions::connect(&options(&url)).await.unwrap();
    let forget = "DROP DATABASE bailiwick; DROP ROLE bailiwick_owner, bailiwick_runtime, bailiwick_system";
    for statement in forget.split("; ") {
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut superuser).await.unwrap();
    }
    sqlx::Connection::close(superuser).await.unwrap();
    (Below::Postgres(Box::new(embedded)), url.expose_secret().to_owned())
}

/// Notes every API key in a text, for the leak scan.
fn record_keys(text: &str) {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.parse::<bailiwick_proof::api_key::PlainApiKey>().is_ok()).for_each(secrets::record);
}

/// Whether a text is what was expected, where `…` stands for anything, also for nothing.
fn fits(expected: &str, printed: &str) -> bool {
    let Some((first, others)) = expected.split_once('…') else { return expected == printed };
    let (between, last) = others.rsplit_once('…').unwrap_or(("", others));
    let Some(middle) = printed.strip_prefix(first).and_then(|rest| rest.strip_suffix(last)) else { return false };
    between.split('…').try_fold(middle, |rest, part| rest.split_once(part).map(|(_, rest)| rest)).is_some()
}

#[test]
fn an_ellipsis_stands_for_anything() {
    for (expected, printed, good) in [
        ("a…c", "abc", true),
        ("a…c", "ac", true),
        ("a…c", "abcc", true),
        ("a…b…c", "a-b-b-c", true),
        ("a…b…c", "a--c", false),
        ("a…", "abc", true),
        ("…c", "abc", true),
        ("abc", "abcd", false),
        ("a…c", "abcd", false),
        ("{\"id\":\"ws_…\",\"n\":1}", "{\"id\":\"ws_1\",\"n\":1}", true),
        ("{\"id\":\"ws_…\",\"n\":1}", "{\"id\":\"ws_1\",\"n\":12}", false),
    ] {
        assert_eq!(fits(expected, printed), good, "{expected} {printed}");
    }
}
