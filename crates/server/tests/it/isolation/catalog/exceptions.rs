//! Every deliberate exception to the rules, with its reason. Whoever adds a line here has made a decision.

use bailiwick_server::db::OperationalPath;

/// Tables that belong to the cell and not to a workspace. Nothing of a tenant's stands in them.
const CELL_TABLES: [(&str, &str); 23] = [
    ("cell_facts", "what was fixed when the cell was made"),
    ("ledger_manifests", "one for all logs of the cell, and tells a root and a count"),
    ("ledger_manifest_hashes", "hashes of lines of all logs, which tell nobody whose they are"),
    ("ledger_cosignatures", "what witnesses said of the cell's log"),
    ("ledger_witnesses", "how it stands with the witnesses of the cell's log"),
    ("feed_nodes", "a node serves all workspaces"),
    ("job_schedules", "what the server does again and again, for nobody in particular"),
    ("users", "a person, who may belong to several workspaces"),
    ("sessions", "a person's"),
    ("refresh_tokens", "a person's"),
    ("sign_in_challenges", "made before anybody is known"),
    ("sign_in_mail_budgets", "counted before anybody is known"),
    ("passkeys", "a person's"),
    ("passkey_ceremonies", "kept before anybody is known"),
    ("authenticators", "a person's"),
    ("factor_holders", "a person's"),
    ("second_steps", "a person's, before they are signed in"),
    ("device_logins", "asked for before anybody is known"),
    ("address_changes", "a person's"),
    ("cell_ledger_staged", "account events and failed sign-ins go to the cell's own log"),
    ("account_idempotency_records", "a person's, before the workspace exists"),
    ("internal_credentials", "the operator's own services"),
    ("server_secrets", "the server's own"),
];

/// Tenant tables whose rows belong to the workspace as a whole.
const WITHOUT_ENVIRONMENT: [(&str, &str); 7] = [
    ("vault_deks", "a workspace has one line of keys, for both environments"),
    ("vault_subjects", "a person is one in both environments"),
    ("workspaces", "the workspace itself"),
    ("memberships", "people belong to both environments"),
    ("invitations", "so do those who are invited"),
    ("alerts", "what was found in rows of either environment; no tenant reads it"),
    ("feed_changes", "tells ids alone, to nodes, of whatever a workspace has; no tenant reads it"),
];

/// Tables with an environment whose rows no project can own.
const WITHOUT_PROJECT: [(&str, &str); 14] = [
    ("ledger_retention", "a log is kept as a whole"),
    ("legal_holds", "a hold is on the whole log; no key that is confined to a project sees any"),
    ("ledger_cuts", "a cut is of the whole log, and tells a number and a hash"),
    ("audit_actions", "the words of all projects; no key that is confined to one is shown any"),
    ("audit_streams", "a log is one for all projects, and goes to one bucket; no key that is confined to one sees any"),
    ("erasures", "an erasure reaches all projects; no key that is confined to one sees any"),
    ("idempotency_records", "an answer belongs to the principal who asked, whose id stands in the key"),
    ("ledger_generations", "what is left of a closed generation is of the whole log"),
    ("ledger_heads", "a log is one for all projects, and tells its size and hashes alone"),
    ("ledger_hashes", "hashes tell nothing, and a proof needs those of all projects"),
    ("ledger_keys", "a log has one key"),
    ("ledger_checkpoints", "a checkpoint is of the whole log"),
    ("ledger_manifest_lines", "a line is of the whole log"),
    ("ledger_daily_roots", "a root is of the whole log"),
];

