//! The registry of what is sealed: each sealed column once, with the frozen label that it is sealed under.
//!
//! Rotation walks [`COLUMNS`], and a test holds them against the schema: a column whose name ends in `_sealed` and that
//! does not stand here fails it. A label is part of a key's derivation and of the associated data; it does not change
//! when a table is named anew.

use std::fmt::Write as _;

use uuid::Uuid;

/// A kind of sealed thing.
#[derive(Debug, PartialEq, Eq)]
pub struct Column {
    /// What it is, frozen: `<what>/v<number>`.
    pub label: &'static str,
    /// Where it stands in the database; nothing for what stands elsewhere.
    pub stand: Option<Stand>,
}

impl Column {
    /// Its place in [`COLUMNS`].
    pub(super) fn registered(&'static self) -> Option<usize> {
        COLUMNS.iter().position(|column| std::ptr::eq(*column, self))
    }
}

/// Where a sealed column stands.
#[derive(Debug, PartialEq, Eq)]
pub struct Stand {
    /// The table.
    pub table: &'static str,
    /// The column.
    pub column: &'static str,
    /// Whose key seals it.
    pub owner: OwnedBy,
    /// The table's primary key, in its order, each column with its type: from it the row's [`RowId`] is made.
    pub key: &'static [(&'static str, &'static str)],
    /// The column with the number of the subject that can be erased from it.
    pub subject: Option<&'static str>,
    /// The column with its blind index.
    pub index: Option<Index>,
}

/// Whose key seals a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnedBy {
    /// The cell's.
    Cell,
    /// That of the workspace in the row's `workspace_id`; the cell's under the nil uuid.
    Workspace,
}

/// A blind index beside a sealed column.
#[derive(Debug)]
pub struct Index {
    /// Its column.
    pub column: &'static str,
    /// What of the plaintext is looked up.
    pub of: fn(&[u8]) -> &[u8],
}

impl PartialEq for Index {
    fn eq(&self, other: &Self) -> bool {
        self.column == other.column
    }
}

impl Eq for Index {}

/// Which row: its primary key, each part as PostgreSQL writes it as text, with its length before it (u32, big endian).
/// Parts of a workspace's key that the owner says already stand here too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowId(Vec<u8>);

impl RowId {
    /// Of no part yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With a part that is text, or a number in decimal.
    #[must_use]
    pub fn text(mut self, part: &str) -> Self {
        self.0.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        self.0.extend_from_slice(part.as_bytes());
        self
    }

    /// With a part that is a uuid.
    #[must_use]
    pub fn uuid(self, part: Uuid) -> Self {
        let mut text = Uuid::encode_buffer();
        self.text(part.hyphenated().encode_lower(&mut text))
    }

    /// With a part that is bytes.
    #[must_use]
    pub fn bytes(self, part: &[u8]) -> Self {
        let mut text = String::with_capacity(2 + 2 * part.len());
        text.push_str("\\x");
        for byte in part {
            let _infallible = write!(text, "{byte:02x}");
        }
        self.text(&text)
    }

