//! Nobody can tell by an answer, or by the time that it takes, what is known of an address.
//!
//! Requests for each kind of address are interleaved in an order that is no pattern, so that whatever else this machine does
//! falls on all of them alike, and their times are compared by rank (Mann and Whitney, 1947): how fast it is does not matter.

use std::net::Ipv4Addr;
use std::time::Instant;

use bailiwick_server::account::operator;
use bailiwick_server::clock::Clock;
use bailiwick_server::entropy::Entropy;
use serde_json::json;

use super::{as_shipped, from};
use crate::harness::app::{Answer, TestApp};

const KINDS: [&str; 5] = ["unknown", "known", "busy", "suspended", "flooded"];
const EACH: usize = 200;
/// Wrong codes that are shown for each kind.
const GUESSES: usize = 100;
/// Standard deviations. By chance it is passed once in 150,000 comparisons, and nearly always by a difference of three quarters of the
/// deviation that times of one kind have.
const TOLD_APART: f64 = 4.5;

/// Deals the kinds out, each as often as the others.
struct Dealer(u64);

impl Dealer {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.0 >> 33) % below as u64).unwrap()
    }

    fn round(&mut self) -> [usize; KINDS.len()] {
        let mut round = std::array::from_fn(|kind| kind);
        for last in (1..round.len()).rev() {
            round.swap(last, self.next(last + 1));
        }
        round
    }
}

/// How many standard deviations the ranks of the one are off from what they would be if both were alike.
fn deviation(one: &[f64], others: &[f64]) -> f64 {
    let mut all: Vec<(f64, bool)> = one.iter().map(|time| (*time, true)).collect();
    all.extend(others.iter().map(|time| (*time, false)));
    all.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    let (mut ranks, mut ties, mut start) = (0.0, 0.0, 0);
    while start < all.len() {
        let end = all[start..].iter().take_while(|(time, _)| *time == all[start].0).count() + start;
        let tied = (end - start) as f64;
        ranks += all[start..end].iter().filter(|(_, of_one)| *of_one).count() as f64 * (start + end + 1) as f64 / 2.0;
        ties += tied * tied * tied - tied;
        start = end;
    }
    let (n, m) = (one.len() as f64, others.len() as f64);
    let u = ranks - n * (n + 1.0) / 2.0;
    let variance = n * m / 12.0 * (n + m + 1.0 - ties / ((n + m) * (n + m - 1.0)));
    (u - n * m / 2.0) / variance.sqrt()
}

#[test]
fn what_differs_by_most_of_a_deviation_is_told_apart_and_what_is_alike_is_not() {
    let mut dealer = Dealer(7);
    // Twelve dice: about normal, with a deviation of one hundred.
    let mut times = |number: usize, shift: f64| -> Vec<f64> {
        (0..number).map(|_| shift + (0..12).map(|_| dealer.next(101) as f64).sum::<f64>()).collect()
    };
    for _ in 0..20 {
        let (alike, others) = (times(EACH, 0.0), times(EACH * 4, 0.0));
        assert!(deviation(&alike, &others).abs() < TOLD_APART);
        assert!(deviation(&times(EACH, 80.0), &others) > TOLD_APART);
        assert!(deviation(&times(EACH, -80.0), &others) < -TOLD_APART);
    }
}

/// All that somebody sees, but for what is drawn anew for each.
fn seen(answer: &Answer) -> String {
    let drawn = ["x-request-id", "traceparent", "date", "set-cookie"];
    let mut headers: Vec<String> = answer
        .headers
        .iter()
        .map(|(name, value)| {
            let value = value.to_str().unwrap();
            if drawn.contains(&name.as_str()) {
                format!("{name} of {}", value.len())
            } else {
                format!("{name}: {value}")
            }
        })
        .collect();
    headers.sort_unstable();
    let mut body = answer.json();
    for drawn in ["challenge", "request_id"] {
        if let Some(text) = body.get_mut(drawn) {
            *text = json!(text.as_str().unwrap().len());
        }
    }
    format!("{} {headers:?} {body}", answer.status)
}

