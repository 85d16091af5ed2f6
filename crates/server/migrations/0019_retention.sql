-- Retention: for how long a log keeps its entries, what holds them, and where a log was cut (docs/adr/0026-retention.md).

-- One row for each log. Nothing is pruned for one that nobody vouches for, or that is not the newest that the log knows.
CREATE TABLE ledger_retention (
    workspace_id uuid NOT NULL,
    environment text NOT NULL CHECK (environment IN ('live', 'test')),
    version bigint NOT NULL CHECK (version >= 1),
    days integer CHECK (days BETWEEN 30 AND 3650),
    next_days integer CHECK (next_days BETWEEN 30 AND 3650),
    effective_at timestamptz CHECK (isfinite(effective_at)),
    changed_at timestamptz NOT NULL CHECK (isfinite(changed_at)),
    mac bytea NOT NULL DEFAULT '',
    PRIMARY KEY (workspace_id, environment),
    CONSTRAINT ledger_retention_next CHECK (num_nulls(next_days, effective_at) IN (0, 2))
);
COMMENT ON COLUMN ledger_retention.version IS 'grows with each change, also when the row was gone meanwhile: the microsecond of the change';
COMMENT ON COLUMN ledger_retention.days IS 'NULL: for ever';
COMMENT ON COLUMN ledger_retention.next_days IS 'in place of days from effective_at on';
COMMENT ON COLUMN ledger_retention.mac IS 'over the setting and the ids of the log''s open holds';

-- While one is open nothing of its log is pruned.
CREATE TABLE legal_holds (
    workspace_id uuid NOT NULL,
    environment text NOT NULL CHECK (environment IN ('live', 'test')),
    id uuid NOT NULL,
    reason text NOT NULL CHECK (length(reason) BETWEEN 1 AND 200),
    opened_by text NOT NULL CHECK (length(opened_by) BETWEEN 1 AND 100),
    opened_at timestamptz NOT NULL CHECK (isfinite(opened_at)),
    released_by text CHECK (length(released_by) BETWEEN 1 AND 100),
    released_at timestamptz CHECK (isfinite(released_at)),
    PRIMARY KEY (workspace_id, id),
    CONSTRAINT legal_holds_released CHECK (num_nulls(released_by, released_at) IN (0, 2))
);
COMMENT ON TABLE legal_holds IS 'which are open is vouched for in ledger_retention';
CREATE INDEX legal_holds_open ON legal_holds (workspace_id, environment) WHERE released_at IS NULL;

-- Where a log was cut, each time: entries below pruned_to went, or are going, by retention. Their hashes stay.
CREATE TABLE ledger_cuts (
    workspace_id uuid NOT NULL,
    environment text NOT NULL CHECK (environment IN ('live', 'test')),
    generation integer NOT NULL CHECK (generation >= 1),
    pruned_to bigint NOT NULL CHECK (pruned_to > 0 AND pruned_to % 256 = 0),
    deleted_to bigint NOT NULL CHECK (deleted_to >= 0),
    root bytea NOT NULL CHECK (octet_length(root) = 32),
    kept bytea NOT NULL CHECK (octet_length(kept) = 32),
    newest_ms bigint NOT NULL CHECK (newest_ms >= 0),
    event_id uuid NOT NULL,
    cut_at timestamptz NOT NULL CHECK (isfinite(cut_at)),
    mac bytea NOT NULL,
    PRIMARY KEY (workspace_id, environment, generation, pruned_to)
);
COMMENT ON COLUMN ledger_cuts.deleted_to IS 'how far the deletion has come; not vouched for';
COMMENT ON COLUMN ledger_cuts.root IS 'of the tree over the entries below the cut';
COMMENT ON COLUMN ledger_cuts.kept IS 'SHA-256 over what the entries below the cut say of rows, which stays in ledger_openings';
COMMENT ON COLUMN ledger_cuts.newest_ms IS 'the latest time of an entry below the cut';
COMMENT ON COLUMN ledger_cuts.event_id IS 'the entry retention.pruned that says so';