    /// The bytes that a seal is bound to.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

const fn stands(
    table: &'static str,
    column: &'static str,
    owner: OwnedBy,
    key: &'static [(&'static str, &'static str)],
) -> Option<Stand> {
    Some(Stand { table, column, owner, key, subject: None, index: None })
}

/// The answer to a change, kept for a retry.
pub static REPLAY: Column = Column {
    label: "replay/v1",
    stand: stands(
        "idempotency_records",
        "reply_sealed",
        OwnedBy::Workspace,
        &[("workspace_id", "uuid"), ("environment", "text"), ("principal_id", "uuid"), ("key_digest", "bytea")],
    ),
};
/// The same for whoever founds a workspace: theirs, and not yet the workspace's.
pub static FOUNDERS_REPLAY: Column = Column {
    label: "founders-replay/v1",
    stand: stands(
        "account_idempotency_records",
        "reply_sealed",
        OwnedBy::Cell,
        &[("user_id", "uuid"), ("key_digest", "bytea")],
    ),
};
/// The successor of a refresh token, for the losers of a parallel refresh.
pub static REFRESH_SUCCESSOR: Column = Column {
    label: "refresh-successor/v1",
    stand: stands("refresh_tokens", "successor_sealed", OwnedBy::Cell, &[("digest", "bytea")]),
};
/// A new API key, on its way to the one page that shows it, in the browser's keeping.
pub static NEW_KEY: Column = Column { label: "new-key/v1", stand: None };
/// What a job is to do.
pub static JOB_PAYLOAD: Column = Column {
    label: "job-payload/v1",
    stand: stands("job_payloads", "payload_sealed", OwnedBy::Workspace, &[("workspace_id", "uuid"), ("id", "uuid")]),
};
/// The seed of a key that signs checkpoints. The cell's: a log outlives its workspace.
pub static LEDGER_KEY: Column = Column {
    label: "ledger-key/v1",
    stand: stands(
        "ledger_keys",
        "seed_sealed",
        OwnedBy::Cell,
        &[("workspace_id", "uuid"), ("environment", "text"), ("kid", "text")],
    ),
};
/// Who acted, as an entry commits to it.
pub static OPENING_ACTOR: Column =
    opening("ledger-opening-actor/v1", "actor_sealed", "actor_subject", Some("actor_index"));
/// From where.
pub static OPENING_IP: Column = opening("ledger-opening-ip/v1", "ip_sealed", "actor_subject", None);
/// What else was told.
pub static OPENING_META: Column = opening("ledger-opening-meta/v1", "meta_sealed", "meta_subject", None);
/// On what.
pub static OPENING_TARGET: Column =
    opening("ledger-opening-target/v1", "target_sealed", "target_subject", Some("target_index"));
/// By which name a subject is known.
pub static SUBJECT_NAME: Column = Column {
    label: "subject-name/v1",
    stand: Some(Stand {
        table: "vault_subjects",
        column: "name_sealed",
        owner: OwnedBy::Workspace,
        key: &[("workspace_id", "uuid"), ("number", "bigint")],
        subject: Some("number"),
        index: Some(Index { column: "name_index", of: whole }),
    }),
};
/// A version of a secret that a customer entrusted to us: a subject of its own, so that its revocation is for good.
pub static SECRET: Column = Column {
    label: "secret/v2",
    stand: Some(Stand {
        table: "secret_versions",
        column: "value_sealed",
        owner: OwnedBy::Workspace,
        key: &[("workspace_id", "uuid"), ("secret_id", "uuid"), ("version", "integer")],
        subject: Some("subject"),
        index: None,
    }),
};
/// A version of a secret of the server's own.
pub static SERVER_SECRET: Column = Column {
    label: "server-secret/v1",
    stand: stands("server_secrets", "value_sealed", OwnedBy::Cell, &[("purpose", "text"), ("version", "integer")]),
};
/// Where the stream of an audit log goes, with the key of the customer's account.
pub static AUDIT_STREAM: Column = Column {
    label: "audit-stream/v1",
    stand: stands(
        "audit_streams",
        "settings_sealed",
        OwnedBy::Workspace,
        &[("workspace_id", "uuid"), ("environment", "text")],
    ),
};
/// Whose events a saved filter narrows to.
pub static AUDIT_FILTER_ACTOR: Column = filter("audit-filter-actor/v1", "actor_sealed", "actor_subject");
/// What a saved filter narrows to events about.
pub static AUDIT_FILTER_TARGET: Column = filter("audit-filter-target/v1", "target_sealed", "target_subject");
/// The public key of a passkey, with what was said of it when it was registered.
pub static PASSKEY: Column =
    Column { label: "passkey/v1", stand: stands("passkeys", "credential_sealed", OwnedBy::Cell, &[("id", "uuid")]) };
/// What a challenge to a passkey is for.
pub static PASSKEY_CEREMONY: Column = Column {
    label: "passkey-ceremony/v1",
    stand: stands("passkey_ceremonies", "state_sealed", OwnedBy::Cell, &[("id", "uuid")]),
};
/// The secret of an authenticator, from which its codes are computed.
pub static AUTHENTICATOR: Column = Column {
    label: "authenticator/v1",
    stand: stands("authenticators", "secret_sealed", OwnedBy::Cell, &[("id", "uuid")]),
};
/// What a workspace's keys are bound to, in the anchor store.
pub(super) static ANCHORED: Column = Column { label: "anchored/v1", stand: None };

/// All of them.
pub static COLUMNS: [&Column; 20] = [
    &REPLAY,
    &FOUNDERS_REPLAY,
    &REFRESH_SUCCESSOR,
    &NEW_KEY,
    &JOB_PAYLOAD,
    &LEDGER_KEY,
    &OPENING_ACTOR,
    &OPENING_IP,
    &OPENING_META,
    &OPENING_TARGET,
    &SUBJECT_NAME,
    &SECRET,
    &SERVER_SECRET,
    &AUDIT_STREAM,
    &AUDIT_FILTER_ACTOR,
    &AUDIT_FILTER_TARGET,
    &PASSKEY,
    &PASSKEY_CEREMONY,
    &AUTHENTICATOR,
    &ANCHORED,
];

const fn filter(label: &'static str, column: &'static str, subject: &'static str) -> Column {
    let key = &[("workspace_id", "uuid"), ("id", "uuid")];
    let stand =
        Stand { table: "audit_filters", column, owner: OwnedBy::Workspace, key, subject: Some(subject), index: None };
    Column { label, stand: Some(stand) }
}

const fn opening(
    label: &'static str,
    column: &'static str,
    subject: &'static str,
    index: Option<&'static str>,
) -> Column {
    let index = match index {
        Some(column) => Some(Index { column, of: after_nonce }),
        None => None,
    };
    let key = &[("workspace_id", "uuid"), ("environment", "text"), ("generation", "integer"), ("seq", "bigint")];
    let stand =
        Stand { table: "ledger_openings", column, owner: OwnedBy::Workspace, key, subject: Some(subject), index };
    Column { label, stand: Some(stand) }
}

fn whole(plaintext: &[u8]) -> &[u8] {
    plaintext
}

/// An opening is 32 random bytes, then the value.
fn after_nonce(plaintext: &[u8]) -> &[u8] {
    plaintext.get(32..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_label_stands_once() {
        let mut labels: Vec<&str> = COLUMNS.iter().map(|column| column.label).collect();
        labels.sort_unstable();
        labels.dedup();
        assert_eq!(labels.len(), COLUMNS.len());
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(RowId::new().text("ab").text("c"), RowId::new().text("a").text("bc"));
        let id = RowId::new().uuid(Uuid::max()).bytes(&[1, 255]);
        let text = b"\0\0\0\x24ffffffff-ffff-ffff-ffff-ffffffffffff\0\0\0\x06\\x01ff";
        assert_eq!(id.as_bytes(), text);
    }
}
