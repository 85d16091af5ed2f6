//! Every route on one page: method, path, who may, handler.
//!
//! What is an operation of the API stands in the contract (`api/openapi.json`) by the same line.

mod queries;

use axum::Router;
use axum::http::Method;
use axum::middleware::from_fn_with_state;
use serde_json::Value;

use self::queries::{EVENT_FILTERS, FORWARD_AUTH, KEY_PAGING, MANIFEST, PAGING, SECRET_FILTERS, SHARE_FILTERS};
use crate::api_keys::verify::{Verdict, Verdicts, VerifyKey, VerifyKeys};
use crate::api_keys::{ApiKey, CreateApiKey, CreatedApiKey, RotateApiKey, UpdateApiKey};
use crate::audit::published::AuditRoot;
use crate::audit::{
    AuditEvent, AuditEventDetail, ExportEvents, RecordEvents, RecordedEvents, RegisterAction, RegisteredAction,
    RegisteredActions, SaveFilter, SavedFilter, SavedFilters,
};
use crate::audit::{CreatedReceiptShare, ReceiptShare, SetStream, ShareReceipt, Stream};
use crate::authz::Permission as P;
use crate::devices::{DeviceCode, DeviceLogin};
use crate::erasure::{Erasure, ErasureAnswer, RequestErasure};
use crate::factors::{
    AddAuthenticator, ConfirmAuthenticator, ConfirmedAuthenticator, Factors, NewAuthenticator, PassFactor,
    RecoveryCodes, ShowFactor,
};
use crate::http::Access::{AnyKey, Anyone, ForwardedRequest, InternalCredential, Permission, SignedIn};
use crate::http::health::{self, Health};
use crate::http::{Code, Gate, Operation, Page, Routes, Surface, openapi_document};
use crate::identity::http::{Challenge, SignInRequest, VerifyRequest};
use crate::members::invitations::accept::AcceptInvitation;
use crate::members::{
    ChangeRole, ChangeWorkspaceSecurity, CreateInvitation, Invitation, LeaveWorkspace, Member, TransferWorkspace,
    WorkspaceSecurity,
};
use crate::passkeys::{
    Passkey, PasskeyChallenge, Passkeys, RegisterPasskey, RegisteredPasskey, RenamePasskey, ShowPasskey,
};
use crate::projects::{CreateProject, Project};
use crate::retention::{LegalHold, OpenLegalHold, ReleaseLegalHold, Retention, SetRetention};
use crate::secrets::{
    AddVersion, CreateSecret, OpenRotation, RevealSecret, RevealedSecret, Secret, SecretAccess, SecretDetail,
    SecretRotation,
};
use crate::sessions::http::RefreshRequest;
use crate::sessions::verify::{SessionVerdict, VerifySession};
use crate::sessions::{EndedSessions, Session, TokenPair};
use crate::state::AppState;
use crate::workspaces::{CreateWorkspace, Workspace};
use crate::{
    account, api_keys, audit, console, devices, erasure, factors, identity, mail, members, passkeys, projects,
    retention, secrets, sessions, workspaces,
};

