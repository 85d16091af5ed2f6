//! Projects: the third, optional wall, inside an environment.

pub mod http;
mod model;
mod ops;
pub mod page;
mod sql;

pub use model::{CreateProject, Project};
pub use ops::{CreateError, create};
pub use sql::list;
