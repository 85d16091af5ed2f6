//! Whoever owns the database invites nobody, and brings nobody back.

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::World;
use crate::harness::cluster::options;

#[tokio::test]
async fn who_owns_the_database_invites_nobody_and_brings_nobody_back() {
    let world = World::found().await;
    let mut intruder = PgConnection::connect_with(&options(&world.app.database.superuser_url)).await.unwrap();
    // No trigger tells of what they do.
    sqlx::raw_sql("SET session_replication_role = replica").execute(&mut intruder).await.unwrap();
    let mut does = async |sql: &str| {
        let done = sqlx::query(AssertSqlSafe(sql.to_owned())).execute(&mut intruder).await.unwrap();
        assert_eq!(done.rows_affected(), 1, "{sql}");
    };
    let invalid = (404, "invitation_invalid".to_owned());

    let (mallory, mallorys) = world.admit("mallory@example.com", "viewer").await;
    does("CREATE TEMP TABLE before AS SELECT * FROM memberships WHERE role = 'viewer'").await;
    world.admit("zoe@example.com", "member").await;
    assert_eq!(world.delete(&world.ada, &format!("members/{mallorys}")).await.status, 204);
    let (id, token) = world.invite("mallory@example.com", "viewer").await;

    // An offer that was raised, that was made longer, that is another's.
    let uuid = id.parse::<bailiwick_proof::id::InvitationId>().unwrap().uuid();
    let set = |words: &str| format!("UPDATE invitations SET {words} WHERE id = '{uuid}'");
    for (bad, good) in [
        ("role = 'owner'", "role = 'viewer'"),
        ("expires_at = expires_at + interval '1 year'", "expires_at = expires_at - interval '1 year'"),
        (
            "email = 'eve@example.com', email_key = 'eve@example.com'",
            "email = 'mallory@example.com', email_key = 'mallory@example.com'",
        ),
    ] {
        does(&set(bad)).await;
        assert_eq!(world.accept(&mallory, &token).await.problem(), invalid, "{bad}");
        does(&set(good)).await;
    }
    // One that was revoked, opened again; and one that was never made.
    assert_eq!(world.delete(&world.ada, &format!("invitations/{id}")).await.status, 204);
    does(&set("revoked_at = NULL")).await;
    assert_eq!(world.accept(&mallory, &token).await.problem(), invalid);
    let forged = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopQ";
    does(&format!(
        "INSERT INTO invitations (workspace_id, id, email, email_key, role, token_digest, invited_by, created_at, sent_at,
             expires_at, version, mac)
         SELECT workspace_id, gen_random_uuid(), email, email_key || '.', 'owner', sha256('{forged}'), invited_by, created_at,
             sent_at, expires_at, version, mac FROM invitations WHERE id = '{uuid}'"
    ))
    .await;
    assert_eq!(world.accept(&mallory, forged).await.problem(), invalid);
    assert_eq!(world.get(&mallory, "members").await.status, 404);

    // A membership that ended, as if it had not; and as it stood before, with the MAC that it had then.
    does("UPDATE memberships SET ended_at = NULL WHERE role = 'viewer'").await;
    assert_eq!(world.get(&mallory, "members").await.problem(), (404, "not_found".into()));
    // Nor is it one for anybody else, and whoever comes after it in the list is not left out for it.
    assert_eq!(world.get(&world.ada, &format!("members/{mallorys}")).await.status, 404);
    let first = world.get(&world.ada, "members?limit=1").await.json();
    let cursor = first["next_cursor"].as_str().unwrap();
    let rest = world.get(&world.ada, &format!("members?limit=1&cursor={cursor}")).await.json();
    let emails = [&first, &rest].map(|page| page["data"][0]["email"].as_str().unwrap().to_owned());
    assert_eq!(emails, ["ada@example.com", "zoe@example.com"]);
    assert_eq!((rest["data"].as_array().unwrap().len(), &rest["next_cursor"]), (1, &serde_json::Value::Null));
    does(
        "UPDATE memberships m SET ended_at = b.ended_at, version = b.version, mac = b.mac FROM before b
          WHERE m.user_id = b.user_id AND m.workspace_id = b.workspace_id",
    )
    .await;
    let look = world.look().await;
    assert_eq!((look.fenced + look.unvouched, look.gone), (3, 0), "{look:?}");
    assert_eq!(world.get(&mallory, "members").await.problem(), (404, "not_found".into()));

    // And an owner invites again, past whatever stands in the way.
    let (_, token) = world.invite("mallory@example.com", "billing").await;
    assert_eq!(world.accept(&mallory, &token).await.text_of("role"), "billing");
}
