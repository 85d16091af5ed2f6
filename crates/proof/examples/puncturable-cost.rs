//! What puncturable keys cost: `cargo run --release -p bailiwick-proof --example puncturable-cost`.
//!
//! Ten thousand erasures in one workspace must keep the state below 12 MB, which a test holds, and an open below 50 µs, which
//! depends on the machine and is printed here: medians and the worst of each.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "it runs on a developer's machine and fails where it stands"
)]

use std::time::{Duration, Instant};

use bailiwick_proof::puncturable::PuncturableKey;

const ERASURES: u32 = 10_000;
/// Odd, so that multiples of it are scattered over all 2^32 numbers and none comes twice.
const SCATTER: u32 = 0x9e37_79b1;

fn main() {
    report("a new workspace", &mut PuncturableKey::from_seed(&[7; 32]), |n| n);
    for (name, number) in
        [("scattered", (|n: u32| n.wrapping_mul(SCATTER)) as fn(u32) -> u32), ("one after the other", |n| n)]
    {
        let mut state = PuncturableKey::from_seed(&[7; 32]);
        let mut punctures: Vec<Duration> = (0..ERASURES).map(|n| timed(|| state.puncture(number(n)))).collect();
        println!("{name}: puncture {}", spread(&mut punctures));
        report(name, &mut state, number);
    }
}

fn report(name: &str, state: &mut PuncturableKey, number: fn(u32) -> u32) {
    let mut opens: Vec<Duration> =
        (ERASURES..2 * ERASURES).map(|n| timed(|| state.derive(number(n)).unwrap())).collect();
    let start = Instant::now();
    let encoded = state.encode();
    let encode = start.elapsed();
    let decode = timed(|| PuncturableKey::decode(&encoded).unwrap());
    println!(
        "{name}: {} punctured, state {} bytes, open {}, encode {encode:?}, decode {decode:?}",
        state.punctured(),
        encoded.len(),
        spread(&mut opens)
    );
}

fn timed<T>(work: impl FnOnce() -> T) -> Duration {
    let start = Instant::now();
    let made = std::hint::black_box(work());
    let took = start.elapsed();
    drop(made);
    took
}

fn spread(times: &mut [Duration]) -> String {
    times.sort_unstable();
    format!(
        "{:?} (99 %: {:?}, worst: {:?})",
        times[times.len() / 2],
        times[times.len() * 99 / 100],
        times[times.len() - 1]
    )
}
