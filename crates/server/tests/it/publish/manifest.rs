//! Manifests: each hour one line for each log, up to the cell's signed checkpoint; a log that is gone is missed.

use bailiwick_proof::checkpoint::{Checkpoint, SignedCheckpoint};
use bailiwick_proof::jose::Jwks;
use bailiwick_proof::log::Log;
use bailiwick_proof::manifest::proof::{Covered, InManifest, ManifestProof};
use bailiwick_proof::note::VerifierKey;
use bailiwick_server::anchor::Head;
use bailiwick_server::clock::Clock;
use bailiwick_server::ledger::{self, Lost, Sanction};
use serde_json::json;
use time::Duration;

use super::Acme;
use crate::harness::app::Answer;
use crate::harness::ledger::to_restore;

const HOUR: Duration = Duration::HOUR;

impl Acme {
    async fn publish(&self, ahead: Duration) {
        let ledger = self.ledger(ahead).await;
        ledger.checkpoint(self.live()).await.unwrap();
        ledger::publish_manifest_of(&ledger, Clock::system().now() + ahead).await.unwrap();
    }

    async fn manifest(&self, query: &str) -> Answer {
        let path = format!("/v1/workspaces/{}/audit/manifest{query}", self.workspace);
        self.app.get(&path).bearer(&self.person.access_token).send().await
    }

    async fn line(&self, query: &str) -> ManifestProof {
        let answer = self.manifest(query).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.text.parse().unwrap()
    }

    /// The keys of the workspace's logs and of the cell's, as everybody gets them.
    async fn all_keys(&self) -> Vec<VerifierKey> {
        let cell = self.app.get("/cell/.well-known/jwks.json").send().await;
        assert_eq!(cell.headers["content-type"], "application/jwk-set+json");
        let sets = [self.public("jwks.json").await.text, cell.text];
        sets.iter().flat_map(|set| Jwks::parse(set).unwrap().keys).map(|jwk| jwk.verifier().clone()).collect()
    }

    async fn verified_line(&self, query: &str) -> InManifest {
        self.line(query).await.verify(&self.all_keys().await).unwrap()
    }
}

fn hour(ahead: Duration) -> String {
    let hour = (Clock::system().now() + ahead).truncate_to_hour();
    hour.format(&time::format_description::well_known::Rfc3339).unwrap()
}

#[tokio::test]
async fn a_log_finds_its_line_and_ends_at_the_cells_checkpoint() {
    let acme = Acme::found().await;
    for n in 0..5 {
        acme.app.founder(&format!("bob{n}@example.com"), &format!("beta-{n}")).await;
    }
    assert_eq!(acme.manifest("").await.problem(), (404, "no_manifest".into()));
    acme.app.numbered().await;
    acme.publish(HOUR).await;
    acme.publish(HOUR).await;
    let found = acme.verified_line("").await;
    assert_eq!((found.hour.as_str(), found.logs), (hour(HOUR).as_str(), 12), "each environment has a log");
    assert!(found.origin.to_string().ends_with(&format!("/w/{}/live/1", acme.workspace)));
    assert!(found.cell.origin.to_string().ends_with("/cell/1"));
    let published = acme.app.actions(None).await.iter().filter(|action| *action == "ledger.manifest_published").count();
    assert_eq!(published, 1, "an hour has one, however often it is made");

    let told = acme.record("door-1").await;
    let event = told["id"].as_str().unwrap();
    let late = acme.manifest(&format!("?event={event}")).await;
    assert_eq!(late.problem(), (404, "no_manifest".into()), "what came after the hour is in the next");
    acme.publish(HOUR * 2).await;
    let proof = acme.line(&format!("?event={event}&open=target")).await;
    assert!(matches!(proof.covered, Covered::Receipt(_)));
    let found = proof.verify(&acme.all_keys().await).unwrap();
    assert_eq!((found.hour, found.entry.unwrap().entry.seq), (hour(HOUR * 2), 1));
    assert_eq!(proof.cell.openings.len(), 1, "of the manifest's entry nothing but its meta is shown");
    assert_eq!(acme.verified_line(&format!("?hour={}", hour(HOUR))).await.checkpoint.size, 1, "an older one is kept");

    acme.publish(HOUR * 24 * 8).await;
    let gone = acme.manifest(&format!("?hour={}", hour(HOUR))).await;
    assert_eq!(gone.problem(), (404, "no_manifest".into()), "for seven days");
}

