//! The tables, as the catalog describes them.

use sqlx::{FromRow, PgPool};

/// One table, as far as an attempt needs to know it.
#[derive(Clone, Debug, FromRow)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Whether it is a part of another, which has a policy for the owner alone.
    pub is_partition: bool,
    /// The table whose rows it holds: itself, or the one of which it is a part.
    pub root: String,
    /// Whether it has a `workspace_id`.
    pub is_tenant: bool,
    /// Whether it has an `environment`.
    pub has_environment: bool,
    /// The column that names the project.
    pub project: Option<String>,
    /// Whether a row may be of no project.
    pub project_is_optional: bool,
    /// An assignment that an UPDATE can make: to the time at which the row was made, or of a column to itself.
    pub stamp: String,
    /// The name of the primary key.
    pub primary_key: String,
    /// The columns of the primary key.
    pub key_columns: Vec<String>,
    /// Foreign keys beyond the walls: the column and the table that it refers to.
    pub parents: Vec<String>,
    /// What `bailiwick_runtime` may do: some of SELECT, INSERT, UPDATE, DELETE.
    pub granted: Vec<String>,
}

impl Table {
    /// The foreign keys as pairs of a column and the table that it refers to.
    pub fn references(&self) -> impl Iterator<Item = (&str, &str)> {
        self.parents.iter().filter_map(|parent| parent.split_once(' '))
    }
}

/// Every table but sqlx's own, parents before their children.
pub async fn all(owner: &PgPool) -> Vec<Table> {
    let mut rest: Vec<Table> = sqlx::query_as(
        "WITH col AS (SELECT * FROM pg_attribute WHERE attnum > 0 AND NOT attisdropped)
         SELECT c.relname::text AS name, relispartition AS is_partition,
             coalesce(pg_partition_root(c.oid), c.oid)::regclass::text AS root,
             EXISTS (SELECT FROM col WHERE attrelid = c.oid AND attname = 'workspace_id') AS is_tenant,
             EXISTS (SELECT FROM col WHERE attrelid = c.oid AND attname = 'environment') AS has_environment,
             p.attname::text AS project, coalesce(NOT p.attnotnull, false) AS project_is_optional,
             coalesce((SELECT attname || ' = now()' FROM col WHERE attrelid = c.oid AND atttypid = 'timestamptz'::regtype
                     AND attnotnull ORDER BY attnum LIMIT 1),
                 (SELECT format('%1$I = %2$I.%1$I', attname, c.relname) FROM col WHERE attrelid = c.oid
                     ORDER BY attnum DESC LIMIT 1)) AS stamp,
             coalesce(k.conname::text, '') AS primary_key,
             ARRAY(SELECT attname::text FROM col WHERE attrelid = c.oid AND attnum = ANY (k.conkey)) AS key_columns,
             ARRAY(SELECT DISTINCT format('%s %s', attname, confrelid::regclass) FROM pg_constraint f
                 JOIN col ON attrelid = conrelid AND attnum = conkey[cardinality(conkey)]
                 WHERE f.contype = 'f' AND conrelid = c.oid) AS parents,
             ARRAY(SELECT word FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS word
                 WHERE CASE word WHEN 'DELETE' THEN has_table_privilege('bailiwick_runtime', c.oid, word)
                     ELSE has_any_column_privilege('bailiwick_runtime', c.oid, word) END) AS granted
         FROM pg_class c LEFT JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype = 'p'
             LEFT JOIN col p ON p.attrelid = c.oid AND p.attname = CASE relname WHEN 'projects' THEN 'id' ELSE 'project_id' END
         WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND relname <> '_sqlx_migrations'
         ORDER BY relname",
    )
    .fetch_all(owner)
    .await
    .unwrap();
    let mut sorted: Vec<Table> = Vec::new();
    while !rest.is_empty() {
        let known = |name: &str| sorted.iter().any(|table: &Table| table.name == name);
        let (ready, waiting): (Vec<Table>, Vec<Table>) = rest
            .into_iter()
            .partition(|table| table.references().all(|(_, parent)| parent == table.name || known(parent)));
        assert!(!ready.is_empty(), "these tables refer to each other in a circle: {waiting:?}");
        sorted.extend(ready);
        rest = waiting;
    }
    sorted
}