-- The walls -----------------------------------------------------------------------------------------

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['ledger_retention', 'legal_holds', 'ledger_cuts'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY owner_all ON %I TO bailiwick_owner USING (true) WITH CHECK (true)', t);
        EXECUTE format('REVOKE ALL ON %I FROM PUBLIC', t);
        EXECUTE format($policy$CREATE POLICY prune_select ON %I FOR SELECT TO bailiwick_system
            USING ((SELECT current_setting('app.operational_path', true)) = 'prune_ledger')$policy$, t);
    END LOOP;
    FOREACH t IN ARRAY ARRAY['ledger_retention', 'legal_holds'] LOOP
        EXECUTE format($policy$CREATE POLICY tenant_rows ON %I TO bailiwick_runtime
            USING (workspace_id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid)
                AND environment = (SELECT nullif(current_setting('app.environment', true), '')))
            WITH CHECK (workspace_id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid)
                AND environment = (SELECT nullif(current_setting('app.environment', true), '')))$policy$, t);
        EXECUTE format($policy$CREATE POLICY vouched_select ON %I FOR SELECT TO bailiwick_system
            USING ((SELECT current_setting('app.operational_path', true)) IN ('vouch_for_rows', 'shred'))$policy$, t);
    END LOOP;
END $$;
GRANT SELECT, INSERT, UPDATE (version, days, next_days, effective_at, changed_at, mac) ON ledger_retention TO bailiwick_runtime;
GRANT SELECT, INSERT, UPDATE (released_by, released_at) ON legal_holds TO bailiwick_runtime;
GRANT SELECT, UPDATE (mac) ON ledger_retention TO bailiwick_system;
GRANT SELECT ON legal_holds TO bailiwick_system;
CREATE POLICY vouched_update ON ledger_retention FOR UPDATE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'vouch_for_rows')
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'vouch_for_rows');
-- To lock the row: whoever prunes changes nothing of it, and could only take its MAC away.
CREATE POLICY prune_locks ON ledger_retention FOR UPDATE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'prune_ledger')
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'prune_ledger');

CREATE POLICY tenant_reads ON ledger_cuts FOR SELECT TO bailiwick_runtime
    USING (workspace_id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid)
        AND environment = (SELECT nullif(current_setting('app.environment', true), '')));
GRANT SELECT ON ledger_cuts TO bailiwick_runtime;
CREATE POLICY verify_select ON ledger_cuts FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'verify_ledger');
CREATE POLICY prune_insert ON ledger_cuts FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'prune_ledger');
CREATE POLICY prune_update ON ledger_cuts FOR UPDATE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'prune_ledger')
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'prune_ledger');
GRANT SELECT, INSERT, UPDATE (deleted_to) ON ledger_cuts TO bailiwick_system;

-- The one path on which entries go.
CREATE POLICY prune_select ON ledger_entries FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'prune_ledger');
CREATE POLICY prune_delete ON ledger_entries FOR DELETE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'prune_ledger');
GRANT DELETE ON ledger_entries TO bailiwick_system;
CREATE POLICY prune_select ON ledger_openings FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'prune_ledger');
CREATE POLICY prune_update ON ledger_openings FOR UPDATE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'prune_ledger')
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'prune_ledger');
CREATE POLICY prune_delete ON ledger_openings FOR DELETE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'prune_ledger');
GRANT DELETE, UPDATE (actor_subject, meta_subject, target_subject) ON ledger_openings TO bailiwick_system;
-- What entries below the cut say of rows is found without reading past the others.
CREATE INDEX ledger_openings_of_rows ON ledger_openings (workspace_id, environment, generation, seq) WHERE rows IS NOT NULL;
CREATE POLICY prune_appends ON ledger_staged FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'prune_ledger');
CREATE POLICY prune_select ON ledger_heads FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'prune_ledger');
