//! Ending sessions: one, the others, all; on every node when the answer is there.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use super::{count, refused, sessions};
use crate::cli::Desk;
use crate::harness::app::{Person, TestApp};
use crate::harness::http::http;
use crate::harness::node::Node;
use crate::harness::process::until;
use crate::harness::{ledger, secrets};

async fn out(app: &TestApp, person: &Person, way: &str) -> u64 {
    let call = app.call(Method::POST, &format!("/auth/{way}")).bearer(&person.access_token);
    let answer = call.send().await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["sessions_ended"].as_u64().unwrap()
}

#[tokio::test]
async fn one_the_others_or_all_and_each_leaves_an_entry() {
    let app = TestApp::start().await;
    let mut own = Vec::new();
    for _ in 0..4 {
        own.push(app.sign_in("ada@example.com").await);
    }
    let eve = app.sign_in("eve@example.com").await;
    let ids: Vec<String> =
        sessions(&app, &own[0]).await.iter().rev().map(|session| session["id"].as_str().unwrap().to_owned()).collect();
    let path = |id: &str| format!("/auth/sessions/{id}");

    // Somebody else's is like one that never was.
    let foreign = app.delete(&path(&ids[1])).bearer(&eve.access_token).send().await;
    let never = app.delete(&path("ses_01h455vb4pex5vsknk084sn02q")).bearer(&eve.access_token).send().await;
    assert_eq!((foreign.problem(), never.problem()), ((404, "not_found".into()), (404, "not_found".into())));
    let shown = |answer: &crate::harness::app::Answer| {
        let mut body = answer.json();
        body.as_object_mut().unwrap().remove("request_id");
        body
    };
    assert_eq!(shown(&foreign), shown(&never));
    assert_eq!(refused(&app, &own[1]).await, "");

    for _ in 0..2 {
        let ended = app.delete(&path(&ids[1])).bearer(&own[0].access_token).send().await;
        assert_eq!((ended.status.as_u16(), ended.text.as_str()), (204, ""), "again is no error");
    }
    assert_eq!(refused(&app, &own[1]).await, "session_ended");
    let refresh = app.post("/auth/refresh", &json!({"refresh_token": own[1].refresh_token})).send().await;
    assert_eq!(refresh.problem(), (401, "refresh_token_invalid".into()));
    assert_eq!(count(&app, "session.ended").await, 1);

    assert_eq!(out(&app, &own[0], "sign-out-others").await, 2);
    assert_eq!(out(&app, &own[0], "sign-out-others").await, 0, "nobody else is left");
    for (person, why) in [(&own[0], ""), (&own[2], "session_ended"), (&own[3], "session_ended"), (&eve, "")] {
        assert_eq!(refused(&app, person).await, why);
    }
    let call = app.call(Method::POST, "/auth/sign-out-everywhere").bearer(&own[0].access_token);
    let answer = call.send().await;
    assert_eq!((answer.json(), answer.cookies().as_str()), (json!({"sessions_ended": 1}), ""));
    assert_eq!(answer.headers.get_all("set-cookie").iter().count(), 2, "both cookies go");
    assert_eq!((refused(&app, &own[0]).await.as_str(), refused(&app, &eve).await.as_str()), ("session_ended", ""));
    assert_eq!(count(&app, "session.all_ended").await, 3, "also where nobody else was seen");
    let again = app.call(Method::POST, "/auth/sign-out-others").bearer(&own[0].access_token).send().await;
    assert_eq!(again.problem(), (401, "session_ended".into()));
}

/// A refresh that was under way when its session was ended leaves nothing that works.
#[tokio::test]
async fn no_refresh_that_races_a_sign_out_survives_it() {
    let app = TestApp::start().await;
    for round in 0..6 {
        let (ada, other) = (app.sign_in("ada@example.com").await, app.sign_in("ada@example.com").await);
        let body = json!({"refresh_token": ada.refresh_token});
        let refreshes = join_all((0..6).map(|_| app.post("/auth/refresh", &body).send()));
        let (answers, ended) = tokio::join!(refreshes, async {
            // Each time at another moment of theirs.
            for _ in 0..round * 40 {
                tokio::task::yield_now().await;
            }
            out(&app, &other, "sign-out-everywhere").await
        });
        assert!(ended >= 2, "{ended}");
        for answer in answers.iter().filter(|answer| answer.status == 200) {
            let late = answer.person();
            assert_eq!(refused(&app, &late).await, "session_ended");
            let again = app.post("/auth/refresh", &json!({"refresh_token": late.refresh_token})).send().await;
            assert_eq!(again.problem(), (401, "refresh_token_invalid".into()));
        }
    }
}

/// Three nodes in processes of their own.
struct Nodes {
    app: TestApp,
    nodes: [Node; 3],
}

impl Nodes {
    async fn start() -> Self {
        let app = TestApp::start().await;
        let nodes = [Node::beside(&app).await, Node::beside(&app).await, Node::beside(&app).await];
        Self { app, nodes }
    }

