//! `bailiwickd dev`: everything on one machine, with nothing set up before.
//!
//! Both ports are taken before anything else starts, so that a taken one is said at once. Stdout gets one line,
//! `ready <url>`, when both listeners answer. The database is started again whenever it dies. Ctrl-C ends requests
//! first, then jobs, then the database.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use bailiwick_server::boot;
use bailiwick_server::config::{Config, Draft, Environment, Faults, InternalKey, Mode, Settings};
use bailiwick_server::db::embedded::{DataDir, Embedded, Search, Tuning};
use bailiwick_server::entropy::Entropy;
use bailiwick_server::telemetry;
use bailiwick_server::vault::LocalFile;
use clap::Args;
use secrecy::ExposeSecret;

use super::hardening::Hardened;
use super::listener::{answering, bind};
use super::migrate;
use super::serve::build;
use super::shutdown::Shutdown;

const SOURCE: &str = "bailiwickd dev";
/// Between two attempts to start a database that died: doubled from the first up to the second.
const RESTART_PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Where database, secrets and logs are kept
    #[arg(long, value_name = "DIR", default_value = ".bailiwick")]
    data_dir: PathBuf,
    /// Address and port of the public listener; port 0 takes any free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<SocketAddr>,
    /// Address and port of the private listener [default: 127.0.0.1:8081]
    #[arg(long, value_name = "ADDR:PORT")]
    private_listen: Option<SocketAddr>,
    /// Where the journal of what was signed is kept [default: beside the data directory, its name with -anchor]
    #[arg(long, value_name = "DIR")]
    anchor_dir: Option<PathBuf>,
    /// Where browsers reach the public listener [default: http://localhost:<port>]
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
}

/// The sockets, taken, and the addresses that they really have.
struct Listeners {
    public: TcpListener,
    private: TcpListener,
    listen: SocketAddr,
    private_listen: SocketAddr,
}

/// Serves until it is asked to stop.
pub(super) async fn run(arguments: Arguments, environment: &Environment, hardened: Hardened) -> anyhow::Result<()> {
    let data_dir = arguments.data_dir.clone();
    let given = given(arguments, environment);
    let mut faults = Vec::new();
    let draft = Draft::parse(&given, Mode::Dev, &mut faults);
    faults.extend(boot::dev_faults(&draft));
    let addresses = draft.listeners().filter(|_| faults.is_empty()).ok_or(Faults(faults))?;
    let listeners = Listeners::bind(addresses)?;
    telemetry::install(draft.log())?;
    hardened.report();
    let shutdown = Shutdown::listen()?;

    let database = tokio::select! {
        started = start_database(&data_dir, environment) => started?,
        () = shutdown.clone().requested() => return Ok(()),
    };
    run_with(database, given, listeners, shutdown).await
}

/// Everything after the start of the database, which is stopped at the end however that comes.
async fn run_with(
    mut database: Embedded,
    given: Settings,
    listeners: Listeners,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    let served = async {
        migrate::apply(&database.urls().owner).await?;
        let config = configure(&database, given, &listeners)?;
        serve(&mut database, &config, listeners, shutdown).await
    }
    .await;
    let stopped = database.stop().await.context("cannot stop the database");
    served.and(stopped)
}

/// Beside the data directory, not in it: whoever puts an older copy of the data directory back must not put back the
/// journal with it.
pub(super) fn anchor_beside(data_dir: &Path) -> PathBuf {
    let name = data_dir.file_name().unwrap_or_default().to_string_lossy();
    data_dir.with_file_name(format!("{name}-anchor"))
}

/// The development server's KEK: in its directory, and not in the database's part of it.
pub(super) fn kek_of(data_dir: &Path) -> PathBuf {
    data_dir.join("secrets/kek.json")
}

fn kek_beside(data_dir: &Path, entropy: &Entropy) -> anyhow::Result<String> {
    let path = kek_of(data_dir);
    if !path.exists() {
        LocalFile::make(&path, entropy, true)?;
    }
    path.into_os_string().into_string().ok().context("the data directory's path is not UTF-8")
}

/// What the person gave; the rest is made.
fn given(arguments: Arguments, environment: &Environment) -> Settings {
    let flags = [
        ("listen", arguments.listen.map(|address| address.to_string())),
        ("private_listen", arguments.private_listen.map(|address| address.to_string())),
        ("public_url", arguments.public_url),
        ("anchor_dir", arguments.anchor_dir.map(|dir| dir.to_string_lossy().into_owned())),
    ];
    Settings::defaults()
        .made(SOURCE, [("log.format", "text".to_owned()), ("vault.kek", "local".to_owned())])
        .environment(environment)
        .flags(flags.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))))
}

