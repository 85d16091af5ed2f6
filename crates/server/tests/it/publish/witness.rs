//! Witnesses: real processes of `bailiwickd witness` beside real nodes, and others that lie.

mod alone;
mod liars;
mod link;

use std::path::PathBuf;

use bailiwick_proof::cosignature::WitnessKey;
use bailiwick_proof::log::Log;
use bailiwick_proof::manifest::proof::ManifestProof;
use bailiwick_proof::note::SignedNote;
use bailiwick_server::clock::Clock;
use bailiwick_server::ledger;
use serde_json::json;
use tempfile::TempDir;
use time::Duration;
use tokio::process::{Child, Command};

use super::Acme;
use crate::cli::Home;
use crate::harness::node::Node;
use crate::harness::process::{bailiwickd, free_port, log_file, mode, output, until};

/// A witness in a process of its own, with a folder that outlives the process.
struct Witness {
    key: WitnessKey,
    url: String,
    dir: TempDir,
    process: Option<Child>,
}

impl Witness {
    async fn init(name: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("witness");
        let made = output(bailiwickd(["witness", "init", "--name", name, "--dir"]).arg(&folder)).await;
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let key = String::from_utf8(made.stdout).unwrap().trim_end().parse().unwrap();
        Self { key, url: format!("http://127.0.0.1:{}", free_port()), dir, process: None }
    }

    fn folder(&self) -> PathBuf {
        self.dir.path().join("witness")
    }

    fn command(&self, logs: &[String]) -> Command {
        let listen = self.url.trim_start_matches("http://");
        let mut command = bailiwickd(["witness", "serve", "--listen", listen, "--dir"]);
        command.arg(self.folder()).args(logs.iter().flat_map(|vkey| ["--log", vkey]));
        command
    }

    /// Begins with the log of this key; answers whether it did, and what it said.
    async fn add(&self, vkey: &str) -> (bool, String) {
        let added = output(bailiwickd(["witness", "add", "--log", vkey, "--dir"]).arg(self.folder())).await;
        (added.status.success(), String::from_utf8(added.stderr).unwrap())
    }

    /// Serves for the logs of these keys, with which it begins if it has not.
    async fn start(&mut self, logs: &[String]) {
        let begun = std::fs::read_to_string(self.folder().join("begun")).unwrap_or_default();
        let mut origins: Vec<&str> = begun.lines().collect();
        for vkey in logs {
            let origin = vkey.split('+').next().unwrap();
            if !origins.contains(&origin) {
                origins.push(origin);
                let (is_added, said) = self.add(vkey).await;
                assert!(is_added, "{said}");
            }
        }
        self.process = Some(self.command(logs).stderr(log_file()).kill_on_drop(true).spawn().unwrap());
        until(async || self.post("").await.is_some_and(|(status, _)| status == 400)).await;
    }

    async fn kill_9(&mut self) {
        self.process.take().unwrap().kill().await.unwrap();
    }

    /// Status and body; nothing when nothing answers.
    async fn post(&self, request: &str) -> Option<(u16, String)> {
        let client = crate::harness::http::http();
        let answer = client.post(format!("{}/add-checkpoint", self.url)).body(request.to_owned()).send().await.ok()?;
        Some((answer.status().as_u16(), answer.text().await.ok()?))
    }

    /// As it stands in a policy.
    fn line(&self, name: &str) -> String {
        format!("witness {name} {} {}\n", self.key, self.url)
    }
}

/// A cell with witnesses in its policy.
struct Witnessed {
    acme: Acme,
    home: Home,
    node: Node,
    key: String,
}

impl Witnessed {
    /// The cell, and the vkey of its log.
    async fn cell() -> (Acme, String) {
        let acme = Acme::found().await;
        let keys = acme.app.get("/cell/.well-known/jwks.json").send().await.json();
        let vkey = keys["keys"][0]["vkey"].as_str().unwrap().to_owned();
        (acme, vkey)
    }

    /// A node that asks the witnesses of this policy.
    async fn begin(acme: Acme, policy: &str) -> Self {
        let home = acme.at_home().await;
        std::fs::write(home.path("witnesses.policy"), policy).unwrap();
        let made =
            acme.app.api_key(&acme.person, &acme.workspace, &json!({"name": "k", "scopes": ["management"]})).await;
        let key = made["key"].as_str().unwrap().to_owned();
        let path = home.path("witnesses.policy");
        let node = Node::with(&acme.app, &[("BAILIWICK_WITNESS_POLICY_FILE", path.to_str().unwrap())]).await;
        Self { acme, home, node, key }
    }

