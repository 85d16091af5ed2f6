//! The way of a dead job, by `bailiwickd jobs`.

use std::process::Output;

use bailiwick_server::jobs::Registry;
use serde_json::Value;

use super::kinds::{Moody, Secretive};
use super::shop::Shop;
use crate::harness::node;
use crate::harness::process::bailiwickd;

impl Shop {
    /// `bailiwickd jobs …` with the settings of the server.
    async fn jobs(&self, arguments: &[&str]) -> Output {
        let settings = node::command(&self.app);
        let mut command = bailiwickd(["jobs"]);
        let given = settings.as_std().get_envs().filter_map(|(name, value)| Some((name, value?)));
        command.args(arguments).envs(given).output().await.unwrap()
    }

    async fn json(&self, arguments: &[&str]) -> Value {
        let output = self.jobs(arguments).await;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    async fn refused(&self, arguments: &[&str]) -> String {
        let output = self.jobs(arguments).await;
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
        String::from_utf8(output.stderr).unwrap()
    }
}

#[tokio::test]
async fn a_dead_job_is_shown_retried_and_discarded() {
    let shop = Shop::open().await;
    let ids = shop.enqueue::<Moody>(&["never".to_owned(), "refused".to_owned()]).await;
    let scrubbed = shop.enqueue::<Secretive>(&["refused".to_owned()]).await[0].to_string();
    let registry = || Registry::default().with(Moody).with(Secretive);
    shop.work(registry(), 2, async || shop.left().await == 0).await;

    let listed = shop.json(&["list", "--dead", "--kind", "test.moody", "-o", "json"]).await;
    let mut found: Vec<&str> = listed.as_array().unwrap().iter().map(|job| job["id"].as_str().unwrap()).collect();
    found.sort_unstable();
    let mut wanted: Vec<String> = ids.iter().map(ToString::to_string).collect();
    wanted.sort();
    assert_eq!(found, wanted);
    let table = String::from_utf8(shop.jobs(&["list"]).await.stdout).unwrap();
    assert!(table.starts_with("ID ") && table.contains("not_today 503") && table.contains("dead, scrubbed"), "{table}");

    let never = listed.as_array().unwrap().iter().find(|job| job["error"] == "not_today 503").unwrap();
    let id = never["id"].as_str().unwrap();
    assert_eq!((&never["state"], &never["attempts"]), (&"dead".into(), &3.into()));
    let shown = shop.json(&["show", id, "-o", "json"]).await;
    assert_eq!(shown, *never);

    // Tried again, with all its tries before it, and given up again.
    let retried = shop.json(&["retry", id, "-o", "json"]).await;
    assert_eq!((&retried["state"], &retried["attempts"]), (&"retrying".into(), &0.into()));
    shop.work(registry(), 2, async || shop.left().await == 0).await;
    assert_eq!(shop.json(&["show", id, "-o", "json"]).await["attempts"], 3);

    // Of no use to anybody once it was given up.
    assert!(shop.refused(&["retry", &scrubbed]).await.contains("cannot be tried again"));
    // Nobody is there to be asked.
    assert!(shop.refused(&["discard", id]).await.contains("--yes"));
    assert!(shop.jobs(&["discard", id, "--yes"]).await.status.success());
    assert!(shop.refused(&["show", id]).await.contains("there is no job"));
    assert!(shop.refused(&["retry", id]).await.contains("there is no job"));
    assert_eq!(shop.number("SELECT count(*) FROM job_payloads").await, 1, "the other's that can be retried");

    // What the operator changed is in the cell's log, once each; what was refused is not.
    let actions = shop.app.actions(None).await;
    let of_jobs: Vec<&String> = actions.iter().filter(|action| action.starts_with("job.")).collect();
    assert_eq!(of_jobs, ["job.retried", "job.discarded"]);
    assert!(String::from_utf8(shop.jobs(&["schedules"]).await.stdout).unwrap().contains("housekeeping.partitions"));
}
