//! Who belongs to a workspace, with which role; who is invited; how a membership changes and ends.
//!
//! # Invariants
//! - A workspace has an owner, always: whoever would take the last one away is refused, also of two at once.
//! - Who belongs to a workspace is its owners' to say, of persons who signed in a moment ago. No key says it.
//! - A membership that ends keeps its row and its version, and shows nothing of its person any more.
//! - An answer to a removal, a leaving or another role comes when no node decides by what was before.
//! - There is no environment here: what changes stands in the log of live.

pub mod http;
pub mod invitations;
mod mail;
pub mod mfa;
mod model;
mod names;
mod ops;
pub mod page;
mod sql;

pub use invitations::{CreateInvitation, Invitation};
pub use mail::MailMember;
pub use mfa::{ChangeWorkspaceSecurity, WorkspaceSecurity};
pub use model::{ChangeRole, LeaveWorkspace, Member, TransferWorkspace};
pub(crate) use names::Names;
pub use sql::{addresses, get, list};
