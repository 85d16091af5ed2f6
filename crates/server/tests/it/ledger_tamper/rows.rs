//! Single rows are changed, taken away, moved and put in.

use bailiwick_proof::commitment::{Field, Opening};
use bailiwick_proof::merkle::{Frontier, Hash, leaf_hash};
use bailiwick_proof::receipt::Receipt;
use secrecy::ExposeSecret;

use super::kept::{BEFORE, Kept, SIZE};
use crate::harness::openings::retell;
use crate::harness::process::bailiwickd;

const OF: &str = "workspace_id = $1 AND environment = 'live'";

/// What the server's own check, the receipt of an event and the offline verifier say.
struct Said<'a> {
    /// The first bad entry.
    seq: u64,
    /// A word of the reason.
    why: &'a str,
    /// The event whose receipt is asked for, by its number, and the bad entry that the answer names.
    receipt_of: u64,
    names: u64,
    /// Whether a receipt can be made all the same.
    made: bool,
}

/// With actor and target opened, or with nothing.
#[derive(Clone, Copy)]
enum Asking {
    Opened,
    Bare,
}

async fn is_found(kept: &Kept, said: Said<'_>) {
    // A receipt that opens something leaves an entry, which some of these logs have no place for any more.
    is_found_by(kept, said, Asking::Bare).await;
}

async fn is_found_by(kept: &Kept, said: Said<'_>, asking: Asking) {
    let report = kept.report().await;
    let first = report.damages.first().unwrap_or_else(|| panic!("nothing was found: {report:?}"));
    assert_eq!(first.seq, Some(said.seq), "{report:?}");
    assert!(first.what.contains(said.why), "{} in {report:?}", said.why);

    let event = &kept.events[usize::try_from(said.receipt_of - BEFORE).unwrap()];
    let answer = match asking {
        Asking::Opened => kept.recorder.opened_receipt(event).await,
        Asking::Bare => kept.recorder.receipt(event).await,
    };
    assert_eq!(answer.problem(), (409, "ledger_mismatch".into()), "{}", answer.text);
    let body = answer.json();
    assert_eq!(body["seq"], said.names, "{body}");
    assert_eq!(body["receipt"].is_string(), said.made, "{body}");
    if let Some(text) = body["receipt"].as_str() {
        if let Ok(receipt) = text.parse::<Receipt>() {
            let refused = receipt.verify(&kept.keys).unwrap_err();
            assert_eq!(refused.seq(), Some(said.names), "{refused}");
        }
        let run = kept.verify_offline(text).await;
        assert_eq!(run.code, 6, "{}{}", run.stdout, run.stderr);
        assert!(run.stderr.contains(&said.names.to_string()), "{}", run.stderr);
    }
    kept.still_holds();
}

/// What a receipt says of an entry that nobody touched.
async fn is_proved(kept: &Kept, seq: u64) {
    let answer = kept.recorder.receipt(&kept.events[usize::try_from(seq - BEFORE).unwrap()]).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.text.parse::<Receipt>().unwrap().verify(&kept.keys).unwrap();
    let run = kept.verify_offline(&answer.text).await;
    assert_eq!(run.code, 0, "{}", run.stderr);
}

#[tokio::test]
async fn a_changed_byte() {
    let kept = Kept::new().await;
    // Still an entry, another action; still JSON, no entry; no JSON; no text.
    let changes = [
        ("overlay(entry PLACING 'k'::bytea FROM position('invoice.paid'::bytea IN entry) + 3)", true),
        ("overlay(entry PLACING '~'::bytea FROM position('invoice.paid'::bytea IN entry) + 3)", true),
        ("set_byte(entry, 0, 91)", true),
        ("set_byte(entry, 20, 255)", false),
    ];
    for (change, made) in changes {
        let before: Vec<u8> = entry(&kept, 4).await;
        kept.change(&[&format!("UPDATE ledger_entries SET entry = {change} WHERE {OF} AND seq = 4")]).await;
        is_found(&kept, Said { seq: 4, why: "entry 4", receipt_of: 4, names: 4, made }).await;
        is_proved(&kept, 5).await;
        sqlx::query(
            "UPDATE ledger_entries SET entry = $2 WHERE workspace_id = $1 AND environment = 'live' AND seq = 4",
        )
        .bind(kept.recorder.uuid())
        .bind(before)
        .execute(&kept.app.database.owner)
        .await
        .unwrap();
        assert!(kept.report().await.damages.is_empty(), "as before");
    }
}

