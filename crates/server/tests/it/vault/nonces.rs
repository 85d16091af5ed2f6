//! No two seals share a nonce.

use bailiwick_server::vault::{JOB_PAYLOAD, Place, RowId};

use super::keeper::{Cell, Keeper, LONG, workspace};
use crate::harness::run_dir::variable;

/// Of the test command; `cargo xtask test --seals 10000000` asks for more.
const SEALS: u32 = 1 << 18;
/// Where the nonce stands in an envelope.
const NONCE: std::ops::Range<usize> = 25..37;

#[tokio::test]
async fn nonces_never_repeat() {
    let seals = variable("BAILIWICK_SEALS").map_or(SEALS, |count| count.to_str().unwrap().parse().unwrap());
    let cell = Cell::by(&Keeper::Local).await;
    let row = RowId::new().text("a");
    let place = Place { column: &JOB_PAYLOAD, row: row.as_bytes(), subject: None };
    let mut nonces: Vec<[u8; 12]> = Vec::with_capacity(seals.try_into().unwrap());
    // By several processes, none of which knows of the others' nonces.
    for _ in 0..4 {
        let vault = cell.vault(LONG).await;
        let mut sealer = vault.sealer(workspace(1), seals / 4).await.unwrap();
        for _ in 0..seals / 4 {
            nonces.push(sealer.seal(&place, b"").unwrap()[NONCE].try_into().unwrap());
        }
    }
    nonces.sort_unstable();
    assert!(nonces.windows(2).all(|pair| pair[0] != pair[1]));
    // And they are no counter that a restart would wind back: each bit is set in about half of them.
    let half = nonces.len() / 2;
    for bit in 0..96 {
        let set = nonces.iter().filter(|nonce| nonce[bit / 8] >> (bit % 8) & 1 == 1).count();
        assert!(set.abs_diff(half) < half / 20, "bit {bit}: {set} of {}", nonces.len());
    }
}
