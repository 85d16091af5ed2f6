//! `/internal`: what the operator's own services ask, and who of them may.

mod credentials;
mod forward_auth;
mod listener;
mod nginx;
mod shortcut;
mod verify;
