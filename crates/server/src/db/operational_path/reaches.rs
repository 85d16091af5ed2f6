//! What each path reaches, as the policies say it.

use super::OperationalPath;

impl OperationalPath {
    /// The tables that its policies let it reach, with the commands; a test compares this with the catalog.
    #[must_use]
    pub const fn reaches(self) -> &'static [(&'static str, &'static [&'static str])] {
        match self {
            Self::RequestSignIn => &[
                ("cell_ledger_staged", &["INSERT"]),
                ("job_payloads", &["INSERT"]),
                ("jobs_ready", &["INSERT"]),
                ("sign_in_challenges", &["INSERT"]),
                ("sign_in_mail_budgets", &["INSERT", "SELECT", "UPDATE"]),
                ("users", &["SELECT"]),
            ],
            Self::RedeemSignIn => &[
                ("cell_ledger_staged", &["INSERT"]),
                ("refresh_tokens", &["INSERT"]),
                ("sessions", &["INSERT"]),
                ("sign_in_challenges", &["SELECT", "UPDATE"]),
                ("sign_in_mail_budgets", &["SELECT", "UPDATE"]),
                ("users", &["INSERT", "SELECT"]),
            ],
            Self::AuthenticateSession => &[("sessions", &["SELECT"]), ("users", &["SELECT"])],
            Self::RefreshSession => &[
                ("cell_ledger_staged", &["INSERT"]),
                ("feed_changes", &["INSERT"]),
                ("job_payloads", &["INSERT"]),
                ("jobs_ready", &["INSERT"]),
                ("refresh_tokens", &["INSERT", "SELECT", "UPDATE"]),
                ("sessions", &["SELECT", "UPDATE"]),
                ("users", &["SELECT"]),
            ],
            Self::EndSession => &[
                ("cell_ledger_staged", &["INSERT"]),
                ("feed_changes", &["INSERT"]),
                ("refresh_tokens", &["SELECT"]),
                ("sessions", &["SELECT", "UPDATE"]),
            ],
            Self::AuthenticateKey => &[("api_keys", &["SELECT"]), ("workspaces", &["SELECT"])],
            Self::LookUpInvitation => {
                &[("invitations", &["SELECT"]), ("users", &["SELECT"]), ("workspaces", &["SELECT"])]
            }
            Self::ExpireReplays => &[
                ("account_idempotency_records", &["DELETE", "SELECT"]),
                ("idempotency_records", &["DELETE", "SELECT"]),
                ("refresh_tokens", &["SELECT", "UPDATE"]),
                ("sign_in_mail_budgets", &["DELETE", "SELECT"]),
            ],
            Self::PartitionUpkeep | Self::CheckReadiness => &[],
            Self::EstablishCell => &[("cell_facts", &["INSERT", "SELECT"]), ("cell_ledger_staged", &["INSERT"])],
            Self::SequenceLedger => &[
                ("cell_ledger_staged", &["DELETE", "SELECT"]),
                ("ledger_entries", &["INSERT"]),
                ("ledger_hashes", &["INSERT"]),
                ("ledger_heads", &["INSERT", "SELECT", "UPDATE"]),
                ("ledger_keys", &["INSERT", "SELECT"]),
                ("ledger_openings", &["INSERT"]),
                ("ledger_staged", &["DELETE", "SELECT"]),
                ("vault_subjects", &["INSERT", "SELECT"]),
            ],
            Self::RecordEvents => &[
                ("audit_actions", &["SELECT"]),
                ("idempotency_records", &["INSERT", "SELECT"]),
                ("ledger_entries", &["INSERT"]),
                ("ledger_hashes", &["INSERT"]),
                ("ledger_heads", &["SELECT", "UPDATE"]),
                ("ledger_openings", &["INSERT"]),
                ("ledger_staged", &["DELETE", "SELECT"]),
                ("vault_subjects", &["INSERT", "SELECT"]),
            ],
            Self::SignLedger => &[
                ("ledger_checkpoints", &["INSERT", "SELECT", "UPDATE"]),
                ("ledger_hashes", &["SELECT"]),
                ("ledger_heads", &["SELECT"]),
                ("ledger_keys", &["SELECT"]),
            ],
            Self::PublishLedgerKeys => &[("ledger_daily_roots", &["SELECT"]), ("ledger_keys", &["SELECT"])],
            Self::PublishDailyRoots => &[
                ("ledger_daily_roots", &["DELETE", "INSERT", "SELECT"]),
                ("ledger_heads", &["SELECT"]),
                ("ledger_keys", &["SELECT"]),
            ],
            Self::PublishManifest => &[
                ("cell_ledger_staged", &["INSERT"]),
                ("ledger_checkpoints", &["SELECT"]),
                ("ledger_heads", &["SELECT"]),
                ("ledger_keys", &["SELECT"]),
                ("ledger_manifest_hashes", &["DELETE", "INSERT", "SELECT"]),
                ("ledger_manifest_lines", &["DELETE", "INSERT", "SELECT"]),
                ("ledger_manifests", &["DELETE", "INSERT", "SELECT"]),
            ],
            Self::AskWitnesses => &[
                ("ledger_checkpoints", &["SELECT"]),
                ("ledger_cosignatures", &["DELETE", "INSERT", "SELECT"]),
                ("ledger_hashes", &["SELECT"]),
                ("ledger_witnesses", &["INSERT", "SELECT", "UPDATE"]),
            ],
            Self::ShowManifest => &[
                ("ledger_checkpoints", &["SELECT"]),
                ("ledger_cosignatures", &["SELECT"]),
                ("ledger_entries", &["SELECT"]),
                ("ledger_hashes", &["SELECT"]),
                ("ledger_manifest_hashes", &["SELECT"]),
                ("ledger_manifests", &["SELECT"]),
                ("ledger_openings", &["SELECT"]),
            ],
            Self::OpenReceiptShare => &[("receipt_shares", &["SELECT", "UPDATE"])],
            Self::StreamLogs => {
                &[("audit_streams", &["SELECT", "UPDATE"]), ("jobs_ready", &["INSERT"]), ("ledger_heads", &["SELECT"])]
            }
            Self::PublishLogs => &[
                ("ledger_checkpoints", &["SELECT"]),
                ("ledger_entries", &["SELECT"]),
                ("ledger_hashes", &["SELECT"]),
                ("ledger_heads", &["SELECT"]),
            ],
            Self::RotateLedgerKey => &[
                ("cell_ledger_staged", &["INSERT"]),
                ("ledger_heads", &["SELECT"]),
                ("ledger_keys", &["INSERT", "SELECT", "UPDATE"]),
                ("ledger_staged", &["INSERT"]),
            ],
            Self::OpenGeneration => &[
                ("ledger_entries", &["INSERT"]),
                ("ledger_generations", &["INSERT"]),
                ("ledger_hashes", &["INSERT"]),
                ("ledger_heads", &["INSERT", "SELECT", "UPDATE"]),
                ("ledger_keys", &["INSERT", "SELECT", "UPDATE"]),
                ("ledger_openings", &["INSERT"]),
                ("vault_subjects", &["INSERT", "SELECT"]),
            ],
            Self::UnfreezeLedger => &[("cell_ledger_staged", &["INSERT"])],
            Self::VerifyLedger => &[
                ("cell_facts", &["SELECT"]),
                ("cell_ledger_staged", &["SELECT"]),
                ("ledger_checkpoints", &["SELECT"]),
                ("ledger_cuts", &["SELECT"]),
                ("ledger_entries", &["SELECT"]),
                ("ledger_generations", &["SELECT"]),
                ("ledger_hashes", &["SELECT"]),
                ("ledger_heads", &["SELECT"]),
                ("ledger_keys", &["SELECT"]),
                ("ledger_openings", &["SELECT"]),
                ("ledger_staged", &["SELECT"]),
            ],
            Self::PruneLedger => &[
                ("ledger_cuts", &["INSERT", "SELECT", "UPDATE"]),
                ("ledger_entries", &["DELETE", "SELECT"]),
                ("ledger_heads", &["SELECT"]),
                ("ledger_openings", &["DELETE", "SELECT", "UPDATE"]),
                ("ledger_retention", &["SELECT", "UPDATE"]),
                ("ledger_staged", &["INSERT"]),
                ("legal_holds", &["SELECT"]),
            ],
            Self::FollowFeed => &[
                ("api_keys", &["SELECT"]),
                ("feed_changes", &["SELECT"]),
                ("feed_nodes", &["DELETE", "INSERT", "SELECT", "UPDATE"]),
                ("workspaces", &["SELECT"]),
            ],
            Self::ExpireChanges => &[("feed_changes", &["DELETE", "SELECT"]), ("feed_nodes", &["SELECT"])],
            Self::NoteKeyUses => &[("api_key_uses", &["INSERT", "SELECT", "UPDATE"])],
            Self::AuthenticateService => &[("internal_credentials", &["SELECT"])],
            Self::ManageServices => {
                &[("cell_ledger_staged", &["INSERT"]), ("internal_credentials", &["INSERT", "SELECT", "UPDATE"])]
            }
            Self::RunJobs => &[
                ("job_payloads", &["DELETE", "SELECT"]),
                ("jobs_dead", &["DELETE", "INSERT", "SELECT"]),
                ("jobs_ready", &["DELETE", "SELECT", "UPDATE"]),
            ],
            Self::ScheduleJobs => {
                &[("job_schedules", &["INSERT", "SELECT", "UPDATE"]), ("jobs_ready", &["INSERT", "SELECT"])]
            }
            Self::ManageJobs => &[
                ("cell_ledger_staged", &["INSERT"]),
                ("job_payloads", &["DELETE", "SELECT"]),
                ("job_schedules", &["SELECT"]),
                ("jobs_dead", &["DELETE", "SELECT"]),
                ("jobs_ready", &["DELETE", "INSERT", "SELECT", "UPDATE"]),
            ],
            Self::OpenVault => {
                &[("vault_deks", &["INSERT", "SELECT", "UPDATE"]), ("vault_subjects", &["INSERT", "SELECT"])]
            }
            Self::RotateVault => &[
                ("account_idempotency_records", &["SELECT", "UPDATE"]),
                ("audit_filters", &["SELECT", "UPDATE"]),
                ("audit_streams", &["SELECT", "UPDATE"]),
                ("cell_ledger_staged", &["INSERT"]),
                ("idempotency_records", &["SELECT", "UPDATE"]),
                ("job_payloads", &["SELECT", "UPDATE"]),
                ("ledger_keys", &["SELECT", "UPDATE"]),
                ("ledger_openings", &["SELECT", "UPDATE"]),
                ("refresh_tokens", &["SELECT", "UPDATE"]),
                ("secret_versions", &["SELECT", "UPDATE"]),
                ("server_secrets", &["SELECT", "UPDATE"]),
                ("vault_deks", &["SELECT", "UPDATE"]),
                ("vault_subjects", &["SELECT", "UPDATE"]),
            ],
            Self::Shred => &[
                ("audit_filters", &["SELECT", "UPDATE"]),
                ("cell_ledger_staged", &["INSERT"]),
                ("erasures", &["INSERT", "SELECT", "UPDATE"]),
                ("ledger_openings", &["SELECT", "UPDATE"]),
                ("ledger_retention", &["SELECT"]),
                ("ledger_staged", &["INSERT"]),
                ("legal_holds", &["SELECT"]),
                ("vault_deks", &["DELETE", "SELECT"]),
                ("vault_subjects", &["SELECT", "UPDATE"]),
            ],
            Self::VouchForRows => &[
                ("api_keys", &["SELECT", "UPDATE"]),
                ("cell_ledger_staged", &["INSERT"]),
                ("feed_changes", &["INSERT"]),
                ("internal_credentials", &["SELECT", "UPDATE"]),
                ("invitations", &["SELECT", "UPDATE"]),
                ("ledger_retention", &["SELECT", "UPDATE"]),
                ("legal_holds", &["SELECT"]),
                ("memberships", &["SELECT", "UPDATE"]),
                ("receipt_shares", &["SELECT", "UPDATE"]),
                ("refresh_tokens", &["SELECT", "UPDATE"]),
                ("sessions", &["SELECT", "UPDATE"]),
                ("sign_in_challenges", &["SELECT", "UPDATE"]),
                ("users", &["SELECT", "UPDATE"]),
            ],
            Self::RaiseAlerts => &[
                ("alerts", &["INSERT", "SELECT", "UPDATE"]),
                ("cell_ledger_staged", &["INSERT"]),
                ("ledger_staged", &["INSERT"]),
                ("workspaces", &["SELECT"]),
            ],
            Self::OpenServerSecrets => &[("server_secrets", &["SELECT"])],
            Self::RotateServerSecrets => {
                &[("cell_ledger_staged", &["INSERT"]), ("server_secrets", &["INSERT", "SELECT", "UPDATE"])]
            }
        }
    }
}
