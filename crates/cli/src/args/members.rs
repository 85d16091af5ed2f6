//! The grammar of `members` and `invitations`.

use bailiwick_proof::id::InvitationId;
use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

use super::{Page, Repeat};

const INVITE_HELP: &str = "\
The address gets a mail with a link. Whoever signs in with that very address can take the invitation, once,
within seven days. It takes an owner's access token; to invite an owner or an admin, one of a sign-in of the
last 15 minutes.

Examples:
  bailiwick members invite bob@example.com --role developer";

const REMOVE_HELP: &str = "\
The answer comes when no node lets them into the workspace any more. What they have made stays, API keys too:
`bailiwick keys list -o json` has `created_by`. It takes an owner's access token, of a sign-in of the last
15 minutes.

Examples:
  bailiwick members remove bob@example.com --confirm bob@example.com";

#[derive(Debug, Subcommand)]
pub(crate) enum Members {
    /// List the members with their roles
    List(Page),
    /// Invite an address into the workspace
    #[command(after_help = INVITE_HELP)]
    Invite {
        /// The address
        email: String,
        /// What they may do
        #[arg(long, value_enum)]
        role: Role,
        #[command(flatten)]
        repeat: Repeat,
    },
    /// Give a member another role, on every node
    Role {
        /// Their address, or their id
        #[arg(value_name = "MEMBER")]
        member: String,
        /// The role that they are to have
        #[arg(value_enum)]
        role: Role,
        #[command(flatten)]
        repeat: Repeat,
    },
    /// Remove a member; what they have made stays
    #[command(after_help = REMOVE_HELP)]
    Remove(RemoveMember),
}

#[derive(Debug, Args)]
pub(crate) struct RemoveMember {
    /// Their address, or their id
    #[arg(value_name = "MEMBER")]
    pub(crate) member: String,
    /// Their address once more
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) confirm: String,
    #[command(flatten)]
    pub(crate) repeat: Repeat,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Invitations {
    /// List the invitations that nobody has taken, the newest first
    List(Page),
    /// Send an invitation again: the mail before is worth nothing then
    Resend {
        /// The invitation's id
        #[arg(value_name = "INVITATION_ID")]
        invitation: InvitationId,
        #[command(flatten)]
        repeat: Repeat,
    },
    /// Revoke an invitation: nobody can take it any more
    Revoke {
        /// The invitation's id
        #[arg(value_name = "INVITATION_ID")]
        invitation: InvitationId,
        #[command(flatten)]
        repeat: Repeat,
    },
}

/// Roles, from the most to the least powerful.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    /// Everything, and alone: people, erasures, retention
    Owner,
    /// Runs the workspace, but for its people
    Admin,
    /// Makes projects; sees keys, secrets without values, the audit log
    Developer,
    /// Sees the workspace, its people and projects
    Member,
    /// Sees the workspace
    Billing,
    /// Looks
    Viewer,
}