    /// What everybody gets of the node.
    async fn checkpoint(&self) -> SignedNote {
        let answer = reqwest::get(format!("{}/cell/checkpoint", self.node.url)).await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.text().await.unwrap().parse().unwrap()
    }

    /// Waits until these witnesses have cosigned the cell's newest checkpoint, which is handed out with their lines then; answers its size.
    async fn cosigned_by(&self, witnesses: &[&Witness]) -> i64 {
        let size = self.newest_that(witnesses).await;
        let note = self.checkpoint().await;
        assert_eq!(note.text().lines().nth(1), Some(size.to_string().as_str()));
        for witness in witnesses {
            assert!(witness.key.has_cosigned(&note).unwrap().is_some(), "{note}");
        }
        size
    }

    /// As far as the rows go.
    async fn newest_that(&self, witnesses: &[&Witness]) -> i64 {
        let statement = "SELECT max(c.size) FROM ledger_checkpoints c WHERE c.workspace_id = '00000000-0000-0000-0000-000000000000'
            HAVING max(c.size) = ALL (SELECT coalesce(w.size, 0) FROM unnest($1) AS wanted LEFT JOIN ledger_witnesses w ON w.witness = wanted)";
        let names: Vec<String> = witnesses.iter().map(|witness| witness.key.short()).collect();
        let mut size = None;
        until(async || {
            let found = sqlx::query_scalar::<_, i64>(statement).bind(&names);
            size = found.fetch_optional(&self.acme.app.database.owner).await.unwrap();
            size.is_some()
        })
        .await;
        size.unwrap()
    }

    /// Waits until a witness has such a fault, or none.
    async fn fault_of(&self, witness: &Witness, expected: Option<&str>) {
        let statement = "SELECT fault FROM ledger_witnesses WHERE witness = $1";
        until(async || {
            let found = sqlx::query_scalar::<_, Option<String>>(statement).bind(witness.key.short());
            found.fetch_one(&self.acme.app.database.owner).await.unwrap().as_deref() == expected
        })
        .await;
    }

    /// Makes the log of the cell longer, and has it signed.
    async fn grow(&self, email: &str) {
        self.acme.app.sign_in(email).await;
        self.acme.app.numbered().await;
        self.acme.ledger(Duration::ZERO).await.checkpoint(Log::Cell).await.unwrap();
    }

    async fn publish(&self, ahead: Duration) {
        let ledger = self.acme.ledger(ahead).await;
        ledger.checkpoint(self.acme.live()).await.unwrap();
        ledger::publish_manifest_of(&ledger, Clock::system().now() + ahead).await.unwrap();
        self.acme.app.numbered().await;
        ledger.checkpoint(Log::Cell).await.unwrap();
    }

    /// The log's line of the newest manifest, as the node gives it; kept as `line.manifest`.
    async fn line(&self) -> ManifestProof {
        let url = format!("{}/v1/workspaces/{}/audit/manifest", self.node.url, self.acme.workspace);
        let answer = crate::harness::http::http().get(url).bearer_auth(&self.key).send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert_eq!(status, 200, "{text}");
        std::fs::write(self.home.path("line.manifest"), &text).unwrap();
        text.parse().unwrap()
    }

    /// `bailiwick verify` on that line, offline.
    async fn verify(&self, more: &[&str]) -> crate::cli::Run {
        let mut keys = Vec::new();
        for path in
            ["/cell/.well-known/jwks.json".to_owned(), format!("/w/{}/.well-known/jwks.json", self.acme.workspace)]
        {
            let set = self.acme.app.get(&path).send().await.json();
            keys.extend(set["keys"].as_array().unwrap().iter().map(|key| key["vkey"].as_str().unwrap().to_owned()));
        }
        std::fs::write(self.home.path("all.vkey"), keys.join("\n")).unwrap();
        let verify = ["verify", "line.manifest", "--key", "@all.vkey", "-o", "json"];
        self.home.run(&[&verify[..], more].concat(), "").await
    }

