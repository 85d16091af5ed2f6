//! Receipts that are shown to others: a link to one entry's receipt, for people who have no account here and need not trust us.
//!
//! Whoever may share makes a link, says which openings it shows (none unless they say so) and for how long. The link ends
//! with a token of 128 random bits. Its page shows the entry as far as it is opened, and verifies itself in the browser;
//! the receipt can be taken away and verified offline.
//!
//! # Invariants
//! - Of a token the database has the digest alone. What a link shows, until when, and that it was not revoked is vouched for,
//!   and each change of it leaves an entry with a stamp: whoever owns the database makes no link, widens none, and an older
//!   row put back is found and fenced (`reconciliation`).
//! - A link that never was, is over, was revoked, or has nothing left to show is answered by the same page.
//! - What a link shows is read anew each time: an opening whose subject was erased is not there any more, and an entry that
//!   was pruned is not either.
//! - The page says nothing of the workspace but what stands in the entry. Of whoever looks nothing is kept but a count.
//! - The server never says “verified” here: that is for the browser, or for a program that trusts neither.

pub mod http;
mod model;
mod ops;
pub mod page;
pub mod public;
mod sql;
mod witnessed;

pub use model::{CreatedReceiptShare, ReceiptShare, ShareReceipt, ShareToken, SharedField};
