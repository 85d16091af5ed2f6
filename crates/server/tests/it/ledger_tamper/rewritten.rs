//! The whole log is written anew, with right hashes, links and head: only what was published before tells.

use bailiwick_proof::consistency::{Pair, PairError};
use bailiwick_proof::entry::Entry;
use bailiwick_proof::merkle::{Frontier, Hash, leaf_hash};

use bailiwick_server::ledger::{LedgerError, Sanction, lost, open_generation};

use super::kept::{Kept, SIZE};
use crate::harness::ledger::{begin, to_restore};
use crate::harness::recorder::Recorder;

/// Gives entry 4 another action, and makes everything that follows from it right.
async fn rewrite(kept: &Kept) {
    let (pool, workspace) = (&kept.app.database.owner, kept.recorder.uuid());
    let mut tx = begin(pool).await;
    let entries: Vec<(i64, Vec<u8>)> = sqlx::query_as(
        "SELECT seq, entry FROM ledger_entries WHERE workspace_id = $1 AND environment = 'live' ORDER BY seq",
    )
    .bind(workspace)
    .fetch_all(&mut *tx)
    .await
    .unwrap();
    let (mut frontier, mut prev, mut leaves) = (Frontier::new(), Hash::ZERO, Vec::new());
    for (seq, bytes) in entries {
        let mut entry = Entry::parse(&bytes).unwrap();
        if seq == 4 {
            entry.action = "invoice.lost".parse().unwrap();
        }
        entry.prev = prev;
        let bytes = entry.to_bytes();
        prev = leaf_hash(&bytes);
        frontier.push(prev, |_, _| {});
        leaves.extend_from_slice(prev.as_bytes());
        sqlx::query(
            "UPDATE ledger_entries SET entry = $3, action = $4 WHERE workspace_id = $1 AND environment = 'live' AND seq = $2",
        )
        .bind(workspace)
        .bind(seq)
        .bind(bytes)
        .bind(entry.action.as_str())
        .execute(&mut *tx)
        .await
        .unwrap();
    }
    sqlx::query("DELETE FROM ledger_hashes WHERE workspace_id = $1 AND environment = 'live'")
        .bind(workspace)
        .execute(&mut *tx)
        .await
        .unwrap();
    sqlx::query(
        "INSERT INTO ledger_hashes (workspace_id, environment, generation, tile_level, start, hashes)
         VALUES ($1, 'live', 1, 0, 0, $2)",
    )
    .bind(workspace)
    .bind(leaves)
    .execute(&mut *tx)
    .await
    .unwrap();
    sqlx::query(
        "UPDATE ledger_heads SET last_leaf = $2, frontier = $3 WHERE workspace_id = $1 AND environment = 'live'",
    )
    .bind(workspace)
    .bind(prev.as_bytes().as_slice())
    .bind(frontier.to_bytes())
    .execute(&mut *tx)
    .await
    .unwrap();
    tx.commit().await.unwrap();
}

const FORGET: &str = "DELETE FROM ledger_checkpoints WHERE workspace_id = $1 AND environment = 'live'";

#[tokio::test]
async fn against_the_stored_checkpoints() {
    let kept = Kept::new().await;
    rewrite(&kept).await;
    let report = kept.report().await;
    assert_eq!(report.good, SIZE, "the entries themselves are in order");
    assert!(report.damages[0].what.contains("has another root at size"), "{report:?}");
    assert!(report.damages.iter().any(|damage| damage.what.contains("the journal")), "{report:?}");

    // What is handed out is still the old root, which the new entries do not make.
    assert_eq!(kept.recorder.checkpoint().await.to_string(), kept.checkpoint.to_string());
    let answer = kept.recorder.receipt(&kept.events[2]).await;
    assert_eq!(answer.problem(), (409, "ledger_mismatch".into()));
    assert_eq!(answer.json()["seq"], 4);
    let run = kept.verify_offline(answer.json()["receipt"].as_str().unwrap()).await;
    assert_eq!(run.code, 6, "{}", run.stderr);
    assert!(run.stderr.contains('4'), "{}", run.stderr);
    kept.still_holds();
}

