//! Every operation that changes something leaves exactly one entry, and a failed one leaves none.
//!
//! The operations come from the contract, so that none can be added without saying here what it leaves.

mod factors;
mod passkeys;
mod reads;

use bailiwick_server::router;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::app::{Answer, Person, TestApp};
use crate::harness::cluster::TestDatabase;
use crate::harness::process::until;

/// What a sign-in leaves, and an invitation that is taken.
const JOINED: [&str; 4] = ["sign_in.requested", "sign_in.completed", "invitation.created", "invitation.accepted"];
/// What is done with people is tried in one workspace, first and each with somebody else: a server costs a second, a token lives for minutes.
const OF_PEOPLE: [&str; 8] = [
    "createInvitation",
    "revokeInvitation",
    "resendInvitation",
    "acceptInvitation",
    "changeMemberRole",
    "removeMember",
    "leaveWorkspace",
    "transferWorkspace",
];

/// A server with somebody who may do everything.
struct World {
    app: TestApp,
    person: Person,
    workspace: String,
}

impl World {
    async fn found() -> Self {
        // There is a server for each operation, and all share the cluster's connections.
        let app = TestApp::on(TestDatabase::create().await, 4).await;
        let (person, workspace) = app.founder("ada@example.com", "acme").await;
        Self { app, person, workspace }
    }

    /// Every entry of every log, by action, but for what the house publishes by the hour.
    async fn entries(&self) -> Vec<String> {
        self.app.numbered().await;
        let of_others = "SELECT action FROM ledger_entries WHERE action <> 'ledger.manifest_published'
             ORDER BY workspace_id, environment, generation, seq";
        sqlx::query_scalar(of_others).fetch_all(&self.app.database.owner).await.unwrap()
    }

    async fn post(&self, path: &str, body: &Value) -> Answer {
        self.app.post(path, body).bearer(&self.person.access_token).send().await
    }

    async fn rotation(&self, secret: &str) -> Answer {
        let body = json!({"reason": "scheduled", "value": "another"});
        self.post(&format!("{secret}/rotations"), &body).await
    }

    async fn filter(&self, name: &str) -> Answer {
        self.post(&self.path("audit/filters"), &json!({"name": name, "action": "door.opened"})).await
    }

    async fn secret(&self, name: &str) -> Answer {
        let name = name.to_lowercase();
        self.post(&self.path("secrets"), &json!({"name": name, "kind": "generic", "value": "the value"})).await
    }

    fn path(&self, path: &str) -> String {
        format!("/v1/workspaces/{}/{path}", self.workspace)
    }

