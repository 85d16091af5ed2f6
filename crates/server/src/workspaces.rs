//! Workspaces: the tenants.
//!
//! # Invariants
//! - A workspace begins with its founder as owner, in one transaction under the authority
//!   [`crate::authz::Founding`], whose id was drawn for that very request.
//! - Slugs are names among one's own workspaces and never global: nobody learns of others by trying.

pub mod http;
mod model;
mod ops;
pub mod page;
mod sql;

pub use model::{CreateWorkspace, Workspace};
pub use ops::{CreateError, Created, create, founding, get, list, of_person, slug};
pub(crate) use page::desk;