impl Listeners {
    fn bind((listen, private_listen): (SocketAddr, SocketAddr)) -> anyhow::Result<Self> {
        let public = bind(listen, "--listen")?;
        let private = bind(private_listen, "--private-listen")?;
        let context = "cannot tell which port was taken";
        let listen = public.local_addr().context(context)?;
        let private_listen = private.local_addr().context(context)?;
        Ok(Self { public, private, listen, private_listen })
    }
}

async fn start_database(data_dir: &Path, environment: &Environment) -> anyhow::Result<Embedded> {
    let dir = DataDir::open(data_dir)?;
    let search = Search::new(environment.get("PG_BIN"), environment.get("PATH"));
    if !dir.path().join("postgres").exists() {
        eprintln!("Making a database in {} (once; a few seconds)", dir.path().display());
    }
    Ok(Embedded::start(dir, &search, Tuning::DEV, &Entropy::system()).await?)
}

/// Puts what was made on top of what was given: a development server never reaches for another database, other
/// secrets or a real mail server, whatever the environment says.
fn configure(database: &Embedded, given: Settings, listeners: &Listeners) -> anyhow::Result<Config> {
    let entropy = Entropy::system();
    let files = database.dir().secrets()?;
    let kek_file = kek_beside(database.dir().path(), &entropy)?;
    let internal_key = files.read_or_make("internal_key", || InternalKey::make_for_dev(&entropy))?;
    let urls = database.urls();

    let port = listeners.listen.port();
    let public_url = given.text("public_url").unwrap_or_else(|| format!("http://localhost:{port}"));
    let mut hosts = given.list("allowed_hosts");
    hosts.extend(["localhost", "127.0.0.1", "[::1]"].map(|name| format!("{name}:{port}")));
    hosts.push(listeners.listen.to_string());
    let anchor_dir = given.text("anchor_dir").map_or_else(|| anchor_beside(database.dir().path()), PathBuf::from);
    let anchor_dir = anchor_dir.into_os_string().into_string().ok().context("the anchor store's path is not UTF-8")?;
    let published = given.text("publish.s3_url").is_none().then(|| {
        let beside = || database.dir().path().join("published").to_string_lossy().into_owned();
        ("publish.dir", given.text("publish.dir").unwrap_or_else(beside))
    });
    let settings = given.made(
        SOURCE,
        [
            ("listen", listeners.listen.to_string()),
            ("private_listen", listeners.private_listen.to_string()),
            ("public_url", public_url),
            ("allowed_hosts", hosts.join(",")),
            ("database.runtime_url", urls.runtime.expose_secret().to_owned()),
            ("database.system_url", urls.system.expose_secret().to_owned()),
            ("database.migrate_url", urls.owner.expose_secret().to_owned()),
            ("anchor_dir", anchor_dir),
            ("mail.from", "Bailiwick <no-reply@localhost>".to_owned()),
            ("vault.kek_file", kek_file),
            ("secrets.internal_key", internal_key.expose_secret().to_owned()),
        ]
        .into_iter()
        .chain(published),
    );
    Ok(boot::check_dev(&settings)?)
}

async fn serve(
    database: &mut Embedded,
    config: &Config,
    listeners: Listeners,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    let data_dir = database.dir().path().to_path_buf();
    let app = build(config).await?;
    let Listeners { public, private, listen, private_listen } = listeners;
    let greeted = async {
        answering(listen, private_listen).await?;
        greet(config, &data_dir)
    };
    let server = async {
        tokio::try_join!(
            async { app.serve(public, private, shutdown.requested()).await.context("a listener failed") },
            greeted
        )
        .map(|_| ())
    };
    tokio::select! {
        served = server => served,
        () = keep_alive(database) => Ok(()),
    }
}

/// Starts the database again whenever it dies. Never resolves.
async fn keep_alive(database: &mut Embedded) {
    loop {
        database.died().await;
        tracing::error!(event = "database.died");
        let (mut pause, longest) = RESTART_PAUSES;
        while let Err(error) = database.restart().await {
            let pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
            tracing::error!(event = "database.restart_failed", error = %error, pause_ms);
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(longest);
        }
        tracing::info!(event = "database.restarted");
    }
}

/// The one line for programs on stdout, and some for people on stderr.
fn greet(config: &Config, data_dir: &Path) -> anyhow::Result<()> {
    let console = config.public_url.origin();
    eprintln!(
        "\n  Bailiwick is ready.\n\n    \
         Console   {console}\n    \
         Mailbox   {mailbox}   (sign-in mails arrive here)\n    \
         Private   http://{private}   (health, metrics, /internal)\n    \
         Data      {data}   (secrets/internal_key opens /internal)\n    \
         Anchor    {anchor}   (the journal of what was signed)\n\n  \
         Ctrl-C stops it; the data stay.\n",
        mailbox = config.public_url.join("/dev/mail"),
        private = config.private_listen,
        data = data_dir.display(),
        anchor = config.anchor,
    );
    super::print(&format!("ready {console}"))
}