    /// What an operator is told of the witnesses.
    async fn told(&self) -> String {
        let mut command = crate::harness::node::command(&self.acme.app);
        let mut listed = bailiwickd(["ledger", "witnesses"]);
        listed.envs(
            command.as_std_mut().get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))),
        );
        let listed = output(&mut listed).await;
        assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
        String::from_utf8(listed.stdout).unwrap()
    }
}

#[tokio::test]
async fn a_witnessed_manifest_verifies_offline_under_a_policy() {
    let (acme, vkey) = Witnessed::cell().await;
    let mut one = Witness::init("witness.example/one").await;
    assert_eq!(mode(&one.folder().join("key")), 0o600);
    one.start(std::slice::from_ref(&vkey)).await;
    let cell = Witnessed::begin(acme, &format!("log {vkey}\n{}quorum W\n", one.line("W"))).await;
    cell.publish(Duration::HOUR).await;
    cell.cosigned_by(&[&one]).await;
    let proof = cell.line().await;
    assert!(one.key.has_cosigned(proof.cell.checkpoint.note()).unwrap().is_some());
    let verified = cell.verify(&["--policy", "witnesses.policy"]).await.json();
    assert_eq!((&verified["quorum"], &verified["witnesses"][0]["name"]), (&json!("W"), &json!("W")));
    assert!(verified["witnesses"][0]["cosigned_at"].as_str().unwrap().ends_with('Z'));

    let without = cell.verify(&[]).await;
    assert!(without.stderr.contains("nobody has checked the cosignatures"), "{}", without.stderr);
    assert_eq!(without.json()["unchecked_cosignatures"], json!([one.key.short()]));
    let other = Witness::init("witness.example/one").await;
    std::fs::write(cell.home.path("other.policy"), format!("{}quorum V\n", other.line("V"))).unwrap();
    let refused = cell.verify(&["--policy", "other.policy"]).await;
    assert_eq!((refused.code, refused.stdout.contains("\"quorum_not_met\"")), (6, true), "{}", refused.stdout);
    assert!(refused.stderr.contains("quorum V is not met"), "{}", refused.stderr);
    std::fs::write(cell.home.path("no.policy"), "quorum V\n").unwrap();
    assert_eq!(cell.verify(&["--policy", "no.policy"]).await.code, 2);

    let told = cell.told().await;
    assert!(told.starts_with(&format!("{}\t", one.key.short())) && told.ends_with("\t0 behind\tok\n"), "{told}");
    let size = format!("bailiwick_witness_size{{witness=\"{}\"}}", one.key.short());
    until(async || cell.node.metric(&size).await > 0.0).await;
}

/// The owner of the database can write a line, and no line that verifies.
#[tokio::test]
async fn a_line_that_the_owner_of_the_database_writes_is_not_handed_out() {
    let (acme, vkey) = Witnessed::cell().await;
    let (mut one, two) = (Witness::init("witness.example/one").await, Witness::init("witness.example/two").await);
    one.start(std::slice::from_ref(&vkey)).await;
    let policy = format!("{}{}group any-of any A B\nquorum any-of\n", one.line("A"), two.line("B"));
    let cell = Witnessed::begin(acme, &policy).await;
    cell.publish(Duration::HOUR).await;
    cell.cosigned_by(&[&one]).await;
    let forged = format!(
        "INSERT INTO ledger_cosignatures (generation, size, witness, line, cosigned_at, stored_at)
         SELECT generation, size, '{}', replace(line, '{}', '{}'), now(), now() FROM ledger_cosignatures",
        two.key.short(),
        one.key.name(),
        two.key.name()
    );
    cell.acme.by_owner(&forged).await;
    let note = cell.checkpoint().await;
    assert_eq!(two.key.has_cosigned(&note), Ok(None));
    assert!(one.key.has_cosigned(&note).unwrap().is_some(), "the good one is");
    assert_eq!(cell.line().await.cell.checkpoint.note().signatures().len(), 2);
    let found = "SELECT count(*) FROM alerts WHERE what = 'cosignature_forged'";
    until(async || sqlx::query_scalar::<_, i64>(found).fetch_one(&cell.acme.app.database.owner).await.unwrap() > 0)
        .await;

    let moved = "UPDATE ledger_cosignatures SET line = (SELECT line FROM ledger_cosignatures ORDER BY size LIMIT 1)";
    cell.grow("zoe@example.com").await;
    cell.cosigned_by(&[&one]).await;
    cell.acme.by_owner(&format!("{moved} WHERE size = (SELECT max(size) FROM ledger_cosignatures)")).await;
    let note = cell.checkpoint().await;
    assert!(one.key.has_cosigned(&note).unwrap().is_some(), "an older one, whose line holds");
}