#[tokio::test]
async fn against_the_journal() {
    let kept = Kept::new().await;
    rewrite(&kept).await;
    kept.change(&[FORGET]).await;
    let report = kept.report().await;
    assert!(report.damages[0].what.contains("the journal has another root at size"), "{report:?}");

    let frozen = (503, "ledger_frozen".to_owned());
    assert_eq!(kept.recorder.get("/audit/checkpoint").await.problem(), frozen);
    assert_eq!(kept.recorder.receipt(&kept.events[2]).await.problem(), frozen);
    let output = crate::harness::node::command(&kept.app).output().await.unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && said.contains("has another root at size"), "{said}");

    // Longer than it was, it is not signed either.
    kept.recorder.try_record("one-more").await.unwrap();
    assert_eq!(kept.recorder.get("/audit/checkpoint").await.problem(), frozen);
    kept.still_holds();
}

/// Whoever holds the database and the anchor store has the server sign what they please, and not unseen.
#[tokio::test]
async fn against_what_the_customer_kept() {
    let mut kept = Kept::new().await;
    rewrite(&kept).await;
    kept.change(&[FORGET]).await;
    // Elsewhere, for the server that still runs goes on with its own.
    kept.app.database.anchor_dir = an_empty_journal(&kept.app.database.anchor_dir);
    let restarted = kept.app.another_node().await;
    let recorder: Recorder = kept.recorder.at(&restarted.url);
    let newer = recorder.checkpoint().await;
    assert_eq!(newer.unverified().size, SIZE);
    let pair = Pair { path: Vec::new(), older: kept.checkpoint.clone(), newer };
    let refused = pair.verify(&kept.keys).unwrap_err();
    assert!(matches!(refused, PairError::TwoRoots { size: SIZE }) && refused.is_misbehaviour(), "{refused}");
    let run = kept.verify_offline(&pair.to_string()).await;
    assert_eq!(run.code, 6, "{}", run.stderr);

    recorder.record("one-more").await;
    recorder.checkpoint().await;
    let answer = recorder.get(&format!("/audit/consistency?from={SIZE}")).await;
    let proved: Pair = answer.text.parse().unwrap();
    let pair = Pair { older: kept.checkpoint.clone(), ..proved };
    assert!(pair.verify(&kept.keys).is_err(), "what was kept is not extended");
    let run = kept.verify_offline(&pair.to_string()).await;
    assert_eq!(run.code, 6, "{}", run.stderr);
    kept.still_holds();
}

/// An anchor store that knows the same cells and keys and nothing of their logs: one without a cell is noticed at the
/// start.
fn an_empty_journal(anchor_dir: &std::path::Path) -> std::path::PathBuf {
    let empty = anchor_dir.with_extension("empty");
    for cell in std::fs::read_dir(anchor_dir).unwrap() {
        let (from, to) = (cell.as_ref().unwrap().path(), empty.join(cell.unwrap().file_name()));
        std::fs::create_dir_all(to.join("vault")).unwrap();
        for keys in std::fs::read_dir(from.join("vault")).unwrap() {
            let name = keys.unwrap().file_name();
            std::fs::copy(from.join("vault").join(&name), to.join("vault").join(&name)).unwrap();
        }
        std::fs::write(to.join("known"), b"").unwrap();
    }
    empty
}

/// Whoever may say that a restore was meant does not thereby have a log taken for restored that was rewritten.
#[tokio::test]
async fn against_what_was_signed_before_a_restore_that_is_said_to_be_meant() {
    let kept = Kept::new().await;
    let ledger = to_restore(&kept.app).await;
    rewrite(&kept).await;
    kept.change(&[FORGET]).await;
    let lost = lost(&ledger).await.unwrap();
    let [lost] = lost.as_slice() else { panic!("{lost:?}") };
    assert_eq!(lost.origin.to_string(), kept.checkpoint.unverified().origin);
    let sanction = Sanction { reason: "a disk failed", is_forked: false };
    let refused = open_generation(&ledger, lost, sanction).await.unwrap_err();
    assert!(matches!(&refused, LedgerError::Altered { what, .. } if what.contains("the journal")), "{refused}");

    // An operator who knows of it says so, and everybody reads it.
    let opened = open_generation(&ledger, lost, Sanction { is_forked: true, ..sanction }).await.unwrap();
    assert_eq!(opened.generation(), 2);
    let page = kept.recorder.get("/audit/events?action=ledger.generation_opened").await.json();
    let first = kept.recorder.get(&format!("/audit/events/{}", page["data"][0]["id"].as_str().unwrap())).await.json();
    assert_eq!(first["meta"]["forked"], true, "{first}");
}
