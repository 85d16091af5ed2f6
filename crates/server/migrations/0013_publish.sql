-- What is published of logs, for those who were not asked: daily roots.

-- A checkpoint's text as a JWS, one for each key that signs at the time. A day that has none was a day without a server.
CREATE TABLE ledger_daily_roots (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    environment text NOT NULL CHECK (environment IN ('live', 'test')),
    generation integer NOT NULL CHECK (generation >= 1),
    day date NOT NULL CHECK (isfinite(day)),
    size bigint NOT NULL CHECK (size >= 0),
    kid text NOT NULL,
    jws text NOT NULL,
    made_at timestamptz NOT NULL CHECK (isfinite(made_at)),
    PRIMARY KEY (workspace_id, id),
    CONSTRAINT ledger_daily_roots_once UNIQUE (workspace_id, environment, generation, day, kid)
);
CREATE INDEX ledger_daily_roots_by_age ON ledger_daily_roots (made_at);
COMMENT ON INDEX ledger_daily_roots_by_age IS 'crosses tenants: operational path publish_daily_roots';
COMMENT ON COLUMN ledger_daily_roots.day IS 'UTC, by the clock of the node that made it: the JWS says nothing of it';

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['ledger_daily_roots'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY owner_all ON %I TO bailiwick_owner USING (true) WITH CHECK (true)', t);
        EXECUTE format('REVOKE ALL ON %I FROM PUBLIC', t);
    END LOOP;
END $$;

CREATE POLICY path_select ON ledger_daily_roots FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) IN ('publish_daily_roots', 'publish_ledger_keys'));
CREATE POLICY path_insert ON ledger_daily_roots FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'publish_daily_roots');
CREATE POLICY path_delete ON ledger_daily_roots FOR DELETE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'publish_daily_roots');
GRANT SELECT, INSERT, DELETE ON ledger_daily_roots TO bailiwick_system;

CREATE POLICY publishing_select ON ledger_heads FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'publish_daily_roots');
CREATE POLICY publishing_select ON ledger_keys FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'publish_daily_roots');

-- Manifests: each hour one line for each log, its root as an entry of the cell's log.
CREATE TABLE ledger_manifests (
    hour timestamptz PRIMARY KEY CHECK (isfinite(hour)),
    logs bigint NOT NULL CHECK (logs >= 0),
    root bytea NOT NULL CHECK (octet_length(root) = 32),
    event_id uuid NOT NULL,
    made_at timestamptz NOT NULL CHECK (isfinite(made_at))
);
COMMENT ON COLUMN ledger_manifests.event_id IS 'its entry in the cell''s log';

-- The tree over the lines, as runs of hashes of complete subtrees of 256^tile_level lines.
CREATE TABLE ledger_manifest_hashes (
    hour timestamptz NOT NULL CHECK (isfinite(hour)),
    tile_level smallint NOT NULL CHECK (tile_level BETWEEN 0 AND 7),
    start bigint NOT NULL CHECK (start >= 0 AND start % 256 = 0),
    hashes bytea NOT NULL CHECK (octet_length(hashes) BETWEEN 32 AND 8192 AND octet_length(hashes) % 32 = 0),
    PRIMARY KEY (hour, tile_level, start)
);

-- What each line was made of: the log's size then, and the salt by which the line names the log.
CREATE TABLE ledger_manifest_lines (
    workspace_id uuid NOT NULL,
    environment text NOT NULL CHECK (environment IN ('live', 'test')),
    hour timestamptz NOT NULL CHECK (isfinite(hour)),
    generation integer NOT NULL CHECK (generation >= 1),
    size bigint NOT NULL CHECK (size >= 0),
    salt bytea NOT NULL CHECK (octet_length(salt) = 32),
    position bigint NOT NULL CHECK (position >= 0),
    PRIMARY KEY (workspace_id, environment, hour)
);
COMMENT ON COLUMN ledger_manifest_lines.salt IS 'keeps a reader of manifests from telling whose logs there are; a reader of this table sees it anyway';
CREATE INDEX ledger_manifest_lines_by_hour ON ledger_manifest_lines (hour);
COMMENT ON INDEX ledger_manifest_lines_by_hour IS 'crosses tenants: operational path publish_manifest';

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['ledger_manifests', 'ledger_manifest_hashes', 'ledger_manifest_lines'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY owner_all ON %I TO bailiwick_owner USING (true) WITH CHECK (true)', t);
        EXECUTE format('REVOKE ALL ON %I FROM PUBLIC', t);
        EXECUTE format($policy$CREATE POLICY path_insert ON %I FOR INSERT TO bailiwick_system
            WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'publish_manifest')$policy$, t);
        EXECUTE format($policy$CREATE POLICY path_delete ON %I FOR DELETE TO bailiwick_system
            USING ((SELECT current_setting('app.operational_path', true)) = 'publish_manifest')$policy$, t);
        EXECUTE format('GRANT SELECT, INSERT, DELETE ON %I TO bailiwick_system', t);
    END LOOP;
END $$;
CREATE POLICY tenant_reads ON ledger_manifest_lines FOR SELECT TO bailiwick_runtime
    USING (workspace_id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid)
        AND environment = (SELECT nullif(current_setting('app.environment', true), '')));
GRANT SELECT ON ledger_manifest_lines TO bailiwick_runtime;
CREATE POLICY path_select ON ledger_manifest_lines FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'publish_manifest');
CREATE POLICY path_select ON ledger_manifests FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) IN ('publish_manifest', 'show_manifest'));
CREATE POLICY path_select ON ledger_manifest_hashes FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) IN ('publish_manifest', 'show_manifest'));

CREATE POLICY manifest_select ON ledger_heads FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'publish_manifest');
CREATE POLICY manifest_select ON ledger_keys FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'publish_manifest');
CREATE POLICY manifest_select ON ledger_checkpoints FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'publish_manifest');
CREATE POLICY path_appends_manifest ON cell_ledger_staged FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'publish_manifest');

-- A customer is shown what it takes to check a manifest: its entry in the cell's log, that entry's openings, and hashes.
CREATE POLICY manifest_select ON ledger_entries FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'show_manifest');
CREATE POLICY manifest_select ON ledger_openings FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'show_manifest');
CREATE POLICY manifest_shows ON ledger_hashes FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'show_manifest');
