//! Who belongs to a workspace, with which role.

pub mod http;
mod model;
mod names;
pub mod page;
mod sql;

pub use model::Member;
pub(crate) use names::Names;
pub use sql::list;