/// The public listener's API.
#[rustfmt::skip]
fn api() -> Routes<AppState> {
    Routes::of(Surface::Api)
        .operation(Operation::post("/auth/request", "requestSignIn", Anyone, "Send a sign-in link and code")
            .takes::<SignInRequest>().answers::<Challenge>(202).without_idempotency()
            .problems(&[Code::RateLimited]), identity::http::request)
        .operation(Operation::post("/auth/verify", "verifySignIn", Anyone, "Sign in by link or code")
            .takes::<VerifyRequest>().answers::<TokenPair>(200).without_idempotency()
            .problems(&[Code::SignInFailed, Code::OtherBrowser, Code::FactorRequired, Code::RateLimited]), identity::http::verify)
        .operation(Operation::post("/auth/factor", "passFactor", Anyone, "Show the factor that a sign-in by mail still owes")
            .takes::<PassFactor>().answers::<TokenPair>(200).without_idempotency()
            .problems(&[Code::FactorFailed, Code::RateLimited]), factors::http::pass)
        .operation(Operation::post("/auth/step-up", "stepUp", SignedIn, "Show a factor again: another session takes the place of the one at hand")
            .takes::<ShowFactor>().answers::<TokenPair>(200).without_idempotency()
            .problems(&[Code::FactorFailed, Code::RateLimited]), factors::http::step_up)
        .operation(Operation::get("/auth/factors", "listFactors", SignedIn, "List what one proves oneself with beside the mail")
            .answers::<Factors>(200), factors::http::list)
        .operation(Operation::post("/auth/factors/authenticators", "addAuthenticator", SignedIn, "Begin to add an authenticator; shows its secret once")
            .takes::<AddAuthenticator>().answers::<NewAuthenticator>(201).without_idempotency()
            .problems(&[Code::StepUpRequired, Code::NameTaken, Code::RateLimited]), factors::http::add)
        .operation(Operation::post("/auth/factors/authenticators/{id}/confirm", "confirmAuthenticator", SignedIn, "Have an authenticator count that shows a good code")
            .takes::<ConfirmAuthenticator>().answers::<ConfirmedAuthenticator>(200).without_idempotency()
            .problems(&[Code::StepUpRequired, Code::FactorFailed, Code::NotFound, Code::RateLimited]), factors::http::confirm)
        .operation(Operation::delete("/auth/factors/authenticators/{id}", "removeAuthenticator", SignedIn, "Remove an authenticator")
            .answers_nothing(204).without_idempotency().problems(&[Code::StepUpRequired, Code::LastFactor, Code::NotFound, Code::RateLimited]), factors::http::remove)
        .operation(Operation::post("/auth/factors/recovery-codes", "renewRecoveryCodes", SignedIn, "Make ten new recovery codes in the place of the older ones; shows them once")
            .answers::<RecoveryCodes>(201).without_idempotency().problems(&[Code::StepUpRequired, Code::NotFound, Code::RateLimited]), factors::http::renew_codes)
        .operation(Operation::post("/auth/device", "requestDeviceLogin", Anyone, "Begin the sign-in of a program, which a person approves in a browser (RFC 8628)")
            .answers::<DeviceLogin>(200).without_idempotency().problems(&[Code::RateLimited]), devices::http::ask)
        .operation(Operation::post("/auth/device/token", "redeemDeviceLogin", Anyone, "Get the program's tokens, once a person has approved")
            .takes::<DeviceCode>().answers::<TokenPair>(200).without_idempotency()
            .problems(&[Code::AuthorizationPending, Code::SlowDown, Code::AccessDenied, Code::ExpiredToken, Code::RateLimited]), devices::http::pick_up)
        .operation(Operation::post("/auth/passkeys/sign-in/start", "beginPasskeySignIn", Anyone, "Ask for a passkey, whoever's")
            .answers::<PasskeyChallenge>(200).without_idempotency()
            .problems(&[Code::PasskeysUnavailable, Code::RateLimited]), passkeys::http::begin_sign_in)
        .operation(Operation::post("/auth/passkeys/sign-in/finish", "signInByPasskey", Anyone, "Sign in by a passkey")
            .takes::<ShowPasskey>().answers::<TokenPair>(200).without_idempotency()
            .problems(&[Code::PasskeyFailed, Code::PasskeysUnavailable, Code::RateLimited]), passkeys::http::sign_in)
        .operation(Operation::post("/auth/passkeys/step-up/start", "beginPasskeyStepUp", SignedIn, "Ask for one of one's own passkeys")
            .answers::<PasskeyChallenge>(200).without_idempotency()
            .problems(&[Code::PasskeysUnavailable, Code::RateLimited]), passkeys::http::begin_step_up)
        .operation(Operation::post("/auth/passkeys/step-up/finish", "stepUpByPasskey", SignedIn, "Prove by a passkey who one is: another session, which begins now, is in the place of this one, on every node")
            .takes::<ShowPasskey>().answers::<TokenPair>(200).without_idempotency()
            .problems(&[Code::PasskeyFailed, Code::PasskeysUnavailable, Code::RateLimited]), passkeys::http::step_up)
        .operation(Operation::post("/auth/passkeys/register/start", "beginPasskeyRegistration", SignedIn, "Ask for a new passkey")
            .answers::<PasskeyChallenge>(200).without_idempotency()
            .problems(&[Code::PasskeysUnavailable, Code::StepUpRequired, Code::RateLimited]), passkeys::http::begin_registration)
        .operation(Operation::post("/auth/passkeys/register/finish", "registerPasskey", SignedIn, "Add a passkey; with the first factor come recovery codes and another session")
            .takes::<RegisterPasskey>().answers::<RegisteredPasskey>(201).without_idempotency()
            .problems(&[Code::PasskeyFailed, Code::PasskeysUnavailable, Code::StepUpRequired, Code::RateLimited]), passkeys::http::register)
        .operation(Operation::get("/auth/passkeys", "listPasskeys", SignedIn, "List one's own passkeys")
            .answers::<Passkeys>(200), passkeys::http::list)
        .operation(Operation::patch("/auth/passkeys/{id}", "renamePasskey", SignedIn, "Give a passkey another name")
            .takes::<RenamePasskey>().answers::<Passkey>(200).without_idempotency().problems(&[Code::NotFound, Code::RateLimited]), passkeys::http::rename)
        .operation(Operation::delete("/auth/passkeys/{id}", "removePasskey", SignedIn, "Remove a passkey")
            .answers_nothing(204).without_idempotency()
            .problems(&[Code::NotFound, Code::StepUpRequired, Code::LastFactor, Code::RateLimited]), passkeys::http::remove)
        .operation(Operation::post("/auth/refresh", "refreshSession", Anyone, "Exchange a refresh token for its successor")
            .takes::<RefreshRequest>().answers::<TokenPair>(200).without_idempotency()
            .problems(&[Code::RefreshTokenInvalid]), sessions::http::refresh)
        .operation(Operation::post("/auth/sign-out", "signOut", Anyone, "End the session at hand")
            .answers_nothing(204).without_idempotency(), sessions::http::sign_out)
        .operation(Operation::get("/auth/sessions", "listSessions", SignedIn, "List one's own sessions, the newest first")
            .answers::<Page<Session>>(200).query(PAGING), sessions::http::list)
        .operation(Operation::delete("/auth/sessions/{id}", "endSession", SignedIn, "End one of one's own sessions, on every node")
            .answers_nothing(204).without_idempotency().problems(&[Code::NotFound]), sessions::http::end)
        .operation(Operation::post("/auth/sign-out-others", "signOutOthers", SignedIn, "End all of one's own sessions but the one at hand, on every node")
            .answers::<EndedSessions>(200).without_idempotency(), sessions::http::sign_out_others)
        .operation(Operation::post("/auth/sign-out-everywhere", "signOutEverywhere", SignedIn, "End all of one's own sessions, on every node")
            .answers::<EndedSessions>(200).without_idempotency(), sessions::http::sign_out_everywhere)
        .operation(Operation::get("/.well-known/jwks.json", "getTokenKeys", Anyone, "Get the keys that sign access tokens and service tokens")
            .answers_as("application/jwk-set+json"), sessions::http::keys)
        .operation(Operation::post("/auth/accept-invite", "acceptInvitation", SignedIn, "Take an invitation to one's own address")
            .takes::<AcceptInvitation>().answers::<Workspace>(200).without_idempotency()
            .problems(&[Code::InvitationInvalid, Code::InvitationForAnother, Code::AlreadyMember, Code::RateLimited]), members::invitations::accept::accept)
        .operation(Operation::post("/v1/workspaces", "createWorkspace", SignedIn, "Found a workspace")
            .takes::<CreateWorkspace>().answers::<Workspace>(201).problems(&[Code::SlugTaken]), workspaces::http::create)
        .operation(Operation::get("/v1/workspaces", "listWorkspaces", SignedIn, "List one's own workspaces")
            .answers::<Page<Workspace>>(200).query(PAGING), workspaces::http::list)
        .operation(Operation::get("/v1/workspaces/{workspace}", "getWorkspace", Permission(P::ReadWorkspace), "Get a workspace")
            .answers::<Workspace>(200), workspaces::http::get)
        .operation(Operation::get("/v1/workspaces/{workspace}/members", "listMembers", Permission(P::ReadMembers), "List members")
            .answers::<Page<Member>>(200).query(PAGING), members::http::list)
        .operation(Operation::get("/v1/workspaces/{workspace}/members/{id}", "getMember", Permission(P::ReadMembers), "Get a member")
            .answers::<Member>(200), members::http::get)
        .operation(Operation::patch("/v1/workspaces/{workspace}/members/{id}", "changeMemberRole", Permission(P::ManageMembers), "Give a member another role, on every node")
            .takes::<ChangeRole>().answers::<Member>(200).problems(&[Code::StepUpRequired, Code::LastOwner]), members::http::change_role)
        .operation(Operation::delete("/v1/workspaces/{workspace}/members/{id}", "removeMember", Permission(P::ManageMembers), "Remove a member, on every node; what they have made stays")
            .answers_nothing(204).problems(&[Code::StepUpRequired, Code::LastOwner]), members::http::remove)
        .operation(Operation::post("/v1/workspaces/{workspace}/leave", "leaveWorkspace", Permission(P::LeaveWorkspace), "Leave the workspace")
            .takes::<LeaveWorkspace>().answers_nothing(204).problems(&[Code::LastOwner]), members::http::leave)
        .operation(Operation::post("/v1/workspaces/{workspace}/transfer", "transferWorkspace", Permission(P::ManageMembers), "Hand the workspace over: a member becomes an owner, and the caller an admin")
            .takes::<TransferWorkspace>().answers::<Member>(200).problems(&[Code::StepUpRequired]), members::http::transfer)
        .operation(Operation::post("/v1/workspaces/{workspace}/invitations", "createInvitation", Permission(P::ManageMembers), "Invite an address; the mail alone has the token")
            .takes::<CreateInvitation>().answers::<Invitation>(201)
            .problems(&[Code::StepUpRequired, Code::BeyondOwnAuthority, Code::AlreadyMember, Code::AlreadyInvited, Code::RateLimited]), members::invitations::http::create)
        .operation(Operation::get("/v1/workspaces/{workspace}/invitations", "listInvitations", Permission(P::ReadInvitations), "List invitations that were neither taken nor revoked, the newest first")
            .answers::<Page<Invitation>>(200).query(PAGING), members::invitations::http::list)
        .operation(Operation::delete("/v1/workspaces/{workspace}/invitations/{id}", "revokeInvitation", Permission(P::ManageMembers), "Revoke an invitation")
            .answers_nothing(204), members::invitations::http::revoke)
        .operation(Operation::post("/v1/workspaces/{workspace}/invitations/{id}/resend", "resendInvitation", Permission(P::ManageMembers), "Send an invitation again, with another token and for another week")
            .answers::<Invitation>(200).problems(&[Code::StepUpRequired, Code::BeyondOwnAuthority, Code::RateLimited]), members::invitations::http::resend)
        .operation(Operation::get("/v1/workspaces/{workspace}/security", "getWorkspaceSecurity", Permission(P::ReadInvitations), "Get what the workspace demands of those who sign in to it")
            .answers::<WorkspaceSecurity>(200), members::mfa::http::get)
        .operation(Operation::patch("/v1/workspaces/{workspace}/security", "changeWorkspaceSecurity", Permission(P::ManageMembers), "Say whether the workspace demands a second factor, on every node")
            .takes::<ChangeWorkspaceSecurity>().answers::<WorkspaceSecurity>(200).problems(&[Code::StepUpRequired, Code::MfaRequired]), members::mfa::http::change)
        .operation(Operation::post("/v1/workspaces/{workspace}/projects", "createProject", Permission(P::CreateProject), "Make a project")
            .takes::<CreateProject>().answers::<Project>(201).problems(&[Code::NameTaken]), projects::http::create)
        .operation(Operation::get("/v1/workspaces/{workspace}/projects", "listProjects", Permission(P::ReadProjects), "List projects")
            .answers::<Page<Project>>(200).query(PAGING), projects::http::list)
        .operation(Operation::post("/v1/workspaces/{workspace}/api-keys", "createApiKey", Permission(P::CreateKey), "Make an API key; shows it once")
            .takes::<CreateApiKey>().answers::<CreatedApiKey>(201).problems(&[Code::BeyondOwnAuthority, Code::StepUpRequired]), api_keys::http::create)
        .operation(Operation::get("/v1/workspaces/{workspace}/api-keys", "listApiKeys", Permission(P::ReadKeys), "List API keys, the newest first")
            .answers::<Page<ApiKey>>(200).query(KEY_PAGING), api_keys::http::list)
        .operation(Operation::get("/v1/workspaces/{workspace}/api-keys/{id}", "getApiKey", Permission(P::ReadKeys), "Get an API key, without its secret")
            .answers::<ApiKey>(200), api_keys::http::get)
        .operation(Operation::patch("/v1/workspaces/{workspace}/api-keys/{id}", "updateApiKey", Permission(P::UpdateKey), "Change name, labels, expiry or networks of an API key")
            .takes::<UpdateApiKey>().answers::<ApiKey>(200)
            .problems(&[Code::BeyondOwnAuthority, Code::StepUpRequired, Code::KeyNotActive, Code::KeyAlreadyRotated]),
            api_keys::http::update)
        .operation(Operation::post("/v1/workspaces/{workspace}/api-keys/{id}/rotate", "rotateApiKey", Permission(P::RotateKey), "Give an API key a successor; shows that once")
            .takes::<RotateApiKey>().answers::<CreatedApiKey>(201)
            .problems(&[Code::BeyondOwnAuthority, Code::StepUpRequired, Code::KeyNotActive, Code::KeyAlreadyRotated]),
            api_keys::http::rotate)
        .operation(Operation::delete("/v1/workspaces/{workspace}/api-keys/{id}", "revokeApiKey", Permission(P::RevokeKey), "Revoke an API key")
            .answers_nothing(204), api_keys::http::revoke)
        .operation(Operation::get("/v1/workspaces/{workspace}/audit/events", "listAuditEvents", Permission(P::ReadAudit), "List events, the newest first")
            .answers::<Page<AuditEvent>>(200).query(EVENT_FILTERS), audit::http::list)
        .operation(Operation::post("/v1/workspaces/{workspace}/audit/events", "recordAuditEvents", Permission(P::RecordEvent), "Record events of one's own, 1 to 1,000 of them: all or none")
            .takes::<RecordEvents>().with_room_for(audit::BODY_BYTES).answers::<RecordedEvents>(201)
            .problems(&[Code::ActionReserved, Code::ActionNotRegistered, Code::EventTooLarge, Code::IngestQueueFull, Code::LedgerFrozen]), audit::http::record)
        .operation(Operation::get("/v1/workspaces/{workspace}/audit/events/{id}", "getAuditEvent", Permission(P::ReadAudit), "Get an event, with its bytes and openings")
            .answers::<AuditEventDetail>(200).problems(&[Code::LedgerMismatch, Code::EntryPruned]), audit::http::get)
        .operation(Operation::get("/v1/workspaces/{workspace}/audit/events/{id}/receipt", "getAuditReceipt", Permission(P::ReadAudit), "Get an event's receipt, a C2SP tlog-proof")
            .answers_as("text/plain").query(&[("open", "The fields to open: actor, ip, meta, target; none if nothing is said.")])
            .problems(&[Code::LedgerMismatch, Code::EntryPruned, Code::LedgerFrozen, Code::AnchorUnavailable]), audit::http::receipt)
        .operation(Operation::post("/v1/workspaces/{workspace}/audit/events/{id}/shares", "createReceiptShare", Permission(P::ShareReceipt), "Make a link that shows an event's receipt to whoever has it; shows it once")
            .takes::<ShareReceipt>().answers::<CreatedReceiptShare>(201), audit::shares::http::create)
        .operation(Operation::get("/v1/workspaces/{workspace}/audit/shares", "listReceiptShares", Permission(P::ReadAudit), "List links to receipts, the newest first")
            .answers::<Page<ReceiptShare>>(200).query(SHARE_FILTERS), audit::shares::http::list)
        .operation(Operation::delete("/v1/workspaces/{workspace}/audit/shares/{id}", "revokeReceiptShare", Permission(P::ShareReceipt), "Revoke a link to a receipt")
            .answers_nothing(204), audit::shares::http::revoke)
        .operation(Operation::post("/v1/workspaces/{workspace}/audit/actions", "registerAuditAction", Permission(P::ManageActions), "Register an action that the environment's programs may record")
            .takes::<RegisterAction>().answers::<RegisteredAction>(201).problems(&[Code::ActionReserved, Code::NameTaken]), audit::actions::http::register)
        .operation(Operation::get("/v1/workspaces/{workspace}/audit/actions", "listAuditActions", Permission(P::ReadAudit), "List the actions that the environment's programs may record")
            .answers::<RegisteredActions>(200), audit::actions::http::list)
        .operation(Operation::delete("/v1/workspaces/{workspace}/audit/actions/{id}", "retireAuditAction", Permission(P::ManageActions), "Retire an action, named by its words; what was recorded of it stays")
            .answers_nothing(204), audit::actions::http::retire)
        .operation(Operation::post("/v1/workspaces/{workspace}/audit/filters", "saveAuditFilter", Permission(P::ReadAudit), "Save a filter of the log, for oneself or for everybody who reads it")
            .takes::<SaveFilter>().answers::<SavedFilter>(201).problems(&[Code::NameTaken]), audit::filters::http::save)
        .operation(Operation::get("/v1/workspaces/{workspace}/audit/filters", "listAuditFilters", Permission(P::ReadAudit), "List one's own saved filters, and those for everybody")
            .answers::<SavedFilters>(200), audit::filters::http::list)
        .operation(Operation::delete("/v1/workspaces/{workspace}/audit/filters/{id}", "deleteAuditFilter", Permission(P::ReadAudit), "Delete a saved filter")
            .answers_nothing(204), audit::filters::http::delete)
        .operation(Operation::post("/v1/workspaces/{workspace}/audit/export", "exportAuditEvents", Permission(P::ExportAudit), "Stream a stretch of the log, as NDJSON, CSV or under the names of OCSF, after an entry about it was committed")
            .takes::<ExportEvents>().answers_as("application/x-ndjson").without_idempotency(), audit::http::export)
        .operation(Operation::put("/v1/workspaces/{workspace}/audit/stream", "setAuditStream", Permission(P::StreamAudit), "Have the log streamed to a bucket of one's own, from which alone it can be verified")
            .takes::<SetStream>().answers::<Stream>(200), audit::stream::http::set)
        .operation(Operation::get("/v1/workspaces/{workspace}/audit/stream", "getAuditStream", Permission(P::StreamAudit), "Get where the log is streamed to, and how far that is")
            .answers::<Stream>(200), audit::stream::http::get)
        .operation(Operation::delete("/v1/workspaces/{workspace}/audit/stream", "removeAuditStream", Permission(P::StreamAudit), "Have the log streamed no longer; what is in the bucket stays")
            .answers_nothing(204), audit::stream::http::remove)
        .operation(Operation::get("/v1/workspaces/{workspace}/audit/checkpoint", "getAuditCheckpoint", Permission(P::ReadAudit), "Get the newest checkpoint, a signed note")
            .answers_as("text/plain").problems(&[Code::NoCheckpoint, Code::LedgerFrozen, Code::AnchorUnavailable]),
            audit::http::checkpoint)
        .operation(Operation::get("/v1/workspaces/{workspace}/audit/consistency", "proveConsistency", Permission(P::ReadAudit), "Get two published checkpoints, and the proof that one extends the other")
            .answers_as("text/plain").query(&[("from", "The size of the older checkpoint."), ("to", "The size of the newer one; the newest if nothing is said.")])
            .problems(&[Code::NoCheckpoint, Code::LedgerMismatch, Code::LedgerFrozen, Code::AnchorUnavailable]),
            audit::http::consistency)
        .operation(Operation::get("/v1/workspaces/{workspace}/audit/log/{*path}", "readAuditLog", Permission(P::ReadAudit), "Read the log as C2SP tlog-tiles: checkpoint, tile/<level>/<index>, tile/entries/<index>, the last two with .p/<width> for partial ones")
            .answers_as("application/octet-stream")
            .problems(&[Code::NoCheckpoint, Code::LedgerMismatch, Code::EntryPruned, Code::LedgerFrozen, Code::AnchorUnavailable]),
            audit::log::read)
        .operation(Operation::get("/v1/workspaces/{workspace}/audit/manifest", "getAuditManifest", Permission(P::ReadAudit), "Get the log's line of a manifest, with its proofs up to the cell's checkpoint")
            .answers_as("text/plain").query(MANIFEST)
            .problems(&[Code::NoManifest, Code::LedgerMismatch, Code::EntryPruned, Code::LedgerFrozen, Code::AnchorUnavailable]),
            audit::http::manifest)
        .operation(Operation::post("/v1/workspaces/{workspace}/secrets", "createSecret", Permission(P::CreateSecret), "Entrust a secret")
            .takes::<CreateSecret>().with_room_for(secrets::BODY_BYTES).answers::<Secret>(201).problems(&[Code::NameTaken]), secrets::http::create)
        .operation(Operation::get("/v1/workspaces/{workspace}/secrets", "listSecrets", Permission(P::ReadSecrets), "List secrets without their values, the newest first")
            .answers::<Page<Secret>>(200).query(SECRET_FILTERS), secrets::http::list)
        .operation(Operation::get("/v1/workspaces/{workspace}/secrets/{id}", "getSecret", Permission(P::ReadSecrets), "Get a secret and its versions, without their values")
            .answers::<SecretDetail>(200), secrets::http::get)
        .operation(Operation::post("/v1/workspaces/{workspace}/secrets/{id}/versions", "addSecretVersion", Permission(P::UpdateSecret), "Give a secret another value; the one before stays readable")
            .takes::<AddVersion>().with_room_for(secrets::BODY_BYTES).answers::<SecretDetail>(201), secrets::http::add_version)
        .operation(Operation::post("/v1/workspaces/{workspace}/secrets/{id}/reveal", "revealSecret", Permission(P::RevealSecret), "Read the value of a secret, after an entry about it was committed")
            .takes::<RevealSecret>().answers::<RevealedSecret>(200).without_idempotency()
            .problems(&[Code::StepUpRequired, Code::SecretVersionGone, Code::SecretDamaged]), secrets::http::reveal)
        .operation(Operation::get("/v1/workspaces/{workspace}/secrets/{id}/accesses", "listSecretAccesses", Permission(P::ReadAudit), "List who read a secret, the newest reading first")
            .answers::<Page<SecretAccess>>(200).query(PAGING), secrets::http::accesses)
        .operation(Operation::post("/v1/workspaces/{workspace}/secrets/{id}/rotations", "openSecretRotation", Permission(P::UpdateSecret), "Rotate a secret: store its new version, beside those that are there")
            .takes::<OpenRotation>().with_room_for(secrets::BODY_BYTES).answers::<SecretRotation>(201)
            .problems(&[Code::RotationOpen]), secrets::rotation::http::open)
        .operation(Operation::get("/v1/workspaces/{workspace}/secrets/{id}/rotations", "listSecretRotations", Permission(P::ReadSecrets), "List the rotations of a secret, the newest first")
            .answers::<Page<SecretRotation>>(200).query(PAGING), secrets::rotation::http::list)
        .operation(Operation::get("/v1/workspaces/{workspace}/secret-rotations/{id}", "getSecretRotation", Permission(P::ReadSecrets), "Get a rotation: how far it is, and its receipt")
            .answers::<SecretRotation>(200), secrets::rotation::http::get)
        .operation(Operation::post("/v1/workspaces/{workspace}/secret-rotations/{id}/ready", "readySecretRotation", Permission(P::UpdateSecret), "Say that the new version is deployed: the older ones are revoked from then on")
            .answers::<SecretRotation>(200), secrets::rotation::http::ready)
        .operation(Operation::delete("/v1/workspaces/{workspace}/secrets/{id}", "deleteSecret", Permission(P::DeleteSecret), "Delete a secret with all its versions")
            .answers_nothing(204), secrets::http::delete)
        .operation(Operation::get("/v1/workspaces/{workspace}/audit/retention", "getRetention", Permission(P::ReadRetention), "Get for how long the log is kept, and what would go now")
            .answers::<Retention>(200), retention::http::get)
        .operation(Operation::put("/v1/workspaces/{workspace}/audit/retention", "setRetention", Permission(P::ManageRetention), "Say for how long the log is kept; what is shorter takes effect a week later")
            .takes::<SetRetention>().answers::<Retention>(200)
            .problems(&[Code::StepUpRequired, Code::RetentionAltered, Code::LedgerFrozen]), retention::http::set)
        .operation(Operation::post("/v1/workspaces/{workspace}/audit/legal-holds", "openLegalHold", Permission(P::ManageRetention), "Open a legal hold: nothing of the log is pruned while one is")
            .takes::<OpenLegalHold>().answers::<LegalHold>(201).problems(&[Code::LedgerFrozen]), retention::http::open)
        .operation(Operation::get("/v1/workspaces/{workspace}/audit/legal-holds", "listLegalHolds", Permission(P::ReadRetention), "List legal holds, the newest first")
            .answers::<Page<LegalHold>>(200).query(PAGING), retention::http::list)
        .operation(Operation::post("/v1/workspaces/{workspace}/audit/legal-holds/{id}/release", "releaseLegalHold", Permission(P::ManageRetention), "Release a legal hold")
            .takes::<ReleaseLegalHold>().answers::<LegalHold>(200)
            .problems(&[Code::StepUpRequired, Code::RetentionAltered, Code::LedgerFrozen]), retention::http::release)
        .operation(Operation::post("/v1/workspaces/{workspace}/erasures", "eraseSubject", Permission(P::EraseSubject), "Make unreadable for good what the audit logs say of a subject, or count what that would reach")
            .takes::<RequestErasure>().answers::<ErasureAnswer>(200)
            .problems(&[Code::NotFound, Code::StepUpRequired, Code::EnvironmentMismatch, Code::ErasureUnderWay, Code::SubjectMisplaced, Code::LegalHold, Code::RetentionAltered, Code::LedgerFrozen]),
            erasure::http::request)
        .operation(Operation::get("/v1/workspaces/{workspace}/erasures", "listErasures", Permission(P::ReadErasures), "List erasures, the newest first")
            .answers::<Page<Erasure>>(200).query(PAGING), erasure::http::list)
        .operation(Operation::get("/v1/workspaces/{workspace}/erasures/{id}", "getErasure", Permission(P::ReadErasures), "Get an erasure: how far it is, and its certificate")
            .answers::<Erasure>(200), erasure::http::get)
        .operation(Operation::get("/w/{workspace}/.well-known/jwks.json", "getLedgerKeys", Anyone, "Get the keys that sign a workspace's logs, and the newest daily roots")
            .answers_as("application/jwk-set+json").problems(&[Code::NotFound]), audit::published::keys)
        .operation(Operation::get("/w/{workspace}/.well-known/audit-roots", "listAuditRoots", Anyone, "List the daily roots of a workspace's logs, the newest first")
            .answers::<Page<AuditRoot>>(200).query(PAGING).problems(&[Code::NotFound]), audit::published::roots)
        .operation(Operation::get("/cell/.well-known/jwks.json", "getCellKeys", Anyone, "Get the keys that sign the cell's own log, where manifests stand")
            .answers_as("application/jwk-set+json"), audit::published::cell_keys)
        .operation(Operation::get("/cell/checkpoint", "getCellCheckpoint", Anyone, "Get the newest checkpoint of the cell's own log that witnesses have cosigned")
            .answers_as("text/plain"), audit::published::cell_checkpoint)
        .operation(Operation::get("/v1/key", "getOwnKey", AnyKey, "What the calling key is and may do")
            .answers::<api_keys::http::OwnKey>(200), api_keys::http::own)
}