    async fn post(&self, node: usize, path: &str, token: Option<&str>, body: Option<&Value>) -> (u16, Value) {
        let mut call = http().post(format!("{}{path}", self.nodes[node].url));
        call = token.iter().fold(call, |call, token| call.bearer_auth(token));
        call = body.iter().fold(call, |call, body| call.json(body));
        let answer = call.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    /// Signs in at one of them; answers the pair.
    async fn sign_in(&self, node: usize) -> (String, String) {
        let mails = self.app.mails(0).await.len();
        let (_, asked) = self.post(node, "/auth/request", None, Some(&json!({"email": "ada@example.com"}))).await;
        let code = self.app.mails(mails + 1).await[0].code.clone();
        let body = json!({"challenge": asked["challenge"], "code": code});
        Self::pair(&self.post(node, "/auth/verify", None, Some(&body)).await)
    }

    fn pair((status, told): &(u16, Value)) -> (String, String) {
        assert_eq!(*status, 200, "{told}");
        let token = |name: &str| told[name].as_str().unwrap().to_owned();
        let pair = (token("access_token"), token("refresh_token"));
        [&pair.0, &pair.1].into_iter().for_each(|secret| secrets::record(secret));
        pair
    }

    /// What each node says of a token.
    async fn asked(&self, token: &str) -> Vec<u16> {
        let ask = |node: &Node| http().get(format!("{}/v1/workspaces", node.url)).bearer_auth(token).send();
        let answers = join_all(self.nodes.iter().map(ask)).await;
        answers.into_iter().map(|answer| answer.unwrap().status().as_u16()).collect()
    }
}

#[tokio::test]
async fn on_three_nodes_nobody_takes_a_token_once_its_end_was_answered() {
    let ground = Nodes::start().await;
    for round in 0..4 {
        let (at, other) = (round % 3, (round + 1) % 3);
        let (here, there) = (ground.sign_in(at).await, ground.sign_in(other).await);
        // Every node has both in memory.
        assert_eq!(ground.asked(&here.0).await, [200; 3]);
        assert_eq!(ground.asked(&there.0).await, [200; 3]);
        let (status, told) = ground.post(at, "/auth/sign-out-others", Some(&here.0), None).await;
        assert_eq!((status, &told["sessions_ended"]), (200, &json!(1)));
        assert_eq!(ground.asked(&there.0).await, [401; 3]);
        assert_eq!(ground.asked(&here.0).await, [200; 3]);

        // Fifty refreshes at once, on all nodes: one successor; and a reuse ends all, everywhere.
        let body = json!({"refresh_token": here.1});
        let refreshes = (0..50).map(|n| ground.post(n % 3, "/auth/refresh", None, Some(&body)));
        let pairs: Vec<_> = join_all(refreshes).await.iter().map(Nodes::pair).collect();
        assert!(pairs.iter().all(|pair| pair.1 == pairs[0].1), "one successor");
        let last = &pairs[49].0;
        assert_eq!(ground.asked(last).await, [200; 3]);
        let (status, _) = ground.post(other, "/auth/sign-out-everywhere", Some(last), None).await;
        assert_eq!((status, ground.asked(last).await), (200, vec![401; 3]));
        assert_eq!(ground.asked(&here.0).await, [401; 3]);
    }
}

#[tokio::test]
async fn they_are_listed_and_ended_by_command() {
    let desk = Desk::ready("ada@example.com").await;
    let other = desk.app.sign_in("ada@example.com").await;
    let listed = desk.run(&["sessions", "list", "-o", "json"]).await.json();
    assert_eq!(listed.as_array().unwrap().len(), 2);
    let id = listed[0]["id"].as_str().unwrap();
    assert_eq!(desk.run(&["sessions", "end"]).await.code, 2, "it has to be said which");
    let ended = desk.run(&["sessions", "end", id, "-o", "json"]).await.json();
    assert_eq!(ended, json!({"id": id, "status": "ended"}));
    assert_eq!(refused(&desk.app, &other).await, "session_ended");
    desk.run(&["sessions", "end", "ses_01h455vb4pex5vsknk084sn02q", "-o", "json"]).await.refused(3, "not_found");
    let others = desk.run(&["sessions", "end", "--others", "-o", "json"]).await.json();
    assert_eq!(others, json!({"sessions_ended": 0}));
    desk.run(&["sessions", "end", "--everywhere"]).await.ok();
    desk.run(&["sessions", "list", "-o", "json"]).await.refused(4, "session_ended");
}

/// A request that was let in before its session ended, and whose turn comes after, changes nothing.
#[tokio::test]
async fn what_was_let_in_before_its_session_ended_changes_nothing_after() {
    let app = TestApp::start().await;
    let (here, stolen) = (app.sign_in("ada@example.com").await, app.sign_in("ada@example.com").await);
    // Somebody has the person's lock, for which the end of her session waits first.
    let mut held = ledger::begin(&app.database.owner).await;
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('person ' || id, 0)) FROM users")
        .execute(&mut *held)
        .await
        .unwrap();
    let waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    let wait = async |for_so_many: i64| {
        let count = async || sqlx::query_scalar::<_, i64>(waiting).fetch_one(&app.database.owner).await.unwrap();
        until(async || count().await == for_so_many).await;
    };
    let (ended, changed, ()) = tokio::join!(
        out(&app, &here, "sign-out-others"),
        async {
            wait(1).await;
            let factor = app.post("/auth/factors/authenticators", &json!({"name": "Telephone"}));
            factor.bearer(&stolen.access_token).send().await
        },
        async {
            wait(2).await;
            held.rollback().await.unwrap();
        },
    );
    assert_eq!((ended, changed.problem()), (1, (401, "session_ended".into())));
}
