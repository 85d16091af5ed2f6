//! The grammar of `sessions`.

use bailiwick_proof::id::SessionId;
use clap::{Args, Subcommand};

use super::Page;

const END_HELP: &str = "\
When the command is done, no node takes the session's tokens any more. API keys are not sessions: they go on.

Examples:
  bailiwick sessions end ses_01h455vb4pex5vsknk084sn02q
  bailiwick sessions end --others
  bailiwick sessions end --everywhere";

#[derive(Debug, Subcommand)]
pub(crate) enum Sessions {
    /// List where you are signed in, the newest first
    List(Page),
    /// End one of your sessions, all but this one, or all
    #[command(after_help = END_HELP)]
    End(EndSessions),
}

#[derive(Clone, Copy, Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct EndSessions {
    /// The session to end
    #[arg(value_name = "SESSION_ID")]
    pub(crate) session: Option<SessionId>,
    /// End all but the one whose access token is used here
    #[arg(long)]
    pub(crate) others: bool,
    /// End all, this one too
    #[arg(long)]
    pub(crate) everywhere: bool,
}
