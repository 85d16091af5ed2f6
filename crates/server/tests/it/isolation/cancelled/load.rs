//! Full load: more clients than connections, at a node of this process and at one behind PgBouncer, and most of their requests
//! are dropped at some point. Each tenant has a canary.
//!
//! Settings of a connection cannot be seen from another one. Through PgBouncer any client gets the connections that the
//! server had before.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bailiwick_server::entropy::Entropy;
use futures_util::future::join_all;
use reqwest::Client;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};
use tokio::time::{sleep, timeout};

use super::CONNECTIONS;
use super::cut::settle;
use super::visit::{Sight, Tenant, found, visit};
use crate::harness::app::TestApp;
use crate::harness::cluster::{TestDatabase, options};
use crate::harness::node::Node;
use crate::harness::pooler::Pooler;

const TENANTS: [&str; 5] = ["ada", "bob", "cyd", "dan", "eve"];
const CLIENTS: usize = 40;
/// Of each client.
const REQUESTS: usize = 25;

/// What clients do.
#[derive(Clone, Copy)]
enum Doing {
    /// They list their projects.
    List,
    /// They list their projects by the key that is confined to the canary.
    ListConfined,
    /// They make a project.
    Make,
    /// They do the reading of a request in a task of the server's.
    Visit,
}

struct Load {
    app: Arc<TestApp>,
    /// Where requests go.
    urls: [String; 2],
    tenants: Vec<Tenant>,
    client: Client,
    dropped: AtomicUsize,
    /// By tenant, how many answers showed the canary.
    seen: Vec<AtomicUsize>,
}

impl Load {
    /// A client's requests, each of which is dropped after a random time or looked at.
    async fn client(&self, nth: usize, usual: Duration) {
        for request in 0..REQUESTS {
            let [fate, moment, kind, door, ..] = Entropy::system().bytes::<8>();
            let tenant = &self.tenants[nth % self.tenants.len()];
            let doing = [Doing::List, Doing::ListConfined, Doing::Make, Doing::Visit][usize::from(kind % 4)];
            let url = &self.urls[usize::from(door % 2)];
            let asked = self.ask(url, tenant, doing, nth * REQUESTS + request);
            if fate % 3 == 0 {
                let shown = asked.await;
                self.look(nth % self.tenants.len(), doing, shown);
            } else {
                // Most fall into the time that a request takes when nobody else asks, or that it waits for a connection.
                let share = u32::from(moment) * u32::from(moment) / 255;
                match timeout(usual * share / 64, asked).await {
                    Ok(shown) => self.look(nth % self.tenants.len(), doing, shown),
                    Err(_) => _ = self.dropped.fetch_add(1, Ordering::Relaxed),
                }
            }
        }
    }

    /// Dropped, it drops the request: a client leaves, or a task of the server's is ended.
    async fn ask(&self, url: &str, tenant: &Tenant, doing: Doing, nth: usize) -> Option<Sight> {
        let projects = format!("{url}/v1/workspaces/{}/projects", tenant.workspace);
        let answer = match doing {
            Doing::Visit => {
                let (app, tenant) = (self.app.clone(), tenant.clone());
                let mut task = AbortOnDrop(tokio::spawn(async move { visit(&app.db, &tenant).await }));
                return Some((&mut task.0).await.unwrap());
            }
            Doing::List => self.client.get(projects).bearer_auth(&tenant.key).send().await,
            Doing::ListConfined => self.client.get(projects).bearer_auth(&tenant.confined().key).send().await,
            Doing::Make => {
                let body = json!({"name": format!("{} {nth}", tenant.name)});
                self.client.post(projects).bearer_auth(&tenant.key).json(&body).send().await
            }
        };
        let answer = answer.unwrap();
        let status = answer.status().as_u16();
        assert!([200, 201, 503].contains(&status), "{status}");
        let body: Value = answer.json().await.unwrap();
        let names = match (status, doing) {
            (200, _) => body["data"].as_array().unwrap().iter().map(|project| &project["name"]).collect(),
            (201, _) => vec![&body["name"]],
            // Nobody lent it a connection in time.
            _ => return None,
        };
        let projects = names.into_iter().map(|name| name.as_str().unwrap().to_owned()).collect();
        Some(Sight { settings: vec![tenant.uuid.to_string()], projects })
    }

