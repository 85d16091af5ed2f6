//! Another address.

use futures_util::future::join_all;
use serde_json::json;
use time::Duration;

use super::{count, page, submit, who};
use crate::harness::app::{Person, TestApp};
use crate::harness::people;
use crate::harness::process::until;

/// Asks for another address; answers the codes of both mails, the new one's if there is one.
async fn ask(app: &TestApp, person: &Person, (old, new): (&str, &str)) -> (String, Option<String>) {
    let before = app.mails(0).await.len();
    let asked = submit(app, person, "/account/profile/address", ("email", new)).await;
    assert_eq!((asked.status.as_u16(), &asked.headers["location"]), (303, &"/account/profile".parse().unwrap()));
    let mails = app.mails(before + 2).await;
    let fresh = &mails[..mails.len() - before];
    let of =
        |to: &str| fresh.iter().find(|mail| mail.to == to).unwrap_or_else(|| panic!("no mail to {to}")).code.clone();
    (of(old).unwrap(), of(new))
}

async fn confirm(app: &TestApp, person: &Person, code: &str) -> (u16, String) {
    let answer = submit(app, person, "/account/profile/confirm", ("code", code)).await;
    (answer.status.as_u16(), answer.text)
}

#[tokio::test]
async fn both_addresses_confirm_it_and_everything_stays_but_the_address() {
    let app = TestApp::start().await;
    let (ada, _) = app.founder("ada@example.com", "acme").await;
    let (bob, others) = app.founder("bob@example.com", "other").await;
    let invited = json!({"email": "ada@example.com", "role": "viewer"});
    let path = format!("/v1/workspaces/{others}/invitations");
    assert_eq!(app.post(&path, &invited).bearer(&bob.access_token).send().await.status, 201);
    let invitation = people::token(&app, "ada@example.com").await;
    let (ada_is, _) = who(&app, &ada).await.unwrap();
    let mails = app.mails(0).await.len();
    let challenge = app.post("/auth/request", &json!({"email": "ada@example.com"})).send().await.text_of("challenge");
    let sign_in = app.mails(mails + 1).await[0].code.clone();

    for (wanted, status) in [("nothing", 422), ("ADA@example.com", 422)] {
        assert_eq!(submit(&app, &ada, "/account/profile/address", ("email", wanted)).await.status, status);
    }
    let (old, new) = ask(&app, &ada, ("ada@example.com", "countess@example.com")).await;
    let new = new.unwrap();
    assert_eq!(confirm(&app, &ada, "0000-0000").await.0, 422);
    assert_eq!(confirm(&app, &bob, &new).await.0, 422, "a code is nobody else's");
    assert_eq!(confirm(&app, &ada, &new).await.0, 303);
    assert_eq!(confirm(&app, &ada, &new).await.0, 303, "the same once more is not the other");
    assert!(page(&app, &ada, "/account/profile").await.text.contains("ada@example.com"));
    assert_eq!(confirm(&app, &ada, &old.to_lowercase()).await.0, 303);
    assert!(page(&app, &ada, "/account/profile").await.text.contains("<dd>countess@example.com</dd>"));
    assert_eq!(confirm(&app, &ada, &old).await.0, 422, "nothing waits any more");

    // A sign-in that was asked for with the old address is void, and so is what was offered to it.
    let late = app.post("/auth/verify", &json!({"challenge": challenge, "code": sign_in})).send().await;
    assert_eq!(late.problem(), (401, "sign_in_failed".into()));
    let call = app.post("/auth/accept-invite", &json!({"token": invitation})).bearer(&ada.access_token);
    assert_eq!(call.send().await.problem(), (403, "invitation_for_another".into()));
    assert_eq!(who(&app, &ada).await, Ok((ada_is.clone(), vec!["acme".to_owned()])), "the session goes on");
    let again = app.sign_in("countess@example.com").await;
    assert_eq!(who(&app, &again).await, Ok((ada_is.clone(), vec!["acme".to_owned()])));
    let stranger = app.sign_in("ada@example.com").await;
    let (stranger_is, theirs) = who(&app, &stranger).await.unwrap();
    assert!(stranger_is != ada_is && theirs.is_empty());
    let told = async || {
        let mails = app.mails(0).await;
        mails.iter().any(|mail| mail.to == "ada@example.com" && mail.subject.contains("has changed"))
    };
    until(told).await;
    for (action, times) in [
        ("account.address_change_requested", 1),
        ("account.address_code_failed", 1),
        ("account.address_confirmed", 2),
        ("account.address_changed", 1),
    ] {
        assert_eq!(count(&app, action).await, times, "{action}");
    }
}

