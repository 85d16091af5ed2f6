//! The catalog, as far as the product relies on it. Partitions come and go, and have what their table has.

use super::Parts;
use crate::db::{DbError, SystemTx};

/// The newest migration that the database has had, and PostgreSQL's major version.
pub(super) async fn versions(tx: &mut SystemTx) -> Result<(i64, i32), DbError> {
    // At run time: the table is that of the migrations themselves, which a database to check queries against has not.
    let versions = "SELECT coalesce((SELECT max(version) FROM _sqlx_migrations), 0),
                      current_setting('server_version_num')::integer / 10000";
    Ok(sqlx::query_as(versions).fetch_one(tx.connection()?).await?)
}

/// The digest of each part.
pub(super) async fn parts(tx: &mut SystemTx) -> Result<Parts, DbError> {
    let rows = sqlx::query!(
        r#"WITH tables AS (
             SELECT oid, relname, relkind, relrowsecurity, relforcerowsecurity, relowner, relacl FROM pg_class
             WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT relispartition
           ), lines (part, line) AS (
             SELECT 'tables', concat_ws('|', relname, relkind, relrowsecurity, relforcerowsecurity, relowner::regrole, relacl)
             FROM tables
             UNION ALL
             SELECT 'columns', concat_ws('|', t.relname, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod),
               a.attnotnull, a.attacl, pg_get_expr(d.adbin, d.adrelid))
             FROM tables t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
             LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
             UNION ALL
             SELECT 'policies', concat_ws('|', t.relname, p.polname, p.polcmd, p.polpermissive, p.polroles::regrole[],
               pg_get_expr(p.polqual, p.polrelid), '/', pg_get_expr(p.polwithcheck, p.polrelid))
             FROM tables t JOIN pg_policy p ON p.polrelid = t.oid
             UNION ALL
             SELECT 'triggers', concat_ws('|', t.relname, g.tgname, g.tgenabled, pg_get_triggerdef(g.oid))
             FROM tables t JOIN pg_trigger g ON g.tgrelid = t.oid AND NOT g.tgisinternal
             UNION ALL
             -- A foreign key's, or that of a partition, when somebody has turned it off.
             SELECT 'triggers', concat_ws('|', c.relname, g.tgname, g.tgenabled)
             FROM pg_class c JOIN pg_trigger g ON g.tgrelid = c.oid AND g.tgenabled <> 'O'
             WHERE c.relnamespace = 'public'::regnamespace
             UNION ALL
             SELECT 'triggers', concat_ws('|', evtname, evtevent, evtenabled, evtfoid::regproc) FROM pg_event_trigger
             UNION ALL
             SELECT 'constraints', concat_ws('|', t.relname, c.conname, c.convalidated, pg_get_constraintdef(c.oid))
             FROM tables t JOIN pg_constraint c ON c.conrelid = t.oid
             UNION ALL
             SELECT 'indexes', concat_ws('|', t.relname, i.indisvalid, pg_get_indexdef(i.indexrelid))
             FROM tables t JOIN pg_index i ON i.indrelid = t.oid AND i.indisunique
             UNION ALL
             SELECT 'rules', concat_ws('|', c.relname, r.rulename, r.ev_enabled, pg_get_ruledef(r.oid))
             FROM pg_class c JOIN pg_rewrite r ON r.ev_class = c.oid WHERE c.relnamespace = 'public'::regnamespace
             UNION ALL
             SELECT 'functions', concat_ws('|', p.oid::regprocedure, p.prosecdef, p.proconfig, p.proowner::regrole, p.proacl,
               p.prosrc)
             FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace
               AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid
                 AND d.deptype = 'e')
             UNION ALL
             SELECT 'roles', concat_ws('|', r.rolname, r.rolsuper, r.rolbypassrls, r.rolcreaterole, r.rolreplication,
               (SELECT string_agg(m.roleid::regrole::text, ',' ORDER BY m.roleid::regrole::text)
                FROM pg_auth_members m WHERE m.member = r.oid))
             FROM pg_roles r WHERE r.rolname IN ('bailiwick_owner', 'bailiwick_runtime', 'bailiwick_system')
           )
           SELECT part AS "part!", encode(sha256(convert_to(string_agg(line, E'\n' ORDER BY line COLLATE "C"), 'UTF8')), 'hex') AS "digest!"
           FROM lines GROUP BY part"#
    )
    .fetch_all(tx.connection()?)
    .await?;
    Ok(rows.into_iter().map(|row| (row.part, row.digest)).collect())
}