/// The private listener: for the operator alone.
#[rustfmt::skip]
fn internal() -> Routes<AppState> {
    Routes::of(Surface::Api)
        .operation(Operation::post("/internal/v1/keys/verify", "verifyApiKey", InternalCredential, "Is this key good, now?")
            .takes::<VerifyKey>().answers::<Verdict>(200).without_idempotency(), api_keys::verify::verify)
        .operation(Operation::post("/internal/v1/keys/verify-batch", "verifyApiKeys", InternalCredential, "Are these keys good, now? Up to 100, answered in their order")
            .takes::<VerifyKeys>().answers::<Verdicts>(200).without_idempotency().problems(&[Code::BatchTooLarge]), api_keys::verify::verify_batch)
        .operation(Operation::post("/internal/v1/sessions/verify", "verifySession", InternalCredential, "Whose access token is this? Exchanges it for a token that one service takes")
            .takes::<VerifySession>().answers::<SessionVerdict>(200).without_idempotency(), sessions::verify::verify)
        .operation(Operation::get("/internal/v1/forward-auth", "forwardAuth", ForwardedRequest, "May this request go on? For the proxy that holds it; who asks is told in headers")
            .answers_nothing(200).by_any_method().query(FORWARD_AUTH)
            .problems(&[Code::KeyRevoked, Code::KeyExpired, Code::AddressNotAllowed, Code::InsufficientScope, Code::Forbidden, Code::EnvironmentMismatch]),
            api_keys::forward_auth::forward_auth)
        .operation(Operation::get("/livez", "live", Anyone, "Does the process run?").answers::<Health>(200), health::livez)
        .operation(Operation::get("/readyz", "ready", Anyone, "Can it serve?").answers::<Health>(200), health::readyz)
        .page(&Method::GET, "/metrics", Anyone, health::metrics)
}