/// One node among good ones, whose clock is half a year ahead; and manifests that such a clock has made.
#[tokio::test]
async fn a_clock_that_is_ahead_takes_no_manifest_and_puts_none_on_top() {
    let acme = Acme::found().await;
    acme.publish(-HOUR * 24 * 6).await;
    ledger::publish_manifest(&acme.ledger(Duration::days(190)).await).await.unwrap();
    let newest = acme.verified_line("").await.hour;
    assert!([hour(Duration::ZERO), hour(-HOUR)].contains(&newest), "{newest}");
    acme.verified_line(&format!("?hour={}", hour(-HOUR * 24 * 6))).await;
    // What another one has published that looked at no second clock.
    acme.publish(Duration::days(100)).await;
    assert_eq!(acme.verified_line("").await.hour, hour(Duration::days(100)));
    ledger::publish_manifest(&acme.ledger(Duration::ZERO).await).await.unwrap();
    assert!(acme.verified_line("").await.hour <= hour(Duration::ZERO));
}

/// Requirement 4.
#[tokio::test]
async fn a_whole_log_that_was_deleted_is_missed_by_the_next_manifest() {
    let acme = Acme::found().await;
    acme.publish(HOUR).await;
    let kept = acme.line("").await;
    // A node that begins now would refuse to: the journal knows the log.
    let running = acme.ledger(HOUR * 2).await;
    let workspace = acme.workspace.parse::<bailiwick_proof::id::WorkspaceId>().unwrap().uuid();
    for table in ["ledger_heads", "ledger_entries", "ledger_openings", "ledger_hashes", "ledger_checkpoints"] {
        acme.by_owner(&format!("DELETE FROM {table} WHERE workspace_id = '{workspace}' AND environment = 'live'"))
            .await;
    }
    ledger::publish_manifest_of(&running, Clock::system().now() + HOUR * 2).await.unwrap();
    let missing = acme.manifest("").await;
    assert_eq!(missing.problem(), (409, "ledger_mismatch".into()), "{}", missing.text);
    assert!(missing.text.contains("does not name this log"), "{}", missing.text);
    kept.verify(&acme.all_keys().await).unwrap();
}

#[tokio::test]
async fn a_line_that_the_owner_of_the_database_forges_is_not_made_or_not_shown() {
    let acme = Acme::found().await;
    acme.publish(HOUR).await;
    acme.by_owner("UPDATE ledger_manifest_lines SET position = 1 - position").await;
    assert_eq!(acme.manifest("").await.problem(), (409, "ledger_mismatch".into()), "another's place");
    acme.by_owner("UPDATE ledger_manifest_lines SET position = 1 - position").await;
    acme.verified_line("").await;
    acme.by_owner("UPDATE ledger_manifest_hashes SET hashes = sha256(hashes) || sha256(hashes)").await;
    assert_eq!(acme.manifest("").await.problem(), (409, "ledger_mismatch".into()), "other lines");

    // A checkpoint that no key of the log signed gets no line.
    let note = "UPDATE ledger_checkpoints SET note = replace(note, E'\\n1\\n', E'\\n2\\n') WHERE environment = 'live'
        AND workspace_id <> '00000000-0000-0000-0000-000000000000'";
    acme.by_owner(note).await;
    let later = acme.ledger(HOUR * 2).await;
    ledger::publish_manifest_of(&later, Clock::system().now() + HOUR * 2).await.unwrap();
    assert_eq!(acme.manifest("").await.problem(), (409, "ledger_mismatch".into()));
}

