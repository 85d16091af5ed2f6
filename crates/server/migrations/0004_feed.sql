-- The feed: what every node keeps in memory, told by the transaction that changes it.
--
-- Row triggers write the changes, so that nobody changes one of these tables unseen, with psql neither. A node reads
-- all visible rows from a watermark of transaction ids on (docs/explanation/feed.md): no commit overtakes it unseen.

CREATE TABLE feed_changes (
    workspace_id uuid NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    entity text NOT NULL CHECK (entity IN ('api_key', 'membership', 'workspace', 'session', 'user')),
    entity_id uuid NOT NULL,
    vanished boolean NOT NULL DEFAULT false,
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (workspace_id, id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 1000);
CREATE INDEX feed_changes_by_xid ON feed_changes (xid);
COMMENT ON INDEX feed_changes_by_xid IS 'crosses tenants: operational path follow_feed';
CREATE INDEX feed_changes_by_age ON feed_changes (changed_at);
COMMENT ON INDEX feed_changes_by_age IS 'crosses tenants: operational path expire_changes';
COMMENT ON COLUMN feed_changes.workspace_id IS 'the nil uuid for what belongs to the cell: sessions and users';
COMMENT ON COLUMN feed_changes.entity_id IS 'the row''s id; of a membership the user''s, of a workspace its own';
COMMENT ON COLUMN feed_changes.vanished IS 'there is no such row any more, or it stands under another id or index';

-- Who has to have heard of a revocation before it is answered. One row for each node, written twice a second.
CREATE TABLE feed_nodes (
    node_id uuid PRIMARY KEY,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    applied pg_snapshot NOT NULL,
    beat bigint NOT NULL DEFAULT 0,
    beat_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 25, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);
COMMENT ON COLUMN feed_nodes.applied IS 'the node knows of everything that this snapshot sees';
COMMENT ON COLUMN feed_nodes.beat IS 'another number at each sign of life; how long it stood still is measured by whoever reads it';

-- Versions: of two states of a row the higher one is the later. -----------------------------------

CREATE FUNCTION raise_version() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    NEW.version := OLD.version + 1;
    RETURN NEW;
END $$;
REVOKE ALL ON FUNCTION raise_version() FROM PUBLIC;

CREATE FUNCTION note_change() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    nil CONSTANT uuid := '00000000-0000-0000-0000-000000000000';
    -- The rows as documents: the tables name their ids differently.
    before jsonb := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END;
    after jsonb := CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END;
    id_column text := TG_ARGV[1];
BEGIN
    IF before IS NOT NULL AND (after IS NULL
        OR (before -> 'workspace_id', before -> id_column, before -> 'lookup')
            IS DISTINCT FROM (after -> 'workspace_id', after -> id_column, after -> 'lookup'))
    THEN
        INSERT INTO feed_changes (workspace_id, entity, entity_id, vanished)
        VALUES (coalesce((before ->> 'workspace_id')::uuid, nil), TG_ARGV[0], (before ->> id_column)::uuid, true);
    END IF;
    IF after IS NOT NULL THEN
        INSERT INTO feed_changes (workspace_id, entity, entity_id)
        VALUES (coalesce((after ->> 'workspace_id')::uuid, nil), TG_ARGV[0], (after ->> id_column)::uuid);
    END IF;
    -- Only to wake: a node that misses it polls. Takes a lock on the cluster at commit, hence for rare changes alone.
    PERFORM pg_notify('bailiwick_feed', '');
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION note_change() FROM PUBLIC;

DO $$
DECLARE
    entity record;
BEGIN
    -- A session, person or workspace that is new stands in no memory yet; a key or a membership may have been asked for.
    FOR entity IN VALUES
        ('api_keys', 'api_key', 'id', 'INSERT OR UPDATE OR DELETE'),
        ('memberships', 'membership', 'user_id', 'INSERT OR UPDATE OR DELETE'),
        ('workspaces', 'workspace', 'workspace_id', 'UPDATE OR DELETE'),
        ('sessions', 'session', 'id', 'UPDATE OR DELETE'),
        ('users', 'user', 'id', 'UPDATE OR DELETE')
    LOOP
        EXECUTE format('ALTER TABLE %I ADD COLUMN version bigint NOT NULL DEFAULT 1', entity.column1);
        EXECUTE format('CREATE TRIGGER raise_version BEFORE UPDATE ON %I FOR EACH ROW EXECUTE FUNCTION raise_version()',
            entity.column1);
        EXECUTE format('CREATE TRIGGER note_change AFTER %s ON %I FOR EACH ROW EXECUTE FUNCTION note_change(%L, %L)',
            entity.column4, entity.column1, entity.column2, entity.column3);
    END LOOP;
END $$;

-- When a key was last used: kept apart, since a use is no change of the key. -----------------------

CREATE TABLE api_key_uses (
    workspace_id uuid NOT NULL,
    environment text NOT NULL CHECK (environment IN ('live', 'test')),
    project_id uuid,
    key_id uuid NOT NULL,
    last_used_at timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, key_id)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
COMMENT ON TABLE api_key_uses IS 'no foreign key: a batch of uses must not fail for one key that is gone';
INSERT INTO api_key_uses (workspace_id, environment, project_id, key_id, last_used_at)
    SELECT workspace_id, environment, project_id, id, last_used_at FROM api_keys WHERE last_used_at IS NOT NULL;
DROP POLICY path_update ON api_keys;
REVOKE UPDATE (last_used_at) ON api_keys FROM bailiwick_system;
ALTER TABLE api_keys DROP COLUMN last_used_at;

-- The walls ---------------------------------------------------------------------------------------

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['feed_changes', 'feed_nodes', 'api_key_uses'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY owner_all ON %I TO bailiwick_owner USING (true) WITH CHECK (true)', t);
        EXECUTE format('REVOKE ALL ON %I FROM PUBLIC', t);
    END LOOP;
END $$;

-- Whoever changes a row tells of it, and of nobody else's.
CREATE POLICY tenant_appends ON feed_changes FOR INSERT TO bailiwick_runtime
    WITH CHECK (workspace_id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid));
GRANT INSERT ON feed_changes TO bailiwick_runtime;
CREATE POLICY path_appends ON feed_changes FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) IN ('refresh_session', 'end_session'));
CREATE POLICY path_select ON feed_changes FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) IN ('follow_feed', 'expire_changes'));
CREATE POLICY path_delete ON feed_changes FOR DELETE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'expire_changes');
GRANT SELECT, INSERT, DELETE ON feed_changes TO bailiwick_system;

