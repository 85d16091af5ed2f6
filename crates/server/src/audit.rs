//! The audit log, as customers see their ledger: events, receipts, checkpoints, and events of their own.
//!
//! # Invariants
//! - What was answered before a list, a receipt or a checkpoint is asked for is covered by it: asking numbers what is
//!   staged first.
//! - A customer's own event cannot look like one of ours: namespaces of ours are refused, and who recorded an event
//!   is committed to beside what they say.
//! - Only registered actions are recorded, since their words can never be erased.
//! - Whoever takes openings out, or reads one event's, leaves an entry first.
//! - Nothing is handed out as proof that did not verify here.
//!
//! A principal that is confined to a project sees the events of that project. Checkpoints and proofs, which tell
//! nothing but hashes, are of the whole log.

pub mod actions;
mod export;
pub mod filters;
pub mod http;
pub mod log;
pub mod model;
pub mod ops;
pub mod page;
pub mod published;
mod reading;
mod search;
pub mod shares;
mod sql;
pub mod stream;

pub use actions::{RegisterAction, RegisteredAction, RegisteredActions};
pub use export::ExportEvents;
pub use filters::{SaveFilter, SavedFilter, SavedFilters};
pub use http::{EventQuery, page as events};
pub use model::{
    AuditEvent, AuditEventDetail, BODY_BYTES, RecordEvent, RecordEvents, RecordedEvent, RecordedEvents, Subject,
};
pub use reading::Readings;
pub use shares::{CreatedReceiptShare, ReceiptShare, ShareReceipt};
pub use stream::{FindBehind, PublishLogs, Publisher, SetStream, Stream, StreamLog, Streams};
