//! What each operation names of a tenant's, and what it takes; the rest is read from the document.

use bailiwick_server::router;
use reqwest::Method;
use serde_json::{Value, json};

/// What an operation's path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Nothing of a tenant's; whoever calls it has these security schemes, or none.
    Nowhere(&'static [&'static str]),
    /// A session, or something else of the caller's own; whose it is otherwise, its own tests say.
    Session,
    /// A workspace.
    Workspace,
    /// A part of a workspace's log.
    Log,
    /// A workspace whose public keys are for everybody who knows its id.
    PublicOf,
    /// An API key in a workspace.
    Key,
    /// An event in the audit log of a workspace.
    Event,
    /// A secret in a workspace.
    Secret,
    /// The rotation of a secret.
    Rotation,
    /// An erasure in a workspace.
    Erasure,
    /// A registered action in a workspace.
    Action,
    /// A legal hold in a workspace.
    Hold,
    /// A link to a receipt in a workspace.
    Share,
    /// A saved filter of a log.
    Filter,
    /// A member of a workspace.
    Member,
    /// An invitation into a workspace.
    Invitation,
}

impl Reach {
    /// Whether it names one thing in a workspace.
    pub fn is_a_thing(self) -> bool {
        matches!(
            self,
            Self::Key
                | Self::Event
                | Self::Secret
                | Self::Rotation
                | Self::Erasure
                | Self::Action
                | Self::Hold
                | Self::Share
                | Self::Filter
                | Self::Member
                | Self::Invitation
        )
    }
}

