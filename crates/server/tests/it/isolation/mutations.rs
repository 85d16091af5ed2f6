//! The isolation tests, tested: each stone that is taken out of the walls turns one of them red.
//!
//! What is cluster-wide (roles and who is a member of which) is changed in a transaction that nobody else sees and that
//! is rolled back, with the catalog read inside it.

use futures_util::future::join_all;
use sqlx::Connection;

use super::catalog::{faults, superuser};
use super::generated::breaches;
use crate::harness::cluster::TestDatabase;

/// A change, and a word of what is said about it.
type Mutation = (&'static str, &'static str, &'static str);

const TABLES: &[Mutation] = &[
    (
        "row-level security disabled",
        "ALTER TABLE api_keys DISABLE ROW LEVEL SECURITY",
        "api_keys: row-level security is not enabled",
    ),
    (
        "row-level security not forced",
        "ALTER TABLE projects NO FORCE ROW LEVEL SECURITY",
        "projects: row-level security is not forced",
    ),
    (
        "a partition without row-level security",
        "ALTER TABLE sign_in_challenges_default DISABLE ROW LEVEL SECURITY",
        "sign_in_challenges_default: row-level security is not enabled",
    ),
    (
        "a table that nobody knows",
        "CREATE TABLE notes (id uuid PRIMARY KEY); ALTER TABLE notes OWNER TO bailiwick_owner",
        "notes: has no workspace_id",
    ),
    (
        "a tenant table without an environment",
        "CREATE TABLE notes (workspace_id uuid PRIMARY KEY); ALTER TABLE notes OWNER TO bailiwick_owner",
        "notes: has no environment",
    ),
    (
        "a tenant that may be missing",
        "ALTER TABLE ledger_staged DROP CONSTRAINT ledger_staged_pkey; ALTER TABLE ledger_staged ALTER workspace_id DROP NOT NULL",
        "ledger_staged: workspace_id is not a uuid NOT NULL",
    ),
    (
        "a table without a primary key",
        "ALTER TABLE ledger_staged DROP CONSTRAINT ledger_staged_pkey",
        "ledger_staged: has no primary key",
    ),
    (
        "a foreign key without the tenant",
        "ALTER TABLE projects ADD UNIQUE (id); ALTER TABLE api_keys ADD CONSTRAINT loose FOREIGN KEY (project_id) REFERENCES projects (id)",
        "api_keys: foreign key loose does not begin with workspace_id",
    ),
    (
        "a foreign key across environments",
        "ALTER TABLE api_keys ADD CONSTRAINT loose FOREIGN KEY (workspace_id, project_id) REFERENCES projects (workspace_id, id)",
        "api_keys: foreign key loose leaves the environment",
    ),
    (
        "a unique constraint across tenants",
        "ALTER TABLE projects ADD CONSTRAINT once UNIQUE (name)",
        "projects: constraint once does not begin",
    ),
    (
        "a unique index across tenants",
        "CREATE UNIQUE INDEX once ON api_keys (lookup)",
        "api_keys: unique index once does not begin",
    ),
    (
        "an index across tenants",
        "CREATE INDEX by_name ON api_keys (name)",
        "api_keys: index by_name crosses tenants and is not registered",
    ),
    (
        "an index under a path that does not reach its table",
        "COMMENT ON INDEX api_keys_by_lookup IS 'crosses tenants: operational path end_session'",
        "api_keys: index api_keys_by_lookup crosses tenants and is not registered",
    ),
    (
        "an environment that may be missing",
        "ALTER TABLE projects ALTER environment DROP NOT NULL",
        "projects: environment is not NOT NULL",
    ),
    (
        "a tenant table without projects",
        "CREATE TABLE notes (workspace_id uuid PRIMARY KEY, environment text NOT NULL)",
        "notes: has an environment, no project",
    ),
    (
        "a foreign table",
        "CREATE FOREIGN DATA WRAPPER far; CREATE SERVER away FOREIGN DATA WRAPPER far; CREATE FOREIGN TABLE notes (id uuid) SERVER away",
        "notes: is a foreign table",
    ),
    (
        "an enum",
        "CREATE TYPE colour AS ENUM ('red'); ALTER TYPE colour OWNER TO bailiwick_owner",
        "type colour: is an enum",
    ),
];

const POLICIES: &[Mutation] = &[
    (
        "no policy for the serving role",
        "DROP POLICY tenant_rows ON api_keys",
        "api_keys: bailiwick_runtime may SELECT and no policy",
    ),
    (
        "no policy for a path",
        "DROP POLICY path_select ON api_keys",
        "path authenticate_key is documented, and not let, to SELECT",
    ),
    ("no policy for the owner", "DROP POLICY owner_all ON projects", "projects: has 0 policies for its owner"),
    (
        "an owner who sees nothing",
        "ALTER POLICY owner_all ON projects USING (false)",
        "does not show the owner all rows",
    ),
    (
        "a policy that only narrows",
        "CREATE POLICY narrow ON projects AS RESTRICTIVE TO bailiwick_runtime USING (true)",
        "projects: policy narrow is restrictive",
    ),
    (
        "a policy on a partition",
        "CREATE POLICY extra ON sign_in_challenges_default FOR SELECT TO bailiwick_system
            USING ((SELECT current_setting('app.operational_path', true)) = 'redeem_sign_in')",
        "sign_in_challenges_default: policy extra lets bailiwick_system into a partition",
    ),
    (
        "a tenant in a table of the cell",
        "CREATE POLICY extra ON sessions TO bailiwick_runtime USING (true)",
        "sessions: policy extra lets bailiwick_runtime into a table of the cell",
    ),
    ("a policy without a role", "CREATE POLICY open ON projects USING (true)", "projects: policy open serves PUBLIC"),
    (
        "a policy that lost its role",
        "ALTER POLICY tenant_rows ON projects TO PUBLIC",
        "projects: policy tenant_rows serves PUBLIC",
    ),
    (
        "a policy for two roles",
        "ALTER POLICY tenant_rows ON projects TO bailiwick_runtime, bailiwick_system",
        "serves bailiwick_runtime, bailiwick_system",
    ),
    (
        "a policy that lets everything through",
        "ALTER POLICY tenant_rows ON api_keys USING (true)",
        "policy tenant_rows has no workspace wall in USING",
    ),
    (
        "a second policy beside the wall",
        "CREATE POLICY extra ON memberships TO bailiwick_runtime USING (role = 'owner')",
        "policy extra has no workspace wall in USING",
    ),
    (
        "a wall without WITH CHECK",
        "DROP POLICY tenant_rows ON memberships; CREATE POLICY tenant_rows ON memberships TO bailiwick_runtime
            USING (workspace_id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid))",
        "memberships: policy tenant_rows has no workspace wall in WITH CHECK",
    ),
    (
        "a wall that is one of two ways",
        "ALTER POLICY tenant_rows ON memberships USING (role = 'viewer' OR
            workspace_id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid))",
        "memberships: policy tenant_rows has no workspace wall in USING",
    ),
    (
        "a wall without environment and project",
        "ALTER POLICY tenant_rows ON api_keys WITH CHECK (workspace_id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid))",
        "api_keys: policy tenant_rows has no environment wall in WITH CHECK",
    ),
    (
        "a person who sees others",
        "ALTER POLICY account_self ON users USING (true)",
        "users: policy account_self is not the known opening",
    ),
    (
        "a path that reaches further",
        "ALTER POLICY path_select ON sessions USING ((SELECT current_setting('app.operational_path', true)) IN
            ('authenticate_session', 'refresh_session', 'end_session', 'authenticate_key'))",
        "sessions: operational path authenticate_key is let to, and not documented to, SELECT",
    ),
    (
        "a path that writes for another",
        "ALTER POLICY path_update ON sessions WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'end_session')",
        "sessions: policy path_update sees and writes by different paths",
    ),
    (
        "a path for every command",
        "CREATE POLICY extra ON users TO bailiwick_system USING (true)",
        "users: policy extra names no command",
    ),
    (
        "a path that is not asked for",
        "ALTER POLICY path_select ON users USING (true)",
        "users: policy path_select does not compare app.operational_path",
    ),
    (
        "a path that nobody knows",
        "ALTER POLICY path_select ON users USING ((SELECT current_setting('app.operational_path', true)) = 'peek')",
        "names the unknown path peek",
    ),
    (
        "a second policy where one names all paths",
        "CREATE POLICY extra ON users FOR SELECT TO bailiwick_system
            USING ((SELECT current_setting('app.operational_path', true)) = 'authenticate_session')",
        "users: has 2 policies of paths alone for r, of 1",
    ),
];

