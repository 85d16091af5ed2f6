//! The grammar of `keys`.

use std::path::PathBuf;

use bailiwick_proof::id::{ApiKeyId, ProjectId};
use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;
use time::OffsetDateTime;

use super::{Page, Repeat};
use crate::lifetime::{self, Lifetime};

const CREATE_KEY_HELP: &str = "\
The key is shown once, on standard output. With --secret-file it goes into that file instead and
appears nowhere else; `-o id` needs it, or the key would be lost.

Examples:
  bailiwick keys create importer --scope read --scope write --expires-in 30d
  bailiwick keys create ci --scope read -o id --secret-file ci.key";

const ROTATE_KEY_HELP: &str = "\
Examples:
  bailiwick keys rotate key_01h455vb4pex5vsknk084sn02q --overlap 7d --secret-file new.key
  bailiwick keys rotate key_01h455vb4pex5vsknk084sn02q --at-once";

#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// Make a key and show it once
    #[command(after_help = CREATE_KEY_HELP)]
    Create(CreateKey),
    /// List the keys of the workspace and environment
    List(KeyList),
    /// Show one key, without its secret
    Get {
        /// The key's id
        #[arg(value_name = "KEY_ID")]
        id: ApiKeyId,
    },
    /// Change name, labels, networks or expiry of a key
    Update(UpdateKey),
    /// Give a key a successor and show that once; the old key ends when the overlap does
    #[command(after_help = ROTATE_KEY_HELP)]
    Rotate(RotateKey),
    /// Revoke a key: it stops working everywhere at once, for good
    Revoke {
        /// The key's id
        #[arg(value_name = "KEY_ID")]
        id: ApiKeyId,
        /// Do not ask; required where nobody can answer
        #[arg(short, long)]
        yes: bool,
        #[command(flatten)]
        repeat: Repeat,
    },
    /// Show what the key that you are using may do
    #[command(name = "self")]
    Itself,
}

#[derive(Debug, Args)]
pub(crate) struct CreateKey {
    /// What the key is for
    pub(crate) name: String,
    /// What the key may do; repeat for several
    #[arg(long = "scope", required = true, value_enum, value_delimiter = ',', value_name = "SCOPE")]
    pub(crate) scopes: Vec<Scope>,
    /// Confine the key to one project
    #[arg(long, value_name = "PROJECT_ID")]
    pub(crate) project: Option<ProjectId>,
    #[command(flatten)]
    pub(crate) told: Told,
    /// Confine the key to one of the operator's services, by its name; repeat for several [default: all]
    #[arg(long = "audience", value_name = "NAME")]
    pub(crate) audiences: Vec<String>,
    /// When the key stops working, from now: a number and s, m, h, d or w
    #[arg(long, value_name = "LIFETIME", conflicts_with = "expires_at")]
    pub(crate) expires_in: Option<Lifetime>,
    /// When the key stops working, as an RFC 3339 time
    #[arg(long, value_name = "TIME", value_parser = lifetime::parse_moment)]
    pub(crate) expires_at: Option<OffsetDateTime>,
    /// Write the key into this new file, readable by you alone, and nowhere else
    #[arg(long, value_name = "FILE", required_if_eq("output", "id"))]
    pub(crate) secret_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) repeat: Repeat,
}

/// What is told of a key, and where it may be used from: in its making and in its change.
#[derive(Debug, Args)]
pub(crate) struct Told {
    /// A label, as name=value; repeat for several
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = parse_label)]
    pub(crate) labels: Vec<(String, String)>,
    /// An address or network that the key may be used from; repeat for several [default: anywhere]
    #[arg(long = "network", value_name = "CIDR")]
    pub(crate) networks: Vec<String>,
}

fn parse_label(text: &str) -> Result<(String, String), &'static str> {
    text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())).ok_or("expected name=value")
}

#[derive(Debug, Args)]
pub(crate) struct KeyList {
    #[command(flatten)]
    pub(crate) page: Page,
    /// Keys with this label alone, as name=value; repeat for keys with all of them
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = parse_label)]
    pub(crate) labels: Vec<(String, String)>,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("changes").required(true).multiple(true).args([
    "name", "labels", "no_labels", "networks", "anywhere", "expires_in", "expires_at", "never_expires",
]))]
pub(crate) struct UpdateKey {
    /// The key's id
    #[arg(value_name = "KEY_ID")]
    pub(crate) id: ApiKeyId,
    /// Another name
    #[arg(long)]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) told: Told,
    /// Take all labels off
    #[arg(long, conflicts_with = "labels")]
    pub(crate) no_labels: bool,
    /// Let the key be used from anywhere
    #[arg(long, conflicts_with = "networks")]
    pub(crate) anywhere: bool,
    /// When the key stops working, from now: a number and s, m, h, d or w
    #[arg(long, value_name = "LIFETIME", conflicts_with_all = ["expires_at", "never_expires"])]
    pub(crate) expires_in: Option<Lifetime>,
    /// When the key stops working, as an RFC 3339 time
    #[arg(long, value_name = "TIME", value_parser = lifetime::parse_moment, conflicts_with = "never_expires")]
    pub(crate) expires_at: Option<OffsetDateTime>,
    /// Let the key work until it is revoked
    #[arg(long)]
    pub(crate) never_expires: bool,
    #[command(flatten)]
    pub(crate) repeat: Repeat,
}

#[derive(Debug, Args)]
pub(crate) struct RotateKey {
    /// The key's id
    #[arg(value_name = "KEY_ID")]
    pub(crate) id: ApiKeyId,
    /// How long the old key goes on working: a number and s, m, h, d or w, 30d at most [default: 1d]
    #[arg(long, value_name = "TIME", conflicts_with = "at_once")]
    pub(crate) overlap: Option<Lifetime>,
    /// The old key stops working at once
    #[arg(long)]
    pub(crate) at_once: bool,
    /// Write the successor into this new file, readable by you alone, and nowhere else
    #[arg(long, value_name = "FILE", required_if_eq("output", "id"))]
    pub(crate) secret_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) repeat: Repeat,
}

/// What a key may do, as the API spells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub(crate) enum Scope {
    /// Read what is published
    Read,
    /// Read drafts as well
    ReadDraft,
    /// Change content
    Write,
    /// Manage projects and keys
    Management,
}
