//! The grammar of `audit share`, `audit shares` and `audit unshare`.

use bailiwick_proof::commitment::Field;
use bailiwick_proof::id::{EventId, ReceiptShareId};
use clap::Args;

use super::audit::field_parser;
use super::{Page, Repeat};

pub(super) const SHARE_HELP: &str = "\
The link is for people who have no account here: its page shows the entry's action, time and place in the
log, and what --open names, and checks itself in their browser. It is shown once.

Examples:
  bailiwick audit share evt_01h455vb4pex5vsknk084sn02q
  bailiwick audit share evt_01h455vb4pex5vsknk084sn02q --open actor,target --days 7 -o json";

#[derive(Debug, Args)]
pub(crate) struct Share {
    /// The entry's event id
    #[arg(value_name = "EVENT_ID")]
    pub(crate) id: EventId,
    /// What the link reveals besides: actor, ip, meta, target; repeat or separate by commas
    #[arg(long, value_delimiter = ',', value_name = "FIELD", value_parser = field_parser())]
    pub(crate) open: Vec<Field>,
    /// For how many days it works, 1 to 365 [default: 30]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=365))]
    pub(crate) days: Option<u16>,
    #[command(flatten)]
    pub(crate) repeat: Repeat,
}

#[derive(Debug, Args)]
pub(crate) struct Shares {
    /// Only links to this entry
    #[arg(long, value_name = "EVENT_ID")]
    pub(crate) event: Option<EventId>,
    #[command(flatten)]
    pub(crate) page: Page,
}

#[derive(Debug, Args)]
pub(crate) struct Unshare {
    /// The link's id
    #[arg(value_name = "SHARE_ID")]
    pub(crate) id: ReceiptShareId,
    #[command(flatten)]
    pub(crate) repeat: Repeat,
}
