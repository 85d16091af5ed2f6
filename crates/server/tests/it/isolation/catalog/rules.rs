//! Rules that one statement can check: each answers a line for each breach, and nothing for a sound schema.
//!
//! `$1` tables of the cell, `$2` tenant tables without an environment, `$3` those without a project, `$4` secret columns
//! that may be read, `$5` comments by which an index may cross tenants.

/// The words that the rules are written in. `_sqlx_migrations` is the one table that is exempt: the owner's, of which
/// `bailiwick_system` may know the versions.
pub(super) const VOCABULARY: &str = "
WITH ours AS (SELECT oid, rolname AS name FROM pg_roles
        WHERE rolname IN ('bailiwick_owner', 'bailiwick_runtime', 'bailiwick_system')),
    serving AS (SELECT * FROM ours WHERE name <> 'bailiwick_owner'),
    here AS (SELECT oid, nspname AS name, nspowner, nspacl FROM pg_namespace
        WHERE nspname <> 'information_schema' AND nspname !~ '^pg_'),
    relation AS (SELECT c.*, c.oid::regclass::text AS name FROM pg_class c JOIN here ON here.oid = c.relnamespace),
    tab AS (SELECT * FROM relation WHERE relkind IN ('r', 'p') AND name <> '_sqlx_migrations'),
    col AS (SELECT a.attrelid AS tab, a.attnum AS num, a.attname AS name, a.attnotnull, a.atttypid, a.attacl
        FROM pg_attribute a JOIN relation ON relation.oid = a.attrelid WHERE a.attnum > 0 AND NOT a.attisdropped),
    tenant AS (SELECT tab.*, w.num AS workspace, e.num AS environment, p.num AS project
        FROM tab JOIN col w ON w.tab = tab.oid AND w.name = 'workspace_id'
            LEFT JOIN col e ON e.tab = tab.oid AND e.name = 'environment'
            LEFT JOIN col p ON p.tab = tab.oid AND p.name = CASE tab.name WHEN 'projects' THEN 'id' ELSE 'project_id' END),
    granted AS (
        SELECT 'relation ' || r.name AS thing, r.relowner AS owner, x.*
            FROM relation r, aclexplode(coalesce(r.relacl, acldefault(CASE r.relkind WHEN 'S' THEN 's' ELSE 'r' END::\"char\", r.relowner))) x
            WHERE r.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
        UNION ALL SELECT format('column %s.%s', r.name, col.name), r.relowner, x.*
            FROM col JOIN relation r ON r.oid = col.tab, aclexplode(col.attacl) x
        UNION ALL SELECT 'schema ' || name, nspowner, x.*
            FROM here, aclexplode(coalesce(nspacl, acldefault('n', nspowner))) x
        UNION ALL SELECT 'database', datdba, x.*
            FROM pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba))) x WHERE datname = current_database()
        UNION ALL SELECT 'function ' || p.oid::regprocedure, p.proowner, x.*
            FROM pg_proc p JOIN here ON here.oid = p.pronamespace, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) x),
    command AS (SELECT unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS word, unnest(ARRAY['r', 'a', 'w', 'd']) AS letter)";

