//! The one place that draws random bytes: the operating system's generator, through aws-lc.

use std::cell::RefCell;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use time::OffsetDateTime;
use uuid::Uuid;

/// Random bytes of a request's ids: of a `UUIDv7`, of its trace, and of our part in it.
const OF_REQUEST: usize = 10 + 16 + 8;
/// So many requests' are drawn together: a draw costs more than many an answer.
const REQUESTS: usize = 32;

thread_local! {
    /// Drawn ahead. What is drawn here is shown to everybody; nothing secret is drawn ahead.
    static OF_REQUESTS: RefCell<Vec<[u8; OF_REQUEST]>> = const { RefCell::new(Vec::new()) };
}

/// A source of randomness, handed to whoever makes ids, tokens or nonces.
#[derive(Clone, Debug)]
pub struct Entropy(Source);

#[derive(Clone, Debug)]
enum Source {
    System(SystemRandom),
    /// The same bytes each time, for golden files.
    #[cfg(test)]
    Counted(std::sync::Arc<std::sync::atomic::AtomicU8>),
}

impl Entropy {
    /// The operating system's generator.
    #[must_use]
    pub fn system() -> Self {
        Self(Source::System(SystemRandom::new()))
    }

    /// The first draw is of bytes 1, the second of bytes 2, and so on.
    #[cfg(test)]
    pub(crate) fn counted() -> Self {
        Self(Source::Counted(std::sync::Arc::default()))
    }

    /// `N` uniform bytes.
    ///
    /// # Panics
    /// When the operating system has no randomness to give: nothing that follows could be secret.
    #[must_use]
    #[expect(clippy::expect_used, reason = "without randomness no token may be made, and no caller could mend it")]
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        match &self.0 {
            Source::System(system) => system.fill(&mut bytes).expect("the operating system gives randomness"),
            #[cfg(test)]
            Source::Counted(draws) => bytes.fill(1 + draws.fetch_add(1, std::sync::atomic::Ordering::Relaxed)),
        }
        bytes
    }

    /// A request's id (a `UUIDv7` of that moment), 16 bytes for its trace and 8 for our part in it.
    #[must_use]
    pub fn request_ids(&self, at: OffsetDateTime) -> (Uuid, [u8; 16], [u8; 8]) {
        let [id @ .., a, b, c, d, e, f, g, h] = self.of_request();
        let (mut uuid, mut trace) = ([0; 10], [0; 16]);
        uuid.copy_from_slice(&id[..10]);
        trace.copy_from_slice(&id[10..]);
        (uuid_v7(at, &uuid), trace, [a, b, c, d, e, f, g, h])
    }

    fn of_request(&self) -> [u8; OF_REQUEST] {
        OF_REQUESTS.with_borrow_mut(|ahead| {
            if ahead.is_empty() {
                let drawn = self.bytes::<{ OF_REQUEST * REQUESTS }>();
                ahead.extend_from_slice(drawn.as_chunks::<OF_REQUEST>().0);
            }
            ahead.pop().unwrap_or_else(|| self.bytes())
        })
    }

    /// A `UUIDv7` (RFC 9562, section 5.7) of that moment; ids sort by it.
    #[must_use]
    pub fn uuid_v7(&self, at: OffsetDateTime) -> Uuid {
        uuid_v7(at, &self.bytes())
    }
}

fn uuid_v7(at: OffsetDateTime, random: &[u8; 10]) -> Uuid {
    let unix_ms = u64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or_default();
    uuid::Builder::from_unix_timestamp_millis(unix_ms, random).into_uuid()
}
