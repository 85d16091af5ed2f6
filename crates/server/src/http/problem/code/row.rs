//! What each code says: the one table.

use super::Code;

impl Code {
    /// The word, the status, the title and the advice of each code: the one table.
    pub(super) const fn row(self) -> (&'static str, u16, &'static str, &'static str) {
        match self {
            Self::InvalidRequest => {
                ("invalid_request", 400, "Invalid request", "Check the request against the API reference.")
            }
            Self::MalformedJson => (
                "malformed_json",
                400,
                "Malformed JSON",
                "Send one JSON value in UTF-8, without doubled keys, without NUL, nested at most 32 deep.",
            ),
            Self::InvalidParameter => (
                "invalid_parameter",
                400,
                "Invalid query parameter",
                "Check the names and values of the query parameters; unknown ones are refused.",
            ),
            Self::InvalidCursor => (
                "invalid_cursor",
                400,
                "Invalid cursor",
                "Pass `next_cursor` of the same list unchanged, or start without one.",
            ),
            Self::InvalidHeader => {
                ("invalid_header", 400, "Invalid header", "Correct the header that the detail names.")
            }
            Self::Unauthenticated => (
                "unauthenticated",
                401,
                "Not signed in",
                "Send `Authorization: Bearer` with an access token or an API key that is known here.",
            ),
            Self::TokenExpired => (
                "token_expired",
                401,
                "The access token has expired",
                "Exchange the refresh token at `POST /auth/refresh`, or sign in again.",
            ),
            Self::SessionEnded => ("session_ended", 401, "The session has ended", "Sign in again."),
            Self::KeyRevoked => {
                ("key_revoked", 401, "The API key was revoked", "Use another key; a revoked one never works again.")
            }
            Self::KeyExpired => ("key_expired", 401, "The API key has expired", "Make a new key."),
            Self::SignInFailed => (
                "sign_in_failed",
                401,
                "The link or code does not sign in",
                "Ask for a new mail: links and codes are valid for 15 minutes, work once, and a code has five tries.",
            ),
            Self::OtherBrowser => (
                "other_browser",
                401,
                "The link was asked for in another browser",
                "Open the link in the browser that asked for it, or type the mail's code there.",
            ),
            Self::AuthorizationPending => (
                "authorization_pending",
                400,
                "Nobody has decided yet",
                "Ask again after `interval` seconds: somebody has to type the code and approve.",
            ),
            Self::SlowDown => {
                ("slow_down", 400, "Asked too early", "Wait five seconds longer between two questions from now on.")
            }
            Self::AccessDenied => (
                "access_denied",
                400,
                "The sign-in was denied",
                "Whoever looked at it said no. Begin anew if that was a mistake.",
            ),
            Self::ExpiredToken => (
                "expired_token",
                400,
                "The code opens nothing",
                "Begin anew at `POST /auth/device`: a code is good for ten minutes, and opens one session.",
            ),
            Self::RefreshTokenInvalid => {
                ("refresh_token_invalid", 401, "The refresh token is not valid", "Sign in again.")
            }
            Self::PasskeyFailed => (
                "passkey_failed",
                403,
                "The passkey was not taken",
                "Ask for a new challenge, which is good once and for five minutes, and answer it in the same browser or session.",
            ),
            Self::PasskeysUnavailable => (
                "passkeys_unavailable",
                409,
                "There are no passkeys at this server",
                "Passkeys belong to a name: whoever runs the server sets `public_url` to one with a host name, not an address.",
            ),
            Self::Forbidden => (
                "forbidden",
                403,
                "Not allowed",
                "Ask an owner of the workspace for the permission that `permission` names.",
            ),
            Self::CrossOrigin => (
                "cross_origin",
                403,
                "Refused from another site",
                "Send the request from this server's own pages, or from a program with a bearer token.",
            ),
            Self::EnvironmentMismatch => (
                "environment_mismatch",
                403,
                "The key belongs to the other environment",
                "Use a key of that environment, or leave the header `Bailiwick-Environment` out.",
            ),
            Self::BeyondOwnAuthority => (
                "beyond_own_authority",
                403,
                "Nobody hands out more than they have",
                "Choose scopes, a project and an environment that the maker has.",
            ),
            Self::AddressNotAllowed => (
                "address_not_allowed",
                403,
                "Not from this address",
                "Use the key from one of the networks that it is confined to, or have its list changed.",
            ),
            Self::WrongAudience => (
                "wrong_audience",
                403,
                "Not for this service",
                "Use a key that is for this service; a service names an audience that its own credential has.",
            ),
            Self::InsufficientScope => {
                ("insufficient_scope", 403, "The key lacks a scope", "Use a key with the scope that `scope` names.")
            }
            Self::NotFound => {
                ("not_found", 404, "Not found", "Check the path and the id; what one may not see is not found either.")
            }
            Self::NoCheckpoint => (
                "no_checkpoint",
                404,
                "No such checkpoint",
                "Name the size of a checkpoint that was handed out; the newest is at `audit/checkpoint`.",
            ),
            Self::NoManifest => (
                "no_manifest",
                404,
                "No such manifest",
                "Manifests are made on the hour and kept for seven days; a log that began since the last one is in the next one.",
            ),
            Self::LedgerMismatch => (
                "ledger_mismatch",
                409,
                "The log is not what was recorded",
                "Keep what you have, your own checkpoints above all, and tell the operator. `seq` is the first bad entry that is known.",
            ),
            Self::LegalHold => (
                "legal_hold",
                409,
                "A legal hold is open",
                "Nothing of the workspace's audit logs is destroyed while one is: an owner releases it first. `legal_hold_id` names it.",
            ),
            Self::RetentionAltered => (
                "retention_altered",
                409,
                "What stands in the database of the log's retention is not what was decided",
                "Nothing is pruned meanwhile. Tell the operator with `request_id`; then open a legal hold, which vouches for what stands there and forgets the setting.",
            ),
            Self::EntryPruned => (
                "entry_pruned",
                410,
                "The log's retention pruned it",
                "Use the receipt or the export that you have of it; hashes and proofs of everything else are there. `event_id` is the entry that says so.",
            ),
            Self::MethodNotAllowed => {
                ("method_not_allowed", 405, "Method not allowed", "Use a method that the header `Allow` names.")
            }
            Self::RequestTimeout => (
                "request_timeout",
                408,
                "The request took too long to arrive",
                "Send the whole body within ten seconds.",
            ),
            Self::AmbiguousSlug => {
                ("ambiguous_slug", 409, "Several workspaces have this slug", "Use one of the ids in `workspaces`.")
            }
            Self::SlugTaken => ("slug_taken", 409, "One of your workspaces has this slug", "Choose another slug."),
            Self::InvitationInvalid => (
                "invitation_invalid",
                404,
                "The invitation offers nothing",
                "Ask whoever invited you for another: an invitation is good for seven days and once, and only its newest mail counts.",
            ),
            Self::InvitationForAnother => (
                "invitation_for_another",
                403,
                "The invitation is for another address",
                "Sign in with the address that was invited. Nothing was used up.",
            ),
            Self::AlreadyMember => {
                ("already_member", 409, "A member already", "Change their role instead; members are at `members`.")
            }
            Self::AlreadyInvited => (
                "already_invited",
                409,
                "The address is invited already",
                "Send the invitation that `invitation_id` names again, or revoke it first.",
            ),
            Self::LastOwner => (
                "last_owner",
                409,
                "The last owner stays one",
                "Make another member an owner first: a workspace has one, always, who is not suspended.",
            ),
            Self::NameTaken => ("name_taken", 409, "The name is in use", "Choose another name."),
            Self::KeyNotActive => (
                "key_not_active",
                409,
                "The API key does not work any more",
                "Make a new key: this one was revoked, or its time is over.",
            ),
            Self::KeyAlreadyRotated => (
                "key_already_rotated",
                409,
                "The API key has a successor",
                "Go on with the successor that `successor_id` names; when this key ends was settled then.",
            ),
            Self::StepUpRequired => (
                "step_up_required",
                403,
                "Sign in again for this",
                "You signed in more than 10 minutes ago: sign in again, then repeat the request.",
            ),
            Self::FactorRequired => (
                "factor_required",
                403,
                "A second factor is required",
                "Send `factor_token` with a code of your authenticator or a recovery code to `POST /auth/factor` within ten minutes.",
            ),
            Self::FactorFailed => (
                "factor_failed",
                403,
                "The code is not good",
                "Type the code that your authenticator shows now: each works once. A recovery code works once as well. After ten \
                 minutes or five tries, sign in from the beginning.",
            ),
            Self::MfaRequired => (
                "mfa_required",
                403,
                "This workspace demands a second factor",
                "Add an authenticator or a passkey to your account, or sign in with the one that you have, then repeat the request.",
            ),
            Self::LastFactor => (
                "last_factor",
                409,
                "A workspace of yours demands a second factor",
                "Add another factor before you remove this one, or leave the workspaces that demand one.",
            ),
            Self::SecretVersionGone => (
                "secret_version_gone",
                409,
                "The version was revoked",
                "Use the newest version; a revoked one is gone and each use of it is counted.",
            ),
            Self::SecretDamaged => (
                "secret_damaged",
                409,
                "The secret is not what was stored",
                "Tell the operator, and entrust the value again: what stands in the database does not open at its place.",
            ),
            Self::RotationOpen => (
                "rotation_open",
                409,
                "A rotation of the secret is under way",
                "Bring the rotation that `rotation_id` names to its end first.",
            ),
            Self::ErasureUnderWay => (
                "erasure_under_way",
                409,
                "The subject is being erased",
                "Wait for the erasure that `erasure_id` names.",
            ),
            Self::SubjectMisplaced => (
                "subject_misplaced",
                409,
                "The subject is known, and nothing stands under its number",
                "Nothing was erased. Tell the operator with `request_id`: somebody has changed the database.",
            ),
            Self::IdempotencyInFlight => (
                "idempotency_in_flight",
                409,
                "The same request is still being worked on",
                "Wait a moment and send it again with the same `Idempotency-Key`.",
            ),
            Self::WorkspaceShredded => (
                "workspace_shredded",
                410,
                "The workspace was shredded",
                "Found another one: what this one held cannot be read again by anybody.",
            ),
            Self::EventTooLarge => ("event_too_large", 413, "The event is too large", "Send `meta` of at most 16 KiB."),
            Self::BodyTooLarge => (
                "body_too_large",
                413,
                "The body is too large",
                "Send less: most bodies have at most 64 KiB, and the reference names those that may have more.",
            ),
            Self::UnsupportedMediaType => {
                ("unsupported_media_type", 415, "Unsupported media type", "Send `Content-Type: application/json`.")
            }
            Self::MisdirectedRequest => (
                "misdirected_request",
                421,
                "Not this server",
                "Use the server's configured address; the operator adds others with `allowed_hosts`.",
            ),
            Self::InvalidBody => {
                ("invalid_body", 422, "Some of the input is not right", "Correct the fields that `errors` names.")
            }
            Self::BatchTooLarge => ("batch_too_large", 422, "Too many at once", "Ask about at most 100 keys at once."),
            Self::ActionReserved => (
                "action_reserved",
                422,
                "The action is reserved",
                "Begin the action with a word of your own product; the words of ours are in the guide to the audit log.",
            ),
            Self::ActionNotRegistered => (
                "action_not_registered",
                422,
                "The action is not registered",
                "Register the action first, in this environment; nothing was recorded. See the guide to the audit log.",
            ),
            Self::IdempotencyKeyReused => (
                "idempotency_key_reused",
                422,
                "The idempotency key came with another request",
                "Use a new `Idempotency-Key` for a new request.",
            ),
            Self::IngestQueueFull => (
                "ingest_queue_full",
                429,
                "Too much waits to be recorded",
                "Nothing was recorded. Send the same request again after the time that `Retry-After` names.",
            ),
            Self::RateLimited => (
                "rate_limited",
                429,
                "Too often",
                "Nothing was done. Try again after the time that `Retry-After` names; `RateLimit-Policy` says how often is not too often.",
            ),
            Self::Internal => (
                "internal",
                500,
                "Something went wrong on our side",
                "Try again, and tell the operator the request id if it stays.",
            ),
            Self::AnchorUnavailable => (
                "anchor_unavailable",
                503,
                "Nothing can be signed right now",
                "What was recorded is recorded and numbered. Ask again after the time that `Retry-After` names.",
            ),
            Self::LedgerFrozen => (
                "ledger_frozen",
                503,
                "The log does not go on",
                "The operator has to look: database and journal disagree. Nothing was recorded.",
            ),
            Self::RevocationUnconfirmed => (
                "revocation_unconfirmed",
                503,
                "Revoked, and not yet confirmed by every node",
                "The revocation is committed. Ask again: the answer comes when no node accepts it any more.",
            ),
            Self::Unavailable => {
                ("unavailable", 503, "Not available right now", "Try again after the time that `Retry-After` names.")
            }
        }
    }
}
