//! Whoever has the cell's keys vouches for rows that a test has written by hand.

use bailiwick_server::authz::Notary;
use bailiwick_server::authz::vouched::Kind;
use bailiwick_server::authz::vouched::standing::{self, At, Standing};
use bailiwick_server::db::{Db, OperationalPath, Unrecorded};

use super::cluster::TestDatabase;

/// A notary of this cell.
pub async fn notary(database: &TestDatabase, db: &Db) -> Notary {
    Notary::open(&super::vault::vault(database, db).await).await.unwrap()
}

/// Every row of a kind, as it stands there.
pub async fn standing(db: &Db, kind: Kind) -> Vec<Standing> {
    let (mut all, mut after) = (Vec::new(), At::default());
    loop {
        let page = standing::page(db, kind, &after).await.unwrap();
        let Some(last) = page.last() else { return all };
        after = last.at.clone();
        all.extend(page);
    }
}

/// Vouches for every row that stands there, whoever wrote it.
pub async fn vouch_for_all(db: &Db, notary: &Notary) {
    for kind in Kind::ALL {
        let rows = standing(db, kind).await;
        let signed: Vec<_> = rows.iter().map(|row| (row, notary.sign_meaning(kind, &row.meaning))).collect();
        let anew: Vec<_> = signed.into_iter().filter(|(row, mac)| row.mac != *mac).collect();
        let mut tx = db.system_tx(OperationalPath::VouchForRows).await.unwrap();
        standing::put(&mut tx, kind, &anew).await.unwrap();
        tx.commit_unrecorded(Unrecorded::Keyed).await.unwrap();
    }
}
