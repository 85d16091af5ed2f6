//! Invitations, as those who are invited have them.

use super::app::TestApp;
use super::process::until;
use super::secrets;

/// The token of the newest invitation to this address that has come so far; nothing if none has.
pub async fn latest(app: &TestApp, email: &str) -> String {
    let mails = app.mails(0).await;
    let invited = mails.iter().find(|mail| mail.to == email && mail.subject.contains("invited"));
    let token = invited.and_then(|mail| mail.link.as_deref()?.split_once("?token=").map(|(_, token)| token));
    token.inspect(|token| secrets::record(token)).unwrap_or_default().to_owned()
}

/// The token of the newest invitation to this address, once its mail is there.
pub async fn token(app: &TestApp, email: &str) -> String {
    newest(app, email, "").await
}

/// The token of one that comes after this one.
pub async fn newest(app: &TestApp, email: &str, than: &str) -> String {
    let mut found = String::new();
    until(async || {
        found = latest(app, email).await;
        !found.is_empty() && found != than
    })
    .await;
    found
}
