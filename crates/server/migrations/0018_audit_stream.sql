-- The stream of an audit log to a bucket of the customer's own.
--
-- Where it goes is sealed as a whole, with the key of the customer's account: nobody who can write here alone turns it elsewhere.
-- How far it is says the bucket; what stands here of that is shown, and decides when to look.

CREATE TABLE audit_streams (
    workspace_id uuid NOT NULL REFERENCES workspaces (workspace_id),
    environment text NOT NULL CHECK (environment IN ('live', 'test')),
    settings_sealed bytea NOT NULL,
    set_by text NOT NULL CHECK (length(set_by) BETWEEN 1 AND 100),
    set_at timestamptz NOT NULL CHECK (isfinite(set_at)),
    generation integer NOT NULL DEFAULT 1 CHECK (generation >= 1),
    size bigint NOT NULL DEFAULT 0 CHECK (size >= 0),
    written_at timestamptz CHECK (isfinite(written_at)),
    fault text CHECK (fault ~ '^[a-z]+(_[a-z]+)*$'),
    fault_object text CHECK (length(fault_object) <= 1000),
    fault_at timestamptz CHECK (isfinite(fault_at)),
    failures integer NOT NULL DEFAULT 0 CHECK (failures >= 0),
    is_stopped boolean NOT NULL DEFAULT false,
    job uuid,
    due_at timestamptz CHECK (isfinite(due_at)),
    PRIMARY KEY (workspace_id, environment),
    CONSTRAINT audit_streams_fault CHECK (num_nulls(fault, fault_at) IN (0, 2)),
    CONSTRAINT audit_streams_due CHECK (num_nulls(job, due_at) IN (0, 2)),
    CONSTRAINT audit_streams_stopped CHECK (NOT is_stopped OR (fault IS NOT NULL AND job IS NULL))
);
COMMENT ON COLUMN audit_streams.settings_sealed IS 'endpoint, bucket and key: audit-stream/v1';
COMMENT ON COLUMN audit_streams.size IS 'entries of the generation that the bucket''s checkpoint covered when it was last written: a hint';
COMMENT ON COLUMN audit_streams.job IS 'the job that writes next; any other ends at once';
COMMENT ON COLUMN audit_streams.is_stopped IS 'the bucket holds something else than this log: nobody writes until it is set anew';

ALTER TABLE audit_streams ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_streams FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON audit_streams TO bailiwick_owner USING (true) WITH CHECK (true);
REVOKE ALL ON audit_streams FROM PUBLIC;
CREATE POLICY tenant_rows ON audit_streams TO bailiwick_runtime
    USING (workspace_id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid)
        AND environment = (SELECT nullif(current_setting('app.environment', true), '')))
    WITH CHECK (workspace_id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid)
        AND environment = (SELECT nullif(current_setting('app.environment', true), '')));
GRANT SELECT, INSERT, UPDATE (settings_sealed, set_by, set_at, generation, size, written_at, fault, fault_object, fault_at, failures, is_stopped,
    job, due_at), DELETE ON audit_streams TO bailiwick_runtime;

-- Which are behind, how far they have come, and the job that goes on.
CREATE POLICY path_select ON audit_streams FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) IN ('stream_logs', 'rotate_vault'));
CREATE POLICY path_update ON audit_streams FOR UPDATE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) IN ('stream_logs', 'rotate_vault'))
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) IN ('stream_logs', 'rotate_vault'));
GRANT SELECT, UPDATE (settings_sealed, generation, size, written_at, fault, fault_object, fault_at, failures, job, due_at) ON audit_streams
    TO bailiwick_system;
CREATE POLICY streaming_select ON ledger_heads FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'stream_logs');
CREATE POLICY streaming_insert ON jobs_ready FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'stream_logs');