CREATE POLICY path_select ON feed_nodes FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) IN ('follow_feed', 'expire_changes'));
CREATE POLICY path_insert ON feed_nodes FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'follow_feed');
CREATE POLICY path_update ON feed_nodes FOR UPDATE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'follow_feed')
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'follow_feed');
CREATE POLICY path_delete ON feed_nodes FOR DELETE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'follow_feed');
GRANT SELECT, INSERT, UPDATE (applied, beat, beat_at), DELETE ON feed_nodes TO bailiwick_system;

DROP POLICY path_select ON api_keys;
CREATE POLICY path_select ON api_keys FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) IN ('authenticate_key', 'follow_feed'));
GRANT SELECT (version) ON api_keys TO bailiwick_system;
DROP POLICY path_select ON workspaces;
CREATE POLICY path_select ON workspaces FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) IN ('authenticate_key', 'follow_feed'));

CREATE POLICY tenant_reads ON api_key_uses FOR SELECT TO bailiwick_runtime
    USING (workspace_id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid)
        AND environment = (SELECT nullif(current_setting('app.environment', true), ''))
        AND ((SELECT current_setting('app.project_id', true)) = '*'
            OR project_id = (SELECT nullif(nullif(current_setting('app.project_id', true), ''), '*')::uuid)));
GRANT SELECT ON api_key_uses TO bailiwick_runtime;
CREATE POLICY path_select ON api_key_uses FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'note_key_uses');
CREATE POLICY path_insert ON api_key_uses FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'note_key_uses');
CREATE POLICY path_update ON api_key_uses FOR UPDATE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'note_key_uses')
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'note_key_uses');
GRANT SELECT, INSERT, UPDATE (last_used_at) ON api_key_uses TO bailiwick_system;
