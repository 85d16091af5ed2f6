-- Passkeys: what a person signs in with from their own device, and the ceremonies that make and use them
-- (docs/adr/0036-passkeys.md).

-- A passkey that was removed stays as a row, without its name and its key, so that an older row put back is known by its version.
CREATE TABLE passkeys (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id),
    name text NOT NULL CHECK (length(name) <= 80),
    credential_id bytea NOT NULL CHECK (octet_length(credential_id) BETWEEN 1 AND 1023),
    user_handle uuid NOT NULL,
    credential_sealed bytea,
    counter bigint NOT NULL CHECK (counter BETWEEN 0 AND 4294967295),
    backup_eligible boolean NOT NULL,
    backed_up boolean NOT NULL,
    created_at timestamptz NOT NULL CHECK (isfinite(created_at)),
    last_used_at timestamptz CHECK (isfinite(last_used_at)),
    removed_at timestamptz CHECK (isfinite(removed_at)),
    version bigint NOT NULL DEFAULT 1,
    mac bytea NOT NULL DEFAULT '',
    CONSTRAINT passkeys_once UNIQUE (credential_id),
    CONSTRAINT passkeys_keep_no_key CHECK ((removed_at IS NULL) = (credential_sealed IS NOT NULL))
);
COMMENT ON COLUMN passkeys.credential_id IS 'as the authenticator named it; in the MAC';
COMMENT ON COLUMN passkeys.user_handle IS 'random; how the authenticator knows the person, one for all of theirs';
COMMENT ON COLUMN passkeys.credential_sealed IS 'the public key, as it was registered; it never changes, and is bound to the row';
COMMENT ON COLUMN passkeys.counter IS 'the highest signature counter that was seen; 0 from authenticators that have none';
COMMENT ON COLUMN passkeys.mac IS 'over what the row grants; empty: it grants nothing';
CREATE INDEX passkeys_by_person ON passkeys (user_id, id);
-- What the MAC is over. A name, a use and a newer seal are not.
CREATE TRIGGER raise_version BEFORE UPDATE OF counter, backed_up, removed_at ON passkeys
    FOR EACH ROW EXECUTE FUNCTION raise_version();

-- Minutes old at most. What a ceremony is for, and whose, is sealed with it: no column says so.
CREATE TABLE passkey_ceremonies (
    id uuid PRIMARY KEY,
    state_sealed bytea NOT NULL,
    expires_at timestamptz NOT NULL CHECK (isfinite(expires_at))
);
COMMENT ON TABLE passkey_ceremonies IS 'a challenge that is good once: whoever comes back with it takes the row';
CREATE INDEX passkey_ceremonies_by_time ON passkey_ceremonies (expires_at);

-- The walls -----------------------------------------------------------------------------------------

ALTER TABLE passkeys ENABLE ROW LEVEL SECURITY;
ALTER TABLE passkeys FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON passkeys TO bailiwick_owner USING (true) WITH CHECK (true);
REVOKE ALL ON passkeys FROM PUBLIC;
CREATE POLICY account_passkeys ON passkeys FOR SELECT TO bailiwick_runtime
    USING (user_id = (SELECT nullif(current_setting('app.user_id', true), '')::uuid));
GRANT SELECT (id, user_id, name, credential_id, user_handle, counter, backup_eligible, backed_up, created_at, last_used_at, removed_at,
    version, mac) ON passkeys TO bailiwick_runtime;
CREATE POLICY path_select ON passkeys FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) IN ('sign_in_by_passkey', 'manage_factors', 'redeem_sign_in',
        'delete_account', 'vouch_for_rows', 'rotate_vault'));
CREATE POLICY path_insert ON passkeys FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'manage_factors');
CREATE POLICY path_update ON passkeys FOR UPDATE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) IN ('sign_in_by_passkey', 'manage_factors', 'delete_account',
        'vouch_for_rows', 'rotate_vault'))
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) IN ('sign_in_by_passkey', 'manage_factors', 'delete_account',
        'vouch_for_rows', 'rotate_vault'));
GRANT SELECT, INSERT, UPDATE (name, credential_sealed, counter, backed_up, last_used_at, removed_at, mac) ON passkeys TO bailiwick_system;

ALTER TABLE passkey_ceremonies ENABLE ROW LEVEL SECURITY;
ALTER TABLE passkey_ceremonies FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON passkey_ceremonies TO bailiwick_owner USING (true) WITH CHECK (true);
REVOKE ALL ON passkey_ceremonies FROM PUBLIC;
CREATE POLICY path_select ON passkey_ceremonies FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) IN ('sign_in_by_passkey', 'manage_factors', 'rotate_vault', 'expire_replays'));
CREATE POLICY path_insert ON passkey_ceremonies FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) IN ('sign_in_by_passkey', 'manage_factors'));
CREATE POLICY path_update ON passkey_ceremonies FOR UPDATE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'rotate_vault')
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'rotate_vault');
CREATE POLICY path_delete ON passkey_ceremonies FOR DELETE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) IN ('sign_in_by_passkey', 'manage_factors', 'expire_replays'));
GRANT SELECT, INSERT, UPDATE (state_sealed), DELETE ON passkey_ceremonies TO bailiwick_system;

-- Somebody comes with a passkey: who they are is read, a session is opened.
CREATE POLICY passkey_select ON users FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'sign_in_by_passkey');
CREATE POLICY passkey_insert ON sessions FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'sign_in_by_passkey');
CREATE POLICY passkey_insert ON refresh_tokens FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'sign_in_by_passkey');
CREATE POLICY passkey_append ON cell_ledger_staged FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'sign_in_by_passkey');
CREATE POLICY passkey_told ON jobs_ready FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'sign_in_by_passkey');
CREATE POLICY passkey_told ON job_payloads FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'sign_in_by_passkey');
