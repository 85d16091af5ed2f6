//! Daily roots: one a day for each log and key, for everybody, verified by programs that are not ours.

use std::process::Command;

use bailiwick_proof::checkpoint::Checkpoint;
use bailiwick_proof::jose::{Jwks, verify_checkpoint};
use bailiwick_server::clock::Clock;
use bailiwick_server::ledger;
use serde_json::{Value, json};
use time::Duration;

use super::Acme;
use crate::harness::run_dir::variable;

impl Acme {
    /// The live log's roots, the newest first.
    async fn roots(&self) -> Vec<Value> {
        let page = self.public("audit-roots?limit=100").await;
        assert_eq!(page.status, 200, "{}", page.text);
        let mut roots = page.json()["data"].as_array().unwrap().clone();
        roots.retain(|root| root["environment"] == "live");
        roots
    }

    async fn verified(&self, root: &Value) -> Checkpoint {
        let keys = Jwks::parse(&self.public("jwks.json").await.text).unwrap().keys;
        verify_checkpoint(root["jws"].as_str().unwrap(), &keys).unwrap()
    }

    async fn make_roots(&self, ahead: Duration) {
        let ledger = self.ledger(ahead).await;
        ledger::make_daily_roots_of(&ledger, Clock::system().now() + ahead).await.unwrap();
    }
}

#[tokio::test]
async fn a_root_a_day_is_in_the_key_set_and_a_resource_of_its_own() {
    let acme = Acme::found().await;
    let before = acme.public("jwks.json").await.json();
    assert_eq!(before["audit_roots"], json!([]), "the first day's root comes with the hour");
    acme.make_roots(Duration::ZERO).await;
    acme.make_roots(Duration::ZERO).await;
    let roots = acme.roots().await;
    assert_eq!(roots.len(), 1, "a day has one: {roots:?}");
    let checkpoint = acme.verified(&roots[0]).await;
    assert!(checkpoint.origin.ends_with(&format!("/w/{}/live/1", acme.workspace)), "{}", checkpoint.origin);
    assert_eq!(json!(checkpoint.size), roots[0]["size"]);
    let set = acme.public("jwks.json").await.json();
    assert_eq!(set["audit_roots"][0], roots[0]["jws"], "the live log's first");
    assert_eq!(set["audit_roots"].as_array().unwrap().len(), 2, "each log has one");
    assert_eq!(set["keys"], before["keys"]);
}

/// Requirement 20.
#[tokio::test]
async fn joserfc_and_jose_verify_what_the_server_publishes() {
    let acme = Acme::found().await;
    acme.record("door-1").await;
    acme.make_roots(Duration::ZERO).await;
    let folder = tempfile::tempdir().unwrap();
    let (good, bad) = (folder.path().join("jwks.json"), folder.path().join("forged.json"));
    let mut document = acme.public("jwks.json").await.json();
    std::fs::write(&good, document.to_string()).unwrap();
    let jws = document["audit_roots"][0].as_str().unwrap().to_owned();
    let (signed, signature) = jws.rsplit_once('.').unwrap();
    let (header, _) = signed.split_once('.').unwrap();
    let other = document["audit_roots"][1].as_str().unwrap().split('.').nth(1).unwrap();
    document["audit_roots"][0] = json!(format!("{header}.{other}.{signature}"));
    std::fs::write(&bad, document.to_string()).unwrap();

    let checks = concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors/check");
    let tool = |name| variable(name).unwrap_or_else(|| panic!("`cargo xtask test` sets {name}"));
    let python = |file: &std::path::Path| {
        Command::new(tool("CHECK_PYTHON")).arg(format!("{checks}/roots.py")).arg(file).output().unwrap()
    };
    let node = |file: &std::path::Path| {
        let mut command = Command::new(tool("NODE"));
        command.arg(format!("{checks}/roots.mjs")).arg(file).arg(tool("JOSE_JS")).output().unwrap()
    };
    let said = python(&good);
    let told = String::from_utf8(said.stdout).unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let first = told.lines().next().unwrap();
    let checkpoint = acme.verified(&acme.roots().await[0]).await;
    assert_eq!(first, format!("{} {} {}", checkpoint.origin, checkpoint.size, checkpoint.root.to_base64()));
    let said = node(&good);
    assert_eq!(String::from_utf8(said.stdout).unwrap(), told, "{}", String::from_utf8_lossy(&said.stderr));
    assert!(!python(&bad).status.success() && !node(&bad).status.success(), "a root over another payload");
}

