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
use bailiwick_server::reconciliation::{Look, Reconciler};
use bailiwick_server::vault::Alerts;
use time::OffsetDateTime;

use super::app::TestApp;
use super::cluster::TestDatabase;

/// A notary of this cell.
pub async fn notary(database: &TestDatabase, db: &Db) -> Notary {
    Notary::open(&super::vault::vault(database, db).await).await.unwrap()
}

/// Holds every row that grants something against the ledger, once the ledger has all that was done.
///
/// The server's own look comes every half minute: what a test put there is `fenced` by this one, or `unvouched` since that.
pub async fn look(app: &TestApp) -> Look {
    look_and_raise(app).await.0
}

/// [`look`], with what it raises.
pub async fn look_and_raise(app: &TestApp) -> (Look, Alerts) {
    app.numbered().await;
    let (vault, ledger) = (app.vault().await, super::vault::ledger(&app.database, &app.db).await.unwrap());
    let (notary, alerts) = (Notary::open(&vault).await.unwrap(), vault.alerts().clone());
    let reconciler =
        Reconciler::new(app.db.clone(), notary, ledger, alerts.clone(), Clock::system(), Entropy::system());
    (reconciler.look().await.unwrap(), alerts)
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