const GRANTS: &[Mutation] = &[
    (
        "a grant on a partition",
        "GRANT SELECT ON sign_in_challenges_default TO bailiwick_system",
        "SELECT is granted on a partition",
    ),
    (
        "a column of a partition",
        "GRANT SELECT (id) ON sign_in_challenges_default TO bailiwick_system",
        "SELECT is granted on a partition",
    ),
    ("a grant to everybody", "GRANT SELECT ON projects TO PUBLIC", "relation projects: SELECT is granted to PUBLIC"),
    (
        "a grant to a stranger",
        "CREATE ROLE stranger; GRANT SELECT ON projects TO stranger",
        "relation projects: SELECT is granted to stranger",
    ),
    (
        "TRUNCATE",
        "GRANT TRUNCATE ON projects TO bailiwick_runtime",
        "relation projects: TRUNCATE is granted to bailiwick_runtime",
    ),
    (
        "REFERENCES",
        "GRANT REFERENCES (id) ON projects TO bailiwick_system",
        "column projects.id: REFERENCES is granted",
    ),
    ("TRIGGER", "GRANT TRIGGER ON projects TO bailiwick_runtime", "relation projects: TRIGGER is granted"),
    (
        "CREATE",
        "GRANT CREATE ON SCHEMA public TO bailiwick_runtime",
        "schema public: CREATE is granted to bailiwick_runtime",
    ),
    (
        "a grant to be handed on",
        "GRANT SELECT ON projects TO bailiwick_runtime WITH GRANT OPTION",
        "bailiwick_runtime may hand on SELECT",
    ),
    (
        "a sequence",
        "GRANT USAGE ON SEQUENCE ledger_staged_id_seq TO bailiwick_runtime",
        "a sequence is granted to bailiwick_runtime",
    ),
    (
        "temporary tables",
        "DO $$ BEGIN EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO bailiwick_system', current_database()); END $$",
        "database: TEMPORARY is granted to bailiwick_system",
    ),
    (
        "a digest to be read",
        "GRANT SELECT ON api_keys TO bailiwick_runtime",
        "api_keys: bailiwick_runtime may read digest",
    ),
    (
        "a grant that no policy narrows",
        "GRANT DELETE ON users TO bailiwick_runtime",
        "users: bailiwick_runtime may DELETE and no policy",
    ),
    (
        "the schema's history",
        "GRANT SELECT ON _sqlx_migrations TO bailiwick_runtime",
        "relation _sqlx_migrations: SELECT is granted",
    ),
    (
        "a default privilege",
        "ALTER DEFAULT PRIVILEGES FOR ROLE bailiwick_owner GRANT SELECT ON TABLES TO bailiwick_runtime",
        "default privileges of bailiwick_owner",
    ),
];

