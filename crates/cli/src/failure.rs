//! What went wrong, how it is told, and the exit code it ends with.
//!
//! A failure is either a problem that the server stated or something found here; both are told as
//! text on standard error, or as one JSON object there when the answer was wanted as JSON. A
//! verification that failed is an answer too: as JSON or YAML it stands on standard output as well.

use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::args::Format;
use crate::output;
use crate::problem::Problem;
use crate::refusal::Refusal;

/// The exit codes, as scripts know them. 0 is success; clap itself ends with 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Anything without a code of its own.
    Failure = 1,
    /// The command was not understood or not complete.
    Usage = 2,
    /// What was named is not there, or not for you to see.
    NotFound = 3,
    /// Not signed in (401) or not allowed (403).
    Auth = 4,
    /// Something is in the way (409).
    Conflict = 5,
    /// What should be proved is not.
    Unverified = 6,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl Exit {
    /// The code for an answer that is not a success.
    pub(crate) const fn of_status(status: u16) -> Self {
        match status {
            401 | 403 => Self::Auth,
            404 => Self::NotFound,
            409 => Self::Conflict,
            _ => Self::Failure,
        }
    }

    /// The `code` of a failure that no server stated.
    const fn code(self) -> &'static str {
        match self {
            Self::Failure => "cli_failure",
            Self::Usage => "cli_usage",
            Self::NotFound => "cli_not_found",
            Self::Auth => "cli_auth",
            Self::Conflict => "cli_conflict",
            Self::Unverified => "cli_unverified",
        }
    }
}

/// Why a command ended without doing what it was asked for.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    cause: Cause,
    hint: Option<String>,
}

#[derive(Debug)]
enum Cause {
    /// Found on this side.
    Here(String),
    /// Stated by the server.
    Stated(Box<Problem>),
    /// What should be proved is not.
    Unverified(Box<Refusal>),
}

impl Failure {
    /// A failure that was found here.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, cause: Cause::Here(message.into()), hint: None }
    }

    /// The command cannot be carried out as it was given.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// The machine refused: says which operation failed and every cause below it.
    pub(crate) fn local(operation: impl Into<String>, cause: &dyn Error) -> Self {
        let mut message = operation.into();
        let mut next = Some(cause);
        while let Some(cause) = next {
            let text = cause.to_string();
            if !message.contains(&text) {
                message.push_str(": ");
                message.push_str(&text);
            }
            next = cause.source();
        }
        Self::new(Exit::Failure, message)
    }

    /// Adds what to do next.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What went wrong, in one line without its hint.
    pub(crate) fn summary(&self) -> String {
        match &self.cause {
            Cause::Here(message) => message.clone(),
            Cause::Stated(problem) => problem.code().to_owned(),
            Cause::Unverified(refusal) => refusal.reason().to_owned(),
        }
    }

    /// The code of the problem that a server stated; empty for what was found here.
    pub(crate) fn stated_code(&self) -> &str {
        match &self.cause {
            Cause::Stated(problem) => problem.code(),
            Cause::Here(_) | Cause::Unverified(_) => "",
        }
    }

    /// A member of the problem that a server stated.
    pub(crate) fn stated_member(&self, member: &str) -> Option<&serde_json::Value> {
        match &self.cause {
            Cause::Stated(problem) => problem.document().get(member),
            Cause::Here(_) | Cause::Unverified(_) => None,
        }
    }

    /// Changes what is told of a verification that failed; any other failure stays as it is.
    pub(crate) fn amend(mut self, change: impl FnOnce(Refusal) -> Refusal) -> Self {
        if let Cause::Unverified(refusal) = self.cause {
            self.cause = Cause::Unverified(Box::new(change(*refusal)));
        }
        self
    }

    /// How the process ends.
    pub(crate) const fn exit(&self) -> Exit {
        self.exit
    }

    /// Tells it on standard error. A closed standard error is nobody to tell.
    pub(crate) fn report(&self, format: Format) {
        if let Some(verdict) = self.verdict() {
            // Whoever reads no standard output has the exit code and standard error.
            let _ = output::for_programs(&verdict, format).map(|text| std::io::stdout().write_all(text.as_bytes()));
        }
        let text = if format == Format::Json { output::json(&self.to_json()) } else { self.to_text() };
        let _ = std::io::stderr().write_all(text.as_bytes());
    }

    /// The answer of a verification that failed.
    fn verdict(&self) -> Option<Value> {
        match &self.cause {
            Cause::Unverified(refusal) => Some(refusal.verdict()),
            Cause::Here(_) | Cause::Stated(_) => None,
        }
    }

    /// The problem as it was stated, and what to do next as one more member.
    fn to_json(&self) -> Value {
        let mut document = match &self.cause {
            Cause::Stated(problem) => problem.document().clone(),
            Cause::Here(message) => json!({ "title": message, "code": self.exit.code() }),
            Cause::Unverified(refusal) => refusal.problem(self.exit.code()),
        };
        if let (Some(members), Some(hint)) = (document.as_object_mut(), &self.hint) {
            members.insert("hint".to_owned(), json!(hint));
        }
        document
    }

    fn to_text(&self) -> String {
        let mut text = match &self.cause {
            Cause::Here(message) => format!("error: {}\n", output::printable(message)),
            Cause::Stated(problem) => problem.to_text(),
            Cause::Unverified(refusal) => refusal.to_text(),
        };
        if let Some(hint) = &self.hint {
            let _ = writeln!(text, "hint: {}", output::printable(hint));
        }
        text
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        if let Some(refusal) = Refusal::stated(&problem) {
            return refusal.into();
        }
        let hint = problem.hint();
        Self { exit: Exit::of_status(problem.status()), cause: Cause::Stated(Box::new(problem)), hint }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self { exit: Exit::Unverified, cause: Cause::Unverified(Box::new(refusal)), hint: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_becomes_an_exit_code() {
        let check = |status, exit| assert_eq!(Exit::of_status(status), exit, "{status}");
        check(401, Exit::Auth);
        check(403, Exit::Auth);
        check(404, Exit::NotFound);
        check(409, Exit::Conflict);
        for status in [400, 405, 410, 421, 422, 429, 500, 503] {
            check(status, Exit::Failure);
        }
    }

    #[test]
    fn the_codes_are_those_of_the_guide() {
        let all = [Exit::Failure, Exit::Usage, Exit::NotFound, Exit::Auth, Exit::Conflict, Exit::Unverified];
        assert_eq!(all.map(|exit| exit as u8), [1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn a_local_failure_is_told_with_its_hint() {
        let failure = Failure::usage("no workspace was named").hint("add --workspace");
        assert_eq!(failure.to_text(), "error: no workspace was named\nhint: add --workspace\n");
        let document = json!({ "title": "no workspace was named", "code": "cli_usage", "hint": "add --workspace" });
        assert_eq!(failure.to_json(), document);
    }
}
