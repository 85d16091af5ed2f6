-- The ledger: staged entries become numbered, linked, committed to and signed.
--
-- A log is a workspace's environment. The cell's own log stands in the same tables under the nil uuid, which no
-- transaction of a tenant can name, and environment 'live'. No foreign key leads out of here: a log outlives what it
-- tells of. Formats: docs/adr/0010-log-formats.md.

-- What was fixed when the cell was made: its id, and the name of its logs.
CREATE TABLE cell_facts (
    name text PRIMARY KEY,
    value text NOT NULL
);

-- Staging holds what an entry is made of; the sequencer adds place, link and commitments.
ALTER TABLE ledger_staged ADD COLUMN recorded_by text;
UPDATE ledger_staged SET recorded_by = coalesce(actor ->> 'id', actor ->> 'kind', 'system');
ALTER TABLE ledger_staged
    ALTER COLUMN recorded_by SET NOT NULL,
    ALTER COLUMN actor TYPE text USING coalesce(actor ->> 'id', actor ->> 'kind', ''),
    ALTER COLUMN target TYPE text USING coalesce(target ->> 'id', ''),
    -- Every change pays for what an insert into this table costs. PostgreSQL reads CHECK expressions anew for each; the
    -- types of the server and the sequencer check the same, and the wall's policy says whose row it is.
    DROP CONSTRAINT ledger_staged_workspace_id_fkey,
    DROP CONSTRAINT ledger_staged_environment_check,
    DROP CONSTRAINT ledger_staged_action_check,
    DROP CONSTRAINT ledger_staged_trace_id_check,
    DROP CONSTRAINT ledger_staged_external_request_id_check,
    SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, fillfactor = 100);
ALTER TABLE cell_ledger_staged ADD COLUMN recorded_by text;
UPDATE cell_ledger_staged SET recorded_by = coalesce(actor ->> 'id', actor ->> 'kind', 'system');
ALTER TABLE cell_ledger_staged
    ALTER COLUMN recorded_by SET NOT NULL,
    ALTER COLUMN actor TYPE text USING coalesce(actor ->> 'id', actor ->> 'kind', ''),
    ALTER COLUMN target TYPE text USING coalesce(target ->> 'id', ''),
    DROP CONSTRAINT cell_ledger_staged_action_check,
    DROP CONSTRAINT cell_ledger_staged_trace_id_check,
    DROP CONSTRAINT cell_ledger_staged_external_request_id_check,
    SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, fillfactor = 100);

