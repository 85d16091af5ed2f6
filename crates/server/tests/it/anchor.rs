//! The anchor store: what it promises, in a folder.

mod folder;
mod killed;
mod promises;