/// People, by the kind of their address.
async fn populate(app: &TestApp) {
    let run = async |sql: &'static str| {
        sqlx::query(sql).bind(i32::try_from(EACH).unwrap()).execute(&app.database.owner).await.unwrap();
    };
    run("INSERT INTO users (id, email, email_key, created_at, suspended_at)
         SELECT gen_random_uuid(), a.email, a.email, now(), NULL
         FROM generate_series(0, $1 - 1) AS n, unnest(ARRAY['known', 'busy', 'suspended']) AS kind,
             LATERAL (SELECT kind || n || '@example.com' AS email) a")
    .await;
    run("INSERT INTO workspaces (workspace_id, name, slug, created_at)
         SELECT gen_random_uuid(), 'w' || n, 'w' || n, now() FROM generate_series(1, 3 + 0 * $1) AS n")
    .await;
    run("INSERT INTO memberships (workspace_id, user_id, role, created_at)
         SELECT w.workspace_id, u.id, 'member', now() FROM workspaces w, users u
         WHERE u.email_key LIKE 'busy%' AND $1 > 0")
    .await;
    app.vouch().await;
    let (notary, clock, entropy) = (app.notary().await, Clock::system(), Entropy::system());
    let desk = operator::Desk { db: &app.db, notary: &notary, clock: &clock, entropy: &entropy };
    for number in 0..EACH {
        let who = format!("suspended{number}@example.com").parse().unwrap();
        operator::suspend(&desk, &who, "as the command does it").await.unwrap();
    }
}

#[tokio::test]
async fn no_answer_and_no_time_tells_what_is_known_of_an_address() {
    // Mails are composed and enqueued for all of them; delivering them here would only take processors away.
    let app = TestApp::configured(|config| {
        as_shipped(config);
        config.jobs.workers = 0;
    })
    .await;
    populate(&app).await;
    let mut network = 0;
    let mut ask = async |email: String| {
        network += 1;
        let call = app.post("/auth/request", &json!({"email": email}));
        let call = from(call, &Ipv4Addr::from_bits(0x0A00_0000 + network).to_string());
        let began = Instant::now();
        let answer = call.send().await;
        (answer, began.elapsed().as_secs_f64())
    };
    // As if each of the flooded had got its mails: what is looked at when a code is shown is there.
    assert_eq!(ask("somebody@example.com".to_owned()).await.0.status, 202);
    sqlx::query(
        "INSERT INTO sign_in_mail_budgets (email_key, full_at, newest)
         SELECT 'flooded' || n || '@example.com', now() + interval '50 minutes', newest
         FROM sign_in_mail_budgets, generate_series(0, $1 - 1) AS n",
    )
    .bind(i32::try_from(EACH).unwrap())
    .execute(&app.database.owner)
    .await
    .unwrap();

    let mut dealer = Dealer(1);
    let mut requests: [Vec<f64>; KINDS.len()] = Default::default();
    let mut challenges: [Vec<String>; KINDS.len()] = Default::default();
    let mut alike = std::collections::BTreeSet::new();
    for number in 0..EACH {
        for kind in dealer.round() {
            let (answer, time) = ask(format!("{}{number}@example.com", KINDS[kind])).await;
            assert_eq!(answer.status, 202);
            requests[kind].push(time);
            challenges[kind].push(answer.text_of("challenge"));
            alike.insert(seen(&answer));
        }
    }
    assert_eq!(alike.len(), 1, "{alike:#?}");
    let merged: i64 = sqlx::query_scalar("SELECT count(*) FROM sign_in_challenges WHERE merged_into IS NOT NULL")
        .fetch_one(&app.database.owner)
        .await
        .unwrap();
    assert_eq!(usize::try_from(merged).unwrap(), EACH, "of the flooded alone, and of all of them");

    let mut verifications: [Vec<f64>; KINDS.len()] = Default::default();
    alike.clear();
    let mut waiting = challenges.map(Vec::into_iter);
    for guessed in 0..GUESSES {
        for kind in dealer.round() {
            let number = u32::try_from(guessed * KINDS.len() + kind).unwrap();
            let (answer, time) = guess(&app, &waiting[kind].next().unwrap(), number).await;
            assert_eq!(answer.problem(), (401, "sign_in_failed".into()));
            verifications[kind].push(time);
            alike.insert(seen(&answer));
        }
    }
    assert_eq!(alike.len(), 1, "{alike:#?}");
    for (route, times) in [("request", requests), ("verify", verifications)] {
        for (kind, own) in times.iter().enumerate() {
            let others: Vec<f64> = times
                .iter()
                .enumerate()
                .filter(|(other, _)| *other != kind)
                .flat_map(|(_, times)| times.clone())
                .collect();
            let deviation = deviation(own, &others);
            println!("{route} {}: {deviation:.2}", KINDS[kind]);
            assert!(deviation.abs() < TOLD_APART, "{route} tells {} apart: {deviation}", KINDS[kind]);
        }
    }
}

/// Shows a wrong code, each time from another network.
async fn guess(app: &TestApp, challenge: &str, number: u32) -> (Answer, f64) {
    let call = app.post("/auth/verify", &json!({"challenge": challenge, "code": "K7MQ-2WXD"}));
    let call = from(call, &Ipv4Addr::from_bits(0x0B00_0000 + number).to_string());
    let began = Instant::now();
    (call.send().await, began.elapsed().as_secs_f64())
}
