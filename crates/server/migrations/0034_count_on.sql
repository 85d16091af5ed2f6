-- A row that is fenced counts on from the last state that the log knows, so that what comes next has a serial of its own: a
-- serial that the log tells of twice then says that an older row was put back.

CREATE OR REPLACE FUNCTION raise_version() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF current_setting('app.operational_path', true) IS DISTINCT FROM 'vouch_for_rows' THEN
        NEW.version := OLD.version + 1;
    ELSE
        NEW.version := greatest(OLD.version, nullif(current_setting('app.count_on_from', true), '')::bigint);
    END IF;
    RETURN NEW;
END $$;

-- Fencing is a change of the MAC alone.
DROP TRIGGER raise_version ON passkeys;
CREATE TRIGGER raise_version BEFORE UPDATE OF counter, backed_up, removed_at, mac ON passkeys
    FOR EACH ROW EXECUTE FUNCTION raise_version();
