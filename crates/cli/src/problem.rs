//! An error as the server states it: RFC 9457 `application/problem+json`.
//!
//! ```text
//! {"type", "title", "status", "code", "detail", "request_id", "errors": [{"pointer", "code", "detail"}]}
//! ```

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::output::printable;
use crate::table;

/// Those that the first lines show; others are extensions (RFC 9457, section 3.2).
const KNOWN_MEMBERS: [&str; 7] = ["type", "title", "status", "code", "detail", "request_id", "errors"];

/// A problem document, kept whole so that nothing the server said is lost in JSON.
#[derive(Debug)]
pub(crate) struct Problem {
    status: u16,
    document: Value,
}

impl Problem {
    /// Reads an answer's body; one that is not a problem document (from a proxy, say) gives a
    /// problem that says just that.
    pub(crate) fn from_answer(status: u16, reason: &str, request_id: Option<&str>, body: &[u8]) -> Self {
        let stated = serde_json::from_slice::<Value>(body).ok().filter(|document| document.get("title").is_some());
        let document = stated.unwrap_or_else(|| {
            json!({
                "type": "about:blank",
                "title": reason,
                "status": status,
                "detail": "The answer came without a problem document, perhaps from a proxy or another kind of server.",
                "request_id": request_id,
            })
        });
        Self { status, document }
    }

    /// The HTTP status, as the answer itself had it.
    pub(crate) const fn status(&self) -> u16 {
        self.status
    }

    /// The stable code from the server's closed list; empty when there is none.
    pub(crate) fn code(&self) -> &str {
        self.text("code")
    }

    /// The whole document.
    pub(crate) const fn document(&self) -> &Value {
        &self.document
    }

    fn text(&self, member: &str) -> &str {
        self.document.get(member).and_then(Value::as_str).unwrap_or_default()
    }

    /// `error: <title>: <detail> (code, request req_…)`, then a line for each wrong field and each
    /// extension member, such as the missing `permission`.
    pub(crate) fn to_text(&self) -> String {
        let mut text = format!("error: {}", printable(self.text("title")));
        if !self.text("detail").is_empty() {
            let _ = write!(text, ": {}", printable(self.text("detail")));
        }
        let request = Some(self.text("request_id")).filter(|id| !id.is_empty()).map(|id| format!("request {id}"));
        let code = Some(self.code().to_owned()).filter(|code| !code.is_empty());
        let origin = code.into_iter().chain(request).collect::<Vec<_>>().join(", ");
        if !origin.is_empty() {
            let _ = write!(text, " ({})", printable(&origin));
        }
        text.push('\n');
        for error in self.document.get("errors").and_then(Value::as_array).into_iter().flatten() {
            let part = |member| printable(error.get(member).and_then(Value::as_str).unwrap_or_default());
            let _ = writeln!(text, "  {}: {} ({})", part("pointer"), part("detail"), part("code"));
        }
        let members = self.document.as_object().into_iter().flatten();
        for (member, value) in members.filter(|(member, _)| !KNOWN_MEMBERS.contains(&member.as_str())) {
            let _ = writeln!(text, "  {}: {}", printable(member), table::cell(member, Some(value)));
        }
        text
    }

    /// What to do next on the command line; the rest is the server's own advice, in the detail.
    pub(crate) fn hint(&self) -> Option<String> {
        let hint = match self.status {
            300..=399 => "redirects are not followed, since they would carry the token away; check --server",
            401 => "sign in again with `bailiwick login --token-stdin`",
            403 => "`bailiwick keys self` shows what a key may do, `bailiwick members list` who has which role",
            404 => "check --workspace and --environment as well; `bailiwick workspaces list` shows what you can see",
            421 => "check --server",
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_told_in_full() {
        let body = json!({
            "type": "about:blank", "title": "Unprocessable", "status": 422, "code": "invalid_body",
            "detail": "Some fields are wrong.", "request_id": "req_1",
            "errors": [{ "pointer": "/slug", "code": "too_long", "detail": "has 64 characters, may have 40" }],
        });
        let problem = Problem::from_answer(422, "Unprocessable", None, body.to_string().as_bytes());
        assert_eq!(
            problem.to_text(),
            "error: Unprocessable: Some fields are wrong. (invalid_body, request req_1)\n  \
             /slug: has 64 characters, may have 40 (too_long)\n"
        );
        assert_eq!(problem.document(), &body);
    }

    #[test]
    fn what_a_problem_adds_is_shown() {
        let body = json!({ "title": "Two", "code": "ambiguous_slug", "workspaces": ["ws_1", "ws_2"] });
        let problem = Problem::from_answer(409, "Conflict", None, body.to_string().as_bytes());
        assert_eq!(problem.to_text(), "error: Two (ambiguous_slug)\n  workspaces: ws_1,ws_2\n");
    }

    #[test]
    fn a_page_from_a_proxy_is_told_as_what_it_is() {
        let problem = Problem::from_answer(502, "Bad Gateway", Some("req_2"), b"<html>");
        assert!(problem.to_text().starts_with("error: Bad Gateway: The answer came without a problem document"));
        assert!(problem.to_text().ends_with("(request req_2)\n"));
    }

    #[test]
    fn a_hostile_server_cannot_steer_the_terminal() {
        let body = json!({ "title": "\u{1b}[2Jx", "detail": "a\u{9b}31mb\nerror: c" });
        let problem = Problem::from_answer(400, "Bad Request", None, body.to_string().as_bytes());
        assert_eq!(problem.to_text(), "error: \\u{1b}[2Jx: a\\u{9b}31mb\\u{a}error: c\n");
    }
}