/// Every byte of an entry, one after the other: no change goes unseen, and each names the entry.
#[tokio::test]
async fn any_changed_byte_of_any_entry() {
    let kept = Kept::new().await;
    for seq in 0..SIZE {
        let length = entry(&kept, seq).await.len();
        // Every byte of one entry, and a few of the others.
        let step = if seq == 3 { 7 } else { length / 2 };
        for at in (0..length).step_by(step) {
            let flip = format!(
                "UPDATE ledger_entries SET entry = set_byte(entry, {at}, get_byte(entry, {at}) # 1) WHERE {OF} AND seq = {seq}"
            );
            kept.change(&[&flip]).await;
            let report = kept.report().await;
            assert_eq!(report.damages[0].seq, Some(seq), "byte {at}: {report:?}");
            kept.change(&[&flip]).await;
        }
    }
    assert!(kept.report().await.damages.is_empty());
}

async fn entry(kept: &Kept, seq: u64) -> Vec<u8> {
    sqlx::query_scalar("SELECT entry FROM ledger_entries WHERE workspace_id = $1 AND environment = 'live' AND seq = $2")
        .bind(kept.recorder.uuid())
        .bind(i64::try_from(seq).unwrap())
        .fetch_one(&kept.app.database.owner)
        .await
        .unwrap()
}

/// The stored leaf hash goes with the changed entry: the link of the next one does not.
#[tokio::test]
async fn a_changed_entry_with_its_hash() {
    let kept = Kept::new().await;
    kept.change(&[
        &format!(
            "UPDATE ledger_entries SET entry = overlay(entry PLACING 'k'::bytea FROM position('invoice.paid'::bytea IN entry) + 3)
             WHERE {OF} AND seq = 4"
        ),
        &format!("UPDATE ledger_entries SET action = convert_from(substring(entry FROM 12 FOR 12), 'UTF8') WHERE {OF} AND seq = 4"),
    ])
    .await;
    let leaf = leaf_hash(&entry(&kept, 4).await);
    set_leaf(&kept, 4, &leaf).await;
    is_found(&kept, Said { seq: 4, why: "entry 4", receipt_of: 4, names: 4, made: true }).await;
}

/// Writes a stored leaf over.
async fn set_leaf(kept: &Kept, seq: u64, leaf: &Hash) {
    let done = sqlx::query(
        "UPDATE ledger_hashes SET hashes = overlay(hashes PLACING $3 FROM 1 + 32 * ($2 - start)::int)
         WHERE workspace_id = $1 AND environment = 'live' AND tile_level = 0 AND start <= $2
             AND start + octet_length(hashes) / 32 > $2",
    )
    .bind(kept.recorder.uuid())
    .bind(i64::try_from(seq).unwrap())
    .bind(leaf.as_bytes().as_slice())
    .execute(&kept.app.database.owner)
    .await
    .unwrap();
    assert_eq!(done.rows_affected(), 1);
}

#[tokio::test]
async fn a_changed_column_or_opening() {
    for (change, why) in [
        ("UPDATE ledger_entries SET action = 'invoice.lost'", "columns beside it"),
        ("UPDATE ledger_entries SET recorded_at = recorded_at - interval '1 day'", "columns beside it"),
        ("UPDATE ledger_openings SET actor_sealed = meta_sealed", "does not open"),
        ("UPDATE ledger_openings SET meta_sealed = substr(meta_sealed, 1, 40)", "does not open"),
        (
            "UPDATE ledger_openings SET target_sealed = set_byte(target_sealed, 50, get_byte(target_sealed, 50) # 1)",
            "does not open",
        ),
        ("UPDATE ledger_openings SET actor_subject = actor_subject + 1", "does not open"),
        ("UPDATE ledger_openings SET ip_sealed = NULL", "has lost an opening"),
    ] {
        let kept = Kept::new().await;
        kept.change(&[&format!("{change} WHERE {OF} AND seq = 4")]).await;
        let report = kept.report().await;
        let first = &report.damages[0];
        assert!(first.seq == Some(4) && first.what.contains(why), "{change}: {report:?}");
    }
}

type Change = fn(&mut Opening);

/// Somebody with the database and the server's keys seals something else.
#[tokio::test]
async fn an_opening_that_tells_something_else() {
    let changes: [(Field, Change); 3] = [
        (Field::Actor, |opening| opening.value = "customer-43".to_owned()),
        (Field::Meta, |opening| opening.value = opening.value.replace("1999", "9991")),
        (Field::Target, |opening| opening.r[0] ^= 1),
    ];
    for (field, change) in changes {
        let kept = Kept::new().await;
        retell(&kept.app, kept.recorder.uuid(), 4, field, change).await;
        // Actor and target are opened in the receipt, meta is not: without it nothing in the receipt is wrong.
        let made = field != Field::Meta;
        let said = Said { seq: 4, why: "opening", receipt_of: 4, names: 4, made };
        is_found_by(&kept, said, Asking::Opened).await;
        let path = format!("/audit/events/{}/receipt?open=actor,meta,target", kept.events[2].id);
        let opened = kept.recorder.get(&path).await;
        let run = kept.verify_offline(&opened.text_of("receipt")).await;
        assert_eq!(run.code, 6, "{}", run.stderr);
    }
}

