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
