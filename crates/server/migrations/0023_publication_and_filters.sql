-- What is published of logs goes to the operator's own store; and filters of the audit log are saved.

-- Publication ----------------------------------------------------------------------------------------
-- Hashes, entries and checkpoints of every log: what a customer's bucket gets, and nothing that opens an entry.
CREATE POLICY publication_select ON ledger_heads FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'publish_logs');
CREATE POLICY publication_select ON ledger_checkpoints FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'publish_logs');
CREATE POLICY publication_select ON ledger_hashes FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'publish_logs');
CREATE POLICY publication_select ON ledger_entries FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'publish_logs');

-- Saved filters --------------------------------------------------------------------------------------
CREATE TABLE audit_filters (
    workspace_id uuid NOT NULL,
    environment text NOT NULL CHECK (environment IN ('live', 'test')),
    project_id uuid,
    id uuid NOT NULL,
    owner text CHECK (length(owner) BETWEEN 1 AND 100),
    name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 80),
    action text CHECK (length(action) BETWEEN 1 AND 100),
    actor_sealed bytea,
    actor_subject bigint CHECK (actor_subject BETWEEN 0 AND 4294967295),
    target_sealed bytea,
    target_subject bigint CHECK (target_subject BETWEEN 0 AND 4294967295),
    from_day date CHECK (isfinite(from_day)),
    to_day date CHECK (isfinite(to_day)),
    saved_by text NOT NULL CHECK (length(saved_by) BETWEEN 1 AND 100),
    saved_at timestamptz NOT NULL CHECK (isfinite(saved_at)),
    PRIMARY KEY (workspace_id, id),
    CONSTRAINT audit_filters_name UNIQUE NULLS NOT DISTINCT (workspace_id, environment, owner, name)
);
COMMENT ON COLUMN audit_filters.owner IS 'whose it is: a user''s or key''s id; NULL: everybody''s who reads the log';
COMMENT ON COLUMN audit_filters.actor_sealed IS 'whom it names, sealed for them: audit-filter-actor/v1';
COMMENT ON COLUMN audit_filters.target_sealed IS 'whom or what it names, sealed for them: audit-filter-target/v1';

ALTER TABLE audit_filters ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_filters FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON audit_filters TO bailiwick_owner USING (true) WITH CHECK (true);
REVOKE ALL ON audit_filters FROM PUBLIC;
CREATE POLICY tenant_rows ON audit_filters TO bailiwick_runtime
    USING (workspace_id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid)
        AND environment = (SELECT nullif(current_setting('app.environment', true), ''))
        AND ((SELECT current_setting('app.project_id', true)) = '*'
            OR project_id = (SELECT nullif(nullif(current_setting('app.project_id', true), ''), '*')::uuid)))
    WITH CHECK (workspace_id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid)
        AND environment = (SELECT nullif(current_setting('app.environment', true), ''))
        AND ((SELECT current_setting('app.project_id', true)) = '*'
            OR project_id = (SELECT nullif(nullif(current_setting('app.project_id', true), ''), '*')::uuid)));
GRANT SELECT, INSERT, DELETE ON audit_filters TO bailiwick_runtime;

-- Sealing anew, and erasing.
CREATE POLICY vault_select ON audit_filters FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) IN ('shred', 'rotate_vault'));
CREATE POLICY vault_update ON audit_filters FOR UPDATE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) IN ('shred', 'rotate_vault'))
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) IN ('shred', 'rotate_vault'));
GRANT SELECT (workspace_id, id, actor_sealed, actor_subject, target_sealed, target_subject), UPDATE (actor_sealed, target_sealed)
    ON audit_filters TO bailiwick_system;