/// The console: pages for people in a browser.
#[rustfmt::skip]
fn console() -> Routes<AppState> {
    const GET: Method = Method::GET;
    const POST: Method = Method::POST;
    Routes::of(Surface::Console)
        .page(&GET, "/", Anyone, identity::page::root)
        .page(&GET, "/sign-in", Anyone, identity::page::sign_in)
        .page(&POST, "/sign-in", Anyone, identity::page::ask)
        .page(&GET, "/sign-in/sent", Anyone, identity::page::sent)
        .page(&POST, "/sign-in/sent", Anyone, identity::page::enter_code)
        .page(&GET, "/auth/link", Anyone, identity::page::link)
        .page(&POST, "/auth/link", Anyone, identity::page::follow_link)
        .page(&POST, "/sign-out", Anyone, identity::page::sign_out)
        .page(&GET, "/auth/invitation", Anyone, members::invitations::page::show)
        .page(&POST, "/auth/invitation", SignedIn, members::invitations::page::take)
        .page(&POST, "/sign-in/passkey", Anyone, passkeys::page::sign_in)
        .page(&GET, "/account/passkeys", SignedIn, passkeys::page::index)
        .page(&POST, "/account/passkeys", SignedIn, passkeys::page::add)
        .page(&POST, "/account/passkeys/challenge", SignedIn, passkeys::page::begin)
        .page(&POST, "/account/passkeys/not-now", SignedIn, passkeys::page::not_now)
        .page(&POST, "/account/passkeys/step-up/challenge", SignedIn, passkeys::page::begin_step_up)
        .page(&POST, "/account/passkeys/step-up", SignedIn, passkeys::page::step_up)
        .page(&GET, "/account/passkeys/{id}/rename", SignedIn, passkeys::page::ask_rename)
        .page(&POST, "/account/passkeys/{id}/rename", SignedIn, passkeys::page::rename)
        .page(&GET, "/account/passkeys/{id}/remove", SignedIn, passkeys::page::ask_remove)
        .page(&POST, "/account/passkeys/{id}/remove", SignedIn, passkeys::page::remove)
        .page(&GET, "/sign-in/factor", Anyone, factors::page::ask_second_step)
        .page(&POST, "/sign-in/factor", Anyone, factors::page::second_step)
        .page(&GET, "/account/step-up", SignedIn, factors::page::ask_step_up)
        .page(&POST, "/account/step-up", SignedIn, factors::page::step_up)
        .page(&GET, "/account/factors", SignedIn, factors::page::index)
        .page(&POST, "/account/factors/authenticators", SignedIn, factors::page::begin)
        .page(&POST, "/account/factors/authenticators/{id}/confirm", SignedIn, factors::page::confirm)
        .page(&GET, "/account/factors/authenticators/{id}/remove", SignedIn, factors::page::ask_remove)
        .page(&POST, "/account/factors/authenticators/{id}/remove", SignedIn, factors::page::remove)
        .page(&GET, "/account/factors/recovery-codes", SignedIn, factors::page::ask_codes)
        .page(&POST, "/account/factors/recovery-codes", SignedIn, factors::page::codes)
        .page(&GET, "/account/profile", SignedIn, account::page::show)
        .page(&POST, "/account/profile/address", SignedIn, account::page::ask)
        .page(&POST, "/account/profile/confirm", SignedIn, account::page::confirm)
        .page(&GET, "/account/delete", SignedIn, account::page::ask_delete)
        .page(&POST, "/account/delete", SignedIn, account::page::delete)
        .page(&GET, "/account/sessions", SignedIn, sessions::page::index)
        .page(&GET, "/account/sessions/{id}/end", SignedIn, sessions::page::ask_end)
        .page(&POST, "/account/sessions/{id}/end", SignedIn, sessions::page::end)
        .page(&GET, "/account/sign-out-others", SignedIn, sessions::page::ask_others)
        .page(&POST, "/account/sign-out-others", SignedIn, sessions::page::others)
        .page(&GET, "/account/sign-out-everywhere", SignedIn, sessions::page::ask_everywhere)
        .page(&POST, "/account/sign-out-everywhere", SignedIn, sessions::page::everywhere)
        .page(&GET, "/device", SignedIn, devices::page::enter)
        .page(&POST, "/device", SignedIn, devices::page::look)
        .page(&POST, "/device/approve", SignedIn, devices::page::approve)
        .page(&POST, "/device/deny", SignedIn, devices::page::deny)
        .page(&GET, "/workspaces", SignedIn, workspaces::page::index)
        .page(&POST, "/workspaces", SignedIn, workspaces::page::create)
        .page(&GET, "/w/{workspace}", Anyone, workspaces::page::live)
        .page(&GET, "/w/{workspace}/{environment}", Permission(P::ReadWorkspace), workspaces::page::home)
        .page(&GET, "/w/{workspace}/{environment}/go", Permission(P::ReadWorkspace), workspaces::page::go)
        .page(&GET, "/w/{workspace}/{environment}/members", Permission(P::ReadMembers), members::page::index)
        .page(&POST, "/w/{workspace}/{environment}/members", Permission(P::ManageMembers), members::page::invite)
        .page(&GET, "/w/{workspace}/{environment}/members/{id}", Permission(P::ManageMembers), members::page::show)
        .page(&POST, "/w/{workspace}/{environment}/members/{id}/role", Permission(P::ManageMembers), members::page::change_role)
        .page(&GET, "/w/{workspace}/{environment}/members/{id}/remove", Permission(P::ManageMembers), members::page::ask_remove)
        .page(&POST, "/w/{workspace}/{environment}/members/{id}/remove", Permission(P::ManageMembers), members::page::remove)
        .page(&GET, "/w/{workspace}/{environment}/members/{id}/transfer", Permission(P::ManageMembers), members::page::ask_transfer)
        .page(&POST, "/w/{workspace}/{environment}/members/{id}/transfer", Permission(P::ManageMembers), members::page::transfer)
        .page(&GET, "/w/{workspace}/{environment}/security", Permission(P::ManageMembers), members::mfa::page::show)
        .page(&POST, "/w/{workspace}/{environment}/security", Permission(P::ManageMembers), members::mfa::page::change)
        .page(&GET, "/w/{workspace}/{environment}/leave", Permission(P::LeaveWorkspace), members::page::ask_leave)
        .page(&POST, "/w/{workspace}/{environment}/leave", Permission(P::LeaveWorkspace), members::page::leave)
        .page(&POST, "/w/{workspace}/{environment}/invitations/{id}/resend", Permission(P::ManageMembers), members::page::resend)
        .page(&POST, "/w/{workspace}/{environment}/invitations/{id}/revoke", Permission(P::ManageMembers), members::page::revoke)
        .page(&GET, "/w/{workspace}/{environment}/projects", Permission(P::ReadProjects), projects::page::index)
        .page(&POST, "/w/{workspace}/{environment}/projects", Permission(P::CreateProject), projects::page::create)
        .page(&GET, "/w/{workspace}/{environment}/audit", Permission(P::ReadAudit), audit::page::index)
        .page(&GET, "/w/{workspace}/{environment}/audit/export", Permission(P::ExportAudit), audit::page::ask_export)
        .page(&POST, "/w/{workspace}/{environment}/audit/export", Permission(P::ExportAudit), audit::page::export)
        .page(&POST, "/w/{workspace}/{environment}/audit/filters", Permission(P::ReadAudit), audit::filters::page::save)
        .page(&POST, "/w/{workspace}/{environment}/audit/filters/{id}/delete", Permission(P::ReadAudit), audit::filters::page::delete)
        .page(&GET, "/w/{workspace}/{environment}/audit/actions", Permission(P::ReadAudit), audit::actions::page::index)
        .page(&POST, "/w/{workspace}/{environment}/audit/actions", Permission(P::ManageActions), audit::actions::page::register)
        .page(&POST, "/w/{workspace}/{environment}/audit/actions/{id}/retire", Permission(P::ManageActions), audit::actions::page::retire)
        .page(&GET, "/w/{workspace}/{environment}/audit/stream", Permission(P::StreamAudit), audit::stream::page::show)
        .page(&POST, "/w/{workspace}/{environment}/audit/stream", Permission(P::StreamAudit), audit::stream::page::set)
        .page(&GET, "/w/{workspace}/{environment}/audit/stream/remove", Permission(P::StreamAudit), audit::stream::page::confirm)
        .page(&POST, "/w/{workspace}/{environment}/audit/stream/remove", Permission(P::StreamAudit), audit::stream::page::remove)
        .page(&GET, "/w/{workspace}/{environment}/audit/checkpoint", Permission(P::ReadAudit), audit::page::checkpoint)
        .page(&GET, "/w/{workspace}/{environment}/audit/{id}", Permission(P::ReadAudit), audit::page::show)
        .page(&GET, "/w/{workspace}/{environment}/audit/shares", Permission(P::ReadAudit), audit::shares::page::index)
        .page(&GET, "/w/{workspace}/{environment}/audit/{id}/shares", Permission(P::ReadAudit), audit::shares::page::of_event)
        .page(&POST, "/w/{workspace}/{environment}/audit/{id}/shares", Permission(P::ShareReceipt), audit::shares::page::share)
        .page(&GET, "/w/{workspace}/{environment}/audit/shares/{id}/revoke", Permission(P::ShareReceipt), audit::shares::page::ask_revoke)
        .page(&POST, "/w/{workspace}/{environment}/audit/shares/{id}/revoke", Permission(P::ShareReceipt), audit::shares::page::revoke)
        .page(&GET, "/w/{workspace}/{environment}/audit/{id}/receipt", Permission(P::ReadAudit), audit::page::receipt)
        .page(&GET, "/w/{workspace}/{environment}/audit/retention", Permission(P::ReadRetention), retention::page::index)
        .page(&POST, "/w/{workspace}/{environment}/audit/retention", Permission(P::ManageRetention), retention::page::set)
        .page(&POST, "/w/{workspace}/{environment}/legal-holds", Permission(P::ManageRetention), retention::page::open)
        .page(&GET, "/w/{workspace}/{environment}/legal-holds/{id}/release", Permission(P::ManageRetention), retention::page::ask_release)
        .page(&POST, "/w/{workspace}/{environment}/legal-holds/{id}/release", Permission(P::ManageRetention), retention::page::release)
        .page(&GET, "/w/{workspace}/{environment}/erasures", Permission(P::ReadErasures), erasure::page::index)
        .page(&POST, "/w/{workspace}/{environment}/erasures", Permission(P::EraseSubject), erasure::page::erase)
        .page(&GET, "/w/{workspace}/{environment}/erasures/new", Permission(P::EraseSubject), erasure::page::new)
        .page(&POST, "/w/{workspace}/{environment}/erasures/look", Permission(P::EraseSubject), erasure::page::look)
        .page(&GET, "/w/{workspace}/{environment}/erasures/{id}", Permission(P::ReadErasures), erasure::page::show)
        .page(&GET, "/w/{workspace}/{environment}/secrets", Permission(P::ReadSecrets), secrets::page::index)
        .roomy_page(&POST, "/w/{workspace}/{environment}/secrets", Permission(P::CreateSecret), secrets::BODY_BYTES, secrets::page::create)
        .page(&GET, "/w/{workspace}/{environment}/secrets/new", Permission(P::CreateSecret), secrets::page::new)
        .page(&GET, "/w/{workspace}/{environment}/secrets/{id}", Permission(P::ReadSecrets), secrets::page::show)
        .page(&GET, "/w/{workspace}/{environment}/secrets/{id}/version", Permission(P::UpdateSecret), secrets::page::ask_version)
        .roomy_page(&POST, "/w/{workspace}/{environment}/secrets/{id}/version", Permission(P::UpdateSecret), secrets::BODY_BYTES, secrets::page::add_version)
        .page(&GET, "/w/{workspace}/{environment}/secrets/{id}/rotate", Permission(P::UpdateSecret), secrets::page::ask_rotate)
        .roomy_page(&POST, "/w/{workspace}/{environment}/secrets/{id}/rotate", Permission(P::UpdateSecret), secrets::BODY_BYTES, secrets::page::rotate)
        .page(&POST, "/w/{workspace}/{environment}/secrets/{id}/ready", Permission(P::UpdateSecret), secrets::page::ready)
        .page(&POST, "/w/{workspace}/{environment}/secrets/{id}/reveal", Permission(P::RevealSecret), secrets::page::reveal)
        .page(&POST, "/w/{workspace}/{environment}/secrets/{id}/read", Permission(P::RevealSecret), secrets::page::read)
        .page(&GET, "/w/{workspace}/{environment}/secrets/{id}/accesses", Permission(P::ReadAudit), secrets::page::accesses)
        .page(&GET, "/w/{workspace}/{environment}/secrets/{id}/delete", Permission(P::DeleteSecret), secrets::page::confirm)
        .page(&POST, "/w/{workspace}/{environment}/secrets/{id}/delete", Permission(P::DeleteSecret), secrets::page::delete)
        .page(&GET, "/w/{workspace}/{environment}/keys", Permission(P::ReadKeys), api_keys::page::index)
        .page(&POST, "/w/{workspace}/{environment}/keys", Permission(P::CreateKey), api_keys::page::create)
        .page(&GET, "/w/{workspace}/{environment}/keys/new", Permission(P::CreateKey), api_keys::page::new)
        .page(&GET, "/w/{workspace}/{environment}/keys/{id}", Permission(P::ReadKeys), api_keys::page::show)
        .page(&GET, "/w/{workspace}/{environment}/keys/{id}/created", Permission(P::CreateKey), api_keys::page::created)
        .page(&POST, "/w/{workspace}/{environment}/keys/{id}/created", Permission(P::CreateKey), api_keys::page::stored)
        .page(&GET, "/w/{workspace}/{environment}/keys/{id}/edit", Permission(P::UpdateKey), api_keys::page::edit)
        .page(&POST, "/w/{workspace}/{environment}/keys/{id}/edit", Permission(P::UpdateKey), api_keys::page::update)
        .page(&GET, "/w/{workspace}/{environment}/keys/{id}/rotate", Permission(P::RotateKey), api_keys::page::ask_rotate)
        .page(&POST, "/w/{workspace}/{environment}/keys/{id}/rotate", Permission(P::RotateKey), api_keys::page::rotate)
        .page(&GET, "/w/{workspace}/{environment}/keys/{id}/revoke", Permission(P::RevokeKey), api_keys::page::confirm)
        .page(&POST, "/w/{workspace}/{environment}/keys/{id}/revoke", Permission(P::RevokeKey), api_keys::page::revoke)
}

