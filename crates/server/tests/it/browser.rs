//! What a newcomer does, in a real browser.

mod account;
mod audit;
mod audit_forms;
mod factors;
mod passkeys;
mod people;
mod secret_pages;
mod share;
mod vectors;

use nix::sys::signal::Signal;

use crate::harness::browser::Tab;
use crate::harness::process::DevHome;
use crate::harness::secrets;

#[tokio::test]
async fn a_newcomer_signs_in_makes_a_workspace_and_a_key_uses_it_and_revokes_it() {
    let home = DevHome::kept();
    let server = home.start().await;
    let tab = Tab::open(&server.url).await;

    tab.go("/").await;
    tab.arrive("/sign-in").await;
    tab.look("sign-in").await;
    tab.go("/dev/mail").await;
    tab.look("mailbox-empty").await;
    tab.go("/sign-in").await;
    tab.fill("#email", "ada@example.com").await;
    tab.click("main form button").await;
    tab.arrive("/sign-in/sent").await;
    tab.look("sign-in-sent").await;

    tab.go("/dev/mail").await;
    tab.look("mailbox").await;
    let mail = server.mails(1).await.remove(0);
    let link = mail["link"].as_str().unwrap().to_owned();
    secrets::record(&link);
    tab.go(&link).await;
    tab.look("link").await;
    tab.click("form[action='/auth/link'] button").await;
    tab.arrive("/workspaces").await;
    tab.look("workspaces-empty").await;

    tab.fill("#name", "Acme & Söhne").await;
    tab.evaluate("document.querySelector('#slug').value = ''").await;
    tab.fill("#slug", "acme").await;
    tab.click("form[action='/workspaces'] button").await;
    tab.arrive("/w/acme/live").await;
    tab.look("home").await;
    tab.go("/w/acme/live/members").await;
    tab.look("members").await;
    tab.go("/w/acme/live/projects").await;
    tab.look("projects-empty").await;
    tab.fill("#name", "Site").await;
    tab.click("form[action='/w/acme/live/projects'] button").await;
    tab.find("#flash").await;
    tab.look("projects").await;

    tab.go("/w/acme/live/keys").await;
    tab.look("keys-empty").await;
    tab.go("/w/acme/live/keys/new").await;
    tab.look("key-new").await;
    tab.fill("#name", "deploy").await;
    tab.click("input[name=scopes][value=read]").await;
    tab.click("form[action='/w/acme/live/keys'] button.main").await;
    tab.find("#secret-value").await;
    let key = tab.text("#secret-value").await;
    secrets::record(&key);
    assert_eq!(tab.source().await.matches(&key).count(), 1, "once in the page");
    tab.look("key-created").await;
    let created = tab.evaluate("location.pathname").await.as_str().unwrap().to_owned();
    tab.click("#secret-stored").await;
    tab.find("#flash").await;
    tab.look("key").await;
    tab.go(&created).await;
    assert!(!tab.source().await.contains(&key), "and never again");

    // The line that the page shows, with the key in its place.
    let own = crate::harness::http::http().get(format!("{}/v1/key", server.url)).bearer_auth(&key);
    assert_eq!(own.send().await.unwrap().status(), 200);

    let page = created.trim_end_matches("/created").to_owned();
    tab.go(&format!("{page}/edit")).await;
    tab.look("key-edit").await;
    tab.fill("#labels", "Team").await;
    tab.click("main form button").await;
    tab.find("#labels-fault").await;
    tab.look("key-edit-refused").await;
    tab.go(&format!("{page}/rotate")).await;
    tab.look("key-rotate").await;
    tab.click("main form button").await;
    tab.find("#secret-value").await;
    secrets::record(&tab.text("#secret-value").await);
    tab.look("key-successor").await;
    tab.click("#secret-stored").await;
    tab.find("#flash").await;
    tab.look("key-with-predecessor").await;
    tab.go(&page).await;
    tab.look("key-with-successor").await;
    tab.go(&format!("{page}/revoke")).await;
    tab.look("key-revoke").await;
    tab.fill("#confirm", "deploi").await;
    tab.click("main form button").await;
    tab.find("#confirm-fault").await;
    tab.look("key-revoke-refused").await;
    tab.evaluate("document.querySelector('#confirm').value = ''").await;
    tab.fill("#confirm", "deploy").await;
    tab.click("main form button").await;
    tab.find("#flash").await;
    tab.look("key-revoked").await;
    let own = crate::harness::http::http().get(format!("{}/v1/key", server.url)).bearer_auth(&key);
    assert_eq!(own.send().await.unwrap().status(), 401);

    tab.go("/w/acme/test/keys").await;
    tab.look("keys-test").await;
    tab.go("/w/nobodys/live").await;
    tab.look("not-found").await;
    tab.go("/workspaces").await;
    tab.look("workspaces").await;
    tab.close();
    server.stop(Signal::SIGINT).await;
}