#[tokio::test]
async fn two_nodes_make_one_manifest_of_an_hour() {
    let acme = Acme::found().await;
    acme.ledger(HOUR).await.checkpoint(acme.live()).await.unwrap();
    let (one, other) = (acme.ledger(HOUR).await, acme.ledger(HOUR).await);
    let then = Clock::system().now() + HOUR;
    let (first, second) =
        tokio::join!(ledger::publish_manifest_of(&one, then), ledger::publish_manifest_of(&other, then));
    first.unwrap();
    second.unwrap();
    acme.verified_line("").await;
    let published = acme.app.actions(None).await.iter().filter(|action| *action == "ledger.manifest_published").count();
    assert_eq!(published, 1);
}

#[tokio::test]
async fn the_command_line_gets_a_line_and_verifies_it_offline() {
    let acme = Acme::found().await;
    let told = acme.record("door-1").await;
    acme.publish(HOUR).await;
    let home = acme.at_home().await;
    let event = told["id"].as_str().unwrap();
    let get = ["audit", "manifest", "--event", event, "--open", "target", "--out", "door.manifest", "-o", "json"];
    let got = home.run(&get, "").await.json();
    assert_eq!((&got["kind"], &got["opened"]["target"]), (&json!("manifest"), &json!("door-1")));
    let keys: Vec<String> = acme.all_keys().await.iter().map(ToString::to_string).collect();
    std::fs::write(home.path("all.vkey"), keys.join("\n")).unwrap();
    let verify = ["verify", "door.manifest", "--key", "@all.vkey", "-o", "json"];
    let verified = home.run(&verify, "").await.json();
    assert_eq!((&verified["hour"], &verified["cell_root"]), (&json!(hour(HOUR)), &got["cell_root"]));

    std::fs::write(home.path("log.vkey"), &keys[0]).unwrap();
    let without = home.run(&["verify", "door.manifest", "--key", "@log.vkey", "-o", "json"], "").await;
    assert_eq!((without.code, without.stdout.contains("no_known_signature")), (6, true), "the cell's key is needed");
    let file = std::fs::read_to_string(home.path("door.manifest")).unwrap();
    let salt = file.lines().nth(1).unwrap();
    let other = format!("salt {}", "A".repeat(43) + "=");
    std::fs::write(home.path("door.manifest"), file.replacen(salt, &other, 1)).unwrap();
    let refused = home.run(&verify, "").await;
    assert_eq!((refused.code, refused.stdout.contains("\"not_in_manifest\"")), (6, true), "{}", refused.stdout);
}

/// The cell's own log goes on in another generation: a manifest's entry is proved by what was signed of its own.
#[tokio::test]
async fn a_manifest_of_before_a_restore_is_shown_by_what_was_signed_then() {
    let acme = Acme::found().await;
    acme.publish(HOUR).await;
    let before = acme.verified_line("").await;
    let ledger = to_restore(&acme.app).await;
    let newest: SignedCheckpoint = ledger.checkpoint(Log::Cell).await.unwrap().note.parse().unwrap();
    let Checkpoint { origin, size, root, .. } = newest.unverified().clone();
    let journal = Head { size, root };
    let sanction = Sanction { reason: "a test", is_forked: false };
    let lost = Lost { origin: origin.parse().unwrap(), journal, database: (1, size), is_begun: false };
    let opened = ledger::open_generation(&ledger, &lost, sanction).await.unwrap();
    assert!(opened.to_string().ends_with("/cell/2"), "{opened}");
    // The server reads on in the journal when it signs next.
    acme.record("door-1").await;
    let path = format!("/v1/workspaces/{}/audit/checkpoint", acme.workspace);
    assert_eq!(acme.app.get(&path).bearer(&acme.person.access_token).send().await.status, 200);
    let after = acme.verified_line("").await;
    assert_eq!((after.hour, after.cell.origin), (before.hour, before.cell.origin));
    acme.publish(HOUR * 2).await;
    assert!(acme.verified_line("").await.cell.origin.to_string().ends_with("/cell/2"));
}
