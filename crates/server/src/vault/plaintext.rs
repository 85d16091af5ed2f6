//! What was opened, wiped when nobody needs it any more.

use std::fmt;
use std::ops::Deref;

use zeroize::{ZeroizeOnDrop, optimization_barrier};

use super::error::VaultError;

/// Opened bytes. They are wiped a word at a time, where `Zeroizing` takes a byte: for a kilobyte that is as dear as
/// deciphering it.
pub struct Plaintext(Vec<u8>);

impl Plaintext {
    /// Deciphers bytes where they stand; `open` answers how many of them, from the first, are the plaintext.
    pub(super) fn open_in(
        bytes: Vec<u8>,
        open: impl FnOnce(&mut [u8]) -> Result<usize, VaultError>,
    ) -> Result<Self, VaultError> {
        let mut opened = Self(bytes);
        let length = open(&mut opened.0)?;
        // What is cut off is the tag, which is no secret.
        opened.0.truncate(length);
        Ok(opened)
    }
}

impl From<Vec<u8>> for Plaintext {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl Deref for Plaintext {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Plaintext {
    fn drop(&mut self) {
        self.0.fill(0);
        optimization_barrier(self.0.as_slice());
    }
}

impl ZeroizeOnDrop for Plaintext {}

impl fmt::Debug for Plaintext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Plaintext({} bytes, [redacted])", self.0.len())
    }
}