#[tokio::test]
async fn a_row_gone_from_the_middle() {
    let kept = Kept::new().await;
    kept.change(&[&format!("DELETE FROM ledger_entries WHERE {OF} AND seq = 4")]).await;
    is_found(&kept, Said { seq: 4, why: "is missing", receipt_of: 4, names: 4, made: false }).await;
    is_proved(&kept, 3).await;
    kept.change(&[&format!("DELETE FROM ledger_entries WHERE {OF} AND seq = 5")]).await;
    is_found(&kept, Said { seq: 4, why: "is missing", receipt_of: 5, names: 4, made: false }).await;

    // An event that never was is not there, and nothing more is said.
    let never = kept.recorder.get("/audit/events/evt_01h455vb4pex5vsknk084sn02q/receipt").await;
    assert_eq!(never.problem(), (404, "not_found".into()));
}

#[tokio::test]
async fn two_rows_swapped() {
    let kept = Kept::new().await;
    let moved = |from: u64, to: u64| format!("UPDATE ledger_entries SET seq = {to} WHERE {OF} AND seq = {from}");
    kept.change(&[&moved(4, 1_000), &moved(6, 4), &moved(1_000, 6)]).await;
    is_found(&kept, Said { seq: 4, why: "entry 4", receipt_of: 6, names: 4, made: true }).await;
    is_found(&kept, Said { seq: 4, why: "entry 4", receipt_of: 4, names: 6, made: true }).await;
    is_proved(&kept, 5).await;
}

#[tokio::test]
async fn a_row_put_in() {
    let columns = "workspace_id, environment, project_id, generation, action, recorded_at, entry";
    let insert = |seq: u64, like: u64| {
        format!(
            "INSERT INTO ledger_entries ({columns}, seq, event_id) SELECT {columns}, {seq}, gen_random_uuid()
             FROM ledger_entries WHERE {OF} AND seq = {like}"
        )
    };
    let kept = Kept::new().await;
    kept.change(&[
        &format!("UPDATE ledger_entries SET seq = seq + 1000 WHERE {OF} AND seq > 4"),
        &format!("UPDATE ledger_entries SET seq = seq - 999 WHERE {OF} AND seq > 1000"),
        &insert(5, 4),
    ])
    .await;
    is_found(&kept, Said { seq: 5, why: "entry 5", receipt_of: 5, names: 6, made: true }).await;
    is_proved(&kept, 4).await;

    let kept = Kept::new().await;
    kept.change(&[&insert(SIZE, 4)]).await;
    let report = kept.report().await;
    assert_eq!(report.damages[0].seq, Some(SIZE), "{report:?}");
}

#[tokio::test]
async fn the_last_row_gone() {
    let kept = Kept::new().await;
    let last = SIZE - 1;
    kept.change(&[&format!("DELETE FROM ledger_entries WHERE {OF} AND seq = {last}")]).await;
    is_found(&kept, Said { seq: last, why: "is missing", receipt_of: last, names: last, made: false }).await;
    is_proved(&kept, 4).await;
}

/// The head is wound back to where it was before the last entry, hashes and all.
async fn wind_back(kept: &Kept, size: u64) {
    let mut frontier = Frontier::new();
    let mut last = Hash::ZERO;
    for seq in 0..size {
        last = leaf_hash(&entry(kept, seq).await);
        frontier.push(last, |_, _| {});
    }
    kept.change(&[
        &format!("DELETE FROM ledger_entries WHERE {OF} AND seq >= {size}"),
        &format!("DELETE FROM ledger_openings WHERE {OF} AND seq >= {size}"),
        &format!("DELETE FROM ledger_hashes WHERE {OF} AND start >= {size}"),
    ])
    .await;
    let done = sqlx::query(
        "UPDATE ledger_heads SET size = $2, last_leaf = $3, frontier = $4 WHERE workspace_id = $1 AND environment = 'live'",
    )
    .bind(kept.recorder.uuid())
    .bind(i64::try_from(size).unwrap())
    .bind(last.as_bytes().as_slice())
    .bind(frontier.to_bytes())
    .execute(&kept.app.database.owner)
    .await
    .unwrap();
    assert_eq!(done.rows_affected(), 1);
}

