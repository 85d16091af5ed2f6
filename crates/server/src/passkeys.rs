//! Passkeys (`WebAuthn`): a person signs in by what unlocks their device. Nobody has to name an address for it, and the server keeps
//! nothing that signs anybody in.
//!
//! ```text
//! ceremony    a challenge, kept here until somebody comes back with it: once, within five minutes, from the browser or the session
//!             that asked
//! passkey     a credential whose public key is sealed, whose owner, counter and flags are under the row's MAC
//! ```
//!
//! # Invariants
//! - The relying party is the public URL's host, and the only origin is that URL's, by the letter. Where the host is an address
//!   there are no passkeys.
//! - Credentials are discoverable and their person was verified, when they are made and whenever they are used. The user handle is
//!   random, and whoever signs in has to own the credential by it.
//! - A challenge is used up by whoever comes back with it, whatever comes of that; of many at once by one.
//! - Whatever is wrong is answered alike: nothing tells whether a credential, its person or their suspension is known.
//! - A counter that does not go on, and an eligibility for backups that changes, is refused, recorded and told to the passkey's
//!   person. Authenticators without a counter say 0, and that is good.
//! - Whoever owns the database makes no passkey, gives none to another, and brings none back: the MAC is over owner, handle,
//!   credential, counter and end; the key is sealed to its row; a passkey that was removed stays as a row without a key.
//! - The last factor of somebody whose workspace demands one stays.

mod ceremony;
pub mod http;
mod model;
mod ops;
pub mod page;
mod party;
mod register;
mod sql;

pub use model::{
    Passkey, PasskeyChallenge, PasskeyRefusal, Passkeys, RegisterPasskey, RegisteredPasskey, RenamePasskey, ShowPasskey,
};
pub use ops::Bench;
pub use party::RelyingParty;
pub use register::{holds, remove_all};
