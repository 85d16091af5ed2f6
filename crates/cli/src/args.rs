//! The grammar: every command, option and help text, and nothing that acts on them.

mod audit;
mod erasures;
mod keys;
mod members;
mod secrets;
mod sessions;
mod shares;

use bailiwick_proof::environment::Environment;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::access::WorkspaceRef;
use crate::once;
use crate::profile::ProfileName;
use crate::server_url::ServerUrl;

pub(crate) use audit::{
    Actions, Audit, Check, Checkpoint, Days, Export, ExportFormat, Holds, KeyOptions, KeySource, List, Manifest,
    Receipt, RemoveStream, Retention, Root, SetStream, Stream, Verify,
};
pub(crate) use erasures::{CheckErasure, Erasures, RequestErasure};
pub(crate) use keys::{CreateKey, KeyList, Keys, RotateKey, Scope, UpdateKey};
pub(crate) use members::{Invitations, Members, RemoveMember, Role};
pub(crate) use secrets::{
    DeleteSecret, GetSecret, Kind, Reason, RotateSecret, SecretList, SecretRef, Secrets, SetSecret, ValueSource,
};
pub(crate) use sessions::{EndSessions, Sessions};
pub(crate) use shares::{Share, Shares, Unshare};

const AFTER_HELP: &str = "\
Environment:
  BAILIWICK_TOKEN      an API key or access token to use instead of a profile
  BAILIWICK_SERVER     the server, like --server
  BAILIWICK_PROFILE    the profile, like --profile
  BAILIWICK_WORKSPACE  the workspace, like --workspace
  BAILIWICK_CONFIG_DIR where profiles and pins are kept

Exit codes:
  0 ok   1 failure   2 usage   3 not found   4 not signed in or not allowed   5 conflict
  6 verification failed";

const LOGIN_HELP: &str = "\
Shows a code to be typed on the server's page /device, in a browser where you are signed in, and
waits until you have approved it there. With --token-stdin it takes an API key (bw_…) or an access
token instead, which is checked with the server first.

What it gets is stored in config.toml under $BAILIWICK_CONFIG_DIR, or $XDG_CONFIG_HOME/bailiwick, or
~/.config/bailiwick, readable by you alone. A session is kept alive by the commands that use it.

Examples:
  bailiwick login --server https://bailiwick.example.com
  bailiwick login --token-stdin --server https://bailiwick.example.com < token
  pass show bailiwick/prod | bailiwick login --token-stdin --profile prod";

/// A client for Bailiwick: workspaces, members, projects, API keys, secrets and the audit log.
#[derive(Debug, Parser)]
#[command(name = "bailiwick", version, arg_required_else_help = true, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command understands.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// How the answer is written to standard output
    #[arg(short, long, global = true, value_enum, default_value_t = Format::Table, value_name = "FORMAT")]
    pub(crate) output: Format,
    /// The stored profile to use [default: the current one]
    #[arg(long, global = true, env = "BAILIWICK_PROFILE", hide_env = true, value_name = "NAME")]
    pub(crate) profile: Option<ProfileName>,
    /// The server's address, such as https://bailiwick.example.com
    #[arg(long, global = true, env = "BAILIWICK_SERVER", hide_env = true, value_name = "URL")]
    pub(crate) server: Option<ServerUrl>,
    /// The workspace, by id or slug [default: the profile's, or the API key's own]
    #[arg(short, long, global = true, env = "BAILIWICK_WORKSPACE", hide_env = true, value_name = "ID|SLUG")]
    pub(crate) workspace: Option<WorkspaceRef>,
    /// The environment a session works in; an API key has its own
    #[arg(long, global = true, value_name = "ENVIRONMENT", value_parser = environment_parser())]
    pub(crate) environment: Option<Environment>,
    /// Send the token over plain http to a server on another machine
    #[arg(long, global = true)]
    pub(crate) insecure_http: bool,
}

fn environment_parser() -> impl TypedValueParser<Value = Environment> {
    PossibleValuesParser::new(Environment::ALL.map(Environment::as_str)).try_map(|text| text.parse::<Environment>())
}

