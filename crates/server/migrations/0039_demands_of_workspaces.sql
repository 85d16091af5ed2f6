-- Whether a workspace lets in only those who have shown a factor stands in the workspace's own row, too, under a MAC. A membership
-- that was out of the way when it was said, and is put back, does not say it; the workspace's row does, and where nobody vouches
-- for that, it is said.
ALTER TABLE workspaces ADD COLUMN strong_only boolean NOT NULL DEFAULT false;
ALTER TABLE workspaces ADD COLUMN mac bytea NOT NULL DEFAULT '';
COMMENT ON COLUMN workspaces.strong_only IS 'the workspace demands a session in which a factor beyond the mail was shown; the MAC is over it';
COMMENT ON COLUMN workspaces.mac IS 'over what the workspace demands; empty: it demands a factor';

-- How it is called is not vouched for, and is counted by nobody.
DROP TRIGGER raise_version ON workspaces;
CREATE TRIGGER raise_version BEFORE UPDATE OF strong_only, mac ON workspaces FOR EACH ROW EXECUTE FUNCTION raise_version();

GRANT UPDATE (strong_only, mac) ON workspaces TO bailiwick_runtime;
GRANT SELECT (version, strong_only, mac), UPDATE (mac) ON workspaces TO bailiwick_system;
ALTER POLICY path_select ON workspaces USING ((SELECT current_setting('app.operational_path', true))
    IN ('authenticate_key', 'delete_account', 'follow_feed', 'look_up_invitation', 'raise_alerts', 'vouch_for_rows'));
CREATE POLICY path_update ON workspaces FOR UPDATE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'vouch_for_rows')
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'vouch_for_rows');

-- What the server writes over a row that nobody vouches for has a serial that no state of it had before, whatever number somebody
-- has put there: what stood there before is older than that, also when it is put back.
CREATE OR REPLACE FUNCTION raise_version() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    at_least bigint := nullif(current_setting('app.count_on_from', true), '')::bigint;
BEGIN
    IF current_setting('app.operational_path', true) IS DISTINCT FROM 'vouch_for_rows' THEN
        NEW.version := greatest(OLD.version + 1, at_least);
    ELSE
        NEW.version := greatest(OLD.version, at_least);
    END IF;
    RETURN NEW;
END $$;
