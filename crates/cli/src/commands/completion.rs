//! `completion`: a script that teaches a shell the commands and options.

use clap::CommandFactory;
use clap_complete::Shell;
use serde_json::json;

use crate::args::Cli;
use crate::failure::{Exit, Failure};
use crate::output::Answer;

/// Writes the script for one shell.
pub(crate) fn run(shell: Shell) -> Result<Answer, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "bailiwick", &mut script);
    let script = String::from_utf8(script);
    let script = script.map_err(|_| Failure::new(Exit::Failure, "the completion script is not text"))?;
    let document = json!({ "shell": shell.to_string(), "script": script });
    Ok(Answer::text(script, document, "shell"))
}
