-- The server's own secrets: each version sealed by the cell's key before it comes here, so that they rotate while it runs.

CREATE TABLE server_secrets (
    purpose text NOT NULL CHECK (purpose IN ('mail', 'token_key')),
    version integer NOT NULL CHECK (version >= 1),
    value_sealed bytea,
    created_at timestamptz NOT NULL CHECK (isfinite(created_at)),
    destroyed_at timestamptz CHECK (isfinite(destroyed_at)),
    PRIMARY KEY (purpose, version),
    CONSTRAINT server_secrets_gone CHECK ((value_sealed IS NULL) = (destroyed_at IS NOT NULL))
);
COMMENT ON COLUMN server_secrets.value_sealed IS 'server-secret/v1: the value, since when it serves, and until when older ones do';
COMMENT ON COLUMN server_secrets.version IS 'counts up: no node goes back to a lower one';

ALTER TABLE server_secrets ENABLE ROW LEVEL SECURITY;
ALTER TABLE server_secrets FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON server_secrets TO bailiwick_owner USING (true) WITH CHECK (true);
REVOKE ALL ON server_secrets FROM PUBLIC;

CREATE POLICY path_select ON server_secrets FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) IN ('open_server_secrets', 'rotate_server_secrets'));
CREATE POLICY path_insert ON server_secrets FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'rotate_server_secrets');
CREATE POLICY path_update ON server_secrets FOR UPDATE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'rotate_server_secrets')
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'rotate_server_secrets');
CREATE POLICY vault_select ON server_secrets FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'rotate_vault');
CREATE POLICY vault_update ON server_secrets FOR UPDATE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'rotate_vault')
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'rotate_vault');
GRANT SELECT, INSERT, UPDATE (value_sealed, destroyed_at) ON server_secrets TO bailiwick_system;

CREATE POLICY path_appends_on_server_secrets ON cell_ledger_staged FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'rotate_server_secrets');

-- A service's credential that got a successor serves on until then.
ALTER TABLE internal_credentials ADD COLUMN ends_at timestamptz CHECK (isfinite(ends_at));
COMMENT ON COLUMN internal_credentials.ends_at IS 'set once, by its rotation';
GRANT UPDATE (ends_at) ON internal_credentials TO bailiwick_system;

-- A sign-in code is stored under a key: whoever reads the database cannot try all codes against it.
ALTER TABLE sign_in_challenges
    DROP CONSTRAINT sign_in_challenges_code_digest_check,
    ADD CONSTRAINT sign_in_challenges_code_digest_check CHECK (octet_length(code_digest) IN (32, 36));
COMMENT ON COLUMN sign_in_challenges.code_digest IS 'sign-in-code/v2: a MAC; 32 bytes are of before, and redeem nothing';

-- A secret is sealed with the walls that it stands behind.
DO $$
BEGIN
    IF EXISTS (SELECT FROM secret_versions WHERE value_sealed IS NOT NULL) THEN
        RAISE EXCEPTION 'secrets of before this version do not open any more: delete them, and store them again';
    END IF;
END $$;
COMMENT ON COLUMN secret_versions.value_sealed IS 'secret/v2; gone with its revocation';
