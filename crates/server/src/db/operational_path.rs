//! Where a tenant's wall is crossed, or nobody's is entered: each way with its name, its reason and what it reaches.

mod reaches;
mod reference;

pub use self::reference::reference_markdown;

/// A piece of the server's own work that no tenant's authority covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OperationalPath {
    /// Somebody asks for a sign-in link.
    RequestSignIn,
    /// A link or code comes back: find the challenge, find or make the person, open a session.
    RedeemSignIn,
    /// Somebody comes with a passkey: a challenge is kept, and taken back with its answer; a session is opened.
    SignInByPasskey,
    /// Is this access token's session still alive?
    AuthenticateSession,
    /// A refresh token is exchanged for its successor.
    RefreshSession,
    /// A session is ended.
    EndSession,
    /// A person's own factors are added, shown and removed; their session is replaced.
    ManageFactors,
    /// A program asks to be let in by somebody's word.
    RequestDeviceLogin,
    /// Somebody says whether it is, and it picks up its session.
    RedeemDeviceLogin,
    /// A person gives themselves another address.
    ChangeAddress,
    /// A person goes, with all that they have.
    DeleteAccount,
    /// An operator looks at a person, keeps them out, lets them in again.
    ManagePeople,
    /// Whose API key is this?
    AuthenticateKey,
    /// What does this invitation's token offer?
    LookUpInvitation,
    /// Kept answers older than a day go.
    ExpireReplays,
    /// Partitions are made ahead and dropped behind.
    PartitionUpkeep,
    /// Is the database there, and is it migrated?
    CheckReadiness,
    /// The cell's id and the name of its logs are fixed, once.
    EstablishCell,
    /// Staged entries are numbered, linked and committed to.
    SequenceLedger,
    /// What a customer's program records is numbered in the request's own transaction.
    RecordEvents,
    /// Heads become checkpoints.
    SignLedger,
    /// A workspace's ledger keys are shown to whoever asks.
    PublishLedgerKeys,
    /// Checkpoints become daily roots.
    PublishDailyRoots,
    /// The manifest of an hour is made.
    PublishManifest,
    /// A log's line of a manifest is shown.
    ShowManifest,
    /// Which receipt does this link show?
    OpenReceiptShare,
    /// Logs that have gone on since their customers' buckets were written are found, and how far those are is written down.
    StreamLogs,
    /// Logs are written to the operator's own store.
    PublishLogs,
    /// Witnesses are asked to cosign the cell's checkpoints.
    AskWitnesses,
    /// A log gets another key.
    RotateLedgerKey,
    /// Every log is checked against rows, links, roots and journal.
    VerifyLedger,
    /// An operator has a frozen log signed again.
    UnfreezeLedger,
    /// A restored log goes on in another generation.
    OpenGeneration,
    /// Entries that are older than a log's retention go.
    PruneLedger,
    /// What changed is read into the node's memory, and how far that went is told.
    FollowFeed,
    /// Changes that every node has read go.
    ExpireChanges,
    /// When keys were last used is written down, many at a time.
    NoteKeyUses,
    /// Which of the operator's services is asking?
    AuthenticateService,
    /// The operator makes, lists and revokes the credentials of services.
    ManageServices,
    /// Jobs are claimed and ended.
    RunJobs,
    /// What comes again and again is enqueued when it is time.
    ScheduleJobs,
    /// An operator looks at jobs, retries or discards them.
    ManageJobs,
    /// Data keys are fetched or made, and their uses counted.
    OpenVault,
    /// Data keys are wrapped anew, get successors, and what they seal is sealed anew.
    RotateVault,
    /// What a person or a workspace left is made unreadable.
    Shred,
    /// Rows that grant something are looked at, vouched for under a newer key, and fenced.
    VouchForRows,
    /// What was found that should not be is written down, shown and seen to.
    RaiseAlerts,
    /// A node reads the server's own secrets.
    OpenServerSecrets,
    /// The server's own secrets get successors, and what has ended is destroyed.
    RotateServerSecrets,
}

