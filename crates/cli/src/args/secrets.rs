//! The grammar of `secrets`. No value is ever an argument: those stand in the shell's history and in every process list.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use bailiwick_proof::id::{ProjectId, SecretId, SecretRotationId};
use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

use super::{Page, Repeat};
use crate::lifetime::Lifetime;

const SET_HELP: &str = "\
The value is read from --from-file, or from standard input, byte for byte: a line break at its end is
part of it. A name that is taken gets a new version of its secret.

Examples:
  bailiwick secrets set db.main --kind database --from-file url.txt
  printf %s \"$TOKEN\" | bailiwick secrets set deploy.token --kind deploy_token";

const GET_HELP: &str = "\
The value goes to standard output as it is, without a line break of ours. A terminal is refused unless
--show says that nobody looks over the shoulder. Each reading leaves an entry in the audit log. As a
person you need a sign-in of the last 10 minutes; an API key needs the scope management.

Examples:
  DATABASE_URL=$(bailiwick secrets get db.main)
  bailiwick secrets get tls.key --version 3 > server.key";

const ROTATE_HELP: &str = "\
The new value is read like that of `set`. Both versions are valid until `bailiwick secrets ready` says
that the new one is deployed; then the older ones are revoked, and whoever still asks for one is
refused and counted for --watch. The receipt is an entry of the audit log.

Examples:
  bailiwick secrets rotate db.main --reason suspected_leak --from-file new-url.txt
  bailiwick secrets ready rot_01h455vb4pex5vsknk084sn02q
  bailiwick secrets rotation rot_01h455vb4pex5vsknk084sn02q";

#[derive(Debug, Subcommand)]
pub(crate) enum Secrets {
    /// Store a secret, or a new version of one
    #[command(after_help = SET_HELP)]
    Set(SetSecret),
    /// Write the value of a secret to standard output
    #[command(after_help = GET_HELP)]
    Get(GetSecret),
    /// List the secrets of the workspace and environment, without their values
    List(SecretList),
    /// List who read a secret, the newest reading first
    Accesses {
        /// The secret, by name or id
        #[arg(value_name = "NAME|SECRET_ID")]
        secret: SecretRef,
        #[command(flatten)]
        page: Page,
    },
    /// Rotate a secret: store its new version beside the old ones
    #[command(after_help = ROTATE_HELP)]
    Rotate(RotateSecret),
    /// Say that a rotation's new version is deployed: the older ones are revoked, for good
    Ready {
        /// The rotation's id
        #[arg(value_name = "ROTATION_ID")]
        rotation: SecretRotationId,
        #[command(flatten)]
        repeat: Repeat,
    },
    /// Show how far a rotation is, and its receipt
    Rotation {
        /// The rotation's id
        #[arg(value_name = "ROTATION_ID")]
        rotation: SecretRotationId,
    },
    /// Delete a secret with all its versions, for good
    Delete(DeleteSecret),
}

/// A secret, as somebody names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SecretRef {
    /// `sec_…`
    Id(SecretId),
    /// Its name; no name has an underscore.
    Name(String),
}

impl FromStr for SecretRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with("sec_") {
            return text.parse().map(Self::Id).map_err(|err| format!("{err}"));
        }
        let word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if text.len() <= 80 && text.split(['.', '-']).all(word) {
            Ok(Self::Name(text.to_owned()))
        } else {
            Err("a name is lower-case letters and digits, in words joined by dots or dashes".to_owned())
        }
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// Where a value is read from.
#[derive(Debug, Args)]
pub(crate) struct ValueSource {
    /// Read the value from this file [default: standard input]
    #[arg(long, value_name = "FILE")]
    pub(crate) from_file: Option<PathBuf>,
}

/// What a secret is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// Any text
    Generic,
    /// The token of a deploy host
    DeployToken,
    /// The token of an identity provider
    IdentityProvider,
    /// What signs webhooks: whsec_ and base64
    WebhookSigning,
    /// The URL of a database
    Database,
    /// A JSON object with `client_id` and `client_secret`
    OauthClient,
    /// A private key in PEM
    PrivateKey,
}