/// The forms of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// What the server said; a list is one array
    Json,
    /// The same as YAML
    Yaml,
    /// Only the id, one a line
    Id,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Sign in through a browser, or store a token, in a profile
    #[command(after_help = LOGIN_HELP)]
    Login(Login),
    /// End the session that `login` has begun, and forget the profile and its token
    Logout,
    /// Stored servers and tokens
    #[command(subcommand)]
    Profiles(Profiles),
    /// The workspaces you are a member of
    #[command(subcommand)]
    Workspaces(Workspaces),
    /// API keys of a workspace
    #[command(subcommand)]
    Keys(Keys),
    /// Projects of a workspace
    #[command(subcommand)]
    Projects(Projects),
    /// Secrets of a workspace
    #[command(subcommand)]
    Secrets(Secrets),
    /// The people in a workspace
    #[command(subcommand)]
    Members(Members),
    /// Who is invited into a workspace
    #[command(subcommand)]
    Invitations(Invitations),
    /// Where you are signed in
    #[command(subcommand)]
    Sessions(Sessions),
    /// The audit log of a workspace
    #[command(subcommand)]
    Audit(Audit),
    /// What was made unreadable of the audit log, for good
    #[command(subcommand)]
    Erasures(Erasures),
    /// Check what proves something of a log, offline: a receipt, a checkpoint and the like
    #[command(after_help = audit::VERIFY_HELP)]
    Verify(Verify),
    /// Print a completion script for a shell
    Completion {
        /// The shell that will read it
        shell: Shell,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Login {
    /// Read a token from standard input, in place of signing in through a browser
    #[arg(long)]
    pub(crate) token_stdin: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Profiles {
    /// List the stored profiles, without their tokens
    List,
    /// Make a profile the current one
    Use {
        /// The profile's name
        name: ProfileName,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Workspaces {
    /// List your workspaces
    List(Page),
    /// Show one workspace
    Get {
        /// The workspace [default: --workspace]
        #[arg(value_name = "ID|SLUG")]
        workspace: Option<WorkspaceRef>,
    },
    /// Make a workspace, with you as its owner
    Create {
        /// What people call it
        name: String,
        /// The short name for addresses: lower-case letters, digits and hyphens
        #[arg(long)]
        slug: String,
        #[command(flatten)]
        repeat: Repeat,
    },
    /// Remember a workspace as the profile's default
    Use {
        /// The workspace to remember
        #[arg(value_name = "ID|SLUG")]
        workspace: WorkspaceRef,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Projects {
    /// List the projects of the workspace and environment
    List(Page),
    /// Make a project
    Create {
        /// What people call it
        name: String,
        #[command(flatten)]
        repeat: Repeat,
    },
}

#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Page {
    /// Stop after this many [default: all there are]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: Option<u32>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Repeat {
    /// Name this change, so that repeating the command makes it once [default: a random name]
    #[arg(long, value_name = "KEY", value_parser = once::parse_key)]
    pub(crate) idempotency_key: Option<String>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_grammar_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn scopes_are_spelled_as_in_the_api() {
        for scope in Scope::value_variants() {
            let name = scope.to_possible_value().unwrap().get_name().to_owned();
            assert_eq!(serde_json::to_value(scope).unwrap(), name);
        }
    }

    #[test]
    fn a_token_is_never_an_argument() {
        assert!(Cli::try_parse_from(["bailiwick", "login", "--token-stdin", "bw_live_x"]).is_err());
        assert!(Cli::try_parse_from(["bailiwick", "login", "--token", "bw_live_x"]).is_err());
    }

    #[test]
    fn an_id_without_its_key_is_refused() {
        let parse = |more: &[&str]| {
            let args = ["bailiwick", "keys", "create", "n", "--scope", "read"];
            Cli::try_parse_from(args.iter().chain(more))
        };
        assert!(parse(&["-o", "id"]).is_err());
        assert!(parse(&["-o", "id", "--secret-file", "f"]).is_ok());
        assert!(parse(&["-o", "json"]).is_ok());
    }
}
