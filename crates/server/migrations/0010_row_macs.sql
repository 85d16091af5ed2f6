-- Rows that grant something carry a MAC over what they grant, under a key that the database does not have: whoever owns
-- the database alone grants nothing. What each MAC is over stands in crates/server/src/authz/vouched/rows.rs.

-- A row that is written without one, or was there before, is vouched for by nobody: it grants nothing.
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['api_keys', 'memberships', 'users', 'sessions', 'refresh_tokens', 'internal_credentials',
        'sign_in_challenges']
    LOOP
        EXECUTE format('ALTER TABLE %I ADD COLUMN mac bytea NOT NULL DEFAULT ''''', t);
        EXECUTE format($comment$COMMENT ON COLUMN %I.mac IS 'over what the row grants; empty: it grants nothing'$comment$, t);
    END LOOP;
END $$;

-- Whoever changes a key vouches for it anew, and does not read its digest.
ALTER TABLE api_keys ADD COLUMN imprint bytea GENERATED ALWAYS AS (sha256(digest)) STORED;
COMMENT ON COLUMN api_keys.imprint IS 'stands for the digest in the MAC';

-- What an entry says of the rows that changed with it, so that a row can be held against the log. It holds ids and numbers,
-- nothing personal, and stays when a person is erased.
ALTER TABLE ledger_staged ADD COLUMN rows bytea;
ALTER TABLE cell_ledger_staged ADD COLUMN rows bytea;
ALTER TABLE ledger_openings ADD COLUMN rows bytea;
COMMENT ON COLUMN ledger_openings.rows IS 'vouched for together with the entry''s place';

-- What was found that should not be.
CREATE TABLE alerts (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    what text NOT NULL CHECK (what ~ '^[a-z_]{1,60}$'),
    of_what text NOT NULL CHECK (length(of_what) BETWEEN 1 AND 100),
    row_name text NOT NULL CHECK (length(row_name) <= 300),
    first_seen_at timestamptz NOT NULL CHECK (isfinite(first_seen_at)),
    last_seen_at timestamptz NOT NULL CHECK (isfinite(last_seen_at)),
    seen bigint NOT NULL CHECK (seen >= 1),
    resolved_at timestamptz CHECK (isfinite(resolved_at)),
    PRIMARY KEY (workspace_id, id),
    CONSTRAINT alerts_once UNIQUE (workspace_id, what, of_what, row_name)
);
COMMENT ON COLUMN alerts.workspace_id IS 'the nil uuid for what belongs to the cell';

-- Vouching for a row under a newer key changes nothing that it grants, nor does fencing it, which takes its MAC away.
CREATE OR REPLACE FUNCTION raise_version() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF current_setting('app.operational_path', true) IS DISTINCT FROM 'vouch_for_rows' THEN
        NEW.version := OLD.version + 1;
    END IF;
    RETURN NEW;
END $$;

-- The walls -----------------------------------------------------------------------------------------

GRANT SELECT (version, mac, imprint), UPDATE (mac) ON api_keys TO bailiwick_runtime;
GRANT SELECT (mac), UPDATE (mac) ON api_keys TO bailiwick_system;
GRANT UPDATE (mac) ON memberships TO bailiwick_runtime;
GRANT SELECT, UPDATE (mac) ON memberships TO bailiwick_system;
GRANT UPDATE (mac) ON users, sessions, refresh_tokens, internal_credentials, sign_in_challenges TO bailiwick_system;

-- Vouching anew under a newer key, and holding rows against the ledger.
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['api_keys', 'memberships', 'users', 'sessions', 'refresh_tokens', 'internal_credentials',
        'sign_in_challenges']
    LOOP
        EXECUTE format($policy$CREATE POLICY vouched_select ON %I FOR SELECT TO bailiwick_system
            USING ((SELECT current_setting('app.operational_path', true)) = 'vouch_for_rows')$policy$, t);
        EXECUTE format($policy$CREATE POLICY vouched_update ON %I FOR UPDATE TO bailiwick_system
            USING ((SELECT current_setting('app.operational_path', true)) = 'vouch_for_rows')
            WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'vouch_for_rows')$policy$, t);
    END LOOP;
END $$;
CREATE POLICY vouched_appends ON feed_changes FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'vouch_for_rows');

ALTER TABLE alerts ENABLE ROW LEVEL SECURITY;
ALTER TABLE alerts FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON alerts TO bailiwick_owner USING (true) WITH CHECK (true);
REVOKE ALL ON alerts FROM PUBLIC;
CREATE POLICY path_select ON alerts FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'raise_alerts');
CREATE POLICY path_insert ON alerts FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'raise_alerts');
CREATE POLICY path_update ON alerts FOR UPDATE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'raise_alerts')
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'raise_alerts');
GRANT SELECT, INSERT, UPDATE (last_seen_at, seen, resolved_at) ON alerts TO bailiwick_system;
CREATE POLICY alerts_append ON cell_ledger_staged FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) IN ('raise_alerts', 'vouch_for_rows'));
CREATE POLICY alerts_append ON ledger_staged FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'raise_alerts');
CREATE POLICY alerts_know ON workspaces FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'raise_alerts');
