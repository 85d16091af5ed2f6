//! What each command does: one file for each noun, and nothing here but the way to it.

mod audit;
mod completion;
mod device;
mod erasures;
mod keys;
mod login;
mod members;
mod profiles;
mod projects;
mod secrets;
mod sessions;
mod verify;
mod workspaces;

use crate::args::{Cli, Command};
use crate::failure::Failure;

/// Carries out the command and writes its answer.
///
/// # Errors
/// Whatever the command met, and that its answer could not be written.
pub(crate) async fn run(cli: Cli) -> Result<(), Failure> {
    let global = cli.global;
    let answer = match cli.command {
        Command::Login(wanted) => login::login(&global, &wanted).await?,
        Command::Logout => login::logout(&global).await?,
        Command::Profiles(command) => profiles::run(command)?,
        Command::Workspaces(command) => workspaces::run(&global, command).await?,
        Command::Keys(command) => keys::run(&global, command).await?,
        Command::Projects(command) => projects::run(&global, command).await?,
        Command::Secrets(command) => secrets::run(&global, command).await?,
        Command::Members(command) => members::run(&global, command).await?,
        Command::Invitations(command) => members::invitations(&global, command).await?,
        Command::Sessions(command) => sessions::run(&global, command).await?,
        Command::Audit(command) => audit::run(&global, command).await?,
        Command::Erasures(command) => erasures::run(&global, command).await?,
        Command::Verify(wanted) => verify::run(&wanted)?,
        Command::Completion { shell } => completion::run(shell)?,
    };
    answer.write(global.output)
}