#[tokio::test]
async fn a_day_without_entries_has_the_same_root_and_days_without_a_server_have_none() {
    let acme = Acme::found().await;
    acme.make_roots(Duration::ZERO).await;
    acme.make_roots(Duration::days(1)).await;
    // The server is off for three days.
    acme.record("door-1").await;
    acme.make_roots(Duration::days(5)).await;
    let roots = acme.roots().await;
    let day = |root: &Value| root["day"].as_str().unwrap().to_owned();
    let today = time::Duration::ZERO;
    let date = |ahead: i64| (Clock::system().now() + today + Duration::days(ahead)).date();
    let days: Vec<String> = roots.iter().map(day).collect();
    assert_eq!(days, [date(5), date(1), date(0)].map(|date| date.to_string()), "none is made up afterwards");
    let [last, second, first] = [&roots[0], &roots[1], &roots[2]];
    assert_eq!(acme.verified(first).await, acme.verified(second).await, "the same root");
    assert_eq!(acme.verified(last).await.size, acme.verified(first).await.size + 1);

    // The newest page, and what follows it.
    let page = acme.public("audit-roots?limit=1").await.json();
    let cursor = page["next_cursor"].as_str().unwrap();
    let next = acme.public(&format!("audit-roots?limit=100&cursor={cursor}")).await.json();
    assert_eq!(next["data"].as_array().unwrap().len(), 5);
    assert_eq!(next["next_cursor"], json!(null));

    acme.make_roots(Duration::days(404)).await;
    let kept: Vec<String> = acme.roots().await.iter().map(day).collect();
    assert_eq!(kept, [date(404), date(5)].map(|date| date.to_string()), "400 days are kept");
}

#[tokio::test]
async fn while_a_key_is_replaced_each_of_both_signs_and_later_the_new_one_alone() {
    let acme = Acme::found().await;
    acme.make_roots(Duration::ZERO).await;
    let [old] = acme.roots().await.try_into().unwrap();
    ledger::rotate_key(&acme.ledger(Duration::ZERO).await, acme.live()).await.unwrap();
    acme.app.numbered().await;
    acme.make_roots(Duration::days(1)).await;
    let roots = acme.roots().await;
    let kids: Vec<&str> = roots[..2].iter().map(|root| root["kid"].as_str().unwrap()).collect();
    assert_eq!(roots.len(), 3);
    assert!(kids[0] != kids[1] && kids.contains(&old["kid"].as_str().unwrap()), "{kids:?}");
    assert_eq!(acme.verified(&roots[0]).await, acme.verified(&roots[1]).await, "the same root by both");
    acme.make_roots(Duration::days(40)).await;
    let roots = acme.roots().await;
    assert_eq!(roots.len(), 4);
    assert_ne!(roots[0]["kid"], old["kid"]);
    assert_eq!(acme.verified(&old).await.origin, acme.verified(&roots[0]).await.origin, "the old root still verifies");
}

/// Claim D2, to its end: a customer's program takes the root and the key to another machine.
#[tokio::test]
async fn the_command_line_gets_a_root_and_verifies_it_offline() {
    let acme = Acme::found().await;
    let home = acme.at_home().await;
    assert_eq!(home.run(&["audit", "root"], "").await.code, 3, "there is none yet");
    acme.make_roots(Duration::ZERO).await;
    let vkey = home.run(&["audit", "pin", "-o", "id"], "").await.ok();
    std::fs::write(home.path("ledger.vkey"), vkey).unwrap();
    let got = home.run(&["audit", "root", "--out", "today.jws", "-o", "json"], "").await.json();
    let root = &acme.roots().await[0];
    assert_eq!((&got["day"], &got["size"], &got["key_from"]), (&root["day"], &root["size"], &json!("pinned")));
    let day = root["day"].as_str().unwrap();
    home.run(&["audit", "root", "--day", day], "").await.ok();
    assert_eq!(home.run(&["audit", "root", "--day", "2001-01-01"], "").await.code, 3);

    let verify = ["verify", "today.jws", "--key", "@ledger.vkey", "-o", "json"];
    let verified = home.run(&verify, "").await.json();
    assert_eq!((&verified["kind"], &verified["root"]), (&json!("daily_root"), &got["root"]));
    let file = std::fs::read_to_string(home.path("today.jws")).unwrap();
    let cut = file.len() - 6;
    let other = if &file[cut..=cut] == "A" { "B" } else { "A" };
    std::fs::write(home.path("today.jws"), format!("{}{other}{}", &file[..cut], &file[cut + 1..])).unwrap();
    let refused = home.run(&verify, "").await;
    assert_eq!((refused.code, refused.stdout.contains("\"bad_signature\"")), (6, true), "{}", refused.stdout);
}

