-- A sanctioned restore closes a log's generation and begins the next one.

-- Where closed generations end in this database, as their heads were.
CREATE TABLE ledger_generations (
    workspace_id uuid NOT NULL,
    environment text NOT NULL CHECK (environment IN ('live', 'test')),
    generation integer NOT NULL CHECK (generation >= 1),
    size bigint NOT NULL CHECK (size >= 0),
    last_leaf bytea NOT NULL CHECK (octet_length(last_leaf) = 32),
    frontier bytea NOT NULL CHECK (octet_length(frontier) % 32 = 0),
    closed_at timestamptz NOT NULL CHECK (isfinite(closed_at)),
    PRIMARY KEY (workspace_id, environment, generation)
);
COMMENT ON TABLE ledger_generations IS 'the first entry of the next generation cites it, which is what vouches for it';

ALTER TABLE ledger_generations ENABLE ROW LEVEL SECURITY;
ALTER TABLE ledger_generations FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON ledger_generations TO bailiwick_owner USING (true) WITH CHECK (true);
REVOKE ALL ON ledger_generations FROM PUBLIC;
CREATE POLICY path_select ON ledger_generations FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'verify_ledger');
CREATE POLICY path_insert ON ledger_generations FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'open_generation');
GRANT SELECT, INSERT ON ledger_generations TO bailiwick_system;

-- The new generation's head, key and first entry come by one transaction with the end of the old one.
CREATE POLICY generation_select ON ledger_heads FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'open_generation');
CREATE POLICY generation_insert ON ledger_heads FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'open_generation');
CREATE POLICY generation_update ON ledger_heads FOR UPDATE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'open_generation')
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'open_generation');
GRANT UPDATE (generation) ON ledger_heads TO bailiwick_system;
CREATE POLICY generation_insert ON ledger_entries FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'open_generation');
CREATE POLICY generation_insert ON ledger_openings FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'open_generation');
CREATE POLICY generation_insert ON ledger_hashes FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'open_generation');
CREATE POLICY generation_select ON ledger_keys FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'open_generation');
CREATE POLICY generation_insert ON ledger_keys FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'open_generation');
CREATE POLICY generation_update ON ledger_keys FOR UPDATE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'open_generation')
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'open_generation');
CREATE POLICY generation_select ON vault_subjects FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'open_generation');
CREATE POLICY generation_insert ON vault_subjects FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'open_generation');