#[tokio::test]
async fn the_last_row_gone_and_the_head_wound_back() {
    let kept = Kept::new().await;
    let last = SIZE - 1;
    wind_back(&kept, last).await;
    is_found(&kept, Said { seq: last, why: "is missing", receipt_of: last, names: last, made: false }).await;
    refuses_to_go_on(&kept).await;
}

#[tokio::test]
async fn the_last_row_gone_with_head_and_checkpoints() {
    let kept = Kept::new().await;
    let last = SIZE - 1;
    wind_back(&kept, last).await;
    kept.change(&[&format!("DELETE FROM ledger_checkpoints WHERE {OF}")]).await;
    is_found(&kept, Said { seq: last, why: "the journal covers", receipt_of: last, names: last, made: false }).await;
    refuses_to_go_on(&kept).await;
    let answer = kept.recorder.get("/audit/checkpoint").await;
    assert_eq!(answer.problem(), (503, "ledger_frozen".into()), "nothing smaller is signed");
}

/// Neither this node nor one that starts later appends or signs.
async fn refuses_to_go_on(kept: &Kept) {
    let answer = kept.recorder.try_record("one-more").await.unwrap();
    assert_eq!(answer.problem(), (503, "ledger_frozen".into()));
    let signed = signed_sizes(kept).await;
    let run = serve(kept).await;
    assert_eq!(run.0, Some(1), "{}", run.1);
    assert!(
        run.1.contains("is behind the journal") && run.1.contains(&kept.checkpoint.unverified().origin),
        "{}",
        run.1
    );
    assert_eq!(signed_sizes(kept).await, signed, "nothing was signed meanwhile");
}

async fn signed_sizes(kept: &Kept) -> Vec<i64> {
    sqlx::query_scalar("SELECT size FROM ledger_checkpoints WHERE workspace_id = $1 ORDER BY size")
        .bind(kept.recorder.uuid())
        .fetch_all(&kept.app.database.owner)
        .await
        .unwrap()
}

async fn serve(kept: &Kept) -> (Option<i32>, String) {
    let output = crate::harness::node::command(&kept.app).output().await.unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[tokio::test]
async fn a_whole_log_gone() {
    for with_keys in [false, true] {
        let kept = Kept::new().await;
        let mut tables =
            vec!["ledger_entries", "ledger_openings", "ledger_hashes", "ledger_checkpoints", "ledger_heads"];
        tables.extend(with_keys.then_some("ledger_keys"));
        let statements: Vec<String> = tables.iter().map(|table| format!("DELETE FROM {table} WHERE {OF}")).collect();
        kept.change(&statements.iter().map(String::as_str).collect::<Vec<_>>()).await;
        is_found(&kept, Said { seq: 0, why: "", receipt_of: BEFORE, names: 0, made: false }).await;
        let answer = kept.recorder.try_record("one-more").await.unwrap();
        assert!(answer.status.is_server_error(), "{}", answer.text);
        let answer = kept.recorder.get("/audit/checkpoint").await;
        assert!(!answer.status.is_success(), "{}", answer.text);
        assert_eq!(signed_sizes(&kept).await.iter().filter(|size| **size > 0).count(), 0, "nothing was signed anew");
        let (code, said) = serve(&kept).await;
        assert!(code == Some(1) && said.contains("is behind the journal"), "{said}");
    }
}

/// The commands tell the same, by their exit codes and by line.
#[tokio::test]
async fn the_command_names_the_log_and_the_entry() {
    let kept = Kept::new().await;
    let verify = async || {
        let mut command = bailiwickd(["ledger", "verify", "--all"]);
        command
            .env("BAILIWICK_DATABASE_RUNTIME_URL", kept.app.database.urls.runtime.expose_secret())
            .env("BAILIWICK_DATABASE_SYSTEM_URL", kept.app.database.urls.system.expose_secret())
            .env("BAILIWICK_ANCHOR_DIR", &kept.app.database.anchor_dir);
        let output = command.output().await.unwrap();
        (
            output.status.code().unwrap(),
            String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr),
        )
    };
    let (code, told) = verify().await;
    assert_eq!(code, 0, "{told}");
    kept.change(&[&format!("UPDATE ledger_entries SET entry = set_byte(entry, 30, 32) WHERE {OF} AND seq = 6")]).await;
    let (code, told) = verify().await;
    assert_eq!(code, 6, "{told}");
    let bad: Vec<&str> = told.lines().filter(|line| line.starts_with("BAD")).collect();
    let origin = &kept.checkpoint.unverified().origin;
    assert!(bad.len() == 1 && bad[0].contains(&format!("{origin}  first bad seq 6: entry 6: ")), "{told}");
}