const ROLES: &[Mutation] = &[
    (
        "a membership between roles",
        "GRANT bailiwick_owner TO bailiwick_runtime",
        "role bailiwick_runtime: is a member of bailiwick_owner",
    ),
    (
        "a membership in a predefined role",
        "GRANT pg_read_all_data TO bailiwick_system",
        "role bailiwick_system: is a member of pg_read_all_data",
    ),
    ("a role by another name", "ALTER ROLE bailiwick_system RENAME TO system", "role bailiwick_system: is missing"),
    ("BYPASSRLS", "ALTER ROLE bailiwick_system BYPASSRLS", "role bailiwick_system: has BYPASSRLS"),
    ("a superuser", "ALTER ROLE bailiwick_runtime SUPERUSER", "role bailiwick_runtime: has SUPERUSER"),
    ("an owner above the rules", "ALTER ROLE bailiwick_owner BYPASSRLS", "role bailiwick_owner: has BYPASSRLS"),
    ("CREATEROLE", "ALTER ROLE bailiwick_runtime CREATEROLE", "role bailiwick_runtime: has CREATEROLE"),
    ("ownership", "ALTER TABLE projects OWNER TO bailiwick_runtime", "role bailiwick_runtime: owns table projects"),
    ("a stranger's table", "ALTER TABLE projects OWNER TO postgres", "projects: belongs to postgres"),
];

