//! A real `bailiwickd` in a process of its own: started, killed, stopped and started again.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{ChildStdout, Command};
use tokio::time::timeout;

use super::reaper::reaper;
use super::run_dir::run_dir;
use super::secrets::record;

const BINARY: &str = env!("CARGO_BIN_EXE_bailiwickd");
const READY: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(10);
/// Whatever is waited for comes within this, or it never does; longer than any test waits on a busy machine.
const PATIENCE: Duration = Duration::from_secs(300);

static NEXT: AtomicU16 = AtomicU16::new(0);

/// A data directory and two ports, which outlive the server that runs on them.
pub struct DevHome {
    /// `--data-dir`.
    pub dir: PathBuf,
    /// `--listen`, on 127.0.0.1.
    pub port: u16,
    /// `--private-listen`, on 127.0.0.1.
    pub private_port: u16,
    log: PathBuf,
    _reaper: Child,
}

impl DevHome {
    /// A directory that goes when the test ends.
    pub fn temporary() -> Self {
        let root = tempfile::tempdir().unwrap().keep();
        let logs = run_dir().map_or_else(|| root.clone(), |run| run.join("logs"));
        Self::at(root.join("data"), &logs, Some(&root))
    }

    /// A directory that stays for the leak scan, when there is one. It holds the credentials that the server made:
    /// do not record those.
    pub fn kept() -> Self {
        match run_dir() {
            Some(run) => Self::at(run.join("clusters").join(format!("dev-{}", unique())), &run.join("logs"), None),
            None => Self::temporary(),
        }
    }

    fn at(dir: PathBuf, logs: &Path, remove: Option<&Path>) -> Self {
        std::fs::create_dir_all(logs).unwrap();
        let log = logs.join(format!("dev-{}.log", unique()));
        let reaper = reaper(&dir, remove);
        Self { dir, port: free_port(), private_port: free_port(), log, _reaper: reaper }
    }

    /// `bailiwickd dev` on this directory and these ports.
    pub fn command(&self) -> Command {
        let mut command = bailiwickd(["dev"]);
        command
            .envs(
                ["SIGN_IN_REQUESTS", "SIGN_INS", "SIGN_IN_MAILS"]
                    .map(|limit| (format!("BAILIWICK_LIMITS_{limit}"), "1000")),
            )
            .arg("--data-dir")
            .arg(&self.dir)
            .args(["--listen", &format!("127.0.0.1:{}", self.port)])
            .args(["--private-listen", &format!("127.0.0.1:{}", self.private_port)]);
        command
    }

    /// The public listener's URL.
    pub fn url(&self) -> String {
        format!("http://localhost:{}", self.port)
    }

    /// The private listener's URL.
    pub fn private_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.private_port)
    }

    /// A file under the data directory, without the line's end.
    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir.join(name)).unwrap().trim_end().to_owned()
    }

    /// The process that `postmaster.pid` names; `None` when the database has stopped in good order.
    pub fn postmaster(&self) -> Option<i32> {
        let text = std::fs::read_to_string(self.dir.join("postgres/data/postmaster.pid")).ok()?;
        text.lines().next()?.trim().parse().ok()
    }

    /// All that servers on this directory wrote to stderr.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Starts a server and waits until it says that it is ready.
    pub async fn start(&self) -> DevServer<'_> {
        DevServer::start(self, self.command()).await
    }

    /// As [`Self::start`], by a shell in which this stands before the command, such as `ulimit -c 0; exec`.
    pub async fn start_by(&self, shell: &str) -> DevServer<'_> {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("{shell} \"$0\" \"$@\""), BINARY]);
        command.args(self.command().as_std().get_args()).stdin(Stdio::null()).process_group(0);
        DevServer::start(self, command).await
    }

    /// Runs a server that is expected to refuse; answers what it said.
    pub async fn refused(&self) -> String {
        refused(&mut self.command()).await
    }
}

/// A running `bailiwickd dev`.
pub struct DevServer<'a> {
    /// Where it runs.
    pub home: &'a DevHome,
    /// The URL of its ready line.
    pub url: String,
    process: tokio::process::Child,
    stdout: Lines<BufReader<ChildStdout>>,
}

