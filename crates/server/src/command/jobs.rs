//! `bailiwickd jobs`: looks at the queue, tries a job again, discards one.
//!
//! It works on the database of a running server as well as on that of one that has stopped. What is changed leaves an
//! entry in the cell's log.

use std::io::{IsTerminal as _, Write as _};

use anyhow::{Context, bail};
use bailiwick_proof::id::JobId;
use bailiwick_server::clock::Clock;
use bailiwick_server::config::Environment;
use bailiwick_server::db::DbError;
use bailiwick_server::entropy::Entropy;
use bailiwick_server::jobs::operate::{self, Filter, Outcome, ScheduleView, State, View};
use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::place::{Opened, Place};
use super::print;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List jobs: those that were given up first, then those that wait, the oldest first
    List(List),
    /// Show one job; never its payload
    Show(One),
    /// Make a job due at once; one that was given up begins anew, with all its tries
    Retry(One),
    /// Take a job away for good, and its payload with it
    Discard(Discard),
    /// List what comes again and again: when it last ran, when it is next due
    Schedules(Schedules),
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// Only those that were given up
    #[arg(long)]
    dead: bool,
    /// Only those of this kind
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// So many at most
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: u32,
    #[command(flatten)]
    form: Form,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Args)]
pub(super) struct One {
    /// The job's id, `job_…`
    #[arg(value_name = "ID")]
    id: JobId,
    #[command(flatten)]
    form: Form,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Args)]
pub(super) struct Discard {
    #[command(flatten)]
    one: One,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

#[derive(Debug, Args)]
pub(super) struct Schedules {
    #[command(flatten)]
    form: Form,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Args)]
struct Form {
    /// How the answer is written
    #[arg(short, long, value_name = "FORM", default_value = "table")]
    output: Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    /// Columns
    Table,
    /// JSON, one document
    Json,
}

/// Runs the command.
pub(super) async fn run(command: Command, environment: &Environment) -> anyhow::Result<()> {
    match command {
        Command::List(List { dead, kind, limit, form, place }) => {
            let filter = Filter { id: None, kind, dead_only: dead, limit: i64::from(limit) };
            let opened = place.open(environment).await?;
            let jobs = operate::list(&opened.db, &filter).await;
            opened.close().await?;
            let jobs = jobs?;
            if jobs.is_empty() {
                eprintln!("no jobs");
            }
            form.output.write(&jobs, || table(&JOB_COLUMNS, jobs.iter().map(job_row)))
        }
        Command::Show(One { id, form, place }) => {
            let opened = place.open(environment).await?;
            let job = operate::show(&opened.db, id).await;
            opened.close().await?;
            let job = job?.with_context(|| format!("there is no job {id}: it is done, or never was"))?;
            form.output.write(&job, || table(&JOB_COLUMNS, [job_row(&job)].into_iter()))
        }
        Command::Retry(One { id, form, place }) => {
            let opened = place.open(environment).await?;
            let retried = operate::retry(&opened.db, &Clock::system(), &Entropy::system(), id).await;
            changed(opened, id, retried, &form, "is due now").await
        }
        Command::Discard(Discard { one: One { id, form, place }, yes }) => {
            if !yes && !confirmed(id)? {
                bail!("nothing was discarded");
            }
            let opened = place.open(environment).await?;
            let discarded = operate::discard(&opened.db, &Clock::system(), &Entropy::system(), id).await;
            changed(opened, id, discarded, &form, "is discarded").await
        }
        Command::Schedules(Schedules { form, place }) => {
            let opened = place.open(environment).await?;
            let schedules = operate::schedules(&opened.db).await;
            opened.close().await?;
            let schedules = schedules?;
            form.output
                .write(&schedules, || table(&["KIND", "LAST RUN", "NEXT RUN"], schedules.iter().map(schedule_row)))
        }
    }
}

/// Tells what became of it; the job as it stands now on stdout, if there is one.
async fn changed(
    opened: Opened,
    id: JobId,
    outcome: Result<Outcome, DbError>,
    form: &Form,
    done: &str,
) -> anyhow::Result<()> {
    let job = operate::show(&opened.db, id).await;
    opened.close().await?;
    match outcome? {
        Outcome::Changed => eprintln!("{id} {done}"),
        Outcome::NotFound => bail!("there is no job {id}: it is done, or never was"),
        Outcome::Running => bail!("a worker has {id} at this moment; wait until it has ended or its lease has run out"),
        Outcome::Scrubbed => bail!("{id} cannot be tried again: its payload went when it was given up"),
    }
    match job? {
        Some(job) => form.output.write(&job, || table(&JOB_COLUMNS, [job_row(&job)].into_iter())),
        None => Ok(()),
    }
}

fn confirmed(id: JobId) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        bail!("discarding {id} cannot be undone: say --yes");
    }
    let mut stderr = std::io::stderr();
    write!(stderr, "Discard {id}? It cannot be undone. [y/N] ").and_then(|()| stderr.flush()).context("cannot ask")?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).context("cannot read the answer")?;
    Ok(answer.trim().eq_ignore_ascii_case("y"))
}

impl Output {
    fn write(self, value: &impl Serialize, table: impl FnOnce() -> String) -> anyhow::Result<()> {
        match self {
            Self::Table => print(&table()),
            Self::Json => print(&serde_json::to_string_pretty(value).context("cannot write JSON")?),
        }
    }
}

const JOB_COLUMNS: [&str; 7] = ["ID", "KIND", "STATE", "WORKSPACE", "TRIES", "AT", "ERROR"];

fn job_row(job: &View) -> Vec<String> {
    let state = match job.state {
        State::Waiting => "waiting",
        State::Retrying => "retrying",
        State::Running => "running",
        State::Dead if job.can_be_retried => "dead",
        State::Dead => "dead, scrubbed",
    };
    let workspace = job.workspace.clone().unwrap_or_else(|| "the cell".to_owned());
    vec![
        job.id.to_string(),
        job.kind.clone(),
        state.to_owned(),
        format!("{workspace} {}", job.environment),
        job.attempts.to_string(),
        moment(job.at),
        job.error.clone().unwrap_or_default(),
    ]
}

fn schedule_row(schedule: &ScheduleView) -> Vec<String> {
    let last = schedule.last_run_at.map_or_else(|| "never".to_owned(), moment);
    vec![schedule.kind.clone(), last, moment(schedule.next_run_at)]
}

fn moment(at: OffsetDateTime) -> String {
    at.replace_nanosecond(0).unwrap_or(at).format(&Rfc3339).unwrap_or_default()
}

/// Columns, each as wide as its widest cell; no trailing spaces. Nothing at all for no rows.
fn table(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut lines: Vec<Vec<String>> = rows.collect();
    if lines.is_empty() {
        return String::new();
    }
    lines.insert(0, head.iter().map(|name| (*name).to_owned()).collect());
    let width = |column: usize| lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..head.len()).map(|column| width(column).unwrap_or_default()).collect();
    let line = |cells: &Vec<String>| {
        let padded: Vec<String> =
            cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}", width = *width)).collect();
        format!("{}\n", padded.join("  ").trim_end())
    };
    lines.iter().map(line).collect()
}
