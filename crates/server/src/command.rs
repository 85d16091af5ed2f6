//! The commands of `bailiwickd`, one module each.

mod alerts;
mod cell;
mod config_show;
mod dev;
mod erase;
mod factors;
mod hardening;
mod internal_key;
mod jobs;
mod kek;
mod ledger;
mod listener;
mod migrate;
mod people;
mod place;
mod reference;
mod rotate;
mod schema;
mod serve;
mod shutdown;
mod witness;

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use bailiwick_server::config::{Environment, Settings};
use clap::{Args, Parser, Subcommand};

pub(crate) use self::hardening::{Hardened, harden};

/// The server of Bailiwick: sign-in, workspaces, roles, API keys and tenant isolation on PostgreSQL.
#[derive(Debug, Parser)]
#[command(name = "bailiwickd", version, about, disable_help_subcommand = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run everything on this machine: a private PostgreSQL, generated secrets, a mailbox instead of mail
    Dev(dev::Arguments),
    /// Run in production, or list every fault that speaks against it
    Serve(Layers),
    /// Bring the database's schema up to date, as its owner
    Migrate(migrate::Arguments),
    /// Look at the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Check the ledger
    #[command(subcommand)]
    Ledger(ledger::Command),
    /// Make, list and revoke credentials of your own services, which ask at /internal
    #[command(subcommand)]
    InternalKey(internal_key::Command),
    /// Look at a person, keep one out with all their sessions, let one in again
    #[command(subcommand)]
    People(people::Command),
    /// Take the second factors away of somebody who has lost them
    #[command(subcommand)]
    Factors(factors::Command),
    /// Give a secret of the server's own a successor, without downtime
    #[command(subcommand)]
    Rotate(rotate::Command),
    /// Make a person or a workspace unreadable for good
    #[command(subcommand)]
    Erase(erase::Command),
    /// Look at the key that wraps all others, rotate it, move it to another keeper
    #[command(subcommand)]
    Kek(kek::Command),
    /// Look at the queue of jobs, try one again, discard one
    #[command(subcommand)]
    Jobs(jobs::Command),
    /// Look at what was found that should not be, say what was seen to
    #[command(subcommand)]
    Alerts(alerts::Command),
    /// Compare the database's schema with what was recorded of it, accept a change of your own
    #[command(subcommand)]
    Schema(schema::Command),
    /// Cosign the checkpoints of other people's logs; needs no server and no database
    #[command(subcommand)]
    Witness(witness::Command),
    /// Print the OpenAPI document
    Openapi,
    /// Print a page of the reference documentation
    Reference(reference::Arguments),
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Print every setting, its value and where it comes from; secrets are redacted
    Show(Layers),
}

/// What was checked is not what it should be: its own exit code, as in the command line of customers.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NotVerified(&'static str);

/// Where settings come from, besides the environment.
#[derive(Debug, Args)]
pub(crate) struct Layers {
    /// The configuration file, TOML [default: $BAILIWICK_CONFIG]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address and port of the public listener
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<SocketAddr>,
    /// Address and port of the private listener
    #[arg(long, value_name = "ADDR:PORT")]
    private_listen: Option<SocketAddr>,
    /// Where people reach the public listener
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// Any other setting that is no secret, such as log.format=text
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = key_and_value)]
    set: Vec<(String, String)>,
}

impl Layers {
    /// All layers: defaults, file, environment, flags.
    fn settings(self, environment: &Environment) -> Settings {
        let mut settings = Settings::defaults();
        let file = self
            .config
            .or_else(|| environment.get("BAILIWICK_CONFIG").filter(|path| !path.is_empty()).map(PathBuf::from));
        if let Some(file) = file {
            settings = settings.file(&file);
        }
        let named = [
            ("listen", self.listen.map(|address| address.to_string())),
            ("private_listen", self.private_listen.map(|address| address.to_string())),
            ("public_url", self.public_url),
        ];
        let named = named.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
        settings.environment(environment).flags(self.set).flags(named)
    }
}

fn key_and_value(text: &str) -> Result<(String, String), &'static str> {
    text.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned())).ok_or("not of the form KEY=VALUE")
}

/// Runs the command.
pub(crate) async fn run(arguments: Arguments, hardened: Hardened) -> anyhow::Result<()> {
    let environment = Environment::of_process();
    match arguments.command {
        Command::Dev(arguments) => dev::run(arguments, &environment, hardened).await,
        Command::Serve(layers) => serve::run(layers.settings(&environment), hardened).await,
        Command::Migrate(arguments) => migrate::run(arguments, &environment).await,
        Command::Config(ConfigCommand::Show(layers)) => config_show::run(&layers.settings(&environment)),
        Command::Ledger(command) => ledger::run(command, &environment).await,
        Command::InternalKey(command) => internal_key::run(command, &environment).await,
        Command::People(command) => people::run(command, &environment).await,
        Command::Factors(command) => factors::run(command, &environment).await,
        Command::Rotate(command) => rotate::run(command, &environment).await,
        Command::Erase(command) => erase::run(command, &environment).await,
        Command::Kek(command) => kek::run(command, &environment).await,
        Command::Jobs(command) => jobs::run(command, &environment).await,
        Command::Alerts(command) => alerts::run(command, &environment).await,
        Command::Schema(command) => schema::run(command, &environment).await,
        Command::Witness(command) => witness::run(command, &environment, hardened).await,
        Command::Openapi => print(&bailiwick_server::router::openapi_json()),
        Command::Reference(arguments) => reference::run(arguments),
    }
}

/// Writes to stdout, ending with a line's end; a reader that has gone away is no failure of ours to hide.
fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    let end = if text.ends_with('\n') { "" } else { "\n" };
    write!(stdout, "{text}{end}").and_then(|()| stdout.flush()).context("cannot write to stdout")
}