-- Where each log ends. Whoever appends holds this row's lock first.
CREATE TABLE ledger_heads (
    workspace_id uuid NOT NULL,
    environment text NOT NULL CHECK (environment IN ('live', 'test')),
    generation integer NOT NULL CHECK (generation >= 1),
    size bigint NOT NULL CHECK (size >= 0),
    last_leaf bytea NOT NULL CHECK (octet_length(last_leaf) = 32),
    frontier bytea NOT NULL CHECK (octet_length(frontier) % 32 = 0),
    PRIMARY KEY (workspace_id, environment)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
COMMENT ON COLUMN ledger_heads.frontier IS 'hashes of the complete subtrees, the largest first';

CREATE TABLE ledger_entries (
    workspace_id uuid NOT NULL,
    environment text NOT NULL CHECK (environment IN ('live', 'test')),
    project_id uuid,
    generation integer NOT NULL CHECK (generation >= 1),
    seq bigint NOT NULL CHECK (seq >= 0),
    event_id uuid NOT NULL,
    action text NOT NULL,
    recorded_at timestamptz NOT NULL,
    entry bytea NOT NULL CHECK (octet_length(entry) <= 65535),
    PRIMARY KEY (workspace_id, environment, generation, seq)
);
-- Not unique, so that a planted row with an id that was used holds up no log.
CREATE INDEX ledger_entries_by_event ON ledger_entries (workspace_id, environment, event_id);
COMMENT ON COLUMN ledger_entries.entry IS 'the bytes that the leaf is the hash of; action and recorded_at repeat what they say, for search';
CREATE INDEX ledger_entries_by_action ON ledger_entries (workspace_id, environment, action, generation, seq);
CREATE INDEX ledger_entries_by_time ON ledger_entries (workspace_id, environment, recorded_at);

-- What the commitments of an entry are commitments to. Erasing a value leaves the entry whole.
CREATE TABLE ledger_openings (
    workspace_id uuid NOT NULL,
    environment text NOT NULL CHECK (environment IN ('live', 'test')),
    project_id uuid,
    generation integer NOT NULL,
    seq bigint NOT NULL,
    actor text,
    actor_r bytea CHECK (octet_length(actor_r) = 32),
    target text,
    target_r bytea CHECK (octet_length(target_r) = 32),
    ip text,
    ip_r bytea CHECK (octet_length(ip_r) = 32),
    meta text,
    meta_r bytea CHECK (octet_length(meta_r) = 32),
    PRIMARY KEY (workspace_id, environment, generation, seq)
);
CREATE INDEX ledger_openings_by_actor ON ledger_openings (workspace_id, environment, actor, generation, seq);
CREATE INDEX ledger_openings_by_target ON ledger_openings (workspace_id, environment, target, generation, seq);

-- The tree: runs of hashes of complete subtrees of 256^tile_level leaves, as they were appended.
CREATE TABLE ledger_hashes (
    workspace_id uuid NOT NULL,
    environment text NOT NULL CHECK (environment IN ('live', 'test')),
    generation integer NOT NULL,
    tile_level smallint NOT NULL CHECK (tile_level BETWEEN 0 AND 7),
    start bigint NOT NULL CHECK (start >= 0),
    hashes bytea NOT NULL CHECK (octet_length(hashes) > 0 AND octet_length(hashes) % 32 = 0),
    PRIMARY KEY (workspace_id, environment, generation, tile_level, start)
);

CREATE TABLE ledger_keys (
    workspace_id uuid NOT NULL,
    environment text NOT NULL CHECK (environment IN ('live', 'test')),
    kid text NOT NULL,
    generation integer NOT NULL,
    public_key bytea NOT NULL CHECK (octet_length(public_key) = 32),
    seed_sealed bytea NOT NULL,
    created_at timestamptz NOT NULL,
    retired_at timestamptz,
    PRIMARY KEY (workspace_id, environment, kid)
);
CREATE UNIQUE INDEX ledger_keys_current ON ledger_keys (workspace_id, environment) WHERE retired_at IS NULL;

-- What was signed and handed out.
CREATE TABLE ledger_checkpoints (
    workspace_id uuid NOT NULL,
    environment text NOT NULL CHECK (environment IN ('live', 'test')),
    generation integer NOT NULL,
    size bigint NOT NULL CHECK (size >= 0),
    signed_at timestamptz NOT NULL,
    note text NOT NULL,
    PRIMARY KEY (workspace_id, environment, generation, size)
);

-- The walls -----------------------------------------------------------------------------------

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['cell_facts', 'ledger_heads', 'ledger_entries', 'ledger_openings', 'ledger_hashes', 'ledger_keys',
        'ledger_checkpoints']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY owner_all ON %I TO bailiwick_owner USING (true) WITH CHECK (true)', t);
        EXECUTE format('REVOKE ALL ON %I FROM PUBLIC', t);
    END LOOP;

    -- A tenant reads its own logs and appends by staging alone.
    FOREACH t IN ARRAY ARRAY['ledger_entries', 'ledger_openings'] LOOP
        EXECUTE format($policy$CREATE POLICY tenant_reads ON %I FOR SELECT TO bailiwick_runtime
            USING (workspace_id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid)
                AND environment = (SELECT nullif(current_setting('app.environment', true), ''))
                AND ((SELECT current_setting('app.project_id', true)) = '*'
                    OR project_id = (SELECT nullif(nullif(current_setting('app.project_id', true), ''), '*')::uuid)))$policy$, t);
        EXECUTE format('GRANT SELECT ON %I TO bailiwick_runtime', t);
    END LOOP;
    -- Hashes, heads and checkpoints tell nothing of what was done in which project, and proofs need all of them.
    FOREACH t IN ARRAY ARRAY['ledger_heads', 'ledger_hashes', 'ledger_checkpoints'] LOOP
        EXECUTE format($policy$CREATE POLICY tenant_reads ON %I FOR SELECT TO bailiwick_runtime
            USING (workspace_id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid)
                AND environment = (SELECT nullif(current_setting('app.environment', true), '')))$policy$, t);
        EXECUTE format('GRANT SELECT ON %I TO bailiwick_runtime', t);
    END LOOP;