#[tokio::test]
async fn two_nodes_make_each_root_once() {
    let acme = Acme::found().await;
    let (one, other) = (acme.ledger(Duration::ZERO).await, acme.ledger(Duration::ZERO).await);
    let (first, second) = tokio::join!(ledger::make_daily_roots(&one), ledger::make_daily_roots(&other));
    first.unwrap();
    second.unwrap();
    assert_eq!(acme.roots().await.len(), 1);
}

/// A node whose clock is ahead makes no root of a day to come and takes none away; those that were made by such a clock go.
#[tokio::test]
async fn a_clock_that_is_ahead_makes_and_takes_no_root() {
    let acme = Acme::found().await;
    acme.make_roots(Duration::ZERO).await;
    ledger::make_daily_roots(&acme.ledger(Duration::days(500)).await).await.unwrap();
    let [root] = acme.roots().await.try_into().unwrap();
    acme.make_roots(Duration::days(30)).await;
    assert_eq!(acme.roots().await.len(), 2);
    ledger::make_daily_roots(&acme.ledger(Duration::ZERO).await).await.unwrap();
    assert_eq!(acme.roots().await, [root]);
}

/// The owner of the database has no key of the log's: what they put into the table is not handed out, and a checkpoint of theirs
/// becomes no root.
#[tokio::test]
async fn what_the_owner_of_the_database_puts_there_is_no_root() {
    let acme = Acme::found().await;
    acme.make_roots(Duration::ZERO).await;
    acme.by_owner("UPDATE ledger_daily_roots SET size = size + 1").await;
    assert_eq!(acme.roots().await, [json!(null); 0]);
    assert_eq!(acme.public("jwks.json").await.json()["audit_roots"], json!([]));

    let (_, beta) = acme.app.founder("bob@example.com", "beta").await;
    acme.by_owner("DELETE FROM ledger_daily_roots").await;
    let forged = bailiwick_proof::note::SigningKey::from_seed(
        Jwks::parse(&acme.public("jwks.json").await.text).unwrap().keys[0].verifier().name(),
        &[7; 32],
    )
    .unwrap();
    acme.app.numbered().await;
    let ledger = acme.ledger(Duration::ZERO).await;
    let newest = ledger.checkpoint(acme.live()).await.unwrap();
    let note: bailiwick_proof::checkpoint::SignedCheckpoint = newest.note.parse().unwrap();
    let signed = note.unverified().root;
    let other = Checkpoint { root: bailiwick_proof::merkle::Hash::ZERO, ..note.unverified().clone() };
    let note = bailiwick_proof::checkpoint::SignedCheckpoint::sign(other, &[&forged]).unwrap().to_string();
    sqlx::query(
        "UPDATE ledger_checkpoints SET note = $1 WHERE workspace_id = $2 AND environment = 'live' AND size = $3",
    )
    .bind(note)
    .bind(acme.workspace.parse::<bailiwick_proof::id::WorkspaceId>().unwrap().uuid())
    .bind(i64::try_from(newest.size).unwrap())
    .execute(&acme.app.database.owner)
    .await
    .unwrap();
    sqlx::query(
        "INSERT INTO ledger_keys SELECT workspace_id, environment, 'forged', generation, $1, seed_sealed, created_at, now()
         FROM ledger_keys WHERE workspace_id = $2 AND environment = 'live'",
    )
    .bind(forged.verifier().public().as_slice())
    .bind(acme.workspace.parse::<bailiwick_proof::id::WorkspaceId>().unwrap().uuid())
    .execute(&acme.app.database.owner)
    .await
    .unwrap();
    acme.make_roots(Duration::ZERO).await;
    let roots = acme.roots().await;
    assert_eq!((roots.len(), acme.verified(&roots[0]).await.root), (1, signed), "what was put there is written over");
    let others = acme.app.get(&format!("/w/{beta}/.well-known/audit-roots")).send().await.json();
    assert_eq!(others["data"].as_array().unwrap().len(), 2, "and others have theirs");
}