#[derive(Debug, Args)]
pub(crate) struct SetSecret {
    /// The secret, by name; by id for a new version alone
    #[arg(value_name = "NAME|SECRET_ID")]
    pub(crate) secret: SecretRef,
    /// What it is, for a new secret [default: generic]
    #[arg(long, value_enum)]
    pub(crate) kind: Option<Kind>,
    /// The project whose secret it is, for a new secret
    #[arg(long, value_name = "PROJECT_ID")]
    pub(crate) project: Option<ProjectId>,
    #[command(flatten)]
    pub(crate) value: ValueSource,
    #[command(flatten)]
    pub(crate) repeat: Repeat,
}

/// Why a secret is rotated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub(crate) enum Reason {
    /// Somebody may have it who should not
    SuspectedLeak,
    /// Somebody who knew it has left
    Offboarding,
    /// A scan found it where it should not be
    FailedSecretScan,
    /// It stood where everybody can read
    PublicExposure,
    /// Whoever issued it had an incident
    ProviderIncident,
    /// It was time
    Scheduled,
}

#[derive(Debug, Args)]
pub(crate) struct RotateSecret {
    /// The secret, by name or id
    #[arg(value_name = "NAME|SECRET_ID")]
    pub(crate) secret: SecretRef,
    /// Why
    #[arg(long, value_enum)]
    pub(crate) reason: Reason,
    /// How long refused uses of the older versions are counted [default: 1d]
    #[arg(long, value_name = "TIME")]
    pub(crate) watch: Option<Lifetime>,
    #[command(flatten)]
    pub(crate) value: ValueSource,
    #[command(flatten)]
    pub(crate) repeat: Repeat,
}

#[derive(Debug, Args)]
pub(crate) struct GetSecret {
    /// The secret, by name or id
    #[arg(value_name = "NAME|SECRET_ID")]
    pub(crate) secret: SecretRef,
    /// This version [default: the newest]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) version: Option<u32>,
    /// Write it to a terminal too
    #[arg(long)]
    pub(crate) show: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SecretList {
    /// Secrets of this kind alone
    #[arg(long, value_enum)]
    pub(crate) kind: Option<Kind>,
    #[command(flatten)]
    pub(crate) page: Page,
}

#[derive(Debug, Args)]
pub(crate) struct DeleteSecret {
    /// The secret, by name or id
    #[arg(value_name = "NAME|SECRET_ID")]
    pub(crate) secret: SecretRef,
    /// Do not ask
    #[arg(short, long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) repeat: Repeat,
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::Cli;

    #[test]
    fn a_value_is_never_an_argument() {
        for more in [&["set", "db.main", "hunter2"][..], &["set", "db.main", "--value", "hunter2"], &["get", "a", "b"]]
        {
            let args = ["bailiwick", "secrets"].iter().chain(more);
            assert!(Cli::try_parse_from(args).is_err(), "{more:?}");
        }
    }

    #[test]
    fn kinds_and_reasons_are_spelled_as_in_the_api() {
        for kind in Kind::value_variants() {
            let name = kind.to_possible_value().unwrap().get_name().to_owned();
            assert_eq!(serde_json::to_value(kind).unwrap(), name);
        }
        for reason in Reason::value_variants() {
            let name = reason.to_possible_value().unwrap().get_name().to_owned();
            assert_eq!(serde_json::to_value(reason).unwrap(), name);
        }
    }

    #[test]
    fn a_secret_is_named_or_known_by_its_id() {
        let id = "sec_01h455vb4pex5vsknk084sn02q";
        assert_eq!(id.parse(), Ok(SecretRef::Id(id.parse().unwrap())));
        assert_eq!("db.main-2".parse(), Ok(SecretRef::Name("db.main-2".to_owned())));
        for bad in ["", "A", "a_b", "sec_x", "a..b", "../x", "a?b"] {
            assert!(bad.parse::<SecretRef>().is_err(), "{bad}");
        }
    }
}