END $$;

DROP POLICY path_appends ON cell_ledger_staged;
CREATE POLICY path_appends ON cell_ledger_staged FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) IN
        ('request_sign_in', 'redeem_sign_in', 'refresh_session', 'end_session', 'establish_cell', 'rotate_ledger_key'));
CREATE POLICY path_appends ON ledger_staged FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'rotate_ledger_key');
GRANT INSERT ON ledger_staged TO bailiwick_system;

CREATE POLICY path_insert ON cell_facts FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'establish_cell');
CREATE POLICY path_select ON cell_facts FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) IN ('establish_cell', 'verify_ledger'));
GRANT SELECT, INSERT ON cell_facts TO bailiwick_system;

-- Sequencing: out of staging, into the log.
CREATE POLICY path_select ON ledger_staged FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) IN ('sequence_ledger', 'verify_ledger'));
CREATE POLICY path_delete ON ledger_staged FOR DELETE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'sequence_ledger');
GRANT SELECT, DELETE ON ledger_staged TO bailiwick_system;
CREATE POLICY path_select ON cell_ledger_staged FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) IN ('sequence_ledger', 'verify_ledger'));
CREATE POLICY path_delete ON cell_ledger_staged FOR DELETE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'sequence_ledger');
GRANT SELECT, DELETE ON cell_ledger_staged TO bailiwick_system;

CREATE POLICY path_select ON ledger_heads FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) IN
        ('sequence_ledger', 'sign_ledger', 'rotate_ledger_key', 'verify_ledger'));
CREATE POLICY path_insert ON ledger_heads FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'sequence_ledger');
CREATE POLICY path_update ON ledger_heads FOR UPDATE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'sequence_ledger')
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'sequence_ledger');
GRANT SELECT, INSERT, UPDATE (size, last_leaf, frontier) ON ledger_heads TO bailiwick_system;

CREATE POLICY path_insert ON ledger_entries FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'sequence_ledger');
CREATE POLICY path_select ON ledger_entries FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'verify_ledger');
GRANT SELECT, INSERT ON ledger_entries TO bailiwick_system;

CREATE POLICY path_insert ON ledger_openings FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'sequence_ledger');
CREATE POLICY path_select ON ledger_openings FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'verify_ledger');
GRANT SELECT, INSERT ON ledger_openings TO bailiwick_system;

CREATE POLICY path_insert ON ledger_hashes FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'sequence_ledger');
CREATE POLICY path_select ON ledger_hashes FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) IN ('sign_ledger', 'verify_ledger'));
GRANT SELECT, INSERT ON ledger_hashes TO bailiwick_system;

-- Signing.
CREATE POLICY path_select ON ledger_keys FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) IN
        ('sequence_ledger', 'sign_ledger', 'rotate_ledger_key', 'publish_ledger_keys', 'verify_ledger'));
CREATE POLICY path_insert ON ledger_keys FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) IN ('sequence_ledger', 'rotate_ledger_key'));
CREATE POLICY path_update ON ledger_keys FOR UPDATE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'rotate_ledger_key')
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'rotate_ledger_key');
GRANT SELECT, INSERT, UPDATE (retired_at) ON ledger_keys TO bailiwick_system;

CREATE POLICY path_select ON ledger_checkpoints FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) IN ('sign_ledger', 'verify_ledger'));
CREATE POLICY path_insert ON ledger_checkpoints FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'sign_ledger');
GRANT SELECT, INSERT ON ledger_checkpoints TO bailiwick_system;
