//! `login` by somebody's word in a browser: RFC 8628.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::client::Client;
use crate::failure::{Exit, Failure};
use crate::output::printable;
use crate::surroundings;

/// After a question that was asked too early (RFC 8628, section 3.5).
const SLOWER_BY: Duration = Duration::from_secs(5);
/// What a server may say of its own patience; more or less is not believed.
const INTERVALS: std::ops::RangeInclusive<u64> = 1..=60;
const LIVES: std::ops::RangeInclusive<u64> = 10..=3_600;

/// What the server has answered first.
#[derive(Deserialize)]
struct Login {
    device_code: String,
    user_code: String,
    verification_uri: String,
    expires_in: u64,
    interval: u64,
}

/// Asks, shows the code, and waits until somebody has decided. Answers the server's tokens.
///
/// # Errors
/// [`Exit::Auth`] when it was denied or nobody decided in time.
pub(crate) async fn sign_in(client: &Client) -> Result<Value, Failure> {
    let answer = client.post_public(&["auth", "device"], None).await?;
    let login: Login =
        serde_json::from_value(answer).map_err(|err| Failure::local("the server's answer is no device login", &err))?;
    let (uri, code) = (printable(&login.verification_uri), printable(&login.user_code));
    tell(&format!(
        "To sign in, open this page in a browser\n\n    {uri}\n\nand type this code there:\n\n    {code}\n\n"
    ));
    let mut interval = Duration::from_secs(login.interval.clamp(*INTERVALS.start(), *INTERVALS.end()));
    let lives = Duration::from_secs(login.expires_in.clamp(*LIVES.start(), *LIVES.end()));
    let until = surroundings::now() + lives;
    let progress = Progress::begin();
    let body = json!({ "device_code": login.device_code });
    loop {
        progress.show(until - surroundings::now());
        tokio::time::sleep(interval).await;
        let asked = client.post_public(&["auth", "device", "token"], Some(&body)).await;
        let failure = match asked {
            Ok(tokens) => {
                progress.end();
                return Ok(tokens);
            }
            Err(failure) => failure,
        };
        let over = surroundings::now() >= until;
        let code = failure.stated_code().to_owned();
        match code.as_str() {
            "authorization_pending" if !over => {}
            "slow_down" if !over => interval += SLOWER_BY,
            // No answer, or none of a server's: it may be there again in a moment.
            "" | "unavailable" | "rate_limited" if !over => interval += SLOWER_BY,
            code => {
                progress.end();
                return Err(ended(code, over, failure));
            }
        }
    }
}

fn ended(code: &str, over: bool, failure: Failure) -> Failure {
    let again = "run `bailiwick login` again; the code is good for ten minutes, and the page tells what asks";
    match code {
        "access_denied" => Failure::new(Exit::Auth, "the sign-in was denied in the browser")
            .hint("if that was not you, somebody else has typed your code: run `bailiwick login` again for another"),
        "expired_token" => {
            Failure::new(Exit::Auth, "nobody approved the sign-in in time, or it was taken back").hint(again)
        }
        _ if over => Failure::new(Exit::Auth, "nobody approved the sign-in in time").hint(again),
        _ => failure,
    }
}

/// Says it to whoever runs the command; a closed standard error is nobody to tell.
fn tell(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

/// A line that says that something goes on.
struct Progress {
    terminal: bool,
}

impl Progress {
    fn begin() -> Self {
        let terminal = io::stderr().is_terminal();
        if !terminal {
            tell("Waiting for somebody to approve it.\n");
        }
        Self { terminal }
    }

    fn show(&self, left: time::Duration) {
        if self.terminal {
            let seconds = left.whole_seconds().max(0);
            tell(&format!("\r\u{1b}[KWaiting, {}:{:02} left", seconds / 60, seconds % 60));
        }
    }

    fn end(&self) {
        if self.terminal {
            tell("\r\u{1b}[K");
        }
    }
}