#[tokio::test]
async fn a_witness_that_is_away_delays_nothing_is_shown_and_catches_up() {
    let (acme, vkey) = Witnessed::cell().await;
    let mut one = Witness::init("witness.example/one").await;
    one.start(std::slice::from_ref(&vkey)).await;
    let cell = Witnessed::begin(acme, &format!("{}quorum W\n", one.line("W"))).await;
    cell.grow("zoe@example.com").await;
    let before = cell.cosigned_by(&[&one]).await;
    one.kill_9().await;
    for n in 0..3 {
        cell.grow(&format!("yan{n}@example.com")).await;
    }
    cell.publish(Duration::HOUR).await;
    let proof = cell.line().await;
    assert!(proof.cell.checkpoint.unverified().size > before.try_into().unwrap(), "manifests still come");
    assert_eq!(one.key.has_cosigned(proof.cell.checkpoint.note()), Ok(None));
    let refused = cell.verify(&["--policy", "witnesses.policy"]).await;
    assert_eq!(refused.code, 6, "and say what they lack: {}", refused.stdout);
    cell.fault_of(&one, Some("it cannot be reached")).await;
    let told = cell.told().await;
    assert!(told.contains(&format!("\t{before}\t")) && told.contains(" behind\t"), "{told}");
    assert!(!told.contains("\t0 behind"), "{told}");

    one.start(std::slice::from_ref(&vkey)).await;
    let after = cell.cosigned_by(&[&one]).await;
    assert!(after > before);
    cell.line().await;
    assert_eq!(cell.verify(&["--policy", "witnesses.policy"]).await.code, 0);
    cell.fault_of(&one, None).await;
    assert!(cell.told().await.ends_with("\t0 behind\tok\n"));
}

#[tokio::test]
async fn two_of_three_are_enough_and_one_is_not() {
    let (acme, vkey) = Witnessed::cell().await;
    let mut witnesses = Vec::new();
    for name in ["one", "two", "three"] {
        witnesses.push(Witness::init(&format!("witness.example/{name}")).await);
    }
    let [mut one, mut two, three] = <[Witness; 3]>::try_from(witnesses).ok().unwrap();
    one.start(std::slice::from_ref(&vkey)).await;
    two.start(std::slice::from_ref(&vkey)).await;
    let policy = format!(
        "log {vkey}\n{}{}{}group two-of-three 2 A B C\nquorum two-of-three\n",
        one.line("A"),
        two.line("B"),
        three.line("C")
    );
    let cell = Witnessed::begin(acme, &policy).await;
    // Two nodes ask: each witness is asked by one of them.
    let path = cell.home.path("witnesses.policy");
    let _other = Node::with(&cell.acme.app, &[("BAILIWICK_WITNESS_POLICY_FILE", path.to_str().unwrap())]).await;
    cell.publish(Duration::HOUR).await;
    let size = cell.cosigned_by(&[&one, &two]).await;
    cell.line().await;
    let verified = cell.verify(&["--policy", "witnesses.policy"]).await.json();
    assert_eq!(verified["witnesses"].as_array().unwrap().len(), 2, "{verified}");

    two.kill_9().await;
    cell.grow("zoe@example.com").await;
    let alone = "SELECT count(*) FROM ledger_cosignatures WHERE size > $1";
    let newer = async || sqlx::query_scalar::<_, i64>(alone).bind(size).fetch_one(&cell.acme.app.database.owner).await;
    until(async || newer().await.unwrap() > 0).await;
    let proof = cell.line().await;
    assert_eq!(i64::try_from(proof.cell.checkpoint.unverified().size), Ok(size), "the newest that is enough");
    assert_eq!(cell.verify(&["--policy", "witnesses.policy"]).await.code, 0);
    cell.publish(Duration::HOUR * 2).await;
    cell.line().await;
    let refused = cell.verify(&["--policy", "witnesses.policy"]).await;
    assert_eq!((refused.code, refused.stdout.contains("\"quorum_not_met\"")), (6, true), "{}", refused.stdout);
}