impl OperationalPath {
    /// All of them, in the order of the documentation.
    pub const ALL: [Self; 49] = [
        Self::RequestSignIn,
        Self::RedeemSignIn,
        Self::SignInByPasskey,
        Self::AuthenticateSession,
        Self::RefreshSession,
        Self::EndSession,
        Self::ManageFactors,
        Self::RequestDeviceLogin,
        Self::RedeemDeviceLogin,
        Self::ChangeAddress,
        Self::DeleteAccount,
        Self::ManagePeople,
        Self::AuthenticateKey,
        Self::LookUpInvitation,
        Self::ExpireReplays,
        Self::PartitionUpkeep,
        Self::CheckReadiness,
        Self::EstablishCell,
        Self::SequenceLedger,
        Self::RecordEvents,
        Self::SignLedger,
        Self::PublishLedgerKeys,
        Self::PublishDailyRoots,
        Self::PublishManifest,
        Self::ShowManifest,
        Self::OpenReceiptShare,
        Self::AskWitnesses,
        Self::StreamLogs,
        Self::PublishLogs,
        Self::RotateLedgerKey,
        Self::VerifyLedger,
        Self::UnfreezeLedger,
        Self::OpenGeneration,
        Self::PruneLedger,
        Self::FollowFeed,
        Self::ExpireChanges,
        Self::NoteKeyUses,
        Self::AuthenticateService,
        Self::ManageServices,
        Self::RunJobs,
        Self::ScheduleJobs,
        Self::ManageJobs,
        Self::OpenVault,
        Self::RotateVault,
        Self::Shred,
        Self::VouchForRows,
        Self::RaiseAlerts,
        Self::OpenServerSecrets,
        Self::RotateServerSecrets,
    ];