    fn look(&self, tenant: usize, doing: Doing, shown: Option<Sight>) {
        let Some(sight) = shown else { return };
        let name = self.tenants[tenant].name;
        match doing {
            Doing::Visit => self.tenants[tenant].recognises(&sight),
            Doing::ListConfined => assert_eq!(sight.projects, [format!("{name} canary")]),
            // A page may end before the canary.
            Doing::List | Doing::Make => {
                assert!(
                    !sight.projects.is_empty() && sight.projects.iter().all(|project| project.starts_with(name)),
                    "{sight:?}"
                );
            }
        }
        self.seen[tenant].fetch_add(1, Ordering::Relaxed);
    }

    /// Every tenant once more in every way, and nothing is dropped. Answers how long one of them took.
    async fn calm(&self) -> Duration {
        let begun = Instant::now();
        for (nth, tenant) in self.tenants.iter().enumerate() {
            for url in &self.urls {
                for doing in [Doing::List, Doing::ListConfined, Doing::Visit] {
                    let shown = self.ask(url, tenant, doing, 0).await;
                    assert!(shown.is_some(), "nobody else asks");
                    self.look(nth, doing, shown);
                }
            }
        }
        begun.elapsed() / u32::try_from(TENANTS.len() * 6).unwrap()
    }
}

struct AbortOnDrop(tokio::task::JoinHandle<Sight>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What each of the pooler's connections of a role says of the tenant that it had last: the settings that are not empty.
async fn left_on_connections(url: &str) -> Vec<String> {
    let settings = "SELECT pg_backend_pid(), ARRAY(SELECT name || '=' || current_setting('app.' || name, true)
        FROM unnest(ARRAY['workspace_id', 'environment', 'project_id', 'user_id', 'operational_path']) AS name
        WHERE nullif(current_setting('app.' || name, true), '') IS NOT NULL)";
    let (mut lent, mut pids, mut left) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..CONNECTIONS {
        let options = options(&url.to_owned().into()).statement_cache_capacity(0);
        let mut connection = PgConnection::connect_with(&options).await.unwrap();
        // As long as the transaction is open, nobody else is lent the connection behind.
        sqlx::raw_sql("DEALLOCATE ALL; BEGIN").execute(&mut connection).await.unwrap();
        let (pid, settings): (i32, Vec<String>) = sqlx::query_as(settings).fetch_one(&mut connection).await.unwrap();
        lent.push(connection);
        pids.push(pid);
        left.extend(settings);
    }
    pids.sort_unstable();
    pids.dedup();
    assert_eq!(pids.len(), CONNECTIONS as usize, "each of them was looked at");
    left
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_full_load_each_answer_shows_its_own_canary_and_no_connection_keeps_a_tenant() {
    let app = Arc::new(TestApp::on(TestDatabase::create().await, CONNECTIONS).await);
    let pooler = Pooler::before(&app.database, CONNECTIONS as usize).await;
    let settings = [
        ("BAILIWICK_DATABASE_POOLER", "transaction"),
        ("BAILIWICK_DATABASE_POOL_SIZE", "16"),
        ("BAILIWICK_DATABASE_RUNTIME_URL", pooler.runtime_url.as_str()),
        ("BAILIWICK_DATABASE_SYSTEM_URL", pooler.system_url.as_str()),
    ];
    let mut node = Node::with(&app, &settings).await;
    let mut tenants = Vec::new();
    for name in TENANTS {
        tenants.push(found(&app, name).await);
    }
    let load = Load {
        urls: [app.url.clone(), node.url.clone()],
        app,
        seen: tenants.iter().map(|_| AtomicUsize::new(0)).collect(),
        tenants,
        client: crate::harness::http::http(),
        dropped: AtomicUsize::new(0),
    };
    load.calm().await;
    let usual = load.calm().await;
    join_all((0..CLIENTS).map(|nth| load.client(nth, usual))).await;

    let (dropped, all) = (load.dropped.load(Ordering::Relaxed), CLIENTS * REQUESTS);
    let seen: Vec<usize> = load.seen.iter().map(|seen| seen.load(Ordering::Relaxed)).collect();
    println!("{dropped} of {all} requests were dropped; answers looked at: {seen:?}");
    assert!(dropped * 5 > all && seen.iter().all(|seen| *seen > 20), "{dropped} dropped, {seen:?} seen");
    load.calm().await;
    assert_eq!(settle(&load.app.database).await, Vec::<String>::new());
    assert!(node.is_running());
    drop(node);
    // Its last transactions end with it.
    sleep(Duration::from_millis(100)).await;
    for url in [&pooler.runtime_url, &pooler.system_url] {
        assert_eq!(left_on_connections(url).await, Vec::<String>::new());
    }
}
