//! The vault: the same suite over both keepers of a KEK, a file and a real OpenBao.

mod away;
mod keeper;
mod load;
mod nonces;
mod places;
mod registry;
mod reseal;
mod restored;
mod rewrap;
mod uses;