/// Every rule.
pub(super) const ALL: [&str; 33] = [
    // Tables.
    "SELECT name || ': row-level security is not enabled' FROM tab WHERE NOT relrowsecurity",
    "SELECT name || ': row-level security is not forced' FROM tab WHERE NOT relforcerowsecurity",
    "SELECT tab.name || ': has no workspace_id and is not a known table of the cell' FROM tab
        WHERE NOT EXISTS (SELECT FROM tenant WHERE tenant.oid = tab.oid)
          AND coalesce(pg_partition_root(tab.oid), tab.oid)::regclass::text <> ALL ($1)",
    "SELECT name || ': workspace_id is not a uuid NOT NULL' FROM tenant WHERE NOT EXISTS (SELECT FROM col
        WHERE col.tab = tenant.oid AND col.num = workspace AND attnotnull AND atttypid = 'uuid'::regtype)",
    "SELECT name || ': has no environment and is not known to do without' FROM tenant
        WHERE environment IS NULL AND name <> ALL ($2)",
    "SELECT tenant.name || ': environment is not NOT NULL' FROM tenant JOIN col ON col.tab = tenant.oid AND col.num = environment
        WHERE NOT attnotnull",
    "SELECT name || ': has an environment, no project, and is not known to do without' FROM tenant
        WHERE environment IS NOT NULL AND project IS NULL AND name <> ALL ($3)",
    "SELECT name || ': is a foreign table' FROM relation WHERE relkind = 'f'",
    "SELECT name || ': is a materialized view' FROM relation WHERE relkind = 'm'",
    "SELECT name || ': is a view without security_invoker' FROM relation WHERE relkind = 'v'
        AND NOT coalesce(reloptions && ARRAY['security_invoker=true', 'security_invoker=on', 'security_invoker=1'], false)",
    "SELECT format('%s: has the rewrite rule %s', relation.name, rulename) FROM pg_rewrite
        JOIN relation ON relation.oid = ev_class WHERE NOT (relkind IN ('v', 'm') AND rulename = '_RETURN')",
    "SELECT format('%s: belongs to %s', name, pg_get_userbyid(relowner)) FROM relation
        WHERE relowner NOT IN (SELECT oid FROM ours WHERE name = 'bailiwick_owner')",
    // Keys and indexes.
    "SELECT name || ': has no primary key' FROM tenant
        WHERE NOT EXISTS (SELECT FROM pg_constraint WHERE conrelid = tenant.oid AND contype = 'p')",
    "SELECT format('%s: constraint %s does not begin with workspace_id', name, conname) FROM pg_constraint
        JOIN tenant ON tenant.oid = conrelid WHERE contype IN ('p', 'u', 'x') AND conkey[1] <> workspace",
    "SELECT format('%s: foreign key %s does not begin with workspace_id', child.name, conname) FROM pg_constraint
        JOIN tab child ON child.oid = conrelid JOIN tenant parent ON parent.oid = confrelid
            LEFT JOIN tenant ON tenant.oid = conrelid
        WHERE contype = 'f' AND (conkey[1], confkey[1]) IS DISTINCT FROM (tenant.workspace, parent.workspace)",
    "SELECT format('%s: foreign key %s leaves the environment', child.name, conname) FROM pg_constraint
        JOIN tenant child ON child.oid = conrelid JOIN tenant parent ON parent.oid = confrelid
        WHERE contype = 'f' AND child.environment IS NOT NULL AND parent.environment IS NOT NULL
          AND (conkey[2], confkey[2]) IS DISTINCT FROM (child.environment, parent.environment)",
    "SELECT format('%s: unique index %s does not begin with workspace_id', name, indexrelid::regclass) FROM pg_index
        JOIN tenant ON tenant.oid = indrelid WHERE indisunique AND indkey[0] <> workspace
          AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid AND contype IN ('p', 'u', 'x'))",
    "SELECT format('%s: index %s crosses tenants and is not registered', name, indexrelid::regclass) FROM pg_index
        JOIN tenant ON tenant.oid = indrelid WHERE NOT indisunique AND indkey[0] <> workspace
          AND coalesce(format('%s: %s', name, obj_description(indexrelid, 'pg_class')) <> ALL ($5), true)",
    // Grants.
    "SELECT format('%s: %s is granted to PUBLIC', thing, privilege_type) FROM granted WHERE grantee = 0",
    "SELECT format('%s: %s is granted to %s', thing, privilege_type, pg_get_userbyid(grantee)) FROM granted
        WHERE grantee <> 0 AND grantee <> owner AND grantee NOT IN (SELECT oid FROM ours)",
    "SELECT format('%s: %s is granted to %s', thing, privilege_type, serving.name) FROM granted
        JOIN serving ON serving.oid = grantee WHERE NOT CASE
            WHEN thing ~ '_sqlx_migrations' THEN serving.name = 'bailiwick_system' AND privilege_type = 'SELECT'
                AND thing IN ('column _sqlx_migrations.version', 'column _sqlx_migrations.success')
            WHEN thing ~ '^(relation|column) ' THEN privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
            WHEN thing ~ '^schema ' THEN privilege_type = 'USAGE'
            WHEN thing ~ '^database' THEN privilege_type = 'CONNECT'
            ELSE serving.name = 'bailiwick_system' AND thing = 'function partition_upkeep()' END",
    "SELECT format('%s: %s may hand on %s', thing, serving.name, privilege_type) FROM granted
        JOIN serving ON serving.oid = grantee WHERE is_grantable",
    "SELECT format('%s: %s is granted on a partition', thing, privilege_type) FROM granted JOIN relation
        ON thing = 'relation ' || relation.name OR thing LIKE 'column ' || relation.name || '.%'
        WHERE relispartition AND grantee <> relowner",
    "SELECT format('relation %s: a sequence is granted to %s', relation.name, serving.name) FROM granted
        JOIN relation ON thing = 'relation ' || relation.name JOIN serving ON serving.oid = grantee WHERE relkind = 'S'",
    "SELECT format('%s: %s may %s and no policy says which rows', tab.name, serving.name, word) FROM tab, serving, command
        WHERE CASE word WHEN 'DELETE' THEN has_table_privilege(serving.oid, tab.oid, word)
                ELSE has_any_column_privilege(serving.oid, tab.oid, word) END
          AND NOT EXISTS (SELECT FROM pg_policy WHERE polrelid = tab.oid AND serving.oid = ANY (polroles)
            AND polcmd::text IN ('*', letter))",
    "SELECT format('%s: %s may read %s', tab.name, serving.name, col.name) FROM tab JOIN col ON col.tab = tab.oid, serving
        WHERE col.name ~ '(digest|sealed)$' AND has_column_privilege(serving.oid, tab.oid, col.num, 'SELECT')
          AND format('%s %s.%s', serving.name, tab.name, col.name) <> ALL ($4)",
    "SELECT format('default privileges of %s: %s', pg_get_userbyid(defaclrole), defaclacl) FROM pg_default_acl",
    // Roles.
    "SELECT 'role ' || name || ': is missing' FROM unnest(ARRAY['bailiwick_owner', 'bailiwick_runtime', 'bailiwick_system'])
        AS wanted (name) WHERE name NOT IN (SELECT name FROM ours)",
    "SELECT format('role %s: has %s', rolname, attribute) FROM pg_roles, LATERAL (VALUES ('SUPERUSER', rolsuper),
            ('BYPASSRLS', rolbypassrls), ('CREATEDB', rolcreatedb), ('CREATEROLE', rolcreaterole),
            ('REPLICATION', rolreplication)) AS a (attribute, has)
        WHERE has AND oid IN (SELECT oid FROM ours)",
    "SELECT format('role %s: is a member of %s', pg_get_userbyid(member), pg_get_userbyid(roleid)) FROM pg_auth_members
        WHERE member IN (SELECT oid FROM ours) OR roleid IN (SELECT oid FROM ours)",
    "SELECT format('role %s: owns %s', serving.name, pg_describe_object(classid, objid, objsubid)) FROM pg_shdepend
        JOIN serving ON serving.oid = refobjid WHERE deptype = 'o' AND refclassid = 'pg_authid'::regclass
          AND dbid IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))",
    // Functions and types.
    "SELECT format('function %s: is SECURITY DEFINER', p.oid::regprocedure) FROM pg_proc p JOIN here ON here.oid = pronamespace
        WHERE prosecdef AND NOT (p.oid::regprocedure::text = 'partition_upkeep()'
          AND proowner IN (SELECT oid FROM ours WHERE name = 'bailiwick_owner')
          AND 'search_path=pg_catalog, public, pg_temp' = ANY (proconfig)
          AND EXISTS (SELECT FROM unnest(proconfig) AS setting WHERE setting ~ '^lock_timeout=[1-9]'))",
    "SELECT format('type %s: is an enum', t.oid::regtype) FROM pg_type t JOIN here ON here.oid = typnamespace WHERE typtype = 'e'",
];