/// By `operationId`. Whoever adds an operation says here what it could be made to show of another tenant's.
pub const CASES: [(&str, Reach); 102] = [
    ("requestSignIn", Reach::Nowhere(&[])),
    ("verifySignIn", Reach::Nowhere(&[])),
    ("requestDeviceLogin", Reach::Nowhere(&[])),
    ("redeemDeviceLogin", Reach::Nowhere(&[])),
    ("beginPasskeySignIn", Reach::Nowhere(&[])),
    ("signInByPasskey", Reach::Nowhere(&[])),
    ("beginPasskeyStepUp", Reach::Nowhere(&["session"])),
    ("stepUpByPasskey", Reach::Nowhere(&["session"])),
    ("beginPasskeyRegistration", Reach::Nowhere(&["session"])),
    ("registerPasskey", Reach::Nowhere(&["session"])),
    ("listPasskeys", Reach::Nowhere(&["session"])),
    ("renamePasskey", Reach::Session),
    ("removePasskey", Reach::Session),
    ("passFactor", Reach::Nowhere(&[])),
    ("stepUp", Reach::Nowhere(&["session"])),
    ("listFactors", Reach::Nowhere(&["session"])),
    ("addAuthenticator", Reach::Nowhere(&["session"])),
    ("confirmAuthenticator", Reach::Session),
    ("removeAuthenticator", Reach::Session),
    ("renewRecoveryCodes", Reach::Nowhere(&["session"])),
    ("getWorkspaceSecurity", Reach::Workspace),
    ("changeWorkspaceSecurity", Reach::Workspace),
    ("refreshSession", Reach::Nowhere(&[])),
    ("signOut", Reach::Nowhere(&[])),
    ("listSessions", Reach::Nowhere(&["session"])),
    ("endSession", Reach::Session),
    ("signOutOthers", Reach::Nowhere(&["session"])),
    ("signOutEverywhere", Reach::Nowhere(&["session"])),
    ("getTokenKeys", Reach::Nowhere(&[])),
    ("verifySession", Reach::Nowhere(&["internal"])),
    ("live", Reach::Nowhere(&[])),
    ("ready", Reach::Nowhere(&[])),
    ("verifyApiKey", Reach::Nowhere(&["internal"])),
    ("verifyApiKeys", Reach::Nowhere(&["internal"])),
    ("forwardAuth", Reach::Nowhere(&["forwarding"])),
    ("createWorkspace", Reach::Nowhere(&["session"])),
    ("listWorkspaces", Reach::Nowhere(&["session"])),
    ("getOwnKey", Reach::Nowhere(&["apiKey"])),
    ("getWorkspace", Reach::Workspace),
    ("listMembers", Reach::Workspace),
    ("getMember", Reach::Member),
    ("changeMemberRole", Reach::Member),
    ("removeMember", Reach::Member),
    ("leaveWorkspace", Reach::Workspace),
    ("transferWorkspace", Reach::Workspace),
    ("createInvitation", Reach::Workspace),
    ("listInvitations", Reach::Workspace),
    ("revokeInvitation", Reach::Invitation),
    ("resendInvitation", Reach::Invitation),
    ("acceptInvitation", Reach::Nowhere(&["session"])),
    ("createProject", Reach::Workspace),
    ("listProjects", Reach::Workspace),
    ("createApiKey", Reach::Workspace),
    ("listApiKeys", Reach::Workspace),
    ("getApiKey", Reach::Key),
    ("revokeApiKey", Reach::Key),
    ("updateApiKey", Reach::Key),
    ("rotateApiKey", Reach::Key),
    ("listAuditEvents", Reach::Workspace),
    ("recordAuditEvents", Reach::Workspace),
    ("getAuditEvent", Reach::Event),
    ("getAuditReceipt", Reach::Event),
    ("createReceiptShare", Reach::Event),
    ("listReceiptShares", Reach::Workspace),
    ("revokeReceiptShare", Reach::Share),
    ("getAuditCheckpoint", Reach::Workspace),
    ("proveConsistency", Reach::Workspace),
    ("createSecret", Reach::Workspace),
    ("listSecrets", Reach::Workspace),
    ("getSecret", Reach::Secret),
    ("addSecretVersion", Reach::Secret),
    ("revealSecret", Reach::Secret),
    ("listSecretAccesses", Reach::Secret),
    ("openSecretRotation", Reach::Secret),
    ("listSecretRotations", Reach::Secret),
    ("getSecretRotation", Reach::Rotation),
    ("readySecretRotation", Reach::Rotation),
    ("deleteSecret", Reach::Secret),
    ("exportAuditEvents", Reach::Workspace),
    ("setAuditStream", Reach::Workspace),
    ("getAuditStream", Reach::Workspace),
    ("removeAuditStream", Reach::Workspace),
    ("eraseSubject", Reach::Workspace),
    ("listErasures", Reach::Workspace),
    ("getErasure", Reach::Erasure),
    ("getRetention", Reach::Workspace),
    ("setRetention", Reach::Workspace),
    ("openLegalHold", Reach::Workspace),
    ("listLegalHolds", Reach::Workspace),
    ("releaseLegalHold", Reach::Hold),
    ("registerAuditAction", Reach::Workspace),
    ("listAuditActions", Reach::Workspace),
    ("retireAuditAction", Reach::Action),
    ("saveAuditFilter", Reach::Workspace),
    ("listAuditFilters", Reach::Workspace),
    ("deleteAuditFilter", Reach::Filter),
    ("getLedgerKeys", Reach::PublicOf),
    ("listAuditRoots", Reach::PublicOf),
    ("getAuditManifest", Reach::Workspace),
    ("readAuditLog", Reach::Log),
    ("getCellKeys", Reach::Nowhere(&[])),
    ("getCellCheckpoint", Reach::Nowhere(&[])),
];

