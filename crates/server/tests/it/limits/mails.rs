//! However many ask for an address, its mailbox is not flooded, and its owner gets in.

use bailiwick_server::clock::Clock;
use bailiwick_server::config::{Config, Limits};
use bailiwick_server::housekeeping;
use futures_util::StreamExt as _;
use reqwest::Method;
use serde_json::json;
use time::Duration;

use super::{ask, behind_a_proxy, from, show};
use crate::harness::app::{Answer, TestApp};

const ADA: &str = "ada@example.com";

fn three_mails(config: &mut Config) {
    config.limits = Limits { sign_in_mails: 3, sign_in_requests: 1_000, sign_ins: 1_000 };
    behind_a_proxy(config);
}

/// Somebody's challenge for Ada's address, each time of another network.
async fn strangers(app: &TestApp, number: u32) -> String {
    let network = std::net::Ipv4Addr::from_bits(u32::from_be_bytes([203, 0, 0, 0]) + number);
    let asked = ask(app, ADA, &network.to_string()).await;
    assert_eq!(asked.status, 202, "{}", asked.text);
    asked.text_of("challenge")
}

async fn owners(app: &TestApp) -> String {
    ask(app, ADA, "198.51.100.7").await.text_of("challenge")
}

/// Waits until every mail is where it goes, and answers the codes of Ada's, the newest first.
async fn codes(app: &TestApp) -> Vec<String> {
    let waiting = "SELECT count(*) FROM jobs_ready WHERE kind = 'mail.send'";
    let count = async || sqlx::query_scalar::<_, i64>(waiting).fetch_one(&app.database.owner).await.unwrap();
    crate::harness::process::until(async || count().await == 0).await;
    app.mails(0).await.into_iter().filter(|mail| mail.to == ADA).map(|mail| mail.code.unwrap()).collect()
}

fn failed(answer: &Answer) -> bool {
    answer.status == 401 && answer.problem().1 == "sign_in_failed"
}

#[tokio::test]
async fn a_flood_brings_three_mails_and_the_newest_lets_the_owner_in() {
    let app = TestApp::configured(three_mails).await;
    // The owner asked before anybody else did.
    let first = owners(&app).await;
    let asking = futures_util::stream::iter(0..100).map(|number| strangers(&app, number));
    let others: Vec<String> = asking.buffer_unordered(16).collect().await;
    let mailed = codes(&app).await;
    assert!((1..=3).contains(&mailed.len()), "{}", mailed.len());
    let before = mailed.len();
    for (number, other) in others.iter().enumerate().take(20) {
        let wrong = if mailed[0].starts_with('7') { "8888-8888" } else { "7777-7777" };
        assert!(failed(&show(&app, other, wrong, &format!("203.0.113.{number}")).await));
    }
    // Now a new browser of the owner's asks, and no mail comes.
    let second = owners(&app).await;
    assert_eq!(codes(&app).await.len(), before);
    let (newest, oldest) = (&mailed[0], mailed.last().unwrap());
    if before > 1 {
        assert!(failed(&show(&app, &second, oldest, "198.51.100.7").await), "an older mail is not the newest");
    }
    // The link in it is for the browser that asked for that mail, and for no other.
    let token = app.mails(0).await[0].link.clone().unwrap().split_once("token=").unwrap().1.to_owned();
    let by_link =
        app.post("/auth/verify", &json!({"token": token})).header("cookie", &format!("bw_challenge={second}"));
    assert_eq!(from(by_link, "198.51.100.7").send().await.problem(), (401, "other_browser".into()));

    assert_eq!(show(&app, &second, newest, "198.51.100.7").await.status, 200, "the newest mail's code is this one's");
    for other in others.iter().step_by(4) {
        assert!(failed(&show(&app, other, newest, "203.0.113.250").await), "and signs in nobody else");
    }
    if before > 1 {
        assert_eq!(
            show(&app, &first, oldest, "198.51.100.7").await.status,
            200,
            "nobody has ended what was asked before"
        );
    }
    // Who signs in has read the mails, so there may be more of them.
    owners(&app).await;
    assert_eq!(codes(&app).await.len(), before + 1);
}