/// Columns that hold a digest or a sealed secret, and who may read them all the same: `role table.column`.
const READABLE_SECRETS: [(&str, &str); 49] = [
    ("bailiwick_runtime ledger_openings.ip_sealed", "as above"),
    ("bailiwick_runtime ledger_openings.meta_sealed", "as above"),
    ("bailiwick_runtime ledger_openings.target_sealed", "as above"),
    ("bailiwick_system idempotency_records.reply_sealed", "seals anew under a newer key"),
    ("bailiwick_system idempotency_records.key_digest", "finds the row to be sealed anew"),
    (
        "bailiwick_system idempotency_records.request_digest",
        "tells another request under the same key, within its workspace",
    ),
    ("bailiwick_system account_idempotency_records.reply_sealed", "seals anew under a newer key"),
    ("bailiwick_system account_idempotency_records.key_digest", "finds the row to be sealed anew"),
    ("bailiwick_system ledger_openings.actor_sealed", "seals anew, and verifies"),
    ("bailiwick_system ledger_openings.ip_sealed", "as above"),
    ("bailiwick_system ledger_openings.meta_sealed", "as above"),
    ("bailiwick_system ledger_openings.target_sealed", "as above"),
    ("bailiwick_system vault_subjects.name_sealed", "seals anew under a newer key"),
    ("bailiwick_runtime ledger_openings.actor_sealed", "shows a log to its own workspace, which alone can open it"),
    ("bailiwick_system ledger_keys.seed_sealed", "signs checkpoints"),
    ("bailiwick_system server_secrets.value_sealed", "signs access tokens, sends mail"),
    ("bailiwick_system job_payloads.payload_sealed", "runs jobs"),
    ("bailiwick_runtime idempotency_records.key_digest", "finds the answer to a retry"),
    ("bailiwick_runtime idempotency_records.request_digest", "tells another request under the same key"),
    ("bailiwick_runtime idempotency_records.reply_sealed", "replays the answer"),
    ("bailiwick_runtime audit_streams.settings_sealed", "writes to the customer's bucket"),
    ("bailiwick_system audit_streams.settings_sealed", "seals it under a newer key"),
    ("bailiwick_runtime secret_versions.value_sealed", "reveals a secret"),
    ("bailiwick_system secret_versions.value_sealed", "seals it under a newer key"),
    ("bailiwick_runtime account_idempotency_records.key_digest", "as above"),
    ("bailiwick_runtime account_idempotency_records.request_digest", "as above"),
    ("bailiwick_runtime account_idempotency_records.reply_sealed", "as above"),
    ("bailiwick_system api_keys.digest", "authenticates a key"),
    ("bailiwick_system internal_credentials.digest", "authenticates a service"),
    ("bailiwick_system receipt_shares.digest", "finds a link to a receipt"),
    ("bailiwick_runtime audit_filters.actor_sealed", "shows a filter to whoever saved it, or to all of its workspace"),
    ("bailiwick_runtime audit_filters.target_sealed", "as above"),
    ("bailiwick_system audit_filters.actor_sealed", "seals anew under a newer key"),
    ("bailiwick_system audit_filters.target_sealed", "as above"),
    (
        "bailiwick_runtime invitations.token_digest",
        "compares it once more when it is taken, and vouches for what it becomes",
    ),
    ("bailiwick_system invitations.token_digest", "finds an invitation"),
    ("bailiwick_system passkeys.credential_sealed", "checks what a passkey has signed"),
    ("bailiwick_system passkey_ceremonies.state_sealed", "holds an answer against what was asked"),
    ("bailiwick_system authenticators.secret_sealed", "computes what an authenticator shows"),
    ("bailiwick_system second_steps.token_digest", "knows who made the first step"),
    ("bailiwick_system refresh_tokens.digest", "finds a refresh token"),
    ("bailiwick_system refresh_tokens.successor_sealed", "answers the losers of a parallel refresh"),
    ("bailiwick_system device_logins.device_digest", "knows a program's code"),
    ("bailiwick_system device_logins.code_digest", "finds a login by the person's code"),
    ("bailiwick_system address_changes.old_code_digest", "knows the code that went to the one address"),
    ("bailiwick_system address_changes.new_code_digest", "and the one that went to the other"),
    ("bailiwick_system sign_in_challenges.challenge_digest", "redeems a sign-in"),
    ("bailiwick_system sign_in_challenges.token_digest", "redeems a sign-in"),
    ("bailiwick_system sign_in_challenges.code_digest", "redeems a sign-in"),
];

/// A policy of the serving role that is no wall of a tenant's.
pub(super) struct Opening {
    pub(super) table: &'static str,
    pub(super) policy: &'static str,
    /// `r` for SELECT, `*` for all, as in `pg_policy.polcmd`.
    pub(super) command: char,
    /// Exactly what it lets through, as `pg_get_expr` prints it; the same for what may be written.
    pub(super) lets_through: &'static str,
}

