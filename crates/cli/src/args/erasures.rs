//! The grammar of `erasures`.

use std::path::PathBuf;

use bailiwick_proof::id::ErasureId;
use clap::{Args, Subcommand};

use super::audit::RequiredKeys;
use super::{Page, Repeat};

const REQUEST_HELP: &str = "\
What the audit logs of live and test say of the subject becomes unreadable, for good; entries and proofs
stay. It takes an owner's access token, of a sign-in of the last 10 minutes; no API key may. It does not
reach copies of the database and the anchor store from before, nor what was handed out.

The answer has `subject_opening`. Whoever keeps it together with the name can show later whom the
certificate is about; it is not to be had again.

Examples:
  bailiwick erasures request customer-42 --dry-run
  bailiwick erasures request customer-42 --confirm customer-42 -o json > opening.json";

const CHECK_HELP: &str = "\
Nothing is asked of anybody. FILE is the receipt of the entry `subject.erased`, with meta opened; take it
with `bailiwick audit receipt EVENT --open actor,meta`. Exit code 0 means: the receipt is verified, and it
is about this subject.

Examples:
  bailiwick erasures check erased.tlog-proof --key @live.vkey --subject customer-42 --opening 'q83v…='";

#[derive(Debug, Subcommand)]
pub(crate) enum Erasures {
    /// Erase a subject from the audit log, or count what that would reach
    #[command(after_help = REQUEST_HELP)]
    Request(RequestErasure),
    /// List erasures, the newest first
    List(Page),
    /// Show how far an erasure is, and its certificate
    Get {
        /// The erasure's id
        #[arg(value_name = "ERASURE_ID")]
        erasure: ErasureId,
    },
    /// Check a certificate, and whom it is about, offline
    #[command(after_help = CHECK_HELP)]
    Check(CheckErasure),
}

#[derive(Debug, Args)]
pub(crate) struct RequestErasure {
    /// The actor or target, as its entries name it
    pub(crate) subject: String,
    /// The subject once more: there is no way back
    #[arg(long, value_name = "SUBJECT", required_unless_present = "dry_run")]
    pub(crate) confirm: Option<String>,
    /// Only count what would be erased
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) repeat: Repeat,
}

#[derive(Debug, Args)]
pub(crate) struct CheckErasure {
    /// The receipt; - is standard input
    pub(crate) file: PathBuf,
    /// Whom it should be about
    #[arg(long)]
    pub(crate) subject: String,
    /// What was answered as `subject_opening`
    #[arg(long, value_name = "BASE64")]
    pub(crate) opening: String,
    #[command(flatten)]
    pub(crate) keys: RequiredKeys,
}
