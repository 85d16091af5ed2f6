//! The grammar of `verify` and `audit`.

use std::path::PathBuf;
use std::str::FromStr;

use bailiwick_proof::commitment::Field;
use bailiwick_proof::id::{EventId, LegalHoldId};
use bailiwick_proof::note::VerifierKey;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;
use time::macros::format_description;
use time::{Date, OffsetDateTime};

use super::shares::{SHARE_HELP, Share, Shares, Unshare};
use super::{Page, Repeat, ValueSource};
use crate::lifetime;

pub(super) const VERIFY_HELP: &str = "\
Nothing is asked of anybody: no network, no server, no profile. FILE is a receipt, a checkpoint, a
pair of checkpoints, a daily root or a line of a manifest, and is recognised by its first line; `-` is standard input. A key is one line,
as in `name+1f2e3d4c+AbCd…`; take it from `bailiwick audit pin` or from whoever you trust, not from
where the file came from. Keys of other logs are ignored.

With --policy, the checkpoint at its end (of a manifest's line, the cell's) must be cosigned by the
policy's quorum. Without it, cosignatures are named and not checked.

Exit code 0 means verified, 6 that it is not: standard error then has the reason and the first bad seq.

Examples:
  bailiwick verify door.manifest --key @ledger.vkey --policy witnesses.policy
  bailiwick verify evt_01h455vb4pex5vsknk084sn02q.tlog-proof --key @ledger.vkey
  bailiwick audit checkpoint | bailiwick verify - --key @ledger.vkey -o json";

const RECEIPT_HELP: &str = "\
A receipt proves that the entry is in the log. Actor, target, meta and ip stay closed unless --open
names them. It is verified before it is written: with --key, else with the pinned key, else with the
key that the server itself hands out, which is said. One that is not verified is kept apart, as
evidence, and the exit code is 6.

Examples:
  bailiwick audit receipt evt_01h455vb4pex5vsknk084sn02q --out invoice-42.tlog-proof
  bailiwick audit receipt evt_01h455vb4pex5vsknk084sn02q --open actor,target > invoice-42.tlog-proof";

const EXPORT_HELP: &str = "\
It leaves an entry in the log before the first byte. Of CSV, a cell that a spreadsheet would take for a
formula begins with an apostrophe. When the server cannot go on, the exit code is 1, and what was
written is a part alone.

Examples:
  bailiwick audit export --format csv --from 2026-01-01T00:00:00Z --out january.csv
  bailiwick audit export | jq -c 'select(.action == \"secret.revealed\")'";

const ACTION_HELP: &str = "\
The words of an action stand in the log for ever, whoever is erased from it. So they name nobody, and what is
not registered is refused. At least two words of the letters a to z, 64 letters together.

Examples:
  bailiwick audit actions add invoice.paid --description 'A customer has paid'
  bailiwick audit actions list -o id";

const PIN_HELP: &str = "\
The first pin takes the log's key and newest checkpoint as they are, unless --key says which key to
believe. Each later one proves that the newest checkpoint extends the pinned one, and only then takes
its place; the older ones are kept. One that does not extend it is refused with exit code 6, the pair
is kept as evidence, and the pin stays as it is. Everything is in `pins`, beside the profiles.

Examples:
  bailiwick audit pin --key @ledger.vkey
  bailiwick audit pin --environment test";

const ROOT_HELP: &str = "\
A daily root is the log's size and root as a compact JWS, which programs that know JOSE verify by the
workspace's key set. The server makes one a day; a day on which it did not run has none. The day is the
server's word: what is signed is size and root.

Examples:
  bailiwick audit root --out today.jws
  bailiwick audit root --day 2026-01-31 -o json";

const CHECK_HELP: &str = "\
Every entry is fetched and hashed here: its form, its number, its link to the one before, and the root of
all of them against the newest checkpoint and against the pinned one. Exit code 6 names the first bad seq.
Memory does not grow with the log. A key that is confined to a project cannot read the whole log.
With --dir the entries are those of a copy of the bucket that the log is streamed to: no network, no server.