/// A person's own rows in an `AccountTx`, and the names of the members of the workspace at hand.
pub(super) const OPENINGS: [Opening; 8] = [
    Opening {
        table: "users",
        policy: "account_self",
        command: 'r',
        lets_through: r#"(id = ( SELECT (NULLIF(current_setting('app.user_id'::text, true), ''::text))::uuid AS "nullif"))"#,
    },
    Opening {
        table: "memberships",
        policy: "account_memberships",
        command: 'r',
        lets_through: r#"((user_id = ( SELECT (NULLIF(current_setting('app.user_id'::text, true), ''::text))::uuid AS "nullif")) AND (ended_at IS NULL))"#,
    },
    Opening {
        table: "workspaces",
        policy: "account_workspaces",
        command: 'r',
        lets_through: r#"(EXISTS ( SELECT FROM memberships m WHERE ((m.workspace_id = workspaces.workspace_id) AND (m.ended_at IS NULL) AND (m.user_id = ( SELECT (NULLIF(current_setting('app.user_id'::text, true), ''::text))::uuid AS "nullif")))))"#,
    },
    Opening {
        table: "account_idempotency_records",
        policy: "account_rows",
        command: '*',
        lets_through: r#"(user_id = ( SELECT (NULLIF(current_setting('app.user_id'::text, true), ''::text))::uuid AS "nullif"))"#,
    },
    Opening {
        table: "sessions",
        policy: "account_sessions",
        command: 'r',
        lets_through: r#"(user_id = ( SELECT (NULLIF(current_setting('app.user_id'::text, true), ''::text))::uuid AS "nullif"))"#,
    },
    Opening {
        table: "passkeys",
        policy: "account_passkeys",
        command: 'r',
        lets_through: r#"(user_id = ( SELECT (NULLIF(current_setting('app.user_id'::text, true), ''::text))::uuid AS "nullif"))"#,
    },
    Opening {
        table: "refresh_tokens",
        policy: "account_refresh_tokens",
        command: 'r',
        lets_through: r#"(EXISTS ( SELECT FROM sessions s WHERE ((s.id = refresh_tokens.session_id) AND (s.user_id = ( SELECT (NULLIF(current_setting('app.user_id'::text, true), ''::text))::uuid AS "nullif")))))"#,
    },
    Opening {
        table: "users",
        policy: "tenant_members",
        command: 'r',
        lets_through: r#"(EXISTS ( SELECT FROM memberships m WHERE ((m.user_id = users.id) AND (m.ended_at IS NULL) AND (m.workspace_id = ( SELECT (NULLIF(current_setting('app.workspace_id'::text, true), ''::text))::uuid AS "nullif")))))"#,
    },
];

fn names(list: &[(&'static str, &'static str)]) -> Vec<&'static str> {
    list.iter().map(|(name, _why)| *name).collect()
}

pub(super) fn cell_tables() -> Vec<&'static str> {
    names(&CELL_TABLES)
}

pub(super) fn without_environment() -> Vec<&'static str> {
    names(&WITHOUT_ENVIRONMENT)
}

pub(super) fn without_project() -> Vec<&'static str> {
    names(&WITHOUT_PROJECT)
}

pub(super) fn readable_secrets() -> Vec<&'static str> {
    names(&READABLE_SECRETS)
}

/// The comments by which an index of a table may cross tenants, as `table: comment`: under an operational path that
/// reaches the table, or in an `AccountTx` that does.
pub(super) fn crossing_comments() -> Vec<String> {
    let by_path = OperationalPath::ALL.into_iter().flat_map(|path| {
        let comment = move |table| format!("{table}: crosses tenants: operational path {}", path.as_str());
        path.reaches().iter().map(move |(table, _)| comment(table))
    });
    let accounts = OPENINGS.iter().filter(|opening| opening.policy.starts_with("account_"));
    by_path.chain(accounts.map(|opening| format!("{}: crosses tenants: account transactions", opening.table))).collect()
}