#[tokio::test]
async fn nobody_learns_whose_an_address_is_and_one_of_two_gets_it() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.sign_in("ada@example.com").await, app.sign_in("bob@example.com").await);
    let eve = app.sign_in("eve@example.com").await;
    // Somebody's, and nobody's: the same answer, the same page.
    let (_, taken) = ask(&app, &ada, ("ada@example.com", "bob@example.com")).await;
    let of_taken = page(&app, &ada, "/account/profile").await.text;
    let (_, free) = ask(&app, &ada, ("ada@example.com", "bub@example.com")).await;
    let of_free = page(&app, &ada, "/account/profile").await.text;
    assert_eq!((taken, free.is_some()), (None, true));
    // But for the address itself, and for moments.
    let alike = |text: &str| -> Vec<String> {
        let text = text.replace("bob@example.com", "…").replace("bub@example.com", "…");
        text.split("<time").map(|part| part.split("</time>").last().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(alike(&of_taken), alike(&of_free));

    // Two want one address, both confirm, one gets it; the other keeps theirs.
    let (old_of_ada, new_of_ada) = ask(&app, &ada, ("ada@example.com", "one@example.com")).await;
    let (old_of_eve, new_of_eve) = ask(&app, &eve, ("eve@example.com", "one@example.com")).await;
    assert_eq!(confirm(&app, &ada, &old_of_ada).await.0, 303);
    assert_eq!(confirm(&app, &eve, &old_of_eve).await.0, 303);
    let codes = [(&ada, new_of_ada.unwrap()), (&eve, new_of_eve.unwrap())];
    let answers = join_all(codes.iter().map(|(person, code)| confirm(&app, person, code))).await;
    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.0).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 422]);
    assert!(answers.iter().any(|(_, text)| text.contains("somebody&#39;s meanwhile")), "{answers:?}");

    // Ten wrong codes are enough.
    let (old, _) = ask(&app, &bob, ("bob@example.com", "bobby@example.com")).await;
    for wrong in 0..10 {
        assert_eq!(confirm(&app, &bob, &format!("0000-000{wrong}")).await.0, 422);
    }
    let (status, text) = confirm(&app, &bob, &old).await;
    assert!(status == 422 && text.contains("No change waits"), "{text}");

    // What the database's owner writes there is nothing: neither another address, nor a word that one has confirmed.
    let (_, new) = ask(&app, &bob, ("bob@example.com", "robert@example.com")).await;
    let sql =
        "UPDATE address_changes SET old_confirmed_at = now() WHERE ended_at IS NULL AND new_email_key LIKE 'robert%'";
    assert_eq!(sqlx::query(sql).execute(&app.database.owner).await.unwrap().rows_affected(), 1);
    assert_eq!(confirm(&app, &bob, &new.unwrap()).await.0, 422);
    assert!(page(&app, &bob, "/account/profile").await.text.contains("<dd>bob@example.com</dd>"));

    // It takes somebody who has just signed in, and no more than five tries within an hour.
    for number in 3..=5 {
        ask(&app, &bob, ("bob@example.com", &format!("b{number}@example.com"))).await;
    }
    let sixth = submit(&app, &bob, "/account/profile/address", ("email", "b6@example.com")).await;
    assert!(sixth.status == 429 && sixth.text.contains("five changes"), "{}", sixth.text);
    app.advance(Duration::minutes(11));
    let stale = submit(&app, &bob, "/account/profile/address", ("email", "b7@example.com")).await;
    assert_eq!(stale.status, 403);
}

/// Whoever is asked for from many accounts is written to three times in an hour, and nobody who asks can tell; whoever has that address
/// changes to it all the same.
#[tokio::test]
async fn nobody_is_flooded_by_what_others_ask_for_and_nobody_kept_from_their_address() {
    let app = TestApp::start().await;
    let (mut answers, mut mallories) = (Vec::new(), Vec::new());
    for round in 0..5 {
        let person = app.sign_in(&format!("mallory{round}@example.com")).await;
        let answer = submit(&app, &person, "/account/profile/address", ("email", "victim@example.com")).await;
        answers.push((answer.status.as_u16(), answer.headers["location"].clone()));
        mallories.push(person);
    }
    assert!(answers.iter().all(|answer| *answer == answers[0] && answer.0 == 303), "{answers:?}");
    let to = async |address: &str| app.mails(0).await.iter().filter(|mail| mail.to == address).count();
    until(async || to("mallory4@example.com").await == 2).await;
    assert_eq!(to("victim@example.com").await, 3);
    let at_once =
        mallories.iter().map(|person| submit(&app, person, "/account/profile/address", ("email", "v@example.com")));
    assert!(join_all(at_once).await.iter().all(|answer| answer.status == 303));
    until(async || to("mallory4@example.com").await == 3 && to("v@example.com").await > 0).await;
    assert!(to("v@example.com").await <= 3, "nor at once");

    // Who comes later gets no mail, and the code of the newest is theirs; that of another address is not, whoever says so in the database.
    app.advance(Duration::minutes(40));
    let victim = app.sign_in("old@example.com").await;
    let (_, foreign) = ask(&app, &victim, ("old@example.com", "foreign@example.com")).await;
    let moved = "UPDATE address_changes SET new_email = 'victim@example.com', new_email_key = 'victim@example.com'
        WHERE new_email_key = 'foreign@example.com'";
    assert_eq!(sqlx::query(moved).execute(&app.database.owner).await.unwrap().rows_affected(), 1);
    for _ in 0..3 {
        assert_eq!(
            submit(&app, &victim, "/account/profile/address", ("email", "victim@example.com")).await.status,
            303
        );
    }
    until(async || to("old@example.com").await == 5).await;
    assert_eq!(to("victim@example.com").await, 3);
    assert!(page(&app, &victim, "/account/profile").await.text.contains("the code of the newest counts"));
    assert_eq!(confirm(&app, &victim, &foreign.unwrap()).await.0, 422);
    let newest = async |address: &str| {
        let mails = app.mails(0).await;
        mails.into_iter().find(|mail| mail.to == address).unwrap().code.unwrap()
    };
    assert_eq!(confirm(&app, &victim, &newest("old@example.com").await).await.0, 303);
    assert_eq!(confirm(&app, &victim, &newest("victim@example.com").await).await.0, 303);
    assert!(page(&app, &victim, "/account/profile").await.text.contains("<dd>victim@example.com</dd>"));

    // What was held back holds nothing back: an hour after the last mail another one goes out.
    app.advance(Duration::minutes(21));
    let late = app.sign_in("late@example.com").await;
    assert_eq!(submit(&app, &late, "/account/profile/address", ("email", "victim@example.com")).await.status, 303);
    until(async || to("victim@example.com").await == 4).await;
}