    /// Does it well once; answers what it leaves.
    async fn succeed(&self, operation: &str) -> (Answer, &'static [&'static str]) {
        match operation {
            of if passkeys::OPERATIONS.contains(&of) => passkeys::succeed(self, of).await,
            of if factors::OPERATIONS.contains(&of) => factors::succeed(self, of).await,
            "requestSignIn" => {
                (self.post("/auth/request", &json!({"email": "bob@example.com"})).await, &["sign_in.requested"])
            }
            "verifySignIn" => {
                let mails = self.app.mails(1).await.len();
                let asked = self.app.post("/auth/request", &json!({"email": "eve@example.com"})).send().await;
                let mails = self.app.mails(mails + 1).await;
                let code = mails.iter().find(|mail| mail.to == "eve@example.com").unwrap().code.clone();
                let body = json!({"challenge": asked.text_of("challenge"), "code": code});
                (self.app.post("/auth/verify", &body).send().await, &["sign_in.requested", "sign_in.completed"])
            }
            "requestDeviceLogin" => {
                (self.app.call(Method::POST, "/auth/device").send().await, &["sign_in.device_requested"])
            }
            "redeemDeviceLogin" => {
                let asked = self.app.call(Method::POST, "/auth/device").send().await;
                let call = self.app.call(Method::POST, "/device/approve").header("cookie", &self.person.cookies);
                assert_eq!(call.form(&[("code", &asked.text_of("user_code"))]).send().await.status, 303);
                let body = json!({"device_code": asked.text_of("device_code")});
                let answer = self.app.post("/auth/device/token", &body).send().await;
                (answer, &["sign_in.device_requested", "sign_in.device_approved", "sign_in.completed"])
            }
            "refreshSession" => {
                let body = json!({"refresh_token": self.person.refresh_token});
                (self.app.post("/auth/refresh", &body).send().await, &["session.refreshed"])
            }
            "signOut" => {
                let call = self.app.call(Method::POST, "/auth/sign-out").bearer(&self.person.access_token);
                (call.send().await, &["session.ended"])
            }
            "endSession" | "signOutOthers" | "signOutEverywhere" => {
                let other = self.app.sign_in("ada@example.com").await;
                let sessions = self.app.get("/auth/sessions").bearer(&other.access_token).send().await.json();
                let (call, left): (_, &[&str]) = match operation {
                    "endSession" => {
                        let path = format!("/auth/sessions/{}", sessions["data"][0]["id"].as_str().unwrap());
                        (self.app.delete(&path), &["sign_in.requested", "sign_in.completed", "session.ended"])
                    }
                    others => {
                        let path = if others == "signOutOthers" { "sign-out-others" } else { "sign-out-everywhere" };
                        let call = self.app.call(Method::POST, &format!("/auth/{path}"));
                        (call, &["sign_in.requested", "sign_in.completed", "session.all_ended"])
                    }
                };
                (call.bearer(&self.person.access_token).send().await, left)
            }
            "createWorkspace" => {
                (self.post("/v1/workspaces", &json!({"name": "B", "slug": "b"})).await, &["workspace.created"])
            }
            "createProject" => (self.post(&self.path("projects"), &json!({"name": "P"})).await, &["project.created"]),
            "createApiKey" => {
                let body = json!({"name": "k", "scopes": ["read"]});
                (self.post(&self.path("api-keys"), &body).await, &["api_key.created"])
            }
            "revokeApiKey" => {
                let body = json!({"name": "k", "scopes": ["read"]});
                let key = self.post(&self.path("api-keys"), &body).await.text_of("id");
                let call = self.app.delete(&self.path(&format!("api-keys/{key}"))).bearer(&self.person.access_token);
                (call.send().await, &["api_key.created", "api_key.revoked"])
            }
            "updateApiKey" | "rotateApiKey" => {
                let body = json!({"name": "k", "scopes": ["read"]});
                let key = self.post(&self.path("api-keys"), &body).await.text_of("id");
                if operation == "rotateApiKey" {
                    let path = self.path(&format!("api-keys/{key}/rotate"));
                    (self.post(&path, &json!({})).await, &["api_key.created", "api_key.rotated"])
                } else {
                    let call = self.app.call(Method::PATCH, &self.path(&format!("api-keys/{key}")));
                    let call = call.json(&json!({"name": "other"})).bearer(&self.person.access_token);
                    (call.send().await, &["api_key.created", "api_key.updated"])
                }
            }
            "createSecret" => (self.secret("token").await, &["secret.created"]),
            "addSecretVersion" | "revealSecret" | "deleteSecret" | "openSecretRotation" | "readySecretRotation" => {
                let secret = self.secret(operation).await.text_of("id");
                let path = self.path(&format!("secrets/{secret}"));
                match operation {
                    "addSecretVersion" => {
                        let added = self.post(&format!("{path}/versions"), &json!({"value": "another"})).await;
                        (added, &["secret.created", "secret.version_added"])
                    }
                    "openSecretRotation" => (self.rotation(&path).await, &["secret.created", "secret.rotation_opened"]),
                    "readySecretRotation" => {
                        let rotation = self.rotation(&path).await.text_of("id");
                        let ready = self.path(&format!("secret-rotations/{rotation}/ready"));
                        let call = self.app.call(Method::POST, &ready).bearer(&self.person.access_token);
                        let answer = call.send().await;
                        // The job that was handed over does its first step at once, and leaves an entry of its own.
                        let revoked = "SELECT count(*) FROM secret_rotations WHERE revoked_at IS NOT NULL";
                        let owner = &self.app.database.owner;
                        until(async || sqlx::query_scalar::<_, i64>(revoked).fetch_one(owner).await.unwrap() == 1)
                            .await;
                        let told = &[
                            "secret.created",
                            "secret.rotation_opened",
                            "secret.rotation_ready",
                            "secret.version_revoked",
                        ];
                        (answer, told)
                    }
                    "revealSecret" => {
                        (self.post(&format!("{path}/reveal"), &json!({})).await, &["secret.created", "secret.revealed"])
                    }
                    _ => {
                        let call = self.app.delete(&path).bearer(&self.person.access_token);
                        (call.send().await, &["secret.created", "secret.deleted"])
                    }
                }
            }
            "createReceiptShare" | "revokeReceiptShare" => {
                let path = self.path("audit/events");
                let events = self.app.get(&path).bearer(&self.person.access_token).send().await.json();
                let event = events["data"][0]["id"].as_str().unwrap().to_owned();
                let made = self.post(&self.path(&format!("audit/events/{event}/shares")), &json!({})).await;
                if operation == "createReceiptShare" {
                    (made, &["receipt.shared"])
                } else {
                    let path = self.path(&format!("audit/shares/{}", made.text_of("id")));
                    let call = self.app.delete(&path).bearer(&self.person.access_token);
                    (call.send().await, &["receipt.shared", "receipt.share_revoked"])
                }
            }
            "exportAuditEvents" => {
                (self.post(&self.path("audit/export"), &json!({"format": "csv"})).await, &["audit.exported"])
            }
            "setAuditStream" => (self.set_stream().await, &["audit.stream_set"]),
            "removeAuditStream" => {
                self.set_stream().await;
                let path = self.path("audit/stream");
                let call = self.app.delete(&path).bearer(&self.person.access_token);
                (call.send().await, &["audit.stream_set", "audit.stream_removed"])
            }
            "eraseSubject" => {
                let body = json!({"events": [{"action": "door.opened", "actor": "jane"}]});
                self.post(&self.path("audit/events"), &body).await;
                let body = json!({"subject": "jane", "confirm": "jane"});
                let answer = self.post(&self.path("erasures"), &body).await;
                let finished = "SELECT count(*) FROM erasures WHERE finished_at IS NOT NULL";
                let owner = &self.app.database.owner;
                until(async || sqlx::query_scalar::<_, i64>(finished).fetch_one(owner).await.unwrap() == 1).await;
                (answer, &["door.opened", "subject.erasure_requested", "subject.erased"])
            }
            "setRetention" => {
                let call = self.app.call(Method::PUT, &self.path("audit/retention")).json(&json!({"days": 90}));
                (call.bearer(&self.person.access_token).send().await, &["retention.changed"])
            }
            "openLegalHold" => {
                (self.post(&self.path("audit/legal-holds"), &json!({"reason": "r"})).await, &["legal_hold.opened"])
            }
            "releaseLegalHold" => {
                let hold = self.post(&self.path("audit/legal-holds"), &json!({"reason": "r"})).await.text_of("id");
                let path = self.path(&format!("audit/legal-holds/{hold}/release"));
                (self.post(&path, &json!({"confirm": "r"})).await, &["legal_hold.opened", "legal_hold.released"])
            }
            "createInvitation" => (self.invite("cy@example.com").await, &["invitation.created"]),
            "revokeInvitation" => {
                let path = self.path(&format!("invitations/{}", self.invite("rex@example.com").await.text_of("id")));
                let call = self.app.delete(&path).bearer(&self.person.access_token);
                (call.send().await, &["invitation.created", "invitation.revoked"])
            }
            "resendInvitation" => {
                let path = self.path(&format!("invitations/{}", self.invite("ria@example.com").await.text_of("id")));
                self.app.advance(time::Duration::minutes(2));
                let call = self.app.call(Method::POST, &format!("{path}/resend"));
                let sent = call.bearer(&self.person.access_token).send().await;
                (sent, &["invitation.created", "invitation.resent"])
            }
            "acceptInvitation" => (self.admit("ann@example.com").await.2, &JOINED),
            "changeMemberRole" => {
                let path = self.path(&format!("members/{}", self.admit("chloe@example.com").await.0));
                let call = self.app.call(Method::PATCH, &path).json(&json!({"role": "admin"}));
                let done = call.bearer(&self.person.access_token).send().await;
                (done, &[JOINED[0], JOINED[1], JOINED[2], JOINED[3], "member.role_changed"])
            }
            "removeMember" => {
                let path = self.path(&format!("members/{}", self.admit("rob@example.com").await.0));
                let call = self.app.delete(&path).bearer(&self.person.access_token);
                (call.send().await, &[JOINED[0], JOINED[1], JOINED[2], JOINED[3], "member.removed"])
            }
            "leaveWorkspace" => {
                let (_, lea, _) = self.admit("lea@example.com").await;
                let call = self.app.post(&self.path("leave"), &json!({"confirm": "acme"})).bearer(&lea.access_token);
                (call.send().await, &[JOINED[0], JOINED[1], JOINED[2], JOINED[3], "member.left"])
            }
            "transferWorkspace" => {
                let body = json!({"to": self.admit("tom@example.com").await.0, "confirm": "tom@example.com"});
                let done = self.post(&self.path("transfer"), &body).await;
                (done, &[JOINED[0], JOINED[1], JOINED[2], JOINED[3], "workspace.transferred"])
            }
            "registerAuditAction" => {
                let body = json!({"action": "window.broken"});
                (self.post(&self.path("audit/actions"), &body).await, &["audit.action_registered"])
            }
            "saveAuditFilter" => (self.filter("Doors").await, &["audit.filter_saved"]),
            "deleteAuditFilter" => {
                let path = self.path(&format!("audit/filters/{}", self.filter("Doors").await.text_of("id")));
                let call = self.app.delete(&path).bearer(&self.person.access_token);
                (call.send().await, &["audit.filter_saved", "audit.filter_deleted"])
            }
            "retireAuditAction" => {
                let call = self.app.delete(&self.path("audit/actions/door.opened")).bearer(&self.person.access_token);
                (call.send().await, &["audit.action_retired"])
            }
            "recordAuditEvents" => {
                let body = json!({"events": [{"action": "door.opened", "actor": "ada"}]});
                (self.post(&self.path("audit/events"), &body).await, &["door.opened"])
            }
            "verifyApiKey" => {
                let call = self.app.private(Method::POST, "/internal/v1/keys/verify").json(&json!({"key": "nonsense"}));
                (call.bearer(&self.app.internal_key).send().await, &[])
            }
            "verifyApiKeys" => {
                let body = json!({"keys": [{"key": "nonsense"}]});
                let call = self.app.private(Method::POST, "/internal/v1/keys/verify-batch").json(&body);
                (call.bearer(&self.app.internal_key).send().await, &[])
            }
            "verifySession" => {
                let body = json!({"token": self.person.access_token, "audience": "billing"});
                let call = self.app.private(Method::POST, "/internal/v1/sessions/verify").json(&body);
                (call.bearer(&self.app.internal_key).send().await, &[])
            }
            other => panic!("{other} changes something: what does it leave?"),
        }
    }

    async fn invite(&self, email: &str) -> Answer {
        self.post(&self.path("invitations"), &json!({"email": email, "role": "viewer"})).await
    }

    /// Somebody signs in and is invited; answers their id, who they are, and the answer to their taking it.
    async fn admit(&self, email: &str) -> (String, Person, Answer) {
        let person = self.app.sign_in(email).await;
        assert_eq!(self.invite(email).await.status, 201);
        let token = crate::harness::people::token(&self.app, email).await;
        let call = self.app.post("/auth/accept-invite", &json!({"token": token})).bearer(&person.access_token);
        let taken = call.send().await;
        let members = self.app.get(&self.path("members")).bearer(&person.access_token).send().await.json();
        let own = members["data"].as_array().unwrap().iter().find(|member| member["email"] == email).unwrap();
        (own["user_id"].as_str().unwrap().to_owned(), person, taken)
    }

    /// To a bucket that is nowhere.
    async fn set_stream(&self) -> Answer {
        let body = json!({
            "endpoint": "https://bucket.invalid", "region": "eu-1", "bucket": "acme", "access_key_id": "id",
            "secret_access_key": "the-key-of-a-bucket-that-is-nowhere",
        });
        let call = self.app.call(Method::PUT, &self.path("audit/stream")).json(&body);
        call.bearer(&self.person.access_token).send().await
    }

    /// Does it badly; answers what happened.
    async fn fail(&self, operation: &str) -> Answer {
        match operation {
            of if passkeys::OPERATIONS.contains(&of) => passkeys::fail(self, of).await,
            of if factors::OPERATIONS.contains(&of) => factors::fail(self, of).await,
            "requestSignIn" => self.post("/auth/request", &json!({"email": "nobody"})).await,
            "verifySignIn" => self.post("/auth/verify", &json!({"challenge": "x", "code": "AAAA-AAAA"})).await,
            "requestDeviceLogin" => self.post("/auth/device", &json!({"client_id": "x"})).await,
            "redeemDeviceLogin" => self.post("/auth/device/token", &json!({"device_code": "x"})).await,
            "refreshSession" => self.post("/auth/refresh", &json!({"refresh_token": "x"})).await,
            "signOut" => self.post("/auth/sign-out", &json!({"refresh_token": "x"})).await,
            "endSession" => {
                let path = "/auth/sessions/ses_01h455vb4pex5vsknk084sn02q";
                self.app.delete(path).bearer(&self.person.access_token).send().await
            }
            "signOutOthers" => self.post("/auth/sign-out-others", &json!({"but": "x"})).await,
            "signOutEverywhere" => self.post("/auth/sign-out-everywhere", &json!({"but": "x"})).await,
            "createWorkspace" => self.post("/v1/workspaces", &json!({"name": "B", "slug": "acme"})).await,
            "createProject" => {
                self.post(&self.path("projects"), &json!({"name": "Taken"})).await;
                self.post(&self.path("projects"), &json!({"name": "Taken"})).await
            }
            "createApiKey" => self.post(&self.path("api-keys"), &json!({"name": "k", "scopes": []})).await,
            "revokeApiKey" => {
                let path = self.path("api-keys/key_01h455vb4pex5vsknk084sn02q");
                self.app.delete(&path).bearer(&self.person.access_token).send().await
            }
            "updateApiKey" => {
                let path = self.path("api-keys/key_01h455vb4pex5vsknk084sn02q");
                let call = self.app.call(Method::PATCH, &path).json(&json!({"name": "other"}));
                call.bearer(&self.person.access_token).send().await
            }
            "rotateApiKey" => self.post(&self.path("api-keys/key_01h455vb4pex5vsknk084sn02q/rotate"), &json!({})).await,
            "createSecret" => {
                let body = json!({"name": "token", "kind": "deploy_token", "value": "two words"});
                self.post(&self.path("secrets"), &body).await
            }
            "addSecretVersion" => {
                let path = self.path("secrets/sec_01h455vb4pex5vsknk084sn02q/versions");
                self.post(&path, &json!({"value": "another"})).await
            }
            "revealSecret" => self.post(&self.path("secrets/sec_01h455vb4pex5vsknk084sn02q/reveal"), &json!({})).await,
            "openSecretRotation" => self.rotation(&self.path("secrets/sec_01h455vb4pex5vsknk084sn02q")).await,
            "readySecretRotation" => {
                let path = self.path("secret-rotations/rot_01h455vb4pex5vsknk084sn02q/ready");
                self.app.call(Method::POST, &path).bearer(&self.person.access_token).send().await
            }
            "deleteSecret" => {
                let path = self.path("secrets/sec_01h455vb4pex5vsknk084sn02q");
                self.app.delete(&path).bearer(&self.person.access_token).send().await
            }
            "createReceiptShare" => {
                let path = self.path("audit/events/evt_01h455vb4pex5vsknk084sn02q/shares");
                self.post(&path, &json!({})).await
            }
            "revokeReceiptShare" => {
                let path = self.path("audit/shares/shr_01h455vb4pex5vsknk084sn02q");
                self.app.delete(&path).bearer(&self.person.access_token).send().await
            }
            "exportAuditEvents" => self.post(&self.path("audit/export"), &json!({"format": "xml"})).await,
            "setAuditStream" => {
                let call = self.app.call(Method::PUT, &self.path("audit/stream")).json(&json!({"bucket": "acme"}));
                call.bearer(&self.person.access_token).send().await
            }
            "removeAuditStream" => {
                self.app.delete(&self.path("audit/stream")).bearer(&self.person.access_token).send().await
            }
            "eraseSubject" => self.post(&self.path("erasures"), &json!({"subject": "jane", "confirm": "joan"})).await,
            "setRetention" => {
                let call = self.app.call(Method::PUT, &self.path("audit/retention")).json(&json!({"days": 1}));
                call.bearer(&self.person.access_token).send().await
            }
            "openLegalHold" => self.post(&self.path("audit/legal-holds"), &json!({"reason": ""})).await,
            "releaseLegalHold" => {
                let hold = "audit/legal-holds/hld_01h455vb4pex5vsknk084sn02q/release";
                self.post(&self.path(hold), &json!({"confirm": "r"})).await
            }
            "createInvitation" => self.invite("nobody").await,
            "revokeInvitation" => {
                let path = self.path("invitations/inv_01h455vb4pex5vsknk084sn02q");
                self.app.delete(&path).bearer(&self.person.access_token).send().await
            }
            "resendInvitation" => {
                let path = self.path("invitations/inv_01h455vb4pex5vsknk084sn02q/resend");
                self.app.call(Method::POST, &path).bearer(&self.person.access_token).send().await
            }
            "acceptInvitation" => self.post("/auth/accept-invite", &json!({"token": "x"})).await,
            "changeMemberRole" => {
                let call = self.app.call(Method::PATCH, &self.path("members/usr_01h455vb4pex5vsknk084sn02q"));
                call.json(&json!({"role": "admin"})).bearer(&self.person.access_token).send().await
            }
            "removeMember" => {
                let path = self.path("members/usr_01h455vb4pex5vsknk084sn02q");
                self.app.delete(&path).bearer(&self.person.access_token).send().await
            }
            "transferWorkspace" => {
                let body = json!({"to": "usr_01h455vb4pex5vsknk084sn02q", "confirm": "x"});
                self.post(&self.path("transfer"), &body).await
            }
            "leaveWorkspace" => self.post(&self.path("leave"), &json!({"confirm": "acne"})).await,
            "registerAuditAction" => {
                self.post(&self.path("audit/actions"), &json!({"action": "api_key.created"})).await
            }
            "saveAuditFilter" => self.post(&self.path("audit/filters"), &json!({"name": "empty"})).await,
            "deleteAuditFilter" => {
                let path = self.path("audit/filters/flt_01h455vb4pex5vsknk084sn02q");
                self.app.delete(&path).bearer(&self.person.access_token).send().await
            }
            "retireAuditAction" => {
                let call = self.app.delete(&self.path("audit/actions/never.known")).bearer(&self.person.access_token);
                call.send().await
            }
            "recordAuditEvents" => {
                let body = json!({"events": [{"action": "api_key.created", "actor": "ada"}]});
                self.post(&self.path("audit/events"), &body).await
            }
            "verifyApiKey" => self.app.private(Method::POST, "/internal/v1/keys/verify").json(&json!({})).send().await,
            "verifyApiKeys" => {
                self.app.private(Method::POST, "/internal/v1/keys/verify-batch").json(&json!({})).send().await
            }
            "verifySession" => {
                self.app.private(Method::POST, "/internal/v1/sessions/verify").json(&json!({})).send().await
            }
            other => panic!("{other} changes something: how does it fail?"),
        }
    }
}