#[tokio::test]
async fn ten_minutes_bring_one_more_on_whichever_node_and_either_of_two_codes_is_good() {
    let app = TestApp::configured(three_mails).await;
    let vault = crate::harness::vault::settings(&app.database.kek_file);
    let other_node = app.another_node_configured(vault, three_mails).await;
    for number in 0..3 {
        strangers(if number == 1 { &other_node } else { &app }, number).await;
        assert_eq!(u32::try_from(codes(&app).await.len()).unwrap(), number + 1);
    }
    let (earlier, later) = (owners(&app).await, owners(&other_node).await);
    let third = codes(&app).await;
    assert_eq!(third.len(), 3, "both nodes count together");

    for node in [&app, &other_node] {
        node.advance(Duration::minutes(10));
    }
    strangers(&other_node, 77).await;
    strangers(&app, 78).await;
    let fourth = codes(&app).await;
    assert_eq!(fourth.len(), 4, "one more, and no more than one");
    assert_eq!(show(&app, &earlier, &third[0], "198.51.100.7").await.status, 200, "the mail that was the newest then");
    assert_eq!(show(&app, &later, &fourth[0], "198.51.100.7").await.status, 200, "the mail that is the newest now");
    assert!(failed(&show(&app, &later, &fourth[0], "198.51.100.7").await));

    // Counts that count no more go away.
    let rows = async || {
        let rows = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM sign_in_mail_budgets");
        rows.fetch_one(&app.database.owner).await.unwrap()
    };
    assert_eq!(rows().await, 1);
    let tomorrow = Clock::system().now() + Duration::days(1);
    housekeeping::expire_replays(&app.db, tomorrow).await.unwrap();
    assert_eq!(rows().await, 0);
}

#[tokio::test]
async fn whoever_owns_the_database_gives_nobody_the_code_of_another_mail() {
    let app = TestApp::configured(three_mails).await;
    for number in 0..3 {
        strangers(&app, number).await;
    }
    let merged = owners(&app).await;
    let waiting = codes(&app).await.len();
    // Eve reads her own mail, and owns the database.
    assert_eq!(ask(&app, "eve@example.com", "203.0.113.66").await.status, 202);
    let eves =
        app.mails(waiting + 1).await.into_iter().find(|mail| mail.to == "eve@example.com").unwrap().code.unwrap();
    let run = async |sql: &'static str| {
        sqlx::query(sql).execute(&app.database.owner).await.unwrap();
    };
    run("UPDATE sign_in_mail_budgets SET newest =
             (SELECT newest FROM sign_in_mail_budgets WHERE email_key = 'eve@example.com')")
    .await;
    assert!(failed(&show(&app, &merged, &eves, "203.0.113.66").await), "that mail went to another address");
    run("UPDATE sign_in_challenges SET email = 'ada@example.com', email_key = 'ada@example.com'
         WHERE email_key = 'eve@example.com'")
    .await;
    assert!(failed(&show(&app, &merged, &eves, "203.0.113.66").await), "nobody vouches for that");
    run("UPDATE sign_in_challenges c SET code_digest = e.code_digest FROM sign_in_challenges e
         WHERE c.merged_into IS NULL AND e.id = (SELECT newest FROM sign_in_mail_budgets WHERE email_key = 'eve@example.com')")
        .await;
    app.vouch().await;
    assert!(
        failed(&show(&app, &merged, &eves, "203.0.113.66").await),
        "and a code is bound to its mail and its address"
    );
    let (_, sign_ins) = (app.call(Method::GET, "/sign-in").send().await, app.actions(None).await);
    assert!(!sign_ins.contains(&"sign_in.completed".to_owned()));
}