Examples:
  bailiwick audit check
  bailiwick audit check --dir acme-audit --key @ledger.vkey
  bailiwick audit check --key @ledger.vkey -o json";

const STREAM_HELP: &str = "\
The key needs to read and write objects below the prefix and to list the bucket; it is sealed, and never
shown again. Whoever sets the stream anew names all of it again. Nothing that is in the bucket is deleted.

Examples:
  bailiwick audit stream set --bucket acme-audit --region eu-central-1 --access-key-id AKIA… --from-file key
  bailiwick audit stream show -o json";

const RETENTION_HELP: &str = "\
Entries go once they are older than so many days, the oldest first and 256 at a time. Their hashes stay, and
an entry says that they went: its receipt is the certificate. It takes an owner's access token, of a sign-in
of the last 15 minutes; no API key may. Fewer days take effect a week later, and can be set back until then.

Examples:
  bailiwick audit retention set 400 --confirm acme
  bailiwick audit retention set forever";

const MANIFEST_HELP: &str = "\
Each hour the server writes one line for each log of its cell into a manifest, whose root becomes an
entry of the cell's own log. The file shows the log's line, the path to the root, and the entry up to the
cell's signed checkpoint. A log that is gone has no line: exit code 6 if earlier manifests named it,
3 if none does.

Examples:
  bailiwick audit manifest --out now.manifest
  bailiwick audit manifest --event evt_01h455vb4pex5vsknk084sn02q --open actor -o json";

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The receipt, checkpoint, pair of checkpoints, daily root or line of a manifest; - is standard input
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) keys: RequiredKeys,
    /// Which witnesses must have cosigned, a file as in C2SP tlog-policy; its logs' keys are believed too
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct RequiredKeys {
    /// A key to believe, or @FILE with one on each line; repeat for several
    #[arg(long = "key", required = true, value_name = "VKEY|@FILE")]
    pub(crate) keys: Vec<KeySource>,
}

#[derive(Debug, Args)]
pub(crate) struct KeyOptions {
    /// A key to believe, or @FILE with one on each line [default: the pinned one]
    #[arg(long = "key", value_name = "VKEY|@FILE")]
    pub(crate) keys: Vec<KeySource>,
}

/// Where a key to believe is stated.
#[derive(Clone, Debug)]
pub(crate) enum KeySource {
    /// On the command line.
    Given(VerifierKey),
    /// In a file, one on each line.
    File(PathBuf),
}