impl<'a> DevServer<'a> {
    async fn start(home: &'a DevHome, mut command: Command) -> Self {
        let log = File::options().append(true).create(true).open(&home.log).unwrap();
        let mut process = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut stdout = BufReader::new(process.stdout.take().unwrap()).lines();
        let line = timeout(READY, stdout.next_line()).await;
        let line = line.unwrap_or_else(|_| panic!("not ready in time\n{}", home.log())).unwrap();
        let line = line.unwrap_or_else(|| panic!("ended before it was ready\n{}", home.log()));
        let url = line.strip_prefix("ready ").unwrap_or_else(|| panic!("not a ready line: {line}")).to_owned();
        Self { home, url, process, stdout }
    }

    /// Its process id.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.process.id().unwrap().try_into().unwrap())
    }

    /// Ends it as a power cut would.
    pub async fn kill_9(mut self) {
        self.process.kill().await.unwrap();
    }

    /// Asks it to stop; answers how it ended and what it had written to stdout after the ready line.
    pub async fn stop(mut self, signal: Signal) -> (ExitStatus, String) {
        kill(self.pid(), signal).unwrap();
        let status = self.process.wait().await.unwrap();
        let mut rest = String::new();
        while let Some(line) = self.stdout.next_line().await.unwrap() {
            rest.push_str(&line);
        }
        (status, rest)
    }

    /// The status of `/readyz`; 0 when nothing answers.
    pub async fn readyz(&self) -> u16 {
        let answer = reqwest::get(format!("{}/readyz", self.home.private_url())).await;
        answer.map_or(0, |answer| answer.status().as_u16())
    }

    /// The mailbox, newest first, once it holds so many mails. Links and codes are noted for the leak scan.
    pub async fn mails(&self, at_least: usize) -> Vec<Value> {
        let client = super::http::http();
        loop {
            let request = client.get(format!("{}/dev/mail", self.url)).header("accept", "application/json");
            let mails: Vec<Value> = request.send().await.unwrap().json().await.unwrap();
            if mails.len() >= at_least {
                mails.iter().flat_map(|mail| [&mail["link"], &mail["code"]]).filter_map(Value::as_str).for_each(record);
                return mails;
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

/// `bailiwickd` with these arguments, and with none of our settings in its environment.
pub fn bailiwickd<const N: usize>(arguments: [&str; N]) -> Command {
    let mut command = Command::new(BINARY);
    command.args(arguments).stdin(Stdio::null());
    // A group of its own: a signal to the tests is not one to the server.
    command.process_group(0).kill_on_drop(false);
    command
}

/// A log file of the run, for a server without a home.
pub fn log_file() -> Stdio {
    let Some(run) = run_dir() else { return Stdio::null() };
    std::fs::create_dir_all(run.join("logs")).unwrap();
    File::create(run.join("logs").join(format!("serve-{}.log", unique()))).unwrap().into()
}

/// Runs a command to its end.
pub async fn output(command: &mut Command) -> Output {
    command.output().await.unwrap()
}

/// Runs a command that is expected to fail with exit code 1 and nothing on stdout; answers its stderr. One that serves
/// instead is killed.
pub async fn refused(command: &mut Command) -> String {
    let ended = timeout(READY, output(command.kill_on_drop(true))).await;
    let output = ended.expect("it was to be refused, and runs");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "", "{stderr}");
    stderr
}

/// Waits until a process is gone, or is a zombie that nobody has buried yet.
pub async fn gone(pid: i32) {
    let status = PathBuf::from(format!("/proc/{pid}/stat"));
    while std::fs::read_to_string(&status).is_ok_and(|stat| !stat.contains(") Z ")) {
        tokio::time::sleep(POLL).await;
    }
}

/// Waits until something holds; what never does fails the test instead of standing still.
pub async fn until(mut holds: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < PATIENCE, "what is waited for does not come");
        tokio::time::sleep(POLL).await;
    }
}

/// The permission bits of a file.
pub fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// A port that nothing listens on, below the range from which the system gives ports to connections.
pub fn free_port() -> u16 {
    let first = 12_000 + u16::try_from(std::process::id() % 500).unwrap() * 32;
    loop {
        let port = first + NEXT.fetch_add(1, Ordering::Relaxed) % 4_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

fn unique() -> String {
    format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}
