//! Whoever has the cell's keys vouches for rows that a test has written by hand, with an entry as for any other change.

use bailiwick_proof::log::Log;
use bailiwick_server::authz::Notary;
use bailiwick_server::authz::vouched::Kind;
use bailiwick_server::authz::vouched::stamp::Stamped;
use bailiwick_server::authz::vouched::standing::{self, At, Standing};
use bailiwick_server::clock::Clock;
use bailiwick_server::context::RequestContext;
use bailiwick_server::db::{Db, OperationalPath};
use bailiwick_server::entropy::Entropy;
use bailiwick_server::ledger::{self, Action, Entry};
use time::OffsetDateTime;

use super::cluster::TestDatabase;

/// A notary of this cell.
pub async fn notary(database: &TestDatabase, db: &Db) -> Notary {
    Notary::open(&super::vault::vault(database, db).await).await.unwrap()
}

/// Every row of a kind, as it stands there.
pub async fn standing(db: &Db, kind: Kind) -> Vec<Standing> {
    let (mut all, mut after) = (Vec::new(), At::default());
    loop {
        let page = standing::page(db, kind, &after, OffsetDateTime::UNIX_EPOCH).await.unwrap();
        let Some(last) = page.last() else { return all };
        after = last.at.clone();
        all.extend(page);
    }
}

/// Vouches for every row that stands there and for which nobody does, whoever wrote it.
pub async fn vouch_for_all(db: &Db, notary: &Notary) {
    for kind in Kind::ALL {
        let rows = standing(db, kind).await;
        let signed = rows.iter().map(|row| (row, notary.sign_meaning(kind, &row.meaning)));
        let anew: Vec<_> = signed.filter(|(row, mac)| row.mac != *mac).collect();
        if anew.is_empty() {
            continue;
        }
        let mut tx = db.system_tx(OperationalPath::VouchForRows).await.unwrap();
        assert_eq!(standing::put(&mut tx, kind, &anew).await.unwrap(), anew.len() as u64);
        let stamps = anew.iter().map(|(row, _)| Stamped::standing(kind, row).signed(notary));
        let entry = Entry::about(Action::AlertResolved, "").changing(stamps);
        let (clock, entropy) = (Clock::system(), Entropy::system());
        let context = RequestContext::internal(&clock, &entropy);
        let recorded = ledger::stage_by_system(&mut tx, &entropy, &context, Log::Cell, &entry).await.unwrap();
        tx.commit(recorded).await.unwrap();
    }
}
