-- Erasures: what was made unreadable of a workspace's logs, when and by whom; of whom, a commitment alone.
--
-- A row is there before anything is erased, and says how far it is, so that whatever dies in between is gone on with.

CREATE TABLE erasures (
    workspace_id uuid NOT NULL,
    environment text NOT NULL CHECK (environment IN ('live', 'test')),
    id uuid NOT NULL,
    subject_number bigint NOT NULL CHECK (subject_number BETWEEN 0 AND 4294967295),
    commitment bytea NOT NULL CHECK (octet_length(commitment) = 32),
    requested_by text NOT NULL CHECK (length(requested_by) BETWEEN 1 AND 100),
    requested_at timestamptz NOT NULL CHECK (isfinite(requested_at)),
    fields_found bigint NOT NULL CHECK (fields_found >= 0),
    fields_erased bigint NOT NULL DEFAULT 0 CHECK (fields_erased >= 0),
    finished_at timestamptz CHECK (isfinite(finished_at)),
    certificate_event uuid,
    mac bytea NOT NULL DEFAULT '',
    PRIMARY KEY (workspace_id, id),
    CONSTRAINT erasures_certified CHECK (num_nulls(finished_at, certificate_event) IN (0, 2))
);
COMMENT ON COLUMN erasures.environment IS 'where it was asked for, which is live: it reaches both';
COMMENT ON COLUMN erasures.commitment IS 'to the subject''s name; whoever asked has what opens it, and nobody else';
COMMENT ON COLUMN erasures.requested_by IS 'a user''s id, or operator';
COMMENT ON COLUMN erasures.mac IS 'over who is meant: nobody is erased for a row that was put here or altered by hand';
COMMENT ON COLUMN erasures.certificate_event IS 'the entry subject.erased, whose receipt is the certificate';
CREATE UNIQUE INDEX erasures_one_under_way ON erasures (workspace_id, subject_number) WHERE finished_at IS NULL;

-- The walls -----------------------------------------------------------------------------------------

ALTER TABLE erasures ENABLE ROW LEVEL SECURITY;
ALTER TABLE erasures FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON erasures TO bailiwick_owner USING (true) WITH CHECK (true);
REVOKE ALL ON erasures FROM PUBLIC;
CREATE POLICY tenant_rows ON erasures TO bailiwick_runtime
    USING (workspace_id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid)
        AND environment = (SELECT nullif(current_setting('app.environment', true), '')))
    WITH CHECK (workspace_id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid)
        AND environment = (SELECT nullif(current_setting('app.environment', true), '')));
GRANT SELECT, INSERT ON erasures TO bailiwick_runtime;

CREATE POLICY path_select ON erasures FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'shred');
CREATE POLICY path_insert ON erasures FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'shred');
CREATE POLICY path_update ON erasures FOR UPDATE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'shred')
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'shred');
GRANT SELECT, INSERT, UPDATE (fields_erased, finished_at, certificate_event) ON erasures TO bailiwick_system;

-- The certificate is an entry of the workspace's own log.
CREATE POLICY shred_appends ON ledger_staged FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'shred');