/// A body that the operation takes.
fn body(operation: &str) -> Option<Value> {
    match operation {
        "createProject" => Some(json!({"name": "new"})),
        "saveAuditFilter" => Some(json!({"name": "new", "action": "test.done"})),
        "registerAuditAction" => Some(json!({"action": "test.registered"})),
        "recordAuditEvents" => Some(json!({"events": [{"action": "test.done", "actor": "somebody"}]})),
        "createApiKey" => Some(json!({"name": "new", "scopes": ["management"]})),
        "updateApiKey" => Some(json!({"name": "changed"})),
        "createInvitation" => Some(json!({"email": "new@example.com", "role": "viewer"})),
        "changeMemberRole" => Some(json!({"role": "viewer"})),
        "transferWorkspace" => Some(json!({"to": "usr_01h455vb4pex5vsknk084sn02q", "confirm": "nobody"})),
        "leaveWorkspace" => Some(json!({"confirm": "nowhere"})),
        "changeWorkspaceSecurity" => Some(json!({"require_mfa": false})),
        "rotateApiKey" | "revealSecret" | "createReceiptShare" => Some(json!({})),
        "createSecret" => Some(json!({"name": "new", "kind": "generic", "value": "of the new one"})),
        "openSecretRotation" => Some(json!({"reason": "scheduled", "value": "another"})),
        "exportAuditEvents" => Some(json!({"format": "ndjson"})),
        "setAuditStream" => Some(json!({
            "endpoint": "https://bucket.invalid", "region": "eu-1", "bucket": "acme", "access_key_id": "id",
            "secret_access_key": "of the bucket".replace(' ', "-"),
        })),
        "setRetention" => Some(json!({"days": null})),
        "openLegalHold" => Some(json!({"reason": "a matter"})),
        "releaseLegalHold" => Some(json!({"confirm": "another"})),
        "eraseSubject" => Some(json!({"subject": "nobody at all", "confirm": "nobody at all"})),
        "addSecretVersion" => Some(json!({"value": "another"})),
        _ => None,
    }
}

/// An operation of the document with its case.
#[derive(Clone, Debug)]
pub struct Operation {
    /// `operationId`.
    pub id: String,
    /// The method.
    pub method: Method,
    /// The path with its parameters in braces.
    pub path: String,
    /// Their names, in their order.
    pub path_parameters: Vec<String>,
    /// The names of members of the body that hold ids.
    pub body_ids: Vec<String>,
    /// Whether it is a list with a cursor.
    pub has_cursor: bool,
    /// `security`.
    pub security: Value,
    /// `x-permission`.
    pub permission: Option<String>,
    /// What its path names.
    pub reach: Reach,
    /// A body that it takes.
    pub body: Option<Value>,
}

/// Every operation of both listeners. One without a case reaches nowhere, and the test of the cases names it.
pub fn operations() -> Vec<Operation> {
    let document = router::openapi();
    let paths = document["paths"].as_object().unwrap();
    let operation = |path: &str, method: &str, described: &Value| {
        let id = described["operationId"].as_str().unwrap();
        let parameters = |place: &str| {
            let all = described["parameters"].as_array().unwrap().iter();
            let there = all.filter(|parameter| parameter["in"] == place);
            there.map(|parameter| parameter["name"].as_str().unwrap().to_owned()).collect::<Vec<String>>()
        };
        Operation {
            id: id.to_owned(),
            method: method.to_uppercase().parse().unwrap(),
            path: path.to_owned(),
            path_parameters: parameters("path"),
            body_ids: body_ids(&document, described),
            has_cursor: parameters("query").iter().any(|name| name == "cursor"),
            security: described["security"].clone(),
            permission: described["x-permission"].as_str().map(str::to_owned),
            reach: CASES.iter().find(|(known, _)| *known == id).map_or(Reach::Nowhere(&[]), |(_, reach)| *reach),
            body: body(id),
        }
    };
    paths
        .iter()
        .flat_map(|(path, methods)| {
            let methods = methods.as_object().unwrap().iter();
            methods.map(|(method, described)| operation(path, method, described)).collect::<Vec<_>>()
        })
        .collect()
}

fn body_ids(document: &Value, described: &Value) -> Vec<String> {
    let reference = described["requestBody"]["content"]["application/json"]["schema"]["$ref"].as_str();
    let Some(name) = reference.and_then(|reference| reference.strip_prefix("#/components/schemas/")) else {
        return vec![];
    };
    let members = document["components"]["schemas"][name]["properties"].as_object().unwrap().keys();
    let is_id = |member: &str| member == "id" || member.ends_with("_id") || member.ends_with("_ids");
    // The key of somebody's bucket is no thing of ours.
    members.filter(|member| is_id(member) && *member != "access_key_id").cloned().collect()
}
