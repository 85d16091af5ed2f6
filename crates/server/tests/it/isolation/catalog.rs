//! The rules of isolation, read from `pg_catalog`.
//!
//! [`faults`] says in words every way in which a schema breaks them, so that a new table, policy, grant or function
//! that forgets one is named before anybody relies on it. It changes nothing and reads through one connection, also in
//! the middle of a transaction: `mutations` breaks each rule and shows that it is noticed.

mod exceptions;
mod policies;
mod rules;

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::harness::cluster::{TestDatabase, options};

/// What is wrong with the schema of this connection's database and with the roles of its cluster.
pub async fn faults(connection: &mut PgConnection) -> Vec<String> {
    let sql = format!("{} ({})", rules::VOCABULARY, rules::ALL.join(") UNION ALL ("));
    let mut faults: Vec<String> = sqlx::query_scalar(AssertSqlSafe(sql))
        .bind(exceptions::cell_tables())
        .bind(exceptions::without_environment())
        .bind(exceptions::without_project())
        .bind(exceptions::readable_secrets())
        .bind(exceptions::crossing_comments())
        .fetch_all(&mut *connection)
        .await
        .unwrap();
    faults.extend(policies::faults(connection).await);
    faults
}

/// A connection that may look at everything. Compiling the one large statement would take longer than running it.
pub async fn superuser(database: &TestDatabase) -> PgConnection {
    PgConnection::connect_with(&options(&database.superuser_url).options([("jit", "off")])).await.unwrap()
}

#[tokio::test]
async fn the_migrated_schema_breaks_no_rule() {
    let database = TestDatabase::create().await;
    assert_eq!(faults(&mut superuser(&database).await).await, [""; 0]);
}

#[tokio::test]
async fn the_owner_and_the_serving_roles_are_who_they_say() {
    let database = TestDatabase::create().await;
    let urls = [
        (&database.urls.owner, "bailiwick_owner"),
        (&database.urls.runtime, "bailiwick_runtime"),
        (&database.urls.system, "bailiwick_system"),
    ];
    for (url, role) in urls {
        let mut connection = PgConnection::connect_with(&options(url)).await.unwrap();
        let who: (String, String, String) =
            sqlx::query_as("SELECT session_user, current_user, current_setting('is_superuser')")
                .fetch_one(&mut connection)
                .await
                .unwrap();
        assert_eq!((who.0.as_str(), who.1.as_str(), who.2.as_str()), (role, role, "off"));
        let others = urls.iter().map(|(_, other)| *other).filter(|other| *other != role).chain(["postgres"]);
        for other in others {
            let became = sqlx::query(AssertSqlSafe(format!("SET ROLE {other}"))).execute(&mut connection).await;
            assert!(became.is_err(), "{role} became {other}");
        }
    }
}