    /// The word in `app.operational_path`, in the policies and in the metric's label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RequestSignIn => "request_sign_in",
            Self::RedeemSignIn => "redeem_sign_in",
            Self::SignInByPasskey => "sign_in_by_passkey",
            Self::AuthenticateSession => "authenticate_session",
            Self::RefreshSession => "refresh_session",
            Self::EndSession => "end_session",
            Self::ManageFactors => "manage_factors",
            Self::RequestDeviceLogin => "request_device_login",
            Self::RedeemDeviceLogin => "redeem_device_login",
            Self::ChangeAddress => "change_address",
            Self::DeleteAccount => "delete_account",
            Self::ManagePeople => "manage_people",
            Self::AuthenticateKey => "authenticate_key",
            Self::LookUpInvitation => "look_up_invitation",
            Self::ExpireReplays => "expire_replays",
            Self::PartitionUpkeep => "partition_upkeep",
            Self::CheckReadiness => "check_readiness",
            Self::EstablishCell => "establish_cell",
            Self::SequenceLedger => "sequence_ledger",
            Self::RecordEvents => "record_events",
            Self::SignLedger => "sign_ledger",
            Self::PublishLedgerKeys => "publish_ledger_keys",
            Self::PublishDailyRoots => "publish_daily_roots",
            Self::PublishManifest => "publish_manifest",
            Self::ShowManifest => "show_manifest",
            Self::OpenReceiptShare => "open_receipt_share",
            Self::StreamLogs => "stream_logs",
            Self::PublishLogs => "publish_logs",
            Self::AskWitnesses => "ask_witnesses",
            Self::RotateLedgerKey => "rotate_ledger_key",
            Self::VerifyLedger => "verify_ledger",
            Self::UnfreezeLedger => "unfreeze_ledger",
            Self::OpenGeneration => "open_generation",
            Self::PruneLedger => "prune_ledger",
            Self::FollowFeed => "follow_feed",
            Self::ExpireChanges => "expire_changes",
            Self::NoteKeyUses => "note_key_uses",
            Self::AuthenticateService => "authenticate_service",
            Self::ManageServices => "manage_services",
            Self::RunJobs => "run_jobs",
            Self::ScheduleJobs => "schedule_jobs",
            Self::ManageJobs => "manage_jobs",
            Self::OpenVault => "open_vault",
            Self::RotateVault => "rotate_vault",
            Self::Shred => "shred",
            Self::VouchForRows => "vouch_for_rows",
            Self::RaiseAlerts => "raise_alerts",
            Self::OpenServerSecrets => "open_server_secrets",
            Self::RotateServerSecrets => "rotate_server_secrets",
        }
    }

    /// Why it exists, for the documentation.
    #[must_use]
    pub const fn purpose(self) -> &'static str {
        match self {
            Self::RequestSignIn => {
                "keeps the digest of a challenge before anybody is known, counts the mails to its address, and sends one to the address \
                 as it is stored"
            }
            Self::RedeemSignIn => "finds a challenge by its digest, finds or makes the person, opens a session",
            Self::SignInByPasskey => {
                "keeps a challenge before anybody is known and takes it back once, finds the passkey that answers it, opens a session, \
                 or tells the passkey's person that it was refused"
            }
            Self::AuthenticateSession => "asks whether an access token's session is neither ended nor expired",
            Self::RefreshSession => {
                "exchanges a refresh token for its successor, or ends the sessions of a replayed one and tells its person by mail"
            }
            Self::EndSession => "ends a session at sign-out, or all of its person",
            Self::ManageFactors => {
                "adds, checks and removes what a person signs in with beside the mail, and puts another session in the place of theirs"
            }
            Self::RequestDeviceLogin => "keeps the digests of a login that a program asked for",
            Self::RedeemDeviceLogin => {
                "shows what asks under a code, writes down what a person decides, and opens the session when the program picks it up"
            }
            Self::ChangeAddress => {
                "sends codes to a person's address and to the one that they want, gives it to them when both came back, and voids \
                 sign-ins that were asked for with the old one"
            }
            Self::DeleteAccount => {
                "ends a person's memberships in all workspaces, their invitations and their sessions, and takes their address away; \
                 nothing if a workspace would be without an owner"
            }
            Self::ManagePeople => "shows an operator a person, suspends them with all their sessions, restores them",
            Self::AuthenticateKey => "finds an API key by its public index, when memory cannot tell",
            Self::LookUpInvitation => {
                "finds an invitation by the digest of its token, with the workspace's name and the address of whoever invites; changes nothing"
            }
            Self::ExpireReplays => {
                "drops answers that were kept for a retry and second steps of sign-ins that are a day old, successors of refresh tokens after a minute, counts \
                 of mails when they count no more, and challenges to passkeys that nobody came back with"
            }
            Self::PartitionUpkeep => "calls the one SECURITY DEFINER function, `partition_upkeep()`",
            Self::CheckReadiness => "asks whether the database answers and is migrated",
            Self::EstablishCell => {
                "fixes the cell's id and the name of its logs when it is made, and reads them afterwards"
            }
            Self::SequenceLedger => "takes staged entries in order, gives each its place and link, and moves the head",
            Self::RecordEvents => {
                "numbers the events of a customer's own in the request's transaction, after what is staged in their log; \
                 within the one workspace and environment that the request was granted"
            }
            Self::SignLedger => "signs the roots of logs that have grown, after the journal has them",
            Self::PublishLedgerKeys => "shows the public keys and the daily roots of one workspace's logs",
            Self::PublishDailyRoots => {
                "signs each log's newest checkpoint as a JWS once a day, and drops those of long ago"
            }
            Self::PublishManifest => {
                "writes one line for each log into the manifest of the hour, with an entry of its root in the cell's log, and drops \
                 manifests of long ago"
            }
            Self::ShowManifest => {
                "reads what it takes to check a manifest: its entry in the cell's log, that log's hashes and cosigned checkpoints, and \
                 nothing else of it"
            }
            Self::OpenReceiptShare => {
                "finds the link to a receipt by the digest of its token, and counts that it was shown"
            }
            Self::AskWitnesses => {
                "sends the cell's newest checkpoint to witnesses, keeps what they sign and how it stands with them"
            }
            Self::StreamLogs => {
                "finds logs that have gone on since their customers' buckets were written, hands each to a job of its workspace, and \
                 writes down how far the bucket is"
            }
            Self::PublishLogs => {
                "reads what is published of every log, hashes, entries without what opens them and checkpoints, to write it to the operator's store"
            }
            Self::RotateLedgerKey => "gives a log another key, with an entry that says so",
            Self::VerifyLedger => "reads every log to check it; writes nothing",
            Self::OpenGeneration => {
                "closes what a restore has left of a log and begins its next generation, with an entry that cites both"
            }
            Self::UnfreezeLedger => "leaves the entry of an operator who has a frozen log signed again",
            Self::PruneLedger => {
                "deletes entries that are older than their log's retention, after an entry that says so, unless a legal hold is open"
            }
            Self::FollowFeed => {
                "reads what changed, and the keys and slugs concerned, into the node's memory; tells how far the node has come; \
                 fences a node that is silent"
            }
            Self::ExpireChanges => "drops changes that are an hour old and that every node has read",
            Self::NoteKeyUses => "writes down when keys were last used",
            Self::AuthenticateService => "finds the credential of a service of the operator's by its digest",
            Self::ManageServices => "makes, lists and revokes the credentials of the operator's services",
            Self::RunJobs => "claims jobs of all lanes, renews their leases, ends them, and counts what waits",
            Self::ScheduleJobs => "enqueues what comes again and again when its time has come, once in the cell",
            Self::ManageJobs => "shows an operator what waits and what was given up; tries it again or discards it",
            Self::OpenVault => "fetches the wrapped data keys of one owner, makes the first, counts their uses ahead",
            Self::RotateVault => {
                "wraps data keys under another KEK, gives them successors, and seals anew what older ones sealed"
            }
            Self::Shred => "takes a workspace's data keys away, or what is left of a person who is erased",
            Self::VouchForRows => {
                "looks at every row that grants something, vouches anew for what an older key vouched for, and fences what \
                 the ledger does not know"
            }
            Self::RaiseAlerts => "writes down what was found that should not be, and what an operator has seen to",
            Self::OpenServerSecrets => "reads the sealed key that signs access tokens, and the way to the mail server",
            Self::RotateServerSecrets => {
                "gives the server's own secrets successors, and destroys those that have ended"
            }
        }
    }

    /// Whether it serves a request within the workspace and environment of its authority, and reaches nothing without.
    #[must_use]
    pub const fn is_within_a_workspace(self) -> bool {
        matches!(self, Self::RecordEvents)
    }
}
