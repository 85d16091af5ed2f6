//! Who belongs to a workspace, with which role.

pub mod http;
mod model;
pub mod page;
mod sql;

pub use model::Member;
pub use sql::list;
