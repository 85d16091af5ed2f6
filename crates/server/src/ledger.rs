//! What happened, and the proof of it: one log for each environment of a workspace, and one for the cell.
//!
//! An entry is *staged* in the transaction of the change (`stage`), then *sequenced* (`sequence`): it gets its number,
//! the hash of the entry before it and commitments to what it tells. What a customer's program tells is sequenced in the
//! transaction of the request itself (`record`), which waits for its turn in a queue (`ingest`). A log's root is *signed* (`sign`) once the journal
//! in the anchor store has it, and entries are *proved* (`prove`) against what was signed. `check` reads everything and
//! believes nothing; `self_check` has that done each night and freezes what is altered; `pulse` tells how far numbering is
//! behind. After a restore that was meant, `generation` lets a log go on under another origin. The formats are those of `bailiwick_proof` (decision 10).
//!
//! # Invariants
//! - [`stage`], [`stage_in_cell`] and [`record`] alone make a [`crate::db::Recorded`], and a writing transaction commits by it: a
//!   change and its entry are there together or not at all.
//! - Actor, request, trace and time come from the transaction, so an entry cannot be attributed to somebody else by
//!   mistake.
//! - Whoever appends holds the lock of the log's head first and reads the staged rows after, so what committed before
//!   another began is numbered before it.
//! - A root is in the journal before it is signed. A database behind the journal is neither appended to nor signed.
//!
//! Staged entries are rows that nothing protects yet, in the clear. Openings are sealed (`openings`).

mod action;
mod cell;
mod check;
mod cut;
mod daily;
mod error;
mod establish;
mod follow;
mod generation;
mod ingest;
mod keys;
mod manifest;
mod openings;
mod place;
mod prove;
mod prune;
mod pulse;
mod reader;
mod record;
mod rows;
mod self_check;
mod sequence;
mod sign;
mod stage;
mod tiles;
mod tree;
mod witnesses;

pub use action::{Action, RESERVED, is_reserved};
pub use cell::{Ledger, Parts};
pub use check::{Damage, LogReport, Report, inspect};
pub use cut::{Cut, cut_of, went_with};
pub use daily::{DailyRoot, daily_roots, make_daily_roots, make_daily_roots_of, newest_daily_roots};
pub use error::LedgerError;
pub use establish::{CellFacts, establish};
pub use follow::{Followed, Follower, Told, staged as staged_rows};
pub use generation::{Lost, Sanction, lost, open_generation};
pub use ingest::{Full, Ingest, Place, Turn};
pub use keys::{logs, published as published_keys, published_of_cell as published_keys_of_cell, rotate as rotate_key};
pub use manifest::show::{ManifestLine, manifest_line, manifest_proof, newest_manifest};
pub use manifest::{publish_manifest, publish_manifest_of};
pub use openings::{OpenedOpenings, SealedOpenings};
pub use prove::{
    Mismatch, ProveError, Stored, consistency, leaves, missing_near, receipt, tail_is_missing, unless_pruned,
};
pub use prune::{
    Survey, Surveyed, cut, delete_some, is_certified, newest_retention, survey, told_retention, unfinished,
};
pub use pulse::Pulse;
pub use reader::LogTx;
pub use record::{Brought, CatchUpError, Numbered, Outcome, ToldEvent, bring, record};
pub use self_check::{Checked, Unfrozen, frozen, self_check, unfreeze};
pub use sign::Signed;
pub use stage::{Entry, OPERATOR, stage, stage_by_system, stage_for, stage_in_cell, stage_in_cell_told, stage_told};
pub use tiles::{next_checkpoint, published_size, read_tile};
pub use witnesses::{WitnessState, cell_checkpoint, cosigners, witness_states};