/// Those that may change something: all but reads.
fn changing() -> Vec<String> {
    let document = router::openapi();
    let paths = document["paths"].as_object().unwrap().values();
    paths
        .flat_map(|methods| methods.as_object().unwrap())
        .filter(|(method, _)| *method != "get")
        .map(|(_, operation)| operation["operationId"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn every_change_leaves_one_entry_and_every_failure_none() {
    let mut operations = changing();
    assert!(operations.len() >= 10, "{operations:?}");
    let shared = [&OF_PEOPLE[..], &passkeys::OPERATIONS, &factors::OPERATIONS].concat();
    let shared = |operation: &String| shared.contains(&operation.as_str());
    operations.sort_by_key(|operation| !shared(operation));
    let people = World::found().await;
    for operation in operations {
        let own = if shared(&operation) { None } else { Some(World::found().await) };
        let world = own.as_ref().unwrap_or(&people);
        let setup = usize::from(operation == "createProject");
        let before = world.entries().await;
        let Answer { status, text, .. } = world.fail(&operation).await;
        assert!(status.is_client_error(), "{operation}: {status} {text}");
        let after = world.entries().await;
        assert_eq!(after.len() - before.len(), setup, "{operation} failed and left {after:?}");

        let before = after;
        let (done, left) = world.succeed(&operation).await;
        assert!(done.status.is_success(), "{operation}: {} {}", done.status, done.text);
        let mut after = world.entries().await;
        for action in &before {
            let at = after.iter().position(|other| other == action).unwrap();
            after.remove(at);
        }
        assert_eq!(after, left, "{operation}");
    }
}
