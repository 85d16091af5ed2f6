-- Search of an audit log, each question by one walk of one index; and the actions that a workspace's programs may record.

-- Search ----------------------------------------------------------------------------------------------
-- Whoever asks for an actor, a target or an action within a time gets it by the time that entries say, the newest first. Each index ends with the
-- time and the place, so that its order is that of the answer: nothing is sorted, and nothing is read that lies outside of the time.

-- Beside the blind indexes, so that one index has both. It repeats what the entry says, and tells nothing of a person.
ALTER TABLE ledger_openings ADD COLUMN recorded_at timestamptz;
UPDATE ledger_openings o SET recorded_at = e.recorded_at FROM ledger_entries e
    WHERE e.workspace_id = o.workspace_id AND e.environment = o.environment AND e.generation = o.generation AND e.seq = o.seq;
UPDATE ledger_openings SET recorded_at = 'epoch' WHERE recorded_at IS NULL;
ALTER TABLE ledger_openings ALTER COLUMN recorded_at SET NOT NULL;
COMMENT ON COLUMN ledger_openings.recorded_at IS 'repeats what the entry says, for search';

DROP INDEX ledger_entries_by_action;
DROP INDEX ledger_entries_by_time;
DROP INDEX ledger_openings_by_actor;
DROP INDEX ledger_openings_by_target;
CREATE INDEX ledger_entries_by_action ON ledger_entries (workspace_id, environment, action, recorded_at, generation, seq);
CREATE INDEX ledger_entries_by_time ON ledger_entries (workspace_id, environment, recorded_at, generation, seq);
CREATE INDEX ledger_entries_by_project ON ledger_entries (workspace_id, environment, project_id, recorded_at, generation, seq)
    WHERE project_id IS NOT NULL;
CREATE INDEX ledger_openings_by_actor ON ledger_openings (workspace_id, environment, actor_index, recorded_at, generation, seq)
    WHERE actor_index IS NOT NULL;
CREATE INDEX ledger_openings_by_target ON ledger_openings (workspace_id, environment, target_index, recorded_at, generation, seq)
    WHERE target_index IS NOT NULL;

-- Actions ---------------------------------------------------------------------------------------------
CREATE TABLE audit_actions (
    workspace_id uuid NOT NULL,
    environment text NOT NULL CHECK (environment IN ('live', 'test')),
    action text NOT NULL CHECK (octet_length(action) BETWEEN 3 AND 64),
    description text NOT NULL CHECK (char_length(description) <= 200),
    registered_by text NOT NULL CHECK (length(registered_by) BETWEEN 1 AND 100),
    registered_at timestamptz NOT NULL CHECK (isfinite(registered_at)),
    PRIMARY KEY (workspace_id, environment, action)
);
COMMENT ON TABLE audit_actions IS 'what a workspace''s own programs may record; words of ours need no row';

ALTER TABLE audit_actions ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_actions FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON audit_actions TO bailiwick_owner USING (true) WITH CHECK (true);
REVOKE ALL ON audit_actions FROM PUBLIC;
CREATE POLICY tenant_rows ON audit_actions TO bailiwick_runtime
    USING (workspace_id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid)
        AND environment = (SELECT nullif(current_setting('app.environment', true), '')))
    WITH CHECK (workspace_id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid)
        AND environment = (SELECT nullif(current_setting('app.environment', true), '')));
GRANT SELECT, INSERT, DELETE ON audit_actions TO bailiwick_runtime;

-- Whoever records is asked by the transaction that numbers what they tell.
CREATE POLICY record_select ON audit_actions FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'record_events'
        AND workspace_id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid)
        AND environment = (SELECT nullif(current_setting('app.environment', true), '')));
GRANT SELECT ON audit_actions TO bailiwick_system;