impl FromStr for KeySource {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix('@') {
            Some("") => Err("@ is followed by a file's name".to_owned()),
            Some(path) => Ok(Self::File(path.into())),
            None => text.parse().map(Self::Given).map_err(|err| format!("not a key (name+1f2e3d4c+AbCd…): {err}")),
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// List the log's entries, newest first
    List(List),
    /// Write all entries of a stretch of time, oldest first
    #[command(after_help = EXPORT_HELP)]
    Export(Export),
    /// Get the proof that an entry is in the log, and verify it
    #[command(after_help = RECEIPT_HELP)]
    Receipt(Receipt),
    /// Make a link that shows an entry's receipt to whoever has it
    #[command(after_help = SHARE_HELP)]
    Share(Share),
    /// List links to receipts, the newest first
    Shares(Shares),
    /// Revoke a link to a receipt
    Unshare(Unshare),
    /// Get the log's newest signed size and root, and verify it
    Checkpoint(Checkpoint),
    /// Read the whole log and check every entry against the signed checkpoint and the pin
    #[command(after_help = CHECK_HELP)]
    Check(Check),
    /// Have the log streamed to a bucket of your own
    #[command(subcommand)]
    Stream(Stream),
    /// Get the log's line in the hourly manifest of all logs, and verify it
    #[command(after_help = MANIFEST_HELP)]
    Manifest(Manifest),
    /// Get the newest daily root, or that of a day, and verify it
    #[command(after_help = ROOT_HELP)]
    Root(Root),
    /// Say which actions programs may record
    #[command(subcommand)]
    Actions(Actions),
    /// Say for how long the log is kept
    #[command(subcommand)]
    Retention(Retention),
    /// Keep the log from being pruned
    #[command(subcommand)]
    Holds(Holds),
    /// Keep the newest checkpoint, if it extends the one kept before
    #[command(after_help = PIN_HELP)]
    Pin(KeyOptions),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Actions {
    /// List the actions that the environment's programs may record
    List,
    /// Register an action, before the first event of it
    #[command(after_help = ACTION_HELP)]
    Add {
        /// Lower-case words with dots between them, such as invoice.paid
        action: String,
        /// What it means, in a line
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
        #[command(flatten)]
        repeat: Repeat,
    },
    /// Retire an action: no event of it is recorded any more, and what was recorded stays
    Remove {
        /// Its words
        action: String,
        #[command(flatten)]
        repeat: Repeat,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Retention {
    /// Show for how long the log is kept, and what would go now; changes nothing
    Show,
    /// Say it anew; what is shorter takes effect a week later
    #[command(after_help = RETENTION_HELP)]
    Set {
        /// 30 to 3650 days, or forever
        #[arg(value_parser = parse_days)]
        days: Days,
        /// The workspace once more, as it was named or by its id: needed for fewer days
        #[arg(long, value_name = "WORKSPACE")]
        confirm: Option<String>,
        #[command(flatten)]
        repeat: Repeat,
    },
}

/// How long a log is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Days {
    /// So many days.
    Of(u16),
    /// For ever.
    Forever,
}

fn parse_days(text: &str) -> Result<Days, String> {
    if text == "forever" {
        return Ok(Days::Forever);
    }
    let days = text.parse().ok().filter(|days| (30..=3_650).contains(days));
    days.map(Days::Of).ok_or_else(|| "30 to 3650, or forever".to_owned())
}

#[derive(Debug, Subcommand)]
pub(crate) enum Holds {
    /// List legal holds, the newest first
    List(Page),
    /// Open a legal hold: nothing of the log is pruned, and nobody is erased, while one is open
    Open {
        /// A file number or a matter's name; it names nobody
        reason: String,
        #[command(flatten)]
        repeat: Repeat,
    },
    /// Release a legal hold
    Release {
        /// The hold's id
        #[arg(value_name = "HOLD_ID")]
        hold: LegalHoldId,
        /// Its reason, or its id once more: what it kept may go afterwards
        #[arg(long, value_name = "REASON")]
        confirm: String,
        #[command(flatten)]
        repeat: Repeat,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Check a copy of the bucket that the log is streamed to, in this folder, and ask nobody
    #[arg(long, value_name = "FOLDER")]
    pub(crate) dir: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) keys: KeyOptions,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Stream {
    /// Have the log streamed to a bucket of your own, or to another one
    #[command(after_help = STREAM_HELP)]
    Set(SetStream),
    /// Show where the log is streamed to, how far that is, and what keeps it from going on
    Show,
    /// Have the log streamed no longer; what is in the bucket stays
    Remove(RemoveStream),
}

#[derive(Debug, Args)]
pub(crate) struct SetStream {
    /// The bucket
    #[arg(long)]
    pub(crate) bucket: String,
    /// The region that requests are signed for
    #[arg(long)]
    pub(crate) region: String,
    /// A folder in the bucket
    #[arg(long)]
    pub(crate) prefix: Option<String>,
    /// The URL of the store, for others than Amazon's
    #[arg(long, value_name = "URL")]
    pub(crate) endpoint: Option<String>,
    /// The id of the key; the key itself comes from --from-file or standard input
    #[arg(long, value_name = "ID")]
    pub(crate) access_key_id: String,
    #[command(flatten)]
    pub(crate) secret: ValueSource,
    #[command(flatten)]
    pub(crate) repeat: Repeat,
}

#[derive(Debug, Args)]
pub(crate) struct RemoveStream {
    /// Do not ask
    #[arg(short, long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) repeat: Repeat,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only this action, such as api_key.created
    #[arg(long)]
    pub(crate) action: Option<String>,
    /// Only what this actor did
    #[arg(long)]
    pub(crate) actor: Option<String>,
    /// Only what was done to this target
    #[arg(long)]
    pub(crate) target: Option<String>,
    /// Only from this RFC 3339 time on
    #[arg(long, value_name = "TIME", value_parser = lifetime::parse_moment)]
    pub(crate) from: Option<OffsetDateTime>,
    /// Only before this RFC 3339 time
    #[arg(long, value_name = "TIME", value_parser = lifetime::parse_moment)]
    pub(crate) to: Option<OffsetDateTime>,
    #[command(flatten)]
    pub(crate) page: Page,
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// How it is written
    #[arg(long, value_enum, default_value_t = ExportFormat::Ndjson)]
    pub(crate) format: ExportFormat,
    /// Only from this RFC 3339 time on
    #[arg(long, value_name = "TIME", value_parser = lifetime::parse_moment)]
    pub(crate) from: Option<OffsetDateTime>,
    /// Only before this RFC 3339 time
    #[arg(long, value_name = "TIME", value_parser = lifetime::parse_moment)]
    pub(crate) to: Option<OffsetDateTime>,
    /// Write into this new file instead of standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// How an export is written; the words are those of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ExportFormat {
    /// An event in JSON on each line
    Ndjson,
    /// For a spreadsheet
    Csv,
    /// An event in JSON under the names of OCSF on each line, for a SIEM
    Ocsf,
}

#[derive(Debug, Args)]
pub(crate) struct Receipt {
    /// The entry's event id
    #[arg(value_name = "EVENT_ID")]
    pub(crate) id: EventId,
    /// What the receipt reveals: actor, ip, meta, target; repeat or separate by commas
    #[arg(long, value_delimiter = ',', value_name = "FIELD", value_parser = field_parser())]
    pub(crate) open: Vec<Field>,
    /// Write the receipt into this new file instead of standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) keys: KeyOptions,
}

#[derive(Debug, Args)]
pub(crate) struct Checkpoint {
    /// Write the checkpoint into this new file instead of standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) keys: KeyOptions,
}

#[derive(Debug, Args)]
pub(crate) struct Manifest {
    /// The hour of the manifest, as in 2026-01-31T13:00:00Z [default: the newest that there is]
    #[arg(long, value_name = "TIME", value_parser = lifetime::parse_moment)]
    pub(crate) hour: Option<OffsetDateTime>,
    /// Put this event's receipt into the file, in place of the log's checkpoint
    #[arg(long, value_name = "EVENT_ID")]
    pub(crate) event: Option<EventId>,
    /// What that receipt reveals: actor, ip, meta, target; repeat or separate by commas
    #[arg(long, requires = "event", value_delimiter = ',', value_name = "FIELD", value_parser = field_parser())]
    pub(crate) open: Vec<Field>,
    /// Write the file into this new file instead of standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Keys to believe, of the log and of the cell, or @FILE with one on each line [default: pinned, and the server's]
    #[arg(long = "key", value_name = "VKEY|@FILE")]
    pub(crate) keys: Vec<KeySource>,
}

#[derive(Debug, Args)]
pub(crate) struct Root {
    /// The day, as in 2026-01-31 (UTC) [default: the newest that there is]
    #[arg(long, value_name = "DAY", value_parser = parse_day)]
    pub(crate) day: Option<Date>,
    /// Write the root into this new file instead of standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) keys: KeyOptions,
}

fn parse_day(text: &str) -> Result<Date, String> {
    Date::parse(text, format_description!("[year]-[month]-[day]")).map_err(|err| format!("not a day: {err}"))
}

pub(super) fn field_parser() -> impl TypedValueParser<Value = Field> {
    PossibleValuesParser::new(Field::ALL.map(Field::as_str)).try_map(|text| text.parse::<Field>())
}