/// The public listener.
pub fn public(state: &AppState) -> Router {
    let (api, _) = api().into_parts();
    let (console, _) = console().into_parts();
    let console = console.layer(from_fn_with_state(state.clone(), sessions::keep_alive));
    let (unguarded, _) = unguarded(state).into_parts();
    let routes = api.merge(console).merge(unguarded).with_state(state.clone());
    let problems_as_pages = from_fn_with_state(state.edge.clone(), console::problems_as_pages);
    Router::new().fallback_service(Gate::new(state.edge.clone(), routes)).layer(problems_as_pages)
}

/// What needs no session: static files, receipts that were shared, and in development the mailbox.
fn unguarded(state: &AppState) -> Routes<AppState> {
    let routes = Routes::of(Surface::Console)
        .page(&Method::GET, "/static/{*path}", Anyone, console::serve_asset)
        .page(&Method::GET, "/share/r/{id}", Anyone, audit::shares::public::show)
        .page(&Method::GET, "/share/r/{id}/receipt", Anyone, audit::shares::public::file);
    if state.mailer.mailbox().is_some() {
        routes.page(&Method::GET, "/dev/mail", Anyone, mail::page::mailbox)
    } else {
        routes
    }
}

/// The private listener.
pub fn private(state: &AppState) -> Gate {
    let (routes, _) = internal().into_parts();
    let from_memory =
        api_keys::verify::FromMemory { services: state.internal_credentials.clone(), feed: state.feed.clone() };
    let routes = routes.with_state(state.clone());
    Gate::with_shortcut(state.private_edge.clone(), routes, "/internal/v1/keys/verify", from_memory)
}

/// The contract of both listeners.
#[must_use]
pub fn openapi() -> Value {
    let operations: Vec<Operation> = [api(), internal()].into_iter().flat_map(|routes| routes.into_parts().1).collect();
    openapi_document(env!("CARGO_PKG_VERSION"), &operations)
}

/// `api/openapi.json`, as it is committed.
#[must_use]
pub fn openapi_json() -> String {
    format!("{:#}\n", openapi())
}
