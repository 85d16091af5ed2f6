//! Whoever owns the database makes no passkey, moves none and brings none back.

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::{World, challenge, failed, finish, register};
use crate::harness::authenticator::{Authenticator, Lie};
use crate::harness::cluster::options;
use crate::harness::vouch;

#[tokio::test]
async fn who_owns_the_database_makes_no_passkey_moves_none_and_brings_none_back() {
    let mut world = World::with(|device| device.counts = true).await;
    let mallory = world.app.sign_in("mallory@example.com").await;
    let mut theirs = Authenticator::new(&world.app.url);
    assert_eq!(register(&world.app, &mallory, &mut theirs, &Lie::default()).await.status, 201);
    let mut intruder = PgConnection::connect_with(&options(&world.app.database.superuser_url)).await.unwrap();
    // No trigger tells of what they do.
    sqlx::raw_sql("SET session_replication_role = replica").execute(&mut intruder).await.unwrap();
    let mut does = async |sql: &str| {
        let done = sqlx::query(AssertSqlSafe(sql.to_owned())).execute(&mut intruder).await.unwrap();
        assert!(done.rows_affected() >= 1, "{sql}");
    };
    does("CREATE TEMP TABLE before AS SELECT * FROM passkeys").await;
    let restore =
        "UPDATE passkeys p SET user_id = b.user_id, user_handle = b.user_handle, credential_id = b.credential_id,
        credential_sealed = b.credential_sealed, counter = b.counter, backup_eligible = b.backup_eligible,
        removed_at = b.removed_at, version = b.version, mac = b.mac FROM before b WHERE p.id = b.id";
    let (ada, own) = (
        "(SELECT id FROM users WHERE email = 'ada@example.com')",
        "(SELECT id FROM users WHERE email = 'mallory@example.com')",
    );
    // Their own credential, as if it were Ada's: by owner, with her handle, with her whole row.
    for forgery in [
        format!("UPDATE passkeys SET user_id = {ada} WHERE user_id = {own}"),
        format!(
            "UPDATE passkeys SET user_id = {ada}, user_handle = (SELECT user_handle FROM before WHERE user_id = {ada})
             WHERE user_id = {own}"
        ),
        format!(
            "WITH gone AS (SELECT credential_sealed FROM before WHERE user_id = {own})
             UPDATE passkeys SET credential_sealed = (SELECT credential_sealed FROM gone) WHERE user_id = {ada}"
        ),
    ] {
        does(&forgery).await;
        let handle = Lie { user_handle: Some(world.device.user_handle.clone()), ..Lie::default() };
        for lie in [Lie::default(), handle] {
            let asked = challenge(&world.app).await;
            let mut shown = theirs.show(&asked.options, &lie);
            if forgery.contains("gone") {
                for name in ["id", "rawId"] {
                    use base64::Engine as _;
                    shown[name] = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&world.device.id).into();
                }
            }
            assert_eq!(finish(&world.app, &asked, &shown).await.problem(), failed(), "{forgery}");
        }
        does(restore).await;
    }
    // A counter that was set back lets no copy in: it is under the MAC.
    let mut copy = world.device.clone();
    assert_eq!(world.sign_in(&Lie::default()).await.status, 200);
    does("UPDATE passkeys SET counter = 0").await;
    let asked = challenge(&world.app).await;
    let shown = copy.show(&asked.options, &Lie::default());
    assert_eq!(finish(&world.app, &asked, &shown).await.problem(), failed());
    does("UPDATE passkeys SET counter = 1").await;
    does(&format!("UPDATE passkeys SET counter = 0 WHERE user_id = {own}")).await;

    // One that was removed, as if it had not been; and as it stood before, with the MAC and the key that it had then.
    let path = format!("/auth/passkeys/{}", world.id());
    assert_eq!(world.app.delete(&path).bearer(&world.ada.access_token).send().await.status, 204);
    does(&format!(
        "UPDATE passkeys p SET removed_at = NULL, credential_sealed = b.credential_sealed FROM before b
         WHERE p.id = b.id AND p.user_id = {ada}"
    ))
    .await;
    assert_eq!(world.sign_in(&Lie::default()).await.problem(), failed());
    does(restore).await;
    let look = vouch::look(&world.app).await;
    assert_eq!((look.fenced + look.unvouched, look.gone), (1, 0), "{look:?}");
    assert_eq!(world.sign_in(&Lie::default()).await.problem(), failed());
}
