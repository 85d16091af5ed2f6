//! Who belongs to a workspace, with which role.

pub mod http;
mod model;
//PAGE pub mod page;
mod sql;

pub use model::Member;
pub use sql::list;
