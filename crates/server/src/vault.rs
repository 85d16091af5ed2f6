//! Everything sensitive is sealed before it reaches a statement, with its place, under keys that rotate.
//!
//! ```text
//! KEK            local file | Vault or OpenBao transit            wraps data keys, and nothing smaller
//!  └ data key    one line for each workspace, one for the cell    wrapped, in the database; bound to the anchor store
//!     ├ seal     for each label of the registry                   HKDF; with the subject's key where somebody can be erased
//!     ├ index    for each label that is looked up                 HMAC
//!     └ row MAC  for each kind of row that grants something       HMAC, the cell's
//! ```
//!
//! Envelopes stand in [`envelope`](self), what is sealed in [`COLUMNS`], formats for others in
//! `docs/reference/vault-formats.md`, and what each attacker can still do in `docs/explanation/vault.md`.
//!
//! # Invariants
//! - Nothing sealed opens at another place: owner, label and row are bound into it.
//! - A data key is never in the database but wrapped, and a workspace's never without what the anchor store has of it.
//! - Uses of a key are counted in the database before they are made.
//! - Nothing is decrypted under a key that was not the one: every failure is a [`VaultError`], and tampering an [`Alert`].
//! - Keys serve from memory for a stated time; after it nothing opens without the key service.

mod alerts;
mod anchored;
mod column;
mod envelope;
mod error;
mod fetch;
#[cfg(test)]
mod golden;
mod kek;
mod keys;
mod mac;
mod numbers;
mod plaintext;
mod reseal;
mod ring;
mod rotate;
mod sealer;
mod shred;
mod slot;
mod sql;

pub use alerts::{Alert, Alerts};
pub use column::{
    AUDIT_FILTER_ACTOR, AUDIT_FILTER_TARGET, AUDIT_STREAM, AUTHENTICATOR, COLUMNS, Column, FOUNDERS_REPLAY, Index,
    JOB_PAYLOAD, LEDGER_KEY, NEW_KEY, OPENING_ACTOR, OPENING_IP, OPENING_META, OPENING_TARGET, OwnedBy, PASSKEY,
    PASSKEY_CEREMONY, REFRESH_SUCCESSOR, REPLAY, RowId, SECRET, SERVER_SECRET, SUBJECT_NAME, Stand,
};
pub use error::VaultError;
pub use kek::{Kek, KekError, Keks, LocalFile, LocalFileError, Transit};
pub use keys::{Keys, Place};
pub use mac::{MAC_BYTES, Meaning, RowKeys};
pub use numbers::{free_numbers, give_numbers, lock_numbers};
pub use plaintext::Plaintext;
pub use reseal::Resealed;
pub use ring::{MOST_USES, Owner, Parts, Vault};
pub use rotate::{KEY_AGE, Rewrapped, Status};
pub use sealer::Sealer;
pub use shred::Clearing;
