-- Accounts: a person gives themselves another address or goes, and an operator keeps one out.

-- Both addresses have a code, and the change takes effect when both have come back.
CREATE TABLE address_changes (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id),
    old_email_key text NOT NULL CHECK (length(old_email_key) BETWEEN 3 AND 254),
    new_email text NOT NULL CHECK (length(new_email) BETWEEN 3 AND 254),
    new_email_key text NOT NULL CHECK (length(new_email_key) BETWEEN 3 AND 254),
    old_code_digest bytea NOT NULL CHECK (octet_length(old_code_digest) = 36),
    new_code_digest bytea NOT NULL CHECK (octet_length(new_code_digest) = 36),
    created_at timestamptz NOT NULL CHECK (isfinite(created_at)),
    expires_at timestamptz NOT NULL CHECK (isfinite(expires_at)),
    code_tries smallint NOT NULL DEFAULT 0 CHECK (code_tries BETWEEN 0 AND 10),
    old_confirmed_at timestamptz CHECK (isfinite(old_confirmed_at)),
    new_confirmed_at timestamptz CHECK (isfinite(new_confirmed_at)),
    ended_at timestamptz CHECK (isfinite(ended_at)),
    version bigint NOT NULL DEFAULT 1,
    mac bytea NOT NULL DEFAULT ''
);
COMMENT ON TABLE address_changes IS 'goes an hour after its time is over, with the addresses in it';
COMMENT ON COLUMN address_changes.old_code_digest IS 'sign-in-code/v3: a MAC';
COMMENT ON COLUMN address_changes.new_code_digest IS 'as above; where the address is somebody''s, of a code that stands in no mail';
COMMENT ON COLUMN address_changes.ended_at IS 'when it took effect, was given up, or another was asked for';
COMMENT ON COLUMN address_changes.mac IS 'over what the row grants; empty: it grants nothing';
CREATE INDEX address_changes_by_user ON address_changes (user_id, id);
CREATE INDEX address_changes_by_time ON address_changes (expires_at);
CREATE TRIGGER raise_version BEFORE UPDATE ON address_changes FOR EACH ROW EXECUTE FUNCTION raise_version();

-- The walls -----------------------------------------------------------------------------------------

ALTER TABLE address_changes ENABLE ROW LEVEL SECURITY;
ALTER TABLE address_changes FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON address_changes TO bailiwick_owner USING (true) WITH CHECK (true);
REVOKE ALL ON address_changes FROM PUBLIC;
CREATE POLICY path_insert ON address_changes FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'change_address');
CREATE POLICY path_select ON address_changes FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) IN ('change_address', 'expire_replays'));
CREATE POLICY path_update ON address_changes FOR UPDATE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'change_address')
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'change_address');
CREATE POLICY path_delete ON address_changes FOR DELETE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'expire_replays');
CREATE POLICY vouched_select ON address_changes FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'vouch_for_rows');
CREATE POLICY vouched_update ON address_changes FOR UPDATE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'vouch_for_rows')
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'vouch_for_rows');
GRANT SELECT, INSERT, DELETE, UPDATE (code_tries, old_confirmed_at, new_confirmed_at, ended_at, mac)
    ON address_changes TO bailiwick_system;

-- Whoever changes a person, and what ends with that.
CREATE POLICY accounts_select ON users FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) IN ('change_address', 'delete_account', 'manage_people'));
CREATE POLICY accounts_update ON users FOR UPDATE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) IN ('change_address', 'delete_account', 'manage_people'))
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) IN ('change_address', 'delete_account', 'manage_people'));
GRANT UPDATE (email, email_key, suspended_at) ON users TO bailiwick_system;
CREATE POLICY accounts_append ON cell_ledger_staged FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) IN ('change_address', 'delete_account', 'manage_people'));
CREATE POLICY accounts_append ON feed_changes FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) IN ('change_address', 'delete_account', 'manage_people'));
CREATE POLICY accounts_told ON jobs_ready FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) IN ('change_address', 'delete_account'));
CREATE POLICY accounts_told ON job_payloads FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) IN ('change_address', 'delete_account'));

-- Sign-ins that were asked for with an address that its person has given up are void.
CREATE POLICY accounts_select ON sign_in_challenges FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) IN ('change_address', 'delete_account'));
CREATE POLICY accounts_update ON sign_in_challenges FOR UPDATE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) IN ('change_address', 'delete_account'))
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) IN ('change_address', 'delete_account'));

CREATE POLICY accounts_select ON sessions FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) IN ('change_address', 'delete_account', 'manage_people'));
CREATE POLICY accounts_update ON sessions FOR UPDATE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) IN ('delete_account', 'manage_people'))
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) IN ('delete_account', 'manage_people'));
CREATE POLICY accounts_select ON memberships FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) IN ('delete_account', 'manage_people'));

-- Who goes leaves every workspace in one transaction, or none: the only path that ends memberships of several.
CREATE POLICY accounts_update ON memberships FOR UPDATE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'delete_account')
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'delete_account');
GRANT UPDATE (ended_at) ON memberships TO bailiwick_system;
CREATE POLICY accounts_select ON invitations FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'delete_account');
CREATE POLICY accounts_update ON invitations FOR UPDATE TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'delete_account')
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'delete_account');
GRANT UPDATE (revoked_at) ON invitations TO bailiwick_system;
CREATE POLICY accounts_select ON workspaces FOR SELECT TO bailiwick_system
    USING ((SELECT current_setting('app.operational_path', true)) = 'delete_account');
CREATE POLICY accounts_append ON ledger_staged FOR INSERT TO bailiwick_system
    WITH CHECK ((SELECT current_setting('app.operational_path', true)) = 'delete_account');