const PROGRAMS: &[Mutation] = &[
    (
        "a view of the owner's",
        "CREATE VIEW all_keys AS SELECT * FROM api_keys; ALTER VIEW all_keys OWNER TO bailiwick_owner",
        "all_keys: is a view without security_invoker",
    ),
    (
        "a materialized view",
        "CREATE MATERIALIZED VIEW all_keys AS SELECT * FROM api_keys",
        "all_keys: is a materialized view",
    ),
    (
        "a rewrite rule",
        "CREATE RULE also AS ON INSERT TO projects DO ALSO SELECT 1",
        "projects: has the rewrite rule also",
    ),
    (
        "a function of the owner's",
        "CREATE FUNCTION peek() RETURNS bigint LANGUAGE sql SECURITY DEFINER RETURN 1",
        "function peek(): is SECURITY DEFINER",
    ),
    (
        "a function for everybody",
        "CREATE FUNCTION one() RETURNS bigint LANGUAGE sql RETURN 1",
        "function one(): EXECUTE is granted to PUBLIC",
    ),
    (
        "a function for the tenants",
        "GRANT EXECUTE ON FUNCTION partition_upkeep() TO bailiwick_runtime",
        "EXECUTE is granted to bailiwick_runtime",
    ),
    (
        "upkeep that waits for ever",
        "ALTER FUNCTION partition_upkeep() RESET lock_timeout",
        "function partition_upkeep(): is SECURITY DEFINER",
    ),
    (
        "upkeep that looks anywhere",
        "ALTER FUNCTION partition_upkeep() RESET search_path",
        "function partition_upkeep(): is SECURITY DEFINER",
    ),
    (
        "upkeep by a superuser",
        "ALTER FUNCTION partition_upkeep() OWNER TO postgres",
        "function partition_upkeep(): is SECURITY DEFINER",
    ),
];

#[tokio::test]
async fn the_catalog_test_sees_every_breach() {
    let database = TestDatabase::create().await;
    let mut connection = superuser(&database).await;
    for (name, sql, expected) in [TABLES, POLICIES, GRANTS, ROLES, PROGRAMS].concat() {
        let mut tx = connection.begin().await.unwrap();
        sqlx::raw_sql(sql).execute(&mut *tx).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        let faults = faults(&mut tx).await;
        tx.rollback().await.unwrap();
        assert!(faults.iter().any(|fault| fault.contains(expected)), "{name}: {expected} is not among {faults:#?}");
    }
    assert_eq!(faults(&mut connection).await, [""; 0], "a mutation was not taken back");
}

/// What the owner could do by mistake, and what the attempts on the walls then find.
const HOLES: &[Mutation] = &[
    ("a dropped policy", "DROP POLICY tenant_rows ON api_keys", "api_keys: SELECT of own rows: 0, not 3"),
    ("a dropped policy for appending", "DROP POLICY tenant_appends ON ledger_staged", "ledger_staged: INSERT of own rows: 42501, not 1"),
    ("a dropped policy of a path", "DROP POLICY path_update ON sessions", "sessions: path end_session: UPDATE: 0"),
    ("an open policy", "ALTER POLICY tenant_rows ON projects USING (true)", "projects: Ada, live: SELECT: 1"),
    ("an open check", "ALTER POLICY tenant_rows ON idempotency_records WITH CHECK (true)", "idempotency_records: Ada, live: INSERT: 1"),
    (
        "no environment in the wall",
        "ALTER POLICY tenant_rows ON idempotency_records USING (workspace_id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid))",
        "idempotency_records: Ada, live: SELECT: 1",
    ),
    (
        "no nullif: unset is no longer nothing",
        "ALTER POLICY tenant_rows ON memberships USING (workspace_id = (SELECT coalesce(nullif(current_setting('app.workspace_id', true), ''),
            '00000000-0000-0000-0000-00000000000b')::uuid))",
        "memberships: nothing set: SELECT: 1",
    ),
    (
        "a foreign key without the tenant",
        "ALTER TABLE projects ADD UNIQUE (id); ALTER TABLE api_keys DROP CONSTRAINT api_keys_project;
            ALTER TABLE api_keys ADD FOREIGN KEY (project_id) REFERENCES projects (id)",
        "api_keys: Ada, live: INSERT of an own row with a parent there: 1",
    ),
    ("a path that deletes", "CREATE POLICY path_delete_too ON cell_ledger_staged FOR DELETE TO bailiwick_system USING (true)", "cell_ledger_staged: no path: DELETE: 2"),
    ("row-level security disabled", "ALTER TABLE workspaces DISABLE ROW LEVEL SECURITY", "workspaces: everything empty: SELECT: 1"),
];

#[tokio::test]
async fn the_attempts_find_every_hole() {
    join_all(HOLES.iter().map(|(name, sql, expected)| async move {
        let database = TestDatabase::create().await;
        sqlx::raw_sql(*sql).execute(&database.owner).await.unwrap();
        let table = expected.split_once(':').unwrap().0;
        let found = breaches(&database, Some(table)).await;
        assert!(found.iter().any(|breach| breach.contains(expected)), "{name}: {expected} is not among {found:#?}");
    }))
    .await;
}
