//! The anchor store: what it promises, in a folder and in a bucket.

mod bucket;
mod folder;
mod journal;
mod killed;
mod promises;
